"""One person's account and role over the API."""

from uuid import UUID

from allauth.account.adapter import get_adapter
from django.db import transaction
from django.http import HttpRequest
from ninja import Router

from flashback.errors import Denied, Invalid, NotFound
from flashback.schemas import Success, naming
from workspaces import access, bearer, events, organizations, people
from workspaces.access import OrganizationRole
from workspaces.api_people_schemas import (
    ChangedRole,
    ChangedRoleAnswer,
    RoleChange,
    UserChange,
    UserRole,
    UserRoleAnswer,
)
from workspaces.api_schemas import roles_up_to
from workspaces.models import User

router = Router(tags=["Users"])
NOBODY = "User not found"


@router.get("/user/{uuid:user_id}", response=UserRoleAnswer)
def show_user_role(request: HttpRequest, user_id: UUID) -> UserRoleAnswer:
    """Show the role of somebody of my organization whom I can see."""
    person = _seen(bearer.caller(request).person, user_id)
    role = OrganizationRole(person.organization_role)
    data = UserRole(user_id=person.pk, org_role=role.value, org_role_description=role.name, org_roles=roles_up_to(role))
    return UserRoleAnswer(data=data)


@router.put("/user/{uuid:user_id}", response=Success)
def update_user(request: HttpRequest, user_id: UUID, body: UserChange) -> Success:
    """Change what somebody is called, or my own password.

    A new password is taken within 10 minutes of signing in. It ends all other sign-ins, and this one too: sign in again
    with it.
    """
    caller = bearer.caller(request)
    person = _seen(caller.person, user_id)
    if body.password is not None:
        _require_own(caller, person)
        if wrong := organizations.wrong_password(body.password, person.email, person.name, person.last_name):
            raise Invalid(wrong)
    with naming(last_name="lastName"), transaction.atomic(), events.gathered():
        if body.name is not None or body.last_name is not None:
            person = people.update(caller.person, person, name=body.name, last_name=body.last_name)
        if body.password is not None:
            get_adapter(request).set_password(person, body.password)
    return Success(message="Saved.")


@router.put("/user/{uuid:user_id}/role", response=ChangedRoleAnswer)
def change_user_role(request: HttpRequest, user_id: UUID, body: RoleChange) -> ChangedRoleAnswer:
    """Give somebody of my organization another role, good from their next request on.

    Needs the organization role WORKSPACES or more, within 10 minutes of signing in. Nobody gives a role above their
    own.
    """
    caller = bearer.caller(request)
    actor, person = caller.person, _seen(caller.person, user_id)
    access.require_organization(actor, OrganizationRole.WORKSPACES)
    caller.require_recent("change roles")
    was = person.organization_role
    with naming(role="orgRole"):
        row = people.set_role(actor, person, role=body.org_role)
    now = OrganizationRole(row.organization_role)
    message = f"{row.label} has the role {now.name} now."
    return ChangedRoleAnswer(data=ChangedRole(user_id=row.pk, previous_role=was, new_role=now.value, message=message))


def _seen(actor: User, user_id: UUID) -> User:
    person = User.objects.visible_to(actor).filter(pk=user_id).first()
    if person is None:
        raise NotFound(NOBODY)
    return person


def _require_own(caller: bearer.Caller, person: User) -> None:
    if person.pk != caller.person.pk:
        raise Denied("You can change your own password only. Others reset theirs by mail.")
    caller.require_recent("change your password")
