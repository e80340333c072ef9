"""Which addresses may be called: the tables against the registries, the wrappers, the operator's list."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from flashback.addresses import NEVER, embedded, is_never, is_public
from flashback.allowlist import current_allow, is_callable, parse_allow
from flashback.outbound_checks import check_outbound

patiently = examples(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure

# https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry, all rows.
IPV4_REGISTRY = """
0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29
192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24
192.88.99.0/24 192.88.99.2/32 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
255.255.255.255/32
""".split()
IPV6_REGISTRY = """
::1/128 ::/128 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:1::1/128
2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32
2002::/16 2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10
""".split()
OTHERS = ["224.0.0.0/4", "ff00::/8", "fec0::/10", "4000::/2", "8000::/1", "::/96", "::ffff:0:0:0/96"]
SPECIAL = [ip_network(row) for row in [*IPV4_REGISTRY, *IPV6_REGISTRY, *OTHERS]]
METADATA = [
    *("169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23", "168.63.129.16", "100.100.100.200"),
    *("192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fe80::a9fe:a9fe"),
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "104.18.7.192", "20.42.0.1", "2606:4700::6812:7c0", "2a00:1450:4001:830::200a"]

ipv4 = st.integers(0, 2**32 - 1).map(IPv4Address)
ipv6 = st.integers(0, 2**128 - 1).map(IPv6Address)
inside_special = st.sampled_from(SPECIAL).flatmap(
    lambda network: st.integers(int(network.network_address), int(network.broadcast_address)).map(
        type(network.network_address)
    )
)


def wrapped(address: IPv4Address) -> list[IPv6Address]:
    """Every way in which an IPv6 address can carry an IPv4 address."""
    number = int(address)
    every = [
        IPv6Address(0xFFFF << 32 | number),  # mapped
        IPv6Address(number),  # compatible
        IPv6Address(0xFFFF << 48 | number),  # translated
        IPv6Address((0x64FF9B << 96) | number),  # NAT64
        IPv6Address((0x64FF9B0001 << 80) | number),  # NAT64 with a local prefix, address at the end
        IPv6Address((0x64FF9B0001 << 80) | (number >> 16 << 64) | ((number & 0xFFFF) << 40)),  # the same, split
        IPv6Address((0x2002 << 112) | (number << 80)),  # 6to4
        IPv6Address((0x20010000 << 96) | (number << 64)),  # Teredo server
        IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF)),  # Teredo client
        IPv6Address((0x2A001450 << 96) | (0x5EFE << 32) | number),  # ISATAP under somebody's public prefix
        IPv6Address((0x2A001450 << 96) | (0x02005EFE << 32) | number),
    ]
    return [wrapper for wrapper in every if int(wrapper) > 1]  # :: and ::1 are addresses of their own


@pytest.mark.parametrize("network", SPECIAL, ids=str)
def test_every_row_of_the_registries_is_refused_at_both_ends_and_in_the_middle(network: IPv4Network | IPv6Network):
    middle = network.network_address + network.num_addresses // 2
    assert [is_public(address) for address in (network[0], middle, network[-1])] == [False, False, False]


@patiently
@given(inside_special)
def test_no_address_inside_a_special_range_is_public(address: IPv4Address | IPv6Address):
    assert not is_public(address)


@patiently
@given(ipv4)
def test_an_ipv4_address_is_public_exactly_when_no_registry_names_it(address: IPv4Address):
    assert is_public(address) == (not any(address in network for network in SPECIAL))


@patiently
@given(ipv6)
def test_an_ipv6_address_outside_global_unicast_is_never_public(address: IPv6Address):
    assert address in IPv6Network("2000::/3") or not is_public(address)


@pytest.mark.parametrize("text", PUBLIC)
def test_addresses_of_providers_are_public(text: str):
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", ["9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
                                  "128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255",
                                  "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"])  # fmt: skip
def test_neighbours_of_private_ranges_stay_open(text: str):
    assert is_public(ip_address(text))


@patiently
@given(inside_special.filter(lambda address: address.version == 4))
def test_no_wrapper_makes_a_special_address_public(address: IPv4Address):
    for wrapper in wrapped(address):
        assert (address in set(embedded(wrapper)), is_public(wrapper)) == (True, False)


@pytest.mark.parametrize("text", METADATA)
def test_metadata_stays_closed_whatever_is_listed(settings, text: str):
    settings.OUTBOUND_ALLOW = [
        "128.0.0.0/8:*",
        "100.0.0.0/8:*",
        "168.0.0.0/8:*",
        "192.0.0.0/8:*",
        "fd00::/8:*",
        "metadata:*",
    ]
    address = ip_address(text)
    assert (is_never(address), is_callable(address, "metadata", 80)) == (True, False)


@patiently
@given(st.sampled_from([network for network in NEVER if network.version == 4]), st.data())
def test_never_holds_inside_every_wrapper(network: IPv4Network, data: st.DataObject):
    address = IPv4Address(data.draw(st.integers(int(network[0]), int(network[-1]))))
    assert all(is_never(wrapper) for wrapper in wrapped(address))


def test_a_name_entry_opens_private_answers_of_that_name_on_that_port_only(settings):
    settings.OUTBOUND_ALLOW = ["vllm.corp.example:8000"]
    private = ip_address("10.1.2.3")
    assert is_callable(private, "vllm.corp.example", 8000)
    assert not is_callable(private, "vllm.corp.example", 8001)
    assert not is_callable(private, "other.corp.example", 8000)
    assert not is_callable(private, "10.1.2.3", 8000)


def test_a_network_entry_opens_its_addresses_on_that_port_only(settings):
    settings.OUTBOUND_ALLOW = ["10.20.0.0/16:8000", "[fd12:3456::/32]:*", "[::1]:11434"]
    answers = {
        text: is_callable(ip_address(text), "any.example", port)
        for text, port in [("10.20.255.255", 8000), ("10.20.0.1", 8001), ("10.21.0.0", 8000), ("fd12:3456::1", 1),
                           ("fd12:3457::1", 1), ("::1", 11434)]
    }  # fmt: skip
    assert answers == {"10.20.255.255": True, "10.20.0.1": False, "10.21.0.0": False, "fd12:3456::1": True,
                       "fd12:3457::1": False, "::1": True}  # fmt: skip


def test_a_listed_translator_opens_only_what_may_be_called_without_it(settings):
    settings.OUTBOUND_ALLOW = ["[64:ff9b::/96]:443"]
    assert is_callable(ip_address("64:ff9b::808:808"), "any.example", 443)
    assert not is_callable(ip_address("64:ff9b::a00:1"), "any.example", 443)
    assert not is_callable(ip_address("64:ff9b::a9fe:a9fe"), "any.example", 443)


def test_allow_only_closes_the_public_internet(settings):
    settings.OUTBOUND_MODE = "allow-only"
    settings.OUTBOUND_ALLOW = ["1.1.1.1:443"]
    assert is_callable(ip_address("1.1.1.1"), "one.example", 443)
    assert not is_callable(ip_address("8.8.8.8"), "eight.example", 443)


def test_the_list_is_read_anew_when_the_setting_changes(settings):
    settings.OUTBOUND_ALLOW = ["localhost:11434"]
    before = current_allow()
    settings.OUTBOUND_ALLOW = ["LOCALHOST.:1234"]
    assert (before.names, current_allow().names) == ({("localhost", 11434)}, {("localhost", 1234)})


@pytest.mark.parametrize(
    "entry",
    [
        *("0.0.0.0/0:443", "::/0:443", "[::/0]:*", "0.0.0.0/1:80", "128.0.0.0/1:*", "2000::/3:443"),
        *("169.254.0.0/16:*", "169.254.169.254:80", "224.0.0.0/8:1", "[fe80::1]:80", "[ff02::1]:80", "[::]:80"),
        *("fd00:ec2::/48:80", "168.63.129.16:80", "255.255.255.255:80", "0.0.0.0:80", "10.0.0.0:0", "10.0.0.0:65536"),
        *("localhost", "localhost:", ":443", "::1:8000", "10.20.0.5/16:80", "10.20.0.0/33:80", "host:-1", "host:²"),
        *("http://localhost:80", "*.corp:443", "a b:443", "127.1:80", "0x7f.1:80", "[localhost]:80", "user@host:1"),
    ],
)
def test_a_bad_entry_is_named_and_nothing_starts(settings, entry: str):
    with pytest.raises(ImproperlyConfigured) as refusal:
        parse_allow(["localhost:11434", entry])
    assert repr(entry) in str(refusal.value)
    settings.OUTBOUND_ALLOW = [entry]
    assert [message.id for message in check_outbound()] == ["flashback.E020"]


def test_an_entry_that_is_open_in_part_is_a_warning(settings):
    settings.OUTBOUND_ALLOW = ["100.64.0.0/10:443", "10.0.0.0/8:443"]
    assert [(message.id, "100.64.0.0/10" in message.msg) for message in check_outbound()] == [("flashback.W020", True)]


def test_a_file_of_authorities_that_cannot_be_read_is_an_error(settings, tmp_path):
    settings.OUTBOUND_CA_FILE = str(tmp_path / "missing.pem")
    assert [message.id for message in check_outbound()] == ["flashback.E021"]
