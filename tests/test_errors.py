"""When something breaks inside: what the page says, what the log says, and that neither gives a secret away."""

import io
import logging
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.core import mail, signing
from django.db import DatabaseError
from django.http import HttpResponse
from django.test import Client, RequestFactory

from ai_llm.forms import ROW_SALT
from ai_llm.sandbox import Sandbox
from flashback import web
from flashback.redaction import LineFormatter, RedactingFilter
from tests import build
from tests.conftest import People
from tests.test_canary import CANARY, KEY_CANARY, answer_of, leaks
from workspaces.models import User

DEBUG = pytest.mark.parametrize("debug", [False, True], ids=["debug-off", "debug-on"])


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the server's own log would hold, at the most talkative level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    handler.addFilter(RedactingFilter())
    names = ("", "django", "django.db.backends", "django.request", "flashback", "urllib3")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield stream
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def client(people: People, signed_in: Callable[[User], Client]) -> Client:
    client = signed_in(people.writer)
    client.raise_request_exception = False
    return client


def breaking(with_what: Exception) -> Callable[..., object]:
    def broken(*arguments: object, **keywords: object) -> object:
        held = (arguments, keywords)  # what a report of local variables would show
        raise with_what from ValueError(f"{held}")

    return broken


def create(client: Client, people: People, endpoint: str, **more: str) -> HttpResponse:
    row = signing.dumps([str(uuid4()), str(people.writer.pk), str(people.workspace.pk)], salt=ROW_SALT)
    address = f"/w/{people.workspace.slug}/ai/llm/new?type=OPENAI&name=x&endpoint={quote(endpoint)}"
    return client.post(address, {"row": row, "secret": CANARY, "key": KEY_CANARY, "action": "create", **more})


BREAKS: dict[str, tuple[str, Exception]] = {
    "the database in the middle of creating": ("ai_llm.configs.events.record", DatabaseError(f"near '{CANARY}'")),
    "sealing": ("ai_llm.credentials.sealed.fingerprint", RuntimeError(f"{CANARY} {KEY_CANARY}")),
    "reading the form": ("ai_llm.forms.NewCredentialsForm.is_valid", UnicodeError(CANARY)),
}


@DEBUG
@pytest.mark.parametrize("place", BREAKS)
def test_a_break_while_creating_gives_no_secret_away(
    place: str,
    debug: bool,
    client: Client,
    people: People,
    settings: object,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.DEBUG, settings.ADMINS = debug, [("Olivia", "olivia@example.com")]
    target, fault = BREAKS[place]
    monkeypatch.setattr(target, breaking(fault))
    nothing_given_away(create(client, people, "https://api.openai.com/v1"), log)


@DEBUG
@pytest.mark.parametrize(
    "target",
    [
        "ai_llm.probing._judged",
        "ai_llm.probing._result",
        "ai_llm.history._columns",
        "ai_llm.history.events.record",
    ],
)
@pytest.mark.django_db(transaction=True)
def test_a_break_while_validating_gives_no_secret_away(
    target: str,
    debug: bool,
    client: Client,
    people: People,
    settings: object,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Sandbox() as sandbox:
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{sandbox.port}"]
        settings.DEBUG, endpoint = debug, sandbox.url("/echo/v1")
        row = build.ai_llm(people.writer, people.workspace, endpoint=endpoint, secret=CANARY, key=KEY_CANARY)
        monkeypatch.setattr(target, breaking(RuntimeError(f"while parsing the answer to {CANARY}")))
        nothing_given_away(client.post(f"/w/{people.workspace.slug}/ai/llm/{row.pk}/validate"), log)


@DEBUG
def test_a_break_while_signing_in_gives_no_password_away(
    debug: bool, people: People, settings: object, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = debug
    monkeypatch.setattr("workspaces.adapter.AccountAdapter.pre_authenticate", breaking(RuntimeError("at sign-in")))
    client = Client(raise_request_exception=False)
    nothing_given_away(client.post("/account/login", {"login": people.reader.email, "password": KEY_CANARY}), log)


def nothing_given_away(answer: HttpResponse, log: io.StringIO) -> None:
    assert answer.status_code == 500
    assert leaks(answer_of(answer)) == []
    assert "Internal Server Error" in log.getvalue()
    assert leaks(log.getvalue()) == []
    assert mail.outbox == []


def test_the_page_needs_no_database_and_no_person(rf: RequestFactory) -> None:
    """This test may not touch the database, so the page does not."""
    page = web.server_error(rf.get("/"))
    assert page.status_code == 500
    assert "<h1>Something went wrong</h1>" in page.text


def test_if_even_the_page_is_broken_a_line_of_text_names_the_incident(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "get_template", breaking(RuntimeError()))
    text = web.server_error(rf.get("/")).text
    assert re.fullmatch(r"The server met an error\. It is incident \w{8} in the server's log\.", text)


def test_the_page_names_the_incident_and_nothing_of_the_request(
    client: Client, people: People, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ai_llm.summary.of", breaking(DatabaseError("no such table")))
    path = f"/w/{people.workspace.slug}/ai"
    page = client.get(f"{path}?canary-query", headers={"User-Agent": "canary-agent", "Referer": "http://canary/"}).text
    assert "canary" not in page
    assert path not in page
    found = re.search(r"incident <strong[^>]*>(\w{8})</strong>", page)
    assert found
    lines = [line for line in log.getvalue().splitlines() if found[1] in line]
    assert len(lines) == 1
    assert f"Internal Server Error: {path} (incident {found[1]})" in lines[0]
    assert "no such table" in lines[0]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413, 422, 429])
def test_every_error_page_is_whole_and_says_what_to_do(status: int, rf: RequestFactory) -> None:
    page = web.problem_page(rf.get("/?canary"), status).text
    assert f"Status {status}" in page
    assert "Go to the console" in page
    assert "canary" not in page
