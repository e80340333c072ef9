"""What is kept of checks: the row of each, the state they add up to, the last good list of models, and the timeline.

The newest word about the credential is the state, with two exceptions. A free check that only says that nothing can be
proven this way, or that models may not be listed, takes no word back that a message brought; and a message that came to
no verdict, or met a model that is gone, leaves a decided state as it is. `AiLlm.last_check` is the check that decided
the state, so the age that pages show is that of the proof; newer checks are in the history. A new secret or another
destination ends every word (`forget`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ai_llm.causes import CAUSES
from ai_llm.models import AiLlm, Check, CheckKind, ModelList, Verdict
from ai_llm.outcomes import Result
from flashback import metrics
from flashback.errors import Conflict
from flashback.prepared import prepared
from workspaces import events
from workspaces.models import User, whole_name

LABELS = dict(Verdict.choices)
KEPT = 50
KEPT_AT_MOST = timedelta(days=400)
MODELS_KEPT = 20
ROWS_SHOWN = 10
REJECTIONS = 2
# Free checks that end like this have learned nothing about the secret, and never can at this provider.
PROVES_NOTHING = frozenset({"public_list", "keys_not_checked", "no_key_unproven", "no_list", "control_unclear"})
# Ends that say less than an acceptance which stands: a free check that may not list models, though calls work; and a
# message to a model that is not there, though the credential was accepted.
NOT_ALLOWED_TO_LIST = frozenset({"scope_missing"})
ABOUT_ONE_MODEL = frozenset({"model_not_there", "model_not_allowed"})
DECIDED = frozenset({Verdict.ACCEPTED.value, Verdict.LIMITED.value, Verdict.REJECTED.value})
WORKS = frozenset({Verdict.ACCEPTED.value, Verdict.LIMITED.value})
STATE_COLUMNS = (
    "verdict",
    "last_check",
    "failures",
    "rejections",
    "check_after",
    "attention_at",
    "mail_due",
    "rejected_at",
)


def keep(actor: User | None, tested: AiLlm, result: Result, *, kind: str = CheckKind.FREE) -> Check:
    """Store the result of a check of `tested`, in one transaction with everything that follows from it.

    That is the check itself, the state of the AI LLM, its list of models when one was found, what is due for attention,
    and one event: `ai_llm.validated` for a person; for a scheduled check (`actor` None) `ai_llm.state_changed`, only
    when the state changed. Old checks are thinned. Raises `Conflict`, and stores nothing, when version or credential
    are not those that were tested any more, or the AI LLM was deleted.
    """
    with transaction.atomic():
        row: AiLlm | None = next(iter(_locked(tested.pk)), None)
        if row is None or (row.version, row.credential_id) != (tested.version, tested.credential_id):
            raise Conflict("This AI LLM was changed or deleted while the check ran. Validate it again.")
        check = Check(ai_llm=row, at=timezone.now(), by=actor, scheduled=actor is None, kind=kind, **_columns(result))
        check.save(force_insert=True)
        before = row.verdict
        if _decides(row, check):
            _settle(row, check)
        row.save(update_fields=STATE_COLUMNS)
        _keep_list(row, result, check)
        _thin(row)
        _record(actor, row, check, before, tested)
    metrics.count_check(check.verdict, kind=check.kind, by="person" if actor is not None else "schedule")
    return check


@prepared
def _locked(id: UUID) -> "QuerySet[AiLlm]":
    return AiLlm.objects.select_for_update(of=("self",)).filter(pk=id, deleted_at=None)


def forget(row: AiLlm) -> None:
    """Bring the row, in memory, back to never validated: what is stored is another connection now.

    The caller saves `STATE_COLUMNS`. Earlier checks and the list of models stay.
    """
    row.verdict, row.last_check = "", None
    row.failures = row.rejections = 0
    row.check_after = row.attention_at = row.mail_due = row.rejected_at = None


def worse(before: str, after: str) -> bool:
    """Tell whether `after` is a worse state than `before`; "" is never validated, and as good as not decided."""
    order = {"accepted": 0, "limited": 1, "": 2, "undecided": 2, "rejected": 3}
    return order[after] > order[before]


def _columns(result: Result) -> dict[str, Any]:
    found = result.models_found
    return {**vars(result), "url": result.url[:2100], "models_found": found[:MODELS_KEPT], "model_count": len(found)}


def _decides(row: AiLlm, check: Check) -> bool:
    """Whether the check is a word about the state at all."""
    stands, accepted = row.verdict in DECIDED, row.verdict == Verdict.ACCEPTED
    if check.kind == CheckKind.MESSAGE:
        lesser = check.verdict not in DECIDED or (accepted and check.cause in ABOUT_ONE_MODEL)
        return not (stands and lesser)
    lesser = check.cause in PROVES_NOTHING or (accepted and check.cause in NOT_ALLOWED_TO_LIST)
    return not (stands and lesser and row.last_check is not None and row.last_check.kind == CheckKind.MESSAGE)


def _settle(row: AiLlm, check: Check) -> None:
    """Take over the verdict; count what failed in a row. *Not decided* neither counts as a rejection nor ends a row."""
    row.verdict, row.last_check = check.verdict, check
    cause = CAUSES.get(check.cause)
    failed = check.verdict not in WORKS and not (cause and cause.needs_nobody)
    row.failures = min(row.failures + 1, 1000) if failed else 0
    row.check_after = row.check_after if failed else None
    if check.verdict == Verdict.REJECTED:
        row.rejections = min(row.rejections + 1, 1000)
        row.rejected_at = row.rejected_at or check.at
        if row.rejections >= REJECTIONS and row.attention_at is None:
            row.attention_at = row.mail_due = check.at
    elif check.verdict in WORKS:
        row.rejections, row.rejected_at, row.attention_at, row.mail_due = 0, None, None, None


def _keep_list(row: AiLlm, result: Result, check: Check) -> None:
    if result.models_found:
        values = {"endpoint": row.endpoint, "names": result.models_found, "at": check.at}
        # The row is locked, so nobody makes the list in between.
        if not ModelList.objects.filter(ai_llm=row).update(**values):
            ModelList.objects.create(ai_llm=row, **values)


def _record(actor: User | None, row: AiLlm, check: Check, before: str, tested: AiLlm) -> None:
    details = {"verdict": check.verdict, "cause": check.cause}
    if check.kind != CheckKind.FREE:
        details["kind"] = check.kind
    if row.verdict != before:
        details["before"] = before
    if actor is not None:
        events.record(actor, "ai_llm.validated", row, workspace=tested.workspace, details=details)
    elif row.verdict != before:
        events.record(None, "ai_llm.state_changed", row, workspace=tested.workspace, details=details)


def _thin(row: AiLlm) -> None:
    """Keep the newest 50 checks; of the older ones the last of each day (UTC) for 400 days, and the one shown."""
    superfluous = _superfluous(_old(row.pk), timezone.now() - KEPT_AT_MOST)
    doomed = [pk for pk in superfluous if pk != row.last_check_id]
    if doomed:
        Check.objects.filter(ai_llm=row, pk__in=doomed).delete()


@prepared
def _old(ai_llm: UUID) -> "QuerySet[Check, Any]":
    return Check.objects.filter(ai_llm=ai_llm).order_by("-at", "-pk").values_list("pk", "at")[KEPT:]


def _superfluous(old: Iterable[tuple[UUID, datetime]], end: datetime) -> Iterable[UUID]:
    """Yield those of `old` (the newest first) that are not the last of their day, or of before `end`."""
    days = set[date]()
    for pk, at in old:
        day = at.astimezone(UTC).date()
        if at < end or day in days:
            yield pk
        days.add(day)


# --- The timeline -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One check as the timeline shows it. `who` is "" for a scheduled check and for a person who is gone."""

    verdict: str
    label: str
    headline: str
    at: datetime
    who: str
    scheduled: bool
    kind: str
    milliseconds: int


@dataclass(frozen=True)
class Timeline:
    """The newest checks of an AI LLM: `rows` in words, the newest first; `marks` (at most 50) the oldest first.

    `later` is the newest one when an earlier one decided the state.
    """

    rows: list[Entry]
    marks: list[Entry]
    later: Entry | None = None


def timeline(ai_llm: AiLlm) -> Timeline:
    """Return the newest 50 checks for the page of an AI LLM; one query."""
    checks = _newest(ai_llm.pk)
    entries = [_entry(columns) for _, *columns in checks]
    decided = ai_llm.last_check_id
    later = entries[0] if decided and checks and checks[0][0] != decided else None
    return Timeline(entries[:ROWS_SHOWN], entries[::-1], later)


@prepared
def _newest(ai_llm: UUID) -> "QuerySet[Check, Any]":
    columns = ("verdict", "cause", "at", "kind", "milliseconds", "scheduled", whole_name("by__"), "by__email")
    return Check.objects.filter(ai_llm=ai_llm).order_by("-at", "-pk").values_list("pk", *columns)[:KEPT]


def _entry(columns: Sequence[Any]) -> Entry:
    verdict, cause, at, kind, milliseconds, scheduled, name, email = columns
    return Entry(
        verdict=verdict,
        label=LABELS[verdict],
        headline=CAUSES[cause].headline if cause in CAUSES else "",
        at=at,
        who=name or email or "",
        scheduled=scheduled,
        kind=kind,
        milliseconds=milliseconds,
    )
