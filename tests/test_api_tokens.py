"""API tokens: format and storage, what lets one in and what keeps it out, and how little it reaches."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai_llm import lifecycle
from ai_llm.models import AiLlm
from flashback import tokens as bearers
from flashback.errors import Conflict, Denied, Invalid
from tests import build
from tests.api import Api
from tests.conftest import People
from tests.routes import stored
from workspaces import access, bearer, members, spaces, tokens
from workspaces import people as accounts
from workspaces.access import Access, Limits, OrganizationRole
from workspaces.models import ActorKind, Event, User, Workspace
from workspaces.token_models import ApiToken

REFUSED = {"success": False, "message": tokens.NOT_ACCEPTED}


def make(person: User, workspace: Workspace | None = None, **values: object) -> tokens.Made:
    return tokens.create(person, workspace=workspace, **{"name": f"token {uuid4()}", "scope": "write", **values})


def profile(text: str) -> int:
    return Api(text).get("/user/profile").status_code


def test_a_token_is_made_of_prefix_id_secret_and_checksum(people: People) -> None:
    made = make(people.writer)
    assert re.fullmatch(r"fbk_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}[0-9A-Za-z]{6}", made.text)
    assert made.text[-6:] == bearers.checksum(made.text[:-6])
    assert re.fullmatch(bearers.pattern("fbk_").replace(r"\b", ""), made.text)
    assert made.token.expires_at - timezone.now() > timedelta(days=89)
    event = Event.objects.latest("id")
    assert (event.action, event.object_label) == ("api_token.created", made.token.name)
    assert made.text not in str(vars(event))
    assert made.text not in repr(made)


def test_the_database_holds_id_digest_and_last_four_only(people: People) -> None:
    made = make(people.admin, people.workspace)
    text = str(stored())
    assert made.token.public_id in text
    assert made.token.hint == made.text[-4:]
    assert made.text[13:-4] not in text
    assert made.text[-20:] not in text


def test_each_wrong_character_is_refused_without_a_query_or_a_write(people: People) -> None:
    text = make(people.writer).text
    with CaptureQueriesContext(
        connection,
    ) as queries:
        for place in range(len(text)):
            wrong = text[:place] + ("x" if text[place] != "x" else "y") + text[place + 1 :]
            if place < 4 or place == 12:
                assert profile(wrong) == 401
            else:
                answer = Api(wrong).get("/user/profile")
                assert (answer.status_code, answer.json()) == (401, REFUSED)
                assert "WWW-Authenticate" in answer.headers
    assert list(queries) == []
    assert profile(text) == 200


def expired(made: tokens.Made, people: People) -> None:
    ApiToken.objects.filter(pk=made.token.pk).update(expires_at=timezone.now())


def revoked(made: tokens.Made, people: People) -> None:
    tokens.revoke(made.token.user, made.token)


def account_closed(made: tokens.Made, people: People) -> None:
    User.objects.filter(pk=made.token.user_id).update(is_active=False)


def account_gone(made: tokens.Made, people: People) -> None:
    User.objects.filter(pk=made.token.user_id).delete()


def membership_ended(made: tokens.Made, people: People) -> None:
    made.token.user.memberships.all().delete()


def workspace_deleted(made: tokens.Made, people: People) -> None:
    Workspace.objects.filter(pk=made.token.workspace_id).delete()


ENDS = [expired, revoked, account_closed, account_gone, membership_ended, workspace_deleted]


@pytest.mark.parametrize("happens", ENDS, ids=lambda one: one.__name__)
def test_what_ends_a_token_ends_it_at_once(happens: Callable, people: People) -> None:
    admin = build.person(people.organization)
    second = build.workspace(people.organization)
    second.memberships.create(user=admin, role="ADMIN")
    made = make(admin, second)
    assert profile(made.text) == 200
    happens(made, people)
    answer = Api(made.text).get("/user/profile")
    assert (answer.status_code, answer.json()) == (401, REFUSED)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="flashback", error="invalid_token"'


def test_who_comes_back_to_a_workspace_gets_no_token_back(people: People) -> None:
    first, second = make(people.admin, people.workspace), make(people.admin)
    people.workspace.memberships.create(user=people.outsider, role="ADMIN")
    members.remove(people.owner, people.workspace, people.admin)
    assert list(tokens.of_workspace(people.workspace)) == []
    members.add(people.owner, people.workspace, people.admin, role="ADMIN")
    assert (profile(first.text), profile(second.text)) == (401, 200)
    event = Event.objects.get(action="api_token.revoked")
    assert (event.actor_label, event.object_id) == (people.owner.email, str(first.token.pk))


def test_an_administrator_without_membership_keeps_tokens_with_the_role_only(people: People) -> None:
    chief = build.person(people.organization, role=OrganizationRole.ADMINISTRATOR)
    people.workspace.memberships.create(user=chief, role="READ")
    made = make(chief, people.workspace)
    members.remove(people.owner, people.workspace, chief)
    assert profile(made.text) == 200
    for role in (OrganizationRole.USER, OrganizationRole.ADMINISTRATOR):
        accounts.set_role(people.owner, chief, role=role)
    assert profile(made.text) == 401


@pytest.mark.parametrize(
    "header",
    ["Bearer  {}", "Bearer {} ", " Bearer\t{}", "Bearer {},Bearer {}", "Token {}", "{}", "Bearer fbk_", "Bearer {}x"],
)
def test_the_header_has_one_form(header: str, people: People) -> None:
    text = make(people.writer).text
    for sent in (header.format(text, text), f"Bearer {text.swapcase()}"):
        answer = Api().get("/user/profile", Authorization=sent)
        assert (answer.status_code, answer.headers["WWW-Authenticate"][:24]) == (401, 'Bearer realm="flashback"')


def test_a_token_in_query_or_cookie_is_none(people: People) -> None:
    text = make(people.writer).text
    client = Client()
    client.cookies["token"] = text
    assert client.get(f"/api/user/profile?token={text}").status_code == 401


def test_the_token_decides_and_not_the_session_beside_it(people: People, signed_in: Callable[[User], Client]) -> None:
    text = make(people.reader, scope="read").text
    answer = signed_in(people.owner).get("/api/user/profile", headers={"Authorization": f"Bearer {text}"})
    assert answer.json()["data"]["email"] == people.reader.email
    assert signed_in(people.owner).get("/api/user/profile", headers={"Authorization": "Bearer x"}).status_code == 401


def test_a_token_beside_a_session_is_no_way_around_the_check_of_forms(people: People) -> None:
    text, browser = make(people.owner).text, Client(enforce_csrf_checks=True)
    browser.force_login(people.owner)
    before = stored()
    forged = browser.post("/account", {"theme": "dark"}, headers={"Authorization": f"Bearer {text}"})
    alone = browser.post("/api/workspace", {"name": "Mine"}, content_type="application/json")
    assert (forged.status_code, alone.status_code, stored() == before) == (403, 401, True)
    signed_out = Client().get("/account", headers={"Authorization": f"Bearer {text}"})
    assert signed_out.status_code == 302


def acting(person: User, most: Access, workspace: Workspace | None = None) -> User:
    found = User.objects.get(pk=person.pk)
    found.limits = Limits(most, workspace.pk if workspace else None)
    return found


def test_an_owner_s_token_reaches_no_people_members_tokens_and_settings(people: People) -> None:
    actor = acting(people.owner, Access.WRITE)
    assert access.of(actor, people.workspace) == Access.WRITE
    with pytest.raises(Denied):
        members.add(actor, people.workspace, people.outsider, role="READ")
    with pytest.raises(Denied):
        members.remove(actor, people.workspace, people.reader)
    with pytest.raises(Denied):
        spaces.rename(actor, people.workspace, name="Other")
    with pytest.raises(Denied):
        spaces.create(actor, people.organization, name="Other")
    with pytest.raises(Denied):
        make(actor)
    with pytest.raises(Denied):
        tokens.revoke(actor, make(people.owner).token)


def test_a_workspace_s_token_sees_no_other(people: People) -> None:
    second = build.workspace(people.organization)
    ours, theirs = build.ai_llm(people.owner, people.workspace), build.ai_llm(people.owner, second)
    actor = acting(people.owner, Access.WRITE, people.workspace)
    assert list(Workspace.objects.visible_to(actor)) == [people.workspace]
    assert list(AiLlm.objects.visible_to(actor)) == [ours]
    with pytest.raises(Denied):
        lifecycle.disable(actor, theirs)
    token = Api(make(people.owner, people.workspace).text)
    assert [token.get(f"/ai/llm/{row.pk}").status_code for row in (ours, theirs)] == [200, 404]
    assert [token.post(f"/ai/llm/{row.pk}/disable").status_code for row in (ours, theirs)] == [200, 404]


def test_the_scope_is_the_most_and_the_person_s_role_the_rest(people: People) -> None:
    assert access.of(acting(people.owner, Access.READ), people.workspace) == Access.READ
    assert access.of(acting(people.reader, Access.WRITE), people.workspace) == Access.READ
    assert access.of(acting(people.outsider, Access.WRITE), people.workspace) is None


@pytest.mark.parametrize(
    ("scope", "reaches"), [("read", "read"), ("validate", "read validate"), ("write", "read validate write")]
)
def test_each_scope_includes_the_ones_before(scope: str, reaches: str, people: People, rf: object) -> None:
    request = rf.get("/", headers={"Authorization": f"Bearer {make(people.writer, scope=scope).text}"})
    for name in ("read", "validate", "write", "person"):
        door = getattr(bearer, name)
        if name in reaches.split():
            assert door(request).person == people.writer
        else:
            with pytest.raises(bearer.NoScope):
                door(request)


def test_what_a_token_may_not_is_403_with_a_word(people: People) -> None:
    answer = Api(make(people.owner).text).get("/token")
    assert (answer.status_code, answer.json()["error_code"]) == (403, "INSUFFICIENT_SCOPE")


def test_last_used_is_written_once_in_ten_minutes(people: People) -> None:
    made = make(people.writer)
    assert profile(made.text) == 200
    first = ApiToken.objects.get(pk=made.token.pk).last_used_at
    with CaptureQueriesContext(connection) as queries:
        for _ in range(5):
            profile(made.text)
    assert [query["sql"] for query in queries if not query["sql"].startswith("SELECT")] == []
    ApiToken.objects.filter(pk=made.token.pk).update(last_used_at=timezone.now() - timedelta(minutes=11))
    profile(made.text)
    assert ApiToken.objects.get(pk=made.token.pk).last_used_at > first


def test_each_token_has_its_own_120_requests_a_minute(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_800_000_010.0)
    one, other = make(people.writer).text, make(people.writer).text
    answers = [Api(one).get("/user/profile") for _ in range(tokens.PER_MINUTE)]
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].headers["RateLimit-Policy"] == '"token";q=120;w=60'
    assert answers[0].headers["RateLimit"] == '"token";r=119;t=50'
    assert answers[-1].headers["RateLimit"] == '"token";r=0;t=50'
    refused = Api(one).get("/user/profile")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "50")
    assert refused.headers["RateLimit"] == '"token";r=0;t=50'
    assert refused.json()["success"] is False
    assert profile(other) == 200
    monkeypatch.setattr(time, "time", lambda: 1_800_000_061.0)
    assert profile(one) == 200


def test_a_wrong_id_is_compared_like_a_wrong_secret(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    made, compared = make(people.writer), []
    real = bearers.matches
    monkeypatch.setattr(bearers, "matches", lambda text, digest: (compared.append(len(digest)), real(text, digest))[1])
    unknown = bearers.issue(tokens.PREFIX).text
    wrong = f"{made.text[:13]}{unknown[13:-6]}"
    for text in (unknown, wrong + bearers.checksum(wrong)):
        assert profile(text) == 401
    assert compared == [64, 64]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"scope": "admin"}, "scope"),
        ({"days": 0}, "days"),
        ({"days": 366}, "days"),
    ],
)
def test_what_cannot_be_is_named(values: dict, field: str, people: People) -> None:
    with pytest.raises(Invalid) as refused:
        make(people.writer, **values)
    assert list(refused.value.errors) == [field]


def test_a_name_is_taken_once_in_a_place_until_it_is_free_again(people: People) -> None:
    made = make(people.admin, name="deploy")
    with pytest.raises(Invalid):
        make(people.admin, name="Deploy")
    make(people.admin, people.workspace, name="deploy")
    make(people.writer, name="deploy")
    assert tokens.revoke(people.admin, made.token) is True
    assert tokens.revoke(people.admin, made.token) is False
    make(people.admin, name="deploy")


def test_who_may_make_and_revoke_them(people: People) -> None:
    for person in (people.writer, people.reader, people.outsider, people.stranger):
        with pytest.raises(Denied):
            make(person, people.workspace)
    with pytest.raises(Denied):
        make(people.staff)
    made = make(people.admin, people.workspace)
    with pytest.raises(Denied):
        tokens.revoke(people.writer, made.token)
    assert tokens.revoke(people.owner, made.token) is True
    with pytest.raises(Denied):
        tokens.revoke(people.owner, make(people.reader).token)


def test_a_form_sent_twice_makes_one_token(people: People) -> None:
    row = uuid4()
    make(people.writer, id=row)
    with pytest.raises(tokens.AlreadyCreated):
        make(people.writer, id=row)
    with pytest.raises(Conflict):
        make(people.reader, id=row)
    assert ApiToken.objects.count() == 1


def test_what_a_token_does_is_recorded_as_its_doing(people: People) -> None:
    made = make(people.writer, name="deploy")
    caller = bearer.Caller(people.writer, token=made.token)
    with caller.source():
        build.ai_llm(people.writer, people.workspace)
    event = Event.objects.latest("id")
    assert (event.actor_kind, event.via, event.actor_id) == (ActorKind.TOKEN, "deploy", people.writer.pk)
