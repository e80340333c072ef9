"""The dialect of OpenAI, and of the many hosts that copy it with small differences.

Paths and shapes: https://github.com/openai/openai-openapi (openapi.yaml, /models and /chat/completions).
Errors: https://platform.openai.com/docs/guides/error-codes
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ai_llm.sandbox.credentials import SECRETS
from ai_llm.sandbox.messages import Answer, Received, same

MODELS = ("gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini", "o4-mini", "text-embedding-3-small")
SENTENCE = "The sandbox provider hears you."


def error(
    status: int,
    message: str,
    code: str | None = None,
    kind: str = "invalid_request_error",
    headers: dict[str, str] | None = None,
) -> Answer:
    """Return an error in OpenAI's form: one object `error` with message, type, param and code."""
    content = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Answer.json(status, content, headers)


def wrong_key(key: str) -> Answer:
    """Return OpenAI's 401; its text repeats part of the key (help.openai.com, article 6882433)."""
    if not key:
        return error(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY). You can obtain an API key from "
            "https://platform.openai.com/account/api-keys.",
        )
    shown = f"{key[:8]}{'*' * max(len(key) - 12, 3)}{key[-4:]}"
    return error(
        401,
        f"Incorrect API key provided: {shown}. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
        "invalid_api_key",
    )


def model_list(models: tuple[str, ...], owner: str = "openai") -> dict[str, Any]:
    """Return OpenAI's list form."""
    data = [{"id": model, "object": "model", "created": 1744300000, "owned_by": owner} for model in models]
    return {"object": "list", "data": data}


def bare_list(models: tuple[str, ...], owner: str) -> list[dict[str, Any]]:
    """Return the list without an envelope, as Together sends it (longy2k/obsidian-bmo-chatbot#51)."""
    return [{"id": model, "object": "model", "type": "chat", "organization": owner} for model in models]


@dataclass(frozen=True)
class Host:
    """One OpenAI-compatible host as facts: where its paths begin, what it checks, and how it answers.

    `secret` None: no key is ever checked. `header`: where the key travels; anything but Authorization has no scheme.
    """

    base: str = "/v1"
    secret: str | None = SECRETS.openai
    header: str = "Authorization"
    refusal: Callable[[str], Answer] = wrong_key
    models: tuple[str, ...] = MODELS
    owner: str = "openai"
    bare: bool = False
    lists: bool = True
    list_is_public: bool = False

    def answer(self, received: Received, path: str) -> Answer:
        """Answer a request whose path within this host is `path`."""
        if path == f"{self.base}/models" and self.lists:
            return self._allow(received, "GET") or self._unless_public(received) or self._list()
        if path == f"{self.base}/chat/completions":
            return self._allow(received, "POST") or self.refused(received) or self._chat(received)
        return error(404, f"Invalid URL ({received.method} {path})")

    def refused(self, received: Received) -> Answer | None:
        """Return the refusal of a missing or wrong key, None for the right one."""
        key = received.bearer() if self.header == "Authorization" else received.header(self.header)
        return None if self.secret is None or same(key, self.secret) else self.refusal(key)

    def _allow(self, received: Received, method: str) -> Answer | None:
        if received.method in {method, "HEAD"}:
            return None
        return error(405, f"Not allowed to {received.method} on this URL.", "method_not_supported")

    def _unless_public(self, received: Received) -> Answer | None:
        return None if self.list_is_public else self.refused(received)

    def _list(self) -> Answer:
        listed = bare_list(self.models, self.owner) if self.bare else model_list(self.models, self.owner)
        return Answer.json(200, listed)

    def _chat(self, received: Received) -> Answer:
        asked = received.json()
        if asked is None or not isinstance(asked.get("messages"), list):
            return error(400, "We could not parse the JSON body of your request, or it has no list of messages.")
        if asked.get("stream"):
            return error(400, "The sandbox provider does not stream.", "unsupported_value")
        model = asked.get("model")
        if model not in self.models:
            message = f"The model `{model}` does not exist or you do not have access to it."
            return error(404, message, "model_not_found")
        return Answer.json(200, completion(str(model)))


def completion(model: str) -> dict[str, Any]:
    """Return a finished chat completion with its usage."""
    message = {"role": "assistant", "content": SENTENCE, "refusal": None}
    return {
        "id": "chatcmpl-sandbox",
        "object": "chat.completion",
        "created": 1744300000,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16},
    }


def azure_wrong_key(_key: str) -> Answer:
    """Return the 401 of Azure OpenAI, the same for a wrong key and for the key of another resource.

    https://learn.microsoft.com/en-us/answers/questions/5847093
    """
    message = (
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
        "active subscription and use a correct regional API endpoint for your resource."
    )
    return Answer.json(401, {"error": {"code": "401", "message": message}})


def vllm_wrong_key(_key: str) -> Answer:
    """Return the 401 of a vLLM server that was started with a key.

    https://github.com/vllm-project/vllm (vllm/entrypoints/openai, the authentication middleware)
    """
    return Answer.json(401, {"error": "Unauthorized"})
