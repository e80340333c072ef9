"""The audit log over the API: who sees what, indices in and names out, what one has read, and the export."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from flashback.errors import Denied
from repositories import keys
from tests import build
from tests.api import Api
from tests.conftest import People
from workspaces import append_only, reading, spaces, verification
from workspaces.access import Access, Limits
from workspaces.models import Event, User
from workspaces.read_models import ReadMark

pytestmark = pytest.mark.django_db


def asked(who: User, **body: Any) -> dict[str, Any]:
    answer = Api(who).post("/systemevent", body)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def actions(who: User, **body: Any) -> list[str]:
    return [one["action"] for one in asked(who, **body)["events"]]


def aged(days: float) -> None:
    with append_only.lifted():
        Event.objects.update(at=timezone.now() - timedelta(days=days))


@pytest.fixture
def happened(people: People) -> People:
    """A repository with a key that is revoked, and an AI LLM."""
    row = build.repository(people.writer, people.workspace, build.ai_llm(people.writer, people.workspace, name="prod"))
    keys.revoke(people.admin, build.key(people.writer, row).key)
    return people


def test_events_come_newest_first_with_names_and_no_success(happened: People) -> None:
    found = asked(happened.owner)
    assert set(found) == {"events", "total", "skip", "take"}
    assert (found["total"], found["skip"], found["take"]) == (5, 0, 20)
    shown = [(one["context"], one["event"], one["action"]) for one in found["events"]]
    assert shown == [
        ("aillmapikey", "deleted", "ai_api_key.revoked"),
        ("aillmapikey", "created", "ai_api_key.created"),
        ("repo", "updated", "repository.attached"),
        ("repo", "created", "repository.created"),
        ("aillm", "created", "ai_llm.created"),
    ]
    last = found["events"][-1]
    assert isinstance(last["id"], int)
    assert last["timestamp"].endswith("Z")
    assert (last["orgId"], last["workspaceId"]) == (str(happened.organization.pk), str(happened.workspace.pk))
    writer = happened.writer
    assert (last["userId"], last["userName"], last["userEmail"]) == (str(writer.pk), writer.name, writer.email)
    assert json.loads(last["jsonData"])["name"] == "prod"
    assert last["showUnread"] is True


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"context": 12}, ["ai_api_key.revoked", "ai_api_key.created"]),
        ({"context": 12, "event": 2}, ["ai_api_key.revoked"]),
        ({"event": 1}, ["repository.attached"]),
        ({"event": 0, "context": 2}, ["repository.created"]),
        ({"context": 1}, []),
        ({"context": 4}, []),
        ({"skip": 1, "take": 2}, ["ai_api_key.created", "repository.attached"]),
    ],
)
def test_indices_narrow_it_down(body: dict[str, int], expected: list[str], happened: People) -> None:
    assert actions(happened.owner, **body) == expected


def test_every_index_of_a_kind_is_answered_by_its_name(people: People) -> None:
    made = spaces.create(people.owner, people.organization, name="Second")
    names = [one["context"] for one in asked(people.owner, context=0)["events"]]
    assert names == ["workspace"]
    assert asked(people.owner, workspaceId=str(made.pk), contextId=str(made.pk))["total"] >= 1
    for index in range(14):
        assert asked(people.owner, context=index)["total"] >= 0


def test_without_times_it_is_the_last_day(happened: People) -> None:
    aged(1.5)
    assert asked(happened.owner)["total"] == 0
    since = (timezone.now() - timedelta(days=2)).isoformat()
    assert asked(happened.owner, from_timestamp=since)["total"] == 5
    until = (timezone.now() - timedelta(days=1)).isoformat()
    assert asked(happened.owner, to_timestamp=until)["total"] == 5
    refused = Api(happened.owner).post("/systemevent", {"from_timestamp": until, "to_timestamp": since})
    assert list(refused.json()["errors"]) == ["from_timestamp"]


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
def test_the_ends_of_time_are_no_error(moment: datetime, people: People) -> None:
    text = moment.replace(tzinfo=UTC).isoformat()
    for name in ("from_timestamp", "to_timestamp"):
        assert Api(people.owner).post("/systemevent", {name: text}).status_code in {200, 400}


def test_others_see_their_own_events_and_those_of_their_workspaces(happened: People) -> None:
    second = build.workspace(happened.organization)
    build.ai_llm(happened.owner, second, name="elsewhere")
    assert asked(happened.owner)["total"] == 6
    assert asked(happened.reader)["total"] == 5
    assert asked(happened.reader, workspaceId=str(second.pk))["total"] == 0
    assert asked(happened.reader, userId=str(happened.writer.pk))["total"] == 4
    assert asked(happened.outsider)["total"] == 0
    assert asked(happened.stranger)["total"] == 0
    happened.writer.memberships.all().delete()
    assert actions(happened.writer) == actions(happened.owner, userId=str(happened.writer.pk))


def test_reading_is_each_persons_own(happened: People) -> None:
    ids = [one["id"] for one in asked(happened.owner)["events"]]
    api = Api(happened.owner)
    assert api.post("/systemevent/read", {"id": ids[0]}).json()["success"] is True
    assert api.post("/systemevent/read", {"ids": ids[:2]}).json()["success"] is True
    assert [one["showUnread"] for one in asked(happened.owner)["events"]] == [False, False, True, True, True]
    assert [one["id"] for one in asked(happened.owner, showUnread=True)["events"]] == ids[2:]
    assert asked(happened.owner, showUnread=False)["total"] == 5
    assert asked(happened.reader, showUnread=True)["total"] == 5
    assert api.delete("/systemevent/read", {"ids": ids}).json()["success"] is True
    assert asked(happened.owner, showUnread=True)["total"] == 5


def test_what_one_cannot_see_is_not_marked_and_not_told(happened: People) -> None:
    ids = list(Event.objects.values_list("pk", flat=True))
    answers = [
        Api(happened.stranger).post("/systemevent/read", {"ids": wanted}).json() for wanted in (ids, [2**62], [])
    ]
    assert answers[0] == answers[1] == answers[2] == {"success": True, "message": "Marked as read."}
    assert ReadMark.objects.count() == 0


@pytest.mark.parametrize(
    "body", [{}, {"id": "1"}, {"id": True}, {"id": 1.0}, {"id": 0}, {"ids": [2**63]}, {"ids": ["1"]}, {"ids": 1}, []]
)
def test_marks_without_sound_ids_are_refused(body: Any, people: People) -> None:
    assert Api(people.owner).post("/systemevent/read", body).status_code == 400
    assert Api(people.owner).delete("/systemevent/read", body).status_code == 400


@pytest.mark.parametrize(
    "body",
    [{"take": 0}, {"take": 101}, {"skip": -1}, {"context": 14}, {"event": 3}, {"context": "11"}, {"userId": "x"}],
)
def test_what_cannot_be_asked_is_named(body: dict[str, Any], people: People) -> None:
    answer = Api(people.owner).post("/systemevent", body)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == list(body)


def test_api_tokens_never_read_it(happened: People) -> None:
    happened.owner.limits = Limits(Access.WRITE)
    for ask in (reading.seen_by, lambda actor: reading.mark(actor, [1], read=False)):
        with pytest.raises(Denied):
            ask(happened.owner)


def test_pruning_the_log_takes_the_marks_with_it(happened: People) -> None:
    reading.mark(happened.owner, Event.objects.values_list("pk", flat=True), read=True)
    assert ReadMark.objects.count() == 5
    verification.prune(timezone.now() + timedelta(minutes=1))
    assert ReadMark.objects.count() == 0
    assert verification.verify(happened.organization.pk) is None


@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_log_is_exported_by_those_who_manage_it(form: str, happened: People) -> None:
    answer = Api(happened.owner).get(f"/systemevent/export?format={form}&action=ai_llm.created")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    text = b"".join(answer.streaming_content).decode()
    lines = csv.DictReader(io.StringIO(text)) if form == "csv" else map(json.loads, text.splitlines())
    assert [row["action"] for row in lines] == ["ai_llm.created"]
    assert actions(happened.owner)[0] == "audit.exported"
    workspace = f"/systemevent/export?format={form}&workspaceId={happened.workspace.pk}"
    assert Api(happened.admin).get(workspace).status_code == 200
    for who, path, status in (
        (happened.admin, f"/systemevent/export?format={form}", 403),
        (happened.writer, workspace, 403),
        (happened.stranger, workspace, 404),
        (happened.owner, "/systemevent/export?format=xml", 400),
        (None, workspace, 401),
    ):
        refused = Api(who).get(path)
        assert (refused.status_code, refused.json()["success"]) == (status, False)


def test_the_queries_do_not_grow_with_the_rows(happened: People) -> None:
    def queries() -> int:
        api = Api(happened.reader)
        with CaptureQueriesContext(connection) as captured:
            assert api.post("/systemevent", {}).status_code == 200
        return len(captured)

    few = queries()
    for _ in range(3):
        build.ai_llm(happened.admin, happened.workspace)
    assert queries() == few <= 7
