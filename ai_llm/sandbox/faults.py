"""The faults of the sandbox provider: each is one row, and an endpoint of its own, such as /quota/v1.

Errors of OpenAI: https://platform.openai.com/docs/guides/error-codes, and where a row names it, a public report with
the whole body.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote

from ai_llm.sandbox.messages import Answer, Delivery, Received
from ai_llm.sandbox.openai import MODELS, Host, error, model_list

OPENAI = Host()


@dataclass(frozen=True)
class Asked:
    """A request, its path within the host, and the number in the endpoint's name: `/slow-3/v1` has 3.0."""

    received: Received
    path: str
    number: float


@dataclass(frozen=True)
class Fault:
    """One way for an OpenAI-compatible host to disappoint.

    `cause` is what a check of it comes to. `number` stands for the one in the endpoint's name where that has none;
    None: the name takes no number. With `after_key`, a missing or wrong key gets OpenAI's 401 first, because the real
    fault is only seen with a known key.
    """

    name: str
    cause: str
    about: str
    reply: Callable[[Asked], Answer]
    after_key: bool = False
    number: float | None = None

    def answer(self, received: Received, path: str, number: float | None = None) -> Answer:
        """Answer a request whose path within this host is `path`."""
        refused = OPENAI.refused(received) if self.after_key else None
        return refused or self.reply(Asked(received, path, (self.number or 0) if number is None else number))


def _always(answer: Answer) -> Callable[[Asked], Answer]:
    return lambda _asked: answer


def _redirect(asked: Asked) -> Answer:
    target = f"http://{asked.received.header('Host')}/openai{asked.path}"
    return Answer.page(int(asked.number), "<!doctype html><title>Moved</title>", {"Location": target})


def _status(asked: Asked) -> Answer:
    status = min(max(int(asked.number), 200), 599)
    return error(status, f"The sandbox provider was asked to answer {status}.", kind="sandbox_error")


def _slow(asked: Asked) -> Answer:
    return replace(OPENAI.answer(asked.received, asked.path), delay=asked.number)


def _drip(asked: Asked) -> Answer:
    return replace(OPENAI.answer(asked.received, asked.path), delivery=Delivery.DRIP, pace=asked.number)


def _drip_head(asked: Asked) -> Answer:
    return replace(OPENAI.answer(asked.received, asked.path), delivery=Delivery.DRIP_HEAD, pace=asked.number)


def _cut(asked: Asked) -> Answer:
    return replace(OPENAI.answer(asked.received, asked.path), delivery=Delivery.CUT)


def _encoded(asked: Asked) -> Answer:
    return OPENAI.answer(asked.received, asked.path).compressed()


def _echo(asked: Asked) -> Answer:
    key = asked.received.bearer()
    forms = (key, quote(key, safe=""), base64.b64encode(key.encode()).decode(), key[::-1])
    message = f"Incorrect API key provided: {' '.join(forms)}."
    return error(401, message, "invalid_api_key", headers={"X-Sandbox-Echo": key})


_LOGIN = """<!doctype html><html><head><title>Sign in</title></head><body><h1>Sign in</h1>
<form method="post"><input name="user"><input name="password" type="password"></form></body></html>"""
_SHIELD = """<!doctype html><html><head><title>Access denied</title></head><body><h1>Error 1010</h1>
<p>The owner of this website has banned your access based on your browser's signature.</p></body></html>"""
_ENDLESS = Answer.json(200, model_list(MODELS * 100))
_OTHER_JSON = {"service": "inventory", "status": "ok", "items": 3}
_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
)
_SCOPE = (
    "You have insufficient permissions for this operation. Missing scopes: api.model.read. Check that you have the "
    "correct role in your organization (Reader, Writer, Owner) and project (Member, Owner), and if you're using a "
    "restricted API key, that it has the necessary scopes."
)
_ORGANIZATION = (
    "You must be a member of an organization to use the API. Please contact us through our help center at "
    "help.openai.com."
)
_REGION = "Country, region, or territory not supported"
_BUSY = "Rate limit reached for requests. Please try again in 7s."
_SERVER_FAULT = "The server had an error while processing your request. Sorry about that!"
_OVERLOADED = "The engine is currently overloaded, please try again later."
_NO_MODEL = "The model `gpt-4.1` does not exist or you do not have access to it."

_ROWS = (
    # Known key, but something stops it.
    Fault(
        "quota",
        "quota_spent",
        "429, the quota is used up",
        _always(error(429, _QUOTA, "insufficient_quota", "insufficient_quota")),
        after_key=True,
    ),
    Fault(
        "busy",
        "busy",
        "429 with Retry-After: 7",
        _always(error(429, _BUSY, "rate_limit_exceeded", "requests", {"Retry-After": "7"})),
        after_key=True,
    ),
    # DeepSeek's text: https://api-docs.deepseek.com/quick_start/error_codes
    Fault(
        "no-credit",
        "no_credit",
        "402, no credit left",
        _always(error(402, "Insufficient Balance", "invalid_request_error", "unknown_error")),
        after_key=True,
    ),
    # https://github.com/continuedev/continue/issues/10059
    Fault(
        "scope",
        "scope_missing",
        "403, a restricted key that may not list models",
        _always(error(403, _SCOPE)),
        after_key=True,
    ),
    # https://github.com/OpenHands/OpenHands/issues/2562
    Fault(
        "organization",
        "organization_required",
        "401, the key's owner is in no organization",
        _always(error(401, _ORGANIZATION, "no_organization")),
        after_key=True,
    ),
    # https://github.com/Shopify/roast/issues/13
    Fault(
        "no-model",
        "model_unknown",
        "404 with the code of an unknown model",
        _always(error(404, _NO_MODEL, "model_not_found")),
        after_key=True,
    ),
    # https://github.com/home-assistant/core/issues/120072 (answered before any key is looked at)
    Fault(
        "region",
        "region_refused",
        "403, the country is not served",
        _always(error(403, _REGION, "unsupported_country_region_territory", "request_forbidden")),
    ),
    Fault(
        "no-models", "no_models", "200 with an empty list", _always(Answer.json(200, model_list(()))), after_key=True
    ),
    # Not an API, or not this one.
    Fault("html", "web_page", "200 with a web page to sign in", _always(Answer.page(200, _LOGIN))),
    # https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/error-1010/
    Fault("shield", "shielded", "403 with a web page of a shield in front", _always(Answer.page(403, _SHIELD))),
    Fault("other-json", "unexpected_form", "200 with JSON of another service", _always(Answer.json(200, _OTHER_JSON))),
    Fault("redirect", "redirected", "308 to /openai (redirect-302: that status)", _redirect, number=308),
    Fault("status", "unexpected_status", "any status: status-405, status-529", _status, number=418),
    Fault(
        "fault",
        "provider_fault",
        "500, the provider's own fault",
        _always(error(500, _SERVER_FAULT, kind="server_error")),
    ),
    Fault("down", "provider_unavailable", "503, overloaded", _always(error(503, _OVERLOADED, kind="server_error"))),
    # Right answers in an unpleasant way.
    Fault("slow", "read_timeout", "answers after 15 seconds (slow-3: after 3)", _slow, number=15),
    Fault("drip", "read_timeout", "one byte of the body every 0.5 seconds (drip-0.1: every 0.1)", _drip, number=0.5),
    Fault("drip-head", "read_timeout", "one byte every 0.5 seconds from the first one on", _drip_head, number=0.5),
    Fault(
        "endless",
        "answer_too_large",
        "a body that never ends",
        _always(replace(_ENDLESS, delivery=Delivery.ENDLESS, pace=0.005)),
    ),
    Fault("encoded", "answer_encoded", "a gzip body that nobody asked for", _encoded),
    Fault("cut", "connection_closed", "the connection ends in the middle of the body", _cut),
    Fault(
        "empty",
        "connection_closed",
        "the connection is closed without an answer",
        _always(Answer(0, delivery=Delivery.NOTHING)),
    ),
    Fault("echo", "key_rejected", "401 whose text repeats the whole key in several forms", _echo),
)
FAULTS = {row.name: row for row in _ROWS}
