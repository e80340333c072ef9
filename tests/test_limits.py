"""Limits that count in every process of an installation: real servers on one data folder, with a shared cache."""

import http.client
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.console import EMAIL, OWNER, PASSWORD
from tests.serverside import Child, manage, up

pytestmark = pytest.mark.server
CACHE = {"CACHE_URL": "dbcache://counters", "FLASHBACK_TRUSTED_PROXIES": "127.0.0.1"}
MEBIBYTE = 1024  # the kernel counts in KiB


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Child, Child]]:
    data = tmp_path_factory.mktemp("limits") / "data"
    with up(data, **CACHE) as first:
        made = manage(*OWNER, data=data, FLASHBACK_OWNER_PASSWORD=PASSWORD, **CACHE)
        assert made.returncode == 0, made.stderr
        with up(data, **CACHE, FLASHBACK_WORKERS=3) as second:
            yield first, second


def sign_in(server: Child, email: str, password: str, address: str = "198.51.100.250") -> int:
    """Open the page, and send its form as a browser at `address` does; return the status."""
    forwarded = {"X-Forwarded-For": address}
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        link.request("GET", "/account/login", headers=forwarded)
        page = link.getresponse()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
        assert token
        headers = {
            **forwarded,
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": str(page.headers["Set-Cookie"]).partition(";")[0],
        }
        body = urlencode({"csrfmiddlewaretoken": token[1], "login": email, "password": password})
        link.request("POST", "/account/login", body, headers)
        return link.getresponse().status
    finally:
        link.close()


def test_failures_in_one_process_count_in_all(servers: tuple[Child, Child]) -> None:
    first, second = servers
    processes = Path(f"/proc/{second.process.pid}/task/{second.process.pid}/children").read_text().split()
    assert len({first.process.pid, *processes}) >= 4
    statuses = [sign_in(server, EMAIL, "wrong") for server in (first, second, first, second, first)]
    assert statuses == [422] * 5
    assert sign_in(second, EMAIL, PASSWORD) == 429
    assert sign_in(first, EMAIL, PASSWORD) == 429


def test_many_sign_ins_at_once_break_nothing(servers: tuple[Child, Child]) -> None:
    with ThreadPoolExecutor(20) as pool:
        tried = [pool.submit(sign_in, servers[n % 2], f"person{n}@example.com", "wrong") for n in range(20)]
        statuses = [one.result() for one in tried]
    assert set(statuses) <= {422, 429}
    assert 429 in statuses, "no more than ten in a minute from one address, over both"
    assert statuses.count(422) <= 10


def peak(server: Child) -> int:
    """The most memory that a process has held so far, in KiB."""
    told = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    assert told
    return int(told[1])


def test_fifty_who_sign_in_at_once_are_all_answered_and_take_the_memory_of_the_threads_alone(
    servers: tuple[Child, Child], settings: object
) -> None:
    first, _ = servers
    before, emails = peak(first), [EMAIL, *(f"visitor{n}@example.com" for n in range(49))]
    addresses = [f"203.0.113.{n}" for n in range(50)]
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda email, at: sign_in(first, email, PASSWORD, at), emails, addresses))
    assert statuses == [303] + [422] * 49
    each = import_module("workspaces.passwords").Argon2PasswordHasher.memory_cost
    assert peak(first) - before < settings.WEB_THREADS * each + 60 * MEBIBYTE
