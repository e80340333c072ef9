"""`manage.py remind`: the daily mail about secrets that are due and AI LLMs that became rejected; made for cron."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ai_llm import reminders


class Command(BaseCommand):
    """Send each person at most one mail a day, and none when there is nothing new."""

    help = (
        "Send reminders: secrets within 30, 14 or 3 days of their end or past it, and AI LLMs that became rejected. "
        "One mail for each person and day at most. Run it once a day, or more often after a failure."
    )

    def handle(self, *_: Any, **__: Any) -> None:
        """Send, and print one line for each mail. Exit code 1 when one could not be sent."""
        outcomes = Counter[str]()
        for reminder in reminders.send_all():
            outcomes[reminder.outcome] += 1
            if reminder.outcome in {"sent", "unsent"}:
                self.stdout.write(f"{reminder.outcome:<7} {reminder.number:>4}  {reminder.person.email}")
        self.stdout.write(f"{outcomes['sent']} sent, {outcomes['again']} had today's mail already.")
        if outcomes["unsent"]:
            raise CommandError(f"{outcomes['unsent']} could not be sent; run this again when the mail server is back.")
