"""What the operator does to the installation as a whole, in the audit log: backups, restores, looks at its keys."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Model

from flashback import keyring
from workspaces import chain, events
from workspaces.models import AuditHead, Event


def record(action: str, details: Mapping[str, Any], subject: Model | None = None) -> bool:
    """Record what a command did to the installation; return whether it could be.

    It cannot be while keys are missing: another line would then end its chain without a seal, or with that of a wrong
    key, and `manage.py audit verify` would never find it whole again, even when the keys are back.
    """
    if keyring.readiness():
        return False
    with transaction.atomic():
        head = AuditHead.objects.filter(pk=chain.INSTALLATION).first()
        if head is not None and not chain.is_ours(head):
            return False
        events.record(None, action, subject, details=details)
        return True


def last(action: str) -> Event | None:
    """Return the newest line of this action that belongs to no organization."""
    return Event.objects.filter(chain=chain.INSTALLATION, action=action).order_by("-number").first()
