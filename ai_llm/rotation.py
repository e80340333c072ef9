"""Rotation of a secret as a guided, reversible act: test, take over, keep the old one for a while, return, retire.

Every secret has a credential row of its own. Rotating, returning and retiring move pointers between rows and purge
rows; a secret is never opened for it. Only an API Key that stays the same while its secret changes is sealed again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from ai_llm import configs, credentials, expiry, history, rows, trials, validation
from ai_llm.causes import CAUSES
from ai_llm.models import AiLlm, Credential, Verdict
from flashback import outbound, sealed
from flashback.errors import Conflict, Invalid
from workspaces import access, events
from workspaces.access import Access
from workspaces.models import User

OVERLAPS = {
    "none": timedelta(),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
OVERLAP_WORDS = {"none": "Do not keep it", "1h": "1 hour", "24h": "24 hours", "7d": "7 days"}
KEPT_WORDS = {"none": "not kept", "1h": "kept for 1 hour", "24h": "kept for 24 hours", "7d": "kept for 7 days"}
CANDIDATE_KEPT = timedelta(hours=1)
REPLACED = "Somebody else changed this AI LLM while the test ran. Look at what is stored now, then rotate again."
NO_CANDIDATE = "The secret that was waiting is gone: it is kept for one hour. Enter it again."
NO_FORMER = "The former secret is not kept any more, so there is nothing to return to."
CHANGED = "The secrets of this AI LLM were changed in the meantime. Look at what is stored now, then choose again."
UNREADABLE = "The waiting secret cannot be opened with the keys of this installation. Enter it again."


@dataclass(frozen=True)
class Rotation:
    """What came of a rotation. Unless it `took_over`, the new secret waits on the row as its candidate."""

    ai_llm: AiLlm
    result: validation.Result
    took_over: bool


@sensitive_variables("secret", "key")
def rotate(
    actor: User,
    ai_llm: AiLlm,
    *,
    secret: str,
    key: str = "",
    remove_key: bool = False,
    keep: str = "24h",
    expires_at: datetime | None = None,
) -> Rotation:
    """Test a new secret, then let it take over; the old one stays as fallback for `keep`, a key of OVERLAPS.

    When the test fails, nothing changes but that the new secret is kept, sealed, for one hour: `take_over` goes on
    all the same, `retry` tests it again, `discard` drops it. A blank `key` keeps the stored API Key, `remove_key`
    leaves it behind. Blocks for up to 10 seconds. Records `ai_llm.rotated` or `ai_llm.rotation_held`. Raises `Denied`,
    `Invalid` (fields secret, key, keep, expires_at), `Conflict` (changed or deleted meanwhile), `validation.Busy`.
    """
    access.require(actor, ai_llm.workspace, Access.WRITE)
    overlap = _overlap(keep)
    expires_at, _ = expiry.clean(expires_at or expiry.proposed(secret.strip()), None)
    secret, key = configs.clean_credentials(ai_llm.type, secret, key)
    result = trials.of_new_secret(actor, ai_llm, secret=secret, key=key, remove_key=remove_key)

    def seal(row: AiLlm) -> Credential:
        new = credentials.succeed(
            row.credential, row.workspace, outbound.origin(row.endpoint),
            secret=secret, key=key, remove_key=remove_key, set_by=actor,
        )  # fmt: skip
        expiry.set_on(new, expires_at)
        return new

    with transaction.atomic(), events.gathered():
        row = _unchanged(ai_llm)
        doomed = [row.candidate] if row.candidate is not None else []
        new, row.candidate, row.candidate_until = seal(row), None, None
        passes = works(result)
        if passes:
            doomed += _take(row, new, overlap)
        else:
            row.candidate, row.candidate_until = new, timezone.now() + CANDIDATE_KEPT
        rows.save(row)
        rows.purge(doomed)
        _record(actor, row, "ai_llm.rotated" if passes else "ai_llm.rotation_held", new, {"cause": result.cause})
    return _kept(actor, row, result, took_over=passes)


def retry(actor: User, ai_llm: AiLlm, *, keep: str = "24h", seen: str = "") -> Rotation:
    """Test the waiting secret again; it takes over when it passes.

    `seen` is the id of the credential that the person looked at, "" for whichever waits. Raises as `rotate`, and
    `Conflict` when it is gone or another one waits.
    """
    access.require(actor, ai_llm.workspace, Access.WRITE)
    overlap = _overlap(keep)
    expire(ai_llm)
    result = _test_candidate(actor, ai_llm, seen)
    if not works(result):
        return Rotation(ai_llm, result, took_over=False)
    with transaction.atomic(), events.gathered():
        row = _unchanged(ai_llm)
        doomed = _promote(row, overlap)
        rows.save(row)
        rows.purge(doomed)
        _record(actor, row, "ai_llm.rotated", row.credential, {"cause": result.cause})
    return _kept(actor, row, result, took_over=True)


def take_over(actor: User, ai_llm: AiLlm, *, keep: str = "24h", seen: str = "") -> AiLlm:
    """Let the waiting secret take over although its test failed. Records `ai_llm.rotated` with `untested`.

    `seen` is that of `retry`. Raises `Denied`, `Invalid` (keep), and `Conflict` when the waiting secret is gone.
    """
    overlap = _overlap(keep)
    return _change(actor, ai_llm, "ai_llm.rotated", lambda row: _promote(row, overlap, seen), {"untested": True})


def discard(actor: User, ai_llm: AiLlm, *, seen: str = "") -> AiLlm:
    """Purge the waiting secret. Records `ai_llm.rotation_discarded`. Raises `Denied`, `Conflict` when it is gone."""

    def drop(row: AiLlm) -> list[Credential]:
        doomed = [_candidate(row, seen)]
        row.candidate, row.candidate_until = None, None
        return doomed

    return _change(actor, ai_llm, "ai_llm.rotation_discarded", drop)


def return_to_former(actor: User, ai_llm: AiLlm, *, seen: str = "") -> AiLlm:
    """Change places: the former secret is used again, and the newer one is kept for as long as the former was.

    `seen` is the id of the credential that the person looked at, "" for whichever is the former one: returning twice
    leads forward again, and a second click must not. Records `ai_llm.returned`. Raises `Denied`, and `Conflict` when
    the former secret is not kept any more or is another one.
    """

    def swap(row: AiLlm) -> list[Credential]:
        row.credential, row.fallback = _former(row, seen), row.credential
        history.forget(row)
        return []

    return _change(actor, ai_llm, "ai_llm.returned", swap)


def retire(actor: User, ai_llm: AiLlm, *, seen: str = "") -> AiLlm:
    """Purge the former secret now. Records `ai_llm.retired`. Raises as `return_to_former`."""

    def drop(row: AiLlm) -> list[Credential]:
        doomed = [_former(row, seen)]
        row.fallback, row.fallback_until = None, None
        return doomed

    return _change(actor, ai_llm, "ai_llm.retired", drop)


def expire(ai_llm: AiLlm) -> AiLlm:
    """Purge what is kept of `ai_llm` beyond its time, and return the row as it is then; nothing to do costs nothing."""
    now = timezone.now()
    if not any(end is not None and end <= now for end in (ai_llm.fallback_until, ai_llm.candidate_until)):
        return ai_llm
    with transaction.atomic():
        return rows.locked(ai_llm)


def expired() -> list[AiLlm]:
    """Return the rows that keep a secret beyond its time, for `tidy`."""
    now = timezone.now()
    over = Q(fallback_until__lte=now) | Q(candidate_until__lte=now)
    return list(AiLlm.objects.filter(over, deleted_at=None).select_related("workspace"))


def works(result: validation.Result) -> bool:
    """Tell whether a test lets a rotation go on: the credential works, or nobody could ever say at this provider."""
    return result.verdict in {Verdict.ACCEPTED, Verdict.LIMITED} or CAUSES[result.cause].needs_nobody


def _overlap(keep: str) -> timedelta:
    if keep not in OVERLAPS:
        raise Invalid({"keep": f"Choose how long the old secret is kept: {', '.join(OVERLAPS)}."})
    return OVERLAPS[keep]


def _unchanged(ai_llm: AiLlm) -> AiLlm:
    """Return the locked row. Raises `Conflict` when it is not the one that the test was about."""
    row = rows.locked(ai_llm)
    if row.version != ai_llm.version:
        raise Conflict(REPLACED)
    return row


def _take(row: AiLlm, new: Credential, overlap: timedelta) -> list[Credential]:
    """Point the row at `new`; return the credentials that nothing points at after it is saved."""
    doomed = [row.fallback] if row.fallback is not None else []
    row.fallback, row.credential, row.keyless = row.credential, new, False
    row.fallback_until = timezone.now() + overlap if row.fallback is not None else None
    if row.fallback is not None and not overlap:
        doomed.append(row.fallback)
        row.fallback, row.fallback_until = None, None
    history.forget(row)
    return doomed


def _promote(row: AiLlm, overlap: timedelta, seen: str = "") -> list[Credential]:
    new = _candidate(row, seen)
    row.candidate, row.candidate_until = None, None
    return _take(row, new, overlap)


def _candidate(row: AiLlm, seen: str) -> Credential:
    """Return the waiting secret. It goes nowhere but where it was entered for."""
    if row.waiting is None or row.waiting.origin != outbound.origin(row.endpoint):
        raise Conflict(NO_CANDIDATE)
    return _same(row.waiting, seen)


def _former(row: AiLlm, seen: str) -> Credential:
    if row.fallback is None:
        raise Conflict(NO_FORMER)
    return _same(row.fallback, seen)


def _same(held: Credential, seen: str) -> Credential:
    """Return `held`. Raises `Conflict` when the person looked at another one."""
    if seen and seen != str(held.pk):
        raise Conflict(CHANGED)
    return held


@sensitive_variables("opened")
def _test_candidate(actor: User, ai_llm: AiLlm, seen: str) -> validation.Result:
    try:
        opened = credentials.open_secret(_candidate(ai_llm, seen))
    except sealed.Unsealable:
        raise Conflict(UNREADABLE) from None
    return validation.test(
        actor, ai_llm.workspace, type=ai_llm.type, endpoint=ai_llm.endpoint, secret=opened.secret, key=opened.key
    )


def _change(
    actor: User,
    ai_llm: AiLlm,
    action: str,
    move: Callable[[AiLlm], list[Credential]],
    details: dict[str, Any] | None = None,
) -> AiLlm:
    """Do `move` on the locked row, save it, purge what `move` returned, and record `action`."""
    access.require(actor, ai_llm.workspace, Access.WRITE)
    expire(ai_llm)  # for itself: what `move` refuses must not bring back what is over
    with transaction.atomic(), events.gathered():
        row = rows.locked(ai_llm)
        doomed = move(row)
        rows.save(row)
        rows.purge(doomed)
        _record(actor, row, action, row.credential, details or {})
    return row


def _record(actor: User, row: AiLlm, action: str, held: Credential | None, details: dict[str, Any]) -> None:
    found = {"fingerprint": held.fingerprint if held else "", **details}
    if row.fallback_until is not None:
        found["kept_until"] = row.fallback_until.isoformat(timespec="seconds")
    events.record(actor, action, row, workspace=row.workspace, details=found)


def _kept(actor: User, row: AiLlm, result: validation.Result, *, took_over: bool) -> Rotation:
    """Store the test as the check of the secret that took over. A change in between keeps its own word."""
    if took_over:
        with suppress(Conflict):
            history.keep(actor, row, result)
            row.refresh_from_db(fields=["verdict", "last_check"])
    return Rotation(row, result, took_over)
