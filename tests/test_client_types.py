"""Each answer has the fields and types that the public client's declarations give it.

Written from notes on the published package. `?` is a field that may be missing, and then is missing rather than null.
"""

import re
from typing import Any

import pytest

from tests import build
from tests.api import Api
from tests.conftest import People

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
Shape = dict[str, str]
ORG_USER: Shape = {
    "id": "text", "email": "text", "name": "text", "lastName": "text", "orgId": "text null", "orgRole": "number null",
    "validated": "flag", "deletedAt": "moment null", "orgRoleDescription": "text", "orgRoles": "list",
}  # fmt: skip
ORGANIZATION: Shape = {
    "id": "text", "name": "text", "domain": "text", "reposDisabled": "flag", "is_business": "flag",
    "mfaEnforced": "flag", "deletedAt": "moment null ?",
    **dict.fromkeys(("address1", "address2", "city", "zipcode", "phone", "state", "country", "website"), "text null ?"),
}  # fmt: skip
PROFILE: Shape = {
    "id": "text", "name": "text", "lastName": "text", "email": "text", "orgId": "text null", "orgRole": "number null",
    "orgRoleDescription": "text", "orgRoles": "list", "validated": "flag", "mfaRequired": "flag", "isBusiness": "flag",
}  # fmt: skip
SECOND_FACTOR: Shape = {
    "isEnabled": "flag", "isRequired": "flag", "isEnforced": "flag", "enabledMethods": "list",
    "primaryMethod": "text ?", "sessionVerified": "flag ?",
}  # fmt: skip
WORKSPACE: Shape = {"id": "text", "name": "text", "orgId": "text", "users": "list"}
MEMBER: Shape = {"id": "text", "name": "text", "lastName": "text", "email": "text", "orgRole": "number null"}
AI_LLM: Shape = {
    "id": "text", "orgId": "text", "workspaceId": "text", "userId": "text", "name": "text", "aiType": "text",
    "endpoint": "text", "key": "null", "apiKeyId": "text ?", "createdAt": "moment", "repos": "list ?",
}  # fmt: skip
COUNTERS = ("ApiCalls", "TokensIn", "TokensOut", "LlmTokensIn", "LlmTokensOut", "PolicyViolations", "Alerts", "Blocks")
STATS: Shape = {"aiLlmId": "text", **{f"total{name}": "counter" for name in COUNTERS}}
PROVIDER_KEY: Shape = {
    "id": "text", "key": "text", "endpoint": "text ?", "region": "text ?", "tenantId": "text ?",
    "subscriptionId": "text ?", "provider": "text", "description": "text ?", "createdAt": "moment",
    "bucket_count": "number ?", "aillm_count": "number ?",
}  # fmt: skip
REPO: Shape = {
    "id": "text", "name": "text", "storageType": "text", "mode": "text", "workspaceId": "text", "buckets": "list",
    "aiLlms": "list ?", "apiKeys": "list ?", "aiApiKeys": "list ?", "createdAt": "moment", "disabled": "flag ?",
    "walletAddress": "text ?",
}  # fmt: skip
KEY: Shape = {
    "id": "text", "name": "text", "repoId": "text", "key": "text null", "aiType": "text", "createdAt": "moment",
    "deletedAt": "moment null",
}  # fmt: skip
PROVIDER: Shape = {"id": "text", "name": "text", "capabilities": "number", "groupingTypes": "list"}
EVENT: Shape = {
    "id": "number", "timestamp": "moment", "contextId": "text", "context": "text", "event": "text", "orgId": "text",
    "userId": "text", "userName": "text", "userEmail": "text", "workspaceId": "text null", "jsonData": "text null",
    "showUnread": "flag",
}  # fmt: skip


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, str):
        return "moment" if MOMENT.fullmatch(value) else "counter" if value.isdigit() else "text"
    names = {type(None): "null", int: "number", float: "number", list: "list", dict: "object"}
    return names[type(value)]


def fits(value: Any, allowed: str) -> bool:
    """Whether a value is of one of the types; any string is text."""
    found = kind(value)
    return found in allowed.split() or (isinstance(value, str) and "text" in allowed.split())


def wrong(answer: dict[str, Any], shape: Shape) -> list[str]:
    missing = [name for name, allowed in shape.items() if name not in answer and "?" not in allowed.split()]
    return missing + [name for name, allowed in shape.items() if name in answer and not fits(answer[name], allowed)]


@pytest.fixture
def answers(people: People) -> dict[str, tuple[dict[str, Any], Shape]]:
    """One answer of each kind, of a workspace with a bit of everything in it."""
    owner, workspace = people.owner, people.workspace
    row, stored = build.ai_llm(people.writer, workspace), build.provider_key(people.writer, workspace)
    repository = build.repository(people.writer, workspace, row)
    build.key(people.writer, repository)
    api = Api(owner)
    (space,) = [one for one in api.get("/workspace").json()["workspaces"] if one["id"] == str(workspace.pk)]
    repo = api.get(f"/repo?repoId={repository.pk}").json()["repos"][0]
    provider_keys = api.get(f"/apikeys?workspaceId={workspace.pk}").json()["apiKeys"]
    assert [one["id"] for one in provider_keys] == [str(stored.pk)]
    return {
        "organization": (api.get(f"/organization/{owner.organization_id}").json()["data"], ORGANIZATION),
        "person": (api.get("/organization/users").json()["data"][0], ORG_USER),
        "profile": (api.get("/user/profile").json()["data"], PROFILE),
        "second factor": (api.get("/mfa/status").json()["data"], SECOND_FACTOR),
        "workspace": (space, WORKSPACE),
        "member": (space["users"][0]["user"], MEMBER),
        "AI LLM": (api.get("/ai/llm").json()["aiLlms"][0], AI_LLM),
        "figures": (api.get("/ai/llm/stats").json()["stats"][0], STATS),
        "provider key": (provider_keys[0], PROVIDER_KEY),
        "provider": (api.get("/providers").json()["providers"][0], PROVIDER),
        "repository": (repo, REPO),
        "attached": (repo["aiLlms"][0]["aiLlm"], AI_LLM),
        "key in a repository": (repo["aiApiKeys"][0], KEY),
        "key": (api.get(f"/repo/{repository.pk}/ai/apikey").json()["apiKeys"][0], KEY),
        "event": (api.post("/systemevent", {"skip": 0, "take": 20}).json()["events"][0], EVENT),
    }


def test_every_answer_is_of_the_clients_type(answers: dict[str, tuple[dict[str, Any], Shape]]) -> None:
    assert {name: wrong(answer, shape) for name, (answer, shape) in answers.items() if wrong(answer, shape)} == {}


def test_a_message_that_there_is_not_is_missing(people: People) -> None:
    for path in (
        "/ai/llm",
        "/ai/llm/available",
        "/apikeys",
        "/workspace",
        "/token",
        "/organization/users",
        "/mfa/status",
    ):
        assert "message" not in Api(people.owner).get(path).json(), path


def test_a_repository_may_be_sent_back_as_it_was_answered(people: People) -> None:
    api, one, two = Api(people.writer), *(build.ai_llm(people.writer, people.workspace, name=n) for n in ("one", "two"))
    row = build.repository(people.writer, people.workspace, one, two)
    build.key(people.writer, row)
    api.put(f"/repo/{row.pk}/attachments/{two.pk}", {"modelPatterns": ["gpt-4o*"]})
    found = api.get(f"/repo?repoId={row.pk}").json()["repos"][0]
    body = {name: found[name] for name in ("name", "storageType", "mode", "workspaceId")}
    body |= {"repoBuckets": found["buckets"], "repoAiLlms": found["aiLlms"]}
    assert api.put(f"/repo/{row.pk}", body).status_code == 200
    assert api.get(f"/repo/{row.pk}").json()["repo"] == found
    found["aiLlms"][0]["modelPatterns"] = ["o3"]
    assert api.put(f"/repo/{row.pk}", body).status_code == 200
    assert [one["modelPatterns"] for one in api.get(f"/repo/{row.pk}").json()["repo"]["aiLlms"]] == [
        ["o3"],
        ["gpt-4o*"],
    ]
    copy = api.post("/repo", {**body, "name": "copy"}).json()["repoId"]
    assert [one["modelPatterns"] for one in api.get(f"/repo/{copy}").json()["repo"]["aiLlms"]] == [["o3"], ["gpt-4o*"]]


def test_an_empty_id_is_none(people: People) -> None:
    api, workspace = Api(people.writer), str(people.workspace.pk)
    row = {
        "aiType": "OTHER",
        "endpoint": "https://llm.example.com/v1",
        "secret": build.SECRET,
        "workspaceId": workspace,
    }
    made = api.post("/ai/llm", {**row, "name": "prod", "apiKeyUuid": ""})
    assert made.status_code == 200
    assert api.put(f"/ai/llm/{made.json()['aiLlmId']}", {"apiKeyUuid": "", "name": "renamed"}).status_code == 200
    assert api.post("/repo/validate", {"repoId": "", "mode": "NORMAL", "repoBuckets": []}).status_code == 200


def test_a_field_that_a_form_left_empty_narrows_nothing(people: People) -> None:
    api = Api(people.owner)
    build.ai_llm(people.writer, people.workspace)
    blank = dict.fromkeys(("from_timestamp", "to_timestamp", "contextId", "userId", "workspaceId"), "")
    assert api.post("/systemevent", blank).json()["total"] == api.post("/systemevent").json()["total"] > 0
    for path, names in {
        "/apikeys": ("workspaceId", "capability", "provider"),
        "/ai/llm": ("workspaceId", "q", "state", "sort", "page", "skip", "take"),
        "/repo": ("workspaceId", "repoId", "walletAddress", "skip", "take"),
        "/organization/invitations": ("state", "take"),
    }.items():
        for nothing in ("", "undefined", "null"):
            query = "&".join(f"{name}={nothing}" for name in names)
            assert api.get(f"{path}?{query}").json() == api.get(path).json(), query


def test_events_may_be_asked_for_without_a_body(people: People) -> None:
    assert Api(people.owner).post("/systemevent").json()["take"] == 20
