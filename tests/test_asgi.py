"""The front door: what reaches the pages, what is answered before them, and who is believed about the sender."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.db import connection, connections
from hypothesis import given
from hypothesis import strategies as st

from flashback import forwarded, health, keyring, serving
from flashback.front import HEADERS_BYTES, HEADERS_MOST, TARGET_BYTES, Front

LIMIT = 256 * 1024
THREADS = 4


def echo(environ, start_response):
    """A WSGI application that tells what it was given; the pages' stand-in."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    seen = {name: value for name, value in environ.items() if name.isupper() and isinstance(value, str)}
    seen |= {"SCHEME": environ["wsgi.url_scheme"], "BODY": body.decode("latin-1")}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def seen(self):
        return json.loads(self.body)


@dataclass
class Running:
    port: int

    def connect(self, timeout=10.0):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def send(self, head, body=b"", timeout=10.0):
        """Send one request as raw bytes and return the whole answer."""
        with self.connect(timeout) as client:
            client.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
            return read_answer(client)

    def get(self, path="/", **headers):
        lines = [f"GET {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
        return self.send("\n".join(lines))


def read_answer(client):
    data = b""
    while b"\r\n\r\n" not in data:
        received = client.recv(65536)
        assert received, f"closed before an answer: {data!r}"
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    status, headers = int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines)
    if "content-length" in headers:
        while len(body) < int(headers["content-length"]):
            body += client.recv(65536)
    elif headers.get("transfer-encoding") == "chunked":
        while not body.endswith(b"0\r\n\r\n"):
            body += client.recv(65536)
        body = unchunk(body)
    return Answer(status, headers, body)


def unchunk(data):
    body = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        body, data = body + rest[:length], rest[length + 2 :]
        if not length:
            return body
    return body


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@contextlib.contextmanager
def running(pages=echo, **options) -> Iterator[Running]:
    """Serve a Front over `pages` on a free port, with the server's own options, in a thread."""
    given = {"body_limit": LIMIT, "body_seconds": 5, "https": False, "trusted_proxies": [], "ready": list, **options}
    front = Front(WSGIMiddleware(pages, workers=THREADS, send_queue_size=0), **given)
    server = uvicorn.Server(serving.configuration(front))
    listener = serving.listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield Running(port)
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def door():
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def behind_proxy():
    with running(trusted_proxies=["127.0.0.0/8", "10.0.0.0/24"]) as server:
        yield server


# --- Bodies -----------------------------------------------------------------------------------------------------------


def test_a_body_with_a_length_arrives(door):
    answer = door.send("POST /x HTTP/1.1\nHost: x\nContent-Length: 5", b"hello")
    assert (answer.status, answer.seen["BODY"], answer.seen["CONTENT_LENGTH"]) == (200, "hello", "5")


def test_a_chunked_body_arrives_whole_with_its_length(door):
    body = chunk(b"hello ") + chunk(b"there") + b"0\r\n\r\n"
    answer = door.send("POST /x HTTP/1.1\nHost: x\nTransfer-Encoding: chunked", body)
    assert (answer.seen["BODY"], answer.seen["CONTENT_LENGTH"]) == ("hello there", "11")
    assert "HTTP_TRANSFER_ENCODING" not in answer.seen


def test_a_post_without_a_body_has_length_zero(door):
    assert door.send("POST /x HTTP/1.1\nHost: x").seen["CONTENT_LENGTH"] == "0"


def test_a_body_of_exactly_the_limit_arrives(door):
    answer = door.send(f"POST /x HTTP/1.1\nHost: x\nContent-Length: {LIMIT}", b"a" * LIMIT)
    assert (answer.status, len(answer.seen["BODY"])) == (200, LIMIT)


def test_a_declared_length_over_the_limit_is_413_before_anything_is_sent(door):
    answer = door.send(f"POST /x HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: {LIMIT + 1}")
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert b"At most 256 KiB can be sent at once." in answer.body


def test_a_client_that_sends_far_too_much_still_reads_the_413(door):
    size = 4 * 1024 * 1024
    answer = door.send(f"POST /x HTTP/1.1\nHost: x\nContent-Length: {size}", b"a" * size)
    assert answer.status == 413


def test_a_chunked_body_over_the_limit_is_413(door):
    body = chunk(b"a" * 65536) * 5 + b"0\r\n\r\n"
    assert door.send("POST /x HTTP/1.1\nHost: x\nTransfer-Encoding: chunked", body).status == 413


@pytest.mark.parametrize("path", ["/api", "/api/organizations"])
def test_the_api_gets_its_refusals_as_an_envelope(door, path):
    answer = door.send(f"POST {path} HTTP/1.1\nHost: x\nContent-Length: {LIMIT + 1}")
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body) == {
        "success": False,
        "message": "At most 256 KiB can be sent at once. Send less.",
    }


def test_what_is_refused_under_the_api_says_all_of_it_in_one_message(door):
    heads = {
        "GET /api/x HTTP/1.1\nHost: x\nAuthorization: a\nAuthorization: b": (400, "The request cannot be read"),
        f"GET /api/{'a' * TARGET_BYTES} HTTP/1.1\nHost: x": (414, "The address is too long"),
        "POST /api/x HTTP/1.1\nHost: x\nContent-Type: text/json\nContent-Length: 0": (415, "Send JSON"),
        f"GET /api/x HTTP/1.1\nHost: x\nX-A: {'a' * HEADERS_BYTES}": (431, "The headers are too large"),
    }
    for head, (status, begins) in heads.items():
        answer = door.send(head)
        assert answer.status == status
        assert json.loads(answer.body)["message"].startswith(begins)


def test_pages_of_named_origins_may_read_what_is_refused_under_the_api():
    with running(origins={"https://app.example.com"}) as door:
        for origin, path, readable in (
            ("https://app.example.com", "/api/x", True),
            ("https://app.example.com", "/x", False),
            ("https://app.example.com.evil", "/api/x", False),
        ):
            answer = door.send(f"POST {path} HTTP/1.1\nHost: x\nOrigin: {origin}\nContent-Length: {LIMIT + 1}")
            assert answer.status == 413
            assert answer.headers.get("access-control-allow-origin") == (origin if readable else None)


def test_a_body_that_does_not_arrive_in_time_is_408():
    with running(body_seconds=0.2) as door:
        answer = door.send("POST /x HTTP/1.1\nHost: x\nContent-Length: 10", b"half")
        assert (answer.status, answer.headers["connection"]) == (408, "close")


def test_a_body_that_trickles_has_one_deadline_for_all_of_it():
    with running(body_seconds=0.3) as door, door.connect() as client:
        client.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        begin = time.monotonic()
        for _ in range(4):
            client.sendall(b"a")
            time.sleep(0.1)
        assert read_answer(client).status == 408
        assert time.monotonic() - begin < 2


def test_stalled_uploads_do_not_stop_a_page(door):
    with contextlib.ExitStack() as stack:
        for _ in range(THREADS * 8):
            client = stack.enter_context(door.connect())
            client.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        begin = time.monotonic()
        assert door.get().status == 200
        assert time.monotonic() - begin < 2


def test_slow_readers_hold_no_thread():
    big = b"x" * (8 * 1024 * 1024)

    def pages(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [big] if environ["PATH_INFO"] == "/big" else [b"small"]

    with running(pages) as door, contextlib.ExitStack() as stack:
        for _ in range(THREADS * 2):
            client = stack.enter_context(door.connect())
            client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        assert door.get().body == b"small"


def test_a_client_that_leaves_in_the_middle_of_its_body_reaches_no_page():
    reached = []

    def pages(environ, start_response):
        reached.append(environ["PATH_INFO"])
        return echo(environ, start_response)

    with running(pages) as door:
        with door.connect() as client:
            client.sendall(b"POST /left HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        assert door.get("/stayed").status == 200
    assert reached == ["/stayed"]


def test_one_connection_carries_several_requests(door):
    with door.connect() as client:
        for body in (b"one", b"three"):
            client.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            assert read_answer(client).seen["BODY"] == body.decode()


def test_a_connection_that_sends_no_whole_request_is_closed(monkeypatch):
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.2)
    with running() as door, door.connect() as silent, door.connect() as slow, door.connect() as second:
        slow.sendall(b"GET / HTTP/1.1\r\nHost:")
        second.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(second).status == 200
        second.sendall(b"GET /again HTTP/1.1\r\n")
        assert [client.recv(100) for client in (silent, slow, second)] == [b"", b"", b""]


def test_a_request_that_takes_longer_than_its_head_may_is_answered(monkeypatch):
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.1)

    def pages(environ, start_response):
        time.sleep(0.3)
        return echo(environ, start_response)

    with running(pages) as door:
        assert door.get().status == 200


# --- Heads ------------------------------------------------------------------------------------------------------------


def test_headers_of_a_megabyte_are_refused(door):
    with door.connect() as client, contextlib.suppress(OSError):
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Big: " + b"a" * 1_000_000 + b"\r\n\r\n")
        assert read_answer(client).status in {400, 431}
    assert door.get().status == 200


def test_headers_that_are_too_large_together_are_431(door):
    lines = "\n".join(f"X-{number}: {'a' * 900}" for number in range(40))
    assert door.send(f"GET / HTTP/1.1\nHost: x\n{lines}").status in {400, 431}


def test_too_many_headers_are_431(door):
    lines = "\n".join(f"X-{number}: a" for number in range(HEADERS_MOST))
    assert door.send(f"GET / HTTP/1.1\nHost: x\n{lines}").status == 431


def test_an_address_that_is_too_long_is_414(door):
    assert door.get("/" + "a" * TARGET_BYTES).status == 414


@pytest.mark.parametrize(
    "head",
    [
        "GET http://other.example/x HTTP/1.1\nHost: x",
        "OPTIONS * HTTP/1.1\nHost: x",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\nHost: x\nHost: y",
        "GET / HTTP/1.1\nHost: x\nAuthorization: a\nAuthorization: b",
        "POST / HTTP/1.1\nHost: x\nContent-Type: a/b\nContent-Type: c/d\nContent-Length: 0",
        "POST / HTTP/1.1\nHost: x\nContent-Length: 1\nContent-Length: 2",
        "POST / HTTP/1.1\nHost: x\nContent-Length: 5\nTransfer-Encoding: chunked",
        "POST / HTTP/1.1\nHost: x\nContent-Length: -1",
        "GET / HTTP/1.1\nHost : x",
        "GET / HTTP/1.1\nHost: x\nX-Null: a\x00b",
        "nonsense",
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_400(door, head):
    assert door.send(head).status == 400


def test_header_names_with_an_underscore_do_not_pass_for_those_with_a_dash(door):
    seen = door.get(X_Forwarded_For="6.6.6.6", X_Plain="no", Proxy="http://evil.example").seen
    assert {name for name in seen if name.startswith("HTTP_")} == {"HTTP_HOST"}
    assert seen["REMOTE_ADDR"] == "127.0.0.1"


def test_several_cookie_lines_are_one(door):
    assert door.send("GET / HTTP/1.1\nHost: x\nCookie: a=1\nCookie: b=2").seen["HTTP_COOKIE"] == "a=1; b=2"


def test_answers_of_the_door_carry_the_headers_of_a_page(door):
    for answer in (door.get("/healthz/live"), door.get("/" + "a" * TARGET_BYTES)):
        assert answer.headers["cache-control"] == "no-store, private"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "deny"
        assert "server" not in answer.headers


def test_only_https_answers_tell_browsers_to_stay_on_https(door):
    with running(https=True) as secure:
        assert secure.get("/healthz/live").headers["strict-transport-security"] == "max-age=31536000; includesubdomains"
    assert "strict-transport-security" not in door.get("/healthz/live").headers


def test_a_websocket_is_refused():
    sent = []

    async def send(message):
        sent.append(message)

    async def ask():
        front = Front(WSGIMiddleware(echo), body_limit=1, body_seconds=1, https=False, trusted_proxies=[], ready=list)
        await front({"type": "websocket"}, None, send)

    asyncio.run(ask())
    assert sent == [{"type": "websocket.close", "code": 1000}]


# --- Who sent it ------------------------------------------------------------------------------------------------------

SPOOFED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "Forwarded": "for=6.6.6.6;proto=https;host=evil.example",
    "X-Real-IP": "6.6.6.6",
}


def test_a_stranger_cannot_say_who_it_is(door):
    seen = door.get(**SPOOFED).seen
    assert (seen["REMOTE_ADDR"], seen["SCHEME"], seen["HTTP_HOST"]) == ("127.0.0.1", "http", "x")
    assert "6.6.6.6" not in json.dumps(seen)
    assert "evil" not in json.dumps(seen)


def test_a_trusted_proxy_names_the_sender_and_nobody_left_of_it_does(behind_proxy):
    seen = behind_proxy.get(**{**SPOOFED, "X-Forwarded-For": "6.6.6.6, 9.9.9.9, 10.0.0.7"}).seen
    assert (seen["REMOTE_ADDR"], seen["SCHEME"], seen["HTTP_HOST"]) == ("9.9.9.9", "https", "x")
    assert "6.6.6.6" not in json.dumps(seen)


@pytest.mark.parametrize(
    ("peer", "lines", "address"),
    [
        ("203.0.113.9", ["6.6.6.6"], "203.0.113.9"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.4"], "198.51.100.4"),
        ("127.0.0.1", ["198.51.100.4", "10.0.0.3"], "198.51.100.4"),
        ("127.0.0.1", ["6.6.6.6", "198.51.100.4"], "198.51.100.4"),
        ("127.0.0.1", ["6.6.6.6,198.51.100.4 , 10.0.0.3"], "198.51.100.4"),
        ("127.0.0.1", ["10.0.0.8, 10.0.0.9"], "10.0.0.8"),
        ("127.0.0.1", ["198.51.100.4:5123"], "198.51.100.4"),
        ("127.0.0.1", ["[2001:db8::5]:443"], "2001:db8::5"),
        ("127.0.0.1", ["2001:db8::5"], "2001:db8::5"),
        ("127.0.0.1", ["::ffff:198.51.100.4"], "198.51.100.4"),
        ("::ffff:127.0.0.1", ["198.51.100.4"], "198.51.100.4"),
        ("127.0.0.1", ["198.51.100.4, unknown, 10.0.0.3"], "10.0.0.3"),
        ("127.0.0.1", ["6.6.6.6, "], "127.0.0.1"),
        ("127.0.0.1", ["<script>"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.4, 1.2.3.4.5"], "127.0.0.1"),
        ("", ["198.51.100.4"], ""),
    ],
)
def test_the_sender_is_the_right_most_hop_that_no_one_vouches_for(peer, lines, address):
    proxies = forwarded.Proxies(["127.0.0.1", "10.0.0.0/24"])
    headers = [(b"x-forwarded-for", line.encode()) for line in lines]
    assert proxies.sender(peer, "http", headers).address == address


@pytest.mark.parametrize(
    ("lines", "scheme"),
    [
        ([], "http"),
        (["https"], "https"),
        (["HTTPS"], "https"),
        (["https", "http"], "http"),
        (["http, https"], "https"),
        (["wss"], "http"),
        ([""], "http"),
    ],
)
def test_the_scheme_is_what_the_nearest_proxy_wrote(lines, scheme):
    headers = [(b"x-forwarded-proto", line.encode()) for line in lines]
    assert forwarded.Proxies(["127.0.0.1"]).sender("127.0.0.1", "http", headers).scheme == scheme


@given(claimed=st.lists(st.ip_addresses().map(str) | st.text(max_size=20), max_size=5))
def test_nothing_that_a_client_invents_changes_what_the_proxy_appended(claimed):
    line = ", ".join([*claimed, "198.51.100.4"]).encode("latin-1", "replace")
    sender = forwarded.Proxies(["127.0.0.1"]).sender("127.0.0.1", "http", [(b"x-forwarded-for", line)])
    assert sender.address == "198.51.100.4"


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=30).map(bytes.lower), st.binary(max_size=20)), max_size=10))
def test_whatever_the_names_only_plain_ones_reach_the_pages(headers):
    for name, _ in forwarded.clean(headers):
        assert forwarded.NAME.fullmatch(name)
        assert name not in forwarded.DROPPED


# --- Health -----------------------------------------------------------------------------------------------------------


def test_live_and_ready_answer_while_every_thread_is_busy():
    free = threading.Event()

    def pages(environ, start_response):
        free.wait(10)
        return echo(environ, start_response)

    with running(pages) as door, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(door.connect()) for _ in range(THREADS * 2)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        begin = time.monotonic()
        assert [door.get("/healthz/live").status, door.get("/healthz/ready").status] == [200, 200]
        assert time.monotonic() - begin < 2
        free.set()
        assert {read_answer(client).status for client in clients} == {200}


def test_not_ready_is_503_with_its_reasons_and_still_alive():
    with running(ready=lambda: ["database", "keys"]) as door:
        answer = door.get("/healthz/ready")
        assert answer.status == 503
        assert answer.seen == {
            "success": False,
            "message": "Not ready: database, keys.",
            "reasons": ["database", "keys"],
        }
        assert door.get("/healthz/live").seen == {"success": True, "message": "alive"}


def test_many_who_ask_at_once_share_one_check():
    asked = []

    def ready():
        asked.append(1)
        time.sleep(0.3)
        return []

    with running(ready=ready) as door, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(door.connect()) for _ in range(10)]
        for client in clients:
            client.sendall(b"GET /healthz/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        assert {read_answer(client).status for client in clients} == {200}
    assert len(asked) < 5


@pytest.fixture
def fresh_health():
    health._require_migrations.cache_clear()
    yield
    health._require_migrations.cache_clear()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fresh_health")
class TestReasons:
    def test_none_when_all_is_well(self, monkeypatch):
        monkeypatch.setattr(keyring, "readiness", list)
        assert health.reasons() == []

    def test_migrations_that_are_missing(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM django_migrations WHERE app = 'sessions'")
            (number,) = cursor.fetchone()
            cursor.execute("UPDATE django_migrations SET app = 'gone' WHERE id = %s", [number])
        try:
            assert health.reasons() == ["migrations"]
        finally:
            with connection.cursor() as cursor:
                cursor.execute("UPDATE django_migrations SET app = 'sessions' WHERE id = %s", [number])

    def test_keys_that_do_not_open_what_is_stored(self, monkeypatch):
        monkeypatch.setattr(keyring, "readiness", lambda: ["key 1234 is missing"])
        assert health.reasons() == ["keys"]

    def test_a_database_that_does_not_answer(self, monkeypatch):
        # A connection of its own: closing the suite's would drop the database in memory that it is.
        broken = connections.create_connection("default")
        options = {"NAME": "/nowhere/at/all.sqlite3"} if broken.vendor == "sqlite" else {"PORT": "1"}
        broken.settings_dict = {**broken.settings_dict, **options}
        monkeypatch.setattr(health, "connection", broken)
        assert health.reasons() == ["database"]


# --- SQLite -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_sqlite_runs_with_the_values_that_lose_nothing_and_lock_nobody(tmp_path):
    from django.db.backends.sqlite3.base import DatabaseWrapper

    database = DatabaseWrapper({**connection.settings_dict, **settings.SQLITE, "NAME": tmp_path / "x.sqlite3"})
    with database.cursor() as cursor:
        names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys", "secure_delete", "cache_size")
        values = [cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    database.close()
    assert values == ["wal", 1, 5000, 1, 2, -8000]
    assert database.transaction_mode == "IMMEDIATE"
