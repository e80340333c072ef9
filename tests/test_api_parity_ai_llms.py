"""A change of an AI LLM or provider key over the API and in the console leave the same rows and the same event."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client

from ai_llm import credentials, validation
from ai_llm.models import AiLlm, Check, Credential, Verdict
from ai_llm.outcomes import Result
from tests import build
from tests.api import Api
from tests.conftest import People
from tests.test_provider_keys import NEW_SECRET, PASSES
from workspaces.models import Event, User

FAILS = Result(Verdict.REJECTED.value, "key_rejected")
# What tells one row from its twin, or one moment from the next.
TELLING = re.compile(r"twin-(console|api)|20[23]\d-[\d:T+-]+")
OWN = {"id", "name", "name_key", "credential", "fallback", "candidate", "last_check", "ai_llm", "notes_key"}


@dataclass
class Twins:
    """Two AI LLMs and two provider keys that are the same but for their names: one for each side."""

    console: Client
    api: Api
    slug: str
    workspace: str
    rows: dict[str, AiLlm]
    keys: dict[str, Credential]

    def page(self, path: str, **fields: Any) -> None:
        answer = self.console.post(f"/w/{self.slug}/ai{path}", fields)
        assert answer.status_code in {200, 303}, answer.content

    def call(self, method: str, path: str, **body: Any) -> None:
        answer = self.api(method, path, body or ...)
        assert answer.status_code == 200, answer.content


@pytest.fixture
def twins(people: People, signed_in: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch) -> Twins:
    monkeypatch.setattr(validation, "run", lambda *_, **__: PASSES)
    place, writer = people.workspace, people.writer
    rows = {
        side: build.ai_llm(writer, place, name=f"twin-{side}", key="organization-key") for side in ("console", "api")
    }
    keys = {side: build.provider_key(writer, place, name=f"twin-{side}", key="second") for side in ("console", "api")}
    return Twins(signed_in(writer), Api(writer), place.slug, str(place.pk), rows, keys)


def values(row: Model | None) -> dict[str, Any]:
    if row is None:
        return {}
    columns = {field.name: getattr(row, field.attname) for field in row._meta.concrete_fields}
    told = {name: value for name, value in columns.items() if name not in OWN and name not in {"secret", "key"}}
    moments = {
        name: value is not None for name, value in told.items() if name.endswith(("_at", "_until")) or name == "at"
    }
    return {**told, **moments}


def left_by(row: AiLlm) -> dict[str, Any]:
    """All that is stored of an AI LLM, with its secrets opened."""
    row = AiLlm.objects.select_related("credential", "fallback", "candidate").get(pk=row.pk)
    held = [row.credential, row.fallback, row.candidate]
    return {
        "row": values(row),
        "credentials": [(values(one), credentials.open_secret(one) if one else None) for one in held],
        "checks": [values(check) for check in Check.objects.filter(ai_llm=row).order_by("at")],
        "events": told_of(row),
    }


def told_of(row: Model) -> list[tuple[Any, ...]]:
    """The events about a row, without what tells it from its twin, or one moment from the next."""
    columns = ("action", "actor_id", "actor_kind", "via", "workspace_id", "object_kind")
    found = Event.objects.filter(object_id=str(row.pk)).order_by("id")
    return [(*(getattr(event, column) for column in columns), TELLING.sub("…", str(event.details))) for event in found]


def rotated(twins: Twins) -> None:
    """Both have a former secret to return to."""
    for row in twins.rows.values():
        twins.call("POST", f"/ai/llm/{row.pk}/rotate", secret=NEW_SECRET, keep="7d")


def held(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    """For both a secret waits whose test failed."""
    with monkeypatch.context() as patch:
        patch.setattr(validation, "run", lambda *_, **__: FAILS)
        for row in twins.rows.values():
            twins.call("POST", f"/ai/llm/{row.pk}/rotate", secret=NEW_SECRET)


EDIT = {"endpoint": "https://api.openai.com/v1", "version": 1, "scheduled": "on", "name": "twin-console"}
CHANGES: dict[str, tuple[str, tuple[str, dict[str, Any]], tuple[str, str, dict[str, Any]]]] = {
    "rename": ("", ("/edit", {**EDIT, "name": "twin-console 2"}), ("PUT", "", {"name": "twin-api 2"})),
    "notes and rule": (
        "", ("/edit", {**EDIT, "notes": "Ask Ada.", "rotate_every_days": "30"}),
        ("PUT", "", {"notes": "Ask Ada.", "rotateEveryDays": 30}),
    ),
    "expiry": (
        "", ("/edit", {**EDIT, "expires_at": "2035-01-31"}), ("PUT", "", {"expiresAt": "2035-01-31T23:59:59Z"}),
    ),
    "endpoint": (
        "", ("/edit", {**EDIT, "endpoint": "https://api.openai.com"}),
        ("PUT", "", {"endpoint": "https://api.openai.com"}),
    ),
    "destination": (
        "", ("/edit", {**EDIT, "endpoint": "https://llm.example.com/v1", "secret": NEW_SECRET}),
        ("PUT", "", {"endpoint": "https://llm.example.com/v1", "secret": NEW_SECRET}),
    ),
    "secret": ("", ("/edit", {**EDIT, "secret": NEW_SECRET}), ("PUT", "", {"secret": NEW_SECRET})),
    "key": ("", ("/edit", {**EDIT, "key": "another"}), ("PUT", "", {"key": "another"})),
    "schedule": ("", ("/edit", {**EDIT, "scheduled": ""}), ("PUT", "", {"scheduledChecks": False})),
    "validate": ("", ("/validate", {}), ("POST", "/validate", {})),
    "disable": ("", ("/disable", {}), ("POST", "/disable", {})),
    "rotate": (
        "", ("/rotate", {"secret": NEW_SECRET, "keep": "7d"}),
        ("POST", "/rotate", {"secret": NEW_SECRET, "keep": "7d"}),
    ),
    "return": ("rotated", ("/rotate/former", {"action": "return"}), ("POST", "/return", {})),
    "retire": ("rotated", ("/rotate/former", {"action": "retire"}), ("POST", "/retire", {})),
    "retry": ("held", ("/rotate/waiting", {"action": "retry"}), ("POST", "/rotate/retry", {})),
    "take over": ("held", ("/rotate/waiting", {"action": "take_over"}), ("POST", "/rotate/take-over", {})),
    "discard": ("held", ("/rotate/waiting", {"action": "discard"}), ("POST", "/rotate/discard", {})),
    "delete": ("", ("/delete", {"name": "twin-console"}), ("DELETE", "", {})),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_an_ai_llm(change: str, twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    before, (page, fields), (method, path, body) = CHANGES[change]
    if before == "rotated":
        rotated(twins)
    elif before == "held":
        held(twins, monkeypatch)
    number = Event.objects.count()
    twins.page(f"/llm/{twins.rows['console'].pk}{page}", **fields)
    recorded = Event.objects.count() - number
    twins.call(method, f"/ai/llm/{twins.rows['api'].pk}{path}", **body)
    assert recorded >= 1
    assert Event.objects.count() == number + 2 * recorded
    assert left_by(twins.rows["console"]) == left_by(twins.rows["api"])


def test_enable(twins: Twins) -> None:
    for row in twins.rows.values():
        twins.call("POST", f"/ai/llm/{row.pk}/disable")
    twins.page(f"/llm/{twins.rows['console'].pk}/enable")
    twins.call("POST", f"/ai/llm/{twins.rows['api'].pk}/enable")
    assert left_by(twins.rows["console"]) == left_by(twins.rows["api"])


def test_create(twins: Twins) -> None:
    endpoint = "https://api.anthropic.com"
    address = f"/w/{twins.slug}/ai/llm/new?type=ANTHROPIC&name=twin-console+2&endpoint={endpoint}"
    row = twins.console.get(address).context["form"].initial["row"]
    made = twins.console.post(address, {"row": row, "secret": NEW_SECRET, "action": "create"})
    assert made.status_code == 303
    values = {"name": "twin-api 2", "aiType": "ANTHROPIC", "workspaceId": twins.workspace, "endpoint": endpoint}
    twins.call("POST", "/ai/llm", **values, secret=NEW_SECRET)
    one, two = AiLlm.objects.exclude(pk__in=[row.pk for row in twins.rows.values()]).order_by("created_at")
    assert left_by(one) == left_by(two)


def key_left(row: Credential) -> Any:
    found = Credential.objects.filter(pk=row.pk).first()
    opened = credentials.open_secret(found) if found else None
    return values(found), opened, told_of(row)


@pytest.mark.parametrize(
    ("page", "fields", "method", "body"),
    [
        ("", {"secret": NEW_SECRET}, "PUT", {"secret": NEW_SECRET}),
        ("", {"description": "For all", "remove_key": "on"}, "PUT", {"description": "For all", "key": None}),
        ("", {"expires_at": "2035-01-31"}, "PUT", {"expiresAt": "2035-01-31T23:59:59Z"}),
        ("/delete", {}, "DELETE", {}),
    ],
)
def test_a_change_of_a_provider_key(
    page: str, fields: dict[str, Any], method: str, body: dict[str, Any], twins: Twins
) -> None:
    one, other = twins.keys["console"], twins.keys["api"]
    twins.page(f"/keys/{one.pk}{page}", **{"name": one.name, "version": 1, **fields})
    twins.call(method, f"/apikeys/{other.pk}", **body)
    assert key_left(one) == key_left(other)
    assert len(key_left(one)[-1]) == 2


def test_a_new_provider_key(twins: Twins) -> None:
    row = twins.console.get(f"/w/{twins.slug}/ai/keys/new").context["form"].initial["row"]
    twins.page("/keys/new", row=row, name="twin-console 2", type="OPENAI", secret=NEW_SECRET)
    twins.call("POST", "/apikeys", name="twin-api 2", provider="OPENAI", secret=NEW_SECRET, workspaceId=twins.workspace)
    assert key_left(Credential.objects.get(name="twin-console 2")) == key_left(
        Credential.objects.get(name="twin-api 2")
    )
