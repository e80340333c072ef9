"""`manage.py secrets`: check what is sealed, move it to a new key, make a key."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ai_llm import key_use, resealing
from ai_llm.resealing import State
from flashback import keyring
from flashback.progress import Bar


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
        actions.add_parser("new-key", aliases=["newkey"], help="print one new key for FLASHBACK_FIELD_KEYS")

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
        bar = Bar(resealing.number())
        report = resealing.check(bar.show)
        bar.end()
        self.stdout.write("  ".join(["key id  ", *(f"{state:>16}" for state in State)]))
        for key_id, counts in sorted(report.counts.items()):
            self.stdout.write("  ".join([f"{key_id:<8}", *(f"{counts[state]:>16}" for state in State)]))
        for row, state in report.failed.items():
            self.stdout.write(f"{row}  {state}")
        for line in missing():
            self.stdout.write(line)
        if report.failed:
            raise CommandError(f"{len(report.failed)} secrets do not open. Put their key back, or enter them again.")

    def rotate(self, *, dry_run: bool) -> None:
        """Reseal, and print what was done."""
        bar = Bar(resealing.number())
        outcome = resealing.reseal(dry_run=dry_run, progress=bar.show)
        bar.end()
        verb = "would move" if dry_run else "moved"
        self.stdout.write(
            f"{outcome.changed} {verb} to the first key, {outcome.current} were there, "
            f"{outcome.overtaken} changed meanwhile, {outcome.failed} do not open."
        )
        if outcome.chains_left:
            self.stderr.write(
                f"{outcome.chains_left} chains of the audit log carry no seal of a key at hand and were left as they "
                "are; see manage.py audit verify."
            )
        if outcome.failed:
            raise CommandError(
                "Some secrets do not open; manage.py secrets check names them. They were left as they are."
            )


def missing() -> Iterator[str]:
    """Yield one line for each key that something needs and that is not at hand."""
    for key in key_use.of_each():
        if not key.held:
            needs = f"{key.secrets} secrets and {key.chains} chains of the audit log need it"
            yield f"The key {key.id} is not at hand: {needs}."
