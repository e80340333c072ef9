"""What may be believed of a request's headers: who sent it, over which scheme, and which names reach the pages at all.

Header names that differ only in `_` and `-` become the same variable under WSGI (PEP 3333), so `X_Forwarded_For` would
pass for `X-Forwarded-For`: names with anything but letters, digits and `-` are dropped, as nginx does by default
(https://nginx.org/en/docs/http/ngx_http_core_module.html#underscores_in_headers).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Header = tuple[bytes, bytes]
Address = IPv4Address | IPv6Address

NAME = re.compile(rb"[a-z0-9-]+")
# Read here when a trusted proxy sent them, and never handed on. `proxy` would become HTTP_PROXY (https://httpoxy.org).
# The body is handed on whole, so its old framing is dropped as well.
DROPPED = frozenset(
    {
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-forwarded-server",
        b"x-forwarded-ssl",
        b"x-real-ip",
        b"proxy",
        b"content-length",
        b"transfer-encoding",
        b"expect",
        b"trailer",
    }
)
# Two of these would be read differently by us and by a proxy in front, so the request is refused.
SINGLE = frozenset({b"host", b"authorization", b"content-type", b"origin", b"referer", b"x-csrftoken"})


@dataclass(frozen=True)
class Sender:
    """Who sent a request: an address as text ("" when unknown) and `http` or `https`."""

    address: str
    scheme: str


class Proxies:
    """The proxies whose word about the sender counts; `trusted` holds addresses and CIDR blocks."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self.networks = [ip_network(entry) for entry in trusted]

    def sender(self, peer: str, scheme: str, headers: Iterable[Header]) -> Sender:
        """Return the sender: the peer itself, or what a trusted peer says of it.

        X-Forwarded-For is read from the right; the first address that is not a trusted proxy is the sender. What stands
        left of it may be invented. A hop that is no address ends the walk at the last proxy that could be believed.
        X-Forwarded-Proto counts by its right-most value, the one that the peer wrote.
        """
        if not self._trusts(_address(peer)):
            return Sender(peer, scheme)
        given = list(headers)
        protocols = _values(given, b"x-forwarded-proto")
        secure = protocols[-1].lower() if protocols else scheme
        return Sender(self._client(peer, _values(given, b"x-forwarded-for")), "https" if secure == "https" else "http")

    def _client(self, peer: str, hops: Sequence[str]) -> str:
        believed = peer
        for hop in reversed(hops):
            address = _address(hop)
            if address is None:
                return believed
            believed = str(address)
            if not self._trusts(address):
                return believed
        return believed

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


def repeated(headers: Iterable[Header]) -> bool:
    """Return whether a header that may appear once appears twice, or the body's length is told in two ways."""
    names = [name for name, _ in headers]
    framing = b"content-length" in names and b"transfer-encoding" in names
    return framing or any(names.count(name) > 1 for name in SINGLE)


def clean(headers: Iterable[Header]) -> list[Header]:
    """Return the headers that may reach the pages, with several Cookie lines joined as RFC 9113 section 8.2.3 says."""
    kept = [(name, value) for name, value in headers if NAME.fullmatch(name) and name not in DROPPED]
    cookies = [value for name, value in kept if name == b"cookie"]
    others = [(name, value) for name, value in kept if name != b"cookie"]
    return [*others, (b"cookie", b"; ".join(cookies))] if cookies else others


def _values(headers: Iterable[Header], wanted: bytes) -> list[str]:
    lines = [value.decode("latin-1") for name, value in headers if name == wanted]
    return [part.strip() for line in lines for part in line.split(",")] if lines else []


def _address(text: str) -> Address | None:
    """Read an address as proxies write it: bare, with a port, or an IPv6 address in brackets."""
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::\d{1,5})?", text)
    with_port = re.fullmatch(r"([\d.]+):\d{1,5}", text)
    found = bracketed or with_port
    try:
        address = ip_address(found[1] if found else text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
