"""Mails that tell a person that something about their account has changed, so that they notice when it was not they."""

from allauth.account.adapter import get_adapter
from django.utils import timezone

from workspaces import sources
from workspaces.models import User


def send(person: User, what: str, *, email: str = "") -> None:
    """Tell `person` in one sentence what has changed, at their address or at `email`. Never raises.

    Call it after the change is stored.
    """
    source = sources.current()
    values = {"user": person, "what": what, "when": timezone.now(), "ip": source.ip, "agent": source.agent}
    get_adapter().send_mail("account/email/notice", email or person.email, values)
