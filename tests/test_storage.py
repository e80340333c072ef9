"""While storage is away: 503 with Retry-After, still alive, not ready, and well again without a restart."""

import errno
import logging
import re
import resource
import shutil
import socketserver
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import timedelta

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, ProgrammingError, connection
from django.test import RequestFactory
from django.utils import timezone

from ai_llm import schedule
from ai_llm.models import AiLlm
from flashback import storage
from tests import build, cluster
from tests.console import EMAIL, OWNER, PASSWORD
from tests.load import twin
from tests.serverside import free_port, manage, up
from tests.test_up import first  # noqa: F401 - a fixture: one real first start for all test processes
from tests.visitor import Visitor
from workspaces import sessions

PAGE = "/w/main/ai/llm"
DAY = 86_400


def health_of(visitor):
    """The statuses of live and ready, and the reasons."""
    ready = visitor.get("/healthz/ready")
    found = re.search(r'"reasons": \[(.*)\]', ready.text)
    return visitor.get("/healthz/live").status, ready.status, found[1].replace('"', "") if found else ""


def is_unavailable(answer):
    """Whether this is the page that asks to come back; it names no inner part."""
    said = "Back in a moment" in answer.text and "Wait 5 seconds" in answer.text
    return answer.status == 503 and answer.headers["retry-after"] == "5" and said and "cache-control" in answer.headers


@pytest.fixture(scope="module")
def installation(first, tmp_path_factory):  # noqa: F811 - a fixture
    """A data folder with an owner."""
    data = shutil.copytree(first[0], tmp_path_factory.mktemp("storage") / "var")
    made = manage(*OWNER, data=data, FLASHBACK_OWNER_PASSWORD=PASSWORD)
    assert made.returncode == 0, made.stderr
    return data


@contextmanager
def signed_in_console(data, **variables):
    """A running server, its process, and a browser that is signed in."""
    with up(data, **variables) as child:
        visitor = Visitor(child.port)
        assert visitor.sign_in(EMAIL, PASSWORD).status == 303 or visitor.get(PAGE).status == 200
        yield child, visitor


def told(errors):
    """The log lines about storage, without their time."""
    return [line for line in errors.splitlines() if "Storage is away" in line]


# --- SQLite -----------------------------------------------------------------------------------------------------------


@pytest.mark.server
def test_a_locked_database_refuses_what_writes_and_is_well_as_soon_as_it_is_free(installation, tmp_path):
    data = shutil.copytree(installation, tmp_path / "var")
    with signed_in_console(data) as (child, visitor):
        other = Visitor(child.port)
        other.get("/account/login")
        with sqlite3.connect(data / "flashback.sqlite3", isolation_level=None) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            with ThreadPoolExecutor(2) as pool:
                state = pool.submit(health_of, visitor)
                refused = pool.submit(other.post, "/account/login", {"login": EMAIL, "password": PASSWORD})
                assert visitor.get(PAGE).status == 200  # reading goes on
                assert is_unavailable(refused.result())
                assert state.result() == (200, 503, "database")
            holder.execute("ROLLBACK")
        assert other.post("/account/login", {"login": EMAIL, "password": PASSWORD}).status == 303
        assert health_of(visitor) == (200, 200, "")
        _, _, errors = child.end()
    assert [line.partition("Storage")[2] for line in told(errors)] == [
        " is away (database): a POST was answered with 503. OperationalError: database is locked"
    ]
    assert "Traceback" not in errors


def full_tmpfs(folder):
    """Mount a small file system; None when this process may not."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, check=False)
    return folder if done.returncode == 0 else None


@contextmanager
def no_room_by_limit(child, data):
    """Let no file grow beyond 4 KiB: SQLite then fails to write as on a full disk, with another number."""
    before = resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def no_room_on_disk(child, data):
    """Fill the file system to the last byte."""
    with (data / "filler").open("wb", buffering=0) as filler:
        with suppress(OSError):
            while True:
                filler.write(b"\0" * 4096)
    yield
    (data / "filler").unlink()


@pytest.mark.server
@pytest.mark.parametrize("no_room", [no_room_by_limit, no_room_on_disk])
def test_a_full_disk_refuses_what_writes_and_is_well_as_soon_as_there_is_room(no_room, installation, tmp_path):
    mounted = full_tmpfs(tmp_path / "disk") if no_room is no_room_on_disk else None
    if no_room is no_room_on_disk and mounted is None:
        pytest.skip("this process may not mount a file system of its own; run as root to run this")
    data = shutil.copytree(installation, (mounted or tmp_path) / "var")
    try:
        with signed_in_console(data) as (child, visitor):
            other = Visitor(child.port)
            other.get("/account/login")
            with no_room(child, data):
                assert is_unavailable(other.post("/account/login", {"login": EMAIL, "password": PASSWORD}))
                assert visitor.get(PAGE).status in {200, 503}  # reading needs a little room for SQLite's shared memory
                assert health_of(visitor)[:2] == (200, 503)
            assert other.post("/account/login", {"login": EMAIL, "password": PASSWORD}).status == 303
            assert visitor.get(PAGE).status == 200
            assert health_of(visitor) == (200, 200, "")
            _, _, errors = child.end()
        assert "Traceback" not in errors
        assert set(re.findall(r"Storage is away \((\w+)\)", errors)) == {"disk"}
        with closing(sqlite3.connect(data / "flashback.sqlite3")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        if mounted:
            subprocess.run(["umount", mounted], check=True)


def test_a_disk_that_takes_no_more_is_not_ready(monkeypatch, tmp_path):
    other = type("Connection", (), {"vendor": "sqlite", "settings_dict": {"NAME": tmp_path / "x.sqlite3"}})
    monkeypatch.setattr(storage, "connection", other)
    assert (storage.short_of_space(), list(tmp_path.iterdir())) == (False, [])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        assert storage.short_of_space() is True
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own():
    cluster.need()
    with cluster.postgresql() as running:
        yield running


@pytest.fixture(scope="module")
def on_postgres(own, installation, tmp_path_factory):
    """Data folder and variables of an installation with an owner on a PostgreSQL of its own."""
    data = shutil.copytree(installation, tmp_path_factory.mktemp("postgres") / "var")
    (data / "flashback.sqlite3").unlink()
    with up(data, DATABASE_URL=own.url) as child:
        child.end()
    made = manage(*OWNER, data=data, DATABASE_URL=own.url, FLASHBACK_OWNER_PASSWORD=PASSWORD)
    assert made.returncode == 0, made.stderr
    return data


@pytest.mark.server
def test_pages_are_503_while_postgresql_is_stopped_and_the_first_one_afterwards_is_200(own, on_postgres):
    with signed_in_console(on_postgres, DATABASE_URL=own.url) as (child, visitor):
        own.stop()
        answers = [visitor.get(PAGE), visitor.get("/"), visitor.get("/admin/"), visitor.get("/account")]
        answers.append(visitor.post("/account/login", {"login": EMAIL, "password": PASSWORD}))
        state = health_of(visitor)
        own.start()
        first = visitor.get(PAGE)
        assert [is_unavailable(answer) for answer in answers] == [True] * 5
        assert state == (200, 503, "database")
        assert first.status == 200
        assert health_of(visitor) == (200, 200, "")
        _, _, errors = child.end()
    assert len(told(errors)) == 5
    assert "Traceback" not in errors


@pytest.mark.server
@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_restart_of_postgresql_under_requests_gives_no_500_and_none_fails_afterwards(how, own, on_postgres):
    with signed_in_console(on_postgres, DATABASE_URL=own.url) as (child, visitor):
        ended = threading.Event()
        met = {200: threading.Event(), 503: threading.Event()}

        def look(tab):
            seen = Counter()
            while not ended.is_set():
                status = tab.get(PAGE).status
                seen[status] += 1
                met.get(status, ended).set()
            return seen

        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(look, twin(visitor)) for _ in range(4)]
            met[200].wait(30)
            own.stop(how)
            met[503].wait(30)
            own.start()
            ended.set()
            seen = sum((reader.result() for reader in readers), Counter())
        # More than there are threads in the server: every connection kept from before is found dead and made anew.
        with ThreadPoolExecutor(8) as pool:
            after = Counter(pool.map(lambda _: visitor.get(PAGE).status, range(40)))
        assert set(seen) == {200, 503}
        assert after == {200: 40}
        _, _, errors = child.end()
    assert len(told(errors)) == seen[503]


@pytest.mark.server
def test_a_command_says_in_one_line_that_storage_is_away(tmp_path):
    ended = manage("secrets", "check", data=tmp_path, DATABASE_URL=f"postgres://nobody@127.0.0.1:{free_port()}/none")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert ended.stderr.startswith("The storage is away (database): OperationalError: connection failed")


# --- The shared cache -------------------------------------------------------------------------------------------------


class Redis(socketserver.StreamRequestHandler):
    """Just enough of the protocol: keeps what SET says and gives it back. https://redis.io/docs/latest/develop/reference/protocol-spec/"""

    def handle(self):
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                length = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(length + 2)[:-2])
            self.wfile.write(self.answer(*words))

    def answer(self, command, *words):
        kept = self.server.kept
        match command.upper():
            case b"SET":
                if b"NX" in words and words[0] in kept:
                    return b"$-1\r\n"
                kept[words[0]] = words[1]
            case b"GET":
                found = kept.get(words[0])
                return b"$-1\r\n" if found is None else b"$%d\r\n%s\r\n" % (len(found), found)
            case b"DEL":
                return b":%d\r\n" % (kept.pop(words[0], None) is not None)
            case b"HELLO":
                return b"-ERR unknown command\r\n"
        return b"+OK\r\n"


class RedisServer(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, kept = True, True, {}


@contextmanager
def redis(port):
    server = RedisServer(("127.0.0.1", port), Redis)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.server
def test_without_the_shared_cache_signing_in_waits_and_everything_else_goes_on(installation, tmp_path):
    data, port = shutil.copytree(installation, tmp_path / "var"), free_port()
    with up(data, CACHE_URL=f"rediscache://127.0.0.1:{port}/0?protocol=2") as child:
        visitor, other = Visitor(child.port), Visitor(child.port)
        with redis(port):
            assert visitor.sign_in(EMAIL, PASSWORD).status == 303
        refused = other.sign_in(EMAIL, PASSWORD)
        assert is_unavailable(refused)  # nobody counts the attempts, so none is allowed
        assert visitor.get(PAGE).status == 200
        assert health_of(visitor) == (200, 200, "")
        with redis(port):
            assert other.sign_in(EMAIL, PASSWORD).status == 303
        _, _, errors = child.end()
    assert set(re.findall(r"Storage is away \((\w+)\)", errors)) == {"cache"}
    assert "Traceback" not in errors


# --- What counts as away ----------------------------------------------------------------------------------------------


def raised(code):
    """What Django raises for an SQLite error of this number."""
    driver = sqlite3.OperationalError("no matter")
    driver.sqlite_errorcode = code
    fault = OperationalError("no matter")
    fault.__cause__ = driver
    return fault


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (sqlite3.SQLITE_BUSY, "database"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "database"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "database"),
        (sqlite3.SQLITE_CANTOPEN, "database"),
        (sqlite3.SQLITE_FULL, "disk"),
        (sqlite3.SQLITE_IOERR_WRITE, "disk"),
        (sqlite3.SQLITE_ERROR, ""),
        (sqlite3.SQLITE_CONSTRAINT, ""),
        (sqlite3.SQLITE_TOOBIG, ""),
    ],
)
def test_sqlite_says_by_its_number_what_is_away(code, word):
    assert storage.reason(raised(code)) == word


def caught(what):
    try:
        what()
    except Exception as fault:
        return fault
    return None


def statement(text):
    def run():
        with connection.cursor() as cursor:
            cursor.execute(text)

    return run


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "text", ["SELECT * FROM nothing_of_this_name", "SELEC 1", "SELECT nothing FROM workspaces_session"]
)
def test_a_statement_that_cannot_be_understood_is_our_mistake(text):
    assert storage.reason(caught(statement(text))) == ""


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("before", "text"),
    [
        ("SET statement_timeout = 50", "SELECT pg_sleep(2)"),
        ("SET default_transaction_read_only = on", "DELETE FROM workspaces_session"),
        ("SELECT 1", "SELECT pg_terminate_backend(pg_backend_pid())"),
    ],
)
def test_postgresql_says_by_its_code_what_is_away(before, text):
    statement(before)()
    fault = caught(statement(text))
    connection.close()
    assert storage.reason(fault) == "database"


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (ProgrammingError("Cannot open a new connection in an atomic block."), "database"),
        (ProgrammingError('relation "x" does not exist'), ""),
        (InterfaceError("connection already closed"), "database"),
        (InterfaceError("Error binding parameter 1 - probably unsupported type."), ""),
        (IntegrityError("UNIQUE constraint failed"), ""),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (OSError(errno.ECONNREFUSED, "Connection refused"), ""),
        (ValueError("no"), ""),
        (None, ""),
    ],
)
def test_other_faults(fault, word):
    assert storage.reason(fault) == word


@pytest.mark.parametrize(("code", "status"), [(sqlite3.SQLITE_BUSY, 503), (sqlite3.SQLITE_ERROR, 500)])
def test_it_does_not_matter_where_it_happens(code, status, people, signed_in, monkeypatch, caplog):
    """In the session that a middleware reads, in a view, and in a page that is drawn."""
    client = signed_in(people.reader)
    client.raise_request_exception = False

    def broken(*_, **__):
        raise raised(code)

    places = ("workspaces.sessions.SessionStore.load", "ai_llm.views.render", "workspaces.shell.spaces.offered")
    got = []
    for place in places:
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
            patch.setattr(place, broken)
            got.append(client.get(f"/w/{people.workspace.slug}/ai").status_code)
    assert got == [status] * 3
    lines = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(lines) == 3
    assert [bool(record.exc_info) for record in lines] == [status == 500] * 3


def test_the_page_itself_may_be_what_is_away(monkeypatch):
    monkeypatch.setattr(storage, "get_template", lambda _: 1 / 0)
    answer = storage.unavailable("disk", raised(sqlite3.SQLITE_FULL), RequestFactory().get("/"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.content.decode() == "Flashback cannot reach its storage. Try again in 5 seconds."


# --- The clock --------------------------------------------------------------------------------------------------------


def test_a_clock_a_day_ahead_asks_to_sign_in_again(people, signed_in, monkeypatch):
    client, page, now = signed_in(people.reader), f"/w/{people.workspace.slug}/ai", time.time()
    assert client.get(page).status_code == 200
    monkeypatch.setattr(sessions.time, "time", lambda: now + DAY)
    ahead = client.get(page)
    assert (ahead.status_code, ahead["Location"]) == (302, f"/account/login?next={page}")


def test_a_clock_that_was_a_day_ahead_harms_no_session_and_makes_none_last_longer(people, signed_in, monkeypatch):
    page, now = f"/w/{people.workspace.slug}/ai", time.time()
    monkeypatch.setattr(sessions.time, "time", lambda: now + DAY)
    client = signed_in(people.reader)
    assert client.get(page).status_code == 200
    monkeypatch.setattr(sessions.time, "time", lambda: now)
    assert client.get(page).status_code == 200
    assert (client.session[sessions.SEEN_AT], client.session[sessions.SIGNED_IN_AT]) == (int(now), int(now))
    monkeypatch.setattr(sessions.time, "time", lambda: now + sessions.CONSOLE.idle + 1)
    assert client.get(page).status_code == 302


def test_a_lease_from_a_clock_that_was_ahead_holds_no_check_back(people):
    made, now = build.ai_llm(people.writer, people.workspace), timezone.now()
    for lease, free in [(schedule.LEASE, 0), (timedelta(days=1), 1), (timedelta(seconds=-1), 1)]:
        AiLlm.objects.update(lease_until=now + lease)
        assert AiLlm.objects.filter(schedule._free(now), pk=made.pk).count() == free
