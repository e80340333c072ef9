"""What the overview says of a workspace: how many AI LLMs are in which state, and which ones somebody should see to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, auto
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from ai_llm import expiry, listing
from ai_llm.listing import Row
from ai_llm.models import DISABLED, NEVER, STATES, UNAVAILABLE, AiLlm, Credential, Verdict
from flashback import sealed
from flashback.prepared import prepared
from workspaces.models import Workspace

COUNTED = 100  # enough to say "more than 99"
EXAMINED = 500  # the oldest ones, in which the overview looks for unused ones
SHOWN = 10
WORDS = ("", *map(str, Verdict.values))


@dataclass(frozen=True)
class Summary:
    """The number in each state; how many secrets are due and how many of the oldest are unused, each at most 100; and
    the first ones that somebody should look at, the worst first.
    """

    counts: dict[str, int]
    reminders: dict[str, int]
    attention: list[Row]


class Part(IntEnum):
    """What is asked: first numbers by verdict, then ids of what is counted, then ids by reason, the worst first."""

    ALL = len(WORDS) - 1  # and below: one for each
    OFF = auto()
    BARE = auto()
    LOST = auto()
    UNUSED = auto()
    FIRST_BARE = auto()
    FIRST_LOST = auto()
    ALERTED = auto()
    REJECTED = auto()
    DUE = auto()
    UNDECIDED = auto()
    NEVER = auto()


# Those that are in one of these states, and so no more in the state of their verdict.
INSTEAD = {Part.OFF: DISABLED, Part.BARE: UNAVAILABLE, Part.LOST: UNAVAILABLE}


def of(workspace: Workspace, most: int = SHOWN) -> Summary:
    """Return the summary of a workspace; two queries, however much is in it."""
    now = timezone.now()
    counts, ids = dict.fromkeys(STATES, 0), {part: list[str]() for part in Part}
    for part, word, number in _figures(
        workspace.pk, now + expiry.SOON, now - listing.UNUSED_AFTER, keys=tuple(sealed.key_ids())
    ):
        if part > Part.LOST:
            ids[part] += filter(None, [word])
            continue
        counts[word or NEVER] += number if part <= Part.ALL else -number
        if part in INSTEAD:
            counts[INSTEAD[part]] += number
    found = dict.fromkeys(one for part in Part if part > Part.UNUSED for one in ids[part][:SHOWN])
    return Summary(
        counts,
        {listing.DUE: len(ids[Part.DUE]), listing.UNUSED: min(len(ids[Part.UNUSED]), COUNTED)},
        listing.rows_of([UUID(one) for one in found][:most]),
    )


def everywhere() -> dict[str, int]:
    """Return the number of AI LLMs in every state in the whole installation; three queries."""
    found, rows = dict.fromkeys(STATES, 0), AiLlm.objects.filter(deleted_at=None)
    lost = Credential.objects.exclude(key_id__in=sealed.key_ids())
    bare = Q(credential=None, keyless=False) | Q(credential__in=lost)
    for verdict, number in _by_verdict(rows):
        found[verdict or NEVER] += number
    for state, few in (
        (DISABLED, rows.filter(disabled_at__isnull=False)),
        (UNAVAILABLE, rows.filter(bare, disabled_at=None)),
    ):
        for verdict, number in _by_verdict(few):
            found[verdict or NEVER] -= number
            found[state] += number
    return found


@prepared
def _figures(workspace: UUID, soon: datetime, old: datetime, *, keys: Sequence[str]) -> list[QuerySet[Any, Any]]:
    """Return the parts, each as lines of a word (a verdict or an id) and a number. An index answers every one."""
    rows = AiLlm.objects.of(workspace)
    enabled = rows.filter(disabled_at=None)
    bare, lost = enabled.filter(credential=None, keyless=False), listing.lost(workspace, keys)
    rejected, undecided = _with(enabled, Verdict.REJECTED), _with(enabled, Verdict.UNDECIDED)
    # Rejected again and again, and not just once. They have an index; the verdict alone would be looked up in another.
    alerted = (
        enabled.filter(attention_at__isnull=False).annotate(said=_apart("verdict")).filter(said=Verdict.REJECTED.value)
    )
    return [
        *[_number(_with(rows, word), word) for word in WORDS],
        *map(_by_verdict, (rows.filter(disabled_at__isnull=False), bare, lost)),
        _unused(rows.filter(created_at__lte=old)),
        _ids(bare.order_by(_apart("name_key")), SHOWN),
        _ids(lost.order_by("name_key"), SHOWN),
        _ids(alerted.order_by("name_key"), SHOWN),
        _ids(rejected.order_by("name_key"), SHOWN),
        _ids(enabled.filter(due_at__lte=soon).order_by("due_at", "name_key"), COUNTED),
        _ids(undecided.exclude(last_check__cause__in=listing.NEEDS_NOBODY).order_by("name_key"), SHOWN),
        _ids(_with(enabled, "").order_by("name_key"), SHOWN),
    ]


def _with(rows: "QuerySet[AiLlm]", verdict: str) -> "QuerySet[AiLlm]":
    return rows.filter(verdict=str(verdict))


def _apart(column: str) -> Concat:
    """Return a text column as an expression, for which no database reads an index."""
    return Concat(column, Value(""))


def _number(rows: "QuerySet[AiLlm]", word: str) -> "QuerySet[AiLlm, Any]":
    return rows.order_by().annotate(number=listing.NUMBER).values_list(Value(word, TextField()), "number")


def _by_verdict(rows: "QuerySet[AiLlm]") -> "QuerySet[AiLlm, Any]":
    return rows.order_by().values_list("verdict").annotate(number=Count("*"))


def _unused(rows: "QuerySet[AiLlm]") -> "QuerySet[AiLlm, Any]":
    # A line for each that was looked at, so that the database begins with the oldest; an empty one when it is used.
    used = Exists(AiLlm.objects.filter(pk=OuterRef("pk"), attachments__isnull=False))
    line = Case(When(used, then=Value("")), default=Cast("pk", TextField()), output_field=TextField())
    return rows.order_by("created_at").values_list(line, Value(0))[:EXAMINED]


def _ids(rows: "QuerySet[AiLlm]", most: int) -> "QuerySet[AiLlm, Any]":
    return rows.values_list(Cast("pk", TextField()), Value(0))[:most]
