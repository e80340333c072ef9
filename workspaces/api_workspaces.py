"""Workspaces and their members over the API. Their verbs are those of the console's pages."""

from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from ninja import Router
from ninja.responses import Status

from flashback import etags
from flashback.errors import Conflict, Denied, Invalid, NotFound
from flashback.schemas import Success, naming
from workspaces import access, bearer, members, spaces
from workspaces.access import Access
from workspaces.api_workspace_schemas import (
    Member,
    MemberChange,
    NewMember,
    NewWorkspace,
    WorkspaceAnswer,
    WorkspaceChange,
    WorkspaceMade,
    WorkspaceRow,
    Workspaces,
    WorkspaceUser,
    WorkspaceWithUsers,
)
from workspaces.models import Membership, User, Workspace

router = Router(tags=["Workspaces"])
NO_ORGANIZATION = "Workspaces belong to an organization, and you are in none."


@router.post("/workspace", response={201: WorkspaceMade})
def create_workspace(request: HttpRequest, body: NewWorkspace) -> Status[WorkspaceMade]:
    """Create a workspace, with myself as its first ADMIN.

    Needs the organization role WORKSPACES or more.
    """
    actor = bearer.caller(request).person
    if actor.organization is None:
        raise Denied(NO_ORGANIZATION)
    made = spaces.create(actor, actor.organization, name=body.name)
    etags.show(request, _tag(made))
    return Status(201, WorkspaceMade(workspace=_row(made)))


@router.get("/workspace", response=Workspaces, auth=bearer.read)
def list_workspaces(request: HttpRequest) -> Workspaces:
    """List the workspaces that I can see, with their members."""
    caller = bearer.caller(request)
    rows = _with_members(caller).order_by("name_key")
    return Workspaces(workspaces=[_whole(row) for row in rows])


@router.get("/workspace/{uuid:workspace_id}", response=WorkspaceAnswer, auth=bearer.read)
def show_workspace(request: HttpRequest, workspace_id: UUID) -> WorkspaceAnswer:
    """Show a workspace with its members."""
    found = _with_members(bearer.caller(request)).filter(pk=workspace_id).first()
    if found is None:
        raise NotFound("Workspace not found")
    etags.show(request, _tag(found))
    return WorkspaceAnswer(workspace=_whole(found))


@router.put("/workspace/{uuid:workspace_id}", response=WorkspaceMade, openapi_extra=etags.HONOURED)
def rename_workspace(request: HttpRequest, workspace_id: UUID, body: WorkspaceChange) -> WorkspaceMade:
    """Give a workspace another name. Needs the role ADMIN in it.

    Its address in the console changes with it; the old one leads to the new one.
    """
    actor = bearer.caller(request).person
    found = seen(actor, workspace_id)
    access.require(actor, found, Access.ADMIN)
    etags.require(request, _tag(found))
    if body.name is not None:
        was = found.name if "If-Match" in request.headers else ""
        found = spaces.rename(actor, found, name=body.name, was=was)
    etags.show(request, _tag(found))
    return WorkspaceMade(workspace=_row(found))


@router.delete("/workspace/{uuid:workspace_id}", response=Success, openapi_extra=etags.HONOURED)
def delete_workspace(request: HttpRequest, workspace_id: UUID) -> Success:
    """Delete an empty workspace. Needs the role ADMIN in it.

    While it holds AI LLMs or repositories the answer is 400, and names how many. Possible within 10 minutes of signing
    in.
    """
    caller = bearer.caller(request)
    actor, found = caller.person, seen(caller.person, workspace_id)
    access.require(actor, found, Access.ADMIN)
    etags.require(request, _tag(found))
    caller.require_recent("delete the workspace")
    try:
        spaces.delete(actor, found, confirmed=found.name)
    except Conflict as held:
        raise Invalid({"": held.message}) from None
    return Success(message="The workspace is deleted.")


@router.post("/workspace/{uuid:workspace_id}/users", response=Success)
def add_member(request: HttpRequest, workspace_id: UUID, body: NewMember) -> Success:
    """Make somebody of the organization a member of a workspace.

    Needs the role ADMIN in it, within 10 minutes of signing in.
    """
    caller = bearer.caller(request)
    actor, found = caller.person, seen(caller.person, workspace_id)
    access.require(actor, found, Access.ADMIN)
    caller.require_recent("add members")
    person = User.objects.filter(organization=found.organization_id, pk=body.user_id).first()
    if person is None:
        raise NotFound("Target user not found")
    with naming(person="userId"):
        members.add(actor, found, person, role=body.role)
    return Success(message=f"{person.label} is a member now.")


@router.put("/workspace/{uuid:workspace_id}/users/{uuid:user_id}", response=Success)
def change_member(request: HttpRequest, workspace_id: UUID, user_id: UUID, body: MemberChange) -> Success:
    """Give a member of a workspace another role, good from their next request on.

    Needs the role ADMIN in it, within 10 minutes of signing in.
    """
    caller = bearer.caller(request)
    actor, (found, person) = caller.person, _membership(caller.person, workspace_id, user_id)
    caller.require_recent("change roles")
    members.change_role(actor, found, person, role=body.role)
    return Success(message=f"{person.label} has the role {body.role} now.")


@router.delete("/workspace/{uuid:workspace_id}/users/{uuid:user_id}", response=Success)
def remove_member(request: HttpRequest, workspace_id: UUID, user_id: UUID) -> Success:
    """End a membership, good from the person's next request on.

    Needs the role ADMIN in the workspace, within 10 minutes of signing in.
    """
    caller = bearer.caller(request)
    actor, (found, person) = caller.person, _membership(caller.person, workspace_id, user_id)
    caller.require_recent("remove members")
    members.remove(actor, found, person)
    return Success(message=f"{person.label} is no member any more.")


def seen(actor: User, workspace_id: UUID) -> Workspace:
    """Return a workspace that `actor` can see. Raises `NotFound`."""
    found = spaces.found(actor, workspace_id)
    if found is None:
        raise NotFound("Workspace not found")
    return found


def _membership(actor: User, workspace_id: UUID, user_id: UUID) -> tuple[Workspace, User]:
    found = seen(actor, workspace_id)
    access.require(actor, found, Access.ADMIN)
    held = found.memberships.select_related("user").filter(user=user_id).first()
    if held is None:
        raise NotFound("Target user not found")
    return found, held.user


def _with_members(caller: bearer.Caller) -> "QuerySet[Workspace]":
    rows = Membership.objects.by_label() if caller.token is None else Membership.objects.none()
    return Workspace.objects.visible_to(caller.person).prefetch_related(
        Prefetch("memberships", queryset=rows, to_attr="listed")
    )


def _tag(row: Workspace) -> str:
    return etags.of(row.pk, row.name)


def _row(row: Workspace) -> WorkspaceRow:
    return WorkspaceRow(id=row.pk, name=row.name, org_id=row.organization_id)


def _whole(row: Workspace) -> WorkspaceWithUsers:
    listed: list[Membership] = row.listed  # type: ignore[attr-defined]  # prefetched to this name
    users = [
        WorkspaceUser.model_construct(user_id=held.user_id, role=held.role, user=_member(held.user)) for held in listed
    ]
    return WorkspaceWithUsers.model_construct(id=row.pk, name=row.name, org_id=row.organization_id, users=users)


def _member(person: User) -> Member:
    return Member.model_construct(
        id=person.pk,
        name=person.name,
        last_name=person.last_name,
        email=person.email,
        org_role=person.organization_role,
    )
