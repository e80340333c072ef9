"""The part of the API about the audit log. Only people read it: API tokens may not."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from ninja import Query, Router
from pydantic import Field, model_validator

from flashback.errors import Invalid, NotFound
from flashback.schemas import EXAMPLE_ID, EXAMPLE_MOMENT, Filters, Input, OptionalId, OptionalMoment, Output, Success
from workspaces import audit, bearer, reading, spaces
from workspaces.models import Event, User

router = Router(tags=["Audit log"])

WINDOW = timedelta(hours=24)
EventId = Annotated[int, Field(ge=1, le=2**63 - 1)]
# The public API's names for what an event is about, by index, and which of our actions are about it.
CONTEXTS = {
    "workspace": ("workspace.",),
    "bucket": (),
    "repo": ("repository.",),
    "user": ("person.", "login.", "staff."),
    "org": (),  # and everything else
    "workspaceuser": ("member.",),
    "apikey": ("provider_key.", "api_token."),
    "usersettings": (),
    "orgsettings": (),
    "flashbacknode": (),
    "orgkey": (),
    "aillm": ("ai_llm.",),
    "aillmapikey": ("ai_api_key.",),
    "conversation": (),
}
NAMES = list(CONTEXTS)
CREATED, UPDATED, DELETED = "created", "updated", "deleted"
ENDINGS = {CREATED: (".created", ".added"), DELETED: (".deleted", ".removed", ".revoked")}
EVENTS = [CREATED, UPDATED, DELETED]
FORMATS = {"csv": "csv", "json": "jsonl"}
# What an export is, in the words of OpenAPI.
FILES = {
    "text/csv": {
        "schema": {"type": "string"},
        "example": '"id","at","action"\r\n"4711","2026-03-16T09:30:00.120+00:00","ai_llm.created"\r\n',
    },
    "application/x-ndjson": {"schema": {"type": "string"}, "example": '{"id": 4711, "action": "ai_llm.created"}\n'},
}


class EventsWanted(Input):
    """Which events are asked for. Without times these are the last 24 hours."""

    from_timestamp: OptionalMoment = Field(
        default=None, alias="from_timestamp", description="Only from then on.", examples=[EXAMPLE_MOMENT]
    )
    to_timestamp: OptionalMoment = Field(
        default=None, alias="to_timestamp", description="Only until then.", examples=[EXAMPLE_MOMENT]
    )
    context_id: str | None = Field(
        default=None, max_length=40, description="Only about the thing with this id.", examples=[EXAMPLE_ID]
    )
    context: int | None = Field(
        default=None,
        ge=0,
        lt=len(NAMES),
        description=f"Only about things of this kind: {', '.join(f'{n} {name}' for n, name in enumerate(NAMES))}.",
        examples=[11],
    )
    event: int | None = Field(
        default=None, ge=0, lt=len(EVENTS), description="0 created, 1 updated, 2 deleted.", examples=[0]
    )
    user_id: OptionalId = Field(default=None, description="Only what this person did.", examples=[EXAMPLE_ID])
    workspace_id: OptionalId = Field(default=None, description="Only in this workspace.", examples=[EXAMPLE_ID])
    show_unread: bool | None = Field(
        default=None, description="true for those alone that you have not read.", examples=[False]
    )
    skip: int = Field(default=0, ge=0, le=1_000_000, description="How many to leave out.", examples=[0])
    take: int = Field(default=20, ge=1, le=100, description="How many to answer at most.", examples=[20])


class EventMarks(Input):
    """Events, by one id or several."""

    id: EventId | None = Field(default=None, description="One event.", examples=[4711])
    ids: list[EventId] | None = Field(
        default=None, max_length=1000, description="Several events.", examples=[[4711, 4712]]
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.id is None and self.ids is None:
            raise ValueError("name the events by id or ids")
        return self

    def all(self) -> list[int]:
        """Return all ids that are named."""
        return [*([] if self.id is None else [self.id]), *(self.ids or [])]


class EventExport(Filters):
    """Which events the file has. `format` is its form."""

    format: Literal["csv", "json"] = Field(
        default="json", description="csv, or json for one JSON object on each line.", examples=["csv"]
    )
    workspace_id: UUID | None = Field(
        default=None,
        description="Those of this workspace; else all of the organization.",
        examples=[EXAMPLE_ID],
    )
    context_id: str = Field(
        default="", max_length=40, description="Only about the thing with this id.", examples=[EXAMPLE_ID]
    )
    user_id: UUID | None = Field(default=None, description="Only what this person did.", examples=[EXAMPLE_ID])
    action: str = Field(default="", max_length=60, description="Only this action.", examples=["ai_llm.created"])
    q: str = Field(default="", max_length=120, description="Only those with this text in them.", examples=["prod"])
    since: date | None = Field(default=None, description="Only from this day (UTC) on.", examples=["2026-03-01"])
    until: date | None = Field(default=None, description="Only to the end of this day (UTC).", examples=["2026-03-31"])


class EventRow(Output):
    """One line of the audit log."""

    id: int = Field(description="Its number.", examples=[4711])
    timestamp: datetime = Field(description="When it happened.", examples=[EXAMPLE_MOMENT])
    context_id: str = Field(description="The id of what it is about; may be empty.", examples=[EXAMPLE_ID])
    context: str = Field(description="The kind of what it is about.", examples=["aillm"])
    event: str = Field(description="created, updated or deleted.", examples=["created"])
    org_id: UUID | None = Field(description="The organization.", examples=[EXAMPLE_ID])
    user_id: str = Field(description="Who did it; empty for a command of the operator.", examples=[EXAMPLE_ID])
    user_name: str = Field(description="Their name; empty when they left.", examples=["Ada Admin"])
    user_email: str = Field(description="Their e-mail address at that time.", examples=["ada@example.com"])
    workspace_id: UUID | None = Field(description="The workspace; null for none.", examples=[EXAMPLE_ID])
    json_data: str | None = Field(
        description="What changed, as JSON text; [old, new] for a value.", examples=['{"name": ["old", "new"]}']
    )
    show_unread: bool = Field(description="Whether you have not read it yet.", examples=[True])
    action: str = Field(description="What exactly happened.", examples=["ai_llm.created"])
    object_name: str = Field(description="What it is about was called so then.", examples=["prod-openai"])
    actor_kind: str = Field(description="person, token, staff, command or nobody.", examples=["person"])
    via: str = Field(description="The API token or command that it came through.", examples=[""])


class EventPage(Output):
    """A page of events, the newest first."""

    events: list[EventRow] = Field(description="The events.")
    total: int = Field(description="How many match.", examples=[1])
    skip: int = Field(description="As asked for.", examples=[0])
    take: int = Field(description="As asked for.", examples=[20])


@router.post("/systemevent", response=EventPage)
def list_events(request: HttpRequest, body: EventsWanted | None = None) -> EventPage:
    """List what happened, the newest first.

    Owners and administrators see all of the organization, others what they did themselves and what happened in their
    workspaces. Without times these are the last 24 hours.
    """
    actor = bearer.caller(request).person
    body = body or EventsWanted()
    rows = _asked_for(body, actor)
    page = list(rows.order_by("-at", "-id")[body.skip : body.skip + body.take])
    return EventPage(events=_shown(page, actor), total=rows.count(), skip=body.skip, take=body.take)


@router.post("/systemevent/read", response=Success)
def mark_events_read(request: HttpRequest, body: EventMarks) -> Success:
    """Mark events as read, for yourself.

    Those that you cannot see are left out.
    """
    reading.mark(bearer.caller(request).person, body.all(), read=True)
    return Success(message="Marked as read.")


@router.delete("/systemevent/read", response=Success)
def mark_events_unread(request: HttpRequest, body: EventMarks) -> Success:
    """Mark events as unread again, for yourself.

    Those that you have not read stay as they are.
    """
    reading.mark(bearer.caller(request).person, body.all(), read=False)
    return Success(message="Marked as unread.")


@router.get(
    "/systemevent/export",
    response={200: None},
    openapi_extra={"responses": {200: {"description": "The file.", "content": FILES}}},
)
def export_events(request: HttpRequest, query: Query[EventExport]) -> StreamingHttpResponse:
    """Export events as a file.

    For administrators of the organization, or ADMINs of the workspace that is named. The newest 50,000 that match are
    in it, and the export itself is recorded.
    """
    actor = bearer.caller(request).person
    chosen = FORMATS[query.format]
    scope = _scope(actor, query.workspace_id)
    wanted = audit.Query(
        search=query.q.strip(),
        who=str(query.user_id or ""),
        action=query.action,
        about=query.context_id,
        since=query.since,
        until=query.until,
    )
    answer = StreamingHttpResponse(audit.export(actor, scope, wanted, chosen), content_type=audit.FORMATS[chosen])
    name = scope.workspace.slug if scope.workspace else "organization"
    answer.headers["Content-Disposition"] = f'attachment; filename="audit-{name}-{timezone.now():%Y-%m-%d}.{chosen}"'
    return answer


def _scope(actor: User, workspace: UUID | None) -> audit.Scope:
    if workspace is None:
        return audit.of_organization(actor)
    row = spaces.found(actor, workspace)
    if row is None:
        raise NotFound("There is no such workspace that you can see.")
    return audit.of_workspace(actor, row)


def _asked_for(body: EventsWanted, actor: User) -> Any:
    until = body.to_timestamp or timezone.now()
    since = body.from_timestamp or max(until, datetime(2, 1, 1, tzinfo=UTC)) - WINDOW
    if since > until:
        raise Invalid({"from_timestamp": "This is after to_timestamp."})
    rows = reading.seen_by(actor).filter(at__gte=since, at__lte=until)
    if body.context_id:
        rows = rows.filter(object_id=body.context_id)
    if body.user_id:
        rows = rows.filter(actor_id=body.user_id)
    if body.workspace_id:
        rows = rows.filter(workspace_id=body.workspace_id)
    if body.context is not None:
        rows = rows.filter(_about(NAMES[body.context]))
    if body.event is not None:
        rows = rows.filter(_ending(EVENTS[body.event]))
    return reading.unread(rows, actor) if body.show_unread else rows


def _about(context: str) -> Q:
    if context == "org":
        return ~_any("startswith", [start for starts in CONTEXTS.values() for start in starts])
    return _any("startswith", CONTEXTS[context])


def _ending(event: str) -> Q:
    if event == UPDATED:
        return ~_any("endswith", [end for ends in ENDINGS.values() for end in ends])
    return _any("endswith", ENDINGS[event])


def _any(test: str, texts: Iterable[str]) -> Q:
    found = Q(pk__in=[])
    for text in texts:
        found |= Q(**{f"action__{test}": text})
    return found


def _shown(rows: list[Event], actor: User) -> list[EventRow]:
    read = reading.read_among(rows, actor)
    people = User.objects.filter(pk__in={row.actor_id for row in rows if row.actor_id})
    names = dict(people.values_list("pk", "name"))
    return [_row(row, names.get(row.actor_id, "") if row.actor_id else "", unread=row.pk not in read) for row in rows]


def _row(row: Event, name: str, *, unread: bool) -> EventRow:
    context = next((name for name, starts in CONTEXTS.items() if row.action.startswith(starts)), "org")
    event = next((name for name, ends in ENDINGS.items() if row.action.endswith(ends)), UPDATED)
    return EventRow(
        id=row.pk,
        timestamp=row.at,
        context_id=row.object_id,
        context=context,
        event=event,
        org_id=row.organization_id,
        user_id=str(row.actor_id or ""),
        user_name=name,
        user_email=row.actor_label if row.actor_id else "",
        workspace_id=row.workspace_id,
        json_data=json.dumps(row.details, ensure_ascii=False) if row.details else None,
        show_unread=unread,
        action=row.action,
        object_name=row.object_label,
        actor_kind=row.actor_kind,
        via=row.via,
    )
