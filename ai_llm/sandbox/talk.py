"""What only a message shows: providers whose lists are fine, and whose answers to a chat message are not.

Each wraps a well-behaved dialect, so that a wrong credential or an unknown model is refused as usual first.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ai_llm.sandbox import anthropic, bedrock, gemini
from ai_llm.sandbox.credentials import SECRETS
from ai_llm.sandbox.messages import Answer, Received
from ai_llm.sandbox.openai import Host, completion, error

Reply = Callable[[Received, str], Answer]
ROOM_TO_THINK = 256
LIMITS = ("max_completion_tokens", "max_tokens")


class Row(NamedTuple):
    """The columns of a personality."""

    name: str
    endpoint: str
    type: str
    about: str
    reply: Reply
    secret: str = SECRETS.openai
    key: str = ""


def instead(reply: Reply, trouble: Callable[[dict[str, Any]], Answer | None]) -> Reply:
    """Return `reply`, but what `trouble` makes of a good message (None: the usual answer)."""

    def answer(received: Received, path: str) -> Answer:
        usual = reply(received, path)
        good = received.method == "POST" and usual.status == 200
        return (trouble(received.json() or {}) if good else None) or usual

    return answer


def _no_quota(_asked: dict[str, Any]) -> Answer:
    # https://platform.openai.com/docs/guides/error-codes
    message = "You exceeded your current quota, please check your plan and billing details."
    return error(429, message, "insufficient_quota", "insufficient_quota")


def _low_balance(_asked: dict[str, Any]) -> Answer:
    # https://github.com/anthropics/claude-code/issues/4207
    message = (
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
        "purchase credits."
    )
    return anthropic.error(400, "invalid_request_error", message)


def _no_access(_asked: dict[str, Any]) -> Answer:
    # https://github.com/langgenius/dify/issues/2829
    return bedrock.error(
        403, "AccessDeniedException", "You don't have access to the model with the specified model ID."
    )


def _closed(_asked: dict[str, Any]) -> Answer:
    # https://discuss.ai.google.dev/t/173800: the list is shown, generation is not allowed
    message = "Your project has been denied access. Please contact support."
    return Answer.json(403, gemini.problem(403, "PERMISSION_DENIED", message))


def _retired(asked: dict[str, Any]) -> Answer:
    message = f"The model `{asked.get('model')}` does not exist or you do not have access to it."
    return error(404, message, "model_not_found")


def _thinks(asked: dict[str, Any]) -> Answer | None:
    """Return an answer without a word when there was no room to think: its tokens are counted all the same.

    https://github.com/pvliesdonk/markdown-vault-mcp/issues/919
    """
    room = next((asked[limit] for limit in LIMITS if isinstance(asked.get(limit), int)), ROOM_TO_THINK)
    if room >= ROOM_TO_THINK:
        return None
    content = completion(str(asked["model"]))
    content["choices"][0]["message"]["content"] = ""
    content["choices"][0]["finish_reason"] = "length"
    content["usage"] |= {"completion_tokens": room, "total_tokens": 9 + room}
    return Answer.json(200, content)


def _new_limit(asked: dict[str, Any]) -> Answer | None:
    # https://github.com/griptape-ai/ComfyUI-Griptape/issues/312
    if "max_tokens" not in asked:
        return None
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    return error(400, message, "unsupported_parameter")


_OPENAI = Host().answer
ROWS = (
    Row("empty-purse", "/v1", "OTHER", "lists, but a message finds no quota", instead(_OPENAI, _no_quota)),
    Row("retired", "/v1", "OTHER", "lists models that a message does not find", instead(_OPENAI, _retired)),
    Row("new-limit", "/v1", "OTHER", "a message must not have max_tokens", instead(_OPENAI, _new_limit)),
    Row(
        "ponder",
        "/v1",
        "OTHER",
        "a model that says nothing without room to think",
        instead(Host(models=("ponder-small",)).answer, _thinks),
    ),
    Row(
        "low-balance",
        "/v1",
        "ANTHROPIC",
        "Anthropic, lists with an empty purse",
        instead(anthropic.answer, _low_balance),
        SECRETS.anthropic,
    ),
    Row(
        "gemini-closed",
        "/v1beta",
        "GOOGLE",
        "Gemini, lists but may not generate",
        instead(gemini.answer, _closed),
        SECRETS.gemini,
    ),
    Row(
        "no-access",
        "/us-east-1",
        "AWS",
        "Bedrock, lists models without access to them",
        instead(bedrock.answer, _no_access),
        SECRETS.aws_secret_access_key,
        SECRETS.aws_access_key_id,
    ),
)
