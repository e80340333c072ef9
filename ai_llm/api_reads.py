"""Reads for the API's list of AI LLMs. The usual ones are put together once: everything, or all of a workspace."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from ai_llm.api_shown import COLUMNS
from ai_llm.listing import NUMBER, ORDERS
from ai_llm.models import AiLlm
from flashback.prepared import prepared
from workspaces.access import OrganizationRole
from workspaces.models import User, Workspace


def visible(actor: User, workspace: UUID | None = None) -> "QuerySet[AiLlm]":
    """Return the AI LLMs that exist for `actor`, or those of one workspace."""
    rows: QuerySet[AiLlm] = AiLlm.objects.visible_to(actor)
    return rows if workspace is None else rows.filter(workspace=workspace)


def page(
    actor: User, workspace: UUID | None, *, order: str, start: int, stop: int | None
) -> tuple[list[Sequence[Any]], int]:
    """Return the rows `start` to `stop` of `visible` as `COLUMNS`, and how many rows there are."""
    values, shape = _reach(actor, workspace)
    if not values:
        return [], 0
    if start:  # there are as many of these as pages, so that none of them is kept
        rows = list(ordered(visible(actor, workspace), order).values_list(*COLUMNS)[start:stop])
    else:
        rows = _first(*values, **shape, order=order, stop=stop)
    whole = start == 0 and (stop is None or len(rows) < stop)
    return rows, len(rows) if whole else sum(number for (number,) in _numbers(*values, **shape))


def found(actor: User, id: UUID) -> AiLlm | None:
    """Return the AI LLM with this id, with its workspace, organization and credential, when it exists for `actor`."""
    values, shape = _reach(actor)
    return next(iter(_found(*values, id, **shape)), None) if values else None


@prepared
def _found(*values: UUID, **shape: bool) -> "QuerySet[AiLlm]":
    rows = _reached(values[:-1], **shape).select_related("workspace__organization", "credential")
    return rows.filter(pk=values[-1])


@prepared
def _first(*values: UUID, order: str, stop: int | None, **shape: bool) -> "QuerySet[AiLlm, Any]":
    return ordered(_reached(values, **shape), order).values_list(*COLUMNS)[:stop]


@prepared
def _numbers(*values: UUID, manages: bool, narrow: bool) -> "QuerySet[Workspace, Any]":
    # One count for each workspace: an index answers it, unless it is joined or grouped.
    inside = AiLlm.objects.filter(workspace=OuterRef("pk"), deleted_at=None).order_by()
    number = Subquery(inside.values(number=NUMBER))
    workspaces = Workspace.objects.visible_to(_person(values, manages=manages))
    reached = workspaces.filter(pk=values[-1]) if narrow else workspaces
    return reached.annotate(number=number).values_list("number")


def ordered(rows: "QuerySet[AiLlm]", order: str) -> "QuerySet[AiLlm]":
    """Return `rows` in an order of `ORDERS`, those that are equal in it always the same way."""
    return rows.order_by(ORDERS[order], "pk")


def _reach(actor: User, workspace: UUID | None = None) -> tuple[list[UUID], dict[str, bool]]:
    """Return what `_reached` takes for `actor`, in all workspaces or in one; no values where there is nothing."""
    limit = actor.limits.workspace if actor.limits is not None else None
    if not actor.is_active or actor.organization_id is None or (limit and workspace and limit != workspace):
        return [], {}
    manages = actor.organization_role >= OrganizationRole.ADMINISTRATOR
    narrow = workspace or limit
    values = [actor.organization_id, *([] if manages else [actor.pk]), *([narrow] if narrow else [])]
    return values, {"manages": manages, "narrow": narrow is not None}


def _reached(values: tuple[UUID, ...], *, manages: bool, narrow: bool) -> "QuerySet[AiLlm]":
    return visible(_person(values, manages=manages), values[-1] if narrow else None)


def _person(values: tuple[UUID, ...], *, manages: bool) -> User:
    """Return somebody of whom the organization is known and, unless they manage all of it, the id."""
    role = OrganizationRole.ADMINISTRATOR if manages else OrganizationRole.USER
    return User(pk=None if manages else values[1], organization_id=values[0], organization_role=role)
