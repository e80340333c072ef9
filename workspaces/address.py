"""The address carries the workspace: turns `/w/<slug>/…` into the workspace that this person may see."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django_htmx.middleware import HtmxDetails

from flashback import preload
from flashback.errors import NotFound
from workspaces import access, spaces
from workspaces.models import User, Workspace

P = ParamSpec("P")


class Request(HttpRequest):
    """A signed-in person's request; `workspace` and `access` are set where the address names a workspace."""

    user: User
    htmx: HtmxDetails
    workspace: Workspace
    offered: list[Workspace]
    access: access.Access
    may_write: bool  # whether the buttons that change things are shown; the verbs ask again


Page = Callable[Concatenate[Request, P], HttpResponseBase]


def in_workspace(view: Page[P]) -> Callable[..., HttpResponseBase]:
    """Give the view a request whose `workspace` is the one named by the address, or answer 404.

    Remembers the workspace as the person's last one, so that `/` leads back to it. A slug that the workspace had
    before leads to the same address with the current one, for whoever may see the workspace.
    """

    @wraps(view)
    def wrapped(request: Request, *arguments: Any, slug: str, **keywords: Any) -> HttpResponseBase:
        # One query gives the switcher and, nearly always, the workspace.
        request.offered = spaces.offered(request.user)
        found = next((offered for offered in request.offered if offered.slug == slug), None)
        if found is None:
            found = Workspace.objects.visible_to(request.user).filter(slug=slug).first()
        role = access.of(request.user, found) if found else None
        if found is None and (renamed := Workspace.objects.visible_to(request.user).formerly(slug).first()):
            return _moved(request, renamed)
        if found is None or role is None:
            raise NotFound("There is no workspace here that you can see. Choose one in the menu at the top.")
        request.workspace, request.access, request.may_write = found, role, role >= access.Access.WRITE
        if request.user.last_workspace_id != found.pk:
            if preload.asked(request):
                return preload.nothing()
            User.objects.filter(pk=request.user.pk).update(last_workspace=found)
        return view(request, *arguments, **keywords)

    return wrapped


def _moved(request: Request, workspace: Workspace) -> HttpResponse:
    # 308 rather than 301 (RFC 9110, 15.4.9): a form that was open during the renaming arrives as it was sent.
    match, query = request.resolver_match, request.META.get("QUERY_STRING", "")
    assert match is not None  # noqa: S101 - a view is only called through its route
    path = reverse(match.view_name, args=match.args, kwargs={**match.kwargs, "slug": workspace.slug})
    return HttpResponsePermanentRedirect(f"{path}?{query}" if query else path, preserve_request=True)


def home(request: Request) -> HttpResponse:
    """Lead to the last workspace used, or the first one there is; without any, say who can help."""
    visible = Workspace.objects.visible_to(request.user).order_by("name_key")
    last = request.user.last_workspace_id
    found = (visible.filter(pk=last).first() if last else None) or visible.first()
    if found is None:
        return render(request, "workspaces/none.html")
    return HttpResponseRedirect(reverse("overview", args=[found.slug]))
