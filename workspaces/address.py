"""The address carries the workspace: turns `/w/<slug>/…` into the workspace that this person may see."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django_htmx.middleware import HtmxDetails

from flashback.errors import NotFound
from workspaces import access
from workspaces.models import User, Workspace

P = ParamSpec("P")


class Request(HttpRequest):
    """A signed-in person's request; `workspace` and `access` are set where the address names a workspace."""

    user: User
    htmx: HtmxDetails
    workspace: Workspace
    access: access.Access
    may_write: bool  # whether the buttons that change things are shown; the verbs ask again


Page = Callable[Concatenate[Request, P], HttpResponse]


def in_workspace(view: Page[P]) -> Callable[..., HttpResponse]:
    """Give the view a request whose `workspace` is the one named by the address, or answer 404.

    Remembers the workspace as the person's last one, so that `/` leads back to it.
    """

    @wraps(view)
    def wrapped(request: Request, *arguments: Any, slug: str, **keywords: Any) -> HttpResponse:
        found = Workspace.objects.visible_to(request.user).filter(slug=slug).first()
        role = access.of(request.user, found) if found else None
        if found is None or role is None:
            raise NotFound("There is no workspace here that you can see. Choose one in the menu at the top.")
        request.workspace, request.access, request.may_write = found, role, role >= access.Access.WRITE
        if request.user.last_workspace_id != found.pk:
            User.objects.filter(pk=request.user.pk).update(last_workspace=found)
        return view(request, *arguments, **keywords)

    return wrapped


def home(request: Request) -> HttpResponse:
    """Lead to the last workspace used, or the first one there is; without any, say who can help."""
    visible = Workspace.objects.visible_to(request.user).order_by("name_key")
    last = request.user.last_workspace_id
    found = (visible.filter(pk=last).first() if last else None) or visible.first()
    if found is None:
        return render(request, "workspaces/none.html")
    return HttpResponseRedirect(reverse("overview", args=[found.slug]))
