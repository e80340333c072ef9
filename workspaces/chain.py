"""The chain that ties the lines of the audit log together, so that a change behind the program's back shows.

Every event holds the SHA-256 digest of its own columns and of the digest of the event before it; there is one chain for
each organization, and one for what belongs to none. Anybody can compute these digests, so the end of each chain (its
head) carries a seal: an HMAC with a key derived from the keyring, which is never in the database. Somebody who can only
write to the database can therefore not change, remove or insert a line and make the chain look whole again.

What it cannot show: the work of somebody who holds the keys too, and a database that was put back as a whole to what it
was on an earlier day. Against the second, keep the heads that `manage.py audit verify` prints elsewhere.

A new key costs one statement per chain (`reseal`), whatever the number of events. Under PostgreSQL the row of the head
is locked from `append` until the transaction ends: let it be the last lock that a transaction takes.
"""

import hashlib
import hmac
import json
import logging
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import connection, transaction

from flashback import sealed
from workspaces.models import AuditHead, Event

log = logging.getLogger(__name__)

INSTALLATION = UUID(int=0)
VERSION = "flashback event v1"
SEAL_LABEL = b"flashback audit seal v1"
# What a digest is made of, in this order. The id is not: the database gives it when the digest is there already.
FIELDS = (
    "chain", "number", "previous", "at", "organization_id", "workspace_id", "workspace_label", "actor_kind", "actor_id",
    "actor_label", "via", "ip", "agent", "action", "object_kind", "object_id", "object_label", "details",
)  # fmt: skip
# Written out, because every event pays for them: the ORM would take three times as long to put them together.
SELECT = "SELECT number, digest, pruned, pruned_digest, key_id, seal FROM workspaces_audithead WHERE chain = %s"
UPDATE = (
    "UPDATE workspaces_audithead "
    "SET number = %s, digest = %s, pruned = %s, pruned_digest = %s, key_id = %s, seal = %s WHERE chain = %s"
)


def digest(values: Iterable[Any]) -> str:
    """Return the digest (64 hex characters) of an event's values, given in the order of FIELDS."""
    return hashlib.sha256(_encode([VERSION, *values]).encode()).hexdigest()


def of_event(event: Event) -> str:
    """Return the digest that belongs to the event as it is."""
    return digest(getattr(event, field) for field in FIELDS)


def append(event: Event) -> Event:
    """Store a new event at the end of its chain, which the row of the head then holds until the transaction ends."""
    with transaction.atomic(savepoint=False):
        head = held(event.chain)
        ours = is_ours(head)
        event.at = event.at.astimezone(UTC)
        event.number, event.previous = head.number + 1, head.digest
        event.digest = of_event(event)
        event.save(force_insert=True)
        head.number, head.digest = event.number, event.digest
        keep(head, ours=ours)
    return event


def held(chain: UUID) -> AuditHead:
    """Return the head of `chain` as it is now, locked; it is made when there is none. Call inside a transaction."""
    head = _locked(chain)
    if head is None:
        AuditHead.objects.bulk_create([_new(chain)], ignore_conflicts=True)
        head = _locked(chain)
    assert head is not None  # noqa: S101 - heads are never deleted
    return head


def keep(head: AuditHead, *, ours: bool) -> None:
    """Store the head with a new seal; with none when it was not `ours` before, so that this never passes as good."""
    head.seal, head.key_id = ("", head.key_id)
    if ours:
        head.key_id = sealed.key_id()
        head.seal = _seal(head, settings.FIELD_ENCRYPTION_KEY[0])
    else:
        log.warning("The chain %s of the audit log is not sealed; see manage.py audit verify.", head.chain)
    values = (head.number, head.digest, head.pruned, head.pruned_digest, head.key_id, head.seal, _stored(head.chain))
    with connection.cursor() as cursor:
        cursor.execute(UPDATE, values)


def is_ours(head: AuditHead) -> bool:
    """Return whether a key at hand sealed this head as it is. A chain without any event yet needs no seal."""
    if not head.number and not head.pruned:
        return True
    keys = dict(zip(sealed.key_ids(), settings.FIELD_ENCRYPTION_KEY, strict=True))
    key = keys.get(head.key_id)
    return key is not None and hmac.compare_digest(head.seal, _seal(head, key))


def reseal(*, accept: bool = False) -> tuple[int, int]:
    """Seal every head with the key that seals now; return how many were, and how many could not be.

    A head that no key at hand has sealed stays as it is, unless the operator accepts it (`accept`).
    """
    done = left = 0
    for chain in list(AuditHead.objects.values_list("pk", flat=True)):
        with transaction.atomic():
            head = held(chain)
            ours = accept or is_ours(head)
            if ours:
                keep(head, ours=True)
        done, left = done + ours, left + (not ours)
    return done, left


def _locked(chain: UUID) -> AuditHead | None:
    with connection.cursor() as cursor:
        cursor.execute(f"{SELECT} FOR UPDATE" if connection.vendor == "postgresql" else SELECT, [_stored(chain)])
        found = cursor.fetchone()
    return AuditHead(chain, *found) if found else None


def _stored(chain: UUID) -> Any:
    return AuditHead._meta.pk.get_db_prep_value(chain, connection)


def _new(chain: UUID) -> AuditHead:
    # Events without a head: somebody took it away. Going on from the last one keeps the console working, unsealed.
    last = Event.objects.filter(chain=chain).order_by("-number").first()
    return AuditHead(chain=chain, number=last.number, digest=last.digest) if last else AuditHead(chain=chain)


def _seal(head: AuditHead, key: str) -> str:
    text = "|".join(map(str, (head.chain, head.number, head.digest, head.pruned, head.pruned_digest)))
    return hmac.new(_sealing_key(key), text.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=16)
def _sealing_key(key: str) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=SEAL_LABEL)
    return kdf.derive(urlsafe_b64decode(key))


def _as_text(value: UUID | datetime) -> str:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else _id(value)


@lru_cache(maxsize=4096)
def _id(value: UUID) -> str:
    return str(value)


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_as_text).encode
