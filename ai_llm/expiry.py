"""When a secret is due: its own expiry date, or its age by the rule of its AI LLM, whichever comes first."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from django.db.models import QuerySet
from django.utils import timezone

from ai_llm.models import AiLlm, Credential
from flashback.errors import Invalid
from workspaces.models import Workspace

THRESHOLDS = (30, 14, 3, 0)  # days before: when people are reminded
SOON = timedelta(days=THRESHOLDS[0])
LONGEST_RULE, FARTHEST = 730, timedelta(days=3660)
DAY = timedelta(days=1)
# A short-term Bedrock API key lives for at most 12 hours:
# https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-how.html
SHORT_KEY, SHORT_LIFE = "bedrock-api-key-", timedelta(hours=12)
PAST = "This date has passed. Enter the day after which the provider refuses the secret."
FAR = "This is more than ten years away. Check the year."
RULE = f"Enter a number of days from 1 to {LONGEST_RULE}, or leave it blank."


class Dated(Protocol):
    """Anything that says when its secret is due, or None."""

    @property
    def due_at(self) -> datetime | None: ...


@dataclass(frozen=True)
class Due:
    """How urgent a secret is. `tone` is that of its badge: bad when past or within 3 days, warn before that."""

    at: datetime
    days: int
    past: bool

    @property
    def tone(self) -> str:
        """The tone of the badge."""
        return "bad" if self.past or self.days < THRESHOLDS[2] else "warn"

    @property
    def words(self) -> str:
        """The badge: "due in 12 days", "due today", "overdue by 3 days"."""
        if self.past:
            return f"overdue by {_days(self.days)}" if self.days else "overdue"
        return f"due in {_days(self.days)}" if self.days else "due today"


def due_at(ai_llm: AiLlm) -> datetime | None:
    """Return when the current secret of `ai_llm` should be replaced at the latest, None without expiry and rule."""
    held = ai_llm.credential
    if held is None:
        return None
    rule = held.set_at + timedelta(days=ai_llm.rotate_every_days) if ai_llm.rotate_every_days else None
    return min((moment for moment in (held.expires_at, rule) if moment is not None), default=None)


def due(row: Dated) -> Due | None:
    """Return how urgent the row's secret is, None while that is more than 30 days away or not set."""
    if row.due_at is None:
        return None
    left = row.due_at - timezone.now()
    return Due(row.due_at, abs(left) // DAY, left <= timedelta()) if left <= SOON else None


def soon(workspace: Workspace) -> "QuerySet[AiLlm]":
    """Return the enabled AI LLMs whose secret is due within 30 days or overdue, the most urgent first."""
    rows: QuerySet[AiLlm] = AiLlm.objects.of(workspace)
    return rows.filter(disabled_at=None, due_at__lte=timezone.now() + SOON).order_by("due_at", "name_key")


def crossed(moment: datetime, since: datetime, now: datetime) -> bool:
    """Tell whether one of the thresholds before `moment` lies after `since` and not after `now`."""
    return any(since < moment - timedelta(days=days) <= now for days in THRESHOLDS)


def proposed(secret: str, now: datetime | None = None) -> datetime | None:
    """Return the expiry that the shape of a secret tells: 12 hours for a short-term Bedrock API key, else None."""
    return (now or timezone.now()) + SHORT_LIFE if secret.startswith(SHORT_KEY) else None


def clean(expires_at: datetime | None, rotate_every_days: int | None) -> tuple[datetime | None, int | None]:
    """Return both as they will be stored. Raises `Invalid` (fields expires_at, rotate_every_days)."""
    errors, now = dict[str, str](), timezone.now()
    if expires_at is not None and expires_at <= now:
        errors["expires_at"] = PAST
    elif expires_at is not None and expires_at > now + FARTHEST:
        errors["expires_at"] = FAR
    if rotate_every_days is not None and not 1 <= rotate_every_days <= LONGEST_RULE:
        errors["rotate_every_days"] = RULE
    if errors:
        raise Invalid(errors)
    return expires_at.astimezone(UTC) if expires_at else None, rotate_every_days


def set_on(credential: Credential, expires_at: datetime | None) -> None:
    """Store the expiry of a credential. Call inside the transaction of the verb that records it."""
    credential.expires_at = expires_at
    credential.save(update_fields=["expires_at"])


def _days(number: int) -> str:
    return f"{number} day{'' if number == 1 else 's'}"
