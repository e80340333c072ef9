"""Every permission rule there is: `visible_to` of a queryset answers what exists, `require` what one may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from django.db import models

from flashback.errors import Denied

if TYPE_CHECKING:
    from uuid import UUID

    from workspaces.models import User, Workspace

TOKENS_MAY_NOT = "An API token cannot do this: it reaches no people, members, tokens, audit and settings. Sign in."


class OrganizationRole(models.IntegerChoices):
    """A person's role in their organization; the numbers are those of the public API and order the rights."""

    USER = 0, "User"
    BILLING = 1, "Billing"
    WORKSPACES = 2, "Workspaces"
    ADMINISTRATOR = 254, "Administrator"
    OWNER = 255, "Owner"


class Access(IntEnum):
    """What a person may do in a workspace; each includes the ones below."""

    READ = 1
    WRITE = 2
    ADMIN = 3

    @classmethod
    def role_choices(cls) -> list[tuple[str, str]]:
        """The three as (stored value, label) for a model field or a form."""
        return [(access.name, access.name) for access in cls]


@dataclass(frozen=True)
class Limits:
    """What an API token leaves of its person's rights: at most `most`, and in `workspace` alone unless that is None."""

    most: Access
    workspace: UUID | None = None


def of(actor: User, workspace: Workspace) -> Access | None:
    """Return what `actor` may do in `workspace`, None when it does not exist for them. Never cached."""
    if not actor.is_active or actor.organization_id is None or actor.organization_id != workspace.organization_id:
        return None
    limits = actor.limits
    if limits is not None and limits.workspace not in {None, workspace.pk}:
        return None
    if actor.organization_role >= OrganizationRole.ADMINISTRATOR:
        found = Access.ADMIN
    else:
        role = workspace.memberships.filter(user=actor).values_list("role", flat=True).first()
        if not role:
            return None
        found = Access[role]
    return found if limits is None else min(found, limits.most)


def supports(actor: User, permission: str) -> bool:
    """Return whether `actor` is staff with this permission ("ai_llm.validate_aillm"), which holds in every workspace.

    The group Support brings it. It makes nothing visible in the console: staff work in the admin site, on the record.
    """
    return actor.limits is None and actor.is_active and actor.is_staff and actor.has_perm(permission)


def require(actor: User, workspace: Workspace, needed: Access, *, support: str = "") -> None:
    """Raise `Denied` unless `actor` has `needed` in `workspace`. The first line of every verb.

    A verb that support staff may use too names the permission for it, see `supports`.
    """
    if (of(actor, workspace) or 0) < needed and not (support and supports(actor, support)):
        raise Denied(
            f"This needs the role {needed.name} in the workspace {workspace.name}. "
            "An ADMIN of the workspace or an administrator of your organization can grant it.",
            needed=needed.name,
        )


def require_organization(actor: User, needed: OrganizationRole) -> None:
    """Raise `Denied` unless `actor` has at least the organization role `needed`, and came without an API token."""
    if actor.limits is not None:
        raise Denied(TOKENS_MAY_NOT)
    if not actor.is_active or actor.organization_id is None or actor.organization_role < needed:
        raise Denied(
            f"This needs the organization role {needed.label}. An owner of your organization can grant it.",
            needed=needed.label,
        )
