"""Reads of the audit log: what one may see of it, filters, search, pages and exports.

Every page costs the same however long the log is: it begins at an event (keyset) and not at a number, filters use an
index, and a search, which no index answers, looks at the next WINDOW events only and says how far it came.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q, QuerySet

from flashback.errors import Invalid
from flashback.prepared import prepared
from workspaces import access, events
from workspaces.access import Access, OrganizationRole
from workspaces.models import ActorKind, Event, Organization, User, Workspace

PAGE = 50
WINDOW = 5_000
EXPORT_MOST = 50_000
EXPORT_BATCH = 1000
PEOPLE_OFFERED = 200
FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = (
    "id", "at", "actor_kind", "actor_label", "actor_id", "via", "action", "object_kind", "object_label", "object_id",
    "workspace_label", "workspace_id", "organization_id", "ip", "agent", "details", "chain", "number", "previous",
    "digest",
)  # fmt: skip
# A cell that begins so is a formula for spreadsheet programs; see https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class Line(NamedTuple):
    """What the list shows of an event: fifty rows with all of their columns would take longer than the page may."""

    id: int
    at: datetime
    action: str
    object_id: str
    object_label: str
    details: dict[str, Any]
    actor_label: str
    actor_kind: str
    via: str
    ip: str
    agent: str
    workspace_label: str

    @property
    def pk(self) -> int:
        """As that of the event."""
        return self.id


@dataclass(frozen=True)
class Scope:
    """The part of the log that a page shows: a workspace's, or all of an organization.

    `traces` says whether addresses and programs may be seen, and exports taken: by those who manage it.
    """

    organization: Organization
    workspace: Workspace | None
    traces: bool

    def rows(self) -> "QuerySet[Event]":
        """Return the events in no order."""
        if self.workspace is not None:
            return Event.objects.filter(workspace_id=self.workspace.pk)
        return Event.objects.filter(organization_id=self.organization.pk)

    def people(self) -> list[tuple[UUID, str, str]]:
        """Return the first people of the organization, to choose from: id, name and e-mail address of each."""
        return _people(self.organization.pk)


def of_workspace(actor: User, workspace: Workspace) -> Scope:
    """Return what a member sees of the workspace's log. Raises `Denied` without a role in it."""
    access.require(actor, workspace, Access.READ)
    manages = (access.of(actor, workspace) or 0) >= Access.ADMIN
    return Scope(_organization(workspace.organization_id)[0], workspace, traces=manages)


def of_organization(actor: User) -> Scope:
    """Return the log of the actor's organization. Raises `Denied` below the role Administrator."""
    access.require_organization(actor, OrganizationRole.ADMINISTRATOR)
    assert actor.organization_id is not None  # noqa: S101 - `require_organization` has seen it
    return Scope(_organization(actor.organization_id)[0], None, traces=True)


@prepared
def _organization(id: UUID) -> "QuerySet[Organization]":
    return Organization.objects.filter(pk=id)


@prepared
def _people(organization: UUID) -> "QuerySet[User, Any]":
    rows = User.objects.filter(organization=organization).order_by("email")
    return rows.values_list("pk", "name", "email")[:PEOPLE_OFFERED]


@dataclass(frozen=True)
class Cursor:
    """A place in the log: right at the event `id`, written at `at`."""

    at: datetime
    id: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the place that `text` (microseconds-id) names, None for anything else."""
        moment, _, number = text.partition("-")
        if not all(part.isascii() and part.isdecimal() and len(part) < 18 for part in (moment, number)):
            return None
        return cls(EPOCH + timedelta(microseconds=int(moment)), int(number))

    @classmethod
    def at_event(cls, event: Event | Line) -> Self:
        """Return the place of an event."""
        return cls(event.at, event.pk)

    def __str__(self) -> str:
        return f"{(self.at - EPOCH) // timedelta(microseconds=1)}-{self.id}"

    def older(self, rows: "QuerySet[Event]", *, itself: bool = False) -> "QuerySet[Event]":
        """Return the rows before this place. Written so that an index on (…, at, id) is read from here on."""
        kept = Q(at=self.at, id__gt=self.id) if itself else Q(at=self.at, id__gte=self.id)
        return rows.filter(at__lte=self.at).exclude(kept)

    def newer(self, rows: "QuerySet[Event]", *, itself: bool = False) -> "QuerySet[Event]":
        """Return the rows after this place."""
        kept = Q(at=self.at, id__lt=self.id) if itself else Q(at=self.at, id__lte=self.id)
        return rows.filter(at__gte=self.at).exclude(kept)


@dataclass(frozen=True)
class Page:
    """Some events, the newest first, with the places where the neighbouring pages begin (None: there is none).

    `searched_to` is the moment back to which was looked, when a search has not seen the whole log yet.
    """

    events: list[Line]
    newer: Cursor | None
    older: Cursor | None
    searched_to: datetime | None = None


@dataclass(frozen=True)
class Query:
    """What the address asks of the log. Anything unknown in it is ignored."""

    search: str = ""
    who: str = ""
    action: str = ""
    about: str = ""
    since: date | None = None
    until: date | None = None
    before: Cursor | None = None
    after: Cursor | None = None

    @classmethod
    def read(cls, address: Mapping[str, str]) -> Self:
        """Return the query of an address: `q`, `who`, `action`, `object`, `from`, `until`, `before`, `after`."""
        return cls(
            search=_line(address, "q", 120),
            who=_who(_line(address, "who", 40)),
            action=_line(address, "action", 60),
            about=_line(address, "object", 40),
            since=_day(address.get("from", "")),
            until=_day(address.get("until", "")),
            before=Cursor.read(address.get("before", "")),
            after=Cursor.read(address.get("after", "")),
        )

    def values(self) -> dict[str, str]:
        """Return the filters that are set, by their names in the address."""
        named = {
            "q": self.search,
            "who": self.who,
            "action": self.action,
            "object": self.about,
            "from": str(self.since or ""),
            "until": str(self.until or ""),
        }
        return {name: value for name, value in named.items() if value}

    def address(self, **places: Cursor | None) -> str:
        """Return the query string of the same filters at another place."""
        return "?" + urlencode({**self.values(), **{name: str(place) for name, place in places.items() if place}})

    @property
    def person(self) -> UUID | None:
        """The person whose events are asked for."""
        return UUID(self.who) if self.who and self.who not in ActorKind.values else None

    def matching(self, scope: Scope) -> "QuerySet[Event]":
        """Return the events asked for, in no order."""
        return self._scanned(self._indexed(scope), scope)

    def page(self, scope: Scope) -> Page:
        """Return one page; two queries at most, three when they scan."""
        if self.after is not None:
            found = _lines(self._bounded(scope, self.after, newer=True)[0].order_by("at", "id"))
            if len(found) > PAGE:
                shown = found[:PAGE][::-1]
                return Page(shown, Cursor.at_event(shown[0]), Cursor.at_event(shown[-1]))
        start = None if self.after else self.before
        rows, end = self._bounded(scope, start)
        found = _lines(rows.order_by("-at", "-id"))
        shown = found[:PAGE]
        newer = (Cursor.at_event(shown[0]) if shown else start) if start else None
        if len(found) > PAGE:
            return Page(shown, newer, Cursor.at_event(shown[-1]))
        return Page(shown, newer, end, end.at if end else None)

    def _indexed(self, scope: Scope) -> "QuerySet[Event]":
        rows = scope.rows()
        if self.person:
            rows = rows.filter(organization_id=scope.organization.pk, actor_id=self.person)
        if self.who in ActorKind.values:
            rows = rows.filter(organization_id=scope.organization.pk, actor_kind=self.who)
        if self.action:
            rows = rows.filter(organization_id=scope.organization.pk, action=self.action)
        if self.about:
            rows = rows.filter(object_id=self.about)
        if self.since:
            rows = rows.filter(at__gte=datetime.combine(self.since, time(), UTC))
        if self.until and self.until < date.max:
            rows = rows.filter(at__lt=datetime.combine(self.until + timedelta(days=1), time(), UTC))
        return rows

    def _scanned(self, rows: "QuerySet[Event]", scope: Scope) -> "QuerySet[Event]":
        text = self.search
        if not text:
            return rows
        # Regard for case is several times faster in PostgreSQL, and e-mail addresses and actions are in lower case.
        small = text.lower()
        found = Q(object_label__icontains=text) | Q(actor_label__contains=small) | Q(action__contains=small)
        found |= Q(object_id=text) | Q(via__contains=text)
        return rows.filter(found | Q(ip=text) if scope.traces else found)

    def _bounded(
        self, scope: Scope, start: Cursor | None, *, newer: bool = False
    ) -> "tuple[QuerySet[Event], Cursor | None]":
        """Return the rows from `start` on, no more than a scan may look at, and where that ends (None: nowhere)."""
        rows = self._indexed(scope)
        if start is not None:
            rows = start.newer(rows) if newer else start.older(rows)
        if not self.search:
            return rows, None
        order = ("at", "id") if newer else ("-at", "-id")
        last = rows.order_by(*order).values_list("at", "id")[WINDOW - 1 : WINDOW].first()
        end = Cursor(*last) if last else None
        if end is not None:
            rows = end.older(rows, itself=True) if newer else end.newer(rows, itself=True)
        return self._scanned(rows, scope), end


def _lines(rows: "QuerySet[Event]") -> list[Line]:
    """Return one more than a page of these rows."""
    return [Line(*columns) for columns in rows.values_list(*Line._fields)[: PAGE + 1]]


def export(actor: User, scope: Scope, query: Query, format: str) -> Iterator[bytes]:
    """Return the newest EXPORT_MOST matching events as "csv" or "jsonl", piece by piece, and record `audit.exported`.

    Raises `Denied` for those who do not manage the workspace or the organization, `Invalid` for another format.
    """
    if scope.workspace is not None:
        access.require(actor, scope.workspace, Access.ADMIN)
    else:
        access.require_organization(actor, OrganizationRole.ADMINISTRATOR)
    if format not in FORMATS:
        raise Invalid({"format": "Choose CSV or JSON Lines."})
    number = query.matching(scope).order_by("-at", "-id")[:EXPORT_MOST].count()
    subject = scope.workspace or scope.organization
    details = {"format": format, "events": number, **query.values()}
    made = events.record(
        actor, "audit.exported", subject, workspace=scope.workspace, organization=scope.organization, details=details
    )
    # What is written while the file is read out, this event too, is not part of it.
    rows = _read_out(query, scope, Cursor.at_event(made))
    return _as_csv(rows) if format == "csv" else _as_json(rows)


def _read_out(query: Query, scope: Scope, start: Cursor) -> Iterator[dict[str, Any]]:
    left, matching = EXPORT_MOST, query.matching(scope)
    # In pieces of their own, because a reader may be slow, and a statement must not wait for one.
    while batch := list(start.older(matching).order_by("-at", "-id")[: min(left, EXPORT_BATCH)]):
        yield from ({name: getattr(event, name) for name in COLUMNS} for event in batch)
        left, start = left - len(batch), Cursor.at_event(batch[-1])
        if not left:
            return


def _as_csv(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    lines = _Lines()
    writer = csv.writer(lines, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([cell(_plain(row[name])) for name in COLUMNS])
        if len(lines.kept) >= EXPORT_BATCH:
            yield lines.taken()
    yield lines.taken()


def _as_json(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        values = {name: value if name == "details" else _plain(value) for name, value in row.items()}
        yield json.dumps(values, ensure_ascii=False).encode() + b"\n"


def cell(value: Any) -> str:
    """Return a cell as text that no spreadsheet program takes for a formula: what could be one gets an apostrophe."""
    text = "" if value is None else json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


class _Lines:
    """Takes what a csv writer writes."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def write(self, line: str) -> None:
        self.kept.append(line)

    def taken(self) -> bytes:
        text, self.kept = "".join(self.kept), []
        return text.encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value


def _line(address: Mapping[str, str], name: str, longest: int) -> str:
    return address.get(name, "").replace("\0", "").strip()[:longest]


def _who(text: str) -> str:
    if text in ActorKind.values:
        return text
    try:
        return str(UUID(text))
    except ValueError:
        return ""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
