"""A change over the API and the same change in the console leave the same rows and the same event."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from ai_llm.models import AiLlm
from repositories import keys, repos
from repositories.models import AiApiKey, Attachment, KeySecret, Repository
from tests import build
from tests.api import Api
from tests.conftest import People
from workspaces.models import Event, User

# What is new with every row, or follows from the moment.
VOLATILE = re.compile(r"_at$|^public_id$|^digest$|^hint$|^id$|^key_id$")
EVENT = ("action", "object_kind", "object_label", "workspace_id", "actor_id", "actor_kind", "actor_label", "details")


@dataclass
class Place:
    """A repository with two AI LLMs and a rotated key, and another AI LLM that is not attached."""

    people: People
    repository: Repository
    attached: list[AiLlm]
    other: AiLlm
    key: AiApiKey

    @property
    def page(self) -> str:
        return f"/w/{self.people.workspace.slug}/repositories/{self.repository.pk}"

    @property
    def path(self) -> str:
        return f"/repo/{self.repository.pk}"


@pytest.fixture
def place(people: People) -> Place:
    names = ("one", "two", "three")
    one, two, three = (build.ai_llm(people.writer, people.workspace, name=name) for name in names)
    row = build.repository(people.writer, people.workspace, one, two, name="chat")
    return Place(people, row, [one, two], three, build.key(people.writer, row, name="shop").key)


def form(client: Client, address: str, **values: Any) -> None:
    """Send the console's form at this address, with what it hides."""
    page = client.get(address)
    hidden: dict[str, Any] = {}
    for tag in re.findall(r'<input[^>]*type="hidden"[^>]*>', page.content.decode()):
        found = {name: re.search(rf'{name}="([^"]*)"', tag) for name in ("name", "value")}
        if found["name"] and found["value"]:
            hidden[found["name"][1]] = found["value"][1]
    answer = client.post(address, {**hidden, **values})
    assert answer.status_code in {200, 303}, answer.content


def stored() -> list[Any]:
    """Every row, by its name where it has one, without what is new each time."""
    rows = []
    for model in (Repository, Attachment, AiApiKey, KeySecret):
        for values in model._base_manager.order_by("pk").values():
            flags = {name: value is not None for name, value in values.items() if name.endswith("_at")}
            kept = {name: value for name, value in values.items() if not VOLATILE.search(name)}
            rows.append((model.__name__, str(values.get("name", "")), sorted(map(repr, {**kept, **flags}.items()))))
    return sorted(rows)


def done(change: Callable[[], object]) -> tuple[list[Any], list[dict[str, Any]]]:
    """What a change leaves: the rows and its events. Then it is undone."""
    before = set(Event.objects.values_list("pk", flat=True))
    with transaction.atomic():
        change()
        events = list(Event.objects.exclude(pk__in=before).order_by("pk").values(*EVENT))
        for event in events:
            event["details"].pop("key", None)  # the public part of a new secret
            event["details"].pop("former_until", None)  # how long from now
        left = (stored(), events)
        transaction.set_rollback(True)
    return left


Console = Callable[[Client, Place], object]
OverApi = Callable[[Api, Place], object]
CASES: dict[str, tuple[Console, OverApi]] = {
    "create": (
        lambda client, at: form(
            client, f"/w/{at.people.workspace.slug}/repositories/new", name="batch", description="At night"
        ),
        lambda api, at: api.post(
            "/repo", {"name": "batch", "description": "At night", "workspaceId": str(at.people.workspace.pk)}
        ),
    ),
    "describe": (
        lambda client, at: form(client, f"{at.page}/edit", name="talk", description="For all"),
        lambda api, at: api.put(at.path, {"name": "talk", "description": "For all"}),
    ),
    "disable": (
        lambda client, at: form(client, f"{at.page}/disable"),
        lambda api, at: api.post(f"{at.path}/disable"),
    ),
    "delete": (
        lambda client, at: form(client, f"{at.page}/delete", name="chat"),
        lambda api, at: api.delete(at.path),
    ),
    "attach": (
        lambda client, at: form(client, f"{at.page}/attach", chosen=str(at.other.pk)),
        lambda api, at: api.post(f"{at.path}/attachments", {"aiLlmIds": [str(at.other.pk)]}),
    ),
    "detach": (
        lambda client, at: client.post(
            f"{at.page}/detach", {"ai_llm": at.attached[0].pk, "version": at.repository.version}
        ),
        lambda api, at: api.delete(f"{at.path}/attachments/{at.attached[0].pk}"),
    ),
    "sort": (
        lambda client, at: client.post(
            f"{at.page}/order", {"ai_llm": at.attached[1].pk, "place": 1, "version": at.repository.version}
        ),
        lambda api, at: api.put(f"{at.path}/attachments/{at.attached[1].pk}", {"place": 1}),
    ),
    "allow models": (
        lambda client, at: form(client, f"{at.page}/ai-llm/{at.attached[0].pk}", place=1, patterns="gpt-4o*\no3"),
        lambda api, at: api.put(f"{at.path}/attachments/{at.attached[0].pk}", {"modelPatterns": ["gpt-4o*", "o3"]}),
    ),
    "move all": (
        lambda client, at: form(
            client, f"/w/{at.people.workspace.slug}/ai/llm/{at.attached[0].pk}/move", chosen=str(at.other.pk)
        ),
        lambda api, at: api.post(f"/ai/llm/{at.attached[0].pk}/attachments/move", {"aiLlmId": str(at.other.pk)}),
    ),
    "create a key": (
        lambda client, at: form(client, f"{at.page}/keys/new", name="app", type="OTHER", patterns="o3"),
        lambda api, at: api.post(f"{at.path}/ai/apikey", {"name": "app", "aiType": "OTHER", "modelPatterns": ["o3"]}),
    ),
    "change a key": (
        lambda client, at: form(client, f"{at.page}/keys/{at.key.pk}/edit", name="store", patterns="o3"),
        lambda api, at: api.put(f"{at.path}/ai/apikey/{at.key.pk}", {"name": "store", "modelPatterns": ["o3"]}),
    ),
    "rotate a key": (
        lambda client, at: form(client, f"{at.page}/keys/{at.key.pk}/rotate", overlap="0"),
        lambda api, at: api.post(f"{at.path}/ai/apikey/{at.key.pk}/rotate", {}),
    ),
    "revoke a key": (
        lambda client, at: form(client, f"{at.page}/keys/{at.key.pk}/revoke"),
        lambda api, at: api.delete(f"{at.path}/ai/apikey/{at.key.pk}"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_console_and_the_api_leave_the_same(case: str, place: Place, signed_in: Callable[[User], Client]) -> None:
    console, over_api = CASES[case]
    writer = place.people.writer
    client, api, untouched = signed_in(writer), Api(writer), stored()
    by_console = done(lambda: console(client, place))
    by_api = done(lambda: over_api(api, place))
    assert by_console == by_api
    assert (by_api[0] != untouched, len(by_api[1])) == (True, 1)


def test_what_is_undone_is_recorded_alike(place: Place, signed_in: Callable[[User], Client]) -> None:
    writer = place.people.writer
    client, api = signed_in(writer), Api(writer)
    repos.disable(writer, place.repository)
    enabled = done(lambda: client.post(f"{place.page}/enable")), done(lambda: api.post(f"{place.path}/enable"))
    assert enabled[0] == enabled[1]
    repos.enable(writer, place.repository)
    made = keys.rotate(writer, place.key, until=timezone.now() + timedelta(days=1))
    ended = (
        done(lambda: client.post(f"{place.page}/keys/{made.key.pk}/end-former")),
        done(lambda: api.delete(f"{place.path}/ai/apikey/{made.key.pk}/former")),
    )
    assert ended[0] == ended[1]
    assert [event["action"] for event in ended[0][1]] == ["ai_api_key.former_ended"]
