"""/metrics: off without a token, right with several processes, and it names routes, never what was typed."""

import http.client
import json
import logging
import re
from collections import Counter
from pathlib import Path

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpResponse
from django.test import Client

from ai_llm import summary
from ai_llm.models import STATES
from flashback import metrics
from flashback.redaction import JsonFormatter, RedactingFilter, guarding
from tests import build
from tests.conftest import People
from tests.serverside import manage, up

TOKEN = "a-token-that-only-prometheus-has"
CANARY = "canary-4f1d-secret-value-77"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests here: the library keeps the first that it was given for as long as the process lives."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def counting(settings: object, folder: Path) -> None:
    settings.METRICS_TOKEN, settings.DATA_DIR = TOKEN, folder


def scrape(client: Client, **headers: str) -> HttpResponse:
    return client.get("/metrics", headers=headers or {"Authorization": f"Bearer {TOKEN}"})


def samples(text: str) -> Counter[str]:
    found = re.findall(r"^(flashback_\S+?(?:\{.*\})?) (\S+)$", text, re.MULTILINE)
    return Counter({name: float(value) for name, value in found})


def test_it_is_off_by_default(client: Client, db: None) -> None:
    assert scrape(client).status_code == 404
    with pytest.raises(MiddlewareNotUsed):
        metrics.MetricsMiddleware(lambda _: HttpResponse())


@pytest.mark.parametrize(
    "sent", ["", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", "Bearer ü"]
)
def test_a_wrong_token_is_refused(sent: str, client: Client, db: None, counting: None) -> None:
    answer = scrape(client, Authorization=sent)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="metrics"')
    assert b"flashback_" not in answer.content


def test_the_token_is_compared_in_constant_time(
    client: Client, db: None, counting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    monkeypatch.setattr(metrics.hmac, "compare_digest", lambda *pair: bool(compared.append(pair)))
    assert scrape(client).status_code == 401
    assert compared == [(TOKEN.encode(), TOKEN.encode())]


def test_requests_are_counted_by_route_and_status(client: Client, people: People, counting: None) -> None:
    before = samples(scrape(client).content.decode())
    client.get("/account/login")
    client.get(f"/w/{CANARY}/ai")
    client.get(f"/{CANARY}")
    text = scrape(client).content.decode()
    found = samples(text) - before
    assert found['flashback_requests_total{method="GET",route="account_login",status="200"}'] == 1
    assert found['flashback_requests_total{method="GET",route="none",status="404"}'] == 1
    assert found['flashback_request_seconds_count{route="account_login"}'] == 1
    assert CANARY not in text


def test_rows_are_counted_by_state_and_it_costs_the_same_with_more_of_them(
    client: Client, people: People, counting: None, django_assert_num_queries: object
) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    for _ in range(3):
        build.ai_llm(people.stranger, people.strange_workspace)
    build.key(people.writer, build.repository(people.writer, people.workspace, row))
    with django_assert_num_queries(5):
        found = samples(scrape(client).content.decode())
    assert found['flashback_ai_llms{state="never"}'] == 4
    assert found['flashback_in_use{kind="ai_api_key"}'] == 1
    assert summary.everywhere() == {**dict.fromkeys(STATES, 0), "never": 4}


def test_checks_are_counted_by_verdict(client: Client, people: People, counting: None) -> None:
    before = samples(scrape(client).content.decode())
    metrics.count_check("rejected", kind="free", by="schedule")
    found = samples(scrape(client).content.decode()) - before
    assert found['flashback_checks_total{by="schedule",kind="free",verdict="rejected"}'] == 1


def test_a_start_begins_anew(settings: object, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    metrics.begin()  # a first start finds nothing
    metrics.folder().mkdir()
    (metrics.folder() / "counter_1.db").touch()
    metrics.begin()
    assert list(metrics.folder().iterdir()) == []


@pytest.mark.server
def test_several_processes_add_up(tmp_path: Path) -> None:
    with up(tmp_path / "data", FLASHBACK_METRICS_TOKEN=TOKEN, FLASHBACK_WORKERS="2", CACHE_URL="dbcache://t") as child:
        for _ in range(12):
            child.get("/account/login")
        link = http.client.HTTPConnection("127.0.0.1", child.port, timeout=10)
        link.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        found = samples(link.getresponse().read().decode())
    counted = {name: number for name, number in found.items() if 'route="account_login"' in name and "_total" in name}
    assert sum(counted.values()) == 12


def test_a_short_token_is_refused_at_the_start(tmp_path: Path) -> None:
    ended = manage("check", data=tmp_path, FLASHBACK_METRICS_TOKEN="short")
    assert ended.returncode == 1
    assert "FLASHBACK_METRICS_TOKEN" in ended.stderr


# --- Logs for programs ---


def written(message: str, **values: object) -> str:
    record = logging.LogRecord("flashback.test", logging.WARNING, __file__, 1, message, (), None)
    vars(record).update(values)
    RedactingFilter().filter(record)
    return JsonFormatter().format(record)


def test_a_log_record_is_one_json_object_on_one_line() -> None:
    line = written("first\nsecond \u2028 third")
    assert "\n" not in line
    assert "\u2028" not in line
    read = json.loads(line)
    assert read["message"] == "first\nsecond \u2028 third"
    assert {"at", "level", "logger", "process"} <= read.keys()


def test_a_secret_is_hidden_in_json_too() -> None:
    with guarding(CANARY):
        line = written(f"the provider said {CANARY}, Authorization: Bearer {CANARY}")
        try:
            raise ValueError(CANARY)
        except ValueError as fault:
            failed = written("it failed", exc_info=(ValueError, fault, fault.__traceback__))
    assert CANARY not in line + failed
    assert "ValueError" in json.loads(failed)["exception"]


def test_the_format_is_chosen_by_the_environment(tmp_path: Path) -> None:
    code = "import logging; logging.getLogger('flashback').warning('said')"
    ended = manage("shell", "-v", "0", "-c", code, data=tmp_path, FLASHBACK_LOG_FORMAT="json")
    assert json.loads(ended.stderr.strip().splitlines()[-1])["message"] == "said"
    assert manage("check", data=tmp_path, FLASHBACK_LOG_FORMAT="xml").returncode == 1
