"""The pages about workspaces and their members."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from flashback.errors import Conflict, Invalid, NotFound
from flashback.web import see_other
from workspaces import access, members, spaces
from workspaces.access import Access, OrganizationRole
from workspaces.address import Request, in_workspace
from workspaces.forms import (
    AddMemberForm,
    NewWorkspaceForm,
    RemoveMemberForm,
    RenameForm,
    RoleForm,
    VerbForm,
)
from workspaces.models import Membership, Organization, Workspace
from workspaces.people_forms import TypedNameForm
from workspaces.reauthentication import recently_authenticated

MEMBERS_SHOWN = 50
WORKSPACES_SHOWN = 50
ADMINISTRATORS_SHOWN = 10


@require_safe
def workspaces(request: Request) -> HttpResponse:
    """The workspaces that one may see, with one's role in each."""
    rows = Workspace.objects.listed_for(request.user)
    page = Paginator(rows, WORKSPACES_SHOWN).get_page(request.GET.get("page"))
    everywhere = request.user.organization_role >= OrganizationRole.ADMINISTRATOR
    return render(request, "workspaces/workspaces.html", {"page": page, "everywhere": everywhere})


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: Request) -> HttpResponse:
    """Create a workspace and lead to its overview."""
    access.require_organization(request.user, OrganizationRole.WORKSPACES)
    form = NewWorkspaceForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        organization = Organization.objects.get(people=request.user)
        try:
            made = spaces.create(request.user, organization, **form.cleaned_data)
        except Invalid as invalid:
            form.take(invalid.errors)
        else:
            messages.success(request, f"The workspace {made.name} is there, and you are its ADMIN.")
            return see_other("overview", made.slug)
    return _form_page(request, "workspaces/new.html", form)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def settings(request: Request) -> HttpResponse:
    """Show name and address of the workspace; an ADMIN can rename it."""
    if request.method != "POST":
        return _settings_page(request, RenameForm(workspace=request.workspace))
    access.require(request.user, request.workspace, Access.ADMIN)
    form = RenameForm(request.POST, workspace=request.workspace)
    if not form.is_valid():
        return _settings_page(request, form)
    try:
        row = spaces.rename(request.user, request.workspace, **form.cleaned_data)
    except Invalid as invalid:
        form.take(invalid.errors)
    except Conflict as conflict:
        form.add_error(None, f"{conflict.message} Save again to rename it.")
        request.workspace.refresh_from_db()
    else:
        messages.success(request, "Saved.")
        return see_other("workspace_settings", row.slug)
    return _settings_page(request, form)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
@recently_authenticated
def delete(request: Request) -> HttpResponse:
    """Show what the workspace holds; an empty one goes once its name is typed."""
    access.require(request.user, request.workspace, Access.ADMIN)
    data = request.POST if request.method == "POST" else None
    form = TypedNameForm(data, typed=request.workspace.name)
    if form.is_bound and form.is_valid():
        try:
            spaces.delete(request.user, request.workspace, confirmed=form.cleaned_data["name"])
        except Invalid as invalid:
            form.take(invalid.errors)
        except Conflict as conflict:
            form.add_error(None, conflict.message)
        else:
            messages.success(request, f"The workspace {request.workspace.name} is deleted.")
            return see_other("workspaces")
    values = {"held": spaces.holdings(request.workspace), "number": request.workspace.memberships.count()}
    return _form_page(request, "workspaces/delete.html", form, **values)


@require_safe
@in_workspace
def members_page(request: Request) -> HttpResponse:
    """The members with their roles; an ADMIN can change them."""
    return _members_page(request)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
@recently_authenticated
def add(request: Request) -> HttpResponse:
    """Make a person of the organization a member."""
    access.require(request.user, request.workspace, Access.ADMIN)
    data = request.POST if request.method == "POST" else None
    form = AddMemberForm(data, actor=request.user, workspace=request.workspace)
    if form.is_bound and form.is_valid():
        try:
            made = members.add(request.user, request.workspace, **form.cleaned_data)
        except Invalid as invalid:
            form.take(invalid.errors)
        else:
            messages.success(request, f"{made.user.label} is a member now, with the role {made.role}.")
            return see_other("members", request.workspace.slug)
    return _form_page(request, "workspaces/member_add.html", form)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
@recently_authenticated
def role(request: Request, id: UUID) -> HttpResponse:
    """Change a member's role, from the list. A GET, as after a reload without scripts, leads back to the list."""
    access.require(request.user, request.workspace, Access.ADMIN)
    member = _found(request, id)
    if request.method != "POST":
        return _back(request)
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _members_page(request, form, member)
    try:
        changed = members.change_role(request.user, request.workspace, member.user, **form.cleaned_data)
    except Invalid as invalid:
        form.take(invalid.errors)
        return _members_page(request, form, member)
    messages.success(request, f"{member.user.label} has the role {changed.role} now.")
    return _back(request)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
@recently_authenticated
def remove(request: Request, id: UUID) -> HttpResponse:
    """Ask, then end a membership."""
    access.require(request.user, request.workspace, Access.ADMIN)
    member, form = _found(request, id), RemoveMemberForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            members.remove(request.user, request.workspace, member.user)
        except Invalid as invalid:
            form.take(invalid.errors)
        else:
            messages.success(request, f"{member.user.label} is no longer a member of {request.workspace.name}.")
            visible = access.of(request.user, request.workspace) is not None
            return _back(request) if visible else see_other("home")
    return _form_page(
        request, "workspaces/member_remove.html", form, member=member, everywhere=OrganizationRole.ADMINISTRATOR
    )


def _form_page(request: Request, template: str, form: VerbForm, **values: Any) -> HttpResponse:
    return render(request, template, {"form": form, **values}, status=422 if form.is_bound and form.errors else 200)


def _settings_page(request: Request, form: RenameForm) -> HttpResponse:
    values = {
        "role": request.access.name,
        "may_manage": request.access >= Access.ADMIN,
        "number": request.workspace.memberships.count(),
        "former": request.workspace.former_slugs.order_by("slug"),
    }
    return _form_page(request, "workspaces/settings.html", form, **values)


def _members_page(request: Request, form: RoleForm | None = None, refused: Membership | None = None) -> HttpResponse:
    rows = request.workspace.memberships.by_label()
    administrators = members.administrators(request.workspace).exclude(memberships__workspace=request.workspace)
    others = list(administrators[: ADMINISTRATORS_SHOWN + 1])
    more = administrators.count() - ADMINISTRATORS_SHOWN if len(others) > ADMINISTRATORS_SHOWN else 0
    values = {
        "page": Paginator(rows, MEMBERS_SHOWN).get_page(request.GET.get("page")),
        "others": others[:ADMINISTRATORS_SHOWN],
        "others_more": more,
        "may_manage": request.access >= Access.ADMIN,
        "roles": list(Access),
        "everywhere": OrganizationRole.ADMINISTRATOR,
        "form": form,
        "refused": refused,
    }
    return render(request, "workspaces/members.html", values, status=422 if form else 200)


def _back(request: Request) -> HttpResponse:
    query = f"?page={page}" if (page := request.GET.get("page", "")).isdecimal() else ""
    return see_other(reverse("members", args=[request.workspace.slug]) + query)


def _found(request: Request, id: UUID) -> Membership:
    found = request.workspace.memberships.select_related("user").filter(user=id).first()
    if found is None:
        raise NotFound("This person is not a member of the workspace. They may have been removed in the meantime.")
    return found
