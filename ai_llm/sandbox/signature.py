"""Signature Version 4 of AWS, the verifying side.

Written from the public description:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from posixpath import normpath
from urllib.parse import quote, unquote_to_bytes

from ai_llm.sandbox.messages import Received, same

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_TOLERANCE = timedelta(minutes=5)
_FORM = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)"
    r"/aws4_request,\s*SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Authorization:
    """The parts of a signed request's Authorization header. `date` is the day, YYYYMMDD."""

    id: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str = field(repr=False)

    @property
    def scope(self) -> str:
        """What the signing key is derived for."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def parse(header: str) -> Authorization | None:
    """Return the parts of an Authorization header, None if it is not a complete signature."""
    found = _FORM.fullmatch(header.strip())
    if found is None:
        return None
    headers = tuple(found["headers"].split(";"))
    return Authorization(found["id"], found["date"], found["region"], found["service"], headers, found["signature"])


def calculate(received: Received, authorization: Authorization, secret: str) -> str:
    """Return the signature that `received` has if `secret` signed it."""
    request = canonical_request(received, authorization.headers)
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join((ALGORITHM, received.header("x-amz-date"), authorization.scope, digest))
    return _hmac(_signing_key(authorization, secret), text).hex()


def matches(received: Received, authorization: Authorization, secret: str) -> bool:
    """Whether `secret` signed `received` as it arrived: method, path, query, signed headers and body."""
    return same(authorization.signature, calculate(received, authorization, secret))


def unsigned_headers(received: Received, authorization: Authorization) -> list[str]:
    """Return the headers that must be signed and are not: host, and every x-amz- header that was sent."""
    needed = {"host", *(name.lower() for name in received.headers if name.lower().startswith("x-amz-"))}
    return sorted(needed - set(authorization.headers))


def clock_problem(received: Received, authorization: Authorization, now: datetime) -> str:
    """Return what is wrong with the request's time, in the words of AWS; empty if nothing is."""
    stamp = received.header("x-amz-date")
    try:
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return "Date must be in ISO-8601 'basic format'. Got 'x-amz-date'."
    if stamp[:8] != authorization.date:
        return f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date: {stamp}"
    if signed < now - CLOCK_TOLERANCE:
        limit = now - CLOCK_TOLERANCE
        return f"Signature expired: {stamp} is now earlier than {_stamp(limit)} ({_stamp(now)} - 5 min.)"
    if signed > now + CLOCK_TOLERANCE:
        limit = now + CLOCK_TOLERANCE
        return f"Signature not yet current: {stamp} is still later than {_stamp(limit)} ({_stamp(now)} + 5 min.)"
    return ""


def canonical_request(received: Received, signed: tuple[str, ...]) -> str:
    """Return the canonical request; `signed` are the names of the signed headers, lower case and sorted."""
    headers = "".join(f"{name}:{_header(received, name)}\n" for name in signed)
    body = hashlib.sha256(received.body).hexdigest()
    return "\n".join((received.method, _path(received.route), _query(received.query), headers, ";".join(signed), body))


def _header(received: Received, name: str) -> str:
    return ",".join(" ".join(value.split()) for value in received.headers.get_all(name, []))


def _path(route: str) -> str:
    # Every service but S3 encodes the path as sent once more, so a percent sign becomes %25.
    normal = "/" + normpath(route).strip("/")
    slash = "/" if route.endswith("/") and normal != "/" else ""
    return quote((normal + slash).encode("latin-1", "replace"), safe="/-_.~")


def _query(query: str) -> str:
    parts = [part.partition("=") for part in query.split("&") if part]
    pairs = sorted((_encoded(name), _encoded(value)) for name, _, value in parts)
    return "&".join(f"{name}={value}" for name, value in pairs)


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def _signing_key(authorization: Authorization, secret: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in authorization.scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")
