"""Repositories, what is attached to them, and AI API keys over the API: what the public client sends, and our own."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai_llm.models import AiLlm
from flashback import idempotency
from flashback.api import operations
from repositories import keys, repos
from repositories.models import AiApiKey, Repository
from tests import build
from tests.api import Api
from tests.conftest import People
from workspaces.models import Event


@pytest.fixture
def api(people: People) -> Api:
    return Api(people.writer)


@pytest.fixture
def two(people: People) -> list[AiLlm]:
    return [build.ai_llm(people.writer, people.workspace, name=name) for name in ("one", "two")]


def new(people: People, *attached: AiLlm, **values: Any) -> dict[str, Any]:
    """What the public client sends."""
    refs = [{"aiLlmId": str(row.pk)} for row in attached]
    body = {"name": "chat", "storageType": "S3", "mode": "NORMAL", "workspaceId": str(people.workspace.pk)}
    return {**body, "repoAiLlms": refs, **values}


def shown(api: Api, pk: object) -> dict[str, Any]:
    repos_found = api.get(f"/repo?repoId={pk}").json()["repos"]
    assert len(repos_found) == 1
    return dict(repos_found[0])


def attached(api: Api, pk: object) -> list[str]:
    return [one["aiLlm"]["name"] for one in shown(api, pk)["aiLlms"]]


def failed(answer: HttpResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert body["success"] is False
    assert body["message"]
    return dict(body)


# --- The public client's calls ---


def test_a_repository_is_created_with_its_ai_llms_and_read_back(api: Api, people: People, two: list[AiLlm]) -> None:
    answer = api.post("/repo", new(people, two[1], two[0]))
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    found = shown(api, answer.json()["repoId"])
    assert [one["aiLlmId"] for one in found["aiLlms"]] == [str(two[1].pk), str(two[0].pk)]
    dto = found["aiLlms"][0]["aiLlm"]
    assert (dto["orgId"], dto["workspaceId"]) == (str(people.organization.pk), str(people.workspace.pk))
    assert (dto["key"], dto["aiType"], dto["userId"]) == (None, "OPENAI", str(people.writer.pk))
    assert (found["buckets"], found["apiKeys"], found["aiApiKeys"], found["disabled"]) == ([], [], [], False)
    assert found["createdAt"].endswith("Z")
    assert (found["storageType"], found["mode"], found["name"]) == ("S3", "NORMAL", "chat")


def test_an_ai_llm_may_be_named_by_what_the_list_answered(api: Api, people: People, two: list[AiLlm]) -> None:
    refs = [{"aiLlm": {"id": str(two[0].pk), "name": "one", "repos": []}}, {"aiLlmId": str(two[1].pk), "aiLlm": None}]
    made = api.post("/repo", new(people, repoAiLlms=refs)).json()["repoId"]
    assert attached(api, made) == ["one", "two"]


@pytest.mark.parametrize(
    "refs", [[{}], [{"aiLlmId": None}], [{"aiLlm": {}}], [{"aiLlm": {"id": 7}}], [{"aiLlm": {"id": "x"}}]]
)
def test_an_ai_llm_that_is_not_named_is_refused(refs: list[Any], api: Api, people: People) -> None:
    assert "repoAiLlms" in failed(api.post("/repo", new(people, repoAiLlms=refs)), 400)["errors"]
    assert Repository.objects.count() == 0


def test_the_list_says_what_is_attached_and_a_change_without_it_leaves_it(
    api: Api, people: People, two: list[AiLlm]
) -> None:
    pk = api.post("/repo", new(people, *two)).json()["repoId"]
    assert api.put(f"/repo/{pk}", {"name": "renamed"}).json()["success"] is True
    assert attached(api, pk) == ["one", "two"]
    full = {"name": "renamed", "storageType": "GCS", "mode": "MIRROR", "workspaceId": str(people.workspace.pk)}
    assert api.put(f"/repo/{pk}", {**full, "repoAiLlms": [{"aiLlmId": str(two[1].pk)}]}).status_code == 200
    assert attached(api, pk) == ["two"]
    assert api.put(f"/repo/{pk}", {**full, "repoAiLlms": None}).status_code == 200
    assert attached(api, pk) == ["two"]
    assert api.put(f"/repo/{pk}", {**full, "repoAiLlms": []}).status_code == 200
    assert attached(api, pk) == []
    assert shown(api, pk)["storageType"] == "GCS"


def test_what_the_client_sends_beside_is_accepted_and_ignored_and_anything_else_is_named(
    api: Api, people: People
) -> None:
    beside = {
        "repoBuckets": [{"bucketId": "b", "folder": "/", "master": True}],
        "repoUnits": [],
        "walletAddress": "0x1",
    }
    assert api.post("/repo", new(people, **beside)).status_code == 200
    refused = failed(api.post("/repo", new(people, name="other", created_at="2020-01-01")), 400)
    assert "created_at" in refused["errors"]


@pytest.mark.parametrize(("sent", "stored"), [("S3", "S3"), ("GCS", "GCS"), ("BLOB", "BLOB"), ("AZURE", "BLOB")])
@pytest.mark.parametrize("mode", ["NORMAL", "MIRROR", "BACKUP"])
def test_both_spellings_of_storage_and_mode_are_known(
    sent: str, stored: str, mode: str, api: Api, people: People
) -> None:
    pk = api.post("/repo", new(people, storageType=sent, mode=mode)).json()["repoId"]
    assert (shown(api, pk)["storageType"], shown(api, pk)["mode"]) == (stored, mode)


def test_a_name_that_is_taken_has_its_code(api: Api, people: People) -> None:
    api.post("/repo", new(people))
    other = api.post("/repo", new(people, name="other")).json()["repoId"]
    for answer in (api.post("/repo", new(people, name="CHAT")), api.put(f"/repo/{other}", {"name": "chat"})):
        refused = failed(answer, 400)
        assert refused["error_code"] == "NAME_ALREADY_USED"
        assert refused["error_message"] == refused["message"]
        assert list(refused["errors"]) == ["name"]


@pytest.mark.parametrize("where", ["foreign", "never", "deleted", "other workspace"])
def test_an_ai_llm_from_elsewhere_is_answered_like_one_that_never_existed(
    where: str, api: Api, people: People, two: list[AiLlm]
) -> None:
    second = build.workspace(people.organization)
    others = {
        "foreign": build.ai_llm(people.stranger, people.strange_workspace).pk,
        "never": uuid4(),
        "deleted": two[1].pk,
        "other workspace": build.ai_llm(people.owner, second).pk,
    }
    AiLlm.objects.filter(pk=two[1].pk).update(deleted_at=timezone.now())
    wanted = new(people, repoAiLlms=[{"aiLlmId": str(two[0].pk)}, {"aiLlmId": str(others[where])}])
    told = failed(api.post("/repo", wanted), 404)
    assert told["message"] == "There is no such AI LLM in this workspace. It may be in another workspace, or deleted."
    assert Repository.objects.count() == 0


@pytest.mark.parametrize("word", ["undefined", "null", ""])
def test_words_for_nothing_in_the_query_ask_for_everything(word: str, api: Api, people: People) -> None:
    api.post("/repo", new(people))
    listed = api.get(f"/repo?workspaceId={word}&walletAddress={word}").json()
    assert (len(listed["repos"]), listed["total"]) == (1, 1)


def test_an_id_that_leads_nowhere_answers_an_empty_list(api: Api, people: People) -> None:
    foreign = build.repository(people.stranger, people.strange_workspace)
    for pk in (foreign.pk, uuid4(), "repo-does-not-exist", "x"):
        answer = api.get(f"/repo?repoId={pk}")
        assert (answer.status_code, answer.json()["success"], answer.json()["repos"]) == (200, True, [])
    for pk in (people.strange_workspace.pk, uuid4(), "ws"):
        assert api.get(f"/repo?workspaceId={pk}").json()["repos"] == []


def test_the_list_is_searched_and_comes_in_pages(api: Api, people: People) -> None:
    for name in ("alpha", "beta", "alphabet"):
        build.repository(people.writer, people.workspace, name=name)
    names = [one["name"] for one in api.get("/repo").json()["repos"]]
    assert names == ["alphabet", "beta", "alpha"]
    page = api.get("/repo?take=1&skip=1").json()
    assert ([one["name"] for one in page["repos"]], page["total"]) == (["beta"], 3)
    found = api.get("/repo?q=ALPHA&skip=1").json()
    assert ([one["name"] for one in found["repos"]], found["total"]) == (["alpha"], 2)
    for query in ("take=0", "take=x", "skip=-1", "skip=99999999999999999999", "unknown=1"):
        failed(api.get(f"/repo?{query}"), 400)


def test_a_repository_stays_in_its_workspace(api: Api, people: People) -> None:
    pk = api.post("/repo", new(people)).json()["repoId"]
    second = build.workspace(people.organization)
    assert "workspaceId" in failed(api.put(f"/repo/{pk}", {"workspaceId": str(second.pk)}), 400)["errors"]


def test_deleting_stops_the_keys_and_hides_it(api: Api, people: People) -> None:
    pk = api.post("/repo", new(people)).json()["repoId"]
    secret = api.post(f"/repo/{pk}/ai/apikey", {"name": "shop", "aiType": "OPENAI"}).json()["secret"]
    assert keys.authenticate(secret).name == "shop"
    assert api.delete(f"/repo/{pk}").json()["success"] is True
    with pytest.raises(keys.Refused):
        keys.authenticate(secret)
    assert api.get(f"/repo?repoId={pk}").json()["repos"] == []
    assert failed(api.delete(f"/repo/{pk}"), 404)["error_code"] == "NOT_FOUND"


def test_checks_and_figures_of_storage_answer_and_are_empty(api: Api, people: People) -> None:
    pk = api.post("/repo", new(people)).json()["repoId"]
    body = {"repoId": pk, "mode": "NORMAL", "repoBuckets": [], "repoUnits": None}
    assert api.post("/repo/validate", body).json()["success"] is True
    assert api.post(f"/repo/{pk}/validate", body).json()["success"] is True
    failed(api.post(f"/repo/{uuid4()}/validate", body), 404)
    zeros = {"repoId": pk, "totalUploadBytes": "0", "totalDownloadBytes": "0", "totalSizeChange": "0"}
    assert api.get(f"/repo/stats?repoId={pk},{uuid4()},junk").json()["stats"] == [zeros]
    assert api.get("/repo/stats").json()["stats"] == [zeros]


# --- AI API keys ---


def test_a_keys_secret_is_in_the_answer_that_made_it_and_nowhere_else(api: Api, people: People) -> None:
    pk = api.post("/repo", new(people)).json()["repoId"]
    made = api.post(f"/repo/{pk}/ai/apikey", {"name": "shop", "aiType": "OPENAI"})
    assert (made.status_code, made.json()["success"]) == (200, True)
    secret = made.json()["secret"]
    assert secret.startswith(f"sk-fb-{made.json()['key']}_")
    assert keys.authenticate(secret).key_id == AiApiKey.objects.get().pk
    for path in ("/repo", f"/repo/{pk}", f"/repo/{pk}/ai/apikey", f"/repo/{pk}/ai/apikey/{made.json()['id']}"):
        answer = api.get(path).content.decode()
        assert secret not in answer
        assert secret.partition("_")[2] not in answer
    listed = api.get(f"/repo/{pk}/ai/apikey").json()["apiKeys"][0]
    expected = {"id": made.json()["id"], "name": "shop", "repoId": pk, "key": made.json()["key"], "aiType": "OPENAI"}
    assert {name: listed[name] for name in expected} == expected
    assert listed["deletedAt"] is None
    assert "secret" not in listed


def test_no_operation_that_reads_answers_an_issued_secret(api: Api, people: People, two: list[AiLlm]) -> None:
    row = build.repository(people.writer, people.workspace, *two)
    made = build.key(people.writer, row)
    later = keys.rotate(people.writer, made.key, until=timezone.now() + timedelta(days=1))
    ids = {"key": made.key.pk, "ai_llm": two[0].pk, "id": row.pk}
    read = 0
    for path, operation in operations():
        if "GET" not in operation.methods or "/" == path:
            continue
        for pk in (row.pk, two[0].pk, people.workspace.pk, people.organization.pk, people.writer.pk):
            address = re.sub(r"{(?:uuid:)?(\w+)}", lambda match: str({**ids, "id": pk}.get(match[1], pk)), path)
            answer = Api(people.owner).get(address)
            read += answer.status_code == 200
            text = b"".join(answer) if answer.streaming else answer.content
            for bearer in (made.bearer, later.bearer):
                assert bearer.rpartition("_")[2].encode() not in text, address
    assert read > 10


def test_keys_are_listed_newest_first_renamed_and_gone_when_deleted(api: Api, people: People) -> None:
    base = f"/repo/{api.post('/repo', new(people)).json()['repoId']}/ai/apikey"
    first, second = (api.post(base, {"name": name, "aiType": "OTHER"}).json() for name in ("first", "second"))
    assert [one["name"] for one in api.get(base).json()["apiKeys"]] == ["second", "first"]
    assert api.put(f"{base}/{first['id']}", {"name": "renamed"}).json()["success"] is True
    assert api.put(f"{base}/{first['id']}", {}).json()["success"] is True
    assert api.delete(f"{base}/{second['id']}").json()["success"] is True
    assert [one["name"] for one in api.get(base).json()["apiKeys"]] == ["renamed"]
    with pytest.raises(keys.Refused):
        keys.authenticate(second["secret"])
    for answer in (api.delete(f"{base}/{second['id']}"), api.put(f"{base}/{second['id']}", {"name": "x"})):
        failed(answer, 404)
    assert failed(api.put(f"{base}/{first['id']}", {"aiType": "AWS"}), 400)["errors"] == {
        "aiType": "This field is not known here."
    }


def test_a_key_is_only_found_under_its_own_repository(api: Api, people: People) -> None:
    mine, other = (build.repository(people.writer, people.workspace) for _ in range(2))
    key = build.key(people.writer, other).key
    for answer in (
        api.put(f"/repo/{mine.pk}/ai/apikey/{key.pk}", {"name": "x"}),
        api.delete(f"/repo/{mine.pk}/ai/apikey/{key.pk}"),
        api.post(f"/repo/{mine.pk}/ai/apikey/{key.pk}/rotate", {}),
    ):
        failed(answer, 404)


def test_a_key_has_an_end_an_allow_list_and_a_successor(api: Api, people: People) -> None:
    base = f"/repo/{build.repository(people.writer, people.workspace).pk}/ai/apikey"
    end = (timezone.now() + timedelta(days=5)).isoformat()
    body = {"name": "shop", "aiType": "OPENAI", "expiresAt": end, "modelPatterns": ["gpt-4o*"]}
    made = api.post(base, body).json()
    assert keys.authenticate(made["secret"]).patterns == ["gpt-4o*"]
    key = f"{base}/{made['id']}"
    later = api.post(f"{key}/rotate", {"keepUntil": (timezone.now() + timedelta(hours=1)).isoformat()}).json()
    assert later["secret"] != made["secret"]
    for secret in (made["secret"], later["secret"]):
        assert keys.authenticate(secret).name == "shop"
    assert api.get(key).json()["apiKey"]["formerUntil"]
    assert api.delete(f"{key}/former").json()["message"] == "The former secret has ended."
    with pytest.raises(keys.Refused):
        keys.authenticate(made["secret"])
    api.put(key, {"expiresAt": None})
    changed = api.get(key).json()["apiKey"]
    assert (changed["expiresAt"], changed["modelPatterns"], changed["formerUntil"]) == (None, ["gpt-4o*"], None)
    assert list(failed(api.put(key, {"modelPatterns": ["a b"]}), 400)["errors"]) == ["modelPatterns"]
    assert list(failed(api.put(key, {"expiresAt": "2020-01-01T00:00:00Z"}), 400)["errors"]) == ["expiresAt"]


# --- Our own additions ---


def test_one_repository_has_an_etag_and_a_stale_change_is_refused(api: Api, people: People, two: list[AiLlm]) -> None:
    pk = api.post("/repo", new(people, *two)).json()["repoId"]
    read = api.get(f"/repo/{pk}")
    tag = read.headers["ETag"]
    assert read.json()["repo"] == shown(api, pk)
    changed = api.put(f"/repo/{pk}", {"description": "first"}, If_Match=tag)
    assert changed.status_code == 200
    assert changed.headers["ETag"] == api.get(f"/repo/{pk}").headers["ETag"] != tag
    everything = {"repoAiLlms": [], "name": "second"}
    for answer in (
        api.put(f"/repo/{pk}", everything, If_Match=tag),
        api.put(f"/repo/{pk}/attachments", {"aiLlmIds": []}, If_Match=tag),
        api.delete(f"/repo/{pk}/attachments/{two[0].pk}", If_Match=tag),
        api.post(f"/repo/{pk}/disable", If_Match=tag),
        api.delete(f"/repo/{pk}", If_Match=tag),
    ):
        failed(answer, 412)
    assert attached(api, pk) == ["one", "two"]
    assert api.put(f"/repo/{pk}", everything, If_Match=changed.headers["ETag"]).status_code == 200
    assert api.delete(f"/repo/{pk}", If_Match="*").status_code == 200


def test_attachments_are_added_sorted_limited_and_taken_away(api: Api, people: People, two: list[AiLlm]) -> None:
    build.models(two[0], "gpt-4o", "gpt-4o-mini", "o3")
    base = f"/repo/{build.repository(people.writer, people.workspace).pk}/attachments"
    added = api.post(base, {"aiLlmIds": [str(row.pk) for row in two]}).json()
    assert added["attached"] == [str(row.pk) for row in two]
    assert [one["place"] for one in added["attachments"]] == [1, 2]
    assert api.post(base, {"aiLlmIds": [str(two[0].pk)]}).json()["attached"] == []
    api.put(base, {"aiLlmIds": [str(row.pk) for row in reversed(two)]})
    api.put(f"{base}/{two[0].pk}", {"modelPatterns": ["gpt-4o*"]})
    first, second = api.get(base).json()["attachments"]
    assert (first["name"], second["name"], second["modelPatterns"]) == ("two", "one", ["gpt-4o*"])
    assert (second["knownModels"], second["allowedModels"], second["state"]) == (3, 2, "never")
    assert second["warning"].startswith("Never validated")
    assert api.put(f"{base}/{two[0].pk}", {"place": 1}).json()["attachments"][0]["name"] == "one"
    assert [one["name"] for one in api.delete(f"{base}/{two[1].pk}").json()["attachments"]] == ["one"]
    failed(api.delete(f"{base}/{two[1].pk}"), 404)
    failed(api.put(f"{base}/{two[1].pk}", {"place": 1}), 404)
    failed(api.put(f"{base}/{two[0].pk}", {"place": 0}), 400)


def test_reachable_models_are_listed_for_us_and_for_the_public_client(
    api: Api, people: People, two: list[AiLlm]
) -> None:
    build.models(two[0], "gpt-4o", "o3")
    build.models(two[1], "gpt-4o", "gpt-4.1")
    row = build.repository(people.writer, people.workspace, *two)
    listed = api.get(f"/repo/{row.pk}/models").json()
    assert [(one["name"], one["aiLlmName"]) for one in listed["models"]] == [
        ("gpt-4.1", "two"),
        ("gpt-4o", "one"),
        ("o3", "one"),
    ]
    page = api.get(f"/repo/{row.pk}/models?q=GPT&take=1&skip=1").json()
    assert ([one["id"] for one in page["models"]], page["total"]) == (["gpt-4o"], 2)
    asked = api.post("/ai/models", {"repoId": str(row.pk), "aiType": "OPENAI"}).json()
    assert asked["success"] is True
    assert asked["models"][0] == {**asked["models"][0], "id": "gpt-4.1", "aiType": "OPENAI", "llmType": "OPENAI"}
    assert api.post("/ai/models", {"repoId": str(row.pk), "llmType": "AWS"}).json()["models"] == []
    failed(api.post("/ai/models", {"repoId": str(uuid4())}), 404)


def test_one_ai_llm_takes_the_place_of_another_everywhere(api: Api, people: People, two: list[AiLlm]) -> None:
    rows = [build.repository(people.writer, people.workspace, two[0]) for _ in range(2)]
    moved = api.post(f"/ai/llm/{two[0].pk}/attachments/move", {"aiLlmId": str(two[1].pk)}).json()
    assert set(moved["repoIds"]) == {str(row.pk) for row in rows}
    assert attached(api, rows[0].pk) == ["two"]
    itself = api.post(f"/ai/llm/{two[1].pk}/attachments/move", {"aiLlmId": str(two[1].pk)})
    assert list(failed(itself, 400)["errors"]) == ["aiLlmId"]
    for source, target in ((two[0].pk, uuid4()), (uuid4(), two[0].pk)):
        failed(api.post(f"/ai/llm/{source}/attachments/move", {"aiLlmId": str(target)}), 404)


def test_a_repository_is_disabled_and_enabled(api: Api, people: People) -> None:
    pk = api.post("/repo", new(people)).json()["repoId"]
    assert api.post(f"/repo/{pk}/disable").status_code == 200
    assert shown(api, pk)["disabled"] is True
    assert api.post(f"/repo/{pk}/enable").status_code == 200
    assert shown(api, pk)["disabled"] is False


def test_what_is_sent_again_with_its_idempotency_key_is_made_once(api: Api, people: People, two: list[AiLlm]) -> None:
    made = [api.post("/repo", new(people, *two), Idempotency_Key="repo-1").json() for _ in range(2)]
    assert made[0]["repoId"] == made[1]["repoId"]
    assert attached(api, made[0]["repoId"]) == ["one", "two"]
    for other in (
        new(people, *two, name="other"),
        new(people, *reversed(two)),
        new(people),
        new(people, *two, mode="MIRROR"),
    ):
        assert failed(api.post("/repo", other, Idempotency_Key="repo-1"), 409)["message"] == idempotency.REUSED
    assert attached(api, made[0]["repoId"]) == ["one", "two"]
    api.put(f"/repo/{made[0]['repoId']}", {"repoAiLlms": []})
    failed(api.post("/repo", new(people, *two), Idempotency_Key="repo-1"), 409)
    assert attached(api, made[0]["repoId"]) == []
    base = f"/repo/{made[0]['repoId']}/ai/apikey"
    first = api.post(base, {"name": "shop", "aiType": "OPENAI"}, Idempotency_Key="key-1").json()
    again = api.post(base, {"name": "shop", "aiType": "OPENAI"}, Idempotency_Key="key-1")
    assert "shown once" in failed(again, 409)["message"]
    rotated = api.post(f"{base}/{first['id']}/rotate", {}, Idempotency_Key="turn-1")
    assert rotated.status_code == 200
    failed(api.post(f"{base}/{first['id']}/rotate", {}, Idempotency_Key="turn-1"), 409)
    assert keys.authenticate(rotated.json()["secret"]).name == "shop"
    assert "Idempotency-Key" in failed(api.post("/repo", new(people), Idempotency_Key="a b"), 400)["errors"]


# --- Who, and how much ---


WRITES = [
    ("PUT", "", {"name": "x"}),
    ("DELETE", "", ...),
    ("POST", "/disable", ...),
    ("POST", "/attachments", {"aiLlmIds": []}),
    ("PUT", "/attachments", {"aiLlmIds": []}),
    ("POST", "/ai/apikey", {"name": "x", "aiType": "OPENAI"}),
    ("PUT", "/ai/apikey/{key}", {"name": "x"}),
    ("DELETE", "/ai/apikey/{key}", ...),
    ("POST", "/ai/apikey/{key}/rotate", {}),
    ("DELETE", "/ai/apikey/{key}/former", ...),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=[f"{m} {p}" for m, p, _ in WRITES])
def test_a_reader_reads_and_changes_nothing_and_others_see_nothing(
    method: str, path: str, body: Any, people: People, two: list[AiLlm]
) -> None:
    row = build.repository(people.writer, people.workspace, *two)
    address = f"/repo/{row.pk}{path.format(key=build.key(people.writer, row).key.pk)}"
    before = Event.objects.count()
    failed(Api(people.reader)(method, address, body), 403)
    nothing = [failed(Api(who)(method, address, body), 404)["message"] for who in (people.outsider, people.stranger)]
    never = failed(Api(people.writer)(method, address.replace(str(row.pk), str(uuid4())), body), 404)["message"]
    assert set(nothing) == {never}
    failed(Api()(method, address, body), 401)
    assert Event.objects.count() == before
    for read in (
        f"/repo/{row.pk}",
        f"/repo/{row.pk}/attachments",
        f"/repo/{row.pk}/models",
        f"/repo/{row.pk}/ai/apikey",
    ):
        assert Api(people.reader).get(read).status_code == 200
        assert Api(people.stranger).get(read).status_code == 404


def test_the_queries_do_not_grow_with_the_rows(api: Api, people: People, two: list[AiLlm]) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert api.get(path).status_code == 200
        return len(captured)

    row = build.repository(people.writer, people.workspace, two[0])
    build.key(people.writer, row)
    paths = ("/repo", f"/repo/{row.pk}", f"/repo/{row.pk}/ai/apikey", f"/repo/{row.pk}/attachments")
    few = [queries(path) for path in paths]
    for _ in range(3):
        build.key(people.writer, build.repository(people.writer, people.workspace, *two))
        build.key(people.writer, row)
    repos.update(people.writer, row, description="more")
    assert [queries(path) for path in paths] == few
    assert max(few) <= 9


@pytest.mark.parametrize("field", ["name", "description", "storageType", "mode", "workspaceId", "repoAiLlms"])
@pytest.mark.parametrize("value", [7, True, 1.5, {}, [1], "x" * 5000], ids=lambda value: repr(value)[:8])
def test_a_wrong_value_is_named_and_changes_nothing(field: str, value: Any, api: Api, people: People) -> None:
    refused = failed(api.post("/repo", new(people, **{field: value})), 400)
    assert any(name.startswith(field) for name in refused["errors"])
    assert Repository.objects.count() == 0
