"""The diagnostic bundle for tickets: what helps to help, as data and as text, and no secret by construction."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_llm import configs, diagnostics, lifecycle, validation
from ai_llm.models import AiLlm
from ai_llm.sandbox import SECRETS, Sandbox
from flashback import __version__
from tests import build
from tests.api import Api
from tests.conftest import People


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def row(people: People, server: Sandbox, settings: object) -> AiLlm:
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{server.port}"]
    made = build.ai_llm(
        people.writer, people.workspace, type="OTHER", name="prod", endpoint=server.url("/openai/v1"), key="team-key-1"
    )
    validation.validate(people.writer, made)
    return AiLlm.objects.select_related("workspace", "credential", "fallback", "candidate").get(pk=made.pk)


def test_the_bundle_tells_what_is_stored_and_what_checks_found(row: AiLlm, server: Sandbox) -> None:
    found = json.loads(json.dumps(diagnostics.bundle(row)))
    assert (found["ai_llm"]["name"], found["ai_llm"]["state"]) == ("prod", "Accepted")
    assert found["ai_llm"]["url_asked"] == server.url("/openai/v1/models")
    assert found["credential"]["state"] == "can be opened"
    assert found["credential"]["api_key"] == "stored"
    assert [check["cause"] for check in found["checks"]] == ["accepted"]
    assert [event["action"] for event in found["events"]] == ["ai_llm.validated", "ai_llm.created"]
    assert found["flashback"]["version"] == __version__


def test_the_text_says_the_same_in_lines(row: AiLlm) -> None:
    told = diagnostics.text(row)
    for words in ("Diagnostics of prod", "can be opened", "accepted: ", "asked http://127.0.0.1", "ai_llm.created"):
        assert words in told


def test_no_part_of_a_secret_is_in_it(row: AiLlm) -> None:
    told = json.dumps(diagnostics.bundle(row)) + diagnostics.text(row)
    assert row.credential is not None
    for secret in (SECRETS.openai, SECRETS.openai[-4:], "team-key-1", row.credential.fingerprint):
        assert secret not in told


def test_what_cannot_be_opened_and_what_needs_no_secret_are_told_apart(people: People, row: AiLlm) -> None:
    assert row.credential is not None
    row.credential.key_id = "gone"
    assert diagnostics.bundle(row)["credential"]["state"] == "no key of this installation opens it"
    lifecycle.disable(people.writer, row)
    configs.replace_secret(people.writer, row, keyless=True)
    row.refresh_from_db()
    found = diagnostics.bundle(row)
    assert (found["credential"], found["ai_llm"]["state"]) == ({"state": "none needed"}, "Disabled")


def test_the_version_is_the_one_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__


def test_the_api_has_the_same_bundle(people: People, row: AiLlm) -> None:
    found = Api(people.reader).get(f"/ai/llm/{row.pk}/diagnostics").json()["diagnostics"]
    assert {**diagnostics.bundle(row), "made_at": ""} == {**found, "made_at": ""}
    assert Api(people.stranger).get(f"/ai/llm/{row.pk}/diagnostics").status_code == 404
