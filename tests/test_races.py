"""Many at the same moment: the real server, real sockets, SQLite or PostgreSQL as the tests are run."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings

from ai_llm import configs
from tests import build
from tests.conftest import People
from tests.console import EMAIL, PASSWORD, Console, running
from tests.load import ENDPOINT, all_at_once, create, mixed, third_step, twin
from tests.visitor import Visitor

pytestmark = pytest.mark.server
AT_ONCE = 20
COUNTS = """
import json
from ai_llm.models import AiLlm, Credential
from workspaces.models import Event
created = Event.objects.filter(action="ai_llm.created")
print(json.dumps([AiLlm.objects.count(), Credential.objects.count(), created.count()]))
"""


@contextmanager
def own_database() -> Iterator[dict[str, str]]:
    """The variables of a server with a database of its own, of the kind that the tests run on."""
    given = settings.DATABASES["default"]
    if not given["ENGINE"].endswith("postgresql"):
        yield {}
        return
    place = f"{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT'] or 5432}"
    name = f"flashback_races_{uuid4().hex[:12]}"
    with psycopg.connect(f"postgres://{place}/{given['NAME']}", autocommit=True) as database:
        database.execute(f"CREATE DATABASE {name}")
        try:
            yield {"DATABASE_URL": f"postgres://{place}/{name}"}
        finally:
            database.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A server with two processes."""
    folder = tmp_path_factory.mktemp("races")
    with own_database() as variables, running(folder, FLASHBACK_WORKERS="2", **variables) as started:
        started.add_owner()
        yield started


@pytest.fixture(scope="module")
def owner(console: Console) -> Visitor:
    visitor = Visitor(int(console.environment["PORT"]))
    assert visitor.sign_in(EMAIL, PASSWORD).status == 303
    return visitor


def counts(console: Console) -> list[int]:
    """How many AI LLMs, credentials and records of a creation there are."""
    found: list[int] = json.loads(console.shell(COUNTS))
    return found


def test_one_form_sent_twenty_times_makes_one_row_that_all_are_led_to(console: Console, owner: Visitor) -> None:
    before = counts(console)
    address, fields = third_step(owner, "sent twenty times")
    tabs = [twin(owner) for _ in range(AT_ONCE)]
    answers = all_at_once([lambda tab=tab: tab.post(address, fields) for tab in tabs])
    assert {answer.status for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert counts(console) == [number + 1 for number in before]
    assert owner.get(answers[0].headers["location"]).status == 200


def test_the_same_form_that_is_stored_in_the_middle_of_another_is_no_other_of_its_name(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"id": uuid4(), "type": "OPENAI", "name": "prod", "endpoint": ENDPOINT, "secret": build.SECRET}
    look, firsts = configs.clean_name, []

    def after_the_other(*arguments: Any, **keywords: Any) -> str:
        monkeypatch.setattr(configs, "clean_name", look)
        firsts.append(configs.create(people.writer, people.workspace, **values))
        return look(*arguments, **keywords)

    monkeypatch.setattr(configs, "clean_name", after_the_other)
    assert configs.create(people.writer, people.workspace, **values) == firsts[0]
    assert people.workspace.ai_llms.count() == 1


def test_twenty_people_with_one_name_make_one_row_and_are_told(console: Console, owner: Visitor) -> None:
    before, names = counts(console), ["prod", "PROD", "Prod", " prod ", "\uff50rod"]
    tabs = [twin(owner) for _ in range(AT_ONCE)]
    forms = [third_step(tab, names[number % len(names)]) for number, tab in enumerate(tabs)]
    answers = all_at_once([lambda tab=tab, form=form: tab.post(*form) for tab, form in zip(tabs, forms, strict=True)])
    assert sorted(answer.status for answer in answers) == [303] + [422] * (AT_ONCE - 1)
    assert all("already has an AI LLM with this name" in answer.text for answer in answers if answer.status == 422)
    assert counts(console) == [number + 1 for number in before]


def test_of_many_who_edit_what_they_all_looked_at_one_wins(owner: Visitor) -> None:
    row = create(owner, "edited").headers["location"]
    version = owner.get(f"{row}/edit").value("version")
    tabs = [twin(owner) for _ in range(8)]
    fields = [{"name": f"edited {number}", "endpoint": ENDPOINT, "version": version} for number in range(8)]
    answers = all_at_once([lambda t=t, f=f: t.post(f"{row}/edit", f) for t, f in zip(tabs, fields, strict=True)])
    assert sorted(answer.status for answer in answers) == [303] + [422] * 7
    assert all("in the meantime" in answer.text for answer in answers if answer.status == 422)


def test_of_many_who_delete_one_does_and_nobody_meets_an_error(console: Console, owner: Visitor) -> None:
    credentials = counts(console)[1]
    row = create(owner, "deleted").headers["location"]
    version = owner.get(f"{row}/edit").value("version")
    edit = {"name": "deleted", "endpoint": ENDPOINT, "version": version, "secret": "sk-another-long-secret"}
    posts = [("delete", {"name": "deleted"})] * 6 + [("edit", edit)] * 3
    tabs = [twin(owner) for _ in posts]
    answers = all_at_once([lambda t=t, p=p: t.post(f"{row}/{p[0]}", p[1]) for t, p in zip(tabs, posts, strict=True)])
    assert {answer.status for answer in answers} <= {303, 404, 409, 422}
    assert counts(console)[1] == credentials  # no credential came back to life
    assert owner.get(row).status == 404


def test_many_people_working_at_once_meet_no_error_and_no_lock(console: Console, owner: Visitor) -> None:
    load = mixed(owner, threads=8, seconds=3, pause=0.05)
    assert load.complaints == []
    assert len(load.writes) > 10
    assert "locked" not in console.log.read_text()
