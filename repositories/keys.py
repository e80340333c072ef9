"""The verbs on AI API keys, and how an application is recognised by one (`authenticate`).

A key is a name, a scope and a time; its bearer strings are its secrets. The current one has no end; while a key is
rotated, the former one still answers until a chosen time. A bearer string exists in the answer that made it, and
nowhere else: see `flashback.tokens` for its format and what is stored.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from ai_llm.models import Type
from flashback import names, tokens
from flashback.errors import Conflict, Denied, Invalid, NotFound, Repeated
from repositories import bearers, repos
from repositories import patterns as allow_lists
from repositories.models import AiApiKey, KeySecret, Repository
from workspaces import access, events
from workspaces.access import Access
from workspaces.models import User

log = logging.getLogger(__name__)

PREFIX = "sk-fb-"
FARTHEST = timedelta(days=3660)
LONGEST_OVERLAP = timedelta(days=90)
USE_NOTED_EVERY = timedelta(minutes=10)
SAME_NAME = "This repository already has a key with this name. Choose another one."
REVOKED = "This key is revoked, and stays so. Create another one."
PAST = "This date has passed. Enter a day to come, or leave it blank."
FAR = "This is more than ten years away. Check the year."
OVERLAP = "The former secret can be kept for at most 90 days, and not into the past."
NOT_ACCEPTED = (
    "This API key is not accepted. Check that it is complete, and ask whoever manages it whether it still works."
)


class AlreadyCreated(Conflict):
    """The form was sent before and made a secret of `key`, which was shown in the answer to that."""

    def __init__(self, key: AiApiKey) -> None:
        super().__init__("This was sent before. The secret was shown once, in the answer to the first time.")
        self.key = key


class Refused(Denied):
    """The application is not let in. `message` is the same for every cause; `reason` is for the log alone."""

    status = 401

    def __init__(self, reason: str) -> None:
        super().__init__(NOT_ACCEPTED)
        self.reason = reason


@dataclass(frozen=True)
class Made:
    """A new secret of a key. `bearer` is what the application sends; it is shown once and kept nowhere."""

    key: AiApiKey
    secret: KeySecret
    bearer: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """An application that was recognised: the key it used, where that leads, and which models it may use."""

    key_id: UUID
    name: str
    type: str
    patterns: list[str]
    repository_id: UUID
    workspace_id: UUID
    organization_id: UUID


def get(repository: Repository, id: UUID) -> AiApiKey:
    """Return a key of this repository that is not revoked. Raises `NotFound`."""
    row = AiApiKey.objects.filter(repository=repository, pk=id, revoked_at=None).first()
    if row is None:
        raise NotFound("There is no such key in this repository. It may be revoked, or of another repository.")
    row.repository = repository
    return row


def create(
    actor: User,
    repository: Repository,
    *,
    name: str,
    type: str = Type.OPENAI,
    expires_at: datetime | None = None,
    patterns: Iterable[str] = (),
    id: UUID | None = None,
) -> Made:
    """Create a key with its first secret and record `ai_api_key.created`.

    `type` names the API dialect that the key speaks. `id` is the one that a form carried: sent twice, the second time
    raises `AlreadyCreated`. Raises `Denied`, `Invalid` (fields name, type, expires_at, patterns) and `Conflict`
    (repository deleted meanwhile, or the id of another key).
    """
    access.require(actor, repository.workspace, Access.WRITE)
    pk = id or uuid4()
    if type not in Type.values:
        raise Invalid({"type": f"Choose one of the API types: {', '.join(Type.values)}."})
    _refuse_made_before(AiApiKey.objects.filter(pk=pk).first(), repository)
    values = _cleaned(repository, name, expires_at, patterns, besides=pk)
    row = AiApiKey(id=pk, repository=repository, type=type, created_by=actor, **values)
    try:
        with transaction.atomic():
            repos.locked(repository)
            row.save(force_insert=True)
            made = _issue(actor, row)
            details = {**_plain(row), "type": row.type, "key": made.secret.public_id}
            events.record(actor, "ai_api_key.created", row, workspace=repository.workspace, details=details)
    except IntegrityError:
        _refuse_made_before(AiApiKey.objects.filter(pk=pk).first(), repository)
        raise Invalid({"name": SAME_NAME}) from None
    return made


def update(
    actor: User,
    key: AiApiKey,
    *,
    name: str,
    expires_at: datetime | None = None,
    patterns: Iterable[str] = (),
) -> AiApiKey:
    """Change name, expiry and allow-list, and record `ai_api_key.updated` with old and new values, if any is new.

    Raises `Denied`, `Invalid` (fields name, expires_at, patterns) and `Conflict` (revoked, or repository deleted).
    """
    access.require(actor, key.repository.workspace, Access.WRITE)
    kept = key.expires_at is not None and expires_at == key.expires_at
    values = _cleaned(key.repository, name, expires_at, patterns, besides=key.pk, as_is=kept)
    try:
        with transaction.atomic():
            row = _locked(key)
            before = _plain(row)
            for column, value in values.items():
                setattr(row, column, value)
            changed = {column: [before[column], new] for column, new in _plain(row).items() if new != before[column]}
            if changed:
                row.save(update_fields=list(values))
                workspace = row.repository.workspace
                events.record(actor, "ai_api_key.updated", row, workspace=workspace, details=changed)
    except IntegrityError:
        raise Invalid({"name": SAME_NAME}) from None
    return row


def rotate(actor: User, key: AiApiKey, *, until: datetime | None = None, id: UUID | None = None) -> Made:
    """Give a key a new secret and record `ai_api_key.rotated`. The former one answers until `until`; None ends it now.

    One that was former already ends now: at most two answer. `id` is that of the new secret, carried by the form: sent
    twice, the second time raises `AlreadyCreated`. Raises `Denied`, `Invalid` for the field `until`, and `Conflict`
    (revoked, or repository deleted).
    """
    access.require(actor, key.repository.workspace, Access.WRITE)
    now, pk = timezone.now(), id or uuid4()
    if until is not None and not now < until <= now + LONGEST_OVERLAP:
        raise Invalid({"until": OVERLAP})
    _refuse_rotated_before(pk, key)
    try:
        with transaction.atomic():
            row = _locked(key)
            # Behind the lock: the first one of two forms sent at once is stored by now.
            _refuse_rotated_before(pk, key)
            row.secrets.filter(ends_at__gt=now).update(ends_at=now)
            row.secrets.filter(ends_at=None).update(ends_at=until or now)
            made = _issue(actor, row, pk)
            details = {"key": made.secret.public_id, "former_until": until}
            events.record(actor, "ai_api_key.rotated", row, workspace=row.repository.workspace, details=details)
    except IntegrityError:
        _refuse_rotated_before(pk, key)
        raise
    return made


def end_former(actor: User, key: AiApiKey) -> bool:
    """End what rotation kept of the former secret, and record `ai_api_key.former_ended`; False when there was none.

    Raises `Denied` and `Conflict` (revoked, or repository deleted).
    """
    access.require(actor, key.repository.workspace, Access.WRITE)
    now = timezone.now()
    with transaction.atomic():
        row = _locked(key)
        ended = row.secrets.filter(ends_at__gt=now).update(ends_at=now)
        if ended:
            events.record(actor, "ai_api_key.former_ended", row, workspace=row.repository.workspace)
    return bool(ended)


def revoke(actor: User, key: AiApiKey) -> bool:
    """Stop a key at once and for good, and record `ai_api_key.revoked`; False when it was revoked before.

    Raises `Denied` and `Conflict` (repository deleted meanwhile).
    """
    access.require(actor, key.repository.workspace, Access.WRITE)
    with transaction.atomic():
        repos.locked(key.repository)
        row = AiApiKey.objects.select_for_update(of=("self",)).get(pk=key.pk)
        if row.revoked_at is not None:
            return False
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        events.record(actor, "ai_api_key.revoked", row, workspace=key.repository.workspace)
    return True


def authenticate(bearer: str) -> Caller:
    """Return who sends this bearer string; one look-up by an index, and at most one write in ten minutes (last used).

    Raises `Refused`, with one same message for every cause; the cause itself is in its `reason` and in the log.
    """
    public_id = tokens.public_id(bearer, PREFIX)
    if not public_id:
        raise _refused("not one of our keys", "")
    found = bearers.standing(public_id)
    if not tokens.matches(bearer, found.digest if found else tokens.NOTHING) or found is None:
        raise _refused("wrong secret" if found else "unknown key", public_id)
    now = timezone.now()
    reason = _reason(found, now)
    if reason:
        raise _refused(reason, public_id)
    if found.last_used_at is None or found.last_used_at <= now - USE_NOTED_EVERY:
        _note_use(found.secret_id, now)
    return Caller(
        key_id=found.key_id,
        name=found.name,
        type=found.type,
        patterns=found.patterns,
        repository_id=found.repository_id,
        workspace_id=found.workspace_id,
        organization_id=found.organization_id,
    )


def _reason(found: bearers.Standing, now: datetime) -> str:
    """Return why a right secret is refused all the same, "" when it is not."""
    if found.deleted_at is not None:
        return "repository deleted"
    if found.revoked_at is not None:
        return "key revoked"
    if found.ends_at is not None and found.ends_at <= now:
        return "secret rotated away"
    if found.expires_at is not None and found.expires_at <= now:
        return "key expired"
    return "repository disabled" if found.disabled_at is not None else ""


def _refused(reason: str, public_id: str) -> Refused:
    log.info("AI API key refused: %s (%s)", reason, public_id or "no id")
    return Refused(reason)


def _note_use(secret: UUID, now: datetime) -> None:
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
    try:
        with transaction.atomic():
            KeySecret.objects.filter(stale, pk=secret).update(last_used_at=now)
    except DatabaseError:  # a call must not fail because a note about it could not be written
        log.warning("The use of an AI API key could not be noted.")


def _issue(actor: User, row: AiApiKey, id: UUID | None = None) -> Made:
    token = tokens.issue(PREFIX)
    values = {"public_id": token.public_id, "digest": token.digest, "hint": token.hint}
    secret = KeySecret(id=id or uuid4(), key=row, made_by=actor, **values)
    secret.save(force_insert=True)
    return Made(row, secret, token.text)


def _locked(key: AiApiKey) -> AiApiKey:
    repository = repos.locked(key.repository)
    row = AiApiKey.objects.select_for_update(of=("self",)).get(pk=key.pk)
    if row.revoked_at is not None:
        raise Conflict(REVOKED)
    row.repository = repository
    return row


def _cleaned(
    repository: Repository,
    name: str,
    expires_at: datetime | None,
    patterns: Iterable[str],
    *,
    besides: UUID,
    as_is: bool = False,
) -> dict[str, Any]:
    name, now = names.clean(name), timezone.now()
    taken = AiApiKey.objects.filter(repository=repository, name_key=names.key(name), revoked_at=None)
    if taken.exclude(pk=besides).exists():
        raise Invalid({"name": SAME_NAME})
    if expires_at is not None and not as_is and not now < expires_at <= now + FARTHEST:
        raise Invalid({"expires_at": PAST if expires_at <= now else FAR})
    allowed = allow_lists.clean(patterns)
    return {"name": name, "name_key": names.key(name), "expires_at": expires_at, "patterns": allowed}


def _refuse_made_before(made: AiApiKey | None, repository: Repository) -> None:
    if made is None:
        return
    if made.repository_id != repository.pk:
        raise Repeated("This form belongs to another key. Start again with Create AI API key.")
    raise AlreadyCreated(made)


def _refuse_rotated_before(id: UUID, key: AiApiKey) -> None:
    if KeySecret.objects.filter(pk=id, key=key).exists():
        raise AlreadyCreated(key)


def _plain(row: AiApiKey) -> dict[str, Any]:
    return {"name": row.name, "expires_at": row.expires_at, "patterns": row.patterns}
