"""Flashback's own doors: its listener and the services it keeps its data in are never the target of a call."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from django.conf import settings

from flashback.addresses import Address, embedded
from flashback.hosts import literal
from flashback.resolver import Unresolved, resolve

_DEFAULT_PORTS = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379}
_DATABASE_PORT = 5432
_RESOLVE_SECONDS = 1.0


def is_own(host: str, addresses: list[Address], port: int) -> bool:
    """Return whether `host`, found at `addresses`, is our public address, our listener or one of our services.

    Names of our own services are looked up only for a call to the very port they use.
    """
    doors = [place for place, its_port in _services() if its_port == port]
    if host in doors or (host, port) == _public():
        return True
    inner = [one for address in addresses for one in (address, *embedded(address))]
    own = {address for place in doors for address in _found(place)}
    return not own.isdisjoint(inner) or (port == settings.PORT and any(map(_is_listener, inner)))


def _public() -> tuple[str, int]:
    parts = urlsplit(settings.PUBLIC_URL)
    return parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def _services() -> Iterator[tuple[str, int]]:
    for database in settings.DATABASES.values():
        place = str(database.get("HOST") or "")
        if place and not place.startswith("/"):  # a path is a socket in the file system
            yield place.lower(), int(database.get("PORT") or _DATABASE_PORT)
    for cache in settings.CACHES.values():
        locations = cache.get("LOCATION") or ()
        for location in [locations] if isinstance(locations, str) else locations:
            parts = urlsplit(location)
            if parts.scheme in _DEFAULT_PORTS and parts.hostname:
                yield parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]
    if settings.EMAIL_HOST:
        yield settings.EMAIL_HOST.lower(), int(settings.EMAIL_PORT)


def _found(place: str) -> list[Address]:
    with suppress(Unresolved):
        return resolve(place, 0, _RESOLVE_SECONDS)
    return []


def _is_listener(address: Address) -> bool:
    place = literal(settings.HOST)
    if place is None or place.is_unspecified:
        return address.is_loopback or _is_this_machine(address)
    return address == place


def _is_this_machine(address: Address) -> bool:
    """Return whether this machine has `address`: only its own can be bound. Sends nothing."""
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
