"""Servers that stall, flood, lie or speak something else: every call ends in time, in bounds, with its cause named."""

import base64
import datetime
import resource
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trustme

from flashback import outbound, pinned
from flashback.outbound import Answer, Failure, Fault, Request, origin, send
from tests.wire import HOST, OK, Behaviour, endless, read_head, saying, serving, silent, tls

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def short(monkeypatch) -> None:
    """A tenth of the real times."""
    monkeypatch.setattr(pinned, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(pinned, "READ_SECONDS", 0.5)
    monkeypatch.setattr(pinned, "RESOLVE_SECONDS", 0.3)
    monkeypatch.setattr(outbound, "REFUSAL_SECONDS", 0.05)


def outcome(url: str, total: float = 10.0) -> Answer | tuple[Fault, str]:
    """The answer, or the failure's fault and its last stage."""
    try:
        return send(Request("GET", url), secrets=[], origins=[origin(url)], total=total)
    except Failure as failure:
        problem = failure
    assert [stage.passed for stage in problem.stages] == [True] * (len(problem.stages) - 1) + [False]
    return problem.fault, problem.stages[-1].name


@pytest.fixture
def call(settings):
    """Call a server that behaves so, and return the answer or the failure's fault and last stage."""

    def call(
        behaviour: Behaviour, total: float = 10.0, scheme: str = "http", **options: object
    ) -> Answer | tuple[Fault, str]:
        with serving(behaviour, **options) as server:
            settings.OUTBOUND_ALLOW = [server.place]
            url = f"{scheme}://{server.place}/v1"
            return outcome(url, total)

    return call


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Double slack and three seconds for a busy machine; what is tested for would take for ever."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 2 * seconds + 3


@contextmanager
def growing_less_than(megabytes: int) -> Iterator[None]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < megabytes * 1024


# --- Time -------------------------------------------------------------------------------------------------------------

DRIPS = {
    "nothing": silent,
    "header": endless(HEAD + b"X: ", b"x", 0.02),
    "header lines": endless(HEAD, b"X: y\r\n", 0.02),
    "body of known length": endless(HEAD + b"Content-Length: 100000\r\n\r\n", b"x", 0.02),
    "body until closed": endless(HEAD + b"\r\n", b"x", 0.02),
    "chunks": endless(CHUNKED, b"1\r\nx\r\n", 0.02),
    "chunk size": endless(CHUNKED, b"0", 0.02),
    "chunk extension": endless(CHUNKED + b"1;", b"x", 0.02),
    "trailers": endless(CHUNKED + b"0\r\n", b"X: y\r\n", 0.02),
    "status line": endless(b"", b"H", 0.02),
}


@pytest.mark.parametrize("drip", DRIPS)
def test_a_server_that_drips_is_cut_at_the_deadline(short, call, drip: str):
    with within(0.6):
        assert call(DRIPS[drip], total=0.6) == (Fault.READ_TIMEOUT, "http")


def test_a_server_that_pauses_longer_than_a_read_may_take_is_given_up(short, call):
    with within(0.7):
        assert call(saying(HEAD, b"Content-Length: 0\r\n\r\n", pause=2)) == (Fault.READ_TIMEOUT, "http")


@pytest.mark.timeout(30)
def test_with_the_real_values_a_drip_ends_after_ten_seconds(call):
    started = time.monotonic()
    assert call(endless(HEAD + b"X: ", b"x", 0.5)) == (Fault.READ_TIMEOUT, "http")
    assert 9.5 < time.monotonic() - started < 12


def test_a_full_queue_that_takes_no_connection_is_given_up(short, settings):
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]  # fills the queue, so that the next one hears nothing
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        settings.OUTBOUND_ALLOW = [f"{HOST}:*"]
        url = f"http://{HOST}:{listener.getsockname()[1]}/"
        with within(0.4), pytest.raises(Failure) as caught:
            send(Request("GET", url), secrets=[], origins=[origin(url)])
        for one in waiting:
            one.close()
    assert (caught.value.fault, caught.value.stages[-1].name) == (Fault.CONNECT_TIMEOUT, "connection")


def test_a_silent_name_service_ends_at_its_own_limit(short, monkeypatch):
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: answered.wait(10) and [])
    with within(0.4), pytest.raises(Failure) as caught:
        send(Request("GET", "https://slow.example/"), secrets=[], origins=["https://slow.example:443"])
    answered.set()
    assert (caught.value.fault, caught.value.detail) == (Fault.NOT_ALLOWED, "the name service did not answer in time")


def test_the_watchdog_leaves_nothing_behind(call):
    before = threading.active_count()
    assert call(saying(OK)).status == 200
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


# --- Size -------------------------------------------------------------------------------------------------------------

BLOCK = b"x" * 65536
BOMB = zlib.compress(b"\0" * 50_000_000, level=1)


def test_a_body_of_exactly_the_cap_arrives(call):
    size = outbound.MOST_BYTES
    answer = call(saying(HEAD + b"Content-Length: %d\r\n\r\n" % size, b"x" * size))
    assert len(answer.body) == size


@pytest.mark.parametrize(
    "flood",
    [
        endless(CHUNKED, b"10000\r\n" + BLOCK + b"\r\n"),
        endless(HEAD + b"\r\n", BLOCK),
        endless(HEAD + b"Content-Length: 10000000000\r\n\r\n", BLOCK),
        saying(HEAD + b"Content-Length: %d\r\n\r\n" % (outbound.MOST_BYTES + 1), b"x" * (outbound.MOST_BYTES + 1)),
        saying(HEAD + b"Content-Length: " + b"9" * 4000 + b"\r\n\r\n"),
    ],
    ids=["chunks", "until closed", "announced", "one byte", "absurd length"],
)
def test_a_flood_ends_at_the_cap(call, flood: Behaviour):
    with growing_less_than(20), within(3):
        assert call(flood) == (Fault.TOO_LARGE, "http")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "x-gzip, identity", "GZIP"])
def test_a_coded_body_is_refused_unread(call, coding: str):
    with growing_less_than(20):
        head = HEAD + f"Content-Encoding: {coding}\r\nContent-Length: {len(BOMB)}\r\n\r\n".encode()
        assert call(saying(head, BOMB)) == (Fault.ENCODED, "http")


def test_a_coded_body_on_a_redirect_is_refused_unread_too(call):
    head = b"HTTP/1.1 302 Found\r\nLocation: https://a.example/\r\nContent-Encoding: gzip\r\n\r\n"
    assert call(saying(head)) == (Fault.ENCODED, "http")


def test_a_coding_that_codes_nothing_is_fine(call):
    assert call(saying(HEAD + b"Content-Encoding: identity\r\nContent-Length: 0\r\n\r\n")).status == 200


# --- Protocol ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", Fault.CLOSED),
        (HEAD + b"Content-Length: 9\r\n\r\nshort", Fault.CLOSED),
        (CHUNKED + b"5\r\nsho", Fault.CLOSED),
        (CHUNKED + b"zz\r\nshort\r\n", Fault.CLOSED),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Fault.PROTOCOL),
        (b"+OK redis\r\n", Fault.PROTOCOL),
        (b"\x00" * 64, Fault.PROTOCOL),
        (b"HTTP/1.1 099 X\r\n\r\n", Fault.PROTOCOL),
        (b"HTTP/1.1 abc X\r\n\r\n", Fault.PROTOCOL),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Fault.PROTOCOL),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + OK, Fault.PROTOCOL),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 9 + OK, Fault.PROTOCOL),
        (HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n", Fault.PROTOCOL),
        (HEAD + b"X: y\r\n" * 300 + b"\r\n", Fault.PROTOCOL),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", Fault.PROTOCOL),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", Fault.PROTOCOL),
        (HEAD + b"Content-Length: -2\r\n\r\n{}", Fault.PROTOCOL),
        (HEAD + b"Content-Length: two\r\n\r\n{}", Fault.PROTOCOL),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", Fault.ENCODED),
        (b"\x15\x03\x03\x00\x02\x02\x46", Fault.PLAIN_TLS),
        (b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port", Fault.PLAIN_TLS),
        (b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", Fault.PLAIN_TLS),
    ],
)  # fmt: skip
def test_an_answer_that_breaks_the_rules_has_its_cause_named(call, answer: bytes, fault: Fault):
    assert call(saying(answer)) == (fault, "http")


def test_a_flood_of_interim_answers_ends_at_once(call):
    with within(1):
        assert call(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n")) == (Fault.PROTOCOL, "http")


def test_a_few_interim_answers_are_skipped(call):
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 2
    assert call(saying(interim + OK)).body == b"{}"


def test_what_comes_after_the_announced_body_is_not_read(call):
    assert call(saying(OK + b"HTTP/1.1 500 Smuggled\r\n\r\n")).body == b"{}"


def test_a_connection_reset_is_closed(call):
    def reset(connection: socket.socket) -> None:
        read_head(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    assert call(reset) == (Fault.CLOSED, "http")


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(settings, authority, tmp_path) -> trustme.CA:
    """An authority that the operator added."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    settings.OUTBOUND_CA_FILE = str(tmp_path / "ca.pem")
    pinned.tls_context(settings.OUTBOUND_CA_FILE)  # read once, as at start, so that no call's time counts it
    return authority


@pytest.fixture
def call_tls(call):
    """Call a server with this certificate over https, by its address."""

    def call_tls(certificate: trustme.LeafCert, behaviour: Behaviour = saying(OK), **options: object) -> object:
        return call(behaviour, scheme="https", context=tls(certificate), **options)

    return call_tls


def test_an_authority_of_the_operator_is_trusted_and_six_stages_pass(trusted, call_tls):
    answer = call_tls(trusted.issue_cert(HOST))
    assert [stage.name for stage in answer.stages] == ["address", "allowed", "name", "connection", "tls", "http"]


def test_an_authority_nobody_added_is_untrusted(call_tls, authority):
    assert call_tls(authority.issue_cert(HOST)) == (Fault.TLS_UNTRUSTED, "tls")


def test_added_authorities_stand_beside_the_public_and_the_systems_own(trusted, settings, tmp_path, monkeypatch):
    system = trustme.CA(organization_name="system's own")
    system.cert_pem.write_to_path(tmp_path / "system.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    pinned.tls_context.cache_clear()
    names = [str(one["subject"]) for one in pinned.tls_context(settings.OUTBOUND_CA_FILE).get_ca_certs()]
    pinned.tls_context.cache_clear()
    assert [sum(word in name for name in names) > 0 for word in ("trustme", "system's own", "ISRG Root X1")] == [
        True
    ] * 3


def test_a_certificate_for_another_name_is_refused_by_name(trusted, call_tls):
    assert call_tls(trusted.issue_cert("other.example")) == (Fault.TLS_NAME, "tls")


def test_tls_goes_by_the_name_while_the_connection_goes_to_the_judged_address(trusted, settings, monkeypatch):
    asked: list[str | None] = []
    context = tls(trusted.issue_cert("provider.example"))
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [(socket.AF_INET, 1, 6, "", (HOST, 443))])
    with serving(saying(OK), context=context) as server:
        settings.OUTBOUND_ALLOW = [f"{name}:{server.port}" for name in ("provider.example", "other.example")]
        assert outcome(f"https://provider.example:{server.port}/").status == 200
        assert outcome(f"https://other.example:{server.port}/") == (Fault.TLS_NAME, "tls")
    assert asked == ["provider.example", "other.example"]


@pytest.mark.parametrize(("starts", "ends"), [(-20, -10), (10, 20)])
def test_a_certificate_out_of_its_time_is_expired(trusted, call_tls, starts: int, ends: int):
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    certificate = trusted.issue_cert(HOST, not_before=now + starts * day, not_after=now + ends * day)
    assert call_tls(certificate) == (Fault.TLS_EXPIRED, "tls")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_older_than_1_2_is_refused(trusted, call):
    context = tls(trusted.issue_cert(HOST))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    assert call(saying(OK), scheme="https", context=context) == (Fault.TLS_OTHER, "tls")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_newer_work(trusted, call, version: ssl.TLSVersion):
    context = tls(trusted.issue_cert(HOST))
    context.minimum_version = context.maximum_version = version
    assert call(saying(OK), scheme="https", context=context).status == 200


def test_plain_text_on_a_tls_port_is_told_apart(call):
    assert call(lambda connection: connection.sendall(OK), scheme="https") == (Fault.TLS_PLAIN, "tls")


def test_tls_on_a_plain_port_is_told_apart(trusted, call):
    context = tls(trusted.issue_cert(HOST))
    fault, stage = call(saying(OK), context=context)
    assert (fault in {Fault.PLAIN_TLS, Fault.CLOSED}, stage) == (True, "http")


def test_a_stalled_handshake_is_cut(short, call):
    with within(0.6):
        assert call(silent, scheme="https", total=0.4) == (Fault.READ_TIMEOUT, "tls")
    with within(0.6):
        assert call(silent, scheme="https") == (Fault.READ_TIMEOUT, "tls")


def test_a_dripped_handshake_is_cut(short, call):
    first_bytes_of_a_server_hello = base64.b64decode("FgMDAHoCAAB2AwM=")
    with within(0.6):
        assert call(endless(first_bytes_of_a_server_hello, b"x", 0.02), scheme="https", total=0.6)[1] == "tls"


def test_a_drip_inside_tls_is_cut(short, trusted, call_tls):
    with within(0.7):
        assert call_tls(trusted.issue_cert(HOST), DRIPS["body until closed"], total=0.7) == (Fault.READ_TIMEOUT, "http")


def test_a_handshake_that_is_hung_up_on_is_closed(call):
    assert call(lambda connection: connection.recv(1), scheme="https") == (Fault.CLOSED, "tls")
