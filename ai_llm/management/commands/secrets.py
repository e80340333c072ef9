"""`manage.py secrets`: check what is sealed, move it to a new key, make a key."""

import sys
from collections import defaultdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ai_llm import resealing
from ai_llm.resealing import State
from flashback import keyring

BAR = 40


class Command(BaseCommand):
    """Look after sealed secrets. Prints ids and counts, never a secret."""

    help = "Check sealed secrets, move them to the first key, or make a key. Prints ids and counts only."
    requires_system_checks: list[str] = []  # it must work when something else does not

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the three actions."""
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("check", help="open every stored secret; exit code 1 when one does not open")
        rotate = actions.add_parser("rotate", help="move every stored secret to the first key; safe while servers run")
        rotate.add_argument("--dry-run", action="store_true", help="count what would change, and change nothing")
        actions.add_parser("newkey", help="print one new key for FLASHBACK_FIELD_KEYS")

    def handle(self, *_: Any, **options: Any) -> None:
        """Run one action. Raises CommandError (exit code 1) when a secret does not open."""
        match options["action"]:
            case "check":
                self.check_all()
            case "rotate":
                self.rotate(dry_run=options["dry_run"])
            case _:
                self.stdout.write(keyring.new_field_key())

    def check_all(self) -> None:
        """Print a table of states per key id, then the ids of the rows that do not open."""
        counts: dict[str, dict[State, int]] = defaultdict(lambda: dict.fromkeys(State, 0))
        failed = []
        bar = Bar(resealing.filled().count())
        for done, (row, state) in enumerate(resealing.states(), start=1):
            counts[row.key_id or "(none)"][state] += 1
            if state.failed:
                failed.append(f"{row.pk}  {state}")
            bar.show(done)
        bar.end()
        self.stdout.write("  ".join(["key id  ", *(f"{state:>16}" for state in State)]))
        for key_id, row_counts in sorted(counts.items()):
            self.stdout.write("  ".join([f"{key_id:<8}", *(f"{row_counts[state]:>16}" for state in State)]))
        for line in failed:
            self.stdout.write(line)
        if failed:
            raise CommandError(
                f"{len(failed)} credentials do not open. Put their key back, or enter their secrets again."
            )

    def rotate(self, *, dry_run: bool) -> None:
        """Reseal, and print what was done."""
        bar = Bar(resealing.filled().count())
        outcome = resealing.reseal(dry_run=dry_run, progress=bar.show)
        bar.end()
        verb = "would move" if dry_run else "moved"
        self.stdout.write(
            f"{outcome.changed} {verb} to the first key, {outcome.current} were there, "
            f"{outcome.overtaken} changed meanwhile, {outcome.failed} do not open."
        )
        if outcome.failed:
            raise CommandError(
                "Some credentials do not open; manage.py secrets check names them. They were left as they are."
            )


class Bar:
    """A progress bar on standard error; silent when that is not a terminal."""

    def __init__(self, total: int) -> None:
        self.total = max(total, 1)
        self.shown = -1
        self.visible = sys.stderr.isatty()

    def show(self, done: int) -> None:
        """Draw the bar when it looks different from before."""
        cells = min(done, self.total) * BAR // self.total
        if self.visible and cells != self.shown:
            self.shown = cells
            sys.stderr.write(f"\r[{'#' * cells}{' ' * (BAR - cells)}] {done}/{self.total}")
            sys.stderr.flush()

    def end(self) -> None:
        """Leave the line."""
        if self.visible:
            sys.stderr.write("\n")
