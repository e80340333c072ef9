"""The verbs on members: who belongs to a workspace, and what they may do there. Nothing is cached anywhere."""

from django.db import transaction

from flashback.errors import Conflict, Denied, Invalid
from workspaces import access, events, spaces, tokens
from workspaces.access import Access, OrganizationRole
from workspaces.models import Membership, User, UserQuerySet, Workspace

UNKNOWN = (
    "Nobody in your organization has this e-mail address. Who has the organization role Workspaces, "
    "or a higher one, can invite new people."
)
ONESELF = "You cannot give yourself a role. Another ADMIN, or an administrator of your organization, can do it."


def add(actor: User, workspace: Workspace, person: User, *, role: str) -> Membership:
    """Make an active person of the organization a member with the role READ, WRITE or ADMIN. Records `member.added`.

    Raises `Denied` below ADMIN and for oneself, and `Invalid` for the field `person` (of another organization, not
    active, a member already) or `role`.
    """
    access.require(actor, workspace, Access.ADMIN)
    wanted = _clean(role)
    if person.pk == actor.pk:
        raise Denied(ONESELF)
    with transaction.atomic():
        row = spaces.lock(actor, workspace)
        person = _of_organization(row, person)
        membership = Membership.objects.create(workspace=row, user=person, role=wanted.name)
        events.record(actor, "member.added", person, workspace=row, details={"role": wanted.name})
    return membership


def change_role(actor: User, workspace: Workspace, person: User, *, role: str) -> Membership:
    """Give a member another role, good from their next request on. Records `member.role_changed` with old and new.

    The same role again changes and records nothing. Raises `Denied` below ADMIN and for raising one's own role,
    `Invalid` for the field `role` (unknown, or the last ADMIN), `Conflict` for somebody who is no member any more.
    """
    access.require(actor, workspace, Access.ADMIN)
    wanted = _clean(role)
    with transaction.atomic():
        row = spaces.lock(actor, workspace)
        membership = _held(row, person)
        was = Access[membership.role]
        if wanted == was:
            return membership
        if person.pk == actor.pk and wanted > was:
            raise Denied(ONESELF)
        _keep_an_admin(row, membership)
        membership.role = wanted.name
        membership.save(update_fields=["role"])
        details = {"role": [was.name, wanted.name]}
        events.record(actor, "member.role_changed", membership.user, workspace=row, details=details)
    return membership


def remove(actor: User, workspace: Workspace, person: User) -> None:
    """End a membership, also one's own, from their next request on. Records `member.removed` with the role they had.

    Their API tokens of this workspace end for good, unless they administer the organization.
    Raises `Denied` below ADMIN, `Invalid` for the field `role` when it is the last ADMIN, and `Conflict` for somebody
    who is no member any more.
    """
    access.require(actor, workspace, Access.ADMIN)
    with transaction.atomic():
        row = spaces.lock(actor, workspace)
        membership = _held(row, person)
        _keep_an_admin(row, membership)
        membership.delete()
        events.record(actor, "member.removed", membership.user, workspace=row, details={"role": membership.role})
        tokens.end_lost(actor, membership.user)


def by_email(actor: User, email: str) -> User:
    """Return the person of `actor`'s organization with this e-mail address, in any case.

    Raises `Invalid` for the field `email`; people of other organizations and nobody at all read the same.
    """
    email = email.strip().lower()
    if email == actor.email:
        raise Invalid({"email": ONESELF})
    # PostgreSQL refuses a NUL before it looks.
    found = User.objects.filter(organization=actor.organization_id, email=email) if "\0" not in email else None
    person = found.first() if found is not None else None
    if person is None:
        raise Invalid({"email": UNKNOWN})
    return person


def candidates(actor: User, workspace: Workspace) -> UserQuerySet:
    """Return whom `actor` can add: the active people of the organization who are no members yet, in order of names."""
    active = User.objects.active().filter(organization=workspace.organization_id)
    return active.exclude(memberships__workspace=workspace).exclude(pk=actor.pk).by_label()


def administrators(workspace: Workspace) -> UserQuerySet:
    """Return who counts as ADMIN without being a member: the organization's owners and administrators."""
    active = User.objects.active().filter(organization=workspace.organization_id)
    return active.with_role(OrganizationRole.ADMINISTRATOR).by_label()


def _clean(role: str) -> Access:
    if role not in Access.__members__:
        raise Invalid({"role": f"Choose one of the roles: {', '.join(Access.__members__)}."})
    return Access[role]


def _of_organization(workspace: Workspace, person: User) -> User:
    found = User.objects.filter(pk=person.pk, organization=workspace.organization_id).first()
    if found is None:
        raise Invalid({"person": UNKNOWN})
    if not found.is_active:
        raise Invalid({"person": f"The account of {found.label} is not active, so it cannot be a member."})
    held = workspace.memberships.filter(user=found).first()
    if held is not None:
        raise Invalid({"person": f"{found.label} is a member already, with the role {held.role}."})
    return found


def _held(workspace: Workspace, person: User) -> Membership:
    membership = workspace.memberships.select_related("user").filter(user=person).first()
    if membership is None:
        raise Conflict(f"{person.label} is no member of {workspace.name} any more.")
    return membership


def _keep_an_admin(workspace: Workspace, membership: Membership) -> None:
    others = workspace.memberships.active().exclude(pk=membership.pk)
    if membership.role != Access.ADMIN.name or others.filter(role=Access.ADMIN.name).exists():
        return
    raise Invalid(
        {
            "role": f"{membership.user.label} is the last ADMIN of {workspace.name}, and a workspace keeps at least "
            f"one. Give somebody else the role ADMIN first. {_who_else(workspace)}"
        }
    )


def _who_else(workspace: Workspace) -> str:
    who = access.named(administrators(workspace))
    can = "Owners and administrators of your organization can do that too"
    return f"{can}: {who}." if who else f"{can}."
