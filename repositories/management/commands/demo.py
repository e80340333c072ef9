"""`manage.py demo`: a sample organization to look around in, made offline."""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ai_llm.sandbox import Sandbox, certificate
from flashback import outbound
from flashback.allowlist import current_allow, is_listed
from flashback.errors import Conflict, Invalid
from repositories import demo
from workspaces.management.commands.createowner import describe, prepare
from workspaces.models import Organization

LOOPBACK = "127.0.0.1"
PEOPLE = (
    ("olivia", "owner of the organization"),
    ("tom", "ADMIN of two workspaces"),
    ("priya", "WRITE"),
    ("rita", "READ"),
)


class Command(BaseCommand):
    """Fill a sample organization, or say where it is."""

    help = "Make a sample organization with workspaces, people, AI LLMs in every state, repositories and keys."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the consent to put the sample beside what is stored."""
        parser.add_argument("--beside", action="store_true", help="also where other organizations are stored")

    def handle(self, *_args: Any, beside: bool, **_options: Any) -> None:
        """Make what is missing and say how to sign in. Raises CommandError with one line, having changed nothing."""
        refuse_production()
        prepare()
        if demo.founder() is None:
            refuse_others(beside=beside)
            self.stdout.write("Making the sample organization; this takes some seconds.")
            self.stdout.flush()
        try:
            with sandbox() as origin:
                owner = demo.fill(origin)
        except Invalid as invalid:
            raise CommandError("The sample cannot be made. " + " ".join(describe(invalid))) from None
        except Conflict as conflict:
            raise CommandError(f"{conflict.message} Then run this again: it goes on where it stopped.") from None
        self.conclude(owner.email.partition("@")[2])

    def conclude(self, domain: str) -> None:
        """Print how to sign in, and what else there is to know."""
        bold, write = self.style.MIGRATE_HEADING, self.stdout.write
        write(bold(f"\n  {demo.ORGANIZATION} is ready. Nothing in it is real, and its secrets open nothing.\n"))
        write(f"  Sign in at  {settings.PUBLIC_URL}/account/login")
        for name, role in PEOPLE:
            write(f"  {'as' if name == PEOPLE[0][0] else 'or':<12}{f'{name}@{domain}':<28}{role}")
        write(f"  {'password':<12}{demo.password():<28}of everybody in the sample, on this installation only\n")
        write("  Start the console with make run. To validate again, start the sandbox provider: make sandbox")
        write("  Your own organization, beside it: manage.py createowner\n")


def refuse_production() -> None:
    """Raise CommandError where people work: a sample with a printed password has no place there."""
    if settings.PRODUCTION:
        raise CommandError("This is a production installation (FLASHBACK_ENV). The sample is made elsewhere.")
    if not is_listed(ip_address(LOOPBACK), LOOPBACK, settings.SANDBOX_PORT, current_allow()):
        raise CommandError(
            f"The sample's checks ask the sandbox provider on this machine. Unset FLASHBACK_PUBLIC_URL, or set "
            f"FLASHBACK_OUTBOUND_ALLOW={LOOPBACK}:{settings.SANDBOX_PORT}."
        )


def refuse_others(*, beside: bool) -> None:
    """Raise CommandError when something else is stored here, unless the sample may stand beside it."""
    if Organization.objects.exists() and not beside:
        raise CommandError(
            "This installation holds data of its own, so nothing was made. Make the sample as one more "
            "organization with make demo DEMO=--beside (manage.py demo --beside), or use another FLASHBACK_DATA_DIR."
        )


@contextmanager
def sandbox() -> Iterator[str]:
    """Yield the origin of a running sandbox provider: the one of `make sandbox`, or one for the time being."""
    origin = f"http://{LOOPBACK}:{settings.SANDBOX_PORT}"
    try:
        started = Sandbox(port=settings.SANDBOX_PORT, also_tls=certificate.untrusted())
    except OSError:
        yield _running(origin)
        return
    with started:
        yield origin


def _running(origin: str) -> str:
    """Return `origin` when the sandbox provider answers there; otherwise another program has its port."""
    request = outbound.Request("GET", f"{origin}/vertex/service-account.json")
    try:
        answer = outbound.send(request, secrets=[], origins=[origin], total=5)
    except outbound.Failure:
        answer = None
    if answer is not None and b"service_account" in answer.body:
        return origin
    raise CommandError(f"Another program uses port {settings.SANDBOX_PORT}. Stop it, then run this again.")
