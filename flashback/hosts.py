"""Host names as people type them, made canonical: lower case, A-labels, no last dot, one spelling of addresses."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

import idna

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# What glibc and browsers read as a number: 127.1, 0x7f.1, 017700000001 (WHATWG URL standard, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL_SUFFIXES = (
    ".local",
    ".internal",
    ".localhost",
    ".localdomain",
    ".home.arpa",
    ".lan",
    ".corp",
    ".intranet",
    ".svc",
    ".cluster.local",
)


class ShapeError(Exception):
    """An endpoint that can never be called as it is written. `rule` is a stable code, `message` says what to do."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule, self.message = rule, message


def canonical_host(host: str) -> str:
    """Return a host without brackets, canonical. Raises ShapeError (rules host, numeric_host, zone)."""
    if ":" in host or "%" in host:
        return _canonical_v6(host)
    plain = literal(host)
    return str(plain) if plain else canonical_name(host)


def canonical_name(name: str) -> str:
    """Return a name as A-labels, lower case, without the dot at its end. Raises ShapeError for what is no name."""
    name = _ascii(name).removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        raise ShapeError("numeric_host", "Write the host as a name or as a plain address such as 192.0.2.10.")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ShapeError("host", "The host name is not valid. Check it for missing or doubled dots and odd signs.")
    return name


def is_local_name(name: str) -> bool:
    """Return whether a canonical name can only mean something inside one's own network."""
    return "." not in name or name.endswith(_LOCAL_SUFFIXES)


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def shown_host(host: str) -> str:
    """Return a canonical host for people: an international name as `xn--… (its own letters)`, others as they are."""
    if "xn--" not in host:
        return host
    try:
        return f"{host} ({idna.decode(host)})"
    except idna.IDNAError:
        return host


def _canonical_v6(host: str) -> str:
    if "%" in host:
        raise ShapeError("zone", "An address with a zone (%) cannot be called. Write it without the zone.")
    try:
        return str(IPv6Address(host))
    except ValueError:
        raise ShapeError("host", "The IPv6 address is not valid.") from None


def _ascii(name: str) -> str:
    if name.isascii() and "xn--" not in name.lower():
        return name.lower()
    try:
        encoded = idna.encode(name, uts46=True, std3_rules=True).decode("ascii")
        idna.decode(encoded)
    except (idna.IDNAError, UnicodeError):
        raise ShapeError("host", "The host name is not a valid international name.") from None
    return encoded.lower()
