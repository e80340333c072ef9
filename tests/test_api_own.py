"""One's own account over the API: tokens, browser sessions, e-mail address, second factor, and how one likes things."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client

from tests import build
from tests.api import Api
from tests.conftest import People
from tests.routes import stored
from tests.test_second_factor import code, set_up
from workspaces import own_sessions, second_factor, tokens
from workspaces.account_models import Session
from workspaces.models import Event, User
from workspaces.token_models import ApiToken

SignIn = Callable[[User], Client]
TOKEN = re.compile(r"fbk_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}")


def last() -> Event:
    return Event.objects.latest("id")


# --- API tokens -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["one's own", "of a workspace"])
def test_a_token_is_made_shown_once_used_listed_and_revoked(place: str, people: People) -> None:
    api, own = Api(people.admin), place == "one's own"
    path = "/user/apitokens" if own else f"/workspace/{people.workspace.pk}/apitokens"
    made = api.post(path, {"name": "deploy", "scope": "validate", "days": 30}).json()
    assert TOKEN.fullmatch(made["secret"])
    assert Api(made["secret"]).get("/user/profile").json()["data"]["email"] == people.admin.email
    listed = api.get(path)
    (row,) = listed.json()["apiTokens"]
    assert {**row, "lastUsedAt": None} == made["apiToken"]
    assert (row["scope"], row["workspaceId"]) == ("validate", None if own else str(people.workspace.pk))
    assert made["secret"].startswith(row["key"])
    assert made["secret"].endswith(row["hint"])
    assert not TOKEN.search(listed.text)
    assert api.delete(f"{path}/{row['id']}").json()["message"] == "deploy is revoked."
    assert Api(made["secret"]).get("/user/profile").status_code == 401
    assert api.get(path).json()["apiTokens"] == []
    assert api.delete(f"{path}/{row['id']}").json()["message"] == "deploy was revoked before."


def test_the_same_request_with_the_same_key_makes_one_token_and_shows_it_once(people: People) -> None:
    api, body = Api(people.admin), {"name": "deploy"}
    first = api.post("/user/apitokens", body, Idempotency_Key="one")
    again = api.post("/user/apitokens", body, Idempotency_Key="one")
    assert (first.status_code, again.status_code) == (200, 409)
    assert "Idempotency-Key" in again.json()["message"]
    assert not TOKEN.search(again.text)
    elsewhere = f"/workspace/{people.workspace.pk}/apitokens"
    assert api.post(elsewhere, body, Idempotency_Key="one").status_code == 200
    assert ApiToken.objects.count() == 2


def test_only_an_admin_reaches_the_tokens_of_a_workspace_and_nobody_those_of_others(people: People) -> None:
    path = f"/workspace/{people.workspace.pk}/apitokens"
    mine = tokens.create(people.reader, name="mine", scope="read").token.pk
    for who, status in ((people.writer, 403), (people.reader, 403), (people.outsider, 404), (people.stranger, 404)):
        assert Api(who).get(path).status_code == status
        assert Api(who).post(path, {"name": "x"}).status_code == status
    for who in (people.owner, people.admin):
        assert Api(who).delete(f"/user/apitokens/{mine}").status_code == 404
        assert Api(who).delete(f"{path}/{mine}").status_code == 404
    assert ApiToken.objects.filter(revoked_at=None).count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 90}, "name"),
        ({"name": "x", "scope": "admin"}, "scope"),
        ({"name": "x", "days": 0}, "days"),
        ({"name": "x", "days": 366}, "days"),
        ({"name": "x", "days": 10**30}, "days"),
        ({"name": "x", "days": True}, "days"),
        ({"name": "x", "workspaceId": str(uuid4())}, "workspaceId"),
    ],
)
def test_what_no_token_can_be_is_named(body: dict, field: str, people: People) -> None:
    answer = Api(people.admin).post("/user/apitokens", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert ApiToken.objects.count() == 0


# --- Browser sessions -------------------------------------------------------------------------------------------------


def test_browsers_are_listed_and_signed_out_one_by_one_or_all(people: People, signed_in: SignIn) -> None:
    one, other, third, foreign = (signed_in(person) for person in (*[people.reader] * 3, people.writer))
    api = Api(people.reader)
    listed = api.get("/user/sessions").json()["sessions"]
    assert {row["id"] for row in listed} == {row.mark for row in own_sessions.of(people.reader, None)}
    assert len(listed) == 3
    for client in (one, other, third):
        assert client.session.session_key not in str(listed)
    gone = next(row.mark for row in own_sessions.of(people.reader, one.session.session_key) if row.here)
    assert api.delete(f"/user/sessions/{gone}").json()["success"] is True
    assert [client.get("/account").status_code for client in (one, other, third)] == [302, 200, 200]
    assert last().action == "person.session_ended"
    assert api.delete(f"/user/sessions/{gone}").status_code == 404
    theirs = own_sessions.of(people.writer, None)[0].mark
    assert api.delete(f"/user/sessions/{theirs}").status_code == 404
    assert api.delete("/user/sessions").json()["ended"] == 2
    assert api.delete("/user/sessions").json()["ended"] == 0
    assert Session.objects.filter(user_id=people.reader.pk).count() == 0
    assert foreign.get("/account").status_code == 200
    assert api.get("/user/profile").status_code == 200


# --- E-mail address ---------------------------------------------------------------------------------------------------


def test_an_address_changes_with_the_link_that_was_mailed_to_it(people: People) -> None:
    api = Api(people.reader)
    assert api.post("/user/email", {"email": " New@Example.com "}).json()["success"] is True
    assert [message.to for message in mail.outbox] == [["new@example.com"]]
    link = re.search(r"/account/email/confirm/(\S+)", mail.outbox[0].body)[1]
    assert User.objects.get(pk=people.reader.pk).email == people.reader.email
    done = Api().post("/user/email/confirm", {"token": link})
    assert (done.status_code, done.json()["email"]) == (200, "new@example.com")
    assert last().details == {"email": [people.reader.email, "new@example.com"]}
    assert Api().post("/user/email/confirm", {"token": link}).status_code == 409
    assert api.get("/user/profile").json()["data"]["email"] == "new@example.com"


def test_an_address_that_somebody_has_reads_like_a_free_one(people: People) -> None:
    api = Api(people.reader)
    taken, free = (api.post("/user/email", {"email": at}) for at in (people.writer.email, "free@example.com"))
    assert taken.status_code == free.status_code == 200
    assert taken.json()["message"].replace(people.writer.email, "") == free.json()["message"].replace(
        "free@example.com", ""
    )


@pytest.mark.parametrize("typed", ["", "no address", "x" * 300 + "@example.com"])
def test_what_is_no_address_is_named(typed: str, people: People) -> None:
    answer = Api(people.reader).post("/user/email", {"email": typed})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["email"])
    assert mail.outbox == []


@pytest.mark.parametrize("token", ["", "x", "a:b:c", "\u202e", "9" * 4096])
def test_a_link_that_was_not_made_here_changes_nothing(token: str, people: People) -> None:
    before = stored()
    assert Api().post("/user/email/confirm", {"token": token}).status_code == 409
    assert stored() == before


# --- How one likes things ---------------------------------------------------------------------------------------------


def test_preferences_are_shown_and_change_one_by_one(people: People) -> None:
    api = Api(people.reader)
    assert api.get("/user/preferences").json()["data"] == {
        "theme": "auto", "reminderMails": True, "rejectionMails": True,
    }  # fmt: skip
    assert api.put("/user/preferences", {"theme": "dark"}).json()["data"]["theme"] == "dark"
    assert Event.objects.count() == 0
    changed = api.put("/user/preferences", {"rejectionMails": False, "theme": None}).json()["data"]
    assert changed == {"theme": "dark", "reminderMails": True, "rejectionMails": False}
    assert (last().action, last().details) == ("person.mails_changed", {"rejection_mails": [True, False]})
    assert api.put("/user/preferences", {"theme": "auto"}).json()["data"] == {**changed, "theme": "auto"}
    assert User.objects.get(pk=people.reader.pk).theme == ""
    for wrong in ({"theme": "pink"}, {"theme": ""}, {"reminderMails": "yes"}, {"isStaff": True}):
        assert list(api.put("/user/preferences", wrong).json()["errors"]) == list(wrong)


# --- Second factor ----------------------------------------------------------------------------------------------------


def test_a_second_factor_is_set_up_renewed_and_removed(people: People) -> None:
    api = Api(people.reader)
    begun = api.post("/mfa/setup").json()
    assert begun["secret"] in begun["otpauthUrl"]
    assert not second_factor.enabled(people.reader)
    body = {"setupToken": begun["setupToken"], "code": "000000"}
    assert list(api.post("/mfa/enable", body).json()["errors"]) == ["code"]
    done = api.post("/mfa/enable", {**body, "code": code(begun["secret"]), "mfaType": "GOOGLE_AUTH"}).json()
    assert len(set(done["recoveryCodes"])) == 10
    assert last().action == "second_factor.enabled"
    status = api.get("/mfa/status").json()["data"]
    assert (status["isEnabled"], status["recoveryCodesLeft"]) == (True, 10)
    assert second_factor.check(people.reader, done["recoveryCodes"][0])
    assert api.get("/mfa/status").json()["data"]["recoveryCodesLeft"] == 9
    new = api.post("/mfa/recovery-codes").json()["recoveryCodes"]
    assert not set(new) & set(done["recoveryCodes"])
    assert not second_factor.check(people.reader, done["recoveryCodes"][1])
    assert api.delete("/mfa").json()["success"] is True
    assert not second_factor.enabled(people.reader)
    assert api.delete("/mfa").status_code == api.post("/mfa/recovery-codes").status_code == 409


def test_a_setup_is_for_who_began_it_and_for_ten_minutes(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Api(people.writer).post("/mfa/setup").json()
    body = {"setupToken": begun["setupToken"], "code": code(begun["secret"])}
    for token in (begun["setupToken"], f"{begun['setupToken']}x", ""):
        refused = Api(people.reader).post("/mfa/enable", {**body, "setupToken": token})
        assert (refused.status_code, list(refused.json()["errors"])) == (400, ["setupToken"])
    monkeypatch.setattr(second_factor, "SETUP_SECONDS", -1)
    assert list(Api(people.writer).post("/mfa/enable", body).json()["errors"]) == ["setupToken"]
    assert not second_factor.enabled(people.reader)
    assert not second_factor.enabled(people.writer)


def test_who_has_to_have_one_keeps_it(people: People) -> None:
    set_up(people.reader)
    second_factor.set_policy(people.owner, "everyone")
    refused = Api(people.reader).delete("/mfa")
    assert (refused.status_code, refused.json()["message"]) == (403, second_factor.REQUIRED)


def test_a_sign_in_that_waits_for_its_code_sets_nothing_up(people: People) -> None:
    set_up(people.reader)
    body = {"email": people.reader.email, "password": build.PASSWORD}
    waiting = Api(Api().post("/user/login", body).json()["accessToken"])
    calls = [("POST", "/mfa/setup"), ("POST", "/mfa/recovery-codes"), ("DELETE", "/mfa"), ("GET", "/user/apitokens")]
    for method, path in calls:
        assert waiting(method, path).json()["error_code"] == "MFA_REQUIRED"
    assert second_factor.enabled(people.reader)


def test_the_policy_of_the_organization_has_three_values(people: People) -> None:
    api, path = Api(people.owner), f"/organization/{people.organization.pk}"
    for policy, enforced in (("administrators", True), ("everyone", True), ("off", False)):
        data = api.put(path, {"secondFactor": policy}).json()["data"]
        assert (data["secondFactor"], data["mfaEnforced"]) == (policy, enforced)
    assert last().details == {"second_factor": ["everyone", "off"]}
    assert list(api.put(path, {"secondFactor": "some"}).json()["errors"]) == ["secondFactor"]


# --- What both sides leave --------------------------------------------------------------------------------------------

EVENT = ("action", "object_kind", "object_label", "workspace_id", "actor_id", "actor_kind", "actor_label", "details")
TELLING = re.compile(
    r"\b20\d\d-\d\d-\d\d[T ][\d:.+Z]+|datetime\.datetime\([^)]*\)+|[0-9a-f-]{32,36}|gAAAA[\w=-]+|\d{5,}"
)


def left_by(change: Callable[[], Any]) -> tuple[list[dict[str, Any]], dict[str, int], str]:
    """The events of a change, how many rows each table has then, and how the person is stored. Then it is undone."""
    before = set(Event.objects.values_list("pk", flat=True))
    with transaction.atomic():
        answer = change()
        assert answer.status_code in {200, 303}, answer.content
        events = list(Event.objects.exclude(pk__in=before).order_by("pk").values(*EVENT))
        for event in events:
            for volatile in ("token", "expires_at"):
                event["details"].pop(volatile, None)
        counts = {table: len(rows) for table, rows in stored().items()}
        people = sorted(TELLING.sub("", row) for row in stored()["workspaces_user"])
        transaction.set_rollback(True)
    return events, counts, str(people)


def row_of(client: Client, path: str) -> str:
    return re.search(r'name="row" value="([^"]+)"', client.get(path).text)[1]


def console_token(client: Client, path: str) -> Any:
    fields = {"name": "deploy", "scope": "read", "days": "90", "row": row_of(client, path)}
    return client.post(path, fields)


def set_up_over_pages(client: Client, person: User) -> Any:
    key = re.sub(r"\s", "", re.search(r"secret=([A-Z2-7]+)", client.get("/account/2fa/totp/activate").text)[1])
    return client.post("/account/2fa/totp/activate", {"code": code(key)})


def set_up_over_api(api: Api, person: User) -> Any:
    begun = api.post("/mfa/setup").json()
    return api.post("/mfa/enable", {"setupToken": begun["setupToken"], "code": code(begun["secret"])})


CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "make a token": (
        lambda client, at: console_token(client, "/account/tokens/new"),
        lambda api, at: api.post("/user/apitokens", {"name": "deploy"}),
    ),
    "make a token of a workspace": (
        lambda client, at: console_token(client, f"/w/{at.workspace.slug}/tokens/new"),
        lambda api, at: api.post(f"/workspace/{at.workspace.pk}/apitokens", {"name": "deploy"}),
    ),
    "revoke a token": (
        lambda client, at: client.post(f"/account/tokens/{ApiToken.objects.get(workspace=None).pk}/revoke"),
        lambda api, at: api.delete(f"/user/apitokens/{ApiToken.objects.get(workspace=None).pk}"),
    ),
    "revoke a token of a workspace": (
        lambda client, at: client.post(
            f"/w/{at.workspace.slug}/tokens/{ApiToken.objects.exclude(workspace=None).get().pk}/revoke"
        ),
        lambda api, at: api.delete(
            f"/workspace/{at.workspace.pk}/apitokens/{ApiToken.objects.exclude(workspace=None).get().pk}"
        ),
    ),
    "end a session": (
        lambda client, at: client.post(f"/account/sessions/{elsewhere(at.admin)}/end"),
        lambda api, at: api.delete(f"/user/sessions/{elsewhere(at.admin)}"),
    ),
    "ask for another address": (
        lambda client, at: client.post("/account/email", {"email": "new@example.com"}),
        lambda api, at: api.post("/user/email", {"email": "new@example.com"}),
    ),
    "like other things": (
        lambda client, at: client.post("/account", {"name": at.admin.name, "theme": "dark", "reminder_mails": "on"}),
        lambda api, at: api.put("/user/preferences", {"theme": "dark", "rejectionMails": False}),
    ),
    "set up a second factor": (
        lambda client, at: set_up_over_pages(client, at.admin),
        lambda api, at: set_up_over_api(api, at.admin),
    ),
}


def elsewhere(person: User) -> str:
    return min(own_sessions.of(person, None), key=lambda one: one.signed_in_at).mark


@pytest.mark.parametrize("case", CASES)
def test_the_console_and_the_api_leave_the_same(case: str, people: People, signed_in: SignIn) -> None:
    console, over_api = CASES[case]
    first = signed_in(people.admin)
    session = first.session
    session["signed_in_at"] -= 100
    session.save()
    client, api = signed_in(people.admin), Api(people.admin)
    tokens.create(people.admin, name="old", scope="read")
    tokens.create(people.admin, workspace=people.workspace, name="old", scope="read")
    by_console = left_by(lambda: console(client, people))
    by_api = left_by(lambda: over_api(api, people))
    assert by_console == by_api
    assert len(by_api[0]) == 1


@pytest.mark.parametrize("case", ["new codes", "off"])
def test_the_console_and_the_api_leave_the_same_of_a_second_factor(
    case: str, people: People, signed_in: SignIn
) -> None:
    set_up(people.admin)
    client, api = signed_in(people.admin), Api(people.admin)
    page, call = {
        "new codes": ("/account/2fa/recovery-codes/generate", ("POST", "/mfa/recovery-codes")),
        "off": ("/account/2fa/totp/deactivate", ("DELETE", "/mfa")),
    }[case]
    by_console, by_api = left_by(lambda: client.post(page)), left_by(lambda: api(*call))
    assert by_console == by_api
    assert len(by_api[0]) == 1
