"""Looking after what is sealed when keys change: what opens, what does not, and moving everything to the first key."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from django.db.models import Q, QuerySet

from ai_llm import credentials
from ai_llm.models import Credential
from flashback import sealed
from workspaces import events

BATCH = 500
FILLED = Q(secret__isnull=False) | Q(key__isnull=False)


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
    """What a run of `reseal` did: rows moved to the first key, rows that changed meanwhile, rows that do not open."""

    changed: int = 0
    current: int = 0
    overtaken: int = 0
    failed: int = 0
    by_key: Counter[str] = field(default_factory=Counter)

    def as_details(self) -> Mapping[str, object]:
        """Return plain values for the audit log."""
        return {"changed": self.changed, "overtaken": self.overtaken, "failed": self.failed, "from": dict(self.by_key)}


def filled() -> "QuerySet[Credential]":
    """Return the credentials that hold something."""
    return Credential.objects.filter(FILLED)


def states() -> Iterator[tuple[Credential, State]]:
    """Open every credential and yield it with its state. Reads in batches; keeps no secret."""
    return ((row, state(row)) for batch in _batches() for row in batch)


def state(row: Credential) -> State:
    """Return how the row opens: the worst of its sealed values decides."""
    order = list(State)
    return max((_state_of(row, value) for value in (row.secret, row.key) if value is not None), key=order.index)


def reseal(*, dry_run: bool = False, progress: Callable[[int], None] = lambda _: None) -> Outcome:
    """Move every credential to the key that seals now, and record `secrets.resealed` with counts when any row moved.

    Safe beside running servers: each row changes by compare and swap in a statement of its own, so a newer secret wins,
    and a run that was killed is simply started again. Fingerprints are made anew, because they depend on the key.
    `progress` hears the number of rows looked at. A dry run changes nothing and counts the same.
    """
    outcome, done = Outcome(), 0
    try:
        for batch in _batches():
            for row in batch:
                _reseal_row(row, outcome, dry_run=dry_run)
                done += 1
                progress(done)
    finally:
        if outcome.changed and not dry_run:
            events.record(None, "secrets.resealed", credentials.prove_key(), details=outcome.as_details())
    return outcome


def _batches() -> Iterator[list[Credential]]:
    last = None
    while True:
        rows = filled().order_by("pk")
        batch = list((rows.filter(pk__gt=last) if last else rows)[:BATCH])
        if not batch:
            return
        yield batch
        last = batch[-1].pk


def _state_of(row: Credential, value: sealed.Sealed) -> State:
    try:
        value.open(row.sealing_context())
    except sealed.Unsealable as refusal:
        if refusal.reason == "context_mismatch":
            return State.MISMATCH
        return State.UNDECRYPTABLE if value.is_token else State.PLAIN
    return State.OK if value.current and row.key_id == sealed.key_id() else State.ROTATION


def _reseal_row(row: Credential, outcome: Outcome, *, dry_run: bool) -> None:
    found = state(row)
    if found is State.OK:
        outcome.current += 1
    elif found.failed:
        outcome.failed += 1
    elif dry_run or _swap(row):
        outcome.changed += 1
        outcome.by_key[row.key_id] += 1
    else:
        outcome.overtaken += 1


def _swap(row: Credential) -> bool:
    """Write the row under the first key unless somebody else wrote it meanwhile."""
    opened = {name: value.open(row.sealing_context()) for name, value in _values(row).items() if value is not None}
    rotated = {name: value.rotated() if value is not None else None for name, value in _values(row).items()}
    prints = {name: sealed.fingerprint(row.workspace_id, text) for name, text in opened.items()}
    changed = sealed.swap(row, **rotated).update(
        **sealed.stored(**rotated),
        fingerprint=prints.get("secret", ""),
        key_fingerprint=prints.get("key", ""),
        key_id=sealed.key_id(),
    )
    return bool(changed)


def _values(row: Credential) -> dict[str, sealed.Sealed | None]:
    return {"secret": row.secret, "key": row.key}
