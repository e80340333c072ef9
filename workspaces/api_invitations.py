"""Invitations over the API: the links by which people get an account. Their verbs are those of the console's pages."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from flashback.errors import NotFound
from flashback.schemas import EXAMPLE_ID, EXAMPLE_MOMENT, Answer, Filters, Id, Input, Output, Success, is_none, naming
from workspaces import access, bearer, events, invitations, organizations
from workspaces.access import OrganizationRole
from workspaces.api_schemas import ROLE
from workspaces.api_workspace_schemas import ROLE_HERE, Role
from workspaces.invitation_models import Invitation
from workspaces.models import User, Workspace

router = Router(tags=["Organization"])
EXAMPLE_LINK = "https://flashback.example.com/invitation/fbi_…"
NO_WORKSPACE = "There is no such workspace that you can see."
NOBODY = "User not found"
HANDED_OVER = "The link is shown this once. Hand it over yourself."


class Promise(Input):
    """A workspace that comes with an invitation."""

    workspace_id: Id = Field(description="Id of the workspace.", examples=[EXAMPLE_ID])
    role: Role = Field(description=ROLE_HERE, examples=["WRITE"])


class NewInvitation(Input):
    """Somebody to invite."""

    email: str = Field(description="E-mail address.", max_length=254, examples=["bob@example.com"])
    org_role: int = Field(default=0, description=ROLE, examples=[0])
    workspaces: list[Promise] = Field(
        default_factory=list,
        max_length=500,
        description="Workspaces that the person will be a member of.",
        examples=[[{"workspaceId": EXAMPLE_ID, "role": "WRITE"}]],
    )
    by_mail: bool = Field(default=False, description="Whether to mail the link.", examples=[False])


class Resending(Input):
    """How a new link is handed over."""

    by_mail: bool = Field(default=False, description="Whether to mail the link.", examples=[False])


class PromiseRow(Output):
    """A workspace that comes with an invitation."""

    workspace_id: UUID = Field(description="Id of the workspace.", examples=[EXAMPLE_ID])
    name: str = Field(description="Its name.", examples=["Production"])
    role: str = Field(description=ROLE_HERE, examples=["WRITE"])


class InvitationRow(Output):
    """An invitation. Its link is not here: it was shown or mailed, once."""

    id: UUID = Field(description="Id of the invitation.", examples=[EXAMPLE_ID])
    email: str = Field(description="Whom it is for.", examples=["bob@example.com"])
    org_role: int = Field(description=ROLE, examples=[0])
    workspaces: list[PromiseRow] = Field(description="Workspaces that come with it.")
    state: str = Field(description="open, accepted, withdrawn or expired.", examples=["open"])
    user_id: UUID | None = Field(description="The account; null until it is accepted.", examples=[None])
    invited_by: UUID | None = Field(description="Who invited; null when they left.", examples=[EXAMPLE_ID])
    by_mail: bool = Field(description="Whether the link was mailed.", examples=[False])
    created_at: datetime = Field(description="When it was made.", examples=[EXAMPLE_MOMENT])
    expires_at: datetime = Field(description="Until when the link works.", examples=[EXAMPLE_MOMENT])


class InvitationMade(Success):
    """A new link. It is never shown again."""

    invitation: InvitationRow = Field(description="The invitation.")
    link: str | None = Field(
        default=None, exclude_if=is_none, description="The link; absent when it was mailed.", examples=[EXAMPLE_LINK]
    )


class InvitationShown(Answer):
    """One invitation."""

    invitation: InvitationRow = Field(description="The invitation.")


class InvitationList(Answer):
    """Invitations, the newest first."""

    invitations: list[InvitationRow] = Field(description="The invitations.")
    total: int = Field(description="How many there are without skip and take.", examples=[1])


class InvitationFilters(Filters):
    """Which invitations are asked for."""

    state: Literal["open", "accepted", "withdrawn", "expired"] | None = Field(
        default=None, description="Only those in this state.", examples=["open"]
    )
    skip: int = Field(default=0, ge=0, le=1_000_000, description="How many to leave out.", examples=[0])
    take: int = Field(default=50, ge=1, le=100, description="How many to answer at most.", examples=[50])


@router.get("/organization/invitations", response=InvitationList)
def list_invitations(request: HttpRequest, query: Query[InvitationFilters]) -> InvitationList:
    """List the invitations of my organization, the newest first.

    Needs the organization role WORKSPACES or more, like all that is about invitations.
    """
    actor = _manager(request)
    rows = Invitation.objects.visible_to(actor)
    if query.state is not None:
        rows = rows.in_state(query.state)
    rows = rows.prefetch_related("promised__workspace").order_by("-created_at", "-pk")
    page = rows[query.skip : query.skip + query.take]
    return InvitationList(invitations=[_row(one) for one in page], total=rows.count())


@router.post("/organization/invitations", response=InvitationMade)
def create_invitation(request: HttpRequest, body: NewInvitation) -> InvitationMade:
    """Invite somebody, by a link that works once and for seven days.

    Nobody gives a role above their own, or in a workspace that they are no ADMIN of. An open invitation to the same
    address is withdrawn for the new one. Unless the link is mailed, it is in the answer, this once. Possible within 10
    minutes of signing in.
    """
    actor = _manager(request)
    bearer.caller(request).require_recent("invite people")
    wanted = {one.workspace_id: one.role for one in body.workspaces}
    found = Workspace.objects.visible_to(actor).select_related("organization").filter(pk__in=wanted)
    promised = {row: wanted[row.pk] for row in found}
    if len(promised) != len(wanted):
        raise NotFound(NO_WORKSPACE)
    with naming(role="orgRole"):
        made = invitations.create(
            actor, email=body.email, role=body.org_role, workspaces=promised, by_mail=body.by_mail
        )
    return _made(made)


@router.get("/organization/invitations/{uuid:id}", response=InvitationShown)
def show_invitation(request: HttpRequest, id: UUID) -> InvitationShown:
    """Show one invitation, and what became of it."""
    return InvitationShown(invitation=_row(invitations.of(_manager(request), id)))


@router.post("/organization/invitations/{uuid:id}/resend", response=InvitationMade)
def renew_invitation(request: HttpRequest, id: UUID, body: Resending | None = None) -> InvitationMade:
    """Make a new link for an open or expired invitation, good for seven days from now.

    The old link dies. 409 when the invitation was accepted or withdrawn.
    """
    actor = _manager(request)
    return _made(invitations.resend(actor, invitations.of(actor, id), by_mail=bool(body and body.by_mail)))


@router.post("/organization/invitations/{uuid:id}/withdraw", response=Success)
def withdraw_invitation(request: HttpRequest, id: UUID) -> Success:
    """Withdraw an invitation: its link does nothing any more.

    It stays in the list. 409 when it was accepted.
    """
    actor = _manager(request)
    row = invitations.withdraw(actor, invitations.of(actor, id))
    return Success(message=f"The invitation of {row.email} is withdrawn. Its link does nothing any more.")


@router.post("/organization/users/{uuid:user_id}/ownership", response=Success)
def transfer_ownership(request: HttpRequest, user_id: UUID) -> Success:
    """Make somebody an owner in my place; I become an administrator.

    Only an owner can, within 10 minutes of signing in.
    """
    caller = bearer.caller(request)
    access.require_organization(caller.person, OrganizationRole.OWNER)
    person = User.objects.filter(organization=caller.person.organization_id, pk=user_id).first()
    if person is None:
        raise NotFound(NOBODY)
    caller.require_recent("hand over the ownership")
    with transaction.atomic(), events.gathered():
        heir = organizations.transfer_ownership(caller.person, person)
    return Success(message=f"{heir.label} is an owner now, and you are an administrator.")


def _manager(request: HttpRequest) -> User:
    actor = bearer.caller(request).person
    access.require_organization(actor, OrganizationRole.WORKSPACES)
    return actor


def _made(made: invitations.Made) -> InvitationMade:
    message = "The invitation is on its way." if made.mailed else HANDED_OVER
    return InvitationMade(invitation=_row(made.invitation), link=None if made.mailed else made.link, message=message)


def _row(row: Invitation) -> InvitationRow:
    return InvitationRow(
        id=row.pk,
        email=row.email,
        org_role=row.role,
        workspaces=[
            PromiseRow(workspace_id=one.workspace_id, name=one.workspace.name, role=one.role)
            for one in row.promised.all()
        ],
        state=row.state.value,
        user_id=row.person_id,
        invited_by=row.invited_by_id,
        by_mail=row.by_mail,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
