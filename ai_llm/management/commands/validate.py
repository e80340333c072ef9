"""`manage.py validate`: the scheduled checks, for cron."""

import argparse
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone

from ai_llm import alerts, schedule
from ai_llm.models import NEVER, STATES
from ai_llm.schedule import Outcome, Plan, Tally
from flashback.progress import Bar
from workspaces.models import Workspace

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST = timedelta(days=365)
FAULTS = {
    "busy": "not checked, other checks of this host were running",
    "changed": "changed while it was checked, nothing was kept",
    "failed": "not checked, an error of this installation",
}


class Command(BaseCommand):
    """Check the AI LLMs whose last check is too old. One line for each in a log, a progress bar on a terminal."""

    help = (
        "Check stored AI LLMs whose last check is older than --stale; made for cron, safe to overlap. Exit code 0: "
        "nothing got worse; 1: a state changed for the worse, or a check met an error; 2: refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the age, the workspace, and how much at once."""
        parser.add_argument("--stale", type=duration, required=True, help="check again after: 90s, 30m, 6h or 2d")
        parser.add_argument("--workspace", default="", help="slug or id of the only workspace to look at")
        parser.add_argument("--limit", type=_count, default=0, help="check at most so many (all that are due)")
        parser.add_argument("--workers", type=_count, default=4, help="checks at once (4)")

    def handle(self, *_: Any, **options: Any) -> None:
        """Run once. Raises CommandError with exit code 1 when something got worse, and 2 when it refuses to start."""
        most = settings.WEB_THREADS // 2
        if options["workers"] > most:
            raise CommandError(f"At most {most} checks can run at once: lower --workers.", returncode=2)
        workspace = _workspace(options["workspace"])
        plan = Plan(options["stale"], timezone.now(), workspace, options["limit"], options["workers"])
        tally = self._run(plan)
        mails = alerts.Sent() if tally.stopped else alerts.send_due(workspace)
        self.stdout.write(summary(tally, mails))
        if tally.worse or tally.faults["failed"]:
            raise CommandError(_complaint(tally), returncode=1)

    def _run(self, plan: Plan) -> Tally:
        total = plan.due().count()
        bar = Bar(min(total, plan.limit) if plan.limit else total)
        done = 0

        def report(outcome: Outcome) -> None:
            nonlocal done
            done += 1
            if not bar.visible:
                self.stdout.write(line(outcome))
                self.stdout.flush()
            bar.show(done)

        with _ending() as stop:
            tally = schedule.run(plan, report=report, stop=stop)
        bar.end()
        return tally


def duration(text: str) -> timedelta:
    """Return the span that "90s", "30m", "6h" or "2d" means, at most a year. Raises ArgumentTypeError."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time; write a number and a unit: 90s, 30m, 6h or 2d.")
    span = timedelta(seconds=int(match[1]) * UNITS[match[2]])
    if span > LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is too long; a year (365d) is the most.")
    return span


def line(outcome: Outcome) -> str:
    """Return the line of a log about one AI LLM: when, where, what it was and is. It holds nothing of a provider."""
    place = f"{timezone.now():%Y-%m-%dT%H:%M:%SZ} {outcome.workspace}/{outcome.name}"
    if outcome.fault:
        return f"{place}: {FAULTS[outcome.fault]}"
    before, after = (STATES[state or NEVER].lower() for state in (outcome.before, outcome.after))
    change = after if before == after else f"{before} -> {after}"
    return f"{place}: {change} ({outcome.cause}, {outcome.milliseconds} ms){' WORSE' if outcome.worse else ''}"


def summary(tally: Tally, mails: alerts.Sent) -> str:
    """Return the last line: what the run came to."""
    states = (f"{number} {STATES[state].lower()}" for state, number in sorted(tally.states.items()))
    parts = [f"{tally.checked} checked", *states]
    parts += [f"{number} {fault}" for fault, number in sorted(tally.faults.items())]
    if tally.unavailable:
        parts.append(f"{tally.unavailable} need their secret again and were not sent")
    if mails.sent:
        parts.append(f"mail sent for {mails.sent} workspace{'' if mails.sent == 1 else 's'}")
    if mails.unsent:
        parts.append(f"mail for {mails.unsent} not sent, a later run tries again")
    return f"{', '.join(parts)}.{' Stopped before the end.' if tally.stopped else ''}"


def _complaint(tally: Tally) -> str:
    parts = [f"{tally.worse} changed for the worse"] if tally.worse else []
    parts += [f"{tally.faults['failed']} met an error, see the log"] if tally.faults["failed"] else []
    return f"{', '.join(parts)}."


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 999999.")
    return int(text)


def _workspace(wanted: str) -> Workspace | None:
    """Return the workspace with this id or slug, None for "". Raises CommandError when there is not exactly one."""
    if not wanted:
        return None
    try:
        which = Q(pk=UUID(wanted))
    except ValueError:
        which = Q(slug=wanted)
    found = list(Workspace.objects.filter(which).select_related("organization")[:10])
    if not found:
        raise CommandError(f"There is no workspace {wanted!r}. Give its slug or its id.", returncode=2)
    if len(found) > 1:
        ids = ", ".join(f"{workspace.pk} ({workspace.organization})" for workspace in found)
        raise CommandError(f"Several organizations have a workspace {wanted!r}. Give its id: {ids}", returncode=2)
    return found[0]


@contextmanager
def _ending() -> Iterator[threading.Event]:
    """Yield what Ctrl-C and SIGTERM set: the run ends after the checks that run. A second signal ends it at once."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def end(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)
        sys.stderr.write("\nEnding after the checks that run now.\n")

    for number in before:
        signal.signal(number, end)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
