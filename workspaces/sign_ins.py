"""Who came in, who went out, and who was kept out, as events of the audit log."""

from typing import Any

from django.http import HttpRequest

from workspaces import events
from workspaces.models import ActorKind, User


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


def ended(request: HttpRequest | None, user: Any, **_: Any) -> None:
    """Record `person.signed_out`, or that the session was too old; called by Django's signal with whoever left."""
    if not isinstance(user, User):
        return
    # Sessions are ended for their age before the address is looked at.
    asked = request is not None and request.resolver_match is not None
    events.record(user, "person.signed_out" if asked else "person.session_expired", user)
