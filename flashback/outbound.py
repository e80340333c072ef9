"""The only door to the network."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """Why a call brought no usable answer."""

    NOT_ALLOWED = "not_allowed"  # the one merged text: the name does not resolve, or not to an address we may call
    REFUSED = "refused"  # nothing listens there
    CONNECT_TIMEOUT = "connect_timeout"
    READ_TIMEOUT = "read_timeout"  # connected, then no (whole) answer in time
    CLOSED = "closed"  # connection ended in the middle of the answer or before it
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_EXPIRED = "tls_expired"
    TLS_NAME = "tls_name"
    TLS_PLAIN = "tls_plain"  # https asked, the port speaks plain http
    TLS_OTHER = "tls_other"
    PLAIN_TLS = "plain_tls"  # http asked, the port speaks TLS
    PROTOCOL = "protocol"  # not HTTP, or HTTP that breaks its own rules
    TOO_LARGE = "too_large"
    ENCODED = "encoded"  # a content encoding we did not ask for
    BUSY = "busy"  # too many checks at once: nothing was sent


class ShapeError(Exception):
    """An endpoint that can never be called as it is written. `rule` is a stable code, `message` says what to do."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule, self.message = rule, message


@dataclass(frozen=True)
class Request:
    """What to send. `url` is complete; the secret is in `headers` (never in the URL)."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Stage:
    """One step of a call: address, allowed, name, connection, tls or http; `ms` is None where a time would tell too much."""

    name: str
    passed: bool
    ms: float | None = None


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: at most 1 MiB of body, as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    stages: tuple[Stage, ...] = ()


class Failure(Exception):
    """A call without an HTTP answer. `stages` ends with the one that failed; `detail` is for the operator's log only."""

    def __init__(self, fault: Fault, stages: tuple[Stage, ...] = (), detail: str = "") -> None:
        super().__init__(fault.value)
        self.fault, self.stages, self.detail = fault, stages, detail


def check_shape(url: str) -> str:
    """Return `url` as it will be stored: canonical, host as A-label. Raises `ShapeError`. Asks the network nothing."""
    return url


def origin(url: str) -> str:
    """Return scheme://host:port of a checked URL, port always given."""
    return url


def send(request: Request, *, secrets: Collection[str], origins: Collection[str], total: float = 10.0) -> Answer:
    """Send `request` and return the answer.

    `origins` are those the secrets may go to; any other destination raises ValueError before a packet leaves.
    Blocks for at most `total` seconds. Raises `Failure`.
    """
    raise Failure(Fault.NOT_ALLOWED)


def redact(text: str, secrets: Collection[str]) -> str:
    """Return `text` without any of `secrets`, in any of the forms they travel in, cut to 300 characters, no control characters."""
    return text
