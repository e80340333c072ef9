"""The pages of API tokens: one's own under the account, and those of a workspace.

A token is in the answer to the form that made it, and nowhere else: no redirect carries it, nothing may keep the page,
and sending the form again says where the first answer is, not the token.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from flashback.errors import Invalid, NotFound
from flashback.web import see_other
from workspaces import access, tokens
from workspaces.access import Access
from workspaces.address import Request, in_workspace
from workspaces.models import Workspace
from workspaces.reauthentication import recently_authenticated
from workspaces.token_forms import NewTokenForm
from workspaces.token_models import ApiToken


@require_safe
def mine(request: Request) -> HttpResponse:
    """One's own tokens."""
    return _list(request, None)


@require_safe
@in_workspace
def of_workspace(request: Request) -> HttpResponse:
    """The tokens of a workspace."""
    access.require(request.user, request.workspace, Access.ADMIN)
    return _list(request, request.workspace)


@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def new_mine(request: Request) -> HttpResponse:
    """Make a token of one's own, and show it in this very answer."""
    return _new(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
@recently_authenticated
def new_of_workspace(request: Request) -> HttpResponse:
    """Make a token for this workspace, and show it in this very answer."""
    access.require(request.user, request.workspace, Access.ADMIN)
    return _new(request, request.workspace)


@require_http_methods(["GET", "HEAD", "POST"])
def revoke_mine(request: Request, id: UUID) -> HttpResponse:
    """Say what stops, then stop one's own token for good."""
    return _revoke(request, None, id)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def revoke_of_workspace(request: Request, id: UUID) -> HttpResponse:
    """Say what stops, then stop a workspace's token for good."""
    access.require(request.user, request.workspace, Access.ADMIN)
    return _revoke(request, request.workspace, id)


def _list(request: Request, workspace: Workspace | None) -> HttpResponse:
    rows = tokens.of_workspace(workspace) if workspace else tokens.personal(request.user)
    values = {"rows": rows[: 2 * tokens.MOST_LIVE], "new_url": _address(workspace, "new"), "of": workspace}
    return render(request, "workspaces/tokens.html", values)


def _new(request: Request, workspace: Workspace | None) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form = NewTokenForm(data, actor=request.user, place=workspace or request.user)
    values: dict[str, Any] = {"form": form, "up_url": _address(workspace), "of": workspace}
    if form.is_bound and form.is_valid():
        try:
            made = tokens.create(request.user, workspace=workspace, **form.values())
        except Invalid as invalid:
            form.take(invalid.errors)
        except tokens.AlreadyCreated as already:
            return render(request, "workspaces/token_already.html", {**values, "token": already.token}, status=409)
        else:
            answer = render(request, "workspaces/token_made.html", {**values, "token": made.token, "text": made.text})
            # With scripts a reload then shows the list, not the form again; the token is on neither.
            answer.headers["HX-Push-Url"] = values["up_url"]
            return answer
    return render(request, "workspaces/token_new.html", values, status=422 if form.is_bound else 200)


def _revoke(request: Request, workspace: Workspace | None, id: UUID) -> HttpResponse:
    rows = ApiToken.objects.filter(workspace=workspace).select_related("user", "workspace")
    token = (rows if workspace else rows.filter(user=request.user)).filter(pk=id).first()
    if token is None:
        raise NotFound("There is no token here that you can see.")
    if request.method != "POST":
        values = {"token": token, "up_url": _address(workspace), "of": workspace}
        return render(request, "workspaces/token_revoke.html", values)
    done = tokens.revoke(request.user, token)
    messages.success(request, f"{token.name} is revoked." if done else f"{token.name} was revoked before.")
    return see_other(_address(workspace))


def _address(workspace: Workspace | None, page: str = "") -> str:
    name = f"{'workspace_token' if workspace else 'api_token'}{f'_{page}' if page else 's'}"
    return reverse(name, args=[workspace.slug] if workspace else [])
