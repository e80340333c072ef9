"""Pure string work on endpoints: version paths, hosts, what was pasted too much."""

import ipaddress
import re
from urllib.parse import urlsplit, urlunsplit

VERSION = re.compile(r"/v[0-9]+(?:(?:alpha|beta|preview)[0-9]*)?(?=/|$)")
VERSION_AT_END = re.compile(VERSION.pattern + r"$")
DOUBLED_VERSION = re.compile(r"(/v[0-9]+(?:(?:alpha|beta)[0-9]*)?)(?:\1)+(?=/|$)")

PRIVATE_SUFFIXES = (
    ".local",
    ".internal",
    ".localhost",
    ".home.arpa",
    ".lan",
    ".corp",
    ".svc",
    ".cluster.local",
    ".test",
)


def host_of(endpoint: str) -> str:
    """Return the host of an endpoint in lower case, "" when it has none or cannot be read."""
    try:
        return (urlsplit(endpoint).hostname or "").lower()
    except ValueError:
        return ""


def host_and_port(endpoint: str) -> str:
    """Return host:port of an endpoint, the port always given."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    return f"[{host}]:{port or _default(parts.scheme)}" if ":" in host else f"{host}:{port or _default(parts.scheme)}"


def is_public(host: str) -> bool:
    """Return whether a host reads like one on the public internet. Judges the text only; the network is not asked."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host.strip(".") and not host.rstrip(".").endswith(PRIVATE_SUFFIXES)


def is_loopback(host: str) -> bool:
    """Return whether a host is this very machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def origin_of(endpoint: str) -> str:
    """Return scheme://host:port of an endpoint, the port always given."""
    return f"{urlsplit(endpoint).scheme}://{host_and_port(endpoint)}"


def path_of(endpoint: str) -> str:
    """Return the path of an endpoint without a slash at its end."""
    return urlsplit(endpoint).path.rstrip("/")


def with_path(endpoint: str, path: str) -> str:
    """Return the endpoint with another path and without query and fragment."""
    parts = urlsplit(endpoint)
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def once(path: str) -> str:
    """Return a path in which a version that was pasted twice (/v1/v1) stands once."""
    return DOUBLED_VERSION.sub(r"\1", path)


def without_version(path: str) -> str:
    """Return a path without the version at its end."""
    return VERSION_AT_END.sub("", path)


def has_version_at_end(path: str) -> bool:
    """Return whether a path ends in a version."""
    return VERSION_AT_END.search(path) is not None


def has_version(path: str) -> bool:
    """Return whether a version stands anywhere in the path (some gateways have it in the middle)."""
    return VERSION.search(path) is not None


def _default(scheme: str) -> int:
    return 80 if scheme == "http" else 443
