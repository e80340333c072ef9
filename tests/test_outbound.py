"""The guard sends: what leaves, where it goes, what comes back, and what it refuses with one face."""

import ast
import contextlib
import logging
import pickle
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection, transaction

from flashback import lanes, outbound, pinned, resolver
from flashback.faults import REFUSAL
from flashback.outbound import Answer, Failure, Fault, Request, Stage, origin, send
from tests.wire import HOST, OK, Server, remembering, saying, serving, silent

SECRET = "sk-cnry-Zk3qTn8WvB5xYd2LhRf7MjPc4Gs9QaUe"
Names = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def quick(monkeypatch, settings):
    """Refuse quickly and start with an empty list, whatever this machine's environment says."""
    monkeypatch.setattr(outbound, "REFUSAL_SECONDS", 0.01)
    monkeypatch.setattr(outbound, "_lanes", lanes.Lanes())
    settings.OUTBOUND_ALLOW = []


@pytest.fixture
def provider(settings) -> Iterator[Server]:
    """A provider that answers {} and is on the list; `heads` keeps what it was asked."""
    heads: list[bytes] = []
    with serving(remembering(heads)) as server:
        server.heads = heads
        settings.OUTBOUND_ALLOW = [server.place]
        yield server


@pytest.fixture
def names(monkeypatch) -> Names:
    """Script the name service: names(host, first_answers, second_answers…); returns the list of questions asked."""
    real, script, asked = socket.getaddrinfo, {}, []

    def getaddrinfo(host, port, *rest, **options):
        if host not in script:
            return real(host, port, *rest, **options)
        asked.append(host)
        answers = script[host].pop(0) if len(script[host]) > 1 else script[host][0]
        if isinstance(answers, Exception):
            raise answers
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in answers]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    def say(host, *answers):
        script[host] = list(answers)
        return asked

    return say


@pytest.fixture
def packets(monkeypatch) -> list[object]:
    """Every address that anything connects to during the test."""
    seen: list[object] = []
    real = socket.socket.connect

    def connect(self, address):
        seen.append(address)
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return seen


def get(url: str, headers: dict[str, str] | None = None, **options: object) -> Answer:
    return send(Request("GET", url, headers or {}), **{"secrets": [SECRET], "origins": [origin(url)], **options})


def failure(url: str, **options: object) -> Failure:
    with pytest.raises(Failure) as caught:
        get(url, **options)
    return caught.value


# --- What leaves ------------------------------------------------------------------------------------------------------


def test_a_get_carries_exactly_these_headers(provider):
    answer = get(f"http://{provider.place}/v1/models", {"Authorization": f"Bearer {SECRET}", "X-Api-Version": "3"})
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"{}", "application/json")
    assert provider.heads == [
        (
            f"GET /v1/models HTTP/1.1\r\nHost: {provider.place}\r\nUser-Agent: Flashback/0.1.0\r\n"
            "Accept-Encoding: identity\r\nConnection: close\r\nAccept: application/json\r\n"
            f"Authorization: Bearer {SECRET}\r\nX-Api-Version: 3\r\n\r\n"
        ).encode()
    ]


def test_a_post_carries_its_body_and_length(provider):
    url = f"http://{provider.place}/v1/chat"
    send(Request("POST", url, {"Accept": "*/*"}, b'{"a":1}'), secrets=[], origins=[origin(url)])
    head, _, body = provider.heads[0].partition(b"\r\n\r\n")
    assert (b"Content-Length: 7" in head.split(b"\r\n"), b"Accept: */*" in head.split(b"\r\n"), body) == (
        True,
        True,
        b'{"a":1}',
    )


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", "/"),
        ("/v1;x=1/a", "/v1;x=1/a"),
        (
            "/v1/model%3Aname%2F1/x?api-version=2024-02-01&x=%20y",
            "/v1/model%3Aname%2F1/x?api-version=2024-02-01&x=%20y",
        ),
        ("/v1/$metadata/(a)!'*,@:+~", "/v1/$metadata/(a)!'*,@:+~"),
        ("/v1/%c3%a9", "/v1/%C3%A9"),
    ],
)
def test_the_request_line_is_the_one_written(provider, path: str, line: str):
    get(f"http://{provider.place}{path}")
    assert provider.heads[0].split(b"\r\n")[0] == f"GET {line} HTTP/1.1".encode()


def test_environment_proxies_netrc_and_bundles_do_not_exist_for_it(provider, monkeypatch, tmp_path):
    trap = f"http://{HOST}:1"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, trap)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login evil password evil\ndefault login evil password evil\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    get(f"http://{provider.place}/v1", {"Authorization": f"Bearer {SECRET}"})
    assert f"\r\nAuthorization: Bearer {SECRET}\r\n".encode() in provider.heads[0]


def test_a_cookie_is_neither_kept_nor_shown(settings):
    heads: list[bytes] = []
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    with serving(remembering(heads, answer)) as server:
        settings.OUTBOUND_ALLOW = [server.place]
        first, _ = get(f"http://{server.place}/"), get(f"http://{server.place}/")
    assert ("set-cookie" in first.headers, b"cookie" in heads[1].lower()) == (False, False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_or_refresh_is_followed(settings, names, packets, status: int):
    with serving(silent) as internal:
        there = f"http://{internal.place}/"
        head = f"HTTP/1.1 {status} Moved\r\nLocation: {there}\r\nRefresh: 0;url={there}\r\nContent-Length: 0\r\n"
        more = f'Alt-Svc: h2="{internal.place}"\r\nLink: <{there}>; rel=preload\r\n\r\n'
        with serving(saying((head + more).encode())) as server:
            settings.OUTBOUND_ALLOW = [server.place, internal.place]
            answer = get(f"http://{server.place}/")
            assert (answer.status, packets) == (status, [(HOST, server.port)])


@pytest.mark.parametrize("status", [200, 204, 400, 401, 403, 404, 408, 409, 429, 500, 503, 999])
def test_every_status_is_an_answer(settings, status: int):
    with serving(saying(f"HTTP/1.1 {status} X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n".encode())) as server:
        settings.OUTBOUND_ALLOW = [server.place]
        answer = get(f"http://{server.place}/")
    assert (answer.status, answer.headers["RETRY-AFTER"], answer.body) == (status, "7", b"")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"[" * 5000, b"NaN", b'{"a":1,"a":2}', "{}".encode("utf-16"), b"\xff\xfe\x00"]
)
def test_any_body_comes_as_it_is(settings, body: bytes):
    with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n" + body)) as server:
        settings.OUTBOUND_ALLOW = [server.place]
        assert get(f"http://{server.place}/").body == body


# --- Where it goes ----------------------------------------------------------------------------------------------------


def test_a_destination_outside_the_origins_is_a_mistake_before_any_packet(provider, packets):
    url = f"http://{provider.place}/v1"
    for origins in ([], ["https://api.openai.com:443"], [f"https://{provider.place}"], [f"http://{HOST}:1"]):
        with pytest.raises(ValueError, match="destination"):
            get(url, origins=origins)
    assert packets == []


def test_a_secret_in_the_url_is_a_mistake_before_any_packet(provider, packets):
    for secret, form in [(SECRET, SECRET), ("a/b+c==secret", "a%2Fb%2Bc%3D%3Dsecret")]:
        with pytest.raises(ValueError, match="URL") as caught:
            get(f"http://{provider.place}/v1?key={form}", secrets=[secret])
        assert secret not in str(caught.value)
    assert packets == []


@pytest.mark.parametrize("name", ["Host", "Cookie", "Content-Length", "Transfer-Encoding", "Connection", "User-Agent",
                                  "Proxy-Authorization", "X Y", "X:Y", "", "X\r\nY", "é"])  # fmt: skip
def test_a_header_that_is_ours_or_no_header_is_a_mistake(provider, packets, name: str):
    with pytest.raises(ValueError, match="header"):
        get(f"http://{provider.place}/", {name: SECRET})
    assert packets == []


@pytest.mark.parametrize("after", ["\r\nX: y", "\n", " ", "\t", "\0", "\x7f", "é", "\U0001f511", "\ud800"])
def test_nothing_that_breaks_a_header_fits_into_one(after: str):
    assert [outbound.header_value_fits(text) for text in (SECRET, SECRET + after, after + SECRET, after, "")] == [
        *(True, False, False, False, False)
    ]


@pytest.mark.parametrize("value", [f"{SECRET}\r\nX: y", f" {SECRET}", f"{SECRET}é", ""])
def test_a_value_that_no_header_can_carry_is_not_sent(provider, packets, value: str):
    with pytest.raises(Failure) as caught:
        get(f"http://{provider.place}/", {"Authorization": value})
    assert (caught.value.fault, packets) == (Fault.UNSENDABLE, [])


def test_a_name_is_asked_for_once_and_the_answer_is_the_one_connected_to(settings, names, packets):
    with serving(saying(OK)) as server, serving(saying(OK), host="127.0.0.1") as internal:
        settings.OUTBOUND_ALLOW = [f"{HOST}/32:*"]
        asked = names("rebinding.example", [HOST], ["127.0.0.1"])
        assert get(f"http://rebinding.example:{server.port}/").status == 200
        assert failure(f"http://rebinding.example:{internal.port}/").fault is Fault.NOT_ALLOWED
    assert (len(asked), packets) == (2, [(HOST, server.port)])


def test_a_public_name_needs_no_entry(monkeypatch, names, packets):
    with serving(lambda sock: sock.sendall(OK)) as server:
        monkeypatch.setattr("flashback.allowlist.is_public", lambda address: str(address) == HOST)
        monkeypatch.setattr("flashback.endpoints.PUBLIC_PORTS", {server.port})
        names("public.example", [HOST])
        names("mixed.example", [HOST, "127.0.0.3"])
        # Not TLS, so it ends there; but it got there.
        assert failure(f"https://public.example:{server.port}/").fault is Fault.TLS_PLAIN
        assert failure(f"https://mixed.example:{server.port}/").fault is Fault.NOT_ALLOWED
    assert packets == [(HOST, server.port)]


def test_plain_http_and_other_ports_go_to_listed_addresses_only(settings, names, packets):
    settings.OUTBOUND_ALLOW = ["10.20.0.0/16:8000", "10.20.0.0/16:443"]
    names("public.example", ["1.1.1.1"])
    names("half.example", ["10.20.0.1", "1.1.1.1"])
    names("redis", ["1.1.1.1"])
    for url in (
        "http://public.example:8000/",
        "https://public.example:8000/",
        "http://half.example:8000/",
        "https://redis/",
    ):
        assert failure(url).fault is Fault.NOT_ALLOWED
    assert packets == []


def test_an_ipv6_only_name_works(settings, names):
    with serving(saying(OK), host="::1") as server:
        settings.OUTBOUND_ALLOW = [f"six.example:{server.port}", f"[::1]:{server.port}"]
        names("six.example", ["::1"])
        assert get(f"http://six.example:{server.port}/").status == 200
        assert get(f"http://[::1]:{server.port}/").status == 200


def test_the_next_address_is_tried_when_one_does_not_answer(settings, names, packets):
    with serving(saying(OK)) as server:
        settings.OUTBOUND_ALLOW = [f"many.example:{server.port}"]
        names("many.example", ["::1", "fd99::1", "fd99::2", HOST, "127.0.0.9"])
        assert get(f"http://many.example:{server.port}/").status == 200
    assert [address[0] for address in packets] == ["::1", HOST]


def test_three_addresses_are_tried_and_no_more(settings, names, packets):
    with serving(silent) as server:
        settings.OUTBOUND_ALLOW = [f"many.example:{server.port}"]
        names("many.example", [f"127.0.0.{last}" for last in range(100, 164)])
        assert failure(f"http://many.example:{server.port}/").fault is Fault.REFUSED
    assert len(packets) == 3


def test_a_peer_other_than_the_judged_one_is_hung_up_on(provider, monkeypatch):
    monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("127.0.0.1", provider.port))
    assert failure(f"http://{provider.place}/").fault is Fault.NOT_ALLOWED
    assert provider.heads in ([], [b""])


def test_an_entry_taken_from_the_list_refuses_the_next_call(provider, settings):
    url = f"http://{provider.place}/v1"
    assert get(url).status == 200
    settings.OUTBOUND_ALLOW = []
    assert (failure(url).fault, failure(url).stages, len(provider.heads)) == (Fault.NOT_ALLOWED, REFUSAL, 1)


# --- Refusals with one face -------------------------------------------------------------------------------------------

FORBIDDEN_ANSWERS = [
    *(
        ["127.0.0.1"],
        ["::1"],
        ["127.0.0.1", "::1"],
        ["1.1.1.1", "10.0.0.1"],
        ["10.0.0.1", "1.1.1.1"],
        ["169.254.169.254"],
    ),
    *(
        ["::ffff:127.0.0.1"],
        ["::ffff:0:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["fe80::1%lo"],
        ["0.0.0.0"],
    ),
    *(["2606:4700::1", "fd00:ec2::254"], [f"1.1.{last // 250}.{last % 250}" for last in range(65)], [], ["nonsense"]),
    *(socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long"), OSError("broken")),
]


@pytest.mark.parametrize("answers", FORBIDDEN_ANSWERS, ids=lambda answers: str(answers)[:40])
def test_all_that_the_network_side_forbids_looks_the_same(names, packets, caplog, answers):
    names("target.example", answers)
    problem = failure("https://target.example/v1")
    assert (problem.fault, problem.stages, str(problem), packets) == (Fault.NOT_ALLOWED, REFUSAL, "not_allowed", [])
    assert [record.name for record in caplog.records] == ["flashback.outbound"]
    assert "https://target.example:443: not_allowed (" in caplog.text


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://localhost:1/", "http://a.example/", "https://a.example:8443/",
                                 "https://[::ffff:127.0.0.1]/", "https://redis/"])  # fmt: skip
def test_what_is_not_on_the_list_any_more_looks_the_same_too(packets, url: str):
    problem = failure(url)
    assert (problem.fault, problem.stages, packets) == (Fault.NOT_ALLOWED, REFUSAL, [])


def test_a_stored_address_without_a_callable_shape_fails_at_its_first_stage(packets):
    with pytest.raises(Failure) as caught:
        send(Request("GET", "https://user:pw@a.example/"), secrets=[], origins=[])
    assert (caught.value.stages, packets) == ((Stage("address", passed=False),), [])


def test_refusals_take_the_same_time_whatever_their_cause(monkeypatch, names):
    monkeypatch.setattr(outbound, "REFUSAL_SECONDS", 0.4)
    names("internal.example", ["10.0.0.1"])
    names("unknown.example", socket.gaierror(-2, "unknown"))
    pauses: list[float] = []
    monkeypatch.setattr(outbound.time, "sleep", pauses.append)
    urls = ("https://internal.example/", "https://unknown.example/", "https://10.0.0.1/", "http://localhost:1/")
    for url in urls:
        started = time.monotonic()
        failure(url)
        taken = time.monotonic() - started
        assert -taken <= pauses[-1] % 0.4 - 0.4 <= 0  # what the call itself took is taken off the pause
    assert len(pauses) == len(urls)


def test_a_name_on_the_list_still_never_reaches_metadata(settings, names, packets):
    settings.OUTBOUND_ALLOW = ["meta.example:*"]
    for answer in ("169.254.169.254", "100.100.100.200", "fd00:ec2::254", "0.0.0.0", "::ffff:169.254.169.254"):
        names("meta.example", [answer])
        assert failure("http://meta.example/").fault is Fault.NOT_ALLOWED
    assert packets == []


def test_flashbacks_own_doors_are_closed_even_when_listed(settings, names, packets, monkeypatch):
    settings.OUTBOUND_ALLOW = [
        f"{place}:*" for place in ("127.0.0.1", "[::1]", "own.example", "flash.example", "db.example")
    ]
    settings.OUTBOUND_ALLOW += ["queue.example:*", "10.0.0.0/8:*"]
    ours = {
        "HOST": "127.0.0.1",
        "PORT": 8000,
        "PUBLIC_URL": "https://flash.example",
        "EMAIL_HOST": "10.0.0.8",
        "EMAIL_PORT": 25,
    }
    databases = {"default": {"HOST": "db.example", "PORT": "5433"}, "socket": {"HOST": "/run/pg"}, "file": {}}
    caches = {"default": {"LOCATION": ["redis://queue.example/0"]}, "memory": {"LOCATION": "x"}, "none": {}}
    monkeypatch.setattr("flashback.own.settings", SimpleNamespace(**ours, DATABASES=databases, CACHES=caches))
    names("own.example", ["127.0.0.1"])
    names("db.example", ["10.0.0.5"])
    names("flash.example", ["10.0.0.6"])
    names("queue.example", ["10.0.0.7"])
    own = ["http://127.0.0.1:8000/", "http://own.example:8000/", "https://flash.example/", "http://db.example:5433/"]
    for url in [*own, "http://10.0.0.5:5433/", "http://10.0.0.7:6379/", "http://10.0.0.8:25/"]:
        assert failure(url).fault is Fault.NOT_ALLOWED
    assert packets == []


def test_a_listener_on_all_addresses_closes_its_port_on_all_addresses_of_the_machine(settings, packets):
    settings.OUTBOUND_ALLOW, settings.HOST, settings.PORT = ["127.0.0.0/8:*", "10.0.0.0/8:*"], "0.0.0.0", 8000
    for host in ("127.0.0.1", "127.0.0.9"):
        assert failure(f"http://{host}:8000/").fault is Fault.NOT_ALLOWED
    assert packets == []
    assert failure("http://127.0.0.9:8001/").fault is Fault.REFUSED


# --- Stages -----------------------------------------------------------------------------------------------------------


def test_a_plain_answer_passed_five_stages_with_their_times(provider):
    stages = get(f"http://{provider.place}/").stages
    assert [(stage.name, stage.passed) for stage in stages] == [
        (name, True) for name in ("address", "allowed", "name", "connection", "http")
    ]
    assert all(stage.ms is not None and 0 <= stage.ms < 5000 for stage in stages)


def test_a_closed_port_fails_at_the_connection(provider):
    provider.close()
    problem = failure(f"http://{provider.place}/")
    assert (problem.fault, [(stage.name, stage.passed) for stage in problem.stages]) == (
        Fault.REFUSED,
        [("address", True), ("allowed", True), ("name", True), ("connection", False)],
    )


# --- Limits -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def hanging(count: int, slot: str, url: str) -> Iterator[None]:
    """Keep `count` calls of `slot` running against a silent server."""

    def call() -> None:
        with contextlib.suppress(Failure):
            get(url, slot=slot)

    threads = [threading.Thread(target=call) for _ in range(count)]
    before, patience = outbound._lanes._running, time.monotonic() + 5
    for thread in threads:
        thread.start()
    while outbound._lanes._running < before + count and time.monotonic() < patience:
        time.sleep(0.005)
    assert outbound._lanes._running == before + count
    try:
        yield
    finally:
        for thread in threads:
            thread.join()


@pytest.fixture
def sleeper(settings) -> Iterator[Server]:
    """A server on the list that says nothing until it is told to."""
    wake = threading.Event()
    with serving(lambda _: wake.wait(5)) as server:
        server.wake = wake
        settings.OUTBOUND_ALLOW = [server.place]
        yield server
        wake.set()


def test_two_calls_of_one_slot_to_one_host_run_and_the_third_is_told_at_once(sleeper, settings):
    url = f"http://{sleeper.place}/"
    with serving(saying(OK), host="127.0.0.3") as elsewhere, hanging(2, "w1", url):
        settings.OUTBOUND_ALLOW = [sleeper.place, elsewhere.place]
        started = time.monotonic()
        assert (failure(url, slot="w1").fault, failure(url, slot="w1").stages) == (Fault.BUSY, ())
        assert time.monotonic() - started < 2.5  # and not after one of the two has ended
        assert get(f"http://{elsewhere.place}/", slot="w1").status == 200
        with hanging(1, "w2", url), hanging(1, "", url):
            sleeper.wake.set()
    assert (outbound._lanes._running, len(outbound._lanes._by_slot)) == (0, 0)


def test_half_the_threads_stay_free_for_pages(sleeper, settings):
    settings.WEB_THREADS = 6
    url = f"http://{sleeper.place}/"
    with hanging(3, "", url):
        assert failure(url).fault is Fault.BUSY
        sleeper.wake.set()


def test_a_lane_is_free_again_after_every_kind_of_end(provider):
    running = lanes.Lanes()
    for ending in (ValueError, KeyboardInterrupt):
        with contextlib.suppress(ending), running.hold("w1", "a.example"):
            raise ending
    with running.hold("w1", "a.example"), running.hold("w1", "a.example"):
        with pytest.raises(lanes.Full), running.hold("w1", "a.example"):
            pass


def test_too_many_hanging_lookups_are_busy_not_refused(monkeypatch):
    monkeypatch.setattr(resolver, "_places", threading.BoundedSemaphore(1))
    with resolver._places:
        assert failure("https://a.example/").fault is Fault.BUSY


@pytest.mark.django_db
def test_a_call_inside_a_transaction_is_a_mistake(provider, packets):
    with transaction.atomic(), pytest.raises(RuntimeError, match="transaction"):
        get(f"http://{provider.place}/")
    assert packets == []
    assert get(f"http://{provider.place}/").status == 200


@pytest.mark.django_db(transaction=True)
def test_the_database_can_be_written_while_a_call_hangs(sleeper, django_user_model):
    with hanging(1, "", f"http://{sleeper.place}/"):
        started = time.monotonic()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE TABLE written (id integer)")
            cursor.execute("DROP TABLE written")
        assert time.monotonic() - started < 2
        sleeper.wake.set()


# --- Secrets ----------------------------------------------------------------------------------------------------------


def test_no_failure_log_or_traceback_holds_the_secret(settings, caplog):
    caplog.set_level(logging.DEBUG)
    echo = f"HTTP/1.1 200 OK\r\nContent-Length: {SECRET}\r\n\r\n".encode()
    status = f"{SECRET} {SECRET}\r\n\r\n".encode()
    for answer in (
        echo,
        status,
        b"",
        b"HTTP/1.1 200 OK\r\nX: " + SECRET.encode() * 9000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    ):
        with serving(saying(answer)) as server:
            settings.OUTBOUND_ALLOW = [server.place]
            with pytest.raises(Failure) as caught:
                get(f"http://{server.place}/v1", {"Authorization": f"Bearer {SECRET}"})
        problem = caught.value
        told = "".join(traceback.format_exception(problem)) + repr(vars(problem)) + caplog.text
        assert (problem.__cause__, problem.__context__, SECRET in told) == (None, None, False)
        assert not [
            frame for frame in traceback.walk_tb(problem.__traceback__) if "urllib3" in frame[0].f_code.co_filename
        ]


def test_a_request_does_not_show_its_headers_and_body():
    assert repr(Request("POST", "https://a.example/", {"Authorization": SECRET}, SECRET.encode())) == (
        "Request(method='POST', url='https://a.example/')"
    )


def test_the_libraries_keep_silent_even_at_debug(settings, caplog):
    caplog.set_level(logging.DEBUG)
    with serving(saying(f"HTTP/1.1 200 OK\r\nX: y\r\n{SECRET} in a broken header\r\n\r\n".encode())) as server:
        settings.OUTBOUND_ALLOW = [server.place]
        assert get(f"http://{server.place}/v1/very-private-path").status == 200
    assert [record for record in caplog.records if record.name.startswith(("urllib3", "requests"))] == []


def test_an_answer_and_a_failure_survive_a_process_boundary(provider):
    answer = get(f"http://{provider.place}/")
    assert pickle.loads(pickle.dumps(answer)) == answer


# --- The only door ----------------------------------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parent.parent
DOORS = {
    "requests": {"outbound.py"},
    "urllib3": {"outbound.py", "pinned.py", "endpoints.py", "faults.py"},
    "http.client": {"pinned.py", "faults.py"},
}
OTHER_DOORS = (
    "urllib.request",
    "httpx",
    "aiohttp",
    "ftplib",
    "smtplib",
    "telnetlib",
    "xmlrpc.client",
    "imaplib",
    "poplib",
)


def imported(path: Path) -> set[str]:
    """Every module name that a file imports, with its parents."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {".".join(name.split(".")[:depth]) for name in found for depth in range(1, name.count(".") + 2)}


def test_only_the_guard_imports_what_can_call_out():
    files = [
        path
        for app in ROOT.iterdir()
        if (app / "__init__.py").exists() and app.name != "tests"
        for path in app.rglob("*.py")
    ]
    assert ROOT / "flashback" / "outbound.py" in files
    for path in files:
        names = imported(path)
        for door, owners in DOORS.items():
            assert door not in names or (path.parent.name == "flashback" and path.name in owners), (
                f"{path} imports {door}"
            )
        assert names.isdisjoint(OTHER_DOORS), path


def test_only_the_guard_opens_a_connection():
    calls = ("create_connection", "open_connection", "connect_ex", "getaddrinfo", "gethostbyname", ".connect((")
    guilty = {
        path.name
        for app in ("flashback", "workspaces", "ai_llm", "repositories")
        for path in (ROOT / app).rglob("*.py")
        if any(call in path.read_text() for call in calls)
    }
    assert guilty <= {"pinned.py", "resolver.py", "serving.py"}  # the last one listens at the operator's own address


def test_its_values_are_the_documented_ones(monkeypatch):
    monkeypatch.undo()
    assert (pinned.CONNECT_SECONDS, pinned.READ_SECONDS, outbound.TOTAL_SECONDS) == (3, 5, 10)
    assert (outbound.MOST_BYTES, resolver.MOST_ANSWERS, lanes.PER_SLOT) == (1024 * 1024, 64, 2)
