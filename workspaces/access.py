"""Every permission rule there is: `visible_to` of a queryset answers what exists, `require` what one may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from django.db import models

from flashback.errors import Denied

if TYPE_CHECKING:
    from uuid import UUID

    from workspaces.models import User, UserQuerySet, Workspace

NAMED = 3  # so many people are named in a sentence
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
    held = of(actor, workspace)
    if (held or 0) >= needed or (support and supports(actor, support)):
        return
    # Names are for those who see the workspace.
    who = named(managing(workspace)) if held else ""
    can = f"{who} can grant it." if who else "An ADMIN of the workspace or an administrator can grant it."
    raise Denied(f"This needs the role {needed.name} in the workspace {workspace.name}. {can}", needed=needed.name)


def require_organization(actor: User, needed: OrganizationRole) -> None:
    """Raise `Denied` unless `actor` has at least the organization role `needed`, and came without an API token."""
    if actor.limits is not None:
        raise Denied(TOKENS_MAY_NOT)
    if actor.is_active and actor.organization_id is not None and actor.organization_role >= needed:
        return
    who = named(granting(actor, needed)) if actor.is_active and actor.organization else ""
    can = f"{who} can grant it." if who else "An owner of your organization can grant it."
    raise Denied(f"This needs the organization role {needed.label}. {can}", needed=needed.label)


def require_rank(actor: User, person: User) -> None:
    """Raise `Denied` unless `actor` manages people, and `person` is of their organization and not above them."""
    require_organization(actor, OrganizationRole.WORKSPACES)
    if person.organization_id != actor.organization_id:
        raise Denied("You can manage people of your own organization only.")
    if person.organization_role > actor.organization_role:
        role = OrganizationRole(person.organization_role)
        raise Denied(
            f"{person.label} has the organization role {role.label}, which is above yours. {_who(actor, role)}",
            needed=role.label,
        )


def require_grant(actor: User, role: OrganizationRole) -> None:
    """Raise `Denied` unless `actor` may give the organization role `role`: nobody gives more than they have."""
    require_organization(actor, OrganizationRole.WORKSPACES)
    if role > actor.organization_role:
        own = OrganizationRole(actor.organization_role).label
        raise Denied(
            f"You have the organization role {own} and cannot give {role.label}. {_who(actor, role)}", needed=role.label
        )


def managing(workspace: Workspace) -> UserQuerySet:
    """Return who can give roles in `workspace`: its ADMINs, and who administers the organization, by name."""
    admins = workspace.memberships.filter(role=Access.ADMIN.name).values("user")
    people = workspace.organization.people.active()
    return people.filter(
        models.Q(pk__in=admins) | models.Q(organization_role__gte=OrganizationRole.ADMINISTRATOR)
    ).by_label()


def granting(actor: User, role: OrganizationRole) -> UserQuerySet:
    """Return who can give `role` in the organization of `actor`, which must be in one, by name."""
    organization = actor.organization
    assert organization is not None  # noqa: S101 - as the docstring has it
    return organization.people.active().with_role(max(role, OrganizationRole.WORKSPACES)).by_label()


def named(people: UserQuerySet) -> str:
    """Return the first people's names as a sentence begins with them: "Ada, Otto and 3 more"; "" for nobody."""
    labels = [person.label for person in people[: NAMED + 1]]
    if len(labels) > NAMED:
        return f"{', '.join(labels[:NAMED])} and {people.count() - NAMED} more"
    return " or ".join(filter(None, [", ".join(labels[:-1]), *labels[-1:]]))


def _who(actor: User, role: OrganizationRole) -> str:
    who = named(granting(actor, role))
    return f"{who} can do it." if who else "Nobody in your organization can do it."
