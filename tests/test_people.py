"""People of an organization: accounts, roles, who may change whom, and that there is always an owner."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from flashback.errors import Denied, Invalid
from tests import build
from tests.conftest import People
from workspaces import organizations, people
from workspaces.access import OrganizationRole
from workspaces.models import Event, Organization, User

SignIn = Callable[[User], Client]
USER, WORKSPACES, ADMINISTRATOR, OWNER = (
    OrganizationRole.USER,
    OrganizationRole.WORKSPACES,
    OrganizationRole.ADMINISTRATOR,
    OrganizationRole.OWNER,
)


@pytest.fixture
def everyone(people: People) -> People:
    return people


@pytest.fixture
def manager(everyone: People) -> User:
    return build.person(everyone.organization, "Mo Manager", role=WORKSPACES)


@pytest.fixture
def administrator(everyone: People) -> User:
    return build.person(everyone.organization, "Adi Administrator", role=ADMINISTRATOR)


def last_event() -> tuple[str, str, str, dict[str, object]]:
    event = Event.objects.order_by("id").last()
    assert event is not None
    return event.action, event.actor_label, event.object_label, event.details


def role_of(person: User) -> OrganizationRole:
    return OrganizationRole(User.objects.get(pk=person.pk).organization_role)


# --- Accounts ---------------------------------------------------------------------------------------------------------


def test_an_account_is_made_with_names_and_role(everyone: People, manager: User) -> None:
    made = people.create(
        manager, email=" New@Example.com ", name="Nia", last_name="New", role=WORKSPACES, password=build.PASSWORD
    )
    assert (made.email, made.label, made.organization, role_of(made)) == (
        "new@example.com",
        "Nia New",
        everyone.organization,
        WORKSPACES,
    )
    assert made.check_password(build.PASSWORD)
    assert last_event() == ("person.created", manager.email, made.email, {"role": "Workspaces"})


def test_an_account_without_a_password_lets_nobody_in(everyone: People, manager: User) -> None:
    made = people.create(manager, email="new@example.com")
    assert not made.has_usable_password()
    assert made.label == "new@example.com"


def test_all_that_is_wrong_with_an_account_is_said_at_once(manager: User) -> None:
    with pytest.raises(Invalid) as refused:
        people.create(manager, email="none", name="a\u202eb", last_name="\0", role=77, password="short")
    assert set(refused.value.errors) == {"email", "name", "last_name", "role", "password"}
    assert Event.objects.count() == 0


def test_an_address_that_is_taken_is_said_beside_the_field(everyone: People, manager: User) -> None:
    with pytest.raises(Invalid) as refused:
        people.create(manager, email=everyone.reader.email.upper())
    assert refused.value.errors == {"email": organizations.SAME_EMAIL}


@pytest.mark.parametrize("who", ["admin", "writer", "reader", "outsider", "staff"])
def test_only_who_manages_people_makes_accounts(who: str, everyone: People) -> None:
    with pytest.raises(Denied):
        people.create(getattr(everyone, who), email="new@example.com")


@pytest.mark.parametrize(
    ("role", "allowed"), [(USER, True), (WORKSPACES, True), (ADMINISTRATOR, False), (OWNER, False)]
)
def test_nobody_gives_more_than_they_have(
    role: OrganizationRole, allowed: bool, everyone: People, manager: User
) -> None:
    attempts = (
        lambda: people.create(manager, email="new@example.com", role=role),
        lambda: people.set_role(manager, everyone.outsider, role=role),
    )
    for attempt in attempts:
        if allowed:
            attempt()
        else:
            with pytest.raises(Denied, match="cannot give") as refused:
                attempt()
            assert "Olivia Owner" in refused.value.message


def test_names_change_and_are_recorded(everyone: People, manager: User) -> None:
    changed = people.update(manager, everyone.reader, last_name="Reader-Smith")
    assert changed.label == "Rita Reader Reader-Smith"
    action, *_, details = last_event()
    assert (action, details) == ("person.updated", {"last_name": ["", "Reader-Smith"]})
    people.update(everyone.reader, everyone.reader, name="Rita", last_name="Reader")
    number = Event.objects.count()
    people.update(everyone.reader, everyone.reader, name="Rita")
    assert Event.objects.count() == number
    with pytest.raises(Denied):
        people.update(everyone.reader, everyone.writer, name="Willy")


def test_people_are_listed_by_what_is_shown_for_them(everyone: People) -> None:
    users = [build.person(everyone.organization, name) for name in ("Zoe", "Amy")]
    User.objects.filter(pk=users[0].pk).update(name="", last_name="Alda")
    shown = [person.label for person in User.objects.filter(pk__in=[user.pk for user in users]).by_label()]
    assert shown == ["Alda", "Amy"]


# --- Roles ------------------------------------------------------------------------------------------------------------


def test_a_role_changes_and_is_recorded_with_the_old_one(everyone: People) -> None:
    people.set_role(everyone.owner, everyone.outsider, role=WORKSPACES)
    assert role_of(everyone.outsider) == WORKSPACES
    assert last_event() == (
        "person.role_changed",
        everyone.owner.email,
        everyone.outsider.email,
        {"role": ["User", "Workspaces"]},
    )
    people.set_role(everyone.owner, everyone.outsider, role=WORKSPACES)
    assert Event.objects.count() == 1


@pytest.mark.parametrize("role", [-1, 3, 256, True, "2", None])
def test_there_are_five_roles(role: object, everyone: People) -> None:
    with pytest.raises(Invalid) as refused:
        people.set_role(everyone.owner, everyone.reader, role=role)
    assert refused.value.errors == {"role": people.ROLES}


def test_nobody_changes_people_above_themselves(everyone: People, manager: User, administrator: User) -> None:
    for actor, person in ((manager, administrator), (manager, everyone.owner), (administrator, everyone.owner)):
        for attempt in (
            lambda actor=actor, person=person: people.set_role(actor, person, role=USER),
            lambda actor=actor, person=person: people.deactivate(actor, person),
            lambda actor=actor, person=person: people.reactivate(actor, person),
            lambda actor=actor, person=person: people.update(actor, person, name="Mallory"),
        ):
            with pytest.raises(Denied, match="above yours"):
                attempt()
    assert Event.objects.count() == 0


def test_people_of_elsewhere_are_out_of_reach(everyone: People) -> None:
    for person in (everyone.stranger, everyone.staff):
        for verb in (people.deactivate, people.reactivate):
            with pytest.raises(Denied, match="your own organization"):
                verb(everyone.owner, person)
        with pytest.raises(Denied, match="your own organization"):
            people.set_role(everyone.owner, person, role=USER)


def test_the_last_owner_stays(everyone: People) -> None:
    build.person(everyone.organization, "Old Owner", role=OWNER, is_active=False)
    with pytest.raises(Invalid, match="last owner who can sign in"):
        people.set_role(everyone.owner, everyone.owner, role=USER)
    second = build.person(everyone.organization, "Second Owner", role=OWNER)
    people.set_role(everyone.owner, everyone.owner, role=ADMINISTRATOR)
    assert role_of(everyone.owner) == ADMINISTRATOR
    with pytest.raises(Invalid, match="last owner who can sign in"):
        people.set_role(second, second, role=ADMINISTRATOR)


def test_an_owner_who_cannot_sign_in_does_not_count(everyone: People) -> None:
    invited = people.create(everyone.owner, email="new@example.com", role=OWNER)
    build.person(everyone.organization, "Old Owner", role=OWNER, is_active=False)
    with pytest.raises(Invalid, match="last owner who can sign in"):
        people.set_role(everyone.owner, everyone.owner, role=USER)
    people.set_role(everyone.owner, invited, role=USER)
    with pytest.raises(Invalid, match="cannot sign in"):
        organizations.transfer_ownership(everyone.owner, invited)
    assert role_of(everyone.owner) == OWNER


def test_no_superuser_keeps_the_last_owner_out_either(everyone: People) -> None:
    for staff in (False, True):
        with pytest.raises(Invalid) as refused:
            people.set_standing(everyone.staff, everyone.owner, active=False, staff=staff)
        assert refused.value.errors == {"is_active": people.LAST_OWNER.format(person="Olivia Owner")}
    assert Event.objects.count() == 0
    people.set_standing(everyone.staff, everyone.owner, active=True, staff=True)
    second = build.person(everyone.organization, "Second Owner", role=OWNER)
    people.set_standing(everyone.staff, everyone.owner, active=False, staff=False)
    people.set_standing(everyone.staff, everyone.owner, active=False, staff=True)
    with pytest.raises(Invalid):
        people.set_standing(everyone.staff, second, active=False, staff=False)
    people.set_standing(everyone.staff, everyone.owner, active=True, staff=False)
    people.set_standing(everyone.staff, second, active=False, staff=False)


def test_a_role_that_was_lost_meanwhile_decides(everyone: People, administrator: User) -> None:
    stale = User.objects.get(pk=administrator.pk)
    people.set_role(everyone.owner, administrator, role=USER)
    for attempt in (
        lambda: people.set_role(stale, everyone.outsider, role=ADMINISTRATOR),
        lambda: people.create(stale, email="new@example.com"),
        lambda: people.deactivate(stale, everyone.outsider),
    ):
        with pytest.raises(Denied):
            attempt()


# --- Keeping out ------------------------------------------------------------------------------------------------------


def test_deactivating_ends_every_session_at_once_and_for_good(everyone: People, signed_in: SignIn) -> None:
    client = signed_in(everyone.reader)
    assert client.get("/account").status_code == 200
    people.deactivate(everyone.owner, everyone.reader)
    assert client.get("/account").status_code == 302
    assert last_event()[0] == "person.deactivated"
    people.reactivate(everyone.owner, everyone.reader)
    assert last_event()[0] == "person.reactivated"
    assert client.get("/account").status_code == 302
    assert everyone.reader.memberships.get().role == "READ"


def test_the_last_owner_and_oneself_cannot_be_deactivated(everyone: People, manager: User) -> None:
    with pytest.raises(Denied, match="your own account"):
        people.deactivate(manager, manager)
    second = build.person(everyone.organization, "Second Owner", role=OWNER)
    people.deactivate(second, everyone.owner)
    people.reactivate(second, everyone.owner)
    User.objects.filter(pk=second.pk).update(organization_role=USER)
    with pytest.raises(Denied):
        people.deactivate(second, everyone.owner)


def test_twice_is_once(everyone: People) -> None:
    for _ in range(2):
        people.deactivate(everyone.owner, everyone.reader)
    for _ in range(2):
        people.reactivate(everyone.owner, everyone.reader)
    assert Event.objects.count() == 2


def at_once(*changes: Callable[[], object]) -> int:
    """Make all changes at the same moment; return how many were not refused."""
    ready = threading.Barrier(len(changes))

    def make(change: Callable[[], object]) -> bool:
        try:
            ready.wait(5)
            change()
        except (Denied, Invalid):
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(len(changes)) as pool:
        return sum(pool.map(make, changes))


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_lower_each_other_one_stays(people: People) -> None:
    from workspaces import people as verbs

    second = build.person(people.organization, "Second Owner", role=OWNER)
    done = at_once(
        lambda: verbs.set_role(people.owner, second, role=USER),
        lambda: verbs.set_role(second, people.owner, role=USER),
    )
    assert done == 1
    assert User.objects.filter(organization=people.organization, organization_role=OWNER).count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_an_owner_who_lowers_another_and_a_superuser_who_keeps_them_out_one_is_refused(people: People) -> None:
    from workspaces import people as verbs

    second = build.person(people.organization, "Second Owner", role=OWNER)
    done = at_once(
        lambda: verbs.set_role(people.owner, second, role=USER),
        lambda: verbs.set_standing(people.staff, people.owner, active=False, staff=False),
    )
    assert done == 1
    assert organizations.owners(people.organization.pk).count() == 1


# --- The organization -------------------------------------------------------------------------------------------------


def test_ownership_goes_to_somebody_else(everyone: People) -> None:
    organizations.transfer_ownership(everyone.owner, everyone.outsider)
    assert (role_of(everyone.owner), role_of(everyone.outsider)) == (ADMINISTRATOR, OWNER)
    assert last_event() == (
        "organization.ownership_transferred",
        everyone.owner.email,
        "Acme",
        {"owner": [everyone.owner.email, everyone.outsider.email]},
    )
    with pytest.raises(Denied, match="Otto Outsider can grant it"):
        organizations.transfer_ownership(User.objects.get(pk=everyone.owner.pk), everyone.reader)


def test_ownership_goes_to_active_people_of_the_organization_only(everyone: People, administrator: User) -> None:
    inactive = build.person(everyone.organization, "Ina", is_active=False)
    other = build.person(everyone.organization, "Other Owner", role=OWNER)
    for person in (everyone.owner, everyone.stranger, inactive, other):
        with pytest.raises(Invalid) as refused:
            organizations.transfer_ownership(everyone.owner, person)
        assert set(refused.value.errors) == {"person"}
    with pytest.raises(Denied):
        organizations.transfer_ownership(administrator, everyone.reader)


def test_the_profile_changes_and_is_recorded(everyone: People, administrator: User) -> None:
    given = {"domain": " @Example.COM ", "website": "www.example.com", "city": " New  York ", "is_business": True}
    row = organizations.update(administrator, everyone.organization, **given)
    row.refresh_from_db()
    assert (row.domain, row.website, row.city, row.is_business) == (
        "example.com",
        "https://www.example.com",
        "New York",
        True,
    )
    assert last_event()[3] == {
        "domain": ["", "example.com"],
        "website": ["", "https://www.example.com"],
        "city": ["", "New York"],
        "is_business": [False, True],
    }
    organizations.update(administrator, everyone.organization, city="New York")
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "other"),
        ("domain", "https://example.com"),
        ("domain", "localhost"),
        ("website", "javascript:alert(1)"),
        ("website", "https://user:pw@example.com"),
        ("website", "http://[bad"),
        ("city", "a" * 81),
        ("phone", "a\0b"),
        ("state", "a\u202eb"),
        ("name_key", "x"),
        ("id", "x"),
    ],
)
def test_what_a_profile_cannot_hold(field: str, value: str, everyone: People) -> None:
    with pytest.raises(Invalid) as refused:
        organizations.update(everyone.owner, everyone.organization, **{field: value})
    assert set(refused.value.errors) == {field}
    assert Event.objects.count() == 0


def test_only_administrators_change_the_profile(everyone: People, manager: User) -> None:
    with pytest.raises(Denied):
        organizations.update(manager, everyone.organization, city="Berlin")
    assert list(Organization.objects.visible_to(manager)) == [everyone.organization]


def test_who_sees_whose_name(everyone: People, manager: User) -> None:
    def seen(actor: User) -> set[str]:
        return {person.name for person in User.objects.visible_to(actor)}

    colleagues = {"Ada Admin", "Will Writer", "Rita Reader"}
    assert seen(everyone.reader) == {*colleagues, "Olivia Owner"}
    assert seen(everyone.outsider) == {"Otto Outsider", "Olivia Owner"}
    assert seen(manager) == {*colleagues, "Otto Outsider", "Olivia Owner", "Mo Manager"}
    assert seen(everyone.staff) == set()
