"""Mail: one message in text and HTML to one address, and no error of a mail server in anybody's way."""

import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

_log = logging.getLogger("flashback.mail")

CONSOLE = "django.core.mail.backends.console.EmailBackend"


def delivers() -> bool:
    """Return whether mail leaves this machine; without a mail server it is printed in the server's terminal."""
    return bool(settings.EMAIL_BACKEND != CONSOLE)


def send(to: str, template: str, values: Mapping[str, Any]) -> bool:
    """Send the mail made of `template`_subject.txt, _message.txt and _message.html; return whether it was taken.

    Faults of the mail server are logged without the address and without the content, never raised. Blocks for as long
    as the server takes, 10 seconds at most for each step: call it outside of a transaction.
    """
    content = dict(values)
    subject = " ".join(render_to_string(f"{template}_subject.txt", content).split())
    message = EmailMultiAlternatives(subject, render_to_string(f"{template}_message.txt", content), to=[to])
    message.attach_alternative(render_to_string(f"{template}_message.html", content), "text/html")
    try:
        return bool(message.send())
    except (OSError, ValueError) as fault:  # of smtplib, of the socket beneath, and of an address that cannot be one
        _log.error("A mail (%s) could not be sent: %s. See EMAIL_URL.", template, type(fault).__name__)
        return False
