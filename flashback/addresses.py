"""Which addresses may be called: own tables, because the standard library's change with its patch level.

`ipaddress` of Python 3.11.7 calls a dozen special ranges global (192.0.0.192, 2002::/16, 64:ff9b::/96 and others). The
tables below are the IANA registries iana-ipv4-special-registry and iana-ipv6-special-registry, every row of them, also
those marked globally reachable: no provider lives there. Beyond them come multicast (RFC 5771, RFC 4291), deprecated
site-local addresses (RFC 3879) and everything outside 2000::/3, the only global unicast space (RFC 4291, section 2.4).
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NEVER: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this network; the kernel takes 0.0.0.0 for loopback
            "169.254.0.0/16",  # link-local, where most clouds answer with credentials
            "168.63.129.16/32",  # Azure's host agent, in public space
            "100.100.100.200/32",  # Alibaba Cloud's metadata
            "192.0.0.192/32",  # Oracle Cloud's metadata
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
            "::/128",
            "fd00:ec2::/32",  # AWS metadata and pod identity over IPv6
            "fd20:ce::254/128",  # Google Cloud's metadata over IPv6
            "fe80::/10",  # link-local
            "fec0::/10",  # site-local
            "ff00::/8",  # multicast
        ),
    )
)

DENY: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "2001::/23",  # protocol assignments, with Teredo, ORCHID, benchmarking and drone ids inside
            "2001:db8::/32",
            "2002::/16",
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")


def embedded(address: Address) -> Iterator[IPv4Address]:
    """Yield every IPv4 address that an IPv6 address can stand for."""
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    low = number & 0xFFFFFFFF
    high96 = number >> 32
    if high96 in {0, 0xFFFF, 0xFFFF0000} and number > 1:  # compatible, mapped (RFC 4291), translated (RFC 2765)
        yield IPv4Address(low)
    if high96 == 0x64FF9B << 64 or number >> 80 == 0x64FF9B0001:  # NAT64 (RFC 6052), local NAT64 (RFC 8215)
        yield IPv4Address(low)
    if number >> 80 == 0x64FF9B0001:  # RFC 6052, section 2.2: a /48 prefix splits the address around bits 64 to 71
        yield IPv4Address((number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF)
    if number >> 112 == 0x2002:  # 6to4 (RFC 3056)
        yield IPv4Address(number >> 80 & 0xFFFFFFFF)
    if number >> 96 == 0x20010000:  # Teredo (RFC 4380): server, and client with every bit turned
        yield IPv4Address(number >> 64 & 0xFFFFFFFF)
        yield IPv4Address(low ^ 0xFFFFFFFF)
    if number >> 32 & 0xFDFFFFFF == 0x5EFE:  # ISATAP (RFC 5214), in any prefix
        yield IPv4Address(low)


def is_never(address: Address) -> bool:
    """Return whether an address, or one hidden in it, is closed whatever the operator lists."""
    return any(one in network for one in (address, *embedded(address)) for network in NEVER)


def is_public(address: Address) -> bool:
    """Return whether an address, and any hidden in it, belongs to the public internet."""
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not any(one in network for one in (address, *embedded(address)) for network in DENY)
