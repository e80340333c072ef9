"""The pages of setup and of one's own account, and how allauth's pages answer here."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.adapter import get_adapter
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from flashback.errors import Conflict, Invalid
from flashback.web import see_other
from workspaces import organizations, setup
from workspaces.forms import SetupForm

TOO_MANY = "too_many_login_attempts"
QUARTER = 900  # seconds
View = Callable[..., HttpResponse]


@login_not_required
@sensitive_variables("form")
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest, token: str) -> HttpResponse:
    """Make the first owner; closed for good as soon as there is one."""
    if not setup.is_open():
        return render(request, "workspaces/setup_closed.html", status=410)
    if not setup.accepts(token):
        return render(request, "workspaces/setup_expired.html", status=404)
    form = SetupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            owner = organizations.found(**form.cleaned_data, first=True)
        except Invalid as invalid:
            form.take(invalid.errors)
        except Conflict:
            return render(request, "workspaces/setup_closed.html", status=410)
        else:
            login(request, owner)
            return see_other("overview", owner.last_workspace.slug if owner.last_workspace else "")
    status = 422 if request.method == "POST" else 200
    return render(request, "workspaces/setup.html", {"form": form}, status=status)


def answering(view: View, *, wait: int = 60) -> View:
    """Give a view of allauth's the manners of the console's own pages.

    303 after a POST, 422 for a form that must be corrected, and 429 with Retry-After (in seconds; `wait` where allauth
    does not say which of its limits was reached) for one too many. allauth counts whatever is no GET, and another site
    can make a browser send HEAD and OPTIONS: HEAD goes as a GET, and what is neither of these nor a POST gets 405.
    """

    @wraps(view)
    @require_http_methods(["GET", "HEAD", "POST"])
    def answered(request: HttpRequest, *arguments: Any, **keywords: Any) -> HttpResponse:
        asked = request.method
        request.method = "GET" if asked == "HEAD" else asked
        response = view(request, *arguments, **keywords)
        request.method = asked
        if response.status_code == 429:
            response.headers["Retry-After"] = str(wait)
        elif request.method == "POST" and response.status_code == 302:
            response.status_code = 303
        elif request.method == "POST" and response.status_code == 200:
            _refuse(request, response, wait)
        return response

    return answered


def _refuse(request: HttpRequest, response: HttpResponse, wait: int) -> None:
    form = (getattr(response, "context_data", None) or {}).get("form")
    if form is None or not form.errors:
        return
    response.status_code = 422
    if any(form.has_error(field, TOO_MANY) for field in (NON_FIELD_ERRORS, "password", "code")):
        response.status_code = 429
        wait = QUARTER if form.has_error("code") else wait
        email = form.cleaned_data.get("login") or getattr(request.user, "email", "")
        response.headers["Retry-After"] = str(get_adapter().seconds_to_wait(request, email) or wait)
