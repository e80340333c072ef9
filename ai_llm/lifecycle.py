"""Taking an AI LLM out of use and back, and tidying up what has had its time."""

from collections.abc import Iterator
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ai_llm import rotation, rows
from ai_llm.models import AiLlm, Digest
from flashback.errors import Conflict
from workspaces import access, events
from workspaces.access import Access
from workspaces.models import User

DELETED_KEPT = timedelta(days=30)
DIGESTS_KEPT = timedelta(days=60)


def disable(actor: User, ai_llm: AiLlm) -> AiLlm:
    """Take an AI LLM out of use without losing anything. Records `ai_llm.disabled`; one that is disabled stays so.

    Scheduled checks and reminders leave it out; it can still be validated by hand. Raises `Denied` and `Conflict`
    (deleted meanwhile).
    """
    return _set(actor, ai_llm, disabled=True)


def enable(actor: User, ai_llm: AiLlm) -> AiLlm:
    """Put a disabled AI LLM back into use, in the state that it had; records `ai_llm.enabled`. Raises as `disable`."""
    return _set(actor, ai_llm, disabled=False)


def tidy() -> Iterator[tuple[str, int]]:
    """Purge what has had its time, step by step, yielding what and how many of it: secrets, deleted AI LLMs, digests.

    Secrets that rotation kept go at their end, the data of deleted AI LLMs after 30 days (their events stay).
    """
    for ai_llm in rotation.expired():
        try:
            rotation.expire(ai_llm)
        except Conflict:  # deleted at this moment, and its secrets with it
            continue
        yield "expired secrets", 1
    for gone in _deleted_long_ago().iterator(chunk_size=200):
        gone.delete()
        yield "deleted AI LLMs", 1
    number, _ = Digest.objects.filter(day__lt=(timezone.now() - DIGESTS_KEPT).date()).delete()
    yield "records of reminder mails", number


def untidy() -> int:
    """Return how many secrets and AI LLMs `tidy` would purge now."""
    return len(rotation.expired()) + _deleted_long_ago().count()


def _deleted_long_ago() -> "QuerySet[AiLlm]":
    return AiLlm.objects.filter(deleted_at__lte=timezone.now() - DELETED_KEPT)


def _set(actor: User, ai_llm: AiLlm, *, disabled: bool) -> AiLlm:
    access.require(actor, ai_llm.workspace, Access.WRITE, support="ai_llm.disable_aillm")
    with transaction.atomic():
        row = rows.locked(ai_llm)
        if (row.disabled_at is not None) == disabled:
            return row
        row.disabled_at = timezone.now() if disabled else None
        rows.save(row)
        events.record(actor, "ai_llm.disabled" if disabled else "ai_llm.enabled", row, workspace=row.workspace)
    return row
