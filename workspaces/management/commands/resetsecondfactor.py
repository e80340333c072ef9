"""`manage.py resetsecondfactor`: for somebody who lost both their app and their recovery codes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from flashback.errors import Conflict
from workspaces import second_factor
from workspaces.models import User


class Command(BaseCommand):
    """Take a lost second factor from a person."""

    help = "Take the second factor from a person who lost both app and recovery codes. Make sure that it is they."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the person's e-mail address."""
        parser.add_argument("--email", required=True, help="whose it is")

    def handle(self, *_arguments: Any, email: str, **_options: Any) -> None:
        """Take it, end their sessions, and mail them; or change nothing and say why (CommandError)."""
        person = User.objects.filter(email=email.strip().lower()).first()
        if person is None:
            raise CommandError(f"Nothing was changed. There is nobody with the address {email}.")
        try:
            second_factor.reset(None, person)
        except Conflict as conflict:
            raise CommandError(f"Nothing was changed. {conflict.message}") from None
        self.stdout.write(f"{person.email} signs in with the password alone again, and is signed out everywhere.")
