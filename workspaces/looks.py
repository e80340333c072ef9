"""What the installation's staff looked at in the admin site, as events that the owners of it see."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import NamedTuple
from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.db.models import Model

from workspaces import events, sources
from workspaces.models import ActorKind, Event, Organization, User, Workspace

EVERY = 600  # seconds: the same look of the same person is recorded once within this time
ACTION = "staff.looked"


class Place(NamedTuple):
    """Whose a row is: a workspace's, or that of an organization, or nobody's."""

    workspace: Workspace | None
    organization: Organization | None


def at(actor: User, row: Model, page: str) -> None:
    """Record that `actor` opened a `page` ("change", "history") of one row."""
    if _first_time(actor, page, str(row.pk)):
        with transaction.atomic(), admin_site():
            place = whose(row)
            events.record(
                actor,
                ACTION,
                row,
                workspace=place.workspace,
                organization=place.organization,
                details={"page": page, "kind": str(row._meta.verbose_name)},
            )


def at_list(actor: User, kind: str, rows: Iterable[Model]) -> None:
    """Record a list of rows of one `kind` ("AI LLMs"): once for every workspace or organization that has rows in it."""
    seen: dict[UUID, tuple[Place, int]] = {}
    for row in rows:
        place = whose(row)
        owner = place.workspace or place.organization
        if owner is not None:
            seen[owner.pk] = (place, seen.get(owner.pk, (place, 0))[1] + 1)
    # In one order for everybody, because every chain is held until the end; see workspaces.chain.
    new = [seen[pk] for pk in sorted(seen) if _first_time(actor, kind, str(pk))]
    with transaction.atomic(), admin_site(), events.gathered():
        for place, number in new:
            owner = place.workspace or place.organization
            details = {"page": "list", "kind": kind, "rows": number}
            events.record(
                actor, ACTION, owner, workspace=place.workspace, organization=place.organization, details=details
            )


def whose(row: Model) -> Place:
    """Return whose a row of the admin site is."""
    match row:
        case Workspace():
            return Place(row, None)
        case Organization():
            return Place(None, row)
        case Event():
            return _of_event(row)
        case User():
            return Place(None, row.organization)
    holders = (row, getattr(row, "ai_llm", None), getattr(row, "repository", None))
    owners = (getattr(holder, "workspace", None) for holder in holders)
    return Place(next((owner for owner in owners if isinstance(owner, Workspace)), None), None)


def _of_event(event: Event) -> Place:
    workspace = Workspace(pk=event.workspace_id, name=event.workspace_label) if event.workspace_id else None
    organization = Organization(pk=event.organization_id) if event.organization_id else None
    if workspace is not None and event.organization_id:
        workspace.organization_id = event.organization_id
    return Place(workspace, organization)


def admin_site() -> AbstractContextManager[sources.Source]:
    """Let what happens inside be recorded as done by staff in the admin site, whatever role they have there."""
    return sources.using(kind=ActorKind.STAFF, via="admin site")


def _first_time(actor: User, page: str, what: str) -> bool:
    return bool(cache.add(f"looked:{actor.pk}:{page.replace(' ', '-')}:{what}", 1, timeout=EVERY))
