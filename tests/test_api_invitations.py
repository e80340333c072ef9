"""Invitations and the ownership over the API: the console's verbs, and links that are shown once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from tests import build
from tests.api import Api
from tests.conftest import People
from workspaces import invitations
from workspaces.access import OrganizationRole
from workspaces.invitation_models import Invitation
from workspaces.models import Event, Membership, User
from workspaces.token_models import Login

PATH = "/organization/invitations"
NOBODYS = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def api(people: People) -> Api:
    return Api(people.owner)


def test_a_link_is_in_the_answer_once_and_leads_to_an_account(api: Api, people: People) -> None:
    wanted = [{"workspaceId": str(people.workspace.pk), "role": "WRITE"}]
    made = api.post(PATH, {"email": "New@example.com", "orgRole": 2, "workspaces": wanted}).json()
    assert (made["success"], made["invitation"]["state"], made["invitation"]["email"]) == (
        True,
        "open",
        "new@example.com",
    )
    assert made["invitation"]["workspaces"] == [{**wanted[0], "name": people.workspace.name}]
    token = made["link"].rpartition("/")[2]
    for path in (PATH, f"{PATH}/{made['invitation']['id']}"):
        assert token not in api.get(path).text
    person = invitations.accept(token, name="New", last_name="Person", password=build.PASSWORD)
    assert (person.organization_role, Membership.objects.get(user=person).role) == (
        OrganizationRole.WORKSPACES,
        "WRITE",
    )
    shown = api.get(f"{PATH}/{made['invitation']['id']}").json()["invitation"]
    assert (shown["state"], shown["userId"]) == ("accepted", str(person.pk))
    for refused in (api.post(f"{PATH}/{shown['id']}/resend"), api.post(f"{PATH}/{shown['id']}/withdraw")):
        assert refused.status_code == 409


def test_a_mailed_link_is_not_in_the_answer(api: Api, settings: object) -> None:
    made = api.post(PATH, {"email": "new@example.com", "byMail": True}).json()
    assert len(mail.outbox) == 1
    assert ("link" in made, made["invitation"]["byMail"]) == (not made["invitation"]["byMail"], "link" not in made)


def test_a_new_link_kills_the_old_one_and_a_withdrawn_one_does_nothing(api: Api) -> None:
    made = api.post(PATH, {"email": "new@example.com"}).json()
    here = f"{PATH}/{made['invitation']['id']}"
    again = api.post(f"{here}/resend").json()
    assert again["link"] != made["link"]
    assert api.post(f"{here}/withdraw").json()["success"] is True
    assert api.post(f"{here}/withdraw").json()["success"] is True
    assert api.get(here).json()["invitation"]["state"] == "withdrawn"
    assert Event.objects.latest("id").action == "invitation.withdrawn"


def test_they_are_listed_by_state_and_in_pages(api: Api, django_assert_max_num_queries: Any) -> None:
    for number in range(5):
        api.post(PATH, {"email": f"new{number}@example.com"})
    api.post(f"{PATH}/{Invitation.objects.get(email='new0@example.com').pk}/withdraw")
    Invitation.objects.filter(email="new1@example.com").update(expires_at=timezone.now() - timedelta(days=1))
    assert api.get(f"{PATH}?take=2&skip=1").json()["total"] == 5
    emails = {
        state: [one["email"] for one in api.get(f"{PATH}?state={state}").json()["invitations"]]
        for state in ("open", "withdrawn", "expired", "accepted")
    }
    assert emails == {
        "open": [f"new{number}@example.com" for number in (4, 3, 2)],
        "withdrawn": ["new0@example.com"], "expired": ["new1@example.com"], "accepted": [],
    }  # fmt: skip
    assert api.get(f"{PATH}?state=lost").status_code == 400
    with django_assert_max_num_queries(8):
        api.get(PATH)


@pytest.mark.parametrize("who", ["admin", "writer", "reader", "outsider"])
def test_who_manages_no_people_learns_nothing(who: str, people: People, api: Api) -> None:
    made = api.post(PATH, {"email": "new@example.com"}).json()["invitation"]["id"]
    other = Api(getattr(people, who))
    for answer in (other.get(PATH), other.post(PATH, {"email": "x@example.com"}), other.get(f"{PATH}/{made}")):
        assert answer.status_code == 403
    assert other.post(f"{PATH}/{made}/withdraw").status_code == 403


def test_another_organization_sees_none_of_them(people: People, api: Api) -> None:
    made = api.post(PATH, {"email": "new@example.com"}).json()["invitation"]["id"]
    User.objects.filter(pk=people.stranger.pk).update(organization_role=OrganizationRole.OWNER)
    stranger = Api(User.objects.get(pk=people.stranger.pk))
    assert stranger.get(PATH).json()["invitations"] == []
    for answer in (
        stranger.get(f"{PATH}/{made}"),
        stranger.post(f"{PATH}/{made}/withdraw"),
        stranger.post(f"{PATH}/{made}/resend"),
    ):
        assert answer.status_code == 404
    foreign = [{"workspaceId": str(people.workspace.pk), "role": "READ"}]
    missing = [{"workspaceId": NOBODYS, "role": "READ"}]
    answers = [stranger.post(PATH, {"email": "x@example.com", "workspaces": one}) for one in (foreign, missing)]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(
    ("body", "field"),
    [({"email": "no address"}, "email"), ({"email": "x@example.com", "orgRole": 3}, "orgRole"), ({}, "email")],
)
def test_what_cannot_be_invited_is_named(body: dict[str, Any], field: str, api: Api) -> None:
    refused = api.post(PATH, body)
    assert (refused.status_code, list(refused.json()["errors"])) == (400, [field])


def test_the_ownership_is_handed_over_by_who_signed_in_just_now(people: People, api: Api) -> None:
    path = f"/organization/users/{people.writer.pk}/ownership"
    assert Api(people.writer).post(path).status_code == 403
    assert api.post(f"/organization/users/{people.stranger.pk}/ownership").status_code == 404
    Login.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    assert api.post(path).json()["error_code"] == "REAUTHENTICATION_REQUIRED"
    Login.objects.update(created_at=timezone.now())
    assert api.post(path).json()["success"] is True
    roles = dict(User.objects.values_list("pk", "organization_role"))
    assert (roles[people.writer.pk], roles[people.owner.pk]) == (OrganizationRole.OWNER, OrganizationRole.ADMINISTRATOR)


def told(event: Event) -> tuple[Any, ...]:
    return event.action, event.object_kind, event.object_label, event.actor_id, event.actor_kind, event.details


@pytest.mark.parametrize("change", ["create", "resend", "withdraw"])
def test_the_console_and_the_api_leave_the_same(
    change: str, people: People, api: Api, signed_in: Callable[[User], Client]
) -> None:
    console, email = signed_in(people.owner), "twin@example.com"
    left = []
    for side in ("console", "api"):
        Invitation.objects.all().delete()
        row = None if change == "create" else invitations.create(people.owner, email=email).invitation
        number = Event.objects.count()
        if side == "api":
            call = {
                "create": ("POST", "", {"email": email}),
                "resend": ("POST", "/resend", {}),
                "withdraw": ("POST", "/withdraw", {}),
            }
            method, end, body = call[change]
            assert api(method, f"{PATH}{f'/{row.pk}' if row else ''}{end}", body).status_code == 200
        elif row is None:
            fields = {"email": email, "role": "0", "way": "link"}
            assert console.post(f"{PATH}/new", fields).status_code == 200
        else:
            assert console.post(f"{PATH}/{row.pk}/{change}", {"way": "link"}).status_code in {200, 303}
        now = Invitation.objects.values("email", "role", "by_mail", "withdrawn_at").get()
        now["withdrawn_at"] = now["withdrawn_at"] is not None
        left.append((now, [told(one) for one in Event.objects.order_by("pk")[number:]]))
    assert left[0] == left[1]
    assert len(left[0][1]) == 1
