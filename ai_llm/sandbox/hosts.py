"""Hosts of the OpenAI form with answers of their own, each at its slug: /openrouter/api/v1, /deepseek, /cohere/….

The bodies are those that the sources of each recipe document or quote (ai_llm/providers/recipes). The secret of OpenAI
is right at all of them; the secrets of TROUBLED are known keys with that trouble.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ai_llm.sandbox.credentials import SECRETS, TROUBLED, Trouble
from ai_llm.sandbox.messages import Answer, Received
from ai_llm.sandbox.openai import MODELS, Host, azure_wrong_key, error, model_list

ANY = "any-secret-will-do-here"


@dataclass(frozen=True)
class Trial:
    """One thing to try: what to enter as API Endpoint and API Secret, and the cause that a check comes to."""

    type: str
    path: str
    secret: str
    cause: str


@dataclass(frozen=True)
class Hosted:
    """One host. `proof` is the path that speaks about the key, `proven` what it says of a right one.

    `troubles` are the answers for a known key with a trouble, and the causes they come to; `lists` are further paths
    with a list. `right` and `wrong` are the causes for a right and a wrong key; "" for a wrong one that is not tried.
    """

    name: str
    endpoint: str
    host: Host
    right: str = "accepted"
    wrong: str = "key_rejected"
    proof: str = ""
    method: str = "GET"
    proven: Mapping[str, Any] = field(default_factory=dict)
    troubles: Mapping[Trouble, tuple[Answer, str]] = field(default_factory=dict)
    lists: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, received: Received, path: str) -> Answer:
        """Answer a request whose path within this host is `path`."""
        troubled = self._troubled(received)
        if troubled and (path == self.proof or not self.proof):
            return troubled
        if path == self.proof and received.method == self.method:
            return self.host.refused(received) or Answer.json(200, self.proven)
        if path in self.lists and received.method == "GET":
            return self.host.refused(received) or Answer.json(200, self.lists[path])
        return self.host.answer(received, path)

    def trials(self) -> tuple[Trial, ...]:
        """Return what to try here: the right secret, a wrong one, and each trouble."""
        path = f"/{self.name}{self.endpoint}"
        secret = ANY if self.host.secret is None else SECRETS.openai
        wrong = [Trial("OTHER", path, "sandbox-secret-that-is-wrong", self.wrong)] if self.wrong else []
        given = {trouble: secret for secret, trouble in TROUBLED.items()}
        known = [Trial("OTHER", path, given[trouble], cause) for trouble, (_, cause) in self.troubles.items()]
        return (Trial("OTHER", path, secret, self.right), *wrong, *known)

    def _troubled(self, received: Received) -> Answer | None:
        trouble = TROUBLED.get(received.bearer() or received.header(self.host.header))
        found = self.troubles.get(trouble) if trouble else None
        return found[0] if found else None


def _says(status: int, content: object) -> Any:
    """Return a refusal that says `content` whatever the key."""
    return lambda _key: Answer.json(status, content)


def _key_of_openrouter(left: float) -> dict[str, Any]:
    about = {"label": "sandbox", "limit": 10, "usage": 10 - left, "limit_remaining": left, "is_free_tier": False}
    return {"data": about}


def _key_of_xai(**marks: bool) -> dict[str, Any]:
    about = {"redacted_api_key": "xai-...cdef", "name": "sandbox", "acls": ["api-key:model:*", "api-key:endpoint:*"]}
    return {**about, "team_blocked": False, "api_key_blocked": False, "api_key_disabled": False, **marks}


def _balance(available: bool) -> dict[str, Any]:
    amount = "110.00" if available else "0.00"
    return {"is_available": available, "balance_infos": [{"currency": "USD", "total_balance": amount}]}


def _token(role: str) -> dict[str, Any]:
    fine: dict[str, Any] = {"fineGrained": {"global": [], "scoped": []}} if role == "fineGrained" else {}
    return {
        "type": "user",
        "name": "sandbox",
        "auth": {"accessToken": {"displayName": "sandbox", "role": role, **fine}},
    }


def _said(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _ok(content: object, cause: str) -> tuple[Answer, str]:
    return Answer.json(200, content), cause


_LOCAL = ("llama3.2:3b", "qwen2.5:7b")
_UNAUTHORIZED = {"status": 401, "title": "Unauthorized", "detail": "Unauthorized"}
_TAGS = {"models": [{"name": model, "model": model} for model in _LOCAL]}
_CATALOG = [{"id": "openai/gpt-4.1", "name": "OpenAI GPT-4.1"}, {"id": "openai/gpt-4o", "name": "OpenAI GPT-4o"}]
_COHERE = {"models": [{"name": "command-a-03-2025", "endpoints": ["chat"]}]}
_CAP = "Your organization has reached its monthly spending limit."
_NETWORK = "Access denied due to Virtual Network/Firewall rules."
_DATA = (
    "The principal `sandbox` lacks the required data action `Microsoft.CognitiveServices/accounts/OpenAI/models/read` "
    "to perform `GET /openai/models` operation."
)
_AZURE = Host(base="/openai/v1", header="api-key", refusal=azure_wrong_key, owner="azure")

HOSTED = (
    # https://platform.openai.com/docs/guides/error-codes
    Hosted(
        "openai",
        "/v1",
        Host(),
        troubles={
            Trouble.DISABLED: (error(401, "This account has been deactivated.", "account_deactivated"), "key_disabled"),
        },
    ),
    # https://learn.microsoft.com/answers/questions/5847093 (a wrong key, or one of another resource),
    # https://learn.microsoft.com/azure/ai-services/cognitive-services-virtual-networks,
    # https://learn.microsoft.com/azure/ai-foundry/openai/how-to/role-based-access-control
    Hosted(
        "azure",
        "/openai/v1",
        _AZURE,
        wrong="wrong_resource",
        troubles={
            Trouble.BLOCKED: (Answer.json(403, _said("AccessDenied", _NETWORK)), "network_not_admitted"),
            Trouble.NO_RIGHTS: (Answer.json(401, _said("PermissionDenied", _DATA)), "scope_missing"),
        },
        lists={"/openai/models": model_list(MODELS, "azure")},
    ),
    Hosted("azure", "/openai", _AZURE, wrong="wrong_resource", lists={"/openai/models": model_list(MODELS, "azure")}),
    # https://docs.ollama.com/api/tags, https://docs.ollama.com/api/openai-compatibility
    Hosted(
        "ollama",
        "/v1",
        Host(secret=None, models=_LOCAL, owner="library"),
        "keys_not_checked",
        "",
        lists={"/api/tags": _TAGS, "/api/version": {"version": "0.12.0"}},
    ),
    Hosted(
        "lm-studio",
        "/v1",
        Host(secret=None, models=_LOCAL, owner="organization_owner"),
        "keys_not_checked",
        "",
    ),
    # https://github.com/ggml-org/llama.cpp/pull/14352
    Hosted(
        "llama-cpp", "/v1", Host(models=_LOCAL, owner="llamacpp", list_is_public=True), "public_list", "public_list"
    ),
    Hosted("cerebras", "/v1", Host()),
    Hosted(
        "cohere",
        "/compatibility/v1",
        Host(base="/compatibility/v1", refusal=_says(401, {"message": "invalid api token"})),
        proof="/v1/check-api-key",
        method="POST",
        proven={"valid": True, "organization_id": "sandbox", "owner_id": "sandbox"},
        troubles={Trouble.DISABLED: _ok({"valid": False}, "key_rejected")},
        lists={"/v1/models": _COHERE},
    ),
    # https://api-docs.deepseek.com/api/get-user-balance
    Hosted(
        "deepseek",
        "",
        Host(base="", refusal=lambda _key: error(401, "Authentication Fails (no such user)", "invalid_request_error")),
        proof="/user/balance",
        proven=_balance(available=True),
        troubles={Trouble.NO_CREDIT: _ok(_balance(available=False), "no_credit")},
    ),
    Hosted("fireworks", "/inference/v1", Host(base="/inference/v1")),
    Hosted(
        "groq",
        "/openai/v1",
        Host(base="/openai/v1", refusal=lambda _key: error(401, "Invalid API Key", "invalid_api_key")),
    ),
    Hosted("minimax", "/v1", Host(lists=False), "no_list", ""),
    Hosted("mistral", "/v1", Host(refusal=_says(401, {"detail": "Unauthorized"}))),
    Hosted(
        "nvidia",
        "/v1",
        Host(list_is_public=True, refusal=_says(401, _UNAUTHORIZED)),
        proof="/v2/nvcf/functions",
        proven={"functions": []},
    ),
    Hosted("ollama-cloud", "/v1", Host(list_is_public=True), "public_list", "public_list"),
    Hosted("perplexity", "", Host(base="", lists=False), "no_list", ""),
    # https://docs.together.ai/docs/error-codes
    Hosted(
        "together",
        "/v1",
        Host(
            bare=True, owner="Together", refusal=lambda _key: error(401, "Invalid API key provided", "invalid_api_key")
        ),
        troubles={Trouble.NO_CREDIT: (error(402, _CAP), "no_credit")},
    ),
    # https://docs.x.ai/docs/api-reference#get-api-key-information
    Hosted(
        "xai",
        "/v1",
        Host(
            refusal=_says(400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided"})
        ),
        proof="/v1/api-key",
        proven=_key_of_xai(),
        troubles={
            Trouble.DISABLED: _ok(_key_of_xai(api_key_disabled=True), "key_disabled"),
            Trouble.BLOCKED: _ok(_key_of_xai(team_blocked=True), "account_blocked"),
            Trouble.NO_RIGHTS: _ok({**_key_of_xai(), "acls": []}, "scope_missing"),
        },
    ),
    Hosted(
        "github-models",
        "/inference",
        Host(base="/inference", secret=SECRETS.openai, lists=False),
        lists={"/catalog/models": _CATALOG},
    ),
    Hosted(
        "hugging-face",
        "/v1",
        Host(list_is_public=True, refusal=_says(401, {"error": "Invalid credentials in Authorization header"})),
        proof="/api/whoami-v2",
        proven=_token("write"),
        troubles={Trouble.NO_RIGHTS: _ok(_token("fineGrained"), "calls_not_permitted")},
    ),
    Hosted("kilo", "/api/gateway", Host(base="/api/gateway", list_is_public=True), "public_list", "public_list"),
    Hosted("modelscope", "/v1", Host(list_is_public=True), "public_list", "public_list"),
    Hosted("opencode-zen", "/zen/v1", Host(base="/zen/v1", list_is_public=True), "public_list", "public_list"),
    # https://openrouter.ai/docs/api-reference/limits, https://github.com/tinyhumansai/openhuman/pull/2372
    Hosted(
        "openrouter",
        "/api/v1",
        Host(
            base="/api/v1",
            list_is_public=True,
            refusal=_says(401, {"error": {"message": "User not found.", "code": 401}}),
        ),
        proof="/api/v1/key",
        proven=_key_of_openrouter(7.5),
        troubles={Trouble.NO_CREDIT: _ok(_key_of_openrouter(0), "no_credit")},
    ),
    Hosted(
        "pollinations",
        "/v1",
        Host(
            list_is_public=True, refusal=_says(401, {"error": {"message": "Invalid API key", "code": "UNAUTHORIZED"}})
        ),
        proof="/account/key",
        proven={"valid": True, "type": "secret", "name": "sandbox", "pollenBudget": None},
        troubles={Trouble.DISABLED: _ok({"valid": False}, "key_rejected")},
    ),
    # https://vercel.com/docs/ai-gateway/usage
    Hosted(
        "vercel",
        "/v1",
        Host(
            list_is_public=True, refusal=_says(401, {"error": {"message": "Invalid API key", "type": "authentication"}})
        ),
        proof="/v1/credits",
        proven={"balance": "95.50", "total_used": "4.50"},
        troubles={Trouble.NO_CREDIT: _ok({"balance": "0", "total_used": "5"}, "no_credit")},
    ),
)

TRIALS = tuple(trial for row in HOSTED for trial in row.trials())
