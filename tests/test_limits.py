"""Limits that count in every process of an installation: two real servers on one data folder, with a shared cache."""

import http.client
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.console import EMAIL, OWNER, PASSWORD
from tests.serverside import Child, manage, up

pytestmark = pytest.mark.server
CACHE = {"CACHE_URL": "dbcache://counters"}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Child, Child]]:
    data = tmp_path_factory.mktemp("limits") / "data"
    with up(data, **CACHE) as first:
        made = manage(*OWNER, data=data, FLASHBACK_OWNER_PASSWORD=PASSWORD, **CACHE)
        assert made.returncode == 0, made.stderr
        with up(data, **CACHE) as second:
            yield first, second


def sign_in(server: Child, email: str, password: str) -> int:
    """Open the page, and send its form as a browser does; return the status."""
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        link.request("GET", "/account/login")
        page = link.getresponse()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
        assert token
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": str(page.headers["Set-Cookie"]).partition(";")[0],
        }
        body = urlencode({"csrfmiddlewaretoken": token[1], "login": email, "password": password})
        link.request("POST", "/account/login", body, headers)
        return link.getresponse().status
    finally:
        link.close()


def test_failures_in_one_process_count_in_the_other(servers: tuple[Child, Child], tmp_path: Path) -> None:
    first, second = servers
    assert first.process.pid != second.process.pid
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
