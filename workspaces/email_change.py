"""The verbs of another e-mail address: asked for by its person, proven by its mailbox, told to the old one."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core.internal import ratelimit
from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.urls import reverse

from flashback.errors import Conflict, Invalid
from workspaces import events, notices, organizations
from workspaces.models import User

SALT = "flashback.email"
LIFETIME = 3600  # seconds
APP, ACTION = "workspaces", "email_change"
RATES = {ACTION: "5/h/key"}
OVER = "This link does not work any more. It works once, within an hour, and not after the password has changed."


def request(person: User, email: str) -> str:
    """Send a link to `email` with which `person` moves there; return the address as it was read.

    Nothing changes before it is followed. To an address that somebody has already, a mail goes that says so: nobody
    learns here who has an account. Records `person.email_change_requested`. Raises `Invalid` for the field `email`.
    """
    email = email.strip().lower()
    if errors := organizations.wrong_email(email):
        raise Invalid(errors)
    if email == person.email:
        raise Invalid({"email": "This is your address already."})
    if not ratelimit.consume(None, app=APP, action=ACTION, config=RATES, key=str(person.pk), limit_get=True):
        raise Invalid({"email": "That were many mails. Try again in an hour."})
    events.record(person, "person.email_change_requested", person, details={"email": email})
    taken = User.objects.filter(email=email).exists()
    link = settings.PUBLIC_URL + reverse("email_confirm", args=[_token(person, email)])
    template = "account/email/address_taken" if taken else "account/email/address_confirm"
    get_adapter().send_mail(template, email, {"user": person, "confirm_url": link, "new_email": email})
    return email


def proposed(token: str) -> tuple[User, str]:
    """Return whose link this is, and the address it leads to. Raises `Conflict` when it does not work any more."""
    try:
        told: dict[str, Any] = signing.loads(token, salt=SALT, max_age=LIFETIME)
    except signing.BadSignature:
        raise Conflict(OVER) from None
    person = User.objects.filter(pk=told["person"], is_active=True).select_related("organization").first()
    if person is None or _standing(person) != told["standing"]:
        raise Conflict(OVER)
    return person, told["email"]


def confirm(token: str) -> User:
    """Move a person to the address of the link they were sent, and tell the old one. Their sessions stay.

    Links to reset the password end. Records `person.email_changed` with old and new. Raises `Conflict` when the link
    does not work any more, or somebody else has the address by now.
    """
    try:
        with transaction.atomic():
            found, email = proposed(token)
            person = User.objects.select_for_update().get(pk=found.pk)
            if _standing(person) != _standing(found):
                raise Conflict(OVER)
            old, person.email = person.email, email
            person.save(update_fields=["email"])
            details = {"email": [old, email]}
            events.record(person, "person.email_changed", person, organization=found.organization, details=details)
    except IntegrityError:
        raise Conflict("Somebody else has this address by now. Ask for another one on your account page.") from None
    notices.send(person, f"You sign in with {email} from now on, and no longer with {old}.", email=old)
    return person


def _token(person: User, email: str) -> str:
    return signing.dumps({"person": str(person.pk), "email": email, "standing": _standing(person)}, salt=SALT)


def _standing(person: User) -> str:
    """Return what changes with the password, the address and when all sessions are ended."""
    return signing.Signer(salt=SALT).signature(f"{person.email} {person.get_session_auth_hash()}")
