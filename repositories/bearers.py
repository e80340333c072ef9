"""The one look-up that every call of an application pays for: what a bearer string's public id stands for, right now.

Written out, because the ORM takes several times as long to put the statement together as a database to answer it.
"""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from flashback.prepared import fast_cursor

SELECT = """
SELECT secret.id, secret.digest, secret.last_used_at, secret.ends_at, api_key.revoked_at, api_key.expires_at,
       repository.deleted_at, repository.disabled_at, api_key.id, api_key.name, api_key.type, api_key.patterns,
       repository.id, workspace.id, workspace.organization_id
FROM repositories_keysecret secret
JOIN repositories_aiapikey api_key ON api_key.id = secret.key_id
JOIN repositories_repository repository ON repository.id = api_key.repository_id
JOIN workspaces_workspace workspace ON workspace.id = repository.workspace_id
WHERE secret.public_id = %s
"""


class Standing(NamedTuple):
    """One secret with everything that decides whether it is let in, and where it leads."""

    secret_id: UUID
    digest: str
    last_used_at: datetime | None
    ends_at: datetime | None
    revoked_at: datetime | None
    expires_at: datetime | None
    deleted_at: datetime | None
    disabled_at: datetime | None
    key_id: UUID
    name: str
    type: str
    patterns: list[str]
    repository_id: UUID
    workspace_id: UUID
    organization_id: UUID


def standing(public_id: str) -> Standing | None:
    """Return what this public id stands for, None when there is no such secret; one query by a unique index."""
    with fast_cursor() as cursor:
        cursor.execute(SELECT, [public_id])
        row = cursor.fetchone()
    if row is None:
        return None
    secret, digest, *moments, key, name, kind, patterns, repository, workspace, organization = row
    owners = map(_id, (repository, workspace, organization))
    return Standing._make(
        [_id(secret), digest, *map(_moment, moments), _id(key), name, kind, json.loads(patterns), *owners]
    )


def _id(stored: Any) -> UUID:
    return stored if isinstance(stored, UUID) else UUID(stored)


def _moment(stored: datetime | None) -> datetime | None:
    # SQLite keeps moments without their zone, in UTC.
    return stored if stored is None or stored.tzinfo else stored.replace(tzinfo=UTC)
