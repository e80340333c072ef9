"""One AI LLM row while a verb changes it: locked with its credentials, saved whole, its former credentials purged."""

from django.utils import timezone

from ai_llm import credentials, expiry, history
from ai_llm.models import AiLlm, Credential
from flashback import outbound
from flashback.errors import Conflict
from workspaces import events
from workspaces.models import User

CHANGED = "Somebody else changed this AI LLM in the meantime. Look at what is stored now, then save again."
DELETED = "This AI LLM was deleted in the meantime."
COLUMNS = (
    *(
        "name",
        "name_key",
        "type",
        "endpoint",
        "keyless",
        "notes",
        "rotate_every_days",
        "disabled_at",
        "version",
        "changed_at",
    ),
    *("credential", "fallback", "fallback_until", "candidate", "candidate_until", "due_at", "deleted_at"),
    *history.STATE_COLUMNS,
)


def locked(ai_llm: AiLlm, version: int | None = None) -> AiLlm:
    """Return the row as it is now, locked together with its credentials until the transaction ends.

    The credentials are read after the lock was won: a join would show those of before the wait (PostgreSQL). Those
    whose time is over are purged here, so that no verb can bring them back. Raises `Conflict` when the row was deleted,
    or when it is not at `version` any more.
    """
    row = AiLlm.objects.select_for_update().filter(pk=ai_llm.pk, deleted_at=None).first()
    if row is None:
        raise Conflict(DELETED)
    if version is not None and row.version != version:
        raise Conflict(CHANGED)
    pointers = [pointer for pointer in (row.credential_id, row.fallback_id, row.candidate_id) if pointer]
    held = Credential.objects.select_for_update().in_bulk(pointers)
    row.workspace = ai_llm.workspace
    row.credential = held.get(row.credential_id) if row.credential_id else None
    row.fallback = held.get(row.fallback_id) if row.fallback_id else None
    row.candidate = held.get(row.candidate_id) if row.candidate_id else None
    expire(row)
    return row


def save(row: AiLlm) -> None:
    """Store everything that a verb may have changed, as the next version."""
    row.version += 1
    row.changed_at = timezone.now()
    row.due_at = expiry.due_at(row)
    row.save(update_fields=COLUMNS)


def seal(actor: User, row: AiLlm, secret: str, key: str) -> Credential:
    """Store a new credential for the row's endpoint. The row does not point at it yet."""
    return credentials.create(row.workspace, outbound.origin(row.endpoint), secret=secret, key=key, set_by=actor)


def drop(row: AiLlm) -> list[Credential]:
    """Let go of every credential that the row points at, and return them: purge them once the row is saved."""
    doomed = [held for held in (row.credential, row.fallback, row.candidate) if held is not None]
    row.credential = row.fallback = row.candidate = None
    row.fallback_until = row.candidate_until = None
    return doomed


def purge(doomed: list[Credential]) -> int:
    """Overwrite and delete credentials that no row points at any more; return how many. A provider key lives on."""
    own = [credential for credential in doomed if not credential.shared]
    for credential in own:
        credentials.purge(credential)
    return len(own)


def expire(row: AiLlm) -> int:
    """Purge the fallback and the candidate of a locked row if their time is over; return how many were purged."""
    now, doomed, purged = timezone.now(), list[Credential](), 0
    if row.fallback is not None and (row.fallback_until is None or row.fallback_until <= now):
        doomed.append(row.fallback)
        row.fallback, row.fallback_until = None, None
    if row.candidate is not None and (row.candidate_until is None or row.candidate_until <= now):
        doomed.append(row.candidate)
        row.candidate, row.candidate_until = None, None
    if doomed:
        row.save(update_fields=["fallback", "fallback_until", "candidate", "candidate_until"])
        purged = purge(doomed)
    if purged:
        events.record(None, "ai_llm.secret_expired", row, workspace=row.workspace, details={"purged": purged})
    return purged
