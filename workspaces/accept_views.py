"""The page behind an invitation's link: it makes the account of somebody who is not signed in."""

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from flashback.errors import Conflict, Invalid, NotFound
from flashback.web import see_other
from workspaces import invitations, sign_ins
from workspaces.access import OrganizationRole
from workspaces.forms import AcceptForm
from workspaces.invitation_models import Invitation
from workspaces.models import User

# Without the path, which holds the token: neither other pages nor the logs of a proxy get it as a referrer. (Without
# any origin browsers would send "Origin: null" with the form, which `flashback.web.CsrfMiddleware` refuses.)
REFERRER = "strict-origin"


@login_not_required
@sensitive_variables("form")
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest, token: str) -> HttpResponse:
    """Show what the invitation promises and make the account. Looking at it uses nothing up."""
    response = _answer(request, token)
    response.headers["Referrer-Policy"] = REFERRER
    return response


def _answer(request: HttpRequest, token: str) -> HttpResponse:
    try:
        invitation = invitations.find(token)
    except NotFound as problem:
        return _closed(request, 404, problem.message)
    if isinstance(request.user, User):
        return _signed_in(request, request.user, invitation)
    try:
        invitations.require_open(invitation)
    except Conflict as problem:
        return _closed(request, 410, problem.message, invitation)
    form = AcceptForm(request.POST if request.method == "POST" else None, invitation=invitation)
    if form.is_bound and form.is_valid():
        try:
            person = invitations.accept(token, **form.cleaned_data)
        except Invalid as invalid:
            form.take(invalid.errors)
        except (Conflict, NotFound) as problem:
            return _closed(request, 410, problem.message, invitation)
        else:
            login(request, person)
            sign_ins.succeeded(person)
            return see_other("home")
    values = {"form": form, **_promise(invitation)}
    return render(request, "workspaces/accept.html", values, status=422 if form.errors else 200)


def _signed_in(request: HttpRequest, person: User, invitation: Invitation) -> HttpResponse:
    if person.email != invitation.email:
        return render(request, "workspaces/accept_other.html", _promise(invitation), status=409)
    return _closed(request, 410, "This link has done its work: you are signed in with your account.", own=True)


def _promise(invitation: Invitation) -> dict[str, Any]:
    return {
        "invitation": invitation,
        "role": OrganizationRole(invitation.role).label,
        "promised": invitation.promised.select_related("workspace").order_by("workspace__name_key"),
    }


def _closed(
    request: HttpRequest, status: int, message: str, invitation: Invitation | None = None, *, own: bool = False
) -> HttpResponse:
    values = {"message": message, "invitation": invitation, "own": own}
    return render(request, "workspaces/accept_closed.html", values, status=status)
