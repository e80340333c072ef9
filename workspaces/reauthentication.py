"""Asking once more who it is before something that matters, unless the person has shown it in the last ten minutes.

A sign-in counts. Whoever has a second factor gives a code of it, everybody else the password. A form page asks when it
is opened. When the ten minutes run out while somebody fills it in, the answer to the form asks, carries along what was
typed (no secret: that is typed again), and goes on where it was.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.core import ratelimit
from django import forms
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from flashback.web import SECRET_FIELDS, current_path, leave
from workspaces import second_factor
from workspaces.address import Request
from workspaces.forms import ReauthenticateForm
from workspaces.second_factor_forms import ConfirmCodeForm
from workspaces.sessions import AUTHENTICATED_AT

SECONDS = 600
PREFIX, AGAIN = "confirm", "confirm-again"
WITHHELD = "Type this once more: it was not kept while you confirmed that it is you."
V = TypeVar("V", bound=Callable[..., HttpResponseBase])
Condition = Callable[[Request], bool]


def is_recent(request: HttpRequest) -> bool:
    """Return whether the person has shown within ten minutes who they are."""
    at: int = request.session.get(AUTHENTICATED_AT, 0)
    return 0 <= time.time() - at < SECONDS


def note(request: HttpRequest, *, reauthenticated: bool = False, **_: Any) -> None:
    """Begin the ten minutes anew when somebody has confirmed who they are; called by allauth's signal for any step."""
    if reauthenticated:
        request.session[AUTHENTICATED_AT] = int(time.time())


def recently_authenticated(view: V) -> V:
    """Let a view be reached only by somebody who has shown in the last ten minutes who they are; see the module.

    It belongs below `in_workspace`, so that nobody is asked about a workspace that does not exist for them.
    """
    return recently_authenticated_for(lambda _: True)(view)


def recently_authenticated_for(condition: Condition) -> Callable[[V], V]:
    """Do the same for the requests that `condition` names, and let all others pass."""

    def decorate(view: V) -> V:
        @wraps(view)
        def guarded(request: Request, *arguments: Any, **keywords: Any) -> HttpResponseBase:
            if is_recent(request) or not condition(request):
                return view(request, *arguments, **keywords)
            if request.method != "POST" or (request.htmx and not request.htmx.boosted):
                return leave(request, _address(request))
            return _confirmed(request) or view(request, *arguments, **keywords)

        return cast(V, guarded)

    return decorate


def withheld(request: HttpRequest, form: forms.Form) -> bool:
    """Return whether a secret of this form was typed, but not kept while the person confirmed; say so beside it.

    For forms that mean something without their secret: nothing may be stored then.
    """
    names = [name for name in request.POST.getlist(AGAIN) if name in form.fields and not request.POST.get(name)]
    for name in names:
        form.add_error(name, WITHHELD)
    return bool(names)


def with_secret(request: Request) -> bool:
    """Return whether this request stores or removes a secret: a condition for `recently_authenticated_for`."""
    if request.method != "POST" or request.POST.get("action") == "test":
        return False
    return any(request.POST.get(name) for name in (*SECRET_FIELDS, "remove_key", AGAIN))


def _address(request: Request) -> str:
    # What no GET opens leads back to the page that the person was on.
    fragment = request.htmx and not request.htmx.boosted
    back = current_path(request) if fragment else request.get_full_path()
    return f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}"


def _confirmed(request: Request) -> HttpResponse | None:
    """Return None after the right answer, and otherwise the page that asks, with all that was typed but secrets."""
    coded = second_factor.enabled(request.user)
    kind = ConfirmCodeForm if coded else ReauthenticateForm
    asked = any(name.startswith(f"{PREFIX}-") and name != AGAIN for name in request.POST)
    form = kind(request.POST if asked else None, user=request.user, prefix=PREFIX)
    status = 422
    if asked and not ratelimit.consume(request, action="reauthenticate", user=request.user):
        status = 429
    elif asked and form.is_valid():
        if coded:
            form.save()
        else:
            reauthenticate_by_password(request)
        return None
    values = {"form": form, "coded": coded, "kept": _kept(request), "too_many": status == 429}
    answer = render(request, "account/confirm.html", values, status=status)
    if status == 429:
        answer.headers["Retry-After"] = "60"
    return answer


def _kept(request: Request) -> list[tuple[str, str]]:
    own = {"csrfmiddlewaretoken", f"{PREFIX}-password", f"{PREFIX}-code", *SECRET_FIELDS}
    typed = [(name, value) for name, values in request.POST.lists() if name not in own for value in values]
    secrets = (name for name in SECRET_FIELDS if not name.startswith(f"{PREFIX}-"))
    again = [(AGAIN, name) for name in secrets if request.POST.get(name)]
    return typed + [pair for pair in again if pair not in typed]
