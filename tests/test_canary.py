"""The canary sweep: plant a secret, do with it all that a person can, then look for it everywhere, in every form.

What is swept, and where:

- pages of every role with all their attributes and comments, headers, cookies, admin site, audit log, a row that cannot
  be opened, links to elsewhere, tables, sessions after every step, mails, exports of the log, what support does, what
  any logger says at DEBUG, a dump of the data: `test_the_canary_is_found_nowhere`
- the real server's command lines, health, static files, log at DEBUG, every byte of its data folder, and a copy of its
  database: `test_the_real_server_shows_it_nowhere`
- every answer of the API about AI LLMs and provider keys, for every role and token: test_api_canary.py
- pages, logs and mails when something breaks inside: test_errors.py
- what a browser keeps: test_browser.py; the statements of a database: test_sealed.py
- what a provider sends back: test_outbound_masking.py, and the faults of the walk here
"""

import base64
import html
import io
import json
import logging
import re
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from ai_llm import alerts
from ai_llm.models import AiLlm
from ai_llm.sandbox import Sandbox
from tests.conftest import People
from tests.console import EMAIL, PASSWORD, Console, running
from tests.visitor import Answer, Visitor
from workspaces.account_models import Session
from workspaces.models import User

CANARY = "sk-cnry-X7qLw2ZpV9tRb4NmK8sHd3FgJ6yTc1Qe"
KEY_CANARY = "key-cnry-B5vWn1YsD8xMh4PzG7kRf2LtC9jUq3Aa"
START = re.compile(r"-?\d+$")
AWAY = re.compile(r"<a\b[^>]*href=\"(?:https?:)?//[^>]*>")


def forms(secret: str) -> set[bytes]:
    """Every way a secret may look: raw, encoded, in part, backwards."""
    raw = secret.encode()
    found = {raw, raw[:12], raw[-12:], raw[::-1], raw.hex().encode(), raw.hex().upper().encode()}
    found |= {quote(secret, safe="").encode(), html.escape(secret).encode(), json.dumps(secret)[1:-1].encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        found.add(encoded[(shift * 8 + 5) // 6 : -4])
    return found


NEEDLES = forms(CANARY) | forms(KEY_CANARY)


def leaks(haystack: bytes | str) -> list[str]:
    """The forms of the canaries that stand in `haystack`."""
    data = haystack.encode("utf-8", "surrogateescape") if isinstance(haystack, str) else haystack
    return sorted(needle.decode() for needle in NEEDLES if needle in data)


def answer_of(response: HttpResponse) -> bytes:
    headers = "\n".join(f"{name}: {value}" for name, value in response.items())
    return headers.encode() + response.cookies.output().encode() + response.getvalue()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that any logger says at any level, before redaction."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    loud = [logging.getLogger(name) for name in ("django.db.backends", "urllib3", "django", "flashback")]
    before = [logger.level for logger in loud]
    for logger in loud:
        logger.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)
    for logger, was in zip(loud, before, strict=True):
        logger.setLevel(was)


class Walk:
    """A writer's walk with the canary; it keeps every answer it got."""

    def __init__(self, client: Client, slug: str) -> None:
        self.client, self.base = client, f"/w/{slug}/ai/llm"
        self.answers: list[bytes] = []
        self.sessions: set[str] = set()

    def post(self, path: str, **data: str) -> HttpResponse:
        return self.keep(self.client.post(f"{self.base}{path}", data))

    def get(self, path: str) -> HttpResponse:
        return self.keep(self.client.get(path if path.startswith("/") else f"{self.base}/{path}"))

    def keep(self, answer: HttpResponse) -> HttpResponse:
        self.answers.append(answer_of(answer))
        self.sessions.update(map(sessions, Session.objects.all()))
        return answer

    def create(self, name: str, endpoint: str, **more: str) -> HttpResponse:
        address = f"/new?type=OPENAI&name={name}&endpoint={quote(endpoint)}"
        page = self.get(f"{self.base}{address}").content.decode()
        found = re.search(r'name="row"[^>]*value="([^"]+)"', page)
        row = html.unescape(found.group(1)) if found else ""
        return self.post(address, **{"row": row, "secret": CANARY, "key": KEY_CANARY, "action": "create", **more})


def crawl(client: Client, start: str) -> Iterator[tuple[str, bytes]]:
    """Every page that can be reached by links from `start`, with its answer; of the same page at most three queries."""
    seen, waiting, variants = set(), [start], Counter()
    while waiting:
        path = waiting.pop()
        plain = path.split("?")[0]
        if path in seen or variants[plain] == 3 or path.startswith(("/static/", "/account/logout", "//")):
            continue
        seen.add(path)
        variants[plain] += 1
        answer = client.get(path)
        body = answer_of(answer)
        yield path, body
        found = re.findall(rb'href="(/[^"#]*|\?[^"#]*)', body)
        found += [answer["Location"].encode()] if answer.has_header("Location") else []
        for link in found:
            text = html.unescape(link.decode())
            waiting.append(path.split("?")[0] + text if text.startswith("?") else text)


@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
def test_the_canary_is_found_nowhere(
    people: People, signed_in: Callable[[User], Client], settings: object, log: io.StringIO, tmp_path: Path
) -> None:
    with Sandbox() as sandbox:
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{port}" for port in (sandbox.port, 9)]
        walk = Walk(signed_in(people.writer), people.workspace.slug)
        do_everything(walk, sandbox)
        sent = [request for request in sandbox.requests if CANARY in (request.header("authorization") or "")]
        assert sent, "the canary never reached the provider: the walk checked nothing"
        assert not any(CANARY in request.path for request in sandbox.requests)
        sandbox.requests.clear()
        said = operate(people, signed_in)
        assert sandbox.requests, "support's checks sent nothing"
    assert leaks(said) == []
    assert {name for answer in walk.answers for name in leaks(answer)} == set()
    assert leaks("".join(walk.sessions)) == []
    token = damage_one()
    Client().post("/account/password/reset", {"email": people.writer.email})
    away: list[str] = []
    for person in (
        people.owner,
        people.admin,
        people.writer,
        people.reader,
        people.outsider,
        people.stranger,
        people.staff,
    ):
        pages = dict(crawl(signed_in(person), "/"))
        if person.is_staff:
            pages |= dict(crawl(signed_in(person), "/admin/"))
            assert len(pages) > 10
        assert {path: leaks(body) for path, body in pages.items() if leaks(body)} == {}
        assert [path for path, body in pages.items() if token.encode()[:20] in body or b"gAAAA" in body] == []
        away += [link for body in pages.values() for link in AWAY.findall(body.decode())]
    assert away
    assert [link for link in away if "noreferrer" not in link] == []
    subjects = " ".join(message.subject for message in mail.outbox)
    assert all(words in subjects for words in ("need you", "rejected by their providers", "password")), subjects
    assert leaks("".join(str(message.message()) for message in mail.outbox)) == []
    assert leaks(log.getvalue()) == []
    assert leaks(stored()) == []
    assert leaks("".join(map(sessions, Session.objects.all()))) == []
    assert leaks(dump(tmp_path)) == []


def do_everything(walk: Walk, sandbox: Sandbox) -> None:
    """Create, fail to create, test, validate against faults, edit, replace, fail to replace, delete."""
    for fault in ("openai", "echo", "html", "redirect", "other-json", "empty", "encoded", "status-500"):
        walk.create(f"canary-{fault}", sandbox.url(f"/{fault}/v1"))
        walk.create(f"test-{fault}", sandbox.url(f"/{fault}/v1"), action="test")
    walk.create("nobody-answers", "http://127.0.0.1:9/v1", action="test")
    walk.create("x" * 300, sandbox.url("/openai/v1"))
    walk.create("refused", sandbox.url("/openai/v1"), secret=f"Bearer {CANARY}")
    walk.create("refused", sandbox.url("/openai/v1"), secret=f"{CANARY} {CANARY}")
    walk.create("refused", sandbox.url("/openai/v1"), row="junk")
    for row in AiLlm.objects.all():
        walk.post(f"/{row.pk}/validate")
        walk.get(f"{row.pk}")
        walk.post(f"/{row.pk}/rotate", secret=CANARY)
        walk.post(f"/{row.pk}/rotate", secret=f'"{CANARY}"')
        walk.post(f"/{row.pk}/edit", name=row.name, endpoint=row.endpoint, version="2", secret=CANARY, key=KEY_CANARY)
        walk.post(f"/{row.pk}/edit", name="", endpoint="https://api.openai.com/v1", version="2", secret=CANARY)
        walk.post(f"/{row.pk}/edit", name=row.name, endpoint=row.endpoint, version="2", secret=CANARY, action="test")
        walk.post(f"/{row.pk}/rotate", secret=CANARY, key=KEY_CANARY, action="test")
        walk.post("/new/hints?type=OPENAI", secret=CANARY, key=KEY_CANARY)
        send_message(walk, row)
        walk.post(f"/{row.pk}/delete", name="wrong")
    last = AiLlm.objects.order_by("name_key").last()
    assert last is not None
    walk.post(f"/{last.pk}/delete", name=last.name)
    assert AiLlm.objects.filter(deleted_at=None).count() >= 7


def send_message(walk: Walk, row: AiLlm) -> None:
    found = re.search(r'name="once" value="([^"]+)"', walk.get(f"{row.pk}/message").content.decode())
    walk.post(f"/{row.pk}/message", once=html.unescape(found[1]) if found else "", other="gpt-4o-mini")


def operate(people: People, signed_in: Callable[[User], Client]) -> str:
    """Let the mails of every day be sent, export the log, and do what support can; return all that was answered."""
    rows, now, said = AiLlm.objects.filter(deleted_at=None), timezone.now(), io.StringIO()
    rows.update(due_at=now + timedelta(days=2), attention_at=now, mail_due=now, scheduled=True)
    assert alerts.send_due().sent == 1
    call_command("remind", stdout=said)
    call_command("tidy", stdout=said)
    owner, staff = signed_in(people.owner), signed_in(people.staff)
    for kind in ("csv", "jsonl"):
        for path in (f"/w/{people.workspace.slug}/audit", "/organization/audit"):
            answer = owner.post(f"{path}/export", {"format": kind})
            assert answer.status_code == 200
            said.write(answer_of(answer).decode())
    for row in rows:
        for action in ("validate", "disable", "enable"):
            answer = staff.post(f"/admin/ai_llm/aillm/{row.pk}/{action}/", follow=True)
            assert answer.status_code == 200
            said.write(answer_of(answer).decode())
    return said.getvalue()


def damage_one() -> str:
    """Let one secret be one that no key opens; return what is stored of it then."""
    credential = AiLlm.objects.exclude(credential=None).order_by("name_key")[0].credential
    assert credential is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM ai_llm_credential WHERE id = %s", [field_value(credential)])
        token = str(cursor.fetchone()[0])
        damaged = token[:30] + token[30:].swapcase()
        cursor.execute("UPDATE ai_llm_credential SET secret = %s WHERE id = %s", [damaged, field_value(credential)])
    return damaged


def field_value(row: Model) -> object:
    return row._meta.pk.get_db_prep_value(row.pk, connection)


def stored() -> bytes:
    """All tables with all columns, as text."""
    parts = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            parts += [repr(row) for row in cursor.fetchall()]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        raw = connection.connection.serialize()
        return "\n".join(parts).encode() + raw
    return "\n".join(parts).encode()


def sessions(session: Session) -> str:
    data = session.session_data.split(":")[0].lstrip(".")
    padded = base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
    inflated = zlib.decompress(padded) if session.session_data.startswith(".") else padded
    return repr(session.get_decoded()) + inflated.decode("utf-8", "replace")


def dump(folder: Path) -> bytes:
    target = folder / "dump.json"
    call_command("dumpdata", output=str(target), verbosity=0)
    text = target.read_bytes()
    assert b"ai_llm.credential" in text
    assert b"gAAAA" not in text
    return text


def test_the_sweep_would_find_a_leak() -> None:
    for form in (CANARY, quote(CANARY), base64.b64encode(b"ab" + CANARY.encode()).decode(), CANARY.encode().hex()):
        assert leaks(f"<input value='{form}'>")
    assert leaks("nothing to see") == []


# --- The real server --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as started:
        yield started


@pytest.mark.server
def test_the_real_server_shows_it_nowhere(tmp_path: Path, running_sandbox: Sandbox) -> None:
    allowed = f"127.0.0.1:{running_sandbox.port}"
    with running(tmp_path, FLASHBACK_OUTBOUND_ALLOW=allowed, FLASHBACK_LOG_LEVEL="DEBUG") as console:
        console.add_owner()
        owner = Visitor(int(console.environment["PORT"]))
        assert owner.sign_in(EMAIL, PASSWORD).status == 303
        rows = [create_and_validate(owner, name, running_sandbox.url(f"/{name}/v1")) for name in ("openai", "echo")]
        seen = {name: answer.body + repr(answer.headers).encode() for name, answer in public(owner).items()}
        seen |= {f"command line {path}": path.read_bytes() for path in Path("/proc").glob(f"{console.pid}/cmdline")}
        seen |= {path.name: path.read_bytes() for path in console.data.rglob("*") if path.is_file()}
        seen["log"] = console.log.read_bytes()
        keys = {path.read_text().strip() for path in (console.data / "keys").iterdir()}
        assert files_with_what_is_deleted(console, owner, rows[0], "openai") == []
    assert {"openai", "echo"} <= {request.path.split("/")[1] for request in running_sandbox.requests}
    assert {name: leaks(content) for name, content in seen.items() if leaks(content)} == {}
    assert len(keys) == 2
    held = {name for name, content in seen.items() if any(key.encode() in content for key in keys)}
    assert held == {"field_keys", "secret_key"}
    copied = copy_of(console.data / "flashback.sqlite3", tmp_path / "copy.sqlite3")
    assert b"gAAAA" in copied
    assert leaks(copied) == []
    assert not any(key.encode() in copied for key in keys)


def create_and_validate(owner: Visitor, name: str, endpoint: str) -> str:
    address = f"/w/main/ai/llm/new?{urlencode({'type': 'OPENAI', 'name': name, 'endpoint': endpoint})}"
    fields = {"row": owner.get(address).value("row"), "secret": CANARY, "key": KEY_CANARY, "action": "create"}
    row = owner.post(address, fields).headers["location"]
    assert owner.post(f"{row}/validate").status == 303
    return row


def files_with_what_is_deleted(console: Console, owner: Visitor, row: str, name: str) -> list[str]:
    """The files of the database that hold a sealed secret after its AI LLM was deleted and the house was tidied."""
    files = list(console.data.glob("flashback.sqlite3*"))
    with closing(sqlite3.connect(console.data / "flashback.sqlite3")) as database:
        wanted = "SELECT c.secret, c.key FROM ai_llm_credential c JOIN ai_llm_aillm a ON a.credential_id = c.id"
        tokens = database.execute(f"{wanted} WHERE a.name = ?", [name]).fetchone()
    parts = [token[90:150].encode() for token in tokens]
    assert all(any(part in path.read_bytes() for path in files) for part in parts)
    assert owner.post(f"{row}/delete", {"name": name}).status == 303
    assert console.manage("tidy").returncode == 0
    return [path.name for path in files if any(part in path.read_bytes() for part in parts)]


def public(owner: Visitor) -> dict[str, Answer]:
    """What the server says of itself to anybody, and its static files."""
    stranger = Visitor(owner.port)
    static = re.findall(r'"(/static/[^"]+)"', stranger.get("/account/login").text)
    assert len(static) >= 4
    paths = ["/healthz/live", "/healthz/ready", "/metrics", "/env", "/api/schema", "/openapi.json", *static]
    return {path: stranger.get(path) for path in paths}


def copy_of(database: Path, target: Path) -> bytes:
    """A copy as the database itself makes one."""
    with closing(sqlite3.connect(database)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
    return target.read_bytes()
