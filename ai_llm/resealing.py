"""Looking after what is sealed when keys change: what opens, what does not, and moving everything to the first key."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from ai_llm import credentials
from ai_llm.models import Credential
from flashback import sealed
from workspaces import chain, events, installation
from workspaces.account_models import SecondFactorSecret

Row = Credential | SecondFactorSecret

BATCH = 500
MOST_NAMED = 200  # of the rows that do not open, in the audit log
UNKNOWN = "(none)"


class State(StrEnum):
    """How a stored credential opens. The last three mean that its secret has to be entered again."""

    OK = "ok"
    ROTATION = "needs rotation"
    UNDECRYPTABLE = "undecryptable"
    MISMATCH = "context mismatch"
    PLAIN = "plain text"

    @property
    def failed(self) -> bool:
        """Whether the secret cannot be used."""
        return self not in {State.OK, State.ROTATION}


@dataclass
class Outcome:
    """What a run of `reseal` did: rows moved to the first key, rows that changed meanwhile, rows that do not open.

    `chains` of the audit log are sealed with the first key now; `chains_left` carry no seal of a key at hand.
    """

    changed: int = 0
    current: int = 0
    overtaken: int = 0
    failed: int = 0
    chains: int = 0
    chains_left: int = 0
    by_key: Counter[str] = field(default_factory=Counter)

    def as_details(self) -> Mapping[str, object]:
        """Return plain values for the audit log."""
        return {"changed": self.changed, "overtaken": self.overtaken, "failed": self.failed, "from": dict(self.by_key)}


@dataclass
class Report:
    """What a check of everything found: numbers of rows by key id and state, and the rows that do not open."""

    counts: dict[str, dict[State, int]] = field(default_factory=dict)
    failed: dict[str, State] = field(default_factory=dict)

    def add(self, row: Row, found: State) -> None:
        """Count one row."""
        of_key = self.counts.setdefault(row.key_id or UNKNOWN, dict.fromkeys(State, 0))
        of_key[found] += 1
        if found.failed:
            self.failed[str(row.pk)] = found

    def as_details(self) -> Mapping[str, object]:
        """Return plain values for the audit log: ids and counts."""
        total = {state.value: sum(of_key[state] for of_key in self.counts.values()) for state in State}
        return {"counts": total, "failed": dict(islice(self.failed.items(), MOST_NAMED))}


def check(progress: Callable[[int], None] = lambda _: None) -> Report:
    """Open everything that is sealed, and record `secrets.checked` with what was found. Keeps and shows no secret.

    `progress` hears the number of rows looked at. Without the keys that seal the audit log nothing is recorded.
    """
    report = Report()
    for done, (row, found) in enumerate(states(), start=1):
        report.add(row, found)
        progress(done)
    installation.record("secrets.checked", report.as_details())
    return report


def filled() -> "tuple[QuerySet[Credential], QuerySet[SecondFactorSecret]]":
    """Return the rows that hold something sealed: credentials, and what second factors work with."""
    credential = Q(secret__isnull=False) | Q(key__isnull=False)
    return Credential.objects.filter(credential), SecondFactorSecret.objects.filter(secret__isnull=False)


def number() -> int:
    """Return how many rows hold something sealed."""
    return sum(rows.count() for rows in filled())


def states() -> Iterator[tuple[Row, State]]:
    """Open everything that is sealed and yield each row with its state. Reads in batches; keeps no secret."""
    return ((row, state(row)) for batch in _batches() for row in batch)


def state(row: Row) -> State:
    """Return how the row opens: the worst of its sealed values decides."""
    order = list(State)
    return max((_state_of(row, value) for value in _values(row).values()), key=order.index)


def reseal(*, dry_run: bool = False, progress: Callable[[int], None] = lambda _: None) -> Outcome:
    """Move everything to the key that seals now, and record `secrets.resealed` with counts when any row moved.

    Safe beside running servers: each row changes by compare and swap in a statement of its own, so a newer secret wins,
    nobody waits for a lock, and a run that was killed is simply started again. Fingerprints are made anew, because they
    depend on the key; so are the seals of the audit log. `progress` hears the number of rows looked at. A dry run
    changes nothing and counts the same.
    """
    outcome, done = Outcome(), 0
    try:
        with _hasty_commits():
            for batch in _batches():
                for row in batch:
                    _reseal_row(row, outcome, dry_run=dry_run)
                    done += 1
                    progress(done)
    finally:
        if outcome.changed and not dry_run:
            events.record(None, "secrets.resealed", credentials.prove_key(), details=outcome.as_details())
    if not dry_run:
        outcome.chains, outcome.chains_left = chain.reseal()
    return outcome


@contextmanager
def _hasty_commits() -> Iterator[None]:
    """Let PostgreSQL not wait for the disk at each row; the event that follows waits, and for all rows before it.

    See https://www.postgresql.org/docs/current/wal-async-commit.html: a crash loses the last moments and damages
    nothing, and what is lost here is that some rows were moved. SQLite in WAL mode does the same by itself.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    try:
        yield
    finally:
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("RESET synchronous_commit")


def _batches() -> Iterator[Sequence[Row]]:
    for rows in filled():
        yield from _batches_of(rows)


def _batches_of(rows: "QuerySet[Any]") -> Iterator[Sequence[Row]]:
    ordered, last = rows.order_by("pk"), None
    while batch := list((ordered.filter(pk__gt=last) if last else ordered)[:BATCH]):
        yield batch
        last = batch[-1].pk


def _state_of(row: Row, value: sealed.Sealed) -> State:
    try:
        value.open(row.sealing_context())
    except sealed.Unsealable as refusal:
        if refusal.reason == "context_mismatch":
            return State.MISMATCH
        return State.UNDECRYPTABLE if value.is_token else State.PLAIN
    return State.OK if value.current and row.key_id == sealed.key_id() else State.ROTATION


def _reseal_row(row: Row, outcome: Outcome, *, dry_run: bool) -> None:
    opened = _opened(row)
    if opened is None:
        outcome.failed += 1
    elif row.key_id == sealed.key_id() and all(value.current for value in _values(row).values()):
        outcome.current += 1
    elif dry_run or _swap(row, opened):
        outcome.changed += 1
        outcome.by_key[row.key_id] += 1
    else:
        outcome.overtaken += 1


def _opened(row: Row) -> dict[str, str] | None:
    """Return what is sealed in the row in clear, for its fingerprints; None when any of it does not open."""
    context = row.sealing_context()
    try:
        return {name: value.open(context) for name, value in _values(row).items()}
    except sealed.Unsealable:
        return None


def _swap(row: Row, opened: Mapping[str, str]) -> bool:
    """Write the row under the first key unless somebody else wrote it meanwhile."""
    values = _values(row)
    rotated = {name: values[name].rotated() if name in values else None for name in _columns(row)}
    return sealed.swap(row, rotated, key_id=sealed.key_id(), **_fingerprints(row, opened))


def _fingerprints(row: Row, opened: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(row, Credential):
        return {}
    prints = {name: sealed.fingerprint(row.workspace_id, text) for name, text in opened.items()}
    return {"fingerprint": prints.get("secret", ""), "key_fingerprint": prints.get("key", "")}


def _columns(row: Row) -> list[str]:
    return [field.name for field in sealed.fields_of(type(row))]


def _values(row: Row) -> dict[str, sealed.Sealed]:
    return {name: value for name in _columns(row) if (value := getattr(row, name)) is not None}
