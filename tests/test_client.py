"""The public TypeScript client against the real server: every call that is in scope, and every trap it is known for.

The client is our transcription of it (`tests/typescript_client.py`), over a real socket, against `manage.py up`.
"""

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from ai_llm.sandbox import SECRETS
from ai_llm.sandbox.server import Sandbox
from tests.console import EMAIL, PASSWORD, running
from tests.test_api_bad_input import BODIES, address
from tests.typescript_client import Answer, ApiClient, HttpError, query, stringify

pytestmark = pytest.mark.server
WRONG = "wrong-secret-0123456789"
numbers = count(1)


@dataclass
class Place:
    """A running installation with a client that is signed in as its owner, and a provider it may call."""

    url: str
    provider: str
    owner: ApiClient
    signed_in: dict[str, Any]

    def client(self) -> ApiClient:
        return ApiClient(self.url)

    def workspace(self) -> str:
        return str(self.owner.create_workspace(name=f"Workspace {next(numbers)}")["workspace"]["id"])

    def ai_llm(self, workspace: str, **values: Any) -> str:
        given = {
            "name": f"llm-{next(numbers)}", "aiType": "OTHER", "workspaceId": workspace, "endpoint": self.provider,
            "key": None, "secret": SECRETS.openai, **values,
        }  # fmt: skip
        return str(self.owner.create_ai_llm(**given)["aiLlmId"])

    def member(self, workspace: str, role: str) -> ApiClient:
        """Somebody new who is a member of the workspace, signed in."""
        email = f"person.{next(numbers)}@example.com"
        made = self.owner.create_organization_user(email=email, password=PASSWORD, firstName="Pat", lastName="Smith")
        self.owner.add_workspace_user(workspace, userId=made["data"]["id"], role=role)
        client = self.client()
        client.set_auth_token(client.login(email=email, password=PASSWORD)["accessToken"])
        return client


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("client")
    with Sandbox() as sandbox, running(folder, FLASHBACK_OUTBOUND_ALLOW=f"127.0.0.1:{sandbox.port}") as console:
        console.add_owner()
        owner = ApiClient(f"{console.url}/api")
        signed_in = owner.login(email=EMAIL, password=PASSWORD)
        owner.set_auth_token(signed_in["accessToken"])
        yield Place(owner.base_url, sandbox.url("/openai/v1"), owner, signed_in)


def thrown(call: Any, *arguments: Any, **values: Any) -> HttpError:
    with pytest.raises(HttpError) as refused:
        call(*arguments, **values)
    assert refused.value.data["success"] is False
    assert refused.value.data["message"]
    return refused.value


# --- People -----------------------------------------------------------------------------------------------------------


def test_login_refresh_profile_logout(place: Place) -> None:
    client = place.client()
    found = client.login(email=EMAIL, password=PASSWORD, deviceInfo={"deviceName": "a test"})
    assert {"success", "accessToken", "refreshToken", "expiresAt", "user"} <= set(found)
    assert isinstance(found["expiresAt"], int)
    client.set_auth_token(found["accessToken"])
    profile = client.get_user_profile()["data"]
    assert profile["email"] == EMAIL
    assert {"id", "name", "lastName", "orgId", "orgRole", "orgRoleDescription", "orgRoles", "validated"} <= set(profile)
    assert profile["orgRoles"] == [0, 1, 2, 254, 255]
    again = client.refresh_token(found["refreshToken"])
    assert again["accessToken"] == again["token"]
    client.set_auth_token(again["accessToken"])
    assert client.logout(again["refreshToken"])["success"] is True
    assert thrown(client.get_user_profile).status == 401


def test_the_token_that_stays_is_ignored_where_nobody_has_to_be_signed_in(place: Place) -> None:
    client = place.client()
    client.set_auth_token("an-old-token")
    client.set_auth_token(None)
    assert client.headers["Authorization"] == "Bearer an-old-token"
    found = client.login(email=EMAIL, password=PASSWORD)
    renewed = client.refresh_token(found["refreshToken"])
    assert client.logout(renewed["refreshToken"])["success"] is True
    assert thrown(client.get_user_profile).status == 401


def test_a_wrong_password_is_an_error_with_data(place: Place) -> None:
    assert thrown(place.client().login, email=EMAIL, password="wrong").status in {400, 401, 403}


def test_programs_that_start_together_all_get_in(place: Place) -> None:
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: place.client().login(email=EMAIL, password=PASSWORD), range(12)))
    assert all(one["success"] for one in found)


def test_people_of_the_organization(place: Place) -> None:
    owner, email = place.owner, f"person.{next(numbers)}@example.com"
    made = owner.create_organization_user(email=email, password=PASSWORD, firstName="Pat", lastName="Smith", orgRole=2)
    person = made["data"]["id"]
    assert person in [row["id"] for row in owner.list_organization_users()["data"]]
    bare = owner.get_organization_user(person)
    assert "success" not in bare
    assert (bare["email"], bare["orgRoles"]) == (email, [0, 1, 2])
    assert owner.update_organization_user(person, name="Patricia")["data"]["name"] == "Patricia"
    assert owner.get_user(person)["data"]["orgRole"] == 2
    changed = owner.update_user_role(person, 0)["data"]
    assert (changed["previousRole"], changed["newRole"]) == (2, 0)
    assert owner.delete_organization_user(person)["success"] is True
    assert owner.activate_organization_user(person)["success"] is True
    assert thrown(owner.get_organization_user, str(uuid4())).status == 404


def test_the_organization(place: Place) -> None:
    org = place.owner.get_user_profile()["data"]["orgId"]
    found = place.owner.get_organization(org)["data"]
    assert (found["id"], found["reposDisabled"], found["mfaEnforced"]) == (org, False, False)
    assert isinstance(found["is_business"], bool)
    assert place.owner.update_organization(org, city="Lyon")["data"]["city"] == "Lyon"
    assert thrown(place.owner.get_organization, str(uuid4())).status == 404


def test_tokens_of_mine(place: Place) -> None:
    client = place.client()
    client.set_auth_token(client.login(email=EMAIL, password=PASSWORD)["accessToken"])
    tokens = client.get_tokens()["tokens"]
    assert tokens
    assert thrown(client.delete_token, str(uuid4())).status == 404


# --- Workspaces -------------------------------------------------------------------------------------------------------


def test_workspaces_and_their_members(place: Place) -> None:
    owner = place.owner
    made = owner.create_workspace(name=f"Müßig {next(numbers)}")
    assert owner.seen[-1].status == 201
    workspace = made["workspace"]["id"]
    assert {"id", "name", "orgId"} <= set(made["workspace"])
    assert workspace in [row["id"] for row in owner.get_workspaces()["workspaces"]]
    (creator,) = owner.get_workspace(workspace)["workspace"]["users"]
    assert creator["role"] == "ADMIN"
    assert {"id", "name", "lastName", "email", "orgRole"} <= set(creator["user"])
    member = place.member(workspace, "READ").get_user_profile()["data"]["id"]
    assert owner.update_workspace_user(workspace, member, role="WRITE")["success"] is True
    assert owner.remove_workspace_user(workspace, member)["success"] is True
    assert owner.update_workspace(workspace, name=f"Renamed {next(numbers)}")["success"] is True
    assert owner.delete_workspace(workspace)["success"] is True
    assert thrown(owner.get_workspace, workspace).status == 404


# --- AI LLMs ----------------------------------------------------------------------------------------------------------


def test_create_then_list_shows_no_secret_and_a_null_key(place: Place) -> None:
    workspace = place.workspace()
    made = place.owner.create_ai_llm(
        name="prod", aiType="OTHER", workspaceId=workspace, endpoint=place.provider, key="second-key-of-a-gateway",
        secret=SECRETS.openai,
    )  # fmt: skip
    assert place.owner.seen[-1].status == 200
    (found,) = place.owner.get_ai_llms(workspace)["aiLlms"]
    body = place.owner.seen[-1].body.decode()
    assert SECRETS.openai not in body
    assert "second-key" not in body
    assert (found["id"], found["key"], found["repos"]) == (made["aiLlmId"], None, [])
    assert place.owner.get_ai_llms()["success"] is True


def test_validate_with_a_bad_secret_resolves(place: Place) -> None:
    workspace = place.workspace()
    good, bad = place.ai_llm(workspace), place.ai_llm(workspace, secret=WRONG)
    assert place.owner.validate_ai_llm(good)["success"] is True
    refused = place.owner.validate_ai_llm(bad)
    assert refused["success"] is False
    assert "401" in refused["message"]
    assert [row["id"] for row in place.owner.get_available_ai_llms()["aiLlms"] if row["id"] in {good, bad}] == [good]
    assert thrown(place.owner.validate_ai_llm, str(uuid4())).status == 404


def test_stats_are_text(place: Place) -> None:
    row = place.ai_llm(place.workspace())
    (found,) = place.owner.get_ai_llm_stats(row)["stats"]
    assert found.pop("aiLlmId") == row
    assert set(found.values()) == {"0"}
    assert len(found) == 8
    assert row in [one["aiLlmId"] for one in place.owner.get_ai_llm_stats()["stats"]]


def test_change_and_delete(place: Place) -> None:
    row = place.ai_llm(place.workspace(), key="second-key")
    changed = place.owner.update_ai_llm(row, name="renamed", key=None)
    assert (changed["success"], changed["aiLlmId"]) == (True, row)
    assert thrown(place.owner.update_ai_llm, row, endpoint="https://llm.example.com/v1").status == 400
    assert place.owner.delete_ai_llm(row)["success"] is True
    assert thrown(place.owner.delete_ai_llm, row).status == 404


def test_provider_keys(place: Place) -> None:
    workspace = place.workspace()
    made = place.owner.create_api_key(
        key="", secret=SECRETS.openai, provider="OTHER", workspaceId=workspace, endpoint=place.provider
    )
    (found,) = place.owner.get_api_keys(workspaceId=workspace, capability=2, provider="OTHER")["apiKeys"]
    assert {"id", "key", "endpoint", "provider", "createdAt", "bucket_count", "aillm_count"} <= set(found)
    row = place.ai_llm(workspace, endpoint=None, secret=None, apiKeyUuid=made["apiKeyId"])
    assert place.owner.get_ai_llms(workspace)["aiLlms"][0]["apiKeyId"] == made["apiKeyId"]
    assert place.owner.validate_ai_llm(row)["success"] is True
    assert thrown(place.owner.delete_api_key, made["apiKeyId"]).status == 403
    assert place.owner.update_api_key(made["apiKeyId"], description="Team")["success"] is True
    place.owner.delete_ai_llm(row)
    assert place.owner.delete_api_key(made["apiKeyId"])["success"] is True
    assert place.owner.get_providers()["success"] is True


@pytest.mark.parametrize(("role", "status"), [("READ", 403), ("WRITE", 200)])
def test_roles(role: str, status: int, place: Place) -> None:
    workspace = place.workspace()
    row, member = place.ai_llm(workspace), place.member(workspace, role)
    assert [one["id"] for one in member.get_ai_llms()["aiLlms"]] == [row]
    if status == 200:
        assert member.update_ai_llm(row, name="theirs")["success"] is True
    else:
        assert thrown(member.update_ai_llm, row, name="theirs").status == status
        assert thrown(member.delete_ai_llm, row).status == status
        assert thrown(member.validate_ai_llm, row).status == status
    assert thrown(member.create_workspace, name="mine").status == 403


# --- Repositories, their keys, system events --------------------------------------------------------------------------


def repo(place: Place, workspace: str, *ai_llms: str) -> str:
    attached = [{"aiLlmId": row} for row in ai_llms]
    values = {"name": f"repo-{next(numbers)}", "storageType": "S3", "mode": "NORMAL", "workspaceId": workspace}
    return str(place.owner.create_storage_repo(**values, repoAiLlms=attached, walletAddress=None)["repoId"])


def test_repositories_attach_by_their_list(place: Place) -> None:
    workspace, owner = place.workspace(), place.owner
    first, second = place.ai_llm(workspace), place.ai_llm(workspace)
    repo_id = repo(place, workspace, first)
    (found,) = owner.get_storage_repos(workspaceId=workspace, repoId=repo_id, walletAddress="undefined")["repos"]
    assert (found["buckets"], found["aiApiKeys"]) == ([], [])
    assert [one["aiLlmId"] for one in found["aiLlms"]] == [first]
    assert [one["name"] for one in owner.get_ai_llms(workspace)["aiLlms"][-1]["repos"]] == [found["name"]]
    whole = {"name": found["name"], "storageType": "S3", "mode": "NORMAL", "workspaceId": workspace}
    owner.update_storage_repo(repo_id, **whole, repoBuckets=[], repoAiLlms=[{"aiLlmId": second}, {"aiLlmId": first}])
    assert [one["aiLlmId"] for one in owner.get_storage_repo(repo_id)["repo"]["aiLlms"]] == [second, first]
    owner.update_storage_repo(repo_id, **whole)
    assert len(owner.get_storage_repo(repo_id)["repo"]["aiLlms"]) == 2
    owner.update_storage_repo(repo_id, **whole, repoAiLlms=[])
    assert owner.get_storage_repo(repo_id)["repo"]["aiLlms"] == []
    assert owner.delete_storage_repo(repo_id)["success"] is True


def test_an_unknown_repository_resolves_to_no_success(place: Place) -> None:
    assert place.owner.get_storage_repo(str(uuid4())) == {"success": False, "repo": {}}


def test_delete_while_attached_throws_403_with_a_message(place: Place) -> None:
    workspace = place.workspace()
    row = place.ai_llm(workspace, name="attached")
    repo(place, workspace, row)
    refused = thrown(place.owner.delete_ai_llm, row)
    assert refused.status == 403
    assert "attached" in refused.data["message"]
    assert thrown(place.owner.delete_workspace, workspace).status == 400


def test_ai_api_keys_are_shown_once_and_go_at_once(place: Place) -> None:
    workspace, owner = place.workspace(), place.owner
    repo_id = repo(place, workspace, place.ai_llm(workspace))
    made = owner.create_repo_ai_api_key(repo_id, name="web shop", aiType="OPENAI")
    assert made["secret"].startswith("sk-")
    (listed,) = owner.get_repo_ai_api_keys(repo_id)["apiKeys"]
    assert made["secret"] not in owner.seen[-1].body.decode()
    assert {"id", "name", "repoId", "key", "aiType", "createdAt", "deletedAt"} <= set(listed)
    assert owner.update_repo_ai_api_key(repo_id, made["id"], name="shop")["success"] is True
    assert owner.delete_repo_ai_api_key(repo_id, made["id"])["success"] is True
    assert owner.get_repo_ai_api_keys(repo_id)["apiKeys"] == []
    assert thrown(owner.delete_repo_ai_api_key, repo_id, made["id"]).status == 404


def test_models_that_are_reachable(place: Place) -> None:
    workspace, owner = place.workspace(), place.owner
    row = place.ai_llm(workspace)
    repo_id = repo(place, workspace, row)
    assert owner.get_ai_models(repoId=repo_id) == owner.get_ai_models(repoId=repo_id, aiType="OTHER", llmType="OTHER")
    owner.validate_ai_llm(row)
    models = owner.get_ai_models(repoId=repo_id)["models"]
    assert models
    assert {"id", "name", "aiType", "llmType", "llmProvider"} <= set(models[0])


def test_system_events_are_asked_by_number_and_answered_by_name(place: Place) -> None:
    workspace, owner = place.workspace(), place.owner
    row = place.ai_llm(workspace)
    owner.delete_ai_llm(row)
    found = owner.get_system_events(workspaceId=workspace, context=11, skip=0, take=20)
    assert "success" not in found
    assert [(one["context"], one["event"], one["contextId"]) for one in found["events"]] == [
        ("aillm", "deleted", row), ("aillm", "created", row),
    ]  # fmt: skip
    number = found["events"][0]["id"]
    assert isinstance(number, int)
    assert owner.mark_events_read(id=number)["success"] is True
    unread = owner.get_system_events(workspaceId=workspace, context=11, showUnread=True, skip=0, take=20)
    assert [one["event"] for one in unread["events"]] == ["created"]
    assert owner.mark_events_unread(ids=[number])["success"] is True


# --- Transport --------------------------------------------------------------------------------------------------------


def test_a_list_travels_as_one_parameter_and_a_blank_as_a_plus(place: Place) -> None:
    assert query(aiType=["OPENAI", "AWS"], q="a b", block=False, take=0, none=None, empty="") == (
        "?aiType=OPENAI%2CAWS&q=a+b&block=false&take=0"
    )
    workspace = place.workspace()
    place.ai_llm(workspace, name="two words")
    found = place.owner.call("GET", "/ai/llm" + query(workspaceId=workspace, aiType=["OTHER", "AWS"], q="two words"))
    assert [row["name"] for row in found["aiLlms"]] == ["two words"]


def test_a_slash_at_the_end_of_the_base_address_is_forgiven(place: Place) -> None:
    client = ApiClient(f"{place.url}/", headers=dict(place.owner.headers))
    assert client.get_user_profile()["success"] is True


def test_every_error_has_data(place: Place) -> None:
    owner, anonymous, row = place.owner, place.client(), place.ai_llm(place.workspace())
    for status, call, *arguments in (
        (404, owner.call, "GET", "/nowhere"),
        (404, owner.call, "PUT", f"/ai/llm/{row}/", {}),
        (405, owner.call, "PATCH", "/ai/llm", {}),
        (401, anonymous.get_ai_llms),
        (400, owner.call, "POST", "/ai/llm", {}),
        (413, owner.call, "POST", "/ai/llm", {"name": "x" * 300_000}),
    ):
        assert thrown(call, *arguments).status == status, arguments
    sent = {"Content-Type": "text/plain"}
    assert thrown(owner.call, "POST", "/ai/llm", {}, **sent).status == 415


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"7", b'"text"', b'{"name":"a","name":"b"}', b'{"name":"\\ud800"}',
        b'{"name":"a\\u0000"}',
        b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b"\xff\xfe", b'{"name":NaN}', b'{"name":1e999}',
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)  # fmt: skip
def test_no_body_whatever_is_a_fault_of_the_server(body: bytes, place: Place) -> None:
    row = place.ai_llm(place.workspace()) if body == b"" else str(uuid4())
    for method, path in (("POST", "/ai/llm"), ("PUT", f"/ai/llm/{row}"), ("POST", "/apikeys"), ("POST", "/user/login")):
        answer = place.owner.fetch(method, f"{place.url}{path}", body)
        assert 400 <= answer.status < 500, (path, answer.body)
        assert "application/json" in answer.headers["content-type"]
        assert json.loads(answer.body)["success"] is False


def test_half_a_surrogate_pair_is_sent_as_an_escape_and_refused(place: Place) -> None:
    assert stringify({"name": "\ud800ä"}) == b'{"name":"\\ud800\xc3\xa4"}'
    assert thrown(place.owner.create_workspace, name="\ud800").status == 400


def test_a_post_without_body_and_type_is_taken(place: Place) -> None:
    row = place.ai_llm(place.workspace())
    answer = place.owner.fetch("POST", f"{place.url}/ai/llm/{row}/disable", None)
    assert answer.status == 200


def test_a_secret_in_the_wrong_field_comes_back_nowhere(place: Place) -> None:
    workspace = place.workspace()
    for field in ("endpoint", "aiType", "workspaceId", "apiKeyUuid", "surprise"):
        values = {
            "name": "prod", "aiType": "OTHER", "workspaceId": workspace, "endpoint": place.provider, "secret": WRONG,
        }  # fmt: skip
        refused = [values | {field: f"{SECRETS.openai} "}, values | {field: {"secret": SECRETS.openai}}]
        for body in refused:
            answer = place.owner.fetch("POST", f"{place.url}/ai/llm", stringify(body))
            assert answer.status == 400, (field, answer.body)
            assert SECRETS.openai.encode() not in answer.body, field


def test_a_secret_where_everybody_reads_is_refused(place: Place) -> None:
    workspace, secret = place.workspace(), "sk-proj-4fQ9xT7bLm2Vw8Zk1Rc6Yn3P"
    stored = {"key": "", "secret": SECRETS.openai, "provider": "OTHER", "workspaceId": workspace}
    repo_id, row = repo(place, workspace), place.ai_llm(workspace)
    for call, *arguments in (
        (place.owner.call, "POST", "/workspace", {"name": secret}),
        (place.owner.call, "PUT", f"/ai/llm/{row}", {"name": secret}),
        (
            place.owner.call,
            "PUT",
            f"/ai/llm/{row}",
            {"endpoint": f"https://llm.example.com/{secret}/v1", "secret": WRONG},
        ),
        (place.owner.call, "PUT", f"/repo/{repo_id}", {"name": secret}),
        (place.owner.call, "PUT", f"/repo/{repo_id}", {"description": f"The key is {secret}."}),
        (place.owner.call, "POST", f"/repo/{repo_id}/ai/apikey", {"name": secret, "aiType": "OPENAI"}),
        (place.owner.call, "POST", "/apikeys", {**stored, "endpoint": place.provider, "description": secret}),
    ):
        refused = thrown(call, *arguments)
        assert refused.status == 400
        assert "looks like a secret" in refused.data["message"]
        assert secret not in str(refused.data)
    place.owner.get_system_events(skip=0, take=100)
    assert secret.encode() not in place.owner.seen[-1].body


def test_a_body_in_chunks_is_read_like_any_other_and_bounded_like_any_other(place: Place) -> None:
    for method, path, _ in BODIES:
        url = f"{place.url}{address(path)}"
        for body, status in ((b'{"no_such_field": 1}', 400), (b'{"name": "' + b"x" * 300_000 + b'"}', 413)):
            answers = [place.owner.fetch(method, url, body), in_chunks(place, method, url, body)]
            assert [one.status for one in answers] == [status, status], (method, path)
            assert answers[0].body == answers[1].body, (method, path)


def in_chunks(place: Place, method: str, url: str, body: bytes) -> Answer:
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    sent = {**place.owner.headers, "Content-Type": "application/json"}
    with suppress(BrokenPipeError, ConnectionResetError):  # the server may answer before it has read all
        link.request(method, parts.path, iter([body[:9], body[9:]]), sent, encode_chunked=True)
    got = link.getresponse()
    answer = Answer(got.status, got.reason, dict(got.getheaders()), got.read())
    link.close()
    return answer
