"""The daily mail of reminders: secrets that are due soon or overdue, and AI LLMs that became rejected.

One mail to a person and day at most, and none when there is nothing new. What is new is told from the last mail that
the person got: a secret counts when it came within 30, 14 or 3 days of its end, or past it, since then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from ai_llm import alerts, expiry
from ai_llm.causes import CAUSES
from ai_llm.models import AiLlm, Digest
from flashback import mail
from workspaces.models import User, Workspace

LISTED = 30
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Reminder:
    """What became of one person's mail: sent, nothing (new), again (they had today's already), or unsent."""

    person: User
    outcome: str
    number: int = 0


def send_all(now: datetime | None = None) -> Iterator[Reminder]:
    """Send today's mails, yielding what became of each person's. Blocks while sending; never raises for a mail fault.

    A person whose mail could not be sent gets it from the next run. Call it outside of a transaction.
    """
    now = now or timezone.now()
    looked_after = dict[User, list[Workspace]]()
    for workspace in _with_anything(now):
        for person in (person for person in alerts.people_of(workspace) if person.reminder_mails):
            looked_after.setdefault(person, []).append(workspace)
    for person, workspaces in looked_after.items():
        yield _remind(person, workspaces, now)


def _with_anything(now: datetime) -> "QuerySet[Workspace]":
    rows = AiLlm.objects.filter(_urgent(now))
    return Workspace.objects.filter(pk__in=rows.values("workspace")).order_by("name_key")


def _urgent(now: datetime) -> Q:
    told = Q(due_at__lte=now + expiry.SOON) | Q(rejected_at__isnull=False)
    return told & Q(deleted_at=None, disabled_at=None)


def _remind(person: User, workspaces: list[Workspace], now: datetime) -> Reminder:
    last = Digest.objects.filter(user=person, sent_at__isnull=False).order_by("-day").first()
    since = last.sent_at if last and last.sent_at else BEGINNING
    rows = AiLlm.objects.filter(_urgent(now), workspace__in=workspaces)
    rows = rows.select_related("workspace", "last_check").order_by("workspace__name_key", "due_at", "name_key")
    told = [_told(row, since, now) for row in rows]
    if not any(item["new"] for item in told):
        return Reminder(person, "nothing")
    claim = _claim(person, now)
    if claim is None:
        return Reminder(person, "again")
    values = {"person": person, "items": told[:LISTED], "number": len(told), "more": max(0, len(told) - LISTED)}
    if not mail.send(person.email, "ai_llm/mail/reminder", {**values, "url": settings.PUBLIC_URL}):
        claim.delete()
        return Reminder(person, "unsent", len(told))
    claim.sent_at = now
    claim.save(update_fields=["sent_at"])
    return Reminder(person, "sent", len(told))


def _claim(person: User, now: datetime) -> Digest | None:
    """Return today's mail as ours, or None when another run has it or has sent it."""
    try:
        with transaction.atomic():
            return Digest.objects.create(user=person, day=now.date())
    except IntegrityError:
        return None


def _told(row: AiLlm, since: datetime, now: datetime) -> dict[str, Any]:
    cause = CAUSES.get(row.last_check.cause) if row.last_check else None
    rejected = row.rejected_at is not None
    return {
        "name": row.name,
        "workspace": row.workspace.name,
        "url": settings.PUBLIC_URL + reverse("ai_llm", args=[row.workspace.slug, row.pk]),
        "due": expiry.due(row),
        "rejected": (cause.headline if cause else "Rejected") if rejected else "",
        "new": _new(row, since, now),
    }


def _new(row: AiLlm, since: datetime, now: datetime) -> bool:
    if row.rejected_at is not None and since < row.rejected_at <= now:
        return True
    if row.due_at is None:
        return False
    changed = since < row.changed_at and row.due_at <= now + expiry.SOON  # its date may be new, and near already
    return changed or expiry.crossed(row.due_at, since, now)
