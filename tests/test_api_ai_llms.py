"""AI LLMs over the REST API: the public client's seven calls, and our own beside them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai_llm import configs, credentials, rotation, validation
from ai_llm.models import AiLlm, Check, Credential
from ai_llm.sandbox.server import Sandbox
from flashback import idempotency
from tests import build
from tests.api import Api
from tests.conftest import People
from tests.test_provider_keys import NEW_SECRET, PASSES
from workspaces import tokens
from workspaces.models import Event

ENDPOINT = "https://api.openai.com/v1"
ELSEWHERE = "https://llm.example.com/v1"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as started:
        yield started


@pytest.fixture
def open_to(settings: object, sandbox: Sandbox) -> Sandbox:
    """The sandbox provider, with the guard open towards it."""
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{sandbox.port}"]
    return sandbox


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "run", lambda *_, **__: PASSES)


def new(people: People, **values: Any) -> dict[str, Any]:
    given = {
        "name": "prod-openai", "aiType": "OPENAI", "workspaceId": str(people.workspace.pk), "endpoint": ENDPOINT,
        "secret": build.SECRET, **values,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not ...}


def listed(api: Api, query: str = "") -> list[str]:
    return [row["name"] for row in api.get(f"/ai/llm{query}").json()["aiLlms"]]


# --- Create and list --------------------------------------------------------------------------------------------------


def test_create_and_list_as_the_client_knows_them(people: People) -> None:
    api = Api(people.writer)
    made = api.post("/ai/llm", new(people, key="organization-key"))
    assert made.status_code == 200
    row = AiLlm.objects.get()
    assert made.json() == {
        "success": True, "aiLlmId": str(row.pk), "message": "The AI LLM prod-openai is created. Validate it next.",
    }  # fmt: skip
    (shown,) = api.get(f"/ai/llm?workspaceId={people.workspace.pk}").json()["aiLlms"]
    theirs = ("id", "orgId", "workspaceId", "userId", "name", "aiType", "endpoint", "key", "repos")
    assert {name: shown[name] for name in theirs} == {
        "id": str(row.pk), "orgId": str(people.organization.pk), "workspaceId": str(people.workspace.pk),
        "userId": str(people.writer.pk), "name": "prod-openai", "aiType": "OPENAI", "endpoint": ENDPOINT, "key": None,
        "repos": [],
    }  # fmt: skip
    assert shown["createdAt"].endswith("Z")
    assert len(shown["createdAt"]) == len("2026-03-16T09:30:00.000Z")
    assert "apiKeyId" not in shown
    assert "secret" not in shown
    assert credentials.open_secret(Credential.objects.get()) == (build.SECRET, "organization-key")


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"name": ...}, "name", "required"),
        ({"name": ""}, "name", "letters, figures"),
        ({"name": 7}, "name", "string"),
        ({"name": None}, "name", "string"),
        ({"aiType": "AZURE"}, "aiType", "OPENAI"),
        ({"aiType": "openai"}, "aiType", "OPENAI"),
        ({"workspaceId": "main"}, "workspaceId", "Must be an id (UUID), such as"),
        ({"workspaceId": ...}, "workspaceId", "required"),
        ({"endpoint": ...}, "endpoint", "unless apiKeyUuid"),
        ({"endpoint": None}, "endpoint", "unless apiKeyUuid"),
        ({"endpoint": "api.openai.com/v1"}, "endpoint", "https://"),
        ({"endpoint": f"{ENDPOINT}/chat/completions"}, "endpoint", "belongs to a single call"),
        ({"endpoint": "https://user:pw@api.openai.com/v1"}, "endpoint", "no user or password"),
        ({"endpoint": "http://169.254.169.254/latest"}, "endpoint", ""),
        ({"secret": ...}, "secret", "unless apiKeyUuid"),
        ({"secret": "  "}, "secret", "unless apiKeyUuid"),
        ({"secret": "Bearer sk-abcdefgh12345678"}, "secret", "Leave out the word"),
        ({"secret": ["sk-abcdefgh12345678"]}, "secret", "string"),
        ({"key": "two words"}, "key", "blank"),
        ({"apiKeyUuid": str(uuid4()), "secret": ...}, "apiKeyUuid", "no provider key"),
        ({"keyless": True, "secret": ...}, "keyless", "OTHER"),
        ({"orgId": str(uuid4())}, "orgId", "not known"),
        ({"id": str(uuid4())}, "id", "not known"),
        ({"verdict": "accepted"}, "verdict", "not known"),
    ],
)
def test_what_cannot_be_used_is_named(change: dict[str, Any], field: str, says: str, people: People) -> None:
    answer = Api(people.writer).post("/ai/llm", new(people, **change))
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert says in answer.json()["errors"][field]
    assert not AiLlm.objects.exists()


def test_a_request_that_is_sent_again_makes_nothing_again(people: People) -> None:
    api, where = Api(people.writer), str(people.workspace.pk)
    key = {"secret": build.SECRET, "provider": "OPENAI", "workspaceId": where}
    for path, body in (("/ai/llm", new(people)), ("/apikeys", key)):
        answers = [api.post(path, body, Idempotency_Key="one") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].content == answers[1].content
        for other in ({"secret": NEW_SECRET}, {"name": "another"}):
            refused = api.post(path, {**body, **other}, Idempotency_Key="one")
            assert (refused.status_code, refused.json()["message"]) == (409, idempotency.REUSED)
        assert api.post(path, body, Idempotency_Key="a blank").status_code == 400
    assert (AiLlm.objects.count(), Credential.objects.count(), Event.objects.count()) == (1, 2, 2)


def test_a_name_is_taken_once_in_a_workspace(people: People) -> None:
    api = Api(people.writer)
    api.post("/ai/llm", new(people))
    answer = api.post("/ai/llm", new(people, name="PROD-OPENAI"))
    assert (answer.status_code, answer.json()["errors"]) == (400, {"name": configs.SAME_NAME})


def test_what_does_not_exist_for_the_caller_reads_as_never_existed(people: People) -> None:
    foreign = build.ai_llm(people.stranger, people.strange_workspace)
    api, somewhere = Api(people.writer), str(uuid4())
    for method, path, body in (
        ("GET", "/ai/llm/{id}", ...),
        ("PUT", "/ai/llm/{id}", {"name": "mine"}),
        ("DELETE", "/ai/llm/{id}", ...),
        ("POST", "/ai/llm/{id}/validate", ...),
        ("GET", "/ai/llm/{id}/checks", ...),
        ("POST", "/ai/llm/{id}/rotate", {"secret": NEW_SECRET}),
        ("POST", "/ai/llm/{id}/return", ...),
        ("POST", "/ai/llm/{id}/disable", ...),
        ("GET", "/ai/llm?workspaceId={workspace}", ...),
        ("GET", "/ai/llm/stats?aiLlmId={id}", ...),
        ("POST", "/ai/llm", {"workspaceId": "{workspace}"}),
        ("POST", "/ai/llm/test", {"workspaceId": "{workspace}"}),
        ("POST", "/ai/llm/test", {"aiLlmId": "{id}"}),
    ):
        answers = []
        for there, workspace in ((foreign.pk, people.strange_workspace.pk), (somewhere, somewhere)):
            sent = body
            if body is not ...:
                filled = {name: text.format(id=there, workspace=workspace) for name, text in body.items()}
                sent = new(people, **filled) if path == "/ai/llm" else filled
            got = api(method, path.format(id=there, workspace=workspace), sent)
            answers.append((got.status_code, got.content))
        assert answers[0] == answers[1], path
        assert answers[0][0] in {200, 404}, path
        if answers[0][0] == 200:
            assert b"[]" in answers[0][1]
    foreign.refresh_from_db()
    assert (foreign.name, foreign.version) != ("mine", 2)


@pytest.mark.parametrize("who", ["reader"])
def test_readers_read_and_change_nothing(who: str, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    api, path = Api(getattr(people, who)), f"/ai/llm/{row.pk}"
    for read in ("/ai/llm", "/ai/llm/available", "/ai/llm/stats", path, f"{path}/checks", "/providers", "/apikeys"):
        assert api.get(read).status_code == 200, read
    refused = [
        api.post("/ai/llm", new(people)), api.put(path, {"name": "x"}), api.delete(path), api.post(f"{path}/validate"),
        api.post("/ai/llm/test", new(people, name=...)), api.post(f"{path}/rotate", {"secret": NEW_SECRET}),
        api.post(f"{path}/disable"),
    ]  # fmt: skip
    assert {answer.status_code for answer in refused} == {403}
    assert Event.objects.count() == 1


@pytest.mark.parametrize(("scope", "reads", "tests", "writes"), [("read", 200, 403, 403), ("validate", 200, 200, 403)])
def test_api_tokens_reach_as_far_as_their_scope(
    scope: str, reads: int, tests: int, writes: int, people: People, passes: None
) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    api = Api(tokens.create(people.admin, workspace=people.workspace, name="ci", scope=scope).text)
    assert api.get("/ai/llm").status_code == reads
    assert api.post(f"/ai/llm/{row.pk}/validate").status_code == tests
    assert api.post("/ai/llm/test", new(people, name=...)).status_code == tests
    assert api.put(f"/ai/llm/{row.pk}", {"name": "x"}).status_code == writes
    assert api.post("/apikeys", {}).status_code == writes


def test_the_list_is_searched_filtered_sorted_and_paged(people: People) -> None:
    api = Api(people.writer)
    rows = [build.ai_llm(people.writer, people.workspace, name=name) for name in ("alpha", "beta", "gamma")]
    build.ai_llm(people.writer, people.workspace, name="delta", type="OTHER", endpoint=ELSEWHERE)
    AiLlm.objects.filter(pk=rows[0].pk).update(verdict="accepted")
    AiLlm.objects.filter(pk=rows[1].pk).update(verdict="rejected", disabled_at=timezone.now())
    AiLlm.objects.filter(pk=rows[2].pk).update(due_at=timezone.now() + timedelta(days=1))
    assert listed(api) == ["delta", "gamma", "beta", "alpha"]
    assert listed(api, "?sort=name") == ["alpha", "beta", "delta", "gamma"]
    assert listed(api, "?q=LLM.example") == ["delta"]
    assert listed(api, "?q=alp+") == ["alpha"]
    assert listed(api, "?aiType=OTHER%2CAWS") == ["delta"]
    for state, names in (
        ("accepted", ["alpha"]), ("disabled", ["beta"]), ("never", ["delta", "gamma"]), ("rejected", []),
        ("due", ["gamma"]), ("unused", []), ("unavailable", []),
    ):  # fmt: skip
        assert listed(api, f"?state={state}") == names, state
    Credential.objects.filter(pk=rows[0].credential_id).update(key_id="lost")
    assert listed(api, "?state=unavailable") == ["alpha"]
    assert listed(api, "?state=accepted") == []
    page = api.get("/ai/llm?sort=name&take=3&page=2").json()
    assert ([row["name"] for row in page["aiLlms"]], page["total"]) == (["gamma"], 4)
    assert listed(api, "?sort=name&skip=1&take=2") == ["beta", "delta"]
    for wrong in ("aiType=AZURE", "state=good", "sort=best", "page=0", "page=1&skip=1", "take=0", "take=x", "foo=1"):
        assert api.get(f"/ai/llm?{wrong}").status_code == 400, wrong
    assert listed(api, "?workspaceId=nonsense") == []
    assert listed(api, "?workspaceId=undefined") != []


def test_available_is_what_is_validated_and_active(people: People) -> None:
    rows = {name: build.ai_llm(people.writer, people.workspace, name=name) for name in ("a", "b", "c", "d", "e")}
    for name, values in {
        "a": {"verdict": "accepted"}, "b": {"verdict": "limited"}, "c": {"verdict": "rejected"},
        "d": {"verdict": "accepted", "disabled_at": timezone.now()},
    }.items():  # fmt: skip
        AiLlm.objects.filter(pk=rows[name].pk).update(**values)
    found = Api(people.reader).get("/ai/llm/available").json()
    assert [row["name"] for row in found["aiLlms"]] == ["b", "a"]


def test_stats_are_text_zeros_for_each_one(people: People) -> None:
    first, second = (build.ai_llm(people.writer, people.workspace) for _ in range(2))
    api = Api(people.reader)
    stats = api.get("/ai/llm/stats").json()["stats"]
    assert [row.pop("aiLlmId") for row in stats] == [str(second.pk), str(first.pk)]
    counters = "ApiCalls TokensIn TokensOut LlmTokensIn LlmTokensOut PolicyViolations Alerts Blocks".split()
    assert stats == [{f"total{name}": "0" for name in counters}] * 2
    (one,) = api.get(f"/ai/llm/stats?aiLlmId={first.pk}").json()["stats"]
    assert one["aiLlmId"] == str(first.pk)
    assert api.get("/ai/llm/stats?aiLlmId=nonsense").json()["stats"] == []


def test_the_list_says_which_repositories_use_each_one(people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    used = build.repository(people.writer, people.workspace, row, name="chat")
    build.ai_llm(people.writer, people.workspace, name="unused")
    shown = {one["id"]: one["repos"] for one in Api(people.reader).get("/ai/llm").json()["aiLlms"]}
    (repo,) = shown.pop(str(row.pk))
    assert repo == {"id": str(used.pk), "name": "chat", "createdAt": repo["createdAt"]}
    assert repo["createdAt"].endswith("Z")
    assert list(shown.values()) == [[]]


def test_the_number_of_queries_does_not_grow_with_the_rows(people: People) -> None:
    api, counts = Api(people.reader), []
    for _ in range(2):
        for _ in range(3):
            build.repository(people.writer, people.workspace, build.ai_llm(people.writer, people.workspace))
            build.provider_key(people.writer, people.workspace)
        api.get("/ai/llm")
        for path in ("/ai/llm", "/ai/llm/available", "/ai/llm/stats", "/apikeys"):
            with CaptureQueriesContext(connection) as queries:
                assert api.get(path).status_code == 200
            counts.append((path, len(queries)))
    assert counts[:4] == counts[4:]
    assert max(number for _, number in counts) <= 4


# --- Change and delete ------------------------------------------------------------------------------------------------


def test_put_changes_what_is_given_and_keeps_the_rest(people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace, name="prod", key="organization-key")
    api, path = Api(people.writer), f"/ai/llm/{row.pk}"
    answer = api.put(path, {"name": "renamed"})
    assert answer.json() == {"success": True, "aiLlmId": str(row.pk), "message": "Saved."}
    for body in ({}, {"name": None, "endpoint": None, "secret": None, "aiType": None}, {"key": ""}):
        assert api.put(path, body).status_code == 200
    row.refresh_from_db()
    assert (row.name, row.endpoint, row.version) == ("renamed", ENDPOINT, 2)
    assert credentials.open_secret(row.credential) == (build.SECRET, "organization-key")
    api.put(path, {"secret": NEW_SECRET})
    assert credentials.open_secret(Credential.objects.get()) == (NEW_SECRET, "organization-key")
    api.put(path, {"key": None})
    assert credentials.open_secret(Credential.objects.get()) == (NEW_SECRET, "")
    api.put(path, {"key": "another-key"})
    assert credentials.open_secret(Credential.objects.get()) == (NEW_SECRET, "another-key")


@pytest.mark.parametrize("change", [{"endpoint": ELSEWHERE}, {"aiType": "OTHER"}, {"endpoint": f"{ENDPOINT}/tenant"}])
def test_another_destination_demands_the_secret(change: dict[str, Any], people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    api, path = Api(people.writer), f"/ai/llm/{row.pk}"
    answer = api.put(path, change)
    assert (answer.status_code, answer.json()["errors"]) == (400, {"secret": configs.SECRET_AGAIN})
    assert api.put(path, {**change, "secret": NEW_SECRET}).status_code == 200
    assert credentials.open_secret(Credential.objects.get()) == (NEW_SECRET, "")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"workspaceId": str(uuid4())}, "workspaceId"),
        ({"version": 3}, "version"),
        ({"state": "accepted"}, "state"),
        ({"rotateEveryDays": 0}, "rotateEveryDays"),
        ({"rotateEveryDays": 10**30}, "rotateEveryDays"),
        ({"rotateEveryDays": "90"}, "rotateEveryDays"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"expiresAt": "9999-12-31T23:59:59-23:59"}, "expiresAt"),
        ({"notes": "bell \x07"}, "notes"),
        ({"notes": "x" * 2001}, "notes"),
        ({"scheduledChecks": "yes"}, "scheduledChecks"),
        ({"aiType": "NOBODY"}, "aiType"),
        ({"name": "x" * 200}, "name"),
        ({"endpoint": "ftp://x"}, "endpoint"),
        ({"secret": "***"}, "secret"),
    ],
)
def test_what_cannot_be_changed_is_named(change: dict[str, Any], field: str, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    answer = Api(people.writer).put(f"/ai/llm/{row.pk}", change)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert Event.objects.count() == 1


def test_notes_expiry_rule_and_schedule_are_set_and_removed(people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    api, path = Api(people.writer), f"/ai/llm/{row.pk}"
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=40)
    given = {"notes": "Ask Ada.", "rotateEveryDays": 30, "expiresAt": ends.isoformat(), "scheduledChecks": False}
    assert api.put(path, given).status_code == 200
    shown = api.get(path).json()["aiLlm"]
    assert [shown[name] for name in ("notes", "rotateEveryDays", "scheduledChecks")] == ["Ask Ada.", 30, False]
    assert shown["expiresAt"] == ends.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert shown["dueAt"] < shown["expiresAt"]
    api.put(path, {"notes": None, "rotateEveryDays": None, "expiresAt": None, "scheduledChecks": True})
    shown = api.get(path).json()["aiLlm"]
    assert [shown[name] for name in ("notes", "rotateEveryDays", "expiresAt", "dueAt", "scheduledChecks")] == [
        "", None, None, None, True,
    ]  # fmt: skip


def test_an_old_etag_is_refused_and_a_new_one_taken(people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    api, path = Api(people.writer), f"/ai/llm/{row.pk}"
    first = api.get(path).headers["ETag"]
    second = api.put(path, {"name": "first"}, If_Match=first).headers["ETag"]
    assert first != second == api.get(path).headers["ETag"]
    refusals = [api.put(path, {"name": "second"}, If_Match=first), api.delete(path, If_Match=first)]
    for change in ("disable", "enable", "rotate/retry", "rotate/take-over", "rotate/discard", "return", "retire"):
        refusals.append(api.post(f"{path}/{change}", If_Match=first))
    assert [refused.status_code for refused in refusals] == [412] * 9
    assert api.get(path).json()["aiLlm"]["disabledAt"] is None
    assert api.put(path, {"name": "third"}, If_Match=f'"other", {second}').status_code == 200
    assert api.delete(path, If_Match="*").status_code == 200


def test_delete_is_refused_while_repositories_use_it(people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace, name="prod")
    used = build.repository(people.writer, people.workspace, row, name="chat")
    api, path = Api(people.writer), f"/ai/llm/{row.pk}"
    refused = api.delete(path)
    assert (refused.status_code, refused.json()["success"]) == (403, False)
    assert "prod is attached to chat" in refused.json()["message"]
    assert refused.json()["error_code"] == "IN_USE"
    used.attachments.all().delete()
    assert api.delete(path).json()["success"] is True
    assert api.delete(path).status_code == 404
    assert not Credential.objects.exists()


def test_disabled_and_enabled(people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    api, path = Api(people.writer), f"/ai/llm/{row.pk}"
    assert api.post(f"{path}/disable").status_code == 200
    assert api.get(path).json()["aiLlm"]["state"] == "disabled"
    assert api.post(f"{path}/enable").status_code == 200
    assert api.get(path).json()["aiLlm"]["state"] == "never"


# --- Checks -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_validate_answers_200_in_both_outcomes(people: People, open_to: Sandbox) -> None:
    endpoint = open_to.url("/openai/v1")
    good = build.ai_llm(people.writer, people.workspace, type="OTHER", endpoint=endpoint)
    bad = build.ai_llm(people.writer, people.workspace, type="OTHER", endpoint=endpoint, secret="wrong-secret-0123456")
    api = Api(people.writer)
    found = api.post(f"/ai/llm/{good.pk}/validate")
    assert found.status_code == 200
    assert (found.json()["success"], found.json()["verdict"], found.json()["cause"]) == (True, "accepted", "accepted")
    assert found.json()["url"] == f"{endpoint}/models"
    assert [stage["name"] for stage in found.json()["stages"]][-2:] == ["credential", "models"]
    refused = api.post(f"/ai/llm/{bad.pk}/validate")
    assert refused.status_code == 200
    said = refused.json()
    assert (said["success"], said["verdict"], said["status"], said["state"]) == (False, "rejected", 401, "rejected")
    assert "The provider answered 401" in said["message"]
    assert said["action"]["kind"] == "replace-secret"
    assert "wrong-secret-0123456" not in refused.content.decode()
    checks = api.get(f"/ai/llm/{bad.pk}/checks").json()
    assert (checks["total"], checks["checks"][0]["id"]) == (1, said["checkId"])
    assert checks["checks"][0]["excerpt"] is not None
    assert Api(people.reader).get(f"/ai/llm/{bad.pk}/checks").json()["checks"][0]["excerpt"] is None


@pytest.mark.django_db(transaction=True)
def test_unsaved_values_are_tested_and_not_kept(people: People, open_to: Sandbox) -> None:
    endpoint, api = open_to.url("/openai/v1"), Api(people.writer)
    values = {"workspaceId": str(people.workspace.pk), "aiType": "OTHER", "endpoint": endpoint}
    assert api.post("/ai/llm/test", {**values, "secret": build.SECRET}).json()["success"] is True
    assert api.post("/ai/llm/test", {**values, "secret": "wrong-secret-0123456"}).json()["verdict"] == "rejected"
    key = build.provider_key(people.writer, people.workspace, provider="OTHER", endpoint=endpoint)
    assert api.post("/ai/llm/test", {**values, "apiKeyUuid": str(key.pk)}).json()["success"] is True
    row = build.ai_llm(people.writer, people.workspace, type="OTHER", endpoint=endpoint)
    assert api.post("/ai/llm/test", {"aiLlmId": str(row.pk)}).json()["success"] is True
    for body, field in (
        ({"aiLlmId": str(row.pk), "endpoint": ELSEWHERE}, "secret"),
        ({"aiLlmId": str(row.pk), "aiType": "OPENAI"}, "secret"),
        ({**values, "endpoint": ELSEWHERE, "apiKeyUuid": str(key.pk)}, "apiKeyUuid"),
        ({**values, "secret": build.SECRET, "apiKeyUuid": str(key.pk)}, "apiKeyUuid"),
        ({**values, "secret": ""}, "secret"),
        ({**values, "endpoint": None, "secret": build.SECRET}, "endpoint"),
        ({"aiType": "OTHER"}, "workspaceId"),
        ({"workspaceId": str(people.workspace.pk)}, "aiType"),
    ):
        answer = api.post("/ai/llm/test", body)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field]), body
    assert not Check.objects.exists()


def test_too_many_checks_say_when_to_try_again(people: People, passes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "CHECKS_A_MINUTE", 0)
    row = build.ai_llm(people.writer, people.workspace)
    answer = Api(people.writer).post(f"/ai/llm/{row.pk}/validate")
    assert (answer.status_code, answer.json()["success"]) == (429, False)
    assert int(answer.headers["Retry-After"]) > 0


# --- Rotation ---------------------------------------------------------------------------------------------------------


def test_rotate_return_retire(people: People, passes: None) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    api, path = Api(people.writer), f"/ai/llm/{row.pk}"
    found = api.post(f"{path}/rotate", {"secret": NEW_SECRET, "keep": "7d"}).json()
    assert (found["success"], found["tookOver"], found["check"]["verdict"]) == (True, True, "accepted")
    assert found["formerUntil"] is not None
    row.refresh_from_db()
    assert credentials.open_secret(row.credential).secret == NEW_SECRET
    assert api.post(f"{path}/return").status_code == 200
    row.refresh_from_db()
    assert credentials.open_secret(row.credential).secret == build.SECRET
    assert api.post(f"{path}/retire").json()["formerUntil"] is None
    for gone in ("return", "retire", "rotate/retry", "rotate/take-over", "rotate/discard"):
        assert api.post(f"{path}/{gone}").status_code == 409, gone


@pytest.mark.django_db(transaction=True)
def test_a_secret_whose_test_failed_waits_for_a_decision(people: People, open_to: Sandbox) -> None:
    row = build.ai_llm(people.writer, people.workspace, type="OTHER", endpoint=open_to.url("/openai/v1"))
    api, path = Api(people.writer), f"/ai/llm/{row.pk}"
    held = api.post(f"{path}/rotate", {"secret": "wrong-secret-0123456"})
    assert held.status_code == 200
    assert (held.json()["success"], held.json()["tookOver"]) == (False, False)
    assert held.json()["check"]["verdict"] == "rejected"
    assert api.get(path).json()["aiLlm"]["waitingUntil"] == held.json()["waitingUntil"]
    assert api.post(f"{path}/rotate/retry", {"keep": "1h"}).json()["success"] is False
    assert api.post(f"{path}/rotate/discard").json()["waitingUntil"] is None
    api.post(f"{path}/rotate", {"secret": "wrong-secret-0123456"})
    assert api.post(f"{path}/rotate/take-over", {"keep": "none"}).json()["formerUntil"] is None
    row.refresh_from_db()
    assert credentials.open_secret(row.credential).secret == "wrong-secret-0123456"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "secret"),
        ({"secret": NEW_SECRET, "keep": "1y"}, "keep"),
        ({"secret": NEW_SECRET, "keyless": True}, "keyless"),
    ],
)
def test_a_rotation_that_cannot_be_says_why(body: dict[str, Any], field: str, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    answer = Api(people.writer).post(f"/ai/llm/{row.pk}/rotate", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_an_endpoint_stops_needing_a_secret(people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace, type="OTHER", endpoint=ELSEWHERE)
    assert Api(people.writer).post(f"/ai/llm/{row.pk}/rotate", {"keyless": True}).status_code == 200
    assert not Credential.objects.exists()
    made = Api(people.writer).post("/ai/llm", new(people, aiType="OTHER", endpoint=ELSEWHERE, secret=..., keyless=True))
    assert made.status_code == 200
    assert rotation.expire(AiLlm.objects.get(pk=made.json()["aiLlmId"])).keyless


# --- Provider keys ----------------------------------------------------------------------------------------------------


def test_provider_keys_as_the_client_knows_them(people: People) -> None:
    api, where = Api(people.writer), str(people.workspace.pk)
    made = api.post(
        "/apikeys",
        {"key": "organization-key", "secret": build.SECRET, "provider": "OPENAI", "workspaceId": where},
    ).json()
    assert made["success"] is True
    (shown,) = api.get(f"/apikeys?workspaceId={where}&capability=2&provider=OPENAI").json()["apiKeys"]
    assert shown["id"] == made["apiKeyId"]
    assert (shown["key"], shown["provider"], shown["bucket_count"], shown["aillm_count"]) == (
        "********",
        "OPENAI",
        0,
        0,
    )
    google = {"key": "", "secret": NEW_SECRET, "provider": "GCP", "workspaceId": where, "description": "For Gemini"}
    api.post("/apikeys", google)
    (gemini,) = api.get("/apikeys?provider=GCP").json()["apiKeys"]
    assert (gemini["provider"], gemini["aiType"], gemini["key"]) == ("GCP", "GOOGLE", "")
    assert api.get("/apikeys?capability=1").json()["apiKeys"] == []
    assert len(api.get("/apikeys?capability=255").json()["apiKeys"]) == 2
    used = api.post("/ai/llm", new(people, endpoint=..., secret=..., apiKeyUuid=made["apiKeyId"])).json()
    assert api.get(f"/ai/llm/{used['aiLlmId']}").json()["aiLlm"]["apiKeyId"] == made["apiKeyId"]
    path = f"/apikeys/{made['apiKeyId']}"
    assert api.get(path).json()["apiKey"]["aillm_count"] == 1
    refused = api.delete(path)
    assert (refused.status_code, refused.json()["message"]) == (403, refused.json()["message"])
    assert "is used by prod-openai" in refused.json()["message"]
    assert api.put(path, {"endpoint": ELSEWHERE, "secret": NEW_SECRET}).status_code == 409
    assert api.put(path, {"description": "Team", "key": None}).json()["success"] is True
    assert api.get(path).json()["apiKey"]["key"] == ""
    api.delete(f"/ai/llm/{used['aiLlmId']}")
    assert api.delete(path).json()["success"] is True
    assert api.delete(path).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"provider": "NOBODY"}, "provider"),
        ({"provider": "OTHER"}, "endpoint"),
        ({"secret": "x"}, "secret"),
        ({"secret": None}, "secret"),
        ({"endpoint": "nonsense"}, "endpoint"),
        ({"tenantId": "x" * 200}, "tenantId"),
        ({"provider": "AWS", "region": "../x"}, "region"),
        ({"bucketIds": []}, "bucketIds"),
    ],
)
def test_a_provider_key_that_cannot_be_says_why(change: dict[str, Any], field: str, people: People) -> None:
    body = {"secret": build.SECRET, "provider": "OPENAI", "workspaceId": str(people.workspace.pk), **change}
    answer = Api(people.writer).post("/apikeys", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_provider_keys_of_others_read_as_never_existed(people: People) -> None:
    foreign, api = build.provider_key(people.stranger, people.strange_workspace), Api(people.writer)
    for there in (foreign.pk, uuid4()):
        path = f"/apikeys/{there}"
        for answer in (api.get(path), api.put(path, {"name": "x"}), api.delete(path)):
            assert answer.status_code == 404
        made = api.post("/ai/llm", new(people, secret=..., apiKeyUuid=str(there)))
        assert (made.status_code, list(made.json()["errors"])) == (400, ["apiKeyUuid"])
    assert api.get("/apikeys").json()["apiKeys"] == []


def test_providers_are_listed(people: People) -> None:
    found = Api(people.reader).get("/providers").json()["providers"]
    assert [row["id"] for row in found] == ["OPENAI", "GCP", "ANTHROPIC", "AWS", "OTHER"]
    assert json.dumps(found).count("https://") > 5
