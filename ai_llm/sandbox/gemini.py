"""The dialect of Gemini, native (x-goog-api-key) and in its OpenAI form (Bearer).

Paths and shapes: https://ai.google.dev/api/models, https://ai.google.dev/api/generate-content and
https://ai.google.dev/gemini-api/docs/openai. Errors: https://google.aip.dev/193 and
https://ai.google.dev/gemini-api/docs/troubleshooting

A key in the address (`?key=`) is not taken here, although Google takes it: addresses end up in logs.
"""

from typing import Any

from ai_llm.sandbox.credentials import SECRETS
from ai_llm.sandbox.messages import Answer, Received, decoded, same
from ai_llm.sandbox.openai import SENTENCE, Host

MODELS = ("gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite")
_DOMAIN = "googleapis.com"
_SERVICE = "generativelanguage.googleapis.com"


def problem(status: int, kind: str, message: str, reason: str = "") -> dict[str, Any]:
    """Return an error body in Google's form; `reason` adds the ErrorInfo that tells a bad key from a bad request."""
    content: dict[str, Any] = {"code": status, "message": message, "status": kind}
    if reason:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": _DOMAIN}
        text = {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message}
        content["details"] = [{**info, "metadata": {"service": _SERVICE}}, text]
    return {"error": content}


def wrong_key(key: str) -> dict[str, Any]:
    """Return the body for a bad key (400 INVALID_ARGUMENT, reason API_KEY_INVALID) or none at all (403).

    The whole body for a bad key: https://github.com/continuedev/continue/issues/10530
    """
    if key:
        message = "API key not valid. Please pass a valid API key."
        return problem(400, "INVALID_ARGUMENT", message, "API_KEY_INVALID")
    message = (
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other "
        "form of API consumer identity to call this API."
    )
    return problem(403, "PERMISSION_DENIED", message)


def _wrapped(key: str) -> Answer:
    # Seen from the real service, though no public page describes it: here Google's error comes inside an array.
    content = wrong_key(key)
    return Answer.json(content["error"]["code"], [content])


OPENAI_FORM = Host(
    base="/v1beta/openai",
    secret=SECRETS.gemini,
    refusal=_wrapped,
    models=tuple(f"models/{model}" for model in MODELS),
    owner="google",
)


def answer(received: Received, path: str) -> Answer:
    """Answer a request whose path within this host is `path`."""
    if path.startswith("/v1beta/openai/"):
        return OPENAI_FORM.answer(received, path)
    if path == "/v1beta/models" and received.method == "GET":
        return _refused(received) or _list()
    model, colon, verb = decoded(path.removeprefix("/v1beta/models/")).partition(":")
    if path.startswith("/v1beta/models/") and colon and verb == "generateContent" and received.method == "POST":
        return _refused(received) or _generate(received, model)
    return Answer.json(404, problem(404, "NOT_FOUND", "Requested entity was not found."))


def _refused(received: Received) -> Answer | None:
    key = received.header("x-goog-api-key")
    if same(key, SECRETS.gemini):
        return None
    content = wrong_key(key)
    return Answer.json(content["error"]["code"], content)


def _list() -> Answer:
    methods = ["generateContent", "countTokens"]
    models = [
        {"name": f"models/{model}", "displayName": model, "version": "001", "supportedGenerationMethods": methods}
        for model in MODELS
    ]
    return Answer.json(200, {"models": models})


def _generate(received: Received, model: str) -> Answer:
    asked = received.json()
    if asked is None or not isinstance(asked.get("contents"), list):
        return Answer.json(400, problem(400, "INVALID_ARGUMENT", "* GenerateContentRequest.contents: not specified"))
    if model not in MODELS:
        message = f"models/{model} is not found for API version v1beta, or is not supported for generateContent."
        return Answer.json(404, problem(404, "NOT_FOUND", message))
    candidate = {"content": {"parts": [{"text": SENTENCE}], "role": "model"}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 7, "totalTokenCount": 16}
    return Answer.json(200, {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model})
