"""What depends on an AI LLM: who calls through it, and how it fared lately. Read before it is disabled or deleted."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from ai_llm.models import AiLlm, Check
from flashback.prepared import padded, prepared

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Dependents:
    """What would lose its connection: `attachments` (each with its repository and the number of its `live` keys).

    `last` is the newest check, None without one; `checks` counts those of the last 7 days.
    """

    attachments: list[Any]
    last: Check | None
    checks: int

    @property
    def keys(self) -> int:
        """How many AI API keys work now and lead to one of these repositories."""
        return sum(attachment.live for attachment in self.attachments)


def of(ai_llm: AiLlm) -> Dependents:
    """Return what depends on `ai_llm`; three queries."""
    checks = Check.objects.filter(ai_llm=ai_llm).defer("excerpt")
    return Dependents(
        attachments=list(ai_llm.attachments.in_use().annotate(live=_live_keys())),
        last=checks.order_by("-at", "-pk").first(),
        checks=checks.filter(at__gt=timezone.now() - WEEK).count(),
    )


def attachments(ai_llm: AiLlm) -> list[Any]:
    """Return where `ai_llm` is attached, by the repositories' names, each with its repository."""
    return _attachments(ai_llm.pk)


@prepared
def _attachments(ai_llm: UUID) -> "QuerySet[Any]":
    # Asked through the reverse relation: repositories know AI LLMs, and not the other way round.
    return AiLlm(pk=ai_llm).attachments.in_use()


def repositories(ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return in how many repositories each of these AI LLMs is; one query."""
    some = list(ids)
    return dict(_repositories(*padded(some, 50))) if some else {}


@prepared
def _repositories(*ids: UUID) -> "QuerySet[AiLlm, Any]":
    number = Count("attachments", filter=Q(attachments__repository__deleted_at=None))
    return AiLlm.objects.filter(pk__in=ids).order_by().values_list("pk").annotate(number=number)


def _live_keys() -> Count:
    """Count the keys that applications can use. They are reached by their names: what they are is decided elsewhere."""
    keys, now = "repository__ai_api_keys", timezone.now()
    lasting = Q(**{f"{keys}__expires_at": None}) | Q(**{f"{keys}__expires_at__gt": now})
    return Count(keys, filter=lasting & Q(**{f"{keys}__revoked_at": None, "repository__disabled_at": None}))
