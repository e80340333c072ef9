"""`manage.py createstaff`: somebody who supports the people of every organization, without seeing a secret."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from flashback.errors import Conflict, Invalid
from workspaces import people
from workspaces.management.commands.createowner import describe, prepare, read_password
from workspaces.models import User

VARIABLE = "FLASHBACK_STAFF_PASSWORD"


class Command(BaseCommand):
    """Create a person of the group Support, or add one who is there already."""

    help = (
        "Create somebody of the installation's staff, in the group Support, or add an existing person to it. "
        f"The password of a new person comes from {VARIABLE}, from a prompt, or from the first line of standard input."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take everything but the password: arguments end up in process lists and histories."""
        parser.add_argument("--email", required=True, help="the person signs in with it")
        parser.add_argument("--name", default="", help="the person's name")

    def handle(self, *_args: Any, email: str, name: str, **_options: Any) -> None:
        """Make the data folder ready and the person staff, or change nothing and say why (CommandError)."""
        prepare()
        known = User.objects.filter(email=email.strip().lower()).exists()
        password = "" if known else read_password(VARIABLE, "person")
        try:
            person = people.enlist(email, name=name, password=password)
        except Invalid as invalid:
            raise CommandError("Nothing was changed. " + " ".join(describe(invalid))) from None
        except Conflict as conflict:
            raise CommandError(f"Nothing was changed. {conflict.message}") from None
        self.stdout.write(f"{person.email} belongs to Support. Sign in at {settings.PUBLIC_URL}/admin/")
