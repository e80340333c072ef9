"""Scheduled checks: which AI LLMs are due, and one run over them by a few threads.

Several runs may overlap, on one machine or on several. Each AI LLM is taken by compare and swap on `lease_until`, so a
run that was killed holds nothing back for longer than the lease, and none has to be told that another is running.
"""

import logging
import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from django.db import connections, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from ai_llm import history, validation
from ai_llm.models import AiLlm, Check
from ai_llm.outcomes import Result
from flashback import sealed
from flashback.errors import Conflict
from flashback.lanes import PER_SLOT
from workspaces.models import Workspace

LEASE = timedelta(minutes=3)
LONGEST_PAUSE = timedelta(hours=24)
SHORTEST_PAUSE = timedelta(minutes=1)
# The next check is put off by up to this share more, so that what was checked together drifts apart.
SPREAD = 0.25
BUSY_PAUSES = (1.0, 2.0, 4.0)
READ_AT_ONCE, MOST_WAITING = 100, 2000

_log = logging.getLogger("flashback.schedule")


@dataclass(frozen=True)
class Outcome:
    """What became of one AI LLM: its state before and after, "" being never validated.

    `fault` is "" for a check that was kept; busy, changed (meanwhile, nothing kept) or failed (an error of our own).
    """

    name: str
    workspace: str
    before: str
    after: str
    cause: str = ""
    milliseconds: int = 0
    fault: str = ""

    @property
    def worse(self) -> bool:
        """Whether the state is worse than before."""
        return not self.fault and history.worse(self.before, self.after)


@dataclass
class Tally:
    """What a run came to. `unavailable` were due but never sent, because their secret has to be entered again."""

    unavailable: int = 0
    checked: int = 0
    worse: int = 0
    stopped: bool = False
    states: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        if outcome.fault:
            self.faults[outcome.fault] += 1
            return
        self.checked += 1
        self.worse += outcome.worse
        self.states[outcome.after] += 1


@dataclass(frozen=True)
class Plan:
    """What a run is asked to do: `stale` is the age from which a check is too old, `limit` 0 means all that are due."""

    stale: timedelta
    began: datetime
    workspace: Workspace | None = None
    limit: int = 0
    workers: int = 4

    def due(self) -> "QuerySet[AiLlm]":
        """Return what is due and can be sent, the longest unchecked first."""
        lost = Q(keyless=False) & (Q(credential=None) | ~Q(credential__key_id__in=sealed.key_ids()))
        return self._due().exclude(lost).order_by(F("last_check__at").asc(nulls_first=True), "pk")

    def unavailable(self) -> int:
        """Return how many are due but have no secret that a key of this installation opens."""
        lost = Q(credential=None) | ~Q(credential__key_id__in=sealed.key_ids())
        return self._due().filter(lost, keyless=False).count()

    def _due(self) -> "QuerySet[AiLlm]":
        rows: QuerySet[AiLlm] = AiLlm.objects.filter(_free(timezone.now()))
        if self.workspace is not None:
            rows = rows.filter(workspace=self.workspace)
        fresh = Check.objects.filter(ai_llm=OuterRef("pk"), at__gt=self.began - self.stale)
        return rows.filter(Q(last_check=None) | ~Exists(fresh))


def _free(now: datetime) -> Q:
    """The conditions that stand in the row itself: what a compare and swap can hold on to."""
    passed = Q(check_after=None) | Q(check_after__lte=now)
    # A lease that no run can have taken yet is of a time when the clock was ahead.
    unheld = Q(lease_until=None) | Q(lease_until__lte=now) | Q(lease_until__gt=now + 2 * LEASE)
    return Q(deleted_at=None, disabled_at=None, scheduled=True) & passed & unheld


class Due(NamedTuple):
    """An AI LLM that waits for its turn; `lane` is what only two checks may use at once."""

    pk: UUID
    lane: tuple[UUID, str]


def run(plan: Plan, *, report: Callable[[Outcome], None], stop: threading.Event) -> Tally:
    """Check what is due, and return what it came to. `report` hears each outcome, in this thread.

    When `stop` is set nothing more is begun, and the checks that run come to their end. Holds a few thousand ids at
    most, however many AI LLMs there are. Errors of a single check are logged and counted.
    """
    tally, queue = Tally(unavailable=plan.unavailable()), _Queue(plan)
    running: dict[Future[Outcome | None], Due] = {}
    with ThreadPoolExecutor(plan.workers, thread_name_prefix="check") as pool:
        while True:
            while not stop.is_set() and len(running) < plan.workers and (due := queue.take(running.values())):
                running[pool.submit(check, due.pk, plan, stop)] = due
            if not running:
                break
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                del running[done]
                outcome = done.result()
                if outcome is not None:
                    tally.add(outcome)
                    report(outcome)
    tally.stopped = stop.is_set()
    return tally


class _Queue:
    """Reads what is due a few at a time, and gives out what may run beside what runs already."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.left = plan.limit or None
        self.waiting = deque[Due]()
        self.empty = False

    def take(self, running: Collection[Due]) -> Due | None:
        """Return the next one whose lane has room, or None."""
        if self.left == 0:
            return None
        lanes = Counter(due.lane for due in running)
        found = self._next(lanes)
        while found is None and self._read({due.pk for due in running}):
            found = self._next(lanes)
        if found is not None:
            self.waiting.remove(found)
            self.left = None if self.left is None else self.left - 1
        return found

    def _next(self, lanes: Counter[tuple[UUID, str]]) -> Due | None:
        return next((due for due in self.waiting if lanes[due.lane] < PER_SLOT), None)

    def _read(self, running: set[UUID]) -> bool:
        """Read some more of what is due. False when there is nothing new."""
        if self.empty or len(self.waiting) >= MOST_WAITING:
            return False
        # One that was begun a moment ago may not have its lease yet.
        known = running.union(due.pk for due in self.waiting)
        rows = self.plan.due().exclude(pk__in=known).values_list("pk", "workspace_id", "endpoint")[:READ_AT_ONCE]
        new = [Due(pk, (workspace, urlsplit(endpoint).hostname or "")) for pk, workspace, endpoint in rows]
        self.waiting.extend(new)
        self.empty = not new
        return bool(new)


def check(pk: UUID, plan: Plan, stop: threading.Event) -> Outcome | None:
    """Take one AI LLM, check it, keep the result and say when the next check is due. None when another run has it.

    Made for a thread of its own: it closes this thread's connections to the database. Never raises.
    """
    try:
        until = _take(pk)
        return _checked(pk, until, plan, stop) if until else None
    except Exception:
        # Whatever it was, the other checks go on; this one is tried again when its lease has ended.
        _log.exception("The scheduled check of %s met an error.", pk)
        return Outcome(str(pk), "", "", "", fault="failed")
    finally:
        connections.close_all()


def _take(pk: UUID) -> datetime | None:
    """Return the end of the lease that is ours now, or None when the AI LLM is not to be had."""
    now = timezone.now()
    taken = AiLlm.objects.filter(_free(now), pk=pk).update(lease_until=now + LEASE)
    return now + LEASE if taken else None


def _checked(pk: UUID, until: datetime, plan: Plan, stop: threading.Event) -> Outcome:
    tested = AiLlm.objects.select_related("workspace__organization", "credential").get(pk=pk)
    result = _in_turn(tested, stop)
    seen = Outcome(tested.name, tested.workspace.slug, tested.verdict, tested.verdict, result.cause)
    seen = replace(seen, milliseconds=result.milliseconds)
    leased = AiLlm.objects.filter(pk=pk, lease_until=until)
    if result.cause == "too_many_checks":
        leased.update(lease_until=None, check_after=timezone.now() + SHORTEST_PAUSE)
        return replace(seen, fault="busy")
    try:
        with transaction.atomic():
            history.keep(None, tested, result)
            row = AiLlm.objects.only("verdict", "failures").get(pk=pk)
            pause = pause_after(plan.stale, row.failures, result)
            leased.update(lease_until=None, check_after=timezone.now() + pause)
    except Conflict:
        leased.update(lease_until=None)
        return replace(seen, fault="changed")
    return replace(seen, after=row.verdict)


def _in_turn(tested: AiLlm, stop: threading.Event) -> Result:
    """Run the check; where other checks of this process use the lane, wait for it a little."""
    result = validation.run_stored(tested)
    for pause in BUSY_PAUSES:
        if result.cause != "too_many_checks" or stop.wait(pause):
            break
        result = validation.run_stored(tested)
    return result


def pause_after(stale: timedelta, failures: int, result: Result) -> timedelta:
    """Return how long to leave an AI LLM alone: `stale`, doubled with each failure in a row up to a day, and a bit.

    The bit, up to a quarter, is chance. A provider that said when to come back is not asked sooner.
    """
    longest = max(stale, LONGEST_PAUSE)
    doublings = min(max(failures - 1, 0), 16)
    pause = min(stale * (1 << doublings), longest)
    spread = pause * (1 + random.uniform(0, SPREAD))  # noqa: S311 - chance, not a secret
    asked = timedelta(seconds=min(_seconds(result), longest.total_seconds()))
    return max(spread, asked, SHORTEST_PAUSE)


def _seconds(result: Result) -> int:
    value = result.facts.get("retry_after", 0)
    return value if isinstance(value, int) else 0
