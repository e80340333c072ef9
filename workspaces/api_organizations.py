"""Organizations and their people over the API. Their verbs are those of the console's pages."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Router

from flashback import mail
from flashback.errors import Conflict, Invalid, NotFound
from flashback.schemas import Success, naming
from workspaces import access, bearer, events, invitations, organizations, people, second_factor
from workspaces.access import OrganizationRole
from workspaces.account_models import SecondFactorPolicy
from workspaces.api_people_schemas import (
    NewOrgUser,
    OrganizationAnswer,
    OrganizationChange,
    OrganizationRow,
    OrgUser,
    OrgUserAnswer,
    OrgUserChange,
    OrgUsers,
)
from workspaces.api_schemas import roles_up_to
from workspaces.invitation_models import InvitationState
from workspaces.models import Event, Organization, User, UserQuerySet

router = Router(tags=["Organization"])
LEAVING = ("person.deactivated", "person.standing_changed")
NOBODY = "User not found"


@router.get("/organization/users", response=OrgUsers)
def list_organization_users(request: HttpRequest) -> OrgUsers:
    """List the people of my organization.

    Needs the organization role WORKSPACES or more. Deactivated people are listed too, with `deletedAt`.
    """
    actor = bearer.caller(request).person
    access.require_organization(actor, OrganizationRole.WORKSPACES)
    persons = list(_all(actor).by_label())
    left = _left_at(persons)
    return OrgUsers(data=[_row(person, left.get(str(person.pk))) for person in persons], total=len(persons))


@router.post("/organization/users", response=OrgUserAnswer)
def create_organization_user(request: HttpRequest, body: NewOrgUser) -> OrgUserAnswer:
    """Create an account in my organization.

    Needs the organization role WORKSPACES or more, within 10 minutes of signing in, and nobody gives a role above their
    own. With `sendInvite`, the person gets a mail with a link that is good for seven days; otherwise a password is
    needed.
    """
    caller = bearer.caller(request)
    actor = caller.person
    access.require_organization(actor, OrganizationRole.WORKSPACES)
    caller.require_recent("create accounts")
    if body.auth_method not in {None, "LOCAL"}:
        raise Invalid({"authMethod": "Only LOCAL is possible here."})
    if not body.send_invite and body.password is None:
        raise Invalid({"password": "Enter a first password, or ask for an invitation with sendInvite."})
    with naming(name="firstName", last_name="lastName", role="orgRole"):
        made = people.create(
            actor,
            email=body.email,
            name=body.first_name,
            last_name=body.last_name,
            role=body.org_role,
            password=None if body.send_invite else body.password,
        )
    message = "The account is there."
    if body.send_invite:
        mailed = invitations.create(actor, email=made.email, person=made, by_mail=True).mailed
        message = _sent(mailed, "The account is there")
    return OrgUserAnswer(data=_shown(actor, made.pk), message=message)


@router.get("/organization/users/{uuid:user_id}", response=OrgUser)
def show_organization_user(request: HttpRequest, user_id: UUID) -> OrgUser:
    """Show somebody of my organization, without an envelope around.

    Needs the organization role WORKSPACES or more, except for oneself.
    """
    actor = bearer.caller(request).person
    if user_id != actor.pk:
        access.require_organization(actor, OrganizationRole.WORKSPACES)
    return _shown(actor, user_id)


@router.put("/organization/users/{uuid:user_id}", response=OrgUserAnswer)
def update_organization_user(request: HttpRequest, user_id: UUID, body: OrgUserChange) -> OrgUserAnswer:
    """Change name or role of somebody of my organization.

    Needs the organization role WORKSPACES or more, for people who are not above oneself; a role within 10 minutes of
    signing in. All of it happens or nothing.
    """
    caller = bearer.caller(request)
    actor, person = caller.person, _managed(caller.person, user_id)
    if body.org_role not in {None, person.organization_role}:
        caller.require_recent("change roles")
    with naming(last_name="lastName", role="orgRole"), transaction.atomic(), events.gathered():
        if body.name is not None or body.last_name is not None:
            people.update(actor, person, name=body.name, last_name=body.last_name)
        if body.org_role is not None:
            people.set_role(actor, person, role=body.org_role)
    return OrgUserAnswer(data=_shown(actor, user_id), message="Saved.")


@router.delete("/organization/users/{uuid:user_id}", response=Success)
def deactivate_organization_user(request: HttpRequest, user_id: UUID) -> Success:
    """Deactivate somebody of my organization: sessions and tokens end at once.

    The account stays, and `activate` brings it back with its memberships. Possible within 10 minutes of signing in.
    """
    caller = bearer.caller(request)
    person = _managed(caller.person, user_id)
    caller.require_recent("deactivate people")
    people.deactivate(caller.person, person)
    return Success(message="The account is deactivated.")


@router.post("/organization/users/{uuid:user_id}/activate", response=Success)
def activate_organization_user(request: HttpRequest, user_id: UUID) -> Success:
    """Let a deactivated person in again, with the role and the memberships they had.

    Possible within 10 minutes of signing in.
    """
    caller = bearer.caller(request)
    person = _managed(caller.person, user_id)
    caller.require_recent("let people in again")
    people.reactivate(caller.person, person)
    return Success(message="The account is active.")


@router.post("/organization/users/{uuid:user_id}/resend-invitation", response=Success)
def resend_invitation(request: HttpRequest, user_id: UUID) -> Success:
    """Mail somebody who has no password yet a new link; the old one dies."""
    actor = bearer.caller(request).person
    person = _managed(actor, user_id)
    if person.has_usable_password():
        raise Conflict(f"{person.label} has a password already, and signs in with it.")
    last = person.invitations.order_by("-created_at").first()
    if last is not None and last.state in {InvitationState.OPEN, InvitationState.EXPIRED}:
        made = invitations.resend(actor, last, by_mail=True)
    else:
        made = invitations.create(actor, email=person.email, person=person, by_mail=True)
    return Success(message=_sent(made.mailed, "There is a new link"))


@router.get("/organization/{uuid:org_id}", response=OrganizationAnswer)
def show_organization(request: HttpRequest, org_id: UUID) -> OrganizationAnswer:
    """Show the profile of my organization."""
    found = _organization(bearer.caller(request).person, org_id)
    return OrganizationAnswer(data=_profile(found), message="This is your organization.")


@router.put("/organization/{uuid:org_id}", response=OrganizationAnswer)
def update_organization(request: HttpRequest, org_id: UUID, body: OrganizationChange) -> OrganizationAnswer:
    """Change the profile of my organization; what is absent stays.

    Needs the organization role ADMINISTRATOR or OWNER. Who needs a second factor is changed within 10 minutes of
    signing in.
    """
    caller = bearer.caller(request)
    actor, row = caller.person, _organization(caller.person, org_id)
    given: dict[str, Any] = {name: "" if value is None else value for name, value in body.given().items()}
    given.pop("mfa_enforced", None)
    given.pop("second_factor", None)
    if body.is_business is None:
        given.pop("is_business", None)
    with transaction.atomic(), events.gathered():
        row = organizations.update(actor, row, **given)
        wanted = _policy(body, row)
        if wanted != row.second_factor:
            caller.require_recent("change who needs a second factor")
            row = second_factor.set_policy(actor, wanted)
    return OrganizationAnswer(data=_profile(row), message="Saved.")


def _organization(actor: User, org_id: UUID) -> Organization:
    found = Organization.objects.visible_to(actor).filter(pk=org_id).first()
    if found is None:
        raise NotFound("Organization not found")
    return found


def _all(actor: User) -> UserQuerySet:
    if actor.organization_id is None:
        return User.objects.none()
    return User.objects.filter(organization=actor.organization_id)


def _found(actor: User, user_id: UUID) -> User:
    person = _all(actor).select_related("organization").filter(pk=user_id).first()
    if person is None:
        raise NotFound(NOBODY)
    return person


def _managed(actor: User, user_id: UUID) -> User:
    access.require_organization(actor, OrganizationRole.WORKSPACES)
    return _found(actor, user_id)


def _sent(mailed: bool, otherwise: str) -> str:
    if mailed:
        return "The invitation is on its way."
    if mail.delivers():
        return f"{otherwise}, but the mail could not be sent."
    return f"{otherwise}. No mail server is configured: the link is printed in the server's terminal."


def _shown(actor: User, user_id: UUID) -> OrgUser:
    person = _found(actor, user_id)
    return _row(person, _left_at([person]).get(str(person.pk)))


def _left_at(persons: list[User]) -> dict[str, datetime]:
    # One query, and none when all are active.
    gone = [str(person.pk) for person in persons if not person.is_active]
    if not gone:
        return {}
    rows = Event.objects.filter(object_id__in=gone, action__in=LEAVING).order_by("id").values_list("object_id", "at")
    return dict(rows)


def _row(person: User, left: datetime | None = None) -> OrgUser:
    role = OrganizationRole(person.organization_role)
    return OrgUser(
        id=person.pk,
        email=person.email,
        name=person.name,
        last_name=person.last_name,
        org_id=person.organization_id,
        org_role=role.value,
        validated=person.is_active and person.has_usable_password(),
        deleted_at=None if person.is_active else (left or person.joined_at),
        org_role_description=role.name,
        org_roles=roles_up_to(role),
    )


def _profile(row: Organization) -> OrganizationRow:
    return OrganizationRow(
        **{field: getattr(row, field) for field in ("id", "name", "is_business", *organizations.PROFILE)},
        repos_disabled=False,
        mfa_enforced=_enforced(row),
        second_factor=row.second_factor,
    )


def _policy(body: OrganizationChange, row: Organization) -> str:
    """Return who is to need a second factor: as asked for, or as it is."""
    if body.second_factor is not None:
        return body.second_factor
    if body.mfa_enforced in {None, _enforced(row)}:
        return row.second_factor
    return (SecondFactorPolicy.EVERYONE if body.mfa_enforced else SecondFactorPolicy.OFF).value


def _enforced(row: Organization) -> bool:
    return row.second_factor != SecondFactorPolicy.OFF
