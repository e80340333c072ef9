"""How long a sign-in lasts, and what signing out leaves behind."""

import re
import time
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, NamedTuple

from django.contrib.auth import SESSION_KEY, logout
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from flashback.prepared import prepared
from flashback.web import leave

# As django.contrib.sessions.backends.base makes them.
KEY = re.compile(r"[a-z0-9]{32}")
SIGNED_IN_AT, SEEN_AT = "signed_in_at", "seen_at"
AUTHENTICATED_AT = "authenticated_at"  # when somebody last showed who they are
RIGHTS = "rights"  # of the person, as this key of a session has them
IP, AGENT = "ip", "agent"
SECOND_FACTOR_DUE = "second_factor_due"
# What somebody may do who has to set up a second factor first.
MEANWHILE = frozenset(
    {"mfa_activate_totp", "account_logout", "account_reauthenticate", "mfa_reauthenticate", "account_set_password"}
)
MINUTE, HOUR, DAY = 60, 3600, 86_400
# Written this often at most, so that reading pages does not mean writing rows.
SEEN_EVERY = 5 * MINUTE


class Limits(NamedTuple):
    """Seconds without a request, and seconds since the sign-in, after which a person signs in again."""

    idle: int
    whole: int


CONSOLE = Limits(idle=12 * HOUR, whole=7 * DAY)
ADMIN = Limits(idle=30 * MINUTE, whole=8 * HOUR)


class SessionStore(DatabaseStore):
    """Django's sessions in the database, which is not asked for keys that cannot be one.

    A cookie may hold any character, written as in `"\\000"` (RFC 2109 quotes so, and Python still reads it), and
    PostgreSQL refuses a NUL with an error.
    """

    @classmethod
    def get_model_class(cls) -> type[Any]:
        """Return the table of sessions, which knows whose each is."""
        from workspaces.account_models import Session  # the models are not there yet when this module is first read

        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        """Return the row to store, with the person whose session it is."""
        row: Any = super().create_model_instance(data)
        row.user_id = data.get(SESSION_KEY)
        return row

    def _validate_session_key(self, key: str | None) -> bool:
        return key is not None and KEY.fullmatch(key) is not None

    def load(self) -> dict[str, Any]:
        """Return what is stored of the session, and forget its key when that is nothing, or too old."""
        found = _stored(str(self.session_key), timezone.now(), model=self.model)
        if not found:
            self._session_key = None
        return self.decode(found[0][0]) if found else {}


@prepared
def _stored(key: str, now: datetime, *, model: Any) -> "QuerySet[Any, Any]":
    rows: QuerySet[Any] = model._default_manager.filter(session_key=key, expire_date__gt=now)
    return rows.values_list("session_data")


class SessionLimitsMiddleware:
    """Ends a session that was idle or open for too long; the admin site has the shorter limits."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # The key is asked for, not the person: pages that need no person then read no row of one.
        if SESSION_KEY in request.session:
            self._hold(request, int(time.time()))
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *_: Any) -> HttpResponse | None:
        """Lead somebody who has to set up a second factor there, whichever page they asked for.

        And whoever has other rights than at their last request goes on with another key.
        """
        if not getattr(view, "login_required", True):
            return None
        match = request.resolver_match
        if request.session.get(SECOND_FACTOR_DUE) and (match is None or match.view_name not in MEANWHILE):
            return leave(request, reverse("mfa_activate_totp"))
        if SESSION_KEY in request.session and request.user.is_authenticated:
            _rotate(request)
        return None

    @staticmethod
    def _hold(request: HttpRequest, now: int) -> None:
        session = request.session
        seen, since = session.get(SEEN_AT, now), session.setdefault(SIGNED_IN_AT, now)
        limits = ADMIN if request.path.startswith(reverse("admin:index")) else CONSOLE
        if now - seen > limits.idle or now - since > limits.whole:
            logout(request)
        elif abs(now - session.get(SEEN_AT, 0)) >= SEEN_EVERY:
            session[SEEN_AT] = now
            session[IP], session[AGENT] = _whence(request)
        if since > now:  # the clock was ahead, and is right again: its mistake must not make a session last longer
            session[SIGNED_IN_AT] = now


def _rotate(request: HttpRequest) -> None:
    """Give the session a new key when its person's rights have changed: one that was stolen before stays without them.

    OWASP, https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html, "Renew the Session ID
    After Any Privilege Level Change".
    """
    held, rights = request.session.get(RIGHTS), _rights(request.user)
    if held == rights:
        return
    request.session[RIGHTS] = rights
    if held is not None:
        request.session.cycle_key()


def _rights(user: Any) -> list[int]:
    return [int(user.organization_role), int(user.is_staff), int(user.is_superuser)]


def start(request: HttpRequest, user: Any, **_: Any) -> None:
    """Begin to count; called by Django's signal whenever somebody has signed in.

    What decides on every later page is asked here once: whether a second factor has to be set up first.
    """
    from workspaces import second_factor  # its models are not there yet when this module is first read

    session, now = request.session, int(time.time())
    session[SIGNED_IN_AT] = session[SEEN_AT] = session[AUTHENTICATED_AT] = now
    session[IP], session[AGENT] = _whence(request)
    session[RIGHTS] = _rights(user)
    if second_factor.due(user):
        session[SECOND_FACTOR_DUE] = True


def _whence(request: HttpRequest) -> tuple[str, str]:
    """Return the address and, in a few words, the program that a request came from."""
    from workspaces.sources import program  # as above

    return str(request.META.get("REMOTE_ADDR", ""))[:45], program(request.headers.get("User-Agent", ""))[:80]


def leaving(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let the answer to a sign-out tell the browser to drop what it keeps of our pages."""

    @wraps(view)
    def left(request: HttpRequest, *arguments: Any, **keywords: Any) -> HttpResponse:
        response = view(request, *arguments, **keywords)
        if request.method == "POST":
            response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    return left
