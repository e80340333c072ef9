"""The pages and files of the audit log: who reads what, filters, search, pages, one event, exports."""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai_llm import configs
from flashback.errors import Denied
from tests import build
from tests.conftest import People
from workspaces import append_only, audit, chain, events, sources
from workspaces.models import ActorKind, Event, User

pytestmark = pytest.mark.django_db


def write(people: People, number: int = 1, **values: Any) -> list[Event]:
    given = {"actor": people.owner, "workspace": people.workspace, **values}
    return build.events(number=number, **given)


def rows_of(answer: Any) -> list[str]:
    """What the list says happened, row by row."""
    cells = re.findall(r'<th scope="row">.*?<a[^>]*>(.*?)</a>', answer.text, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in cells]


def page_of(people: People) -> str:
    return f"/w/{people.workspace.slug}/audit"


def test_members_read_the_log_and_those_who_manage_see_from_where(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    with sources.using(ip="203.0.113.7", agent="curl/8.5.0"):
        (event,) = write(people)
    for who, seen in (("reader", False), ("writer", False), ("admin", True), ("owner", True)):
        client = signed_in(getattr(people, who))
        answers = [client.get(page_of(people)), client.get(f"{page_of(people)}/{event.pk}")]
        pages = [answer.text.replace("<wbr>", "") for answer in answers]
        assert [("203.0.113.7" in page, "curl/8.5.0" in page, "/audit/export" in pages[0]) for page in pages] == [
            (seen, seen, seen),
        ] * 2  # fmt: skip
        found = client.get(f"{page_of(people)}?q=203.0.113.7")
        assert len(rows_of(found)) == int(seen)


def test_the_organization_s_log_has_what_no_workspace_has(people: People, signed_in: Callable[[User], Client]) -> None:
    second = build.workspace(people.organization, "Second")
    write(people)
    events.record(people.owner, "workspace.renamed", second, workspace=second)
    events.record(people.reader, "person.signed_in", people.reader)
    events.record(people.stranger, "person.signed_in", people.stranger)
    assert len(rows_of(signed_in(people.owner).get("/organization/audit"))) == 3
    assert len(rows_of(signed_in(people.owner).get(page_of(people)))) == 1
    assert rows_of(signed_in(people.stranger).get("/organization/audit")) == [f"{people.stranger.email} signed in"]


def test_an_event_of_elsewhere_is_not_there(people: People, signed_in: Callable[[User], Client]) -> None:
    event = events.record(
        people.stranger, "workspace.renamed", people.strange_workspace, workspace=people.strange_workspace
    )
    owner = signed_in(people.owner)
    for number in (event.pk, 10**9, 10**30):
        assert owner.get(f"{page_of(people)}/{number}").status_code == 404
        assert owner.get(f"/organization/audit/{number}").status_code == 404


def test_the_page_of_an_event_tells_everything(people: People, signed_in: Callable[[User], Client]) -> None:
    row = build.ai_llm(people.writer, people.workspace, name="prod")
    configs.update(people.writer, row, name="renamed", endpoint=row.endpoint, version=row.version)
    event = events.of_object(row)[0]
    page = signed_in(people.owner).get(f"{page_of(people)}/{event.pk}").text
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for told in ("renamed changed", "Name prod renamed", people.writer.email, "ai_llm.updated", event.digest, "UTC"):
        assert told in text
    assert f"{page_of(people)}?object={row.pk}" in page
    assert f"{page_of(people)}?who={people.writer.pk}" in page
    assert "deleted since" not in page
    configs.delete(people.writer, row)
    assert "deleted since" in signed_in(people.owner).get(f"{page_of(people)}/{event.pk}").text


@pytest.fixture
def varied(people: People) -> People:
    """Five events that differ in who, what, about what, and when; the oldest first."""
    row = build.ai_llm(people.writer, people.workspace, name="prod")
    write(people, actor=people.admin)
    write(people, actor=None, action="ai_llm.validated", subject=row)
    with sources.using(kind=ActorKind.TOKEN, via="ci-deploy"):
        write(people, actor=people.writer, action="ai_llm.validated", subject=row)
    with sources.using(via="admin site"):
        write(people, actor=people.staff, action="staff.looked", subject=row)
    return people


TWO = [
    ("ai_api_key.created", {"patterns": ["gpt-4o*", "claude-*"]}, "gpt-4o*, claude-*"),
    ("ai_api_key.updated", {"patterns": [["gpt-4o*"], ["claude-*", "o3"]]}, "gpt-4o* → claude-*, o3"),
    ("repository.attachment_changed", {"ai_llm": "one", "models": [[], ["a*", "b*"]]}, "nothing → a*, b*"),
    ("person.session_ended", {"sessions": ["Firefox", "Chrome"]}, "Firefox, Chrome"),
    ("ai_llm.updated", {"name": ["prod", "staging"]}, "prod → staging"),
]


@pytest.mark.parametrize(("action", "details", "said"), TWO)
def test_two_things_in_a_list_are_not_told_as_a_change(
    people: People, signed_in: Callable[[User], Client], action: str, details: dict[str, Any], said: str
) -> None:
    event = events.record(people.owner, action, people.workspace, workspace=people.workspace, details=details)
    page = signed_in(people.owner).get(f"{page_of(people)}/{event.pk}")
    assert all(part in page.text for part in said.split(" → "))
    assert ("Before" in page.text) == ("→" in said)
    staff = signed_in(people.staff).get(f"/admin/workspaces/event/{event.pk}/change/")
    assert f"{list(details)[-1]}: {said}</div>" in staff.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["staff.looked", "ai_llm.validated", "ai_llm.validated", "workspace.renamed", "ai_llm.created"]),
        ("who={admin}", ["workspace.renamed"]),
        ("who={writer}", ["ai_llm.validated", "ai_llm.created"]),
        ("who=staff", ["staff.looked"]),
        ("who=token", ["ai_llm.validated"]),
        ("who=command", ["ai_llm.validated"]),
        ("who=nobody", []),
        ("who={stranger}", []),
        ("action=ai_llm.validated", ["ai_llm.validated", "ai_llm.validated"]),
        ("action=ai_llm.validated&who={writer}", ["ai_llm.validated"]),
        ("object={workspace}", ["workspace.renamed"]),
        ("q=PROD", ["staff.looked", "ai_llm.validated", "ai_llm.validated", "ai_llm.created"]),
        ("q=ci-dep", ["ai_llm.validated"]),
        ("q=renamed", ["workspace.renamed"]),
        ("q={workspace}", ["workspace.renamed"]),
        ("q=100%25", []),
        ("q=_", ["ai_llm.validated", "ai_llm.validated", "ai_llm.created"]),
        ("from={today}&until={today}&who=staff", ["staff.looked"]),
        ("from={tomorrow}", []),
        ("until={yesterday}", []),
        ("from=nonsense&until=9999-12-31&who=x&before=1&after=-&page=7&from=31.1.2026", None),
        ("before=99999999999999999-99999999999999999", None),
        ("q=%00&action=%00&object=%00", None),
    ],
)  # fmt: skip
def test_filters_and_search(
    varied: People, signed_in: Callable[[User], Client], query: str, found: list[str] | None
) -> None:
    today = timezone.now().date()
    given = {
        "admin": varied.admin.pk, "writer": varied.writer.pk, "stranger": varied.stranger.pk,
        "workspace": varied.workspace.pk, "today": today,
        "tomorrow": today + timedelta(days=1), "yesterday": today - timedelta(days=1),
    }  # fmt: skip
    answer = signed_in(varied.owner).get(f"{page_of(varied)}?{query.format(**given)}")
    shown = [event.action for event in answer.context["page"].events]
    every = list(events.of_workspace(varied.workspace).values_list("action", flat=True))
    assert (answer.status_code, shown) == (200, every if found is None else found)


def test_paging_shows_every_event_once_forwards_and_backwards(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    write(people, 120)
    with append_only.lifted():  # many at the same moment: the id decides
        Event.objects.filter(pk__gt=Event.objects.order_by("pk")[30].pk).update(at=timezone.now())
    every = list(events.of_workspace(people.workspace).values_list("pk", flat=True))
    client, address, older, backwards = signed_in(people.owner), page_of(people), [], []
    while address:
        context = client.get(address).context
        older.append([event.pk for event in context["page"].events])
        address = context["older"] and page_of(people) + context["older"]
    assert ([len(page) for page in older], [one for page in older for one in page]) == ([50, 50, 20], every)
    address = page_of(people) + context["newer"]
    while address:
        context = client.get(address).context
        backwards.append([event.pk for event in context["page"].events])
        address = context["newer"] and page_of(people) + context["newer"]
    assert backwards == [older[1], older[0]]


def test_a_search_looks_at_so_many_events_and_offers_to_go_on(
    people: People, signed_in: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "WINDOW", 10)
    row = build.ai_llm(people.writer, people.workspace, name="needle")
    write(people, 25)
    client, address, pages = signed_in(people.owner), f"{page_of(people)}?q=needle", []
    while address:
        answer = client.get(address)
        pages.append([event.object_id for event in answer.context["page"].events])
        address = answer.context["older"] and page_of(people) + answer.context["older"]
    assert pages == [[], [], [str(row.pk)]]
    first = client.get(f"{page_of(people)}?q=needle").text
    assert "There is more of it to search" in first
    assert "Search older" in first


@pytest.mark.parametrize("query", ["", "?q=main", "?who={owner}", "?action=workspace.renamed", "?object={workspace}",
                                   "?from=2020-01-01&until=2100-01-01"])  # fmt: skip
def test_the_number_of_queries_does_not_grow(people: People, signed_in: Callable[[User], Client], query: str) -> None:
    client = signed_in(people.owner)
    address = page_of(people) + query.format(owner=people.owner.pk, workspace=people.workspace.pk)
    write(people, 2)
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    write(people, 80)
    with CaptureQueriesContext(connection) as many:
        client.get(address)
    assert len(few) == len(many) <= 13


def test_the_activity_of_before_leads_here(people: People, signed_in: Callable[[User], Client]) -> None:
    answer = signed_in(people.reader).get(f"/w/{people.workspace.slug}/ai/activity?about=x%20y")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{page_of(people)}?object=x+y")


def test_people_who_are_gone_can_still_be_asked_for(people: People, signed_in: Callable[[User], Client]) -> None:
    write(people, actor=people.staff)
    page = signed_in(people.owner).get(f"{page_of(people)}?who={people.staff.pk}").text
    assert f'<option value="{people.staff.pk}" selected>{people.staff.email}</option>' in page


def test_what_people_typed_is_inert(people: People, signed_in: Callable[[User], Client]) -> None:
    payload = '"><script>alert(1)</script>'
    with sources.using(via=payload, agent=payload, ip=payload[:45]):
        (event,) = write(people, details={payload: [payload, payload], "x": payload})
    client = signed_in(people.owner)
    for address in (
        page_of(people),
        f"{page_of(people)}/{event.pk}",
        f"{page_of(people)}?q={payload}&object={payload}",
    ):
        assert payload not in client.get(address).text


# --- Export -----------------------------------------------------------------------------------------------------------


def exported(client: Client, path: str, **values: str) -> bytes:
    answer = client.post(f"{path}/export", values)
    assert answer.status_code == 200
    return answer.getvalue()


def test_json_lines_hold_everything_and_can_be_verified_elsewhere(
    varied: People, signed_in: Callable[[User], Client]
) -> None:
    lines = [
        json.loads(line) for line in exported(signed_in(varied.owner), page_of(varied), format="jsonl").splitlines()
    ]
    assert [line["number"] for line in lines] == [5, 4, 3, 2, 1]
    stored = dict(Event.objects.values_list("number", "digest"))
    for line in lines:
        assert chain.digest(line[name] for name in chain.FIELDS) == line["digest"] == stored[line["number"]]


def test_csv_holds_what_the_filters_show(varied: People, signed_in: Callable[[User], Client]) -> None:
    text = exported(signed_in(varied.admin), page_of(varied), format="csv", action="ai_llm.validated", who="token")
    rows = list(csv.DictReader(io.StringIO(text.decode())))
    assert [(row["action"], row["via"], row["actor_label"]) for row in rows] == [
        ("ai_llm.validated", "ci-deploy", varied.writer.email),
    ]  # fmt: skip
    event = Event.objects.get(action="audit.exported")
    assert (event.object_label, event.details) == (
        "Main", {"format": "csv", "events": 1, "action": "ai_llm.validated", "who": "token"},
    )  # fmt: skip


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\uff1d"])
def test_no_cell_is_a_formula(people: People, start: str) -> None:
    assert audit.cell(f"{start}1+1") == f"'{start}1+1"
    assert audit.cell({"a": "=1"}) == '{"a": "=1"}'
    assert [audit.cell(value) for value in ("a=1", 5, None)] == ["a=1", "5", ""]


def test_formulas_in_labels_are_guarded_in_the_file(people: People, signed_in: Callable[[User], Client]) -> None:
    formula = '=HYPERLINK("https://evil.example","x")'
    build.ai_llm(people.writer, people.workspace, name=formula)
    text = exported(signed_in(people.owner), page_of(people), format="csv").decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["object_label"] == f"'{formula}"


def test_the_file_comes_as_a_download_in_pieces(
    people: People, signed_in: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "EXPORT_BATCH", 7)
    monkeypatch.setattr(audit, "EXPORT_MOST", 20)
    write(people, 30)
    answer = signed_in(people.owner).post("/organization/audit/export", {"format": "jsonl"})
    assert (
        answer.headers["Content-Disposition"]
        == f'attachment; filename="audit-organization-{timezone.now():%Y-%m-%d}.jsonl"'
    )
    assert answer.streaming
    numbers = [json.loads(line)["number"] for line in answer.getvalue().splitlines()]
    assert numbers == list(range(30, 10, -1))
    assert Event.objects.get(action="audit.exported").details == {"format": "jsonl", "events": 20}


@pytest.mark.parametrize("format", ["", "xlsx", "CSV"])
def test_an_unknown_format_is_refused_and_recorded_nowhere(
    people: People, signed_in: Callable[[User], Client], format: str
) -> None:
    assert signed_in(people.owner).post(f"{page_of(people)}/export", {"format": format}).status_code == 422
    assert not Event.objects.exists()


def test_export_asks_for_the_role_again(people: People) -> None:
    scope = audit.Scope(people.organization, people.workspace, traces=True)
    with pytest.raises(Denied):
        audit.export(people.writer, scope, audit.Query(), "csv")
    with pytest.raises(Denied):
        audit.export(people.admin, audit.Scope(people.organization, None, traces=True), audit.Query(), "csv")


def test_the_menu_shows_the_organization_s_log_to_those_who_may_read_it(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    shown = {who: "/organization/audit" in signed_in(getattr(people, who)).get("/account").text
             for who in ("owner", "admin", "reader", "staff")}  # fmt: skip
    assert shown == {"owner": True, "admin": False, "reader": False, "staff": False}
