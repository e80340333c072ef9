"""The public TypeScript client, in our own words: how it forms requests, reads answers, and fails.

Written from notes on the published package, version 0.3.13, whose requests were recorded on a socket. What looks odd is
odd there too: the token that stays, the leading slash, one parameter for a list, bodies without the undefined fields,
`getStorageRepo` that asks for a list. A keyword that is left out is `undefined`; None is `null`.
"""

import http.client
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

SURROGATE = re.compile("[\ud800-\udfff]")


class HttpError(Exception):
    """What the client throws for an answer that is not 2xx; `data` only when the answer says application/json."""

    def __init__(self, status: int, status_text: str, data: Any) -> None:
        super().__init__(f"HTTP Error {status}: {status_text}")
        self.status, self.status_text, self.data = status, status_text, data


class InvalidAnswer(Exception):
    """A 2xx answer that is not JSON."""


@dataclass
class Answer:
    """One answer as it came over the wire."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ApiClient:
    """`base_url` has no slash at its end; one there would be doubled. `seen` holds every answer."""

    base_url: str = "https://api.flashback.tech"
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[Answer] = field(default_factory=list)

    def set_auth_token(self, token: str | None) -> None:
        """Keep a token for the calls that follow. None changes nothing: the client never drops the header."""
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, data: Any = None, **headers: str) -> Any:
        """Send one request and read its answer as the client does. No body goes out for `data` null."""
        body = None if data is None else stringify(data)
        answer = self.fetch(method, f"{self.base_url}/{path.removeprefix('/')}", body, headers)
        if 200 <= answer.status < 300:
            if not answer.body:
                return None
            try:
                return json.loads(answer.body)
            except ValueError:
                raise InvalidAnswer("Invalid JSON response from server") from None
        readable = "application/json" in answer.headers.get("content-type", "")
        try:
            found = json.loads(answer.body) if readable else None
        except ValueError:
            found = None
        raise HttpError(answer.status, answer.reason, found)

    def fetch(self, method: str, url: str, body: bytes | None, more: dict[str, str] | None = None) -> Answer:
        """Send bytes over a socket. A redirect is an error here: the real one would repeat a POST as a GET."""
        parts = urlsplit(url)
        sent = {"Accept": "*/*", "User-Agent": "node", **self.headers, **(more or {})}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        elif method in {"POST", "PUT"}:
            sent["Content-Length"] = "0"
        link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            link.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, sent)
            got = link.getresponse()
            headers = {name.lower(): value for name, value in got.getheaders()}
            answer = Answer(got.status, got.reason, headers, got.read())
        finally:
            link.close()
        self.seen.append(answer)
        assert not 300 <= answer.status < 400, f"{method} {url} is redirected to {answer.headers.get('location')}"
        return answer

    # --- People ---

    def login(self, **data: Any) -> Any:
        return self.call("POST", "/user/login", data)

    def refresh_token(self, refresh_token: str) -> Any:
        return self.call("POST", "/user/refresh", {"refresh_token": refresh_token})

    def logout(self, refresh_token: str) -> Any:
        return self.call("POST", "/user/logout", {"refresh_token": refresh_token})

    def get_user_profile(self) -> Any:
        return self.call("GET", "/user/profile")

    def get_user(self, user_id: str) -> Any:
        return self.call("GET", f"/user/{user_id}")

    def update_user(self, user_id: str, **data: Any) -> Any:
        return self.call("PUT", f"/user/{user_id}", data)

    def update_user_role(self, user_id: str, role: int) -> Any:
        return self.call("PUT", f"/user/{user_id}/role", {"orgRole": role})

    def get_tokens(self) -> Any:
        return self.call("GET", "/token")

    def delete_token(self, token_id: str) -> Any:
        return self.call("DELETE", f"/token/{token_id}")

    # --- Organization ---

    def get_organization(self, org_id: str) -> Any:
        return self.call("GET", f"/organization/{org_id}")

    def update_organization(self, org_id: str, **data: Any) -> Any:
        return self.call("PUT", f"/organization/{org_id}", data)

    def list_organization_users(self) -> Any:
        return self.call("GET", "/organization/users")

    def create_organization_user(self, **data: Any) -> Any:
        return self.call("POST", "/organization/users", data)

    def get_organization_user(self, user_id: str) -> Any:
        return self.call("GET", f"/organization/users/{user_id}")

    def update_organization_user(self, user_id: str, **data: Any) -> Any:
        return self.call("PUT", f"/organization/users/{user_id}", data)

    def delete_organization_user(self, user_id: str) -> Any:
        return self.call("DELETE", f"/organization/users/{user_id}")

    def activate_organization_user(self, user_id: str) -> Any:
        return self.call("POST", f"/organization/users/{user_id}/activate")

    def resend_invitation(self, user_id: str) -> Any:
        return self.call("POST", f"/organization/users/{user_id}/resend-invitation")

    # --- Workspaces ---

    def create_workspace(self, **data: Any) -> Any:
        return self.call("POST", "/workspace", data)

    def get_workspaces(self) -> Any:
        return self.call("GET", "/workspace")

    def get_workspace(self, workspace_id: str) -> Any:
        return self.call("GET", f"/workspace/{workspace_id}")

    def update_workspace(self, workspace_id: str, **data: Any) -> Any:
        return self.call("PUT", f"/workspace/{workspace_id}", data)

    def delete_workspace(self, workspace_id: str) -> Any:
        return self.call("DELETE", f"/workspace/{workspace_id}")

    def add_workspace_user(self, workspace_id: str, **data: Any) -> Any:
        return self.call("POST", f"/workspace/{workspace_id}/users", data)

    def update_workspace_user(self, workspace_id: str, user_id: str, **data: Any) -> Any:
        return self.call("PUT", f"/workspace/{workspace_id}/users/{user_id}", data)

    def remove_workspace_user(self, workspace_id: str, user_id: str) -> Any:
        return self.call("DELETE", f"/workspace/{workspace_id}/users/{user_id}")

    # --- AI LLMs, models, provider keys ---

    def create_ai_llm(self, **data: Any) -> Any:
        return self.call("POST", "/ai/llm", data)

    def get_ai_llms(self, workspace_id: str | None = None) -> Any:
        return self.call("GET", "/ai/llm" + query(workspaceId=workspace_id))

    def get_available_ai_llms(self) -> Any:
        return self.call("GET", "/ai/llm/available")

    def get_ai_llm_stats(self, ai_llm_id: str | None = None) -> Any:
        return self.call("GET", "/ai/llm/stats" + query(aiLlmId=ai_llm_id))

    def update_ai_llm(self, ai_llm_id: str, **data: Any) -> Any:
        return self.call("PUT", f"/ai/llm/{ai_llm_id}", data)

    def delete_ai_llm(self, ai_llm_id: str) -> Any:
        return self.call("DELETE", f"/ai/llm/{ai_llm_id}")

    def validate_ai_llm(self, ai_llm_id: str) -> Any:
        return self.call("POST", f"/ai/llm/{ai_llm_id}/validate")

    def get_ai_models(self, **data: Any) -> Any:
        return self.call("POST", "/ai/models", data)

    def get_api_keys(self, **filters: Any) -> Any:
        return self.call("GET", "/apikeys" + query(**filters))

    def create_api_key(self, **data: Any) -> Any:
        return self.call("POST", "/apikeys", data)

    def update_api_key(self, api_key_id: str, **data: Any) -> Any:
        return self.call("PUT", f"/apikeys/{api_key_id}", data)

    def delete_api_key(self, api_key_id: str) -> Any:
        return self.call("DELETE", f"/apikeys/{api_key_id}")

    def get_providers(self) -> Any:
        return self.call("GET", "/providers")

    # --- Repositories and their keys ---

    def create_storage_repo(self, **data: Any) -> Any:
        return self.call("POST", "/repo", data)

    def get_storage_repos(self, **filters: Any) -> Any:
        return self.call("GET", "/repo" + query(**filters))

    def get_storage_repo(self, repo_id: str) -> Any:
        """Ask for a list and take its first one; an empty list is `success: false`, and nothing is thrown."""
        found = self.get_storage_repos(repoId=repo_id)
        repos = found["repos"]
        return {"success": True, "repo": repos[0]} if repos else {"success": False, "repo": {}}

    def update_storage_repo(self, repo_id: str, **data: Any) -> Any:
        return self.call("PUT", f"/repo/{repo_id}", data)

    def delete_storage_repo(self, repo_id: str) -> Any:
        return self.call("DELETE", f"/repo/{repo_id}")

    def create_repo_ai_api_key(self, repo_id: str, **data: Any) -> Any:
        return self.call("POST", f"/repo/{repo_id}/ai/apikey", data)

    def get_repo_ai_api_keys(self, repo_id: str) -> Any:
        return self.call("GET", f"/repo/{repo_id}/ai/apikey")

    def update_repo_ai_api_key(self, repo_id: str, key_id: str, **data: Any) -> Any:
        return self.call("PUT", f"/repo/{repo_id}/ai/apikey/{key_id}", data)

    def delete_repo_ai_api_key(self, repo_id: str, key_id: str) -> Any:
        return self.call("DELETE", f"/repo/{repo_id}/ai/apikey/{key_id}")

    # --- System events ---

    def get_system_events(self, **data: Any) -> Any:
        return self.call("POST", "/systemevent", data)

    def mark_events_read(self, **data: Any) -> Any:
        return self.call("POST", "/systemevent/read", data)

    def mark_events_unread(self, **data: Any) -> Any:
        return self.call("DELETE", "/systemevent/read", data)


def stringify(data: Any) -> bytes:
    """Return what JSON.stringify sends: no blanks, letters as they are, half a surrogate pair as an escape."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def query(**values: Any) -> str:
    """Return the query as URLSearchParams writes it: a list is one value joined by commas, a blank becomes a plus.

    What is None or "" is left out, and without anything there is no question mark.
    """
    kept = {name: _word(value) for name, value in values.items() if value is not None and value != ""}
    return f"?{urlencode(kept)}" if kept else ""


def segment(text: str) -> str:
    """Return `text` as encodeURIComponent writes it."""
    return quote(text, safe="-_.!~*'()")


def _word(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_word, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
