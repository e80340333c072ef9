"""Invitations: made, sent, accepted once, and nothing left open that should not be."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from flashback.errors import Conflict, Denied, Invalid, NotFound
from tests import build
from tests.conftest import People
from workspaces import access, invitations, spaces
from workspaces import people as people_verbs
from workspaces.access import Access, OrganizationRole
from workspaces.invitation_models import Invitation, InvitationState
from workspaces.models import Event, Membership, User

NEW = "nia@example.com"


def token(made: invitations.Made) -> str:
    return made.link.rpartition("/")[2]


def actions() -> list[str]:
    return list(Event.objects.order_by("id").values_list("action", flat=True))


@pytest.fixture
def made(people: People) -> invitations.Made:
    return invitations.create(people.owner, email=NEW, workspaces={people.workspace: "WRITE"})


# --- Making and sending -----------------------------------------------------------------------------------------------


def test_accepting_makes_the_account_with_everything_promised(people: People, made: invitations.Made) -> None:
    person = invitations.accept(token(made), name="Nia", last_name="New", password=build.PASSWORD)
    assert (person.email, person.label, person.organization) == (NEW, "Nia New", people.organization)
    assert person.check_password(build.PASSWORD)
    assert access.of(person, people.workspace) == Access.WRITE
    assert actions() == ["invitation.created", "person.created", "member.added", "invitation.accepted"]
    event = Event.objects.get(action="member.added")
    assert (event.actor_label, event.details) == (NEW, {"role": "WRITE", "invited_by": people.owner.email})


def test_only_the_digest_of_a_token_is_stored(made: invitations.Made) -> None:
    row = Invitation.objects.values().get()
    assert token(made) not in str(row)
    assert token(made) not in repr(made)
    assert token(made) not in str(list(Event.objects.values()))


def test_a_mail_holds_the_link_in_text_and_html(people: People) -> None:
    made = invitations.create(people.owner, email=NEW, workspaces={people.workspace: "READ"}, by_mail=True)
    assert made.mailed
    (message,) = mail.outbox
    assert message.to == [NEW]
    assert message.subject == "Olivia Owner invites you to Acme on Flashback"
    html = message.alternatives[0][0]
    for text in (message.body, html):
        assert made.link in text
        assert "Main (READ)" in text
    assert made.link.startswith("http://")


def test_a_link_is_mailed_only_when_asked(made: invitations.Made) -> None:
    assert (made.mailed, mail.outbox) == (False, [])


def test_a_mail_server_that_is_down_loses_nothing(people: People, settings: object) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    made = invitations.create(people.owner, email=NEW, by_mail=True)
    assert not made.mailed
    assert invitations.find(token(made)) == made.invitation


@pytest.mark.parametrize("who", ["admin", "writer", "reader", "outsider", "staff"])
def test_only_who_manages_people_invites(who: str, people: People) -> None:
    with pytest.raises(Denied):
        invitations.create(getattr(people, who), email=NEW)


def test_nobody_promises_more_than_they_may_give(people: People) -> None:
    manager = build.person(people.organization, "Mo", role=OrganizationRole.WORKSPACES)
    with pytest.raises(Denied, match="cannot give Administrator"):
        invitations.create(manager, email=NEW, role=OrganizationRole.ADMINISTRATOR)
    with pytest.raises(Denied, match="needs the role ADMIN in the workspace Main"):
        invitations.create(manager, email=NEW, workspaces={people.workspace: "READ"})
    with pytest.raises(Denied):
        invitations.create(people.owner, email=NEW, workspaces={people.strange_workspace: "READ"})
    assert Invitation.objects.count() == 0


def test_what_cannot_be_invited_says_why(people: People) -> None:
    said = {}
    for email, role, place in (("none", 77, "OWNER"), (people.reader.email.upper(), 0, "READ")):
        with pytest.raises(Invalid) as refused:
            invitations.create(people.owner, email=email, role=role, workspaces={people.workspace: place})
        said[email] = refused.value.errors
    assert set(said["none"]) == {"email", "role", "workspaces"}
    assert said[people.reader.email.upper()] == {"email": "Rita Reader is in your organization already."}


def test_an_address_of_another_organization_is_invited_like_any_other(people: People) -> None:
    made = invitations.create(people.owner, email=people.stranger.email)
    with pytest.raises(Conflict, match="account with this e-mail address already"):
        invitations.accept(token(made), password=build.PASSWORD)
    people.stranger.refresh_from_db()
    assert people.stranger.organization != people.organization


def test_a_second_invitation_replaces_the_first(people: People, made: invitations.Made) -> None:
    second = invitations.create(people.owner, email=NEW)
    made.invitation.refresh_from_db()
    assert made.invitation.state == InvitationState.WITHDRAWN
    with pytest.raises(Conflict, match="withdrawn"):
        invitations.accept(token(made), password=build.PASSWORD)
    invitations.accept(token(second), password=build.PASSWORD)


def test_an_account_without_a_password_gets_one_by_its_link(people: People) -> None:
    person = people_verbs.create(people.owner, email=NEW, name="Nia")
    made = invitations.create(people.owner, email="ignored@example.com", person=person)
    assert made.invitation.email == NEW
    accepted = invitations.accept(token(made), name="Nia", password=build.PASSWORD)
    assert accepted.pk == person.pk
    assert accepted.check_password(build.PASSWORD)
    with pytest.raises(Invalid, match="has a password already"):
        invitations.create(people.owner, email=NEW, person=accepted)


# --- Ends -------------------------------------------------------------------------------------------------------------


def test_a_link_works_once(made: invitations.Made) -> None:
    invitations.accept(token(made), password=build.PASSWORD)
    with pytest.raises(Conflict, match="accepted already"):
        invitations.accept(token(made), password=build.PASSWORD)
    assert User.objects.filter(email=NEW).count() == 1


def test_a_link_works_for_seven_days(made: invitations.Made) -> None:
    assert made.invitation.expires_at - made.invitation.created_at == pytest.approx(
        timedelta(days=7), abs=timedelta(seconds=5)
    )
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(Conflict, match="expired"):
        invitations.accept(token(made), password=build.PASSWORD)


def test_a_withdrawn_link_does_nothing(people: People, made: invitations.Made) -> None:
    for _ in range(2):
        invitations.withdraw(people.owner, made.invitation)
    with pytest.raises(Conflict, match="withdrawn"):
        invitations.accept(token(made), password=build.PASSWORD)
    assert actions().count("invitation.withdrawn") == 1
    with pytest.raises(Conflict, match="withdrawn"):
        invitations.resend(people.owner, made.invitation, by_mail=False)


def test_a_new_link_kills_the_old_one_and_revives_an_expired_one(people: People, made: invitations.Made) -> None:
    Invitation.objects.update(expires_at=timezone.now() - timedelta(days=1))
    again = invitations.resend(people.owner, made.invitation, by_mail=True)
    assert again.mailed
    with pytest.raises(NotFound):
        invitations.accept(token(made), password=build.PASSWORD)
    invitations.accept(token(again), password=build.PASSWORD)
    with pytest.raises(Conflict, match="accepted already"):
        invitations.resend(people.owner, made.invitation, by_mail=False)
    with pytest.raises(Conflict, match="accepted already"):
        invitations.withdraw(people.owner, made.invitation)


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t[:-1] + "~", lambda t: t.swapcase(), lambda t: "", str.upper]
)
def test_a_tampered_link_is_none(change: Callable[[str], str], made: invitations.Made) -> None:
    with pytest.raises(NotFound):
        invitations.accept(change(token(made)), password=build.PASSWORD)


def test_the_right_id_with_another_secret_is_none(people: People, made: invitations.Made) -> None:
    other = token(invitations.create(people.owner, email="other@example.com"))
    Invitation.objects.filter(email="other@example.com").delete()
    Invitation.objects.filter(email=NEW).update(public_id=other[4:12])
    with pytest.raises(NotFound):
        invitations.accept(other, password=build.PASSWORD)


def test_who_lost_the_right_takes_nobody_in(people: People) -> None:
    administrator = build.person(people.organization, "Adi", role=OrganizationRole.ADMINISTRATOR)
    promoted = invitations.create(administrator, email=NEW, role=OrganizationRole.ADMINISTRATOR)
    placed = invitations.create(administrator, email="other@example.com", workspaces={people.workspace: "ADMIN"})
    people_verbs.set_role(people.owner, administrator, role=OrganizationRole.WORKSPACES)
    for made in (promoted, placed):
        with pytest.raises(Conflict, match="may no longer grant"):
            invitations.accept(token(made), password=build.PASSWORD)
    people_verbs.deactivate(people.owner, administrator)
    with pytest.raises(Conflict, match="may no longer grant"):
        invitations.accept(token(promoted), password=build.PASSWORD)
    again = invitations.resend(people.owner, promoted.invitation, by_mail=False)
    assert invitations.accept(token(again), password=build.PASSWORD).organization_role == OrganizationRole.ADMINISTRATOR


def test_a_workspace_that_is_gone_is_left_out(people: People) -> None:
    gone = spaces.create(people.owner, people.organization, name="Gone")
    made = invitations.create(people.owner, email=NEW, workspaces={gone: "READ", people.workspace: "READ"})
    spaces.delete(people.owner, gone, confirmed="Gone")
    person = invitations.accept(token(made), password=build.PASSWORD)
    assert [held.workspace for held in person.memberships.all()] == [people.workspace]


def test_all_that_is_wrong_is_said_and_the_link_still_works(made: invitations.Made) -> None:
    with pytest.raises(Invalid) as refused:
        invitations.accept(token(made), name="\0", last_name="a\u202eb", password="short")
    assert set(refused.value.errors) == {"name", "last_name", "password"}
    invitations.accept(token(made), password=build.PASSWORD)


def test_foreign_invitations_are_out_of_reach(people: People, made: invitations.Made) -> None:
    for attempt in (
        lambda: invitations.withdraw(people.stranger, made.invitation),
        lambda: invitations.resend(people.stranger, made.invitation, by_mail=False),
        lambda: invitations.of(people.stranger, made.invitation.pk),
        lambda: invitations.of(people.reader, made.invitation.pk),
    ):
        with pytest.raises(NotFound):
            attempt()
    manager = build.person(people.organization, "Mo", role=OrganizationRole.WORKSPACES)
    high = invitations.create(people.owner, email="other@example.com", role=OrganizationRole.OWNER)
    with pytest.raises(Denied):
        invitations.withdraw(manager, high.invitation)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_who_accept_at_once_one_does(people: People) -> None:
    made, ready = (
        invitations.create(people.owner, email=NEW, workspaces={people.workspace: "READ"}),
        threading.Barrier(2),
    )

    def accept(number: int) -> str:
        try:
            ready.wait(5)
            invitations.accept(token(made), name=f"Nia {number}", password=build.PASSWORD)
        except Conflict as conflict:
            return conflict.message
        finally:
            connection.close()
        return "accepted"

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(accept, range(2)))
    assert outcomes.count("accepted") == 1
    assert Membership.objects.filter(user__email=NEW).count() == 1
    assert actions().count("invitation.accepted") == 1
