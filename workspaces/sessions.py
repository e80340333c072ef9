"""How long a sign-in lasts, and what signing out leaves behind."""

import re
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from django.contrib.auth import SESSION_KEY, logout
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

# As django.contrib.sessions.backends.base makes them.
KEY = re.compile(r"[a-z0-9]{32}")
SIGNED_IN_AT, SEEN_AT = "signed_in_at", "seen_at"
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

    def _validate_session_key(self, key: str | None) -> bool:
        return key is not None and KEY.fullmatch(key) is not None


class SessionLimitsMiddleware:
    """Ends a session that was idle or open for too long; the admin site has the shorter limits."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # The key is asked for, not the person: pages that need no person then read no row of one.
        if SESSION_KEY in request.session:
            self._hold(request, int(time.time()))
        return self.get_response(request)

    @staticmethod
    def _hold(request: HttpRequest, now: int) -> None:
        session = request.session
        seen, since = session.get(SEEN_AT, now), session.setdefault(SIGNED_IN_AT, now)
        limits = ADMIN if request.path.startswith(reverse("admin:index")) else CONSOLE
        if now - seen > limits.idle or now - since > limits.whole:
            logout(request)
        elif abs(now - session.get(SEEN_AT, 0)) >= SEEN_EVERY:
            session[SEEN_AT] = now
        if since > now:  # the clock was ahead, and is right again: its mistake must not make a session last longer
            session[SIGNED_IN_AT] = now


def start(request: HttpRequest, **_: Any) -> None:
    """Begin to count; called by Django's signal whenever somebody has signed in."""
    request.session[SIGNED_IN_AT] = request.session[SEEN_AT] = int(time.time())


def leaving(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let the answer to a sign-out tell the browser to drop what it keeps of our pages."""

    @wraps(view)
    def left(request: HttpRequest, *arguments: Any, **keywords: Any) -> HttpResponse:
        response = view(request, *arguments, **keywords)
        if request.method == "POST":
            response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    return left
