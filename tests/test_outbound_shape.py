"""Endpoints as people type them: what is refused before anything is asked of the network, and what is stored."""

import itertools
from ipaddress import IPv4Address
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from urllib3.util import parse_url

from flashback.addresses import is_public
from flashback.outbound import ShapeError, check_shape, origin, shown_host
from tests.test_addresses import METADATA, wrapped

patiently = examples(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure


def rule(url: str) -> str:
    """The rule that refuses `url`, or "" for none."""
    try:
        check_shape(url)
    except ShapeError as problem:
        return problem.rule
    return ""


@pytest.fixture(autouse=True)
def empty_list(settings):
    settings.OUTBOUND_ALLOW = []


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com", "https://api.openai.com"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1/"),
        ("HTTPS://API.OpenAI.com.:443/V1", "https://api.openai.com/V1"),
        ("https://münchen.example/v1", "https://xn--mnchen-3ya.example/v1"),
        ("https://\uff21\uff30\uff29.example/v1", "https://api.example/v1"),
        ("https://XN--MNCHEN-3YA.example/", "https://xn--mnchen-3ya.example/"),
        ("https://8.8.8.8/v1", "https://8.8.8.8/v1"),
        ("https://[2606:4700:0::6812:07C0]/v1", "https://[2606:4700::6812:7c0]/v1"),
        ("https://a.example/%7euser/%c3%a9/x%2fy", "https://a.example/~user/%C3%A9/x%2Fy"),
        ("https://a.example/v1;x=1/@y:z", "https://a.example/v1;x=1/@y:z"),
        ("https://my_host.example/...", "https://my_host.example/..."),
    ],
)
def test_a_good_endpoint_is_stored_in_one_spelling(typed: str, stored: str):
    assert check_shape(typed) == stored
    assert check_shape(stored) == stored


@pytest.mark.parametrize(
    ("url", "broken"),
    [
        ("", "scheme"),
        ("api.openai.com/v1", "scheme"),
        ("//api.openai.com/v1", "scheme"),
        ("https:/api.openai.com", "scheme"),
        ("file:///x", "scheme"),
        ("gopher://127.0.0.1:6379/_x", "scheme"),
        ("ftp://127.0.0.1/", "scheme"),
        ("dict://127.0.0.1:11211/", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("https://a.example/" + "x" * 2048, "too_long"),
        ("https://user:pw@a.example/", "userinfo"),
        ("http://user:pw@127.0.0.1/", "userinfo"),
        ("https://@a.example/", "userinfo"),
        ("http://127.0.0.1%2f@api.openai.com/", "userinfo"),
        ("http://api.openai.com\\@127.0.0.1/", "characters"),
        ("https://a.example\\b", "characters"),
        ("http://api.openai.com#@127.0.0.1/", "fragment"),
        ("https://a.example/v1#", "fragment"),
        ("https://a.example/v1?", "query"),
        ("https://a.example/v1?key=1", "query"),
        ("https://a.example?x", "query"),
        ("http://127.0.0.1%00.example.com/", "characters"),
        ("https://%61.example/", "characters"),
        ("https://[fe80::1%25eth0]/", "zone"),
        ("https://a.example:/", "port"),
        ("https://a.example:0/", "port"),
        ("https://a.example:65536/", "port"),
        ("https://a.example:-1/", "port"),
        ("https://a.example:+1/", "port"),
        ("https://a.example:\uff14\uff14\uff13/", "port"),
        ("https://a.example:80:80/", "port"),
        ("https://a.example:8443/", "port"),
        ("https:///v1", "host"),
        ("https://:443/", "host"),
        ("https://a..example/", "host"),
        ("https://.a.example/", "host"),
        ("https://*.example/", "host"),
        ("https://-a.example/", "host"),
        ("https://[a.example]/", "host"),
        ("https://[1.2.3.4]/", "host"),
        ("https://[::1/", "host"),
        ("https://[::g]/", "host"),
        ("https://" + "a" * 64 + ".example/", "host"),
        ("https://" + "a." * 130 + "example/", "host"),
        ("https://xn--a.example/", "host"),
        ("https://a.example/v1//models", "path"),
        ("https://a.example//v1", "path"),
        ("https://a.example/v1/..//..", "path"),
        ("https://a.example/v1/../x", "path"),
        ("https://a.example/./v1", "path"),
        ("https://a.example/%2e%2e/", "path"),
        ("https://a.example/.%2E/", "path"),
        ("https://a.example/%252e%252e/", "path"),
        ("https://a.example/..%2fx", "path"),
        ("https://a.example/..;/x", "path"),
        ("https://a.example/%5c", "path"),
        ("https://a.example/%0d%0aHost:x", "path"),
        ("https://a.example/%00", "path"),
        ("https://a.example/%zz", "path"),
        ("https://a.example/{model}", "path"),
        ("https://a.example/é", "path"),
        ("http://a.example/v1", "https"),
        ("http://8.8.8.8/", "https"),
        ("http://127。0。0。1/", "numeric_host"),
        ("http://\uff11\uff12\uff17.0.0.1/", "numeric_host"),
        ("https://1.2.3.4.5/", "numeric_host"),
        ("https://1.2.3/", "numeric_host"),
        ("https://a.example.1/", "numeric_host"),
        ("https://0x8.8.8.8/", "numeric_host"),
        ("https://08.8.8.8/", "numeric_host"),
    ],
)
def test_each_rule_refuses_by_its_name(url: str, broken: str):
    assert rule(url) == broken


LOCAL_NAMES = """
LOCALHOST. localhost redis kubernetes.default.svc a.local a.internal a.localhost a.home.arpa a.lan a.corp
a.svc.cluster.local ⓛocalhost
""".split()


@pytest.mark.parametrize("host", LOCAL_NAMES)
def test_names_of_ones_own_network_need_the_list(settings, host: str):
    assert {rule(f"https://{host}/"), rule(f"http://{host}:8000/")} == {"local_name"}
    settings.OUTBOUND_ALLOW = [f"{host}:8000"]
    assert rule(f"http://{host}:8000/") == ""


@pytest.mark.parametrize(
    "character", [*map(chr, range(33)), "\x7f", "\x85", "\xa0", "\u200b", "\u202e", "\u2028", "\ufeff", "\ud800"]
)
def test_no_blank_or_invisible_character_passes_anywhere(character: str):
    typed = "https://api.example/v1"
    places = [typed[:at] + character + typed[at:] for at in range(len(typed) + 1)]
    assert {rule(url) for url in places} == {"characters"}


def spellings(address: IPv4Address) -> list[str]:
    """The ways in which name resolution takes a number for an address."""
    one, two, three, four = address.packed
    number = int(address)
    return [
        *(str(number), hex(number), f"0{number:o}", f"0X{number:X}", f"{one}.{number & 0xFFFFFF}"),
        *(f"{one}.{two}.{number & 0xFFFF}", f"0x{one:x}.{two}.{three}.{four}", f"{one:04o}.{two:o}.{three:o}.{four:o}"),
        *(f"{one}.{two}.{three}.{four:#x}", f"0{one}.{two}.{three}.{four}", f"{one}.{two}.{three}.0{four}"),
    ]


INTERNAL = """
127.0.0.1 127.255.255.254 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 198.18.0.1 224.0.0.1 255.255.255.255
100.64.0.1 169.254.169.254 169.254.170.2 168.63.129.16 100.100.100.200 192.0.0.192 192.0.0.8 192.88.99.1 203.0.113.7
""".split()
PORTS = ["", ":80", ":443", ":8000", ":11434"]


@pytest.mark.parametrize("text", INTERNAL)
def test_no_spelling_of_an_internal_ipv4_address_has_a_callable_shape(text: str):
    address = IPv4Address(text)
    hosts = [text, f"{text}.", *spellings(address), *(f"[{wrapper}]" for wrapper in wrapped(address))]
    urls = [f"{scheme}://{host}{port}/v1" for scheme, host, port in itertools.product(["http", "https"], hosts, PORTS)]
    assert {rule(url) for url in urls} <= {"not_public", "numeric_host"}


INTERNAL_V6 = ":: ::1 fc00::1 fec0::1 ff02::1 fe80::1 100::1 5f00::1 3fff::1 2001:db8::1".split()


@pytest.mark.parametrize("text", [*INTERNAL_V6, *(text for text in METADATA if ":" in text)])
def test_no_internal_ipv6_address_has_a_callable_shape(text: str):
    assert {rule(f"{scheme}://[{text}]{port}/") for scheme in ("http", "https") for port in PORTS} == {"not_public"}


authority_noise = st.text(alphabet="aA1.:@[]%/\\?#-_。xX0\t é", max_size=24)


@patiently
@given(authority_noise, st.text(alphabet="a/.%2eE;:@~_-5cC", max_size=16))
def test_whatever_passes_is_read_alike_by_everybody_and_is_public(authority: str, path: str):
    try:
        url = check_shape(f"https://{authority}/{path}")
    except ShapeError:
        return
    standard, other = urlsplit(url), parse_url(url)
    host = (standard.hostname or "").strip("[]")
    assert (host, standard.port) == ((other.host or "").strip("[]"), other.port)
    assert (standard.path, other.path or "") == (urlsplit(url).path, standard.path)
    assert (standard.username, standard.query, standard.fragment) == (None, "", "")
    if host.replace(".", "").isdigit():
        assert is_public(IPv4Address(host))


@patiently
@given(st.text(max_size=60))
def test_any_text_at_all_is_stored_or_refused(text: str):
    for url in (text, f"https://{text}", f"https://a.example/{text}"):
        if not rule(url):
            assert check_shape(check_shape(url)) == check_shape(url)


@pytest.mark.parametrize(
    "other", ["https://evil.example/v1", "http://a.example/v1", "https://a.example:8443/v1", "https://u@a.example"]
)
def test_a_reader_that_goes_elsewhere_makes_an_endpoint_ambiguous(monkeypatch, other: str):
    monkeypatch.setattr("flashback.endpoints.parse_url", lambda _: parse_url(other))
    assert rule("https://a.example/v1") == "ambiguous"
    assert rule("https://ä.example/v1") == "ambiguous"


def test_plain_http_and_other_ports_are_for_listed_targets(settings):
    settings.OUTBOUND_ALLOW = ["localhost:11434", "10.20.0.0/16:8000", "8.8.8.8:80"]
    assert check_shape("http://localhost:11434/v1") == "http://localhost:11434/v1"
    assert check_shape("http://10.20.1.1:8000") == "http://10.20.1.1:8000"
    assert check_shape("http://vllm:8000") == "http://vllm:8000"  # its addresses decide when it is called
    assert check_shape("http://8.8.8.8") == "http://8.8.8.8"
    assert rule("http://8.8.4.4:8000") == "https"
    assert rule("http://localhost:11435/v1") == "local_name"
    assert rule("http://10.21.1.1:8000") == "not_public"


def test_allow_only_refuses_everything_else_at_once(settings):
    settings.OUTBOUND_MODE = "allow-only"
    settings.OUTBOUND_ALLOW = ["api.openai.com:443"]
    assert (rule("https://api.openai.com/v1"), rule("https://api.mistral.ai/v1")) == ("", "not_public")


def test_no_refusal_repeats_what_was_typed_and_those_the_operator_can_lift_say_how():
    for url in (
        "https://sk-canary:pw@a.example/",
        "https://a.example/?key=sk-canary",
        "sk-canary",
        "https://sk-canary/",
    ):
        with pytest.raises(ShapeError) as refusal:
            check_shape(url)
        assert ("canary" in refusal.value.message, refusal.value.message[-1]) == (False, ".")
    assert "FLASHBACK_OUTBOUND_ALLOW" in refusal.value.message


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com:443"),
        ("http://localhost:11434/v1?x=1", "http://localhost:11434"),
        ("https://[2606:4700::1]/", "https://[2606:4700::1]:443"),
        ("http://a.example", "http://a.example:80"),
    ],
)
def test_an_origin_always_has_its_port(url: str, expected: str):
    assert origin(url) == expected


def test_an_international_name_is_shown_in_both_forms():
    assert shown_host("xn--mnchen-3ya.example") == "xn--mnchen-3ya.example (münchen.example)"
    assert shown_host("api.openai.com") == "api.openai.com"
