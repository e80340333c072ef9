"""Members: adding, roles, removing, the last ADMIN, and that all of it holds from the next request on."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ai_llm.templatetags.activity import event_words
from flashback.errors import Conflict, Denied, Invalid
from tests import build
from tests.conftest import People
from tests.reading import text
from workspaces import members, spaces
from workspaces.access import OrganizationRole
from workspaces.forms import AddMemberForm
from workspaces.models import Event, Membership, User, Workspace

SignIn = Callable[[User], Client]
NO_EMAIL = "Enter an e-mail address, such as name@example.com."
NOT_ADMINS = ("writer", "reader", "outsider", "stranger", "staff")


def roles(workspace: Workspace) -> dict[str, str]:
    return {m.user.name: m.role for m in workspace.memberships.by_label()}


def last_event() -> tuple[str, str, str, dict[str, object]]:
    event = Event.objects.order_by("id").last()
    assert event is not None
    return event.action, event.actor_label, event.object_label, event.details


@pytest.fixture
def base(people: People) -> str:
    return f"/w/{people.workspace.slug}/members"


# --- Adding -----------------------------------------------------------------------------------------------------------


def test_an_admin_adds_a_person_of_the_organization(people: People) -> None:
    members.add(people.admin, people.workspace, people.outsider, role="WRITE")
    assert roles(people.workspace)["Otto Outsider"] == "WRITE"
    assert last_event() == ("member.added", people.admin.email, people.outsider.email, {"role": "WRITE"})


@pytest.mark.parametrize("who", NOT_ADMINS)
def test_only_an_admin_changes_members(who: str, people: People) -> None:
    actor, before = getattr(people, who), roles(people.workspace)
    with pytest.raises(Denied):
        members.add(actor, people.workspace, people.outsider, role="READ")
    with pytest.raises(Denied):
        members.change_role(actor, people.workspace, people.reader, role="ADMIN")
    with pytest.raises(Denied):
        members.remove(actor, people.workspace, people.reader)
    assert (roles(people.workspace), Event.objects.count()) == (before, 0)


def test_an_owner_of_the_organization_manages_every_workspace(people: People) -> None:
    members.add(people.owner, people.workspace, people.outsider, role="ADMIN")
    members.change_role(people.owner, people.workspace, people.reader, role="WRITE")
    members.remove(people.owner, people.workspace, people.writer)
    assert roles(people.workspace) == {"Ada Admin": "ADMIN", "Otto Outsider": "ADMIN", "Rita Reader": "WRITE"}


def test_who_cannot_be_added(people: People) -> None:
    inactive = build.person(people.organization, "Ina", is_active=False)
    said = {}
    for person in (people.stranger, people.staff, inactive, people.reader):
        with pytest.raises(Invalid) as refused:
            members.add(people.admin, people.workspace, person, role="READ")
        said[person.name] = refused.value.errors
    assert said == {
        "Sam Stranger": {"person": members.UNKNOWN},
        "Stella Staff": {"person": members.UNKNOWN},
        "Ina": {"person": "The account of Ina is not active, so it cannot be a member."},
        "Rita Reader": {"person": "Rita Reader is a member already, with the role READ."},
    }


@pytest.mark.parametrize("role", ["", "read", "OWNER", "None", "255"])
def test_there_are_three_roles(role: str, people: People) -> None:
    for verb, person in ((members.add, people.outsider), (members.change_role, people.reader)):
        with pytest.raises(Invalid) as refused:
            verb(people.admin, people.workspace, person, role=role)
        assert refused.value.errors == {"role": "Choose one of the roles: READ, WRITE, ADMIN."}


def test_an_e_mail_address_finds_a_person_of_the_own_organization_only(people: People) -> None:
    assert members.by_email(people.admin, f" {people.outsider.email.upper()} ") == people.outsider
    for email in (people.stranger.email, people.staff.email, "nobody@example.com", "", "a\0@example.com"):
        with pytest.raises(Invalid) as refused:
            members.by_email(people.admin, email)
        assert refused.value.errors == {"email": members.UNKNOWN}


# --- Roles ------------------------------------------------------------------------------------------------------------


def test_a_new_role_is_recorded_with_the_old_one(people: People) -> None:
    members.change_role(people.admin, people.workspace, people.reader, role="WRITE")
    changed = {"role": ["READ", "WRITE"]}
    assert last_event() == ("member.role_changed", people.admin.email, people.reader.email, changed)


def test_the_same_role_again_records_nothing(people: People) -> None:
    members.change_role(people.admin, people.workspace, people.reader, role="READ")
    assert Event.objects.count() == 0


def test_nobody_raises_themselves(people: People) -> None:
    deputy = build.person(
        people.organization, role=OrganizationRole.ADMINISTRATOR, member_of=people.workspace, access="READ"
    )
    for role in ("WRITE", "ADMIN"):
        with pytest.raises(Denied, match="cannot give yourself a role"):
            members.change_role(deputy, people.workspace, deputy, role=role)
    with pytest.raises(Denied, match="cannot give yourself a role"):
        members.add(people.owner, people.workspace, people.owner, role="READ")
    with pytest.raises(Invalid, match="cannot give yourself a role"):
        members.by_email(people.owner, people.owner.email)
    members.change_role(people.owner, people.workspace, deputy, role="ADMIN")


def test_an_admin_can_step_down_when_another_stays(people: People) -> None:
    members.change_role(people.owner, people.workspace, people.writer, role="ADMIN")
    members.change_role(people.admin, people.workspace, people.admin, role="READ")
    assert roles(people.workspace)["Ada Admin"] == "READ"
    with pytest.raises(Denied):
        members.change_role(people.admin, people.workspace, people.admin, role="ADMIN")


# --- The last ADMIN ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["admin", "owner"])
def test_the_last_admin_stays_whoever_asks(who: str, people: People) -> None:
    actor = getattr(people, who)
    for attempt in (
        lambda: members.remove(actor, people.workspace, people.admin),
        lambda: members.change_role(actor, people.workspace, people.admin, role="WRITE"),
    ):
        with pytest.raises(Invalid) as refused:
            attempt()
        assert refused.value.errors == {
            "role": "Ada Admin is the last ADMIN of Main, and a workspace keeps at least one. Give somebody else the "
            "role ADMIN first. Owners and administrators of your organization can do that too: Olivia Owner."
        }
    assert (roles(people.workspace)["Ada Admin"], Event.objects.count()) == ("ADMIN", 0)


def test_an_admin_who_cannot_sign_in_does_not_count(people: People) -> None:
    build.person(people.organization, member_of=people.workspace, access="ADMIN", is_active=False)
    with pytest.raises(Invalid, match="last ADMIN"):
        members.remove(people.admin, people.workspace, people.admin)


def test_the_refusal_names_a_few_who_can_help(people: People) -> None:
    for name in ("Zoe", "Ben", "Amy", "Cleo"):
        build.person(people.organization, name, role=OrganizationRole.ADMINISTRATOR)
    build.person(people.organization, "Aaron", role=OrganizationRole.ADMINISTRATOR, is_active=False)
    with pytest.raises(Invalid, match="Amy, Ben, Cleo and 2 more"):
        members.remove(people.admin, people.workspace, people.admin)


def test_a_workspace_that_never_had_an_admin_member_may_lose_members(people: People) -> None:
    empty = build.workspace(people.organization)
    members.add(people.owner, empty, people.reader, role="WRITE")
    members.remove(people.owner, empty, people.reader)
    assert roles(empty) == {}


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verb", ["remove", "lower"])
def test_of_two_admins_who_end_each_other_at_the_same_moment_one_stays(verb: str, people: People) -> None:
    pairs = []
    for _ in range(4):
        workspace = build.workspace(people.organization)
        first, second = (build.person(people.organization, member_of=workspace, access="ADMIN") for _ in range(2))
        pairs += [(workspace, first, second), (workspace, second, first)]

    def end(pair: tuple[Workspace, User, User]) -> str:
        workspace, actor, other = pair
        try:
            if verb == "remove":
                members.remove(actor, workspace, other)
            else:
                members.change_role(actor, workspace, other, role="READ")
        except (Denied, Invalid) as refused:
            return type(refused).__name__
        else:
            return "done"
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(end, pairs))
    assert outcomes.count("done") == 4
    admins = Membership.objects.filter(role="ADMIN").exclude(workspace=people.workspace)
    assert sorted(admins.values_list("workspace", flat=True)) == sorted({pair[0].pk for pair in pairs})


def test_the_permission_is_read_again_behind_the_lock(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    second = build.person(people.organization, member_of=people.workspace, access="ADMIN")
    lock = spaces.lock

    def after_being_lowered(actor: User, workspace: Workspace) -> Workspace:
        Membership.objects.filter(user=second).update(role="READ")
        return lock(actor, workspace)

    monkeypatch.setattr("workspaces.spaces.lock", after_being_lowered)
    with pytest.raises(Denied):
        members.remove(second, people.workspace, people.reader)
    assert "Rita Reader" in roles(people.workspace)


# --- Removing ---------------------------------------------------------------------------------------------------------


def test_removing_is_recorded_with_the_role(people: People) -> None:
    members.remove(people.admin, people.workspace, people.writer)
    assert "Will Writer" not in roles(people.workspace)
    assert last_event() == ("member.removed", people.admin.email, people.writer.email, {"role": "WRITE"})


def test_somebody_who_is_gone_cannot_be_changed(people: People) -> None:
    members.remove(people.admin, people.workspace, people.writer)
    with pytest.raises(Conflict, match="Will Writer is no member of Main any more"):
        members.remove(people.admin, people.workspace, people.writer)
    with pytest.raises(Conflict):
        members.change_role(people.admin, people.workspace, people.writer, role="READ")


def test_events_are_told_in_words(people: People) -> None:
    members.add(people.admin, people.workspace, people.outsider, role="WRITE")
    members.change_role(people.admin, people.workspace, people.outsider, role="READ")
    members.remove(people.admin, people.workspace, people.outsider)
    spaces.rename(people.admin, people.workspace, name="Research", keep_slug=True)
    spaces.rename(people.admin, people.workspace, name="Research")
    told = [re.sub(r"</?strong>", "", event_words(event)) for event in Event.objects.order_by("id")]
    email, slug = people.outsider.email, people.workspace.slug
    assert told == [
        f"{email} added as a member with the role WRITE",
        f"{email} role changed from WRITE to READ",
        f"{email} is no longer a member",
        "Research is the new name of the workspace Main",
        f"Research address changed from /w/{slug} to /w/research",
    ]


# --- Effect at the next request ---------------------------------------------------------------------------------------


def test_a_role_holds_from_the_next_request_on(people: People, base: str, signed_in: SignIn) -> None:
    admin, person = signed_in(people.admin), signed_in(people.outsider)
    new, mine = f"/w/{people.workspace.slug}/ai/llm/new", f"{base}/{people.outsider.pk}"

    def seen() -> tuple[int, int, int]:
        return person.get(base).status_code, person.get(new).status_code, person.get(f"{base}/add").status_code

    assert seen() == (404, 404, 404)
    admin.post(f"{base}/add", {"person": str(people.outsider.pk), "role": "READ"})
    assert seen() == (200, 403, 403)
    admin.post(f"{mine}/role", {"role": "WRITE"})
    assert seen() == (200, 200, 403)
    admin.post(f"{mine}/role", {"role": "ADMIN"})
    assert seen() == (200, 200, 200)
    admin.post(f"{mine}/role", {"role": "READ"})
    assert seen() == (200, 403, 403)
    admin.post(f"{mine}/remove")
    assert seen() == (404, 404, 404)


def test_an_organization_role_holds_from_the_next_request_on(people: People, base: str, signed_in: SignIn) -> None:
    client = signed_in(people.outsider)
    for role, status in ((OrganizationRole.ADMINISTRATOR, 200), (OrganizationRole.USER, 404)):
        User.objects.filter(pk=people.outsider.pk).update(organization_role=role)
        assert client.get(f"{base}/add").status_code == status


# --- The pages --------------------------------------------------------------------------------------------------------


def test_of_many_administrators_ten_are_named_and_the_others_counted(
    people: People, base: str, signed_in: SignIn
) -> None:
    for number in range(11):  # beside the owner
        build.person(people.workspace.organization, f"Zoe {number}", role=OrganizationRole.ADMINISTRATOR)
    page = text(signed_in(people.reader).get(base))
    assert "Administrator of the organization and 2 more" in page
    User.objects.filter(name__in=["Zoe 0", "Zoe 1"]).delete()
    assert " more" not in text(signed_in(people.reader).get(base)).partition("Also ADMIN here")[2]


def test_everybody_who_sees_the_workspace_sees_the_members(people: People, base: str, signed_in: SignIn) -> None:
    page = signed_in(people.reader).get(base)
    for words in ("3 members of Main", "Ada Admin", "Rita Reader (you)", "Also ADMIN here", "Olivia Owner"):
        assert words in text(page)
    for words in ("Add a member", "Remove", "<select"):
        assert words not in re.sub(r".*<main", "", page.content.decode(), flags=re.DOTALL)


def test_adding_by_choosing(people: People, base: str, signed_in: SignIn) -> None:
    client = signed_in(people.admin)
    listed = client.get(f"{base}/add").context["form"].fields["person"].choices
    assert [label for _, label in listed] == [
        "Choose a person",
        f"Olivia Owner ({people.owner.email})",
        f"Otto Outsider ({people.outsider.email})",
    ]
    answer = client.post(f"{base}/add", {"person": str(people.outsider.pk), "role": "WRITE"}, follow=True)
    assert answer.redirect_chain == [(base, 303)]
    assert "Otto Outsider is a member now, with the role WRITE." in text(answer)


def test_adding_by_e_mail(people: People, base: str, signed_in: SignIn) -> None:
    given = {"email": f" {people.outsider.email.upper()} ", "role": "READ"}
    assert signed_in(people.admin).post(f"{base}/add", given).status_code == 303
    assert roles(people.workspace)["Otto Outsider"] == "READ"


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({}, {"person": "Choose a person, or enter an e-mail address."}),
        ({"email": "nobody@example.com"}, {"email": members.UNKNOWN}),
        ({"email": "{stranger}"}, {"email": members.UNKNOWN}),
        ({"email": "{inactive}"}, {"email": "The account of Ina is not active, so it cannot be a member."}),
        ({"email": "{reader}"}, {"email": "Rita Reader is a member already, with the role READ."}),
        ({"email": "{admin}"}, {"email": members.ONESELF}),
        ({"email": "no address"}, {"email": NO_EMAIL}),
        (
            {"email": "a\0b@example.com"},
            {"email": "Enter an e-mail address, such as name@example.com. Null characters are not allowed."},
        ),
        ({"person": "{reader_id}"}, {"person": "This person can no longer be added. Choose another one."}),
        ({"person": "junk"}, {"person": "This person can no longer be added. Choose another one."}),
        (
            {"person": "{outsider_id}", "email": "{outsider}"},
            {"__all__": "Choose a person or enter an e-mail address, not both."},
        ),
        ({"person": "{outsider_id}", "role": "OWNER"}, {"role": "Choose a role from the list."}),
        ({"person": "{outsider_id}", "role": ""}, {"role": "Choose a role."}),
    ],
)
def test_what_cannot_be_added_says_why(
    given: dict[str, str], errors: dict[str, str], people: People, base: str, signed_in: SignIn
) -> None:
    inactive = build.person(people.organization, "Ina", is_active=False)
    known = {"stranger": people.stranger, "reader": people.reader, "outsider": people.outsider, "admin": people.admin}
    words = {name: person.email for name, person in {**known, "inactive": inactive}.items()}
    words |= {f"{name}_id": str(person.pk) for name, person in known.items()}
    filled = {"role": "READ", **{name: value.format(**words) for name, value in given.items()}}
    before = roles(people.workspace)
    answer = signed_in(people.admin).post(f"{base}/add", filled)
    found = {field: " ".join(texts) for field, texts in answer.context["form"].errors.items()}
    assert (answer.status_code, found) == (422, errors)
    assert (roles(people.workspace), Event.objects.count()) == (before, 0)


def test_a_long_list_gives_way_to_the_e_mail_address(
    people: People, base: str, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AddMemberForm, "MOST", 1)
    client = signed_in(people.admin)
    assert list(client.get(f"{base}/add").context["form"].fields) == ["email", "role"]
    answer = client.post(f"{base}/add", {"role": "READ"})
    assert answer.context["form"].errors == {"email": ["Choose a person, or enter an e-mail address."]}


def test_changing_a_role_leads_back_to_the_same_page_of_the_list(people: People, base: str, signed_in: SignIn) -> None:
    client, path = signed_in(people.admin), f"{base}/{people.reader.pk}/role"
    answer = client.post(f"{path}?page=2", {"role": "WRITE"}, follow=True)
    assert answer.redirect_chain == [(f"{base}?page=2", 303)]
    assert "Rita Reader has the role WRITE now." in text(answer)
    assert client.get(f"{path}?page=//evil.example")["Location"] == base


def test_a_refused_role_says_why_beside_the_person(people: People, base: str, signed_in: SignIn) -> None:
    answer = signed_in(people.admin).post(f"{base}/{people.admin.pk}/role", {"role": "READ"})
    assert answer.status_code == 422
    assert "Ada Admin is the last ADMIN of Main" in text(answer)
    assert f'href="#role-{people.admin.pk}"' in answer.content.decode()
    invalid = re.findall(r'id="role-([^"]+)"[^>]*aria-invalid', answer.content.decode())
    assert invalid == [str(people.admin.pk)]


def test_removing_asks_first_and_says_what_follows(people: People, base: str, signed_in: SignIn) -> None:
    client, path = signed_in(people.admin), f"{base}/{people.writer.pk}/remove"
    assert "Will Writer can no longer see Main" in text(client.get(path))
    assert "Will Writer" in roles(people.workspace)
    answer = client.post(path, follow=True)
    assert answer.redirect_chain == [(base, 303)]
    assert "Will Writer is no longer a member of Main." in text(answer)
    assert client.post(path).status_code == 404


def test_a_refused_removal_says_why(people: People, base: str, signed_in: SignIn) -> None:
    answer = signed_in(people.owner).post(f"{base}/{people.admin.pk}/remove")
    assert (answer.status_code, "last ADMIN of Main" in text(answer)) == (422, True)


def test_who_removes_themselves_is_led_to_where_they_still_can_be(people: People, base: str, signed_in: SignIn) -> None:
    members.change_role(people.owner, people.workspace, people.writer, role="ADMIN")
    answer = signed_in(people.admin).post(f"{base}/{people.admin.pk}/remove", follow=True)
    assert answer.redirect_chain == [("/", 303)]
    assert "No workspace yet" in text(answer)


def test_people_of_elsewhere_and_nobody_read_the_same(people: People, base: str, signed_in: SignIn) -> None:
    client = signed_in(people.admin)
    whom = (people.stranger.pk, people.outsider.pk, uuid4())
    answers = [client.post(f"{base}/{who}/{verb}", {"role": "READ"}) for who in whom for verb in ("role", "remove")]
    assert {answer.status_code for answer in answers} == {404}
    pages = {re.sub(r".*<main", "", answer.content.decode(), flags=re.DOTALL) for answer in answers}
    assert len(pages) == 1


def test_names_cannot_write_markup(people: People, base: str, signed_in: SignIn) -> None:
    User.objects.filter(pk__in=[people.reader.pk, people.outsider.pk]).update(name="<script>alert(1)</script>")
    client = signed_in(people.admin)
    for path in (base, f"{base}/add", f"{base}/{people.reader.pk}/remove"):
        assert "<script>alert" not in client.get(path).content.decode()


def test_the_list_costs_the_same_with_many_members(people: People, base: str, signed_in: SignIn) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(base).status_code == 200
        return len(captured)

    client = signed_in(people.admin)
    client.get(base)
    one = queries()
    for _ in range(5):
        build.person(people.organization, member_of=people.workspace)
        build.person(people.organization, role=OrganizationRole.ADMINISTRATOR)
    assert queries() == one <= 12
