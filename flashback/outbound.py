"""The only door to the network: every call to an address that somebody typed goes through `send`.

It is the only importer of `requests`. Shape (endpoints), judgement of every address (addresses, allowlist, own), pin
at the socket (pinned), deadline, byte cap and redaction (masking) are kept in their own modules; this one joins them.

A provider's answer is material, never an instruction: no redirect is followed, no cookie kept, nothing decompressed.
"""

import logging
import re
import time
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connections
from django.views.decorators.debug import sensitive_variables
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool

from flashback import pinned, redaction
from flashback.allowlist import Allow, parse_allow
from flashback.endpoints import NotListed, Target, check_shape, origin, read
from flashback.faults import REFUSAL, Failure, Fault, Stage, Steps, Unusable, classify, describe
from flashback.hosts import ShapeError, shown_host
from flashback.lanes import Full, Lanes
from flashback.masking import redact
from flashback.resolver import Overloaded

__all__ = [
    "Allow",
    "Answer",
    "Failure",
    "Fault",
    "Request",
    "ShapeError",
    "Stage",
    "check_shape",
    "header_value_fits",
    "origin",
    "parse_allow",
    "redact",
    "send",
    "shown_host",
]

TOTAL_SECONDS = 10.0
MOST_BYTES = 1024 * 1024
# A refusal takes a whole multiple of this, so that its time does not tell an unknown name from an internal one.
REFUSAL_SECONDS = 0.5

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_OUR_HEADERS = {"host", "user-agent", "accept-encoding", "connection", "content-length", "transfer-encoding", "cookie"}
_WRONG_PORT = (b"HTTP request was sent to HTTPS port", b"HTTP request to an HTTPS server")  # nginx; Go's net/http

_lanes = Lanes()
_log = logging.getLogger("flashback.outbound")


for _name in ("connection", "connectionpool", "response", "util.retry"):
    # urllib3 logs paths, queries and malformed headers, in which a provider may echo a secret. We log what is needed.
    logging.getLogger(f"urllib3.{_name}").addFilter(lambda _: False)


@dataclass(frozen=True)
class Request:
    """What to send. `url` is complete; the secret is in `headers` (never in the URL)."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: at most 1 MiB of body, as it came. `headers` can be asked for in any case.

    It may quote the secret that it answers, so its repr shows neither.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    stages: tuple[Stage, ...] = ()


def header_value_fits(text: str) -> bool:
    """Return whether `text` can travel in a header: visible ASCII, blanks only inside."""
    return _HEADER_VALUE.fullmatch(text) is not None


@sensitive_variables("request", "secrets")
def send(
    request: Request,
    *,
    secrets: Collection[str],
    origins: Collection[str],
    total: float = TOTAL_SECONDS,
    slot: str = "",
) -> Answer:
    """Send `request` and return the answer, whatever its status.

    `origins` (scheme://host:port) are those the secrets may go to. `slot` names the workspace: two calls of one slot to
    one host run at once, more are BUSY. Adds Host, User-Agent, Accept-Encoding, Connection, Content-Length, and Accept
    if it is missing.

    Blocks for at most `total` seconds, for a refusal up to half a second more. Raises Failure. Mistakes of the caller
    raise before a packet leaves: ValueError for another destination than `origins`, a secret in the URL or a header
    that is ours to set, RuntimeError inside a database transaction.
    """
    _demand_no_transaction()
    deadline, steps = time.monotonic() + total, Steps()
    steps.begin("address")
    target = _target(request, secrets, origins)
    steps.pause()
    with redaction.guarding(*secrets):
        outcome = _in_lane(request, target, slot, deadline, steps)
    if isinstance(outcome, Answer):
        return outcome
    _report(outcome, request, secrets)
    raise outcome


def _in_lane(request: Request, target: Target | Failure, slot: str, deadline: float, steps: Steps) -> Answer | Failure:
    started = time.monotonic()
    try:
        with _lanes.hold(slot, target.host if isinstance(target, Target) else ""):
            outcome = _attempt(request, target, deadline, steps) if isinstance(target, Target) else target
            if isinstance(outcome, Failure) and outcome.fault is Fault.NOT_ALLOWED:
                _pad(started)
            return outcome
    except Full as full:
        return Failure(Fault.BUSY, detail=str(full))


# --- Before a packet leaves -------------------------------------------------------------------------------------------


def _demand_no_transaction() -> None:
    """A provider that takes ten seconds must not hold the database for ten seconds."""
    for connection in connections.all(initialized_only=True):
        blocks = connection.atomic_blocks
        # Django's own rule for durable blocks (django.db.transaction.Atomic): those of a test case do not count.
        if blocks and not getattr(blocks[-1], "_from_testcase", False):
            raise RuntimeError("A call inside a database transaction. End the transaction first.")


def _target(request: Request, secrets: Collection[str], origins: Collection[str]) -> Target | Failure:
    """Return where `request` goes, or a Failure for what was saved and may not be called (any more)."""
    try:
        target = read(request.url, query=True)
    except NotListed as problem:
        return Failure(Fault.NOT_ALLOWED, REFUSAL, f"not listed ({problem.rule})")
    except ShapeError as problem:
        return Failure(Fault.NOT_ALLOWED, (Stage("address", passed=False),), f"shape ({problem.rule})")
    if target.origin not in origins:
        raise ValueError("The request's destination is not among those its secrets may go to.")
    if any(form in request.url for secret in secrets if secret for form in (secret, quote(secret, safe=""))):
        raise ValueError("A secret stands in the URL. It belongs into a header.")
    return _with_sendable_headers(request, target)


def _with_sendable_headers(request: Request, target: Target) -> Target | Failure:
    if not request.method.isascii() or not request.method.isalpha() or not request.method.isupper():
        raise ValueError("The method must be a word such as GET.")
    for name, value in request.headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OUR_HEADERS or name.lower().startswith("proxy-"):
            raise ValueError("A header is not a caller's to set: its name is no token, or it is one that we set.")
        if not header_value_fits(value):
            return Failure(Fault.UNSENDABLE, (Stage("address", passed=True),), f"header {name}")
    return target


# --- The call ---------------------------------------------------------------------------------------------------------


class _Adapter(HTTPAdapter):
    """Takes the one pinned pool instead of looking for one by the request's URL."""

    def __init__(self, pool: HTTPConnectionPool) -> None:
        super().__init__(max_retries=0)
        self._pool = pool

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Leave the pool as it is: its TLS context verifies, always."""


@sensitive_variables("request")
def _attempt(request: Request, target: Target, deadline: float, steps: Steps) -> Answer | Failure:
    """Return the answer or what happened instead. No exception of a library leaves: their texts quote what was sent."""
    line = pinned.Line(target, deadline, steps)
    pool = line.pool()
    try:
        return _exchange(request, pool, line)
    except pinned.Refused as refusal:
        return Failure(Fault.NOT_ALLOWED, REFUSAL, str(refusal))
    except Overloaded:
        return Failure(Fault.BUSY, detail="name lookups")
    except Exception as error:
        fault = Fault.READ_TIMEOUT if line.expired else classify(error, steps.current)
        return Failure(fault, steps.end(passed=False), describe(error))
    finally:
        line.hang_up()
        pool.close()


def _exchange(request: Request, pool: HTTPConnectionPool, line: pinned.Line) -> Answer:
    timeout = (pinned.READ_SECONDS, pinned.READ_SECONDS)  # the line bounds connecting itself; TLS counts as connecting
    # The adapter itself, without a session: no netrc, proxies, cookies or environment, and no look at a redirect,
    # for which a session reads the whole body, decompressed, even when it is told not to follow.
    response = _Adapter(pool).send(_prepared(request, line.target), stream=True, timeout=timeout)
    try:
        body = _body(response)
    finally:
        response.close()
    if line.expired:
        raise TimeoutError
    if line.target.scheme == "http" and response.status_code == 400 and any(text in body for text in _WRONG_PORT):
        raise Unusable(Fault.PLAIN_TLS, "the server says that this port speaks TLS")
    headers = CaseInsensitiveDict(
        (name, value) for name, value in response.headers.items() if name.lower() != "set-cookie"
    )
    return Answer(response.status_code, headers, body, line.steps.end(passed=True))


def _prepared(request: Request, target: Target) -> PreparedRequest:
    names = {name.lower() for name in request.headers}
    headers = {
        "User-Agent": _user_agent(),
        "Accept-Encoding": "identity",
        "Connection": "close",
        **({} if "accept" in names else {"Accept": "application/json"}),
        **request.headers,
    }
    prepared = PreparedRequest()
    prepared.prepare(method=request.method, url=target.url, headers=headers, data=request.body or None)
    return prepared


def _body(response: Response) -> bytes:
    """Return the body, never more than the cap and never decompressed. Raises Unusable."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    transfer = response.headers.get("Transfer-Encoding", "chunked").strip().lower()
    if encoding not in {"", "identity"} or transfer != "chunked":
        raise Unusable(Fault.ENCODED, "a content or transfer encoding")
    length = response.headers.get("Content-Length", "0").strip()
    if not length.isascii() or not length.isdecimal() or {"Content-Length", "Transfer-Encoding"} <= _names(response):
        raise Unusable(Fault.PROTOCOL, "contradicting lengths")
    if int(length[:20]) > MOST_BYTES:
        raise Unusable(Fault.TOO_LARGE, "a length over the cap")
    parts, size = [], 0
    while part := response.raw.read(64 * 1024, decode_content=False):
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise Unusable(Fault.TOO_LARGE, "a body over the cap")
    return b"".join(parts)


def _names(response: Response) -> set[str]:
    return {name.title() for name in response.headers}


@lru_cache(maxsize=1)
def _user_agent() -> str:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
    return f"Flashback/{project['version']}"


# --- After it ---------------------------------------------------------------------------------------------------------


def _pad(started: float) -> None:
    elapsed = time.monotonic() - started
    time.sleep(REFUSAL_SECONDS - elapsed % REFUSAL_SECONDS)


@sensitive_variables("request", "secrets")
def _report(failure: Failure, request: Request, secrets: Collection[str]) -> None:
    """Write for the operator what the caller must not tell: host and reason, one line."""
    try:
        place = origin(request.url)
    except ShapeError:
        place = "an address of no known shape"
    level = logging.WARNING if failure.fault is Fault.NOT_ALLOWED else logging.INFO
    _log.log(level, "%s: %s (%s)", redact(place, secrets), failure.fault.value, redact(failure.detail, secrets))
