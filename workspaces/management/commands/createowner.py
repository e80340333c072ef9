"""`manage.py createowner`: what the one-time link does, without a browser."""

import os
import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from flashback import keyring, names
from flashback.errors import Invalid
from workspaces import organizations
from workspaces.access import OrganizationRole
from workspaces.management.commands import up
from workspaces.models import Organization, User

VARIABLE = "FLASHBACK_OWNER_PASSWORD"


class Command(BaseCommand):
    """Create an organization with its owner and first workspace."""

    help = (
        "Create an organization, its owner and its first workspace. "
        f"The password comes from {VARIABLE}, from a prompt, or from the first line of standard input."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what the setup page asks for, except the password: arguments end up in process lists and histories."""
        parser.add_argument("--email", required=True, help="the owner signs in with it")
        parser.add_argument("--organization", required=True)
        parser.add_argument("--workspace", required=True, help="the first workspace")
        parser.add_argument("--name", default="", help="the owner's first name")
        parser.add_argument("--last-name", default="", help="the owner's last name")

    def handle(self, *_args: Any, email: str, organization: str, workspace: str, **options: Any) -> None:
        """Make the data folder ready and create all three, or change nothing and say why (CommandError)."""
        prepare()
        if self.exists_already(email, organization):
            return
        password = read_password(VARIABLE, "owner")
        try:
            owner = organizations.found(
                organization=organization,
                workspace=workspace,
                email=email,
                name=options["name"],
                last_name=options["last_name"],
                password=password,
            )
        except Invalid as invalid:
            raise CommandError("Nothing was created. " + " ".join(describe(invalid))) from None
        self.stdout.write(f"{owner.email} owns {owner.organization}. Sign in at {settings.PUBLIC_URL}/account/login")

    def exists_already(self, email: str, organization: str) -> bool:
        """Say so when this very owner is there. Raises CommandError when only one of the two is taken."""
        person = User.objects.filter(email=email.strip().lower()).select_related("organization").first()
        tenant = Organization.objects.filter(name_key=names.key(" ".join(organization.split()))).first()
        if person and tenant and is_owner(person, tenant):
            self.stdout.write(f"{person.email} owns {tenant.name} already. Nothing was changed.")
            return True
        if person:
            raise CommandError(
                f"There is already a person with the e-mail address {person.email}. Nothing was changed."
            )
        if tenant:
            raise CommandError(f"There is already an organization named {tenant.name}. Nothing was changed.")
        return False


def is_owner(person: User, organization: Organization) -> bool:
    """Return whether `person` is an owner of `organization`."""
    return person.organization_id == organization.pk and person.organization_role == OrganizationRole.OWNER


def prepare() -> None:
    """Make data folder, keys and tables ready, as `manage.py up` does."""
    up.make_data_folder(settings.DATA_DIR)
    with up.alone(settings.DATA_DIR / "up.lock"):
        keyring.keep(settings.KEYS_PENDING)
        up.migrate()


def read_password(variable: str, whose: str) -> str:
    """Return the password of the new `whose` ("owner") as it was given, blanks included.

    It comes from the environment's `variable`, the first line of standard input, or a prompt. Raises CommandError when
    two typed ones differ.
    """
    if given := os.environ.get(variable):
        return given
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    typed = getpass(f"Password of the new {whose}: ")
    if getpass("The same again: ") != typed:
        raise CommandError("The two passwords differ. Nothing was created.")
    return typed


def describe(invalid: Invalid) -> list[str]:
    """Return what is wrong, each sentence with the option that it is about."""
    return [
        f"--{field.replace('_', '-')}: {message}" if field not in {"", "password"} else message
        for field, message in invalid.errors.items()
    ]
