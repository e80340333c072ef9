"""`manage.py audit`: prove that the log is whole, seal it with a new key, take away its oldest part."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from flashback import names
from flashback.progress import Bar
from workspaces import append_only, chain, verification
from workspaces.models import AuditHead, Event, Organization

AGE = re.compile(r"(\d{1,5})d")


class Command(BaseCommand):
    """Look after the audit log."""

    help = "Verify the audit log (exit code 1 when it is broken), seal it with the first key, or prune old events."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the three actions."""
        actions = parser.add_subparsers(dest="action", required=True)
        verify = actions.add_parser("verify", help="read every chain; name the first broken event of each")
        verify.add_argument("--organization", metavar="NAME", help="only the chain of this organization")
        seal = actions.add_parser("seal", help="seal every chain with the first key, before an old key is taken away")
        seal.add_argument("--accept", action="store_true", help="also those that no key at hand has sealed")
        prune = actions.add_parser("prune", help="delete the oldest events; the rest can still be verified")
        bound = prune.add_mutually_exclusive_group(required=True)
        bound.add_argument("--before", type=day, dest="bound", metavar="DATE", help="older than this day, 2026-01-31")
        bound.add_argument("--keep", type=age, dest="bound", metavar="DAYS", help="older than so many days, 400d")

    def handle(self, *_: Any, **options: Any) -> None:
        """Run one action. Raises CommandError (exit code 1) when the log is not whole."""
        match options["action"]:
            case "verify":
                self.verify(options["organization"])
            case "seal":
                self.seal(accept=options["accept"])
            case _:
                self.prune(options["bound"])

    def verify(self, name: str | None) -> None:
        """Print each chain with its number of events and its head, then what is broken."""
        asked = organization(name) if name else None
        labels = dict(Organization.objects.values_list("pk", "name"))
        bar, done, faults = Bar(_size(asked)), 0, []
        for one in verification.chains(asked):
            fault = verification.verify(one, partial(advance, bar, done))
            head = AuditHead.objects.filter(pk=one).first()
            number = head.number - head.pruned if head else 0
            done += number
            label = labels.get(one, "the installation" if one == chain.INSTALLATION else f"{one} (deleted)")
            if fault:
                faults.append(f"{label}: {told(fault)}")
            elif head:
                self.stdout.write(f"{label}: {number} events, whole. Head {head.number} {head.digest}")
        bar.end()
        faults += [
            f"The database does not refuse changes: the trigger {name} is missing" for name in append_only.missing()
        ]
        for line in faults:
            self.stdout.write(self.style.ERROR(line))
        if faults:
            raise CommandError("The audit log is not whole.")

    def seal(self, *, accept: bool) -> None:
        """Seal the heads, and say how many stayed as they are."""
        done, left = chain.reseal(accept=accept)
        self.stdout.write(f"{done} chains are sealed with the first key.")
        if left:
            raise CommandError(
                f"{left} chains carry no seal of a key at hand and were left as they are. Look at manage.py audit "
                "verify; if you know why, accept them with: manage.py audit seal --accept"
            )

    def prune(self, before: datetime) -> None:
        """Delete what is older than `before`, and say how much that was."""
        number = verification.prune(before)
        self.stdout.write(f"{number} events from before {before:%Y-%m-%d} are deleted. The rest can still be verified.")


def advance(bar: Bar, before: int, count: int) -> None:
    """Show that `count` events of a chain were read, after `before` of others."""
    bar.show(before + count)


def organization(name: str) -> Organization:
    """Return the organization of this name. Raises CommandError when there is none."""
    found = Organization.objects.filter(name_key=names.key(name)).first()
    if found is None:
        raise CommandError(f"There is no organization named {name}.")
    return found


def told(fault: verification.Fault) -> str:
    """Return a fault as one line: which event, of when, and what is wrong with it."""
    if not fault.number:
        return fault.what
    row = f" (id {fault.id}, {fault.at:%Y-%m-%d %H:%M:%S} UTC)" if fault.id and fault.at else ""
    return f"event {fault.number}{row} {fault.what}"


def day(text: str) -> datetime:
    """Read a day as the moment at which it begins, UTC. Raises ArgumentTypeError."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no day. Write it as 2026-01-31.") from None


def age(text: str) -> datetime:
    """Read a number of days, such as 400d, as the moment so long ago. Raises ArgumentTypeError."""
    found = AGE.fullmatch(text)
    if not found:
        raise ArgumentTypeError(f"{text} is no number of days. Write it as 400d.")
    return timezone.now() - timedelta(days=int(found[1]))


def _size(asked: Organization | None) -> int:
    rows = Event.objects.filter(chain=asked.pk) if asked else Event.objects.all()
    return rows.count()
