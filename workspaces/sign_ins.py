"""Who came in, who went out, and who was kept out, as events of the audit log."""

import threading
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core.internal import ratelimit
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from flashback.errors import Denied, TooMany
from workspaces import events
from workspaces.models import ActorKind, User

APP = "allauth.account"
WRONG = "The e-mail address or the password is not right."
INACTIVE = "This account is not active. An administrator of your organization can help."
TOO_MANY = "Too many attempts. Try again later, or reset your password."
MINUTE = 60
_turns = tuple(threading.Lock() for _ in range(64))


class Refused(Denied):
    """E-mail address and password do not belong together (401); which of them is wrong is not told."""

    status = 401


class Inactive(Denied):
    """The password is right, and the account is not active (403)."""

    error_code = "ACCOUNT_INACTIVE"


@sensitive_variables("password")
def by_password(request: HttpRequest, email: str, password: str) -> User:
    """Return the person with this e-mail address and password. Wrong ones count together with those of the console.

    Records nothing for a right password, and `person.sign_in_failed` for a wrong one. Raises `Refused`, `Inactive` and
    `TooMany`; an unknown address takes the time of a known one.
    """
    email = email.strip().lower()
    adapter = get_adapter(request)
    # Programs sign in more often than people; only wrong passwords count against what the sign-in page takes.
    guesses_left = ratelimit.consume(request, app=APP, action="login", dry_run=True)
    if not guesses_left or not ratelimit.consume(request, app=APP, action="login_api"):
        raise TooMany(TOO_MANY, retry_after=MINUTE)
    try:
        with _turn(f"{email} {ratelimit.get_ip(request)}"):
            # Without a password allauth would not even hash.
            person = adapter.authenticate(request, email=email, password=password or " ")
    except ValidationError:
        raise TooMany(TOO_MANY, retry_after=adapter.seconds_to_wait(request, email) or MINUTE) from None
    if person is None:
        ratelimit.consume(request, app=APP, action="login")
        raise Refused(WRONG)
    if not person.is_active:
        raise Inactive(INACTIVE)
    return User.objects.select_related("organization").get(pk=person.pk)


def _turn(who: str) -> threading.Lock:
    """Return the lock that sign-ins of one person from one address share.

    An attempt counts as a wrong one until its password is found right; more than five at once would shut each other
    out.
    """
    return _turns[hash(who) % len(_turns)]


def succeeded(person: User) -> None:
    """Record `person.signed_in`."""
    events.record(person, "person.signed_in", person)


def failed(email: str) -> None:
    """Record `person.sign_in_failed`, about the person with this e-mail address if there is one.

    Anything else that was typed is not kept: it may be a password in the wrong field. One event is written either way,
    so that both cases take the same time.
    """
    # PostgreSQL refuses a NUL before it looks.
    known = (
        User.objects.filter(email=email.strip().lower()).select_related("organization") if "\0" not in email else None
    )
    person = known.first() if known is not None else None
    organization = person.organization if person else None
    events.record(None, "person.sign_in_failed", person, organization=organization, kind=ActorKind.NOBODY)


def unconfirmed(person: User) -> None:
    """Record `person.reauthentication_failed`: somebody who is signed in could not show once more who they are."""
    events.record(person, "person.reauthentication_failed", person)


def ended(request: HttpRequest | None, user: Any, **_: Any) -> None:
    """Record `person.signed_out`, or that the session was too old; called by Django's signal with whoever left."""
    if not isinstance(user, User):
        return
    # Sessions are ended for their age before the address is looked at.
    asked = request is not None and request.resolver_match is not None
    events.record(user, "person.signed_out" if asked else "person.session_expired", user)
