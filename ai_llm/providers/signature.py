"""AWS Signature Version 4.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit


def sign(
    url: str,
    *,
    key_id: str,
    secret: str,
    region: str,
    service: str,
    method: str = "GET",
    body: bytes = b"",
    now: datetime | None = None,
) -> dict[str, str]:
    """Return the headers that sign a request of `url`. `now` is the time of signing in UTC."""
    moment = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    headers = {"host": _host(url), "x-amz-date": moment}
    names = ";".join(sorted(headers))
    request = "\n".join((
        method,
        quote(urlsplit(url).path or "/", safe="/-_.~"),
        _query(url),
        "".join(f"{name}:{headers[name]}\n" for name in sorted(headers)),
        names,
        hashlib.sha256(body).hexdigest(),
    ))  # fmt: skip
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in (moment[:8], region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    authorization = f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {"Authorization": authorization, "X-Amz-Date": moment}


def _host(url: str) -> str:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in {None, default} else f"{host}:{parts.port}"


def _query(url: str) -> str:
    pairs = sorted(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
