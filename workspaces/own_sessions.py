"""Where a person is signed in: sessions, listed and ended. The key of one is never shown, only a mark of it."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from flashback.errors import NotFound
from workspaces import events
from workspaces.account_models import Session
from workspaces.models import User
from workspaces.sessions import AGENT, CONSOLE, IP, SEEN_AT, SIGNED_IN_AT

MOST = 200  # sessions looked at; one that nobody used for twelve hours is over and does not count
UNKNOWN = "Unknown program"


@dataclass(frozen=True)
class OwnSession:
    """One place where a person is signed in. `mark` names it on pages; `here` is the one that asks."""

    mark: str
    program: str
    ip: str
    signed_in_at: datetime
    seen_at: datetime
    here: bool


def of(person: User, current: str | None) -> list[OwnSession]:
    """Return where `person` is signed in, the session with the key `current` first, then the last seen first."""
    found = [_told(row.session_key, data, current) for row, data in _alive(person)]
    return sorted(found, key=lambda one: (not one.here, -one.seen_at.timestamp()))


def end(person: User, mark: str) -> None:
    """End one session at once. Records `person.session_ended`. Raises `NotFound` when it is over already."""
    with transaction.atomic():
        ending = [(row, data) for row, data in _alive(person) if constant_time_compare(_mark(row.session_key), mark)]
        if not ending:
            raise NotFound("This session is over already.")
        _end(person, ending)


def end_others(person: User, current: str | None) -> int:
    """End every session of `person` but the one with the key `current`; return how many.

    Records `person.session_ended` when there were any.
    """
    with transaction.atomic():
        ending = [(row, data) for row, data in _alive(person) if row.session_key != current]
        # Those that are over for their age are not worth a word, and go as well.
        Session.objects.filter(user_id=person.pk).exclude(session_key=current or "").delete()
        if ending:
            _end(person, ending)
    return len(ending)


def _end(person: User, ending: list[tuple[Session, dict[str, Any]]]) -> None:
    Session.objects.filter(session_key__in=[row.session_key for row, _ in ending]).delete()
    where = [f"{data.get(AGENT) or UNKNOWN}, {data.get(IP) or 'unknown address'}" for _, data in ending]
    events.record(person, "person.session_ended", person, details={"sessions": where})


def _alive(person: User) -> list[tuple[Session, dict[str, Any]]]:
    now, expected = time.time(), person.get_session_auth_hash()
    rows = Session.objects.filter(user_id=person.pk, expire_date__gt=timezone.now()).order_by("-expire_date")[:MOST]
    decoded = [(row, row.get_decoded()) for row in rows]
    return [
        (row, data)
        for row, data in decoded
        if constant_time_compare(data.get(HASH_SESSION_KEY, ""), expected)
        and now - data.get(SEEN_AT, now) <= CONSOLE.idle
        and now - data.get(SIGNED_IN_AT, now) <= CONSOLE.whole
    ]


def _told(key: str, data: dict[str, Any], current: str | None) -> OwnSession:
    seen = data.get(SEEN_AT, 0)
    return OwnSession(
        mark=_mark(key),
        program=data.get(AGENT) or UNKNOWN,
        ip=data.get(IP, ""),
        signed_in_at=datetime.fromtimestamp(data.get(SIGNED_IN_AT, seen), UTC),
        seen_at=datetime.fromtimestamp(seen, UTC),
        here=key == current,
    )


def _mark(key: str) -> str:
    return salted_hmac("workspaces.own_sessions", key, algorithm="sha256").hexdigest()[:24]
