"""The audit log as one person sees it: what they may read of it, and what they have read already."""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet

from workspaces import access
from workspaces.access import OrganizationRole
from workspaces.models import Event, User, Workspace
from workspaces.read_models import ReadMark


def seen_by(actor: User) -> "QuerySet[Event]":
    """Return the events that `actor` may read, in no order: all of the organization for its administrators.

    Others read what they did themselves and what happened in their workspaces. Raises `Denied` for an API token.
    """
    access.require_organization(actor, OrganizationRole.USER)
    rows = Event.objects.filter(organization_id=actor.organization_id)
    if actor.organization_role >= OrganizationRole.ADMINISTRATOR:
        return rows
    theirs = list(Workspace.objects.visible_to(actor).values_list("pk", flat=True))
    return rows.filter(Q(workspace_id__in=theirs) | Q(actor_id=actor.pk))


def unread(rows: "QuerySet[Event]", actor: User) -> "QuerySet[Event]":
    """Return those of `rows` that `actor` has not marked as read."""
    return rows.filter(~Exists(ReadMark.objects.filter(user=actor, event_id=OuterRef("pk"))))


def read_among(rows: Iterable[Event], actor: User) -> set[int]:
    """Return the ids of those among `rows` that `actor` has marked as read; one query."""
    ids = [row.pk for row in rows]
    return set(ReadMark.objects.filter(user=actor, event_id__in=ids).values_list("event_id", flat=True))


def mark(actor: User, ids: Iterable[int], *, read: bool) -> None:
    """Mark events as read for `actor` alone, or as unread again; those that they cannot see are left out.

    It leaves no event: it is nobody else's business. Raises `Denied` for an API token.
    """
    if not read:
        access.require_organization(actor, OrganizationRole.USER)
        ReadMark.objects.filter(user=actor, event_id__in=list(ids)).delete()
        return
    found = seen_by(actor).filter(pk__in=list(ids)).values_list("pk", flat=True)
    ReadMark.objects.bulk_create([ReadMark(user=actor, event_id=pk) for pk in found], ignore_conflicts=True)
