"""One tiny message in the dialect of each provider: describe its request, and judge the answer.

It is the only request of ours that may cost, and the only proof where a list of models proves nothing, or where an
account lists models with an empty purse. No word of the reply is kept.

Forms: https://platform.openai.com/docs/api-reference/chat/create, https://docs.claude.com/en/api/messages,
https://ai.google.dev/api/generate-content, https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html,
https://learn.microsoft.com/azure/ai-foundry/openai/reference (calls name the deployment, not the model).
"""

import json
import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from ai_llm.models import Type
from ai_llm.providers import (
    PROVIDERS,
    addresses,
    answers,
    bedrock,
    claude,
    gemini,
    openai_form,
    recipes,
    signature,
    vertex,
)
from ai_llm.providers.facts import Error, Judgement, Recipe, UnprovableError
from flashback.outbound import Answer, Request

WORDS = "Reply with OK."
# Tokens that an answer may take: enough for a short one, and enough to think first. One token fails at models that
# reason (https://github.com/BerriAI/litellm/issues/26987).
ROOM, ROOM_TO_THINK = 16, 512
OLD_LIMIT, NEW_LIMIT = "max_tokens", "max_completion_tokens"
AZURE_VERSION = "2024-10-21"

ANSWERED = frozenset({"message_answered", "message_answered_openly", "message_unfinished"})

NOT_THERE = re.compile(
    r"\bmodels?\b.{0,200}\b(?:not exist|not found|not a valid|unknown|invalid|unavailable)|deployment.{0,80}not exist"
    r"|\b(?:invalid|unknown|no such|unable to access)\b.{0,40}\bmodel\b|not a valid model|\A(?:the )?model[: ]",
    re.IGNORECASE | re.DOTALL,
)
NO_CHAT = re.compile(r"not a chat model|support(?:ed)? (?:the )?chat|only supported in v1/responses", re.IGNORECASE)
PROFILE = re.compile(r"inference profile|on-demand throughput", re.IGNORECASE)
NO_ACCESS = re.compile(r"access to the model|model access is denied", re.IGNORECASE)
# MiniMax says so with 500 and with 429: https://github.com/MiniMax-AI/MiniMax-M2/issues/62
PURSE = re.compile(r"insufficient (?:balance|credit|funds)|credit balance|out of credit", re.IGNORECASE)


@dataclass(frozen=True)
class Message:
    """What is asked for: a model, how many tokens it may answer with, and what the field for that is called."""

    model: str
    room: int
    limit: str = OLD_LIMIT


@dataclass(frozen=True)
class _Reply:
    """What a successful answer says about itself: whether a word was said, whether it was cut short, and tokens."""

    spoke: bool
    cut: bool
    tokens_in: Any = None
    tokens_out: Any = None


def first(type: str, endpoint: str, model: str, *, thinks: bool) -> Message:
    """Return the message to begin with. Only OpenAI's own hosts are known to want the new name of the limit."""
    recipe = _recipe(type, endpoint)
    new = _dialect(type, endpoint) == "openai" and recipe is not None and recipe.slug in {"openai", "azure"}
    return Message(model, ROOM_TO_THINK if thinks else ROOM, NEW_LIMIT if new else OLD_LIMIT)


def again(message: Message, answer: Answer, judgement: Judgement) -> Message | None:
    """Return how to ask once more when the answer says what was wrong with the form: the limit's name, or the room."""
    if judgement.cause == "message_unfinished" and message.room < ROOM_TO_THINK:
        return replace(message, room=ROOM_TO_THINK)
    if answer.status in {400, 422} and re.search(rf"\b{message.limit}\b", answers.error_of(answer).message):
        return replace(message, limit=NEW_LIMIT if message.limit == OLD_LIMIT else OLD_LIMIT)
    return None


def names_deployments(type: str, endpoint: str) -> bool:
    """Return whether calls name a deployment that no list shows, as at Azure."""
    recipe = _recipe(type, endpoint)
    return recipe is not None and recipe.slug == "azure"


def origins(type: str, endpoint: str) -> tuple[str, ...]:
    """Return the origins besides the endpoint's own that a message may go to: Bedrock's runtime host, derived."""
    runtime = bedrock.runtime_base(endpoint) if type == Type.AWS else ""
    return (addresses.origin_of(runtime),) if runtime else ()


def describe(type: str, endpoint: str, secret: str, key: str, message: Message, *, account: str = "") -> Request:
    """Return the request that sends the message. Raises `UnprovableError` for values that no request can be made of.

    `account` is the key file of a service account where `secret` is the token that it was traded for.
    """
    if type == Type.AWS:
        return _converse(endpoint, secret, key, message)
    dialect = _dialect(type, endpoint)
    if dialect == "gemini":
        return _generate(endpoint, secret, message, account)
    if dialect == "anthropic":
        headers = {**openai_form.authorization(secret, "x-api-key"), "anthropic-version": claude.VERSION}
        url = claude.address(endpoint).partition("?")[0].removesuffix("/models") + "/messages"
        return _post(url, headers, {"model": message.model, "max_tokens": message.room, "messages": _turns()})
    recipe = recipes.pick(endpoint)
    headers = openai_form.authorization(secret, recipe.header if recipe else "Authorization")
    if key and type == Type.OTHER:
        headers["x-api-key"] = key
    asked = {"model": message.model, "messages": _turns(), message.limit: message.room}
    return _post(_chat_address(endpoint, recipe, message.model), headers, asked)


def judge(type: str, endpoint: str, answer: Answer, model: str, *, open: bool = False) -> Judgement:
    """Return what the answer means; `open` says that it was asked without a secret. Never raises.

    The facts hold `model`, and of an answer `tokens_in`, `tokens_out` and `tokens` (both in words).
    """
    if 200 <= answer.status < 300:
        return _of_reply(type, endpoint, answer, model, open=open)
    judgement = PROVIDERS[type].judge(answer, endpoint)
    error = answers.error_of(answer)
    cause = _cause(answer.status, error, judgement.cause) if error.spoken else judgement.cause
    return replace(judgement, cause=cause, facts={**judgement.facts, "model": model})


def _of_reply(type: str, endpoint: str, answer: Answer, model: str, *, open: bool) -> Judgement:
    value = answers.read(answer.body)
    reply = _READERS[_dialect(type, endpoint)](value) if isinstance(value, dict) else None
    if reply is None:
        error = answers.error_of(answer)
        cause = "no_credit" if PURSE.search(error.message) else ""
        seen = "web_page" if answers.is_web_page(answer) else "unexpected_form"
        return Judgement(cause or seen, {"model": model}, (), error.code, error.message)
    counted = {"tokens_in": _count(reply.tokens_in), "tokens_out": _count(reply.tokens_out)}
    facts: dict[str, str | int] = {name: number for name, number in counted.items() if number is not None}
    facts = {"model": model, "tokens": _in_words(counted["tokens_in"], counted["tokens_out"]), **facts}
    if reply.cut and not reply.spoke:
        return Judgement("message_unfinished", facts)
    return Judgement("message_answered_openly" if open else "message_answered", facts)


def _cause(status: int, error: Error, cause: str) -> str:
    """Return what a refusal means for a message, where that is more than it means for a list."""
    about = error.message
    if cause in {"key_rejected", "key_expired", "shielded", "redirected"}:
        return cause
    if PURSE.search(about):
        return "no_credit"
    if status in {400, 403, 404, 422}:
        rows = (
            (PROFILE, "profile_needed"), (NO_CHAT, "message_refused"), (NO_ACCESS, "model_not_allowed"),
        )  # fmt: skip
        found = next((meant for words, meant in rows if words.search(about)), "")
        if found:
            return found
        if status != 403 and (NOT_THERE.search(about) or cause == "model_unknown"):
            return "model_not_there"
    return _FOR_A_MESSAGE.get(cause, cause)


# What the table for lists calls otherwise.
_FOR_A_MESSAGE = {
    "scope_missing": "calls_not_permitted",
    "model_unknown": "model_not_there",
    "model_forbidden": "model_not_allowed",
    "bad_request": "message_refused",
}


# --- The dialects -----------------------------------------------------------------------------------------------------


def _dialect(type: str, endpoint: str) -> str:
    if type == Type.GOOGLE:
        return "openai" if addresses.path_of(endpoint).endswith("/openai") else "gemini"
    return {Type.ANTHROPIC: "anthropic", Type.AWS: "bedrock"}.get(Type(type), "openai")


def _recipe(type: str, endpoint: str) -> Recipe | None:
    return PROVIDERS[type].recipe(endpoint)


def _post(url: str, headers: dict[str, str], content: dict[str, Any]) -> Request:
    return Request("POST", url, {**headers, "Content-Type": "application/json"}, json.dumps(content).encode())


def _turns() -> list[dict[str, str]]:
    return [{"role": "user", "content": WORDS}]


def _chat_address(endpoint: str, recipe: Recipe | None, model: str) -> str:
    """Return the URL of chat completions; the older addresses of Azure name the deployment and a version."""
    if recipe is None or recipe.slug != "azure":
        return f"{openai_form.base_of(endpoint)}/chat/completions"
    path = addresses.once(addresses.path_of(endpoint))
    old = re.fullmatch(r"(.*/openai)(?:/deployments/[^/]+)?", path)
    if old is None:
        return f"{openai_form.base_of(endpoint)}/chat/completions"
    named = path if "/deployments/" in path else f"{path}/deployments/{quote(model, safe='')}"
    return f"{addresses.with_path(endpoint, f'{named}/chat/completions')}?api-version={AZURE_VERSION}"


def _generate(endpoint: str, secret: str, message: Message, account: str) -> Request:
    model = quote(message.model.rpartition("models/")[2], safe="")
    at_vertex = vertex.recipe(endpoint) is not None
    base = _vertex_base(endpoint, account) if at_vertex else gemini.address(endpoint).partition("?")[0]
    header = "Authorization" if at_vertex else "x-goog-api-key"
    content = {
        "contents": [{"role": "user", "parts": [{"text": WORDS}]}],
        "generationConfig": {"maxOutputTokens": message.room},
    }
    return _post(f"{base}/{model}:generateContent", openai_form.authorization(secret, header), content)


def _vertex_base(endpoint: str, account: str) -> str:
    """Return where the models of a project are called: project and region of the path, else of key file and host.

    https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
    """
    named = re.search(r"/projects/([^/]+)/locations/([^/]+)", addresses.path_of(endpoint))
    host = vertex.HOST.fullmatch(addresses.host_of(endpoint))
    document = answers.read(account.encode("utf-8", "replace"))
    project = named[1] if named else document.get("project_id") if isinstance(document, dict) else ""
    if not isinstance(project, str) or not project:
        raise UnprovableError("service_account_unreadable")
    region = named[2] if named else (host and host[1]) or "global"
    base = vertex.address(endpoint).partition("/v1beta1/")[0]
    return f"{base}/v1/projects/{quote(project, safe='')}/locations/{region}/publishers/google/models"


def _converse(endpoint: str, secret: str, key: str, message: Message) -> Request:
    base = bedrock.runtime_base(endpoint) or addresses.with_path(endpoint, addresses.path_of(endpoint))
    content = {
        "messages": [{"role": "user", "content": [{"text": WORDS}]}],
        "inferenceConfig": {"maxTokens": message.room},
    }
    request = _post(f"{base}/model/{quote(message.model, safe='')}/converse", {}, content)
    if not key:
        return replace(request, headers={**request.headers, **openai_form.authorization(secret)})
    region = bedrock.region_of(endpoint)
    if key.startswith("ASIA") or not region:
        raise UnprovableError("temporary_key" if key.startswith("ASIA") else "region_unknown")
    signed = signature.sign(
        request.url, key_id=key, secret=secret, region=region, service="bedrock", method="POST", body=request.body
    )
    return replace(request, headers={"Accept": "application/json", **request.headers, **signed})


def _of_openai(value: dict[str, Any]) -> _Reply | None:
    choice = _first(value.get("choices"))
    message = choice.get("message") if choice else None
    if choice is None or not isinstance(message, dict):
        return None
    spoke = any(message.get(name) for name in ("content", "refusal", "tool_calls"))
    usage = _of(value, "usage")
    cut = choice.get("finish_reason") == "length"
    return _Reply(spoke, cut, usage.get("prompt_tokens"), usage.get("completion_tokens"))


def _of_anthropic(value: dict[str, Any]) -> _Reply | None:
    if not isinstance(value.get("content"), list):
        return None
    usage = _of(value, "usage")
    cut = value.get("stop_reason") == "max_tokens"
    return _Reply(_texts(value["content"]), cut, usage.get("input_tokens"), usage.get("output_tokens"))


def _of_gemini(value: dict[str, Any]) -> _Reply | None:
    if not isinstance(value.get("candidates"), list) and "promptFeedback" not in value:
        return None
    candidate, usage = _first(value.get("candidates")) or {}, _of(value, "usageMetadata")
    thoughts, said = _count(usage.get("thoughtsTokenCount")), _count(usage.get("candidatesTokenCount"))
    spoke = _texts(_of(candidate, "content").get("parts"))
    out = None if thoughts is said is None else (thoughts or 0) + (said or 0)
    return _Reply(spoke, candidate.get("finishReason") == "MAX_TOKENS", usage.get("promptTokenCount"), out)


def _of_bedrock(value: dict[str, Any]) -> _Reply | None:
    content = _of(_of(value, "output"), "message").get("content")
    if not isinstance(content, list):
        return None
    usage = _of(value, "usage")
    return _Reply(
        _texts(content), value.get("stopReason") == "max_tokens", usage.get("inputTokens"), usage.get("outputTokens")
    )


_READERS = {"openai": _of_openai, "anthropic": _of_anthropic, "gemini": _of_gemini, "bedrock": _of_bedrock}


def _of(holder: dict[str, Any], name: str) -> dict[str, Any]:
    inner = holder.get(name)
    return inner if isinstance(inner, dict) else {}


def _first(rows: Any) -> dict[str, Any] | None:
    return rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else None


def _texts(parts: Any) -> bool:
    return isinstance(parts, list) and any(isinstance(part, dict) and part.get("text") for part in parts)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else None


def _in_words(tokens_in: int | None, tokens_out: int | None) -> str:
    if tokens_in is None or tokens_out is None:
        return ""
    return f", with {tokens_in} token{'' if tokens_in == 1 else 's'} in and {tokens_out} out"
