"""The mail about secrets that were rejected twice in a row: to a workspace's ADMINs, once for each time it begins.

It is sent after everything else is stored, so a mail server that is down loses no check. `AiLlm.mail_due` says from
when on it may be sent: a process that begins to send puts that off, by compare and swap, so no second one sends it too;
when it succeeds nothing is due any more, and when it fails or is killed a later run tries again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from ai_llm.models import AiLlm, Check, Verdict
from ai_llm.outcomes import present
from flashback import mail
from workspaces.access import Access, OrganizationRole
from workspaces.models import User, Workspace

RETRY = timedelta(minutes=15)
LISTED = 20


@dataclass
class Sent:
    """What a round of mails came to, in workspaces. `unsent` are tried again by a later run."""

    sent: int = 0
    unsent: int = 0


def send_due(workspace: Workspace | None = None) -> Sent:
    """Send what is due, one mail for each workspace and person however many AI LLMs it is about. Blocks while sending.

    Faults of the mail server are logged and counted, never raised. Call it outside of a transaction.
    """
    outcome, rows = Sent(), _due(timezone.now())
    if workspace is not None:
        rows = rows.filter(workspace=workspace)
    for key in list(rows.order_by().values_list("workspace", flat=True).distinct()):
        _send_for(Workspace.objects.get(pk=key), outcome)
    return outcome


def people_of(workspace: Workspace) -> list[User]:
    """Return who looks after a workspace: its ADMINs, or the organization's administrators and owners without one."""
    active = User.objects.filter(is_active=True, organization=workspace.organization_id).order_by("email")
    admins = active.filter(memberships__workspace=workspace, memberships__role=Access.ADMIN.name)
    return list(admins) or list(active.filter(organization_role__gte=OrganizationRole.ADMINISTRATOR))


def _due(now: datetime) -> "QuerySet[AiLlm]":
    rows = AiLlm.objects.filter(deleted_at=None, disabled_at=None, scheduled=True)
    return rows.filter(attention_at__isnull=False, mail_due__lte=now)


def _send_for(workspace: Workspace, outcome: Sent) -> None:
    until = timezone.now() + RETRY
    claimed = [
        row for row in _due(timezone.now()).filter(workspace=workspace).order_by("name_key") if _claim(row, until)
    ]
    if not claimed:
        return
    if _delivered(people_of(workspace), _content(workspace, claimed)):
        AiLlm.objects.filter(pk__in=[row.pk for row in claimed], mail_due=until).update(mail_due=None)
        outcome.sent += 1
    else:
        outcome.unsent += 1


def _claim(row: AiLlm, until: datetime) -> bool:
    return bool(AiLlm.objects.filter(pk=row.pk, mail_due=row.mail_due).update(mail_due=until))


def _content(workspace: Workspace, rows: list[AiLlm]) -> dict[str, Any]:
    return {
        "workspace": workspace,
        "rows": [_told(workspace, row) for row in rows[:LISTED]],
        "number": len(rows),
        "more": max(0, len(rows) - LISTED),
        "overview_url": settings.PUBLIC_URL + reverse("overview", args=[workspace.slug]),
    }


def _told(workspace: Workspace, row: AiLlm) -> dict[str, Any]:
    rejected = Check.objects.filter(ai_llm=row, verdict=Verdict.REJECTED).order_by("-at").first()
    shown = present(rejected) if rejected else {}
    words = {"headline": shown.get("headline", ""), "sentence": shown.get("sentence", "")}
    helps = shown["action"]["label"] if shown else ""
    url = settings.PUBLIC_URL + reverse("ai_llm", args=[workspace.slug, row.pk])
    return {"name": row.name, "host": row.host, "url": url, "helps": helps, **words}


def _delivered(people: list[User], content: dict[str, Any]) -> bool:
    """Send the mail to each person who wants it, and return whether anybody got it, or nobody wants it."""
    wanting = [person for person in people if person.rejection_mails]
    sent = [mail.send(person.email, "ai_llm/mail/rejected", {**content, "person": person}) for person in wanting]
    return any(sent) or bool(people and not wanting)
