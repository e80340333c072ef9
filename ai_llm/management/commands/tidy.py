"""`manage.py tidy`: purge what has had its time; made for cron."""

from collections import Counter
from itertools import chain
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from ai_llm import lifecycle
from flashback import tidying
from flashback.progress import Bar


class Command(BaseCommand):
    """Purge secrets that rotation kept beyond their time, what was deleted 30 days ago, and ended sessions."""

    help = (
        "Purge what has had its time: secrets that rotation kept, AI LLMs and repositories deleted 30 days ago "
        "(their events stay), and sessions that have ended. Run it every few minutes to an hour; running it twice "
        "does no harm."
    )

    def handle(self, *_: Any, **__: Any) -> None:
        """Purge, and print how many of what."""
        numbers = Counter[str]()
        bar = Bar(lifecycle.untidy() + sum(step.left() for step in tidying.steps))
        purged = chain(lifecycle.tidy(), *(step.run() for step in tidying.steps))
        for done, (what, number) in enumerate(purged, start=1):
            numbers[what] += number
            bar.show(done)
        bar.end()
        call_command("clearsessions")
        said = ", ".join(f"{number} {what}" for what, number in numbers.items() if number)
        self.stdout.write(f"Purged {said}." if said else "There was nothing to purge.")
