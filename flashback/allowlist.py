"""The operator's list of targets beyond public https, and the judgement of an address with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from flashback.addresses import NEVER, Address, Network, embedded, is_never, is_public
from flashback.hosts import ShapeError, canonical_name

# Widest entries that can mean one's own network: 10.0.0.0/8 and fc00::/7.
_WIDEST = {4: 8, 6: 7}
ANY_PORT = 0


@dataclass(frozen=True)
class Allow:
    """The operator's list of targets beyond public https. Port 0 stands for any port."""

    names: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[tuple[Network, int], ...] = ()

    def names_target(self, host: str, port: int) -> bool:
        """Return whether an entry has exactly this name with this port."""
        return not self.names.isdisjoint({(host, port), (host, ANY_PORT)})

    def covers(self, address: Address, port: int) -> bool:
        """Return whether an entry has a network with this address and port."""
        return any(address in network for network, its_port in self.networks if its_port in {port, ANY_PORT})

    def may_cover(self, host: str, port: int) -> bool:
        """Return whether `host` could turn out to be listed once it is resolved."""
        return self.names_target(host, port) or any(its_port in {port, ANY_PORT} for _, its_port in self.networks)

    def overlaps_never(self) -> list[str]:
        """Return the networks of which a part stays closed all the same."""
        return [str(network) for network, _ in self.networks if any(network.overlaps(never) for never in NEVER)]


def parse_allow(entries: Sequence[str]) -> Allow:
    """Return the allow-list of `host:port`, `ip:port`, `cidr:port`, `[v6]:port`; a port may be `*`.

    Raises ImproperlyConfigured with the entry when it cannot be read, opens everything, or lies where nothing is ever
    called.
    """
    return _parse_allow(tuple(entries))


def current_allow() -> Allow:
    """Return the allow-list of the settings."""
    return parse_allow(settings.OUTBOUND_ALLOW)


@lru_cache(maxsize=32)
def _parse_allow(entries: tuple[str, ...]) -> Allow:
    names: set[tuple[str, int]] = set()
    networks: list[tuple[Network, int]] = []
    for entry in entries:
        host, port = _split_entry(entry)
        network = _network(entry, host)
        if network is None:
            names.add((_entry_name(entry, host), port))
        else:
            networks.append((network, port))
    return Allow(frozenset(names), tuple(networks))


def _split_entry(entry: str) -> tuple[str, int]:
    host, colon, port = entry.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    naked_v6 = ":" in host and not bracketed and "/" not in host
    if not colon or not host or naked_v6 or (bracketed and ":" not in host):
        raise _unreadable(entry)
    if port == "*":
        return host.strip("[]"), ANY_PORT
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise _unreadable(entry)
    return host.strip("[]"), int(port)


def _network(entry: str, host: str) -> Network | None:
    try:
        network = ip_network(host)
    except ValueError:
        if "/" in host or ":" in host:
            raise _unreadable(entry) from None
        return None
    if network.prefixlen < _WIDEST[network.version]:
        raise ImproperlyConfigured(f"FLASHBACK_OUTBOUND_ALLOW: {entry!r} opens too much. Name your own network.")
    if any(_inside(network, never) for never in NEVER):
        raise ImproperlyConfigured(f"FLASHBACK_OUTBOUND_ALLOW: {entry!r} lies in a range that is never called.")
    return network


def _inside(network: Network, other: Network) -> bool:
    first, last = network.network_address, network.broadcast_address
    return first in other and last in other


def _entry_name(entry: str, host: str) -> str:
    try:
        return canonical_name(host)
    except ShapeError:
        raise _unreadable(entry) from None


def _unreadable(entry: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"FLASHBACK_OUTBOUND_ALLOW: {entry!r} cannot be read. Write host:port, address:port, network/length:port or "
        "[IPv6 address]:port, such as localhost:11434 or 10.20.0.0/16:8000."
    )


def is_listed(address: Address, host: str, port: int, allow: Allow) -> bool:
    """Return whether the operator opened this address, by the name it was found under or by its network.

    A network that wraps IPv4 addresses (NAT64) opens only those that are public or listed themselves.
    """
    if is_never(address):
        return False
    if allow.names_target(host, port):
        return True
    inner = embedded(address)
    return allow.covers(address, port) and all(is_public(one) or allow.covers(one, port) for one in inner)


def is_callable(address: Address, host: str, port: int) -> bool:
    """Return whether `address`, found under `host`, may be called on `port` with the settings of now."""
    if is_never(address):
        return False
    if is_listed(address, host, port, current_allow()):
        return True
    return settings.OUTBOUND_MODE != "allow-only" and is_public(address)
