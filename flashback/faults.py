"""What a call to a provider can come to, when it is not an answer: names for the causes, and steps with their times."""

import errno
import http.client
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from urllib3.exceptions import InvalidHeader


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
    UNSENDABLE = "unsendable"  # a header value (so: the key or secret) holds what HTTP cannot carry: nothing was sent


@dataclass(frozen=True)
class Stage:
    """One step of a call: address, allowed, name, connection, tls or http; `ms` is None where a time tells too much."""

    name: str
    passed: bool
    ms: float | None = None


# What `allowed` and `name` found is one stage, and no refusal tells a time.
REFUSAL = (Stage("address", passed=True), Stage("name", passed=False))


class Failure(Exception):
    """A call without an HTTP answer. `stages` ends with the failed one; `detail` is for the operator's log only."""

    def __init__(self, fault: Fault, stages: tuple[Stage, ...] = (), detail: str = "") -> None:
        super().__init__(fault.value)
        self.fault, self.stages, self.detail = fault, stages, detail


class Unusable(Exception):
    """An answer that came and must not be read on. `fault` says why."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault, self.detail = fault, detail


class Steps:
    """Times the stages of one call, one after the other."""

    def __init__(self) -> None:
        self._done: list[Stage] = []
        self._name = ""
        self._since = time.monotonic()

    @property
    def current(self) -> str:
        """Return the name of the running stage, or ""."""
        return self._name

    def begin(self, name: str) -> None:
        """Pass the running stage, if there is one, and start `name`."""
        self._close(passed=True)
        self._name, self._since = name, time.monotonic()

    def end(self, *, passed: bool) -> tuple[Stage, ...]:
        """Close the running stage and return all of them."""
        self._close(passed=passed)
        return tuple(self._done)

    def pause(self) -> None:
        """Pass the running stage without starting another."""
        self._close(passed=True)

    def _close(self, *, passed: bool) -> None:
        if self._name:
            self._done.append(Stage(self._name, passed, round((time.monotonic() - self._since) * 1000, 1)))
        self._name = ""


# X509_V_ERR_* of OpenSSL's x509_vfy.h: not yet valid and expired; name and address not in the certificate.
_EXPIRED = {9, 10}
_OTHER_NAME = {62, 64}
# What OpenSSL says when the first bytes of the other side are "HTTP/1.1" instead of a TLS record.
_NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}

_KINDS: tuple[tuple[type[BaseException], Fault], ...] = (
    (TimeoutError, Fault.READ_TIMEOUT),
    (ConnectionResetError, Fault.CLOSED),
    (ConnectionAbortedError, Fault.CLOSED),
    (BrokenPipeError, Fault.CLOSED),
    (http.client.IncompleteRead, Fault.CLOSED),
)


def classify(error: BaseException, stage: str) -> Fault:
    """Return the fault for an exception that ended a call in `stage` (connection, tls or http)."""
    causes = list(_causes(error))
    for cause in reversed(causes):  # the innermost one knows most
        fault = _classify_one(cause, stage)
        if fault is not None:
            return fault
    return Fault.TLS_OTHER if stage == "tls" else Fault.PROTOCOL


def describe(error: BaseException) -> str:
    """Return what an operator may read about an exception: class names and codes, never its text.

    The texts of `requests` and `urllib3` quote URLs and header values.
    """
    return " < ".join(_describe_one(cause) for cause in _causes(error))


def _describe_one(error: BaseException) -> str:
    name = type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{name} {error.verify_code}"
    if isinstance(error, ssl.SSLError):
        return f"{name} {error.reason}"
    if isinstance(error, OSError) and error.errno:
        return f"{name} {errno.errorcode.get(error.errno, error.errno)}"
    return name


def _classify_one(error: BaseException, stage: str) -> Fault | None:
    if isinstance(error, Unusable):
        return error.fault
    if isinstance(error, ssl.SSLError) and not isinstance(error, TimeoutError):
        return _classify_tls(error, stage)
    if isinstance(error, OSError) and stage == "connection":
        return Fault.CONNECT_TIMEOUT if isinstance(error, TimeoutError) else Fault.REFUSED
    return next((fault for kinds, fault in _KINDS if isinstance(error, kinds)), None) or _classify_head(error)


def _classify_head(error: BaseException) -> Fault | None:
    if isinstance(error, http.client.BadStatusLine) and str(error).startswith(("\x15\x03", "\x16\x03")):
        return Fault.PLAIN_TLS  # a TLS alert or handshake record where the status line should be (RFC 8446, 5.1)
    return Fault.PROTOCOL if isinstance(error, (http.client.HTTPException, InvalidHeader)) else None


def _classify_tls(error: ssl.SSLError, stage: str) -> Fault:
    if isinstance(error, ssl.SSLCertVerificationError):
        code = error.verify_code
        other = Fault.TLS_NAME if code in _OTHER_NAME else Fault.TLS_UNTRUSTED
        return Fault.TLS_EXPIRED if code in _EXPIRED else other
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Fault.CLOSED
    return Fault.TLS_PLAIN if stage == "tls" and error.reason in _NOT_TLS else Fault.TLS_OTHER


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those it wraps: urllib3 and requests keep them in `reason` and in `args`."""
    seen: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        this = queue.pop(0)
        if not isinstance(this, BaseException) or any(this is other for other in seen):
            continue
        seen.append(this)
        yield this
        queue += [getattr(this, "reason", None), *this.args, this.__cause__]
