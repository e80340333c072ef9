"""Who makes an API request: a person with a login token, or an API token of theirs. Cookies have no say.

Every operation names what it takes: `auth=bearer.read`, `.validate` or `.write` take login tokens and API tokens with
that scope; `.person` takes login tokens alone and is what an operation gets that names nothing; `.second_factor` takes
those that still wait for one. `request.auth` is then the `Caller`, and `caller(request).person` the actor for verbs:
what an API token may not do is written on that person (`limits`), so that `visible_to` and `access` hold it everywhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from flashback.errors import Denied, TooMany
from flashback.etags import answer_header
from workspaces import logins, sources, tokens
from workspaces.access import TOKENS_MAY_NOT, Access, Limits
from workspaces.models import ActorKind, User
from workspaces.token_models import ApiToken, Login, Scope

MISSING = "Send the header Authorization: Bearer with an access token (POST /user/login gives one) or an API token."
RECENT = timedelta(minutes=10)
WAITS = "Finish signing in with the second factor first: POST /mfa/verify-login."
# draft-ietf-httpapi-ratelimit-headers, https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
POLICY = f'"token";q={tokens.PER_MINUTE};w={tokens.MINUTE}'


class Unauthenticated(Denied):
    """Nobody is known to ask (401)."""

    status = 401


class SecondFactorNeeded(Denied):
    """The password was right, and the second factor is missing (403)."""

    error_code = "MFA_REQUIRED"


class NoScope(Denied):
    """The API token is good, and does not reach this operation (403)."""

    error_code = "INSUFFICIENT_SCOPE"


class NotRecent(Denied):
    """The change needs a person who has just shown who they are (403)."""

    error_code = "REAUTHENTICATION_REQUIRED"


@dataclass(frozen=True)
class Caller:
    """Who asks. `person` is the actor; either `login` or `token` is set."""

    person: User
    login: Login | None = None
    token: ApiToken | None = None

    def require_recent(self, doing: str) -> None:
        """Raise `NotRecent` unless the caller signed in within the last ten minutes, to do what `doing` says.

        The console asks once more before the same (`workspaces.reauthentication`). What API tokens may do as well is
        done without: they have nobody who could be asked.
        """
        if self.login is None or self.login.created_at < timezone.now() - RECENT:
            raise NotRecent(f"Sign in again with POST /user/login, then {doing} within 10 minutes.")

    @contextmanager
    def source(self) -> Iterator[None]:
        """Let what happens inside be recorded as coming from here."""
        if self.token is None:
            yield
        else:
            with sources.using(kind=ActorKind.TOKEN, via=self.token.name):
                yield


class Bearer(HttpBearer):
    """Recognises a caller by the header Authorization, for one kind of operation.

    `needs` is the scope that an API token must have, None when none will do.
    """

    def __init__(self, needs: Scope | None, *, waiting: bool = False) -> None:
        self.needs = needs
        self.waiting = waiting
        super().__init__()

    def __call__(self, request: HttpRequest) -> Caller:
        """Return the caller. Raises a problem with status 401, 403 or 429."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated(MISSING)
        return self.authenticate(request, token)

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        """Return who sends `token`."""
        if token.startswith(tokens.PREFIX):
            return self._program(request, token)
        login = logins.authenticate(token)
        if not login.verified and not self.waiting:
            raise SecondFactorNeeded(WAITS)
        return Caller(login.user, login=login)

    def _program(self, request: HttpRequest, text: str) -> Caller:
        token = tokens.authenticate(text)
        _count(request, token)
        if self.needs is None:
            raise NoScope(TOKENS_MAY_NOT)
        held = Scope(token.scope)
        if self.needs.value not in held.includes:
            raise NoScope(f"This needs a token with the scope {self.needs.value}; this one has {held.value}.")
        most = Access.READ if self.needs is Scope.READ else Access.WRITE
        token.user.limits = Limits(most, token.workspace_id)
        return Caller(token.user, token=token)


read = Bearer(Scope.READ)
validate = Bearer(Scope.VALIDATE)
write = Bearer(Scope.WRITE)
person = Bearer(None)
second_factor = Bearer(None, waiting=True)


def caller(request: HttpRequest) -> Caller:
    """Return who makes this request; for views of operations that take a bearer token."""
    return cast(Caller, cast(Any, request).auth)


def _count(request: HttpRequest, token: ApiToken) -> None:
    answer_header(request, "RateLimit-Policy", POLICY)
    try:
        rate = tokens.count(token)
    except TooMany as refusal:
        answer_header(request, "RateLimit", f'"token";r=0;t={refusal.retry_after}')
        raise
    answer_header(request, "RateLimit", f'"token";r={rate.left};t={rate.seconds}')
