"""The shape of an address somebody typed: refused before anything is asked of the network, or made canonical.

Three readings must agree, ours and those of the standard library and urllib3, because a difference between the one who
judges and the one who connects is the way around every guard.
"""

import re
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from django.conf import settings
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from flashback.allowlist import current_allow, is_callable, is_listed
from flashback.hosts import ShapeError, canonical_host, is_local_name, literal

LONGEST_URL = 2048
PUBLIC_PORTS = frozenset({443})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_EXAMPLE = "https://api.example.com/v1"
_PERMIT = "For an internal service the operator can permit it with FLASHBACK_OUTBOUND_ALLOW, as host:port."

# RFC 3986, appendix B, with the parts that must be there.
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(:.*)?", re.DOTALL)
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_QUERY = re.compile(r"\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
_TRIPLET = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


class NotListed(ShapeError):
    """A shape that only an entry in the operator's list would make callable."""


@dataclass(frozen=True)
class Target:
    """A URL taken apart, canonical. `listed_only`: a public address does not suffice, every one must be listed."""

    scheme: str
    host: str
    port: int
    path: str
    listed_only: bool

    @property
    def authority(self) -> str:
        """Return host:port as it stands in a URL, without the scheme's own port."""
        return self._host if self.port == _DEFAULT_PORTS[self.scheme] else f"{self._host}:{self.port}"

    @property
    def url(self) -> str:
        """Return the whole canonical URL."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def origin(self) -> str:
        """Return scheme://host:port, port always given."""
        return f"{self.scheme}://{self._host}:{self.port}"

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def check_shape(url: str) -> str:
    """Return `url` as it will be stored: canonical, host as A-label. Raises `ShapeError`. Asks the network nothing.

    The path stays as typed, with its trailing slash. The rules, in this order: too_long, characters, scheme, fragment,
    query, userinfo, zone, port, host, numeric_host, path, ambiguous, local_name, not_public, https. The last three, and
    port for one that is not 443, depend on FLASHBACK_OUTBOUND_ALLOW. No message repeats what was typed.
    """
    return read(url).url


def origin(url: str) -> str:
    """Return scheme://host:port of a checked URL, port always given. Raises ShapeError for what is no URL at all."""
    scheme, authority, _, _ = _split(url)
    host, port = _host_and_port(scheme, authority)
    return Target(scheme, host, port, "", listed_only=False).origin


def read(url: str, *, query: bool = False) -> Target:
    """Return the parts of `url`, which may have a query only if `query`. Raises ShapeError, NotListed for what only the
    operator's list could permit.
    """
    _refuse_characters(url)
    scheme, authority, path, its_query = _split(url)
    if its_query and not query:
        raise ShapeError("query", "Leave out everything from the ? on. Keys belong into the fields for them.")
    host, port = _host_and_port(scheme, authority)
    target = Target(scheme, host, port, _canonical_path(path) + _canonical_query(its_query), listed_only=False)
    _demand_agreement(target)
    if authority.isascii():
        _demand_agreement(target, url)
    if len(target.url) > LONGEST_URL:
        raise _too_long()
    return _judge(target)


def _refuse_characters(url: str) -> None:
    if len(url) > LONGEST_URL:
        raise _too_long()
    if "\\" in url:
        raise ShapeError("characters", "Use / instead of \\ in the address.")
    if not url.isprintable() or any(character.isspace() for character in url):
        raise ShapeError("characters", "The address holds a blank or an invisible character. Remove it.")


def _too_long() -> ShapeError:
    return ShapeError("too_long", f"The address is longer than {LONGEST_URL} characters.")


def _split(url: str) -> tuple[str, str, str, str]:
    parts = _PARTS.fullmatch(url)
    scheme = parts[1].lower() if parts else ""
    if parts is None or scheme not in _DEFAULT_PORTS:
        raise ShapeError("scheme", f"Start the address with https://, such as {_EXAMPLE}.")
    if parts[5]:
        raise ShapeError("fragment", "Leave out everything from the # on.")
    return scheme, parts[2], parts[3], parts[4] or ""


def _host_and_port(scheme: str, authority: str) -> tuple[str, int]:
    if "@" in authority:
        raise ShapeError("userinfo", "Leave out the user name and password before the @. Keys have their own fields.")
    if "%" in authority:
        rule = "zone" if authority.startswith("[") else "characters"
        raise ShapeError(rule, "The host must not contain a % sign.")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None or not (parts[1] or parts[2]):
        raise ShapeError("host", f"The address has no valid host name. Write it like {_EXAMPLE}.")
    port = _port(scheme, parts[3])
    if parts[1] and ":" not in parts[1]:
        raise ShapeError("host", "Only an IPv6 address stands in square brackets.")
    host = canonical_host(parts[1] or parts[2])
    if literal(host) and not authority.isascii():
        raise ShapeError("numeric_host", "Write the host as a name or as a plain address such as 192.0.2.10.")
    return host, port


def _port(scheme: str, text: str | None) -> int:
    if text is None:
        return _DEFAULT_PORTS[scheme]
    digits = text[1:]
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 5 and 1 <= int(digits) <= 65535):
        raise ShapeError("port", "The port after the colon must be a whole number from 1 to 65535.")
    return int(digits)


def _canonical_path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise ShapeError("path", "The path holds signs that an address cannot have. Check it for braces and quotes.")
    path = _canonical_triplets(path)
    if "//" in path:
        raise ShapeError("path", "The path has two slashes in a row. Remove one.")
    decoded = _decoded(path)
    if any(segment in {".", ".."} for segment in re.split(r"[/\\;]", decoded)):
        raise ShapeError("path", "The path must not contain . or .. as a part. Write where it leads.")
    if "\\" in decoded or not decoded.isprintable():
        raise ShapeError("path", "The path holds an encoded backslash or an invisible character. Remove it.")
    return path


def _canonical_query(query: str) -> str:
    if query and not _QUERY.fullmatch(query):
        raise ShapeError("query", "The part after the ? holds signs that an address cannot have.")
    return _canonical_triplets(query)


def _canonical_triplets(text: str) -> str:
    """Return `text` with %7e as ~ and %c3 as %C3 (RFC 3986, section 6.2.2), as requests would send it."""

    def canonical(triplet: re.Match[str]) -> str:
        character = chr(int(triplet[1], 16))
        return character if _UNRESERVED.fullmatch(character) else triplet[0].upper()

    return _TRIPLET.sub(canonical, text)


def _decoded(path: str) -> str:
    """Return `path` decoded until nothing changes: some servers decode twice."""
    previous = ""
    while path != previous:
        previous, path = path, _TRIPLET.sub(lambda triplet: chr(int(triplet[1], 16)), path)
    # What came from bytes above 127 is text in an encoding of the server's choice, and no sign that steers a path.
    return "".join(character for character in path if character < "\x80")


def _demand_agreement(target: Target, url: str = "") -> None:
    """Refuse a URL (by default the canonical one) that other readers take to another place."""
    try:
        standard, other = urlsplit(url or target.url), parse_url(url or target.url)
        readings = {
            (standard.scheme, standard.hostname, standard.port, standard.username),
            (other.scheme, (other.host or "").strip("[]").lower(), other.port, other.auth),
        }
    except (ValueError, LocationParseError):
        raise _ambiguous() from None
    for scheme, host, port, user in readings:
        where = (scheme, canonical_host(host or ""), port or _DEFAULT_PORTS[target.scheme])
        if where != (target.scheme, target.host, target.port) or user is not None:
            raise _ambiguous()


def _ambiguous() -> ShapeError:
    return ShapeError("ambiguous", f"The address can be read in two ways. Write it plainly, like {_EXAMPLE}.")


def _judge(target: Target) -> Target:
    """Return `target` with `listed_only` set. Raises NotListed when no entry could make it callable."""
    possible = current_allow().may_cover(target.host, target.port)
    address = literal(target.host)
    local = address is None and is_local_name(target.host)
    unusual = target.port not in PUBLIC_PORTS
    plain = target.scheme == "http"
    if local and not possible:
        raise NotListed("local_name", f"This name exists only inside a network. {_PERMIT}")
    if address and not is_callable(address, target.host, target.port):
        raise NotListed("not_public", f"This address is not one that this installation may call. {_PERMIT}")
    if address and possible:
        possible = is_listed(address, target.host, target.port, current_allow())
    if plain and not possible:
        raise NotListed("https", f"Use https:// here, so that the key travels encrypted. {_PERMIT}")
    if unusual and not possible:
        raise NotListed("port", f"Only port 443 is open for calls. {_PERMIT}")
    if settings.OUTBOUND_MODE == "allow-only" and not possible:
        raise NotListed("not_public", f"This installation calls only the targets on its list. {_PERMIT}")
    return replace(target, listed_only=local or unusual or plain)
