"""Whether the audit log is whole, and how its oldest part is taken away so that the rest still proves itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Min

from workspaces import append_only, chain, events, sources
from workspaces.models import ActorKind, AuditHead, Event, Organization
from workspaces.read_models import ReadMark

BATCH = 5000
CHANGED = "changed: its columns do not belong to its digest"
REPLACED = "put in or replaced: it does not follow the event before it"
MOVED = "changed: its id does not follow that of the event before it"
BEYOND = "inserted: the chain ends before it"
HEAD_CHANGED = "changed: the chain ends with another digest"
NO_SEAL = "not sealed by a key of this installation: the chain may have been made anew up to here"
NO_HEAD = "the chain has lost its head: events at its end may be missing"
NO_CHAIN = "all events of this organization are gone"
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Fault:
    """The first thing that is wrong in one chain. `number` counts within the chain; `id` and `at` name the row."""

    chain: UUID
    what: str
    number: int = 0
    id: int | None = None
    at: datetime | None = None


def chains(organization: Organization | None = None) -> list[UUID]:
    """Return the chains there are, or should be: of one organization, or of all and of the installation."""
    if organization is not None:
        return [organization.pk]
    known = {*AuditHead.objects.values_list("pk", flat=True), *Event.objects.values_list("chain", flat=True).distinct()}
    return sorted(known | set(Organization.objects.values_list("pk", flat=True)))


def verify(one: UUID, progress: Progress = lambda _: None) -> Fault | None:
    """Return the first fault of a chain, None when it is whole. Reads it from its beginning; servers may go on writing.

    `progress` hears how many events of this chain were read.
    """
    head = AuditHead.objects.filter(pk=one).first()
    if head is None:
        some = Event.objects.filter(chain=one).exists()
        return Fault(one, NO_HEAD if some else NO_CHAIN) if some or one != chain.INSTALLATION else None
    fault, last = _walk(head, progress)
    if fault is None and last != (head.number, head.digest):
        fault = _cut_off(head, last[0])
    if fault is None and not chain.is_ours(head):
        fault = _at(head, NO_SEAL)
    return fault or _beyond(one)


def prune(before: datetime, progress: Progress = lambda _: None) -> int:
    """Delete the events of every chain that are older than `before`; return how many.

    A chain loses its oldest part only, so what is left can still be verified: its head remembers where it begins now.
    Records `audit.pruned` in each chain that lost something.
    """
    total = 0
    for one in AuditHead.objects.values_list("pk", flat=True):
        total += _prune(one, before)
        progress(total)
    return total


def _walk(head: AuditHead, progress: Progress) -> tuple[Fault | None, tuple[int, str]]:
    number, previous, newest_id = head.pruned, head.pruned_digest, 0
    for count, row in enumerate(_rows(head), start=1):
        row_id, own, *values = row
        _, at_number, its_previous, at = values[:4]
        what = ""
        if chain.digest(values) != own:
            what = CHANGED
        elif at_number != number + 1:
            what = _gap(number + 1, at_number)
        elif its_previous != previous:
            what = REPLACED
        elif row_id <= newest_id:
            what = MOVED
        if what:
            return Fault(head.chain, what, at_number, row_id, at), (number, previous)
        number, previous, newest_id = at_number, own, row_id
        progress(count)
    return None, (number, previous)


def _rows(head: AuditHead) -> Iterator[tuple[Any, ...]]:
    rows = Event.objects.filter(chain=head.chain, number__lte=head.number).order_by("number")
    columns, last = rows.values_list("id", "digest", *chain.FIELDS), -1
    # Page by page: a statement that reads everything may take longer than statements are given.
    while batch := list(columns.filter(number__gt=last)[:BATCH]):
        yield from batch
        last = batch[-1][3]


def _gap(expected: int, number: int) -> str:
    if number < expected:
        return BEYOND
    missing = number - expected
    return f"removed: {missing} event{'' if missing == 1 else 's'} before it, from number {expected} on"


def _cut_off(head: AuditHead, number: int) -> Fault:
    missing = head.number - number
    what = f"removed: the newest {missing} of the chain" if missing > 0 else HEAD_CHANGED
    return _at(head, what)


def _at(head: AuditHead, what: str) -> Fault:
    last = Event.objects.filter(chain=head.chain).order_by("number").last()
    return Fault(head.chain, what, last.number, last.id, last.at) if last else Fault(head.chain, what, head.number)


def _beyond(one: UUID) -> Fault | None:
    # Asked in this order, because both are written at once: what is newer than the head was not written by us.
    last = Event.objects.filter(chain=one).order_by("number").last()
    head = AuditHead.objects.get(pk=one)
    return Fault(one, BEYOND, last.number, last.id, last.at) if last and last.number > head.number else None


def _prune(one: UUID, before: datetime) -> int:
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
        head = chain.held(one)
        ours = chain.is_ours(head)
        rows = Event.objects.filter(chain=one)
        kept = rows.filter(at__gte=before).aggregate(first=Min("number"))["first"]
        doomed = rows.filter(number__lt=kept) if kept else rows
        last = doomed.order_by("number").last()
        if last is None:
            return 0
        ReadMark.objects.filter(event_id__in=doomed.values("pk")).delete()
        with append_only.lifted():
            number, _ = doomed.delete()
        head.pruned, head.pruned_digest = last.number, last.digest
        chain.keep(head, ours=ours)
        _record(one, {"before": f"{before:%Y-%m-%d %H:%M} UTC", "events": number, "last_number": last.number})
    return number


def _record(one: UUID, details: dict[str, object]) -> None:
    organization = Organization.objects.filter(pk=one).first()
    with sources.using(kind=ActorKind.COMMAND, via="manage.py audit prune"):
        events.record(None, "audit.pruned", organization, organization=organization, details=details)
