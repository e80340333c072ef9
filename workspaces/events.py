"""The audit log's one writer. A verb calls `record` inside the transaction that makes the change, as its last act."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, CharField, Model, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from flashback.prepared import prepared
from flashback.redaction import SHORTEST_GUARDED, mask
from workspaces import chain, sources
from workspaces.models import ActorKind, Event, Organization, User, Workspace, whole_name

LONGEST_TEXT = 2200  # an endpoint may have 2,100 characters
MOST_ITEMS = 200
# Beyond this PostgreSQL writes a number as an integer, and its digest would differ.
LARGEST_FLOAT = 1e15

PAIR = 2  # an old and a new value
# These hold a list, also when two things are in it; where it changed, they hold two lists.
LISTS = frozenset(
    {"ai_llms", "attached", "detached", "keys", "models", "order", "patterns", "repositories", "sessions"}
)

TOLD = 10  # events on the page of what they are about


class Told(NamedTuple):
    """What a page tells of an event in one line. `who` is called by their name of today, or as the event has them."""

    action: str
    object_label: str
    details: dict[str, Any]
    who: str
    at: datetime


_gathered: ContextVar[list[Event] | None] = ContextVar("gathered", default=None)


def record(
    actor: User | None,
    action: str,
    subject: Model | None,
    *,
    workspace: Workspace | None = None,
    organization: Organization | None = None,
    details: Mapping[str, Any] | None = None,
    kind: ActorKind | None = None,
) -> Event:
    """Write one line: who did `action` ("ai_llm.created") to `subject`. `details` holds plain values, never a secret.

    A changed value is [old, new]. The organization is taken from the workspace, then from the actor; `actor` None means
    a command of the operator, unless `kind` says otherwise. From where it comes is what `workspaces.sources` says. The
    chain is held until the transaction ends, so that no lock should be taken after this; see `gathered`.
    """
    organization_id = _owner(actor, workspace, organization)
    source = sources.current()
    event = Event(
        organization_id=organization_id,
        workspace_id=workspace.pk if workspace else None,
        workspace_label=_text(workspace.name if workspace else "", 120),
        actor_id=actor.pk if actor else None,
        actor_kind=kind or _kind(actor, organization_id, source),
        actor_label=actor.email if actor else "" if kind == ActorKind.NOBODY else "operator",
        via=_text(source.via, 80),
        ip=_text(source.ip, 45),
        agent=_text(source.agent, 80),
        action=action,
        object_kind=subject._meta.model_name or "" if subject else "",
        object_id=str(subject.pk) if subject else "",
        object_label=_text(str(subject) if subject else "", 254),
        details=plain(details or {}),
        chain=organization_id or chain.INSTALLATION,
    )
    waiting = _gathered.get()
    if waiting is None:
        return chain.append(event)
    waiting.append(event)
    return event


@contextmanager
def gathered() -> Iterator[None]:
    """Write the events recorded inside at the end of the block: for a transaction that runs several verbs.

    Each verb then takes its locks on rows before any chain is held, so that two such transactions cannot wait for each
    other: `with transaction.atomic(), events.gathered(): …`. An exception leaves nothing written. Inside another such
    block, that one's end counts.
    """
    if _gathered.get() is not None:
        yield
        return
    waiting: list[Event] = []
    token = _gathered.set(waiting)
    try:
        yield
    finally:
        _gathered.reset(token)
    # Everybody takes several chains in the same order.
    for event in sorted(waiting, key=lambda event: str(event.chain)):
        chain.append(event)


def of_workspace(workspace: Workspace) -> "QuerySet[Event]":
    """Return the workspace's events, the newest first."""
    return Event.objects.filter(workspace_id=workspace.pk).order_by("-at", "-id")


def newest_of(workspace: Workspace, *kinds: str) -> list[Told]:
    """Return what an overview tells of the newest events of a workspace; with `kinds`, of those about such objects."""
    return [Told(*columns) for columns in _newest_of(workspace.pk, *kinds)]


@prepared
def _newest_of(workspace: UUID, *kinds: str) -> "QuerySet[Event, Any]":
    found = Event.objects.filter(workspace_id=workspace)
    return _told(found.filter(object_kind__in=kinds) if kinds else found)


def newest_about(subject: Model) -> list[Told]:
    """Return what its page tells of the newest events about `subject`."""
    return [Told(*columns) for columns in _newest_about(str(subject.pk))]


@prepared
def _newest_about(object_id: str) -> "QuerySet[Event, Any]":
    return _told(Event.objects.filter(object_id=object_id))


def _told(events: "QuerySet[Event]") -> "QuerySet[Event, Any]":
    person = User.objects.filter(pk=OuterRef("actor_id")).values_list(whole_name())
    staff = When(actor_kind=ActorKind.STAFF, then="actor_label")
    told = events.annotate(who=Case(staff, default=Coalesce(Subquery(person), "actor_label"), output_field=CharField()))
    return told.order_by("-at", "-id").values_list(*Told._fields)[:TOLD]


def of_object(subject: Model) -> "QuerySet[Event]":
    """Return the events about `subject`, the newest first."""
    return Event.objects.filter(object_id=str(subject.pk)).order_by("-at", "-id")


def is_change(name: str, value: Any) -> bool:
    """Return whether a value of an event's details is an old and a new one, and not a list that two things are in."""
    if not isinstance(value, list) or len(value) != PAIR:
        return False
    return name not in LISTS or all(isinstance(one, list) for one in value)


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` as every database stores and returns them, cut where they are long.

    What looks like a credential, or was typed into a secret's field of this very request, becomes [hidden].
    """
    cleaned: dict[str, Any] = json.loads(json.dumps(_plain(values)))
    return cleaned


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and abs(value) < LARGEST_FLOAT:
        return value
    if isinstance(value, Mapping):
        return {_text(str(name), 80): _plain(one) for name, one in list(value.items())[:MOST_ITEMS]}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in list(value)[:MOST_ITEMS]]
    text = str(value)
    return _text(mask(text) if len(text) >= SHORTEST_GUARDED else text, LONGEST_TEXT)


def _text(text: str, longest: int) -> str:
    # Neither a NUL nor half a surrogate pair can be stored everywhere.
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest]


def _owner(actor: User | None, workspace: Workspace | None, organization: Organization | None) -> UUID | None:
    if workspace is not None:
        return workspace.organization_id
    return organization.pk if organization else actor.organization_id if actor else None


def _kind(actor: User | None, organization_id: UUID | None, source: sources.Source) -> ActorKind:
    if actor is None:
        return ActorKind.COMMAND
    if source.kind != ActorKind.PERSON:
        return source.kind
    return ActorKind.STAFF if actor.is_staff and actor.organization_id != organization_id else ActorKind.PERSON
