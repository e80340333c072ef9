"""`manage.py up`, from outside: the first start, the second, what is refused, and how it ends."""

import contextlib
import fcntl
import json
import re
import shutil
import signal
import socket
import stat
import time
from pathlib import Path

import pytest
from django.db import connection

from flashback import mounts
from tests.serverside import free_port, manage, up
from workspaces.management.commands.up import fingerprint

pytestmark = pytest.mark.server


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def first(tmp_path_factory, worker_id):
    """The data folder of one real first start, its port, and how it ended; made once for all test processes."""
    root = tmp_path_factory.getbasetemp()
    root = root if worker_id == "master" else root.parent
    data, told = root / "first" / "var", root / "first.json"
    with (root / "first.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            (root / "first").mkdir()
            with up(data) as child:
                told.write_text(json.dumps([child.port, child.end(signal.SIGINT)]))
    port, ended = json.loads(told.read_text())
    return data, port, tuple(ended)


@pytest.fixture
def data(first, tmp_path):
    """A data folder as the first start left it."""
    shutil.copytree(first[0], tmp_path / "var")
    return tmp_path / "var"


@pytest.fixture
def unused(first, tmp_path):
    """A data folder that saves the time for compressing static files, but has no keys and no database yet."""
    shutil.copytree(first[0] / "static", tmp_path / "new" / "static")
    shutil.copy2(first[0] / "static.stamp", tmp_path / "new" / "static.stamp")
    return tmp_path / "new"


@pytest.fixture(scope="module")
def server(first, tmp_path_factory):
    """A running server that several tests share."""
    folder = tmp_path_factory.mktemp("shared") / "var"
    shutil.copytree(first[0], folder)
    with up(folder) as child:
        yield child


# --- Starting ---------------------------------------------------------------------------------------------------------


def test_the_first_start_makes_everything_for_its_owner_alone(first):
    folder, _, _ = first
    assert mode(folder) == 0o700
    assert mode(folder / "keys") == 0o700
    assert {path.name: mode(path) for path in (folder / "keys").iterdir()} == {"secret_key": 0o600, "field_keys": 0o600}
    assert mode(folder / "flashback.sqlite3") == 0o600
    others = [path for path in folder.rglob("*") if mode(path) & 0o077 and "static" not in path.parts]
    assert others == []


def test_static_files_are_hashed_and_compressed(first):
    names = [path.name for path in (first[0] / "static").rglob("*.css*")]
    assert any(re.fullmatch(r".+\.[0-9a-f]{12}\.css\.br", name) for name in names)
    assert any(re.fullmatch(r".+\.[0-9a-f]{12}\.css\.gz", name) for name in names)


def test_the_first_start_says_where_everything_is_and_how_to_become_the_owner(first):
    folder, port, (code, output, errors) = first
    assert (code, errors) == (0, "")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    link = lines[6]
    assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/setup/\S+", link)
    assert lines == [
        "Making the tables; this happens once per version.",
        "Compressing the static files; this happens once per version.",
        f"Flashback is at http://127.0.0.1:{port}",
        f"Data     {folder}",
        f"Keys     {folder}/keys  (back them up apart from the database)",
        "Nobody owns this installation yet. Open this link once to become its owner:",
        link,
        "Ctrl-C ends it.",
        "Flashback has stopped.",
    ]


def test_no_key_is_printed(first):
    folder, _, (_, output, errors) = first
    for path in (folder / "keys").iterdir():
        assert path.read_text().strip() not in output + errors


def test_the_second_start_changes_nothing_and_takes_seconds(data, capsys):
    before = {path: path.read_bytes() for path in (data / "keys").iterdir()}
    with up(data) as child:
        seconds, busy = time.monotonic() - child.begun, child.processor_seconds()
        _, output, _ = child.end()
    with capsys.disabled():
        print(f"\nsecond start: {seconds:.2f} s, {busy:.2f} s of them computing (budget 3 s)")
    assert busy < 3
    assert "Compressing" not in output
    assert {path: path.read_bytes() for path in (data / "keys").iterdir()} == before


def test_changed_static_files_are_noticed(settings, tmp_path):
    settings.STATICFILES_DIRS = [tmp_path]
    seen = [fingerprint()]
    for content in ("a", "ab", "abc"):
        (tmp_path / "new.css").write_text(content)
        seen.append(fingerprint())
    assert len(set(seen)) == 4
    assert fingerprint() == seen[-1]


def test_eight_first_starts_at_once_make_one_set_of_keys(unused):
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(up(unused, wait=False)) for _ in range(8)]
        for child in children:
            child.wait()
        kept = {path.name: path.read_text().strip() for path in (unused / "keys").iterdir()}
        assert set(kept) == {"secret_key", "field_keys"}
        links = [re.search(r"http://\S+/setup/(\S+)", child.end()[1])[1] for child in children]
    # Every one of them works with the keys in the files: a link that one signed opens at another.
    with up(unused) as later:
        assert {later.get(f"/setup/{link}")[0] for link in links} == {200}


def test_several_workers_serve_and_end_together(data):
    with up(data, FLASHBACK_WORKERS=2) as child:
        assert child.get("/account/login")[0] == 200
        code, output, errors = child.end()
    assert (code, errors, output.splitlines()[-1]) == (0, "", "Flashback has stopped.")
    assert "2 processes share no cache" in output


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_serves_from_postgresql(data):
    given = connection.get_connection_params()
    user = f"{given['user']}:{given.get('password', '')}".rstrip(":")
    url = f"postgres://{user}@{given.get('host', '127.0.0.1')}:{given.get('port', 5432)}/{given['dbname']}"
    with up(data, DATABASE_URL=url) as child:
        code, output, errors = child.end()
    assert (code, errors) == (0, "")
    assert f"Data     PostgreSQL, database {given['dbname']}" in output


# --- Serving ----------------------------------------------------------------------------------------------------------


def test_stalled_uploads_do_not_stop_a_page(server):
    half = b"POST /account/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nhalf"
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(server.connect()).sendall(half)
        assert server.get("/account/login", timeout=5)[0] == 200
        assert server.get("/healthz/live", timeout=5)[0] == 200


def test_an_upload_over_the_limit_is_413_and_the_server_is_well(server):
    with server.connect() as client:
        head = b"POST /account/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 300000\r\n\r\n"
        client.sendall(head + b"a" * 300_000)
        assert client.recv(20).startswith(b"HTTP/1.1 413 ")
    assert server.get("/account/login")[0] == 200


def test_a_foreign_host_is_refused_by_pages_and_not_by_probes(server):
    def ask(path):
        with server.connect() as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())
            return client.recv(12)

    assert [ask("/account/login"), ask("/healthz/ready")] == [b"HTTP/1.1 400", b"HTTP/1.1 200"]


# --- Ending -----------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_with_one_line(first):
    code, output, errors = first[2]
    assert (code, errors) == (0, "")
    assert output.splitlines()[-1] == "Flashback has stopped."


def refused_soon(child):
    """Wait until nobody takes new connections any more."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            child.get("/healthz/live", timeout=2)
        except OSError:
            return
        time.sleep(0.1)
    pytest.fail("new connections are still taken")


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_finishes_what_is_in_flight(data, workers):
    with up(data, FLASHBACK_WORKERS=workers) as child, child.connect() as client:
        client.sendall(b"GET /account/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 8\r\n\r\nhalf")
        time.sleep(0.3)
        child.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert child.process.poll() is None
        refused_soon(child)
        client.sendall(b"rest")
        assert client.recv(12) == b"HTTP/1.1 200"
        output, errors = child.process.communicate(timeout=20)
    assert (child.process.returncode, errors, output.splitlines()[-1]) == (0, "", "Flashback has stopped.")


# --- Refusing ---------------------------------------------------------------------------------------------------------


def refusal(**given):
    """The one line with which `up` refuses."""
    ended = manage("up", **given)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    return ended.stderr.removeprefix("Flashback refuses to start: ").strip()


def test_a_busy_port_is_one_line(data):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        line = refusal(data=data, PORT=port)
    assert line == (
        f"Port {port} on 127.0.0.1 cannot be used: another program listens there. Stop it, or set PORT to a free port."
    )


def test_a_port_that_another_flashback_prepares_to_serve_is_busy_already(unused):
    port = free_port()
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(up(unused, wait=False, PORT=port)) for _ in range(2)]
        while not any(child.process.poll() for child in children):
            time.sleep(0.05)
        (loser,) = [child for child in children if child.process.poll() is not None]
        (winner,) = [child for child in children if child is not loser]
        assert loser.process.communicate()[1].count("\n") == 1
        winner.wait()


def test_an_unknown_address_is_one_line(data):
    line = refusal(data=data, HOST="no.such.host.invalid")
    assert line == "HOST is 'no.such.host.invalid'; no such address is known. Set HOST to one of this machine."


def test_an_address_of_another_machine_is_one_line(data):
    line = refusal(data=data, HOST="192.0.2.1")
    assert line.endswith("cannot be used: this machine has no such address. Set HOST to one of its own.")


def test_https_without_a_trusted_proxy_is_one_line(data):
    assert refusal(data=data, FLASHBACK_PUBLIC_URL="https://flashback.example.com") == (
        "FLASHBACK_PUBLIC_URL is https, which a proxy in front must serve. "
        "Set FLASHBACK_TRUSTED_PROXIES to the address of that proxy."
    )


def test_a_data_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    line = refusal(data=tmp_path / "file" / "var")
    assert line == f"FLASHBACK_DATA_DIR is {tmp_path}/file/var, which cannot be used: Not a directory."


def test_a_database_that_does_not_answer_is_one_line_without_its_password(data):
    line = refusal(data=data, DATABASE_URL=f"postgres://u:canary-pass-1234@127.0.0.1:{free_port()}/x")
    assert line.startswith("The database cannot be used: connection")
    assert "canary" not in line


def test_a_damaged_database_is_one_line(data):
    (data / "flashback.sqlite3").write_bytes(b"not a database" * 100)
    assert refusal(data=data) == "The database cannot be used: file is not a database"


# --- Where the database is --------------------------------------------------------------------------------------------

TABLE = r"""/dev/vda1 / ext4 rw 0 0
proc /proc proc rw 0 0
server:/share /mnt/share nfs4 rw 0 0
/dev/vdb /mnt/share/local xfs rw 0 0
//nas/x /mnt/with\040blank cifs rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/flashback", ""),
        ("/mnt/share", "nfs4"),
        ("/mnt/share/deep/inside", "nfs4"),
        ("/mnt/share/local/x", ""),
        ("/mnt/shared", ""),
        ("/mnt/with blank/x", "cifs"),
    ],
)
def test_a_database_on_a_network_file_system_is_noticed(folder, kind):
    assert mounts.network_type(Path(folder), TABLE) == kind


def test_the_mounts_of_this_machine_can_be_read(tmp_path):
    assert isinstance(mounts.network_type(tmp_path), str)
