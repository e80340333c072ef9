"""What each role may do, in words: the page about roles shows it, and a test holds it against what every route answers.

A right names the routes of the console that need it by how their names begin; the longest beginning that fits decides,
and one with a method (`organization POST`) before one without.
"""

from dataclasses import dataclass
from typing import NamedTuple

from workspaces.access import Access, OrganizationRole

READ, WRITE, ADMIN = Access.READ, Access.WRITE, Access.ADMIN


@dataclass(frozen=True)
class Right:
    """Something that the role `needed`, and every role above it, may do."""

    words: str
    needed: Access | OrganizationRole
    routes: tuple[str, ...] = ()


IN_WORKSPACE = (
    Right(
        "See AI LLMs with their checks and hints, never a secret",
        READ,
        ("overview", "activity", "ai_llms", "ai_llm", "ai_llm_diagnostics", "provider_key"),
    ),
    Right(
        "See repositories and AI API keys, without the keys themselves",
        READ,
        ("repositories", "repository", "repository_inventory", "repository_models", "ai_api_key"),
    ),
    Right("See members, settings and what happened", READ, ("members", "workspace_settings", "audit")),
    Right(
        "Add, change, validate, rotate, disable and delete AI LLMs",
        WRITE,
        ("ai_llm_", "ai_llms_", "provider_key_"),
    ),
    Right("Create, change, disable and delete repositories, attach AI LLMs", WRITE, ("repository_", "ai_llm_attach")),
    Right("Make, change, rotate and revoke AI API keys", WRITE, ("ai_api_key_",)),
    Right("Add and remove members, and change their roles", ADMIN, ("member_",)),
    Right("See, make and revoke API tokens of the workspace", ADMIN, ("workspace_token",)),
    Right("Rename the workspace", ADMIN, ("workspace_settings POST",)),
    Right("Delete the workspace, once it is empty", ADMIN, ("workspace_delete",)),
    Right("Take the workspace's audit log out as a file", ADMIN, ("audit_export",)),
)
IN_ORGANIZATION = (
    Right(
        "See the profile, the workspaces one is a member of, and this page",
        OrganizationRole.USER,
        ("organization", "roles"),
    ),
    Right("Create workspaces, as their first ADMIN", OrganizationRole.WORKSPACES, ("workspace_new",)),
    Right("See everybody, change names and roles up to one's own", OrganizationRole.WORKSPACES, ("people", "person")),
    Right("Invite people, and withdraw invitations", OrganizationRole.WORKSPACES, ("invitations", "invitation_")),
    Right("Deactivate and reactivate people who are not above oneself", OrganizationRole.WORKSPACES),
    Right("Count as ADMIN in every workspace", OrganizationRole.ADMINISTRATOR),
    Right("Change the profile", OrganizationRole.ADMINISTRATOR, ("organization POST",)),
    Right("Say who needs a second factor", OrganizationRole.ADMINISTRATOR, ("organization_security",)),
    Right(
        "See the audit log of the whole organization, sign-ins too, and take it out as a file",
        OrganizationRole.ADMINISTRATOR,
        ("organization_audit",),
    ),
    Right("Hand the ownership over", OrganizationRole.OWNER, ("person_ownership",)),
)


class Row(NamedTuple):
    """A right, and for each role whether it is among what that role may do."""

    words: str
    allowed: list[tuple[str, bool]]


class Table(NamedTuple):
    """The rights in one place: its title, the roles from the least to the most, and the rows."""

    title: str
    roles: list[str]
    rows: list[Row]


def tables() -> list[Table]:
    """Return what the page about roles shows."""
    in_workspace = {access.name: access.value for access in Access}
    in_organization = {role.label: role.value for role in OrganizationRole}
    return [
        _table("In a workspace", in_workspace, IN_WORKSPACE),
        _table("In the organization", in_organization, IN_ORGANIZATION),
    ]


def of_route(name: str, method: str) -> Right | None:
    """Return the right that a request to this route needs, None when no role decides about it."""
    found = [
        (bool(only), len(start), right)
        for right in (*IN_WORKSPACE, *IN_ORGANIZATION)
        for start, _, only in (route.partition(" ") for route in right.routes)
        if (name.startswith(start) if start.endswith("_") or not only else name == start) and only in {"", method}
    ]
    return max(found, key=lambda one: one[:2])[2] if found else None


def _table(title: str, roles: dict[str, int], rights: tuple[Right, ...]) -> Table:
    rows = [Row(right.words, [(label, value >= right.needed) for label, value in roles.items()]) for right in rights]
    return Table(title, list(roles), rows)
