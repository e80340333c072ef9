"""`manage.py tidy`: purge what has had its time; made for cron."""

from collections import Counter
from datetime import timedelta
from itertools import chain
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ai_llm import lifecycle
from flashback import clock, storage, tidying
from flashback.progress import Bar

MARK = "tidied.json"
TOLERATED = timedelta(hours=1)  # what time servers and a drifting clock may correct


class Command(BaseCommand):
    """Purge secrets that rotation kept beyond their time, what was deleted 30 days ago, and ended sessions."""

    help = (
        "Purge what has had its time: secrets that rotation kept, AI LLMs and repositories deleted 30 days ago "
        "(their events stay), and sessions that have ended. Run it every few minutes to an hour; running it twice "
        "does no harm."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the word that the clock is right."""
        parser.add_argument("--yes", action="store_true", help="the clock is right, though it was put forward")

    def handle(self, *_: Any, yes: bool, **__: Any) -> None:
        """Purge, and print how many of what. Raises CommandError, and purges nothing, after the clock was put forward.

        What is kept until a time would be lost too early by a clock that is wrong, and there is no way back.
        """
        mark = settings.DATA_DIR / MARK
        ahead = clock.put_forward(mark)
        if ahead > TOLERATED and not yes:
            raise CommandError(
                f"The clock was put forward by {_hours(ahead)} since the last run. Nothing was purged. Set the clock "
                "right, or run manage.py tidy --yes when it is right now."
            )
        self.purge()
        clock.note(mark)

    def purge(self) -> None:
        """Purge, and print how many of what."""
        numbers = Counter[str]()
        bar = Bar(lifecycle.untidy() + sum(step.left() for step in tidying.steps))
        purged = chain(lifecycle.tidy(), *(step.run() for step in tidying.steps))
        for done, (what, number) in enumerate(purged, start=1):
            numbers[what] += number
            bar.show(done)
        bar.end()
        call_command("clearsessions")
        storage.forget_purged()
        said = ", ".join(f"{number} {what}" for what, number in numbers.items() if number)
        self.stdout.write(f"Purged {said}." if said else "There was nothing to purge.")


def _hours(span: timedelta) -> str:
    hours = round(span / timedelta(hours=1))
    return f"{hours} hour{'' if hours == 1 else 's'}"
