"""What the API is tried on: an organization with something of everything, made over the API itself.

The answer is what `tests.soak_hooks` reads. `paths` are ids by address; `once` are those that one call of an operation
uses up; `bodies` are bodies that are right, where {n} is a number that is new each time.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ai_llm.sandbox import SECRETS
from tests.console import EMAIL, PASSWORD
from tests.typescript_client import ApiClient

VISITOR = "vera.visitor@example.com"
NAMES = {"firstName": "Sam", "lastName": "Smith"}
WRONG = "wrong-secret-0123456789"
Ids = list[dict[str, str]]


def made(client: ApiClient, provider: str, times: int) -> dict[str, Any]:
    """Make all of it as the owner that `client` is signed in as; `times` of what one call uses up."""
    maker = Maker(client, provider, client.get_workspaces()["workspaces"][0]["id"])
    visitor, member = maker.person(VISITOR), maker.person("mia.member@example.com")
    llms = [maker.ai_llm(f"llm {n}") for n in range(3)]
    repos = [maker.repo(f"repo {n}", *llms) for n in range(2)]
    spaces = [maker.workspace(f"Room {n}") for n in range(2)]
    for space in spaces:
        client.add_workspace_user(space, userId=member, role="READ")
    return {
        "paths": maker.paths(llms, repos, spaces, [visitor, member]),
        "once": maker.once(repos[0], [{"workspace_id": spaces[1], "user_id": member}], times),
        "bodies": maker.bodies(llms, repos[0]) | maker.bodies_of_people(visitor),
    }


def renewal(client: ApiClient) -> dict[str, Any]:
    """Return the body of a renewal, for one run: a refresh token is good once."""
    return {"POST /user/refresh": {"refresh_token": client.login(email=VISITOR, password=PASSWORD)["refreshToken"]}}


@dataclass(frozen=True)
class Maker:
    """Makes one thing of each kind; `main` is the workspace that it is in."""

    client: ApiClient
    provider: str
    main: str

    @property
    def connection(self) -> dict[str, str]:
        return {"aiType": "OTHER", "endpoint": self.provider, "secret": SECRETS.openai}

    def person(self, email: str, **values: Any) -> str:
        given = values or {"password": PASSWORD}
        return str(self.client.create_organization_user(email=email, **NAMES, **given)["data"]["id"])

    def invitation(self, email: str) -> str:
        return str(self.client.call("POST", "/organization/invitations", {"email": email})["invitation"]["id"])

    def workspace(self, name: str) -> str:
        return str(self.client.create_workspace(name=name)["workspace"]["id"])

    def ai_llm(self, name: str, *secrets: str) -> str:
        """An AI LLM whose secret was rotated to each of `secrets`."""
        row = str(self.client.create_ai_llm(name=name, workspaceId=self.main, **self.connection)["aiLlmId"])
        for secret in secrets:
            self.client.call("POST", f"/ai/llm/{row}/rotate", {"secret": secret})
        return row

    def provider_key(self, name: str) -> str:
        values = {"provider": "OTHER", "endpoint": self.provider, "secret": SECRETS.openai, "description": name}
        return str(self.client.create_api_key(workspaceId=self.main, **values)["apiKeyId"])

    def repo(self, name: str, *attached: str) -> str:
        wanted = [{"aiLlmId": one} for one in attached]
        return str(self.client.create_storage_repo(name=name, workspaceId=self.main, repoAiLlms=wanted)["repoId"])

    def key(self, repo: str, name: str, *, rotated: bool = False) -> dict[str, str]:
        key = str(self.client.create_repo_ai_api_key(repo, name=name, aiType="OPENAI")["id"])
        if rotated:
            later = {"keepUntil": (datetime.now(UTC) + timedelta(days=9)).isoformat()}
            self.client.call("POST", f"/repo/{repo}/ai/apikey/{key}/rotate", later)
        return {"id": repo, "key": key}

    def paths(self, llms: list[str], repos: list[str], spaces: list[str], people: list[str]) -> dict[str, Ids]:
        """Ids by address."""
        persons = [{"user_id": one} for one in people]
        rooms = [{"workspace_id": one} for one in spaces]
        keys = [self.key(one, "shop") for one in repos]
        found: dict[str, Ids] = {
            "/user/{user_id}": persons,
            "/user/{user_id}/role": persons,
            "/organization/{org_id}": [{"org_id": self.client.get_user_profile()["data"]["orgId"]}],
            "/organization/users/{user_id}": persons,
            "/organization/users/{user_id}/activate": persons,
            "/organization/invitations/{id}": [{"id": self.invitation("ivy@example.com")}],
            "/workspace/{workspace_id}": rooms,
            "/workspace/{workspace_id}/users": rooms,
            "/workspace/{workspace_id}/users/{user_id}": [{**one, "user_id": people[1]} for one in rooms],
            "/apikeys/{id}": [{"id": self.provider_key("shared")}],
            "/repo/{id}/attachments/{ai_llm}": [{"id": one, "ai_llm": llm} for one in repos for llm in llms],
            **{f"/repo/{{id}}/ai/apikey/{{key}}{end}": keys for end in ("", "/rotate")},
        }
        ends = ("", "/disable", "/enable", "/validate", "/message", "/diagnostics", "/checks", "/rotate")
        found |= {f"/ai/llm/{{id}}{end}": [{"id": one} for one in llms] for end in (*ends, "/attachments/move")}
        ends = ("", "/validate", "/disable", "/enable", "/attachments", "/models", "/ai/apikey")
        return found | {f"/repo/{{id}}{end}": [{"id": one} for one in repos] for end in ends}

    def once(self, repo: str, members: Ids, times: int) -> dict[str, Ids]:
        """Ids that one call of an operation uses up, by operation."""
        several = range(times)
        waiting = [{"id": self.ai_llm(f"waiting {n}", WRONG)} for n in range(3 * times)]
        former = [{"id": self.ai_llm(f"former {n}", SECRETS.openai)} for n in range(2 * times)]
        gone = [self.client.login(email=EMAIL, password=PASSWORD)["tokenId"] for _ in several]
        invited = [self.person(f"invited{n}@example.com", sendInvite=True) for n in several]
        return {
            "DELETE /token/{token_id}": [{"token_id": one} for one in gone],
            "DELETE /organization/users/{user_id}": [{"user_id": self.person(f"g{n}@example.com")} for n in several],
            "POST /organization/users/{user_id}/resend-invitation": [{"user_id": one} for one in invited],
            "POST /organization/users/{user_id}/ownership": [{"user_id": self.person("olaf@example.com")}],
            "POST /organization/invitations/{id}/resend": [{"id": self.invitation(f"r{n}@x.example")} for n in several],
            "POST /organization/invitations/{id}/withdraw": [
                {"id": self.invitation(f"w{n}@x.example")} for n in several
            ],
            "DELETE /workspace/{workspace_id}": [{"workspace_id": self.workspace(f"Gone {n}")} for n in several],
            "DELETE /workspace/{workspace_id}/users/{user_id}": members,
            "DELETE /ai/llm/{id}": [{"id": self.ai_llm(f"gone {n}")} for n in several],
            "DELETE /apikeys/{id}": [{"id": self.provider_key(f"gone {n}")} for n in several],
            "DELETE /repo/{id}": [{"id": self.repo(f"gone {n}")} for n in several],
            "DELETE /repo/{id}/ai/apikey/{key}": [self.key(repo, f"gone {n}") for n in several],
            "DELETE /repo/{id}/ai/apikey/{key}/former": [self.key(repo, f"old {n}", rotated=True) for n in several],
            "POST /ai/llm/{id}/rotate/retry": waiting[:times],
            "POST /ai/llm/{id}/rotate/take-over": waiting[times : 2 * times],
            "POST /ai/llm/{id}/rotate/discard": waiting[2 * times :],
            "POST /ai/llm/{id}/return": former[:times],
            "POST /ai/llm/{id}/retire": former[times:],
        }

    def bodies_of_people(self, visitor: str) -> dict[str, Any]:
        """Bodies about people and workspaces, by operation."""
        events = [one["id"] for one in self.client.get_system_events(skip=0, take=20)["events"]]
        return {
            "POST /user/logout": {"refresh_token": "fbr_unknown"},
            "POST /user/login": {"email": VISITOR, "password": PASSWORD},
            "PUT /user/{user_id}": {"name": "Vera"},
            "PUT /user/{user_id}/role": {"orgRole": 0},
            "POST /organization/users": {"email": "new{n}@example.com", "password": PASSWORD, **NAMES},
            "PUT /organization/users/{user_id}": {"name": "Sam {n}"},
            "PUT /organization/{org_id}": {"city": "City {n}"},
            "POST /organization/invitations": {"email": "invite{n}@example.com"},
            "POST /organization/invitations/{id}/resend": {"byMail": False},
            "POST /workspace": {"name": "Workspace {n}"},
            "PUT /workspace/{workspace_id}": {"name": "Room of {n}"},
            "POST /workspace/{workspace_id}/users": {"userId": visitor, "role": "READ"},
            "PUT /workspace/{workspace_id}/users/{user_id}": {"role": "WRITE"},
            "POST /systemevent": {"skip": 0, "take": 5},
            "POST /systemevent/read": {"ids": events},
            "DELETE /systemevent/read": {"ids": events},
        }

    def bodies(self, llms: list[str], repo: str) -> dict[str, Any]:
        """Bodies about AI LLMs and repositories, by operation."""
        mine, shared = {"workspaceId": self.main}, {"provider": "OTHER", "endpoint": self.provider}
        return {
            "POST /ai/llm": {"name": "new llm {n}", **mine, **self.connection},
            "PUT /ai/llm/{id}": {"name": "llm of {n}", "notes": "n"},
            "POST /ai/llm/test": {**mine, **self.connection},
            "POST /ai/llm/{id}/message": {"model": "gpt-4o-mini"},
            "POST /ai/llm/{id}/rotate": {"secret": SECRETS.openai, "keep": "1h"},
            "POST /ai/llm/{id}/rotate/retry": {"keep": "1h"},
            "POST /ai/llm/{id}/rotate/take-over": {"keep": "1h"},
            "POST /ai/llm/{id}/attachments/move": {"aiLlmId": llms[1]},
            "POST /apikeys": {"name": "pk {n}", **shared, "secret": SECRETS.openai, **mine},
            "PUT /apikeys/{id}": {"description": "For {n}"},
            "POST /repo": {"name": "new repo {n}", **mine, "repoAiLlms": [{"aiLlmId": llms[0]}]},
            "PUT /repo/{id}": {"name": "repo of {n}", "repoAiLlms": [{"aiLlmId": one} for one in llms]},
            "POST /repo/validate": {"repoId": repo, "mode": "NORMAL", "repoBuckets": []},
            "POST /repo/{id}/validate": {"mode": "NORMAL"},
            "POST /repo/{id}/attachments": {"aiLlmIds": llms},
            "PUT /repo/{id}/attachments": {"aiLlmIds": llms},
            "PUT /repo/{id}/attachments/{ai_llm}": {"place": 1, "modelPatterns": ["gpt-*"]},
            "POST /ai/models": {"repoId": repo},
            "POST /repo/{id}/ai/apikey": {"name": "key {n}", "aiType": "OPENAI"},
            "PUT /repo/{id}/ai/apikey/{key}": {"name": "key of {n}"},
            "POST /repo/{id}/ai/apikey/{key}/rotate": {"keepUntil": None},
        }
