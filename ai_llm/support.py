"""What support staff read of AI LLMs in the admin site: all workspaces at once, and nothing that is sealed."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from ai_llm import expiry, outcomes
from ai_llm.models import DISABLED, NEVER, STATES, UNAVAILABLE, AiLlm, Check
from flashback import sealed

DELETED, DUE = "deleted", "due"
FILTERS = {**STATES, DUE: "Secret due within 30 days", DELETED: "Deleted"}
CHECKS, EVENTS = 10, 20


def state_of(ai_llm: AiLlm) -> str:
    """Return the state as a key of STATES, or DELETED."""
    return DELETED if ai_llm.deleted_at is not None else ai_llm.state


def in_state(rows: "QuerySet[AiLlm]", wanted: str) -> "QuerySet[AiLlm]":
    """Return those of `rows` whose state is `wanted`, a key of FILTERS; the same states as those of one workspace."""
    if wanted == DELETED:
        return rows.filter(deleted_at__isnull=False)
    rows = rows.filter(deleted_at=None)
    if wanted == DISABLED:
        return rows.filter(disabled_at__isnull=False)
    rows = rows.filter(disabled_at=None)
    if wanted == DUE:
        return rows.filter(due_at__lte=timezone.now() + expiry.SOON)
    lost = ~Q(credential__key_id__in=sealed.key_ids()) & Q(keyless=False)
    if wanted == UNAVAILABLE:
        return rows.filter(lost)
    return rows.exclude(lost).filter(verdict="" if wanted == NEVER else wanted)


def checks_of(ai_llm: AiLlm) -> list[dict[str, Any]]:
    """Return the last checks, the newest first: what `told` says of each, with `at`, `who` and `kind`."""
    rows = Check.objects.filter(ai_llm=ai_llm).select_related("by").defer("excerpt", "by__password")
    return [
        {"at": row.at, "who": who(row), "kind": row.get_kind_display(), "pk": row.pk, **told(row)}
        for row in rows.order_by("-at", "-pk")[:CHECKS]
    ]


def told(check: Check) -> dict[str, Any]:
    """Return a check in words, as `outcomes.present` puts it, without the provider's own text: that is not read."""
    if "excerpt" in check.get_deferred_fields():
        check.excerpt = ""
    return {name: value for name, value in outcomes.present(check).items() if name != "excerpt"}


def who(check: Check) -> str:
    """Return who ran a check."""
    return check.by.email if check.by else "scheduled" if check.scheduled else "somebody who left"
