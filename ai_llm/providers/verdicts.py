"""From what is seen to what is said: the table that holds for every provider. The status decides before any text."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from ai_llm.models import Verdict
from ai_llm.providers import answers
from ai_llm.providers.facts import Error, Judgement
from flashback.outbound import Answer

Refine = Callable[[int, Error], str]

LONGEST_WAIT = 86_400

BY_STATUS = {
    401: "key_rejected",
    402: "no_credit",
    403: "forbidden",
    404: "path_not_found",
    405: "path_not_found",
    407: "proxy_login",
    408: "request_timeout",
    409: "provider_conflict",
    410: "path_not_found",
    422: "bad_request",
    400: "bad_request",
    429: "busy",
    451: "region_refused",
    501: "path_not_found",
    503: "provider_unavailable",
    529: "provider_unavailable",
}

# Statuses that say by themselves what they are about, whoever answers: the credential, the path, a proxy's login.
PLAIN_STATUSES = frozenset({401, 404, 405, 407, 410})
# What is left of a status that would say "known credential" when no API spoke: a balancer answers like this.
UNSPOKEN = {403: "forbidden_unjudged", 429: "slow_down"}

# Codes in the error bodies of several providers: https://platform.openai.com/docs/guides/error-codes,
# https://docs.claude.com/en/api/errors, https://learn.microsoft.com/en-us/azure/ai-services/openai/reference
QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "quota_exceeded",
                   "insufficient_credits", "credit_limit_reached"})  # fmt: skip
MODEL_OR_DEPLOYMENT = frozenset({"model_not_found", "DeploymentNotFound", "deployment_not_found", "InvalidModel"})
REGION = frozenset({"unsupported_country_region_territory", "unsupported_region"})
SCOPE = frozenset({"missing_scope", "insufficient_permissions", "insufficient_scope"})
ADDRESS = frozenset({"ip_not_authorized", "ip_not_allowed"})


def judge(answer: Answer, url: str, refine: Refine) -> Judgement:
    """Return what `answer` to a GET of a list of models at `url` means.

    `refine(status, error)` names a cause that the provider's own codes give within a status, or "" for the table's.
    Never raises, whatever the body.
    """
    if 200 <= answer.status < 300:
        return of_list(answer)
    if 300 <= answer.status < 400:
        return Judgement("redirected", {"location": destination(answer, url)})
    if is_shield(answer):
        return Judgement("shielded", waiting(answer))
    error = answers.error_of(answer)
    cause = refine(answer.status, error) or of_status(answer.status, error)
    if Judgement(cause).verdict in {Verdict.ACCEPTED, Verdict.LIMITED} and not error.spoken:
        cause = UNSPOKEN.get(answer.status, "unexpected_status")
    return Judgement(cause, waiting(answer), provider_code=error.code, excerpt_source=error.message)


def of_list(answer: Answer) -> Judgement:
    """Return what a successful answer means: a list of models, an empty one, a web page, or something else."""
    value = answers.read(answer.body)
    names = None if value is answers.UNREADABLE else answers.model_names(value)
    if names is not None:
        return Judgement("accepted" if names else "no_models", {"count": len(names)}, models=names)
    return Judgement("web_page" if answers.is_web_page(answer) else "unexpected_form")


def of_status(status: int, error: Error) -> str:
    """Return the cause of an error status, told apart further only where the codes are the same at many providers."""
    if status == 401:
        return _of_401(error)
    if status == 403:
        return _of_403(error)
    if status == 404 and error.codes & MODEL_OR_DEPLOYMENT:
        return "model_unknown"
    if status == 429 and error.codes & QUOTA:
        return "quota_spent"
    if status >= 500 and status not in BY_STATUS:
        return "provider_fault" if status < 600 else "unexpected_status"
    return BY_STATUS.get(status, "unexpected_status")


def is_shield(answer: Answer) -> bool:
    """Return whether a shield refused (400 to 499) in the provider's place: a web page, or Cloudflare's own words.

    Cloudflare says "error code: 1010" or 1015, as text or as JSON:
    https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/
    """
    if not 400 <= answer.status < 500:
        return False
    if answer.body[:40].strip().lower().startswith(b"error code: 1"):
        return True
    value = answers.read(answer.body)
    if isinstance(value, dict) and value.get("cloudflare_error") is True:
        return True
    return answer.status not in PLAIN_STATUSES and answers.is_web_page(answer)


def destination(answer: Answer, url: str) -> str:
    """Return where a redirect leads: scheme, host and path, never its query, at most 200 characters."""
    try:
        parts = urlsplit(urljoin(url, answers.header(answer, "location")))
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    if parts.scheme not in {"http", "https"} or not host:
        return "an address that cannot be read"
    return answers.readable(f"{parts.scheme}://{host}{port}{parts.path}")[:200]


def waiting(answer: Answer) -> dict[str, str | int]:
    """Return {"retry_after": seconds} when the answer says how long to wait (seconds or a date, RFC 9110 10.2.3)."""
    text = answers.header(answer, "retry-after").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return {"retry_after": min(int(text), LONGEST_WAIT)}
    try:
        moment = parsedate_to_datetime(text)
        seconds = int((moment - datetime.now(moment.tzinfo and UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return {}
    return {"retry_after": min(max(seconds, 0), LONGEST_WAIT)}


def _of_401(error: Error) -> str:
    if error.codes & ADDRESS or re.search(r"\bIP\b.{0,60}\bnot (authorized|allowed)", error.message):
        return "address_not_authorized"
    if re.search(r"must be a member of an organization", error.message, re.IGNORECASE):
        return "organization_required"
    return "key_rejected"


def _of_403(error: Error) -> str:
    if error.codes & REGION or re.search(r"country, region, or territory not supported", error.message, re.IGNORECASE):
        return "region_not_supported"
    if error.codes & SCOPE or re.search(r"missing scopes?|insufficient permissions", error.message, re.IGNORECASE):
        return "scope_missing"
    if error.codes & ADDRESS:
        return "address_not_authorized"
    if error.codes & MODEL_OR_DEPLOYMENT:
        return "model_forbidden"
    return "quota_spent" if error.codes & QUOTA else "forbidden"
