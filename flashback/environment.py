"""Reads the environment for the settings, and refuses nonsense with one clear line each."""

import os
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """Return the variable `name` without blanks around it, or `default` when it is unset or blank."""
    return os.environ.get(name, "").strip() or default


def choice(name: str, *allowed: str) -> str:
    """Return one of `allowed`; the first is the default."""
    value = text(name, allowed[0])
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be one of: {', '.join(allowed)}.")
    return value


def integer(name: str, default: int, *, least: int, most: int) -> int:
    """Return a whole number between `least` and `most`."""
    value = text(name, str(default))
    if not value.isascii() or not value.isdecimal() or not least <= int(value) <= most:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be a whole number from {least} to {most}.")
    return int(value)


def flag(name: str) -> bool:
    """Return whether a yes/no variable says yes; unset is no."""
    value = text(name, "0").lower()
    if value not in {"0", "1", "true", "false", "yes", "no", "on", "off"}:
        raise ImproperlyConfigured(f"{name} is {value!r}; write 1 or 0.")
    return value in {"1", "true", "yes", "on"}


def items(name: str) -> list[str]:
    """Return the parts of a comma separated variable."""
    return [part.strip() for part in text(name).split(",") if part.strip()]


def origins(name: str) -> frozenset[str]:
    """Return web origins as browsers write them, such as https://app.example.com; any other form is refused."""
    found = frozenset(items(name))
    for origin in found:
        parts = urlsplit(origin)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = {"http": 80, "https": 443}.get(parts.scheme)
        ends = f":{parts.port}" if parts.port and parts.port != port else ""
        if port is None or not host or origin != f"{parts.scheme}://{host}{ends}":
            raise ImproperlyConfigured(f"{name}: {origin!r} is no origin; write it as https://app.example.com.")
    return found


def secret(name: str) -> str:
    """Return a secret from `name`, or from the file that `name`_FILE names; "" when neither is set.

    The file must be a regular file that only its owner may read.
    """
    value, path = text(name), text(f"{name}_FILE")
    if value and path:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set; keep one.")
    return read_secret_file(Path(path), f"{name}_FILE") if path else value


def read_secret_file(path: Path, named_by: str) -> str:
    """Return the content of a secret's file. Raises ImproperlyConfigured when it is missing or others may read it."""
    try:
        if not path.is_file():
            raise ImproperlyConfigured(f"{named_by} names {path}, which is not a file.")
        if path.stat().st_mode & 0o077:
            raise ImproperlyConfigured(f"{path} can be read by others; run: chmod 600 {path}")
        if path.stat().st_uid != os.geteuid():
            raise ImproperlyConfigured(f"{path} belongs to another user; give it to the one that runs Flashback.")
        content = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ImproperlyConfigured(f"{named_by} names {path}, which cannot be read.") from None
    if not content:
        raise ImproperlyConfigured(f"{named_by} names {path}, which is empty.")
    return content


def networks(name: str) -> list[str]:
    """Return the IP addresses and CIDR blocks of a comma separated variable, each as a block."""
    blocks = []
    for item in items(name):
        try:
            block = ip_network(item)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} has {item!r}; write addresses such as 10.0.0.5 or 10.0.0.0/24."
            ) from None
        if block.prefixlen == 0:
            raise ImproperlyConfigured(f"{name} has {item!r}, which is everybody. Name the proxies.")
        blocks.append(str(block))
    return blocks


def public_url(name: str, default: str) -> str:
    """Return an origin such as https://flashback.example.com (no path, no user, no query)."""
    value = text(name, default).rstrip("/")
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and _is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.path or parts.query or parts.fragment or "@" in value:
        raise ImproperlyConfigured(f"{name} is {value!r}; write an address such as https://flashback.example.com.")
    return value


def contact(name: str, default: str) -> str:
    """Return where people get help, as a link: an address of the web, or an e-mail address as mailto:."""
    value = text(name, default)
    if re.fullmatch(r"[^\s@:/<>\"]+@[^\s@:/<>\"]+\.[^\s@:/<>\"]+", value):
        return f"mailto:{value}"
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and _is_host(parts.hostname or "") and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\"<>]", value):
        raise ImproperlyConfigured(
            f"{name} is {value!r}; write an address such as https://help.example.com, or an e-mail address."
        )
    return value


def _is_host(host: str) -> bool:
    """Tell whether `host` is one name or address; wildcards, a leading dot and 0.0.0.0 are not."""
    try:
        return not ip_address(host).is_unspecified
    except ValueError:
        return re.fullmatch(r"(?!-)[a-z0-9-]+(\.[a-z0-9-]+)*", host) is not None
