"""Who makes an API request: a person with a login token, or an API token of theirs. Cookies have no say.

Every operation names what it takes: `auth=bearer.read`, `.validate` or `.write` take login tokens and API tokens with
that scope; `.person` takes login tokens alone and is what an operation gets that names nothing; `.second_factor` takes
those that still wait for one. `request.auth` is then the `Caller`, and `caller(request).person` the actor for verbs:
what an API token may not do is written on that person (`limits`), so that `visible_to` and `access` hold it everywhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from django.http import HttpRequest
from ninja.security import HttpBearer

from flashback.errors import Denied
from workspaces import logins
from workspaces.models import Login, User

MISSING = "Send the header Authorization: Bearer with an access token. POST /user/login gives one."
WAITS = "Finish signing in with the second factor first: POST /mfa/verify-login."


class Unauthenticated(Denied):
    """Nobody is known to ask (401)."""

    status = 401


class SecondFactorNeeded(Denied):
    """The password was right, and the second factor is missing (403)."""

    error_code = "MFA_REQUIRED"


@dataclass(frozen=True)
class Caller:
    """Who asks. `person` is the actor; `login` is set for a login token."""

    person: User
    login: Login | None = None

    @contextmanager
    def source(self) -> Iterator[None]:
        """Let what happens inside be recorded as coming from here."""
        yield


class Bearer(HttpBearer):
    """Recognises a caller by the header Authorization, for one kind of operation."""

    def __init__(self, *, persons_only: bool = False, waiting: bool = False) -> None:
        self.persons_only = persons_only
        self.waiting = waiting
        super().__init__()

    def __call__(self, request: HttpRequest) -> Caller:
        """Return the caller. Raises `Unauthenticated`, `logins.Ended`, `SecondFactorNeeded` or `Denied`."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated(MISSING)
        return self.authenticate(request, token)

    def authenticate(self, request: HttpRequest, token: str) -> Caller:  # noqa: ARG002 - django-ninja's signature
        """Return who sends `token`."""
        login = logins.authenticate(token)
        if not login.verified and not self.waiting:
            raise SecondFactorNeeded(WAITS)
        return Caller(login.user, login=login)


read = Bearer()
validate = Bearer()
write = Bearer()
person = Bearer(persons_only=True)
second_factor = Bearer(persons_only=True, waiting=True)


def caller(request: HttpRequest) -> Caller:
    """Return who makes this request; for views of operations that take a bearer token."""
    return cast(Caller, cast(Any, request).auth)
