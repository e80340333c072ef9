"""The verbs on AI LLMs. Each is whole: permission, checks, one short transaction, one event."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from ai_llm import connecting, doctor, expiry, history, provider_keys, rows, signals, validation
from ai_llm import notes as texts
from ai_llm.inputs import (
    KEY_OF_ANOTHER,
    NO_SECRET,
    NOT_BOTH,
    NOTHING_EXPIRES,
    ONE_OF_BOTH,
    ONLY_OTHER,
    SAME_NAME,
    SECRET_AGAIN,
    SECRET_OR_NONE,
    STAYS,
    Unchanged,
    clean_credentials,
    clean_endpoint,
    clean_name,
    clean_type,
)
from ai_llm.models import AiLlm, Credential
from flashback import names
from flashback.errors import Invalid, Repeated
from flashback.prepared import prepared
from workspaces import access, events, spaces
from workspaces.access import Access
from workspaces.models import User, Workspace

__all__ = [
    "NOTHING_EXPIRES",
    "NOT_BOTH",
    "NO_SECRET",
    "ONLY_OTHER",
    "SAME_NAME",
    "SECRET_AGAIN",
    "SECRET_OR_NONE",
    "STAYS",
    "AlreadyCreated",
    "Unchanged",
    "clean_credentials",
    "clean_endpoint",
    "clean_name",
    "create",
    "delete",
    "replace_secret",
    "schedule",
    "test",
    "update",
]


class AlreadyCreated(Repeated):
    """The form was sent before and made `ai_llm`, with other content than this time."""

    def __init__(self, ai_llm: AiLlm) -> None:
        super().__init__(
            "This AI LLM was already created from this form. To change its secret, replace it on its page."
        )
        self.ai_llm = ai_llm


def test(
    actor: User,
    workspace: Workspace,
    *,
    type: str,
    endpoint: str,
    secret: str = "",
    key: str = "",
    keyless: bool = False,
) -> validation.Result:
    """Run the check with values that are not saved: the very same function as validate. Stores and records nothing.

    With `keyless` no secret is sent. Raises `Denied`, `Invalid` (fields endpoint, secret, key, keyless) and
    `validation.Busy`.
    """
    access.require(actor, workspace, Access.WRITE)
    endpoint = clean_endpoint(endpoint, type)
    secret, key = clean_credentials(type, secret, key, keyless=keyless)
    return validation.test(actor, workspace, type=type, endpoint=endpoint, secret=secret, key=key)


def create(
    actor: User,
    workspace: Workspace,
    *,
    id: UUID,
    type: str,
    name: str,
    endpoint: str,
    secret: str = "",
    key: str = "",
    keyless: bool = False,
    provider_key: Credential | None = None,
) -> AiLlm:
    """Store a new AI LLM under the id that its form carried, with a sealed credential, and record `ai_llm.created`.

    With `keyless` there is no credential: the endpoint (of the type OTHER) needs no secret. With `provider_key` that
    one is used in the place of an own secret, and a blank `endpoint` is the provider key's. Sent twice with the same
    content it returns the row of the first time. Raises `Denied`, `Invalid` (fields name, type, endpoint, secret, key,
    keyless, provider_key), `AlreadyCreated` for the same id with other content, and `Conflict` for the id of a deleted
    or foreign row.
    """
    access.require(actor, workspace, Access.WRITE)
    clean_type(type)
    if provider_key is None:
        secret, key = clean_credentials(type, secret, key, keyless=keyless)
    elif secret.strip() or key.strip() or keyless:
        raise Invalid({"provider_key": ONE_OF_BOTH})
    endpoint = endpoint if endpoint.strip() or provider_key is None else provider_key.endpoint

    def held_by(row: AiLlm) -> bool:
        return keyless if row.credential is None else connecting.holds(row.credential, secret, key, provider_key)

    values: dict[str, Any] = {"type": type, "endpoint": clean_endpoint(endpoint, type), "keyless": keyless}
    existing = next(iter(_with_credential(id)), None)
    if existing is not None:
        return _created_before(existing, workspace, {**values, "name": name}, held_by)
    # Sent twice at once, the other one may have stored this very row by now: its name is then no other's.
    values["name"] = clean_name(workspace, name, besides=AiLlm(id=id))
    try:
        with transaction.atomic():
            ai_llm = AiLlm(id=id, workspace=workspace, name_key=names.key(values["name"]), created_by=actor, **values)
            if provider_key is not None:
                ai_llm.credential = provider_keys.lend(provider_key, ai_llm)
            elif not keyless:
                ai_llm.credential = rows.seal(actor, ai_llm, secret, key)
            ai_llm.due_at = expiry.due_at(ai_llm)
            ai_llm.save(force_insert=True)
            details = _plain(ai_llm) | _without_own_secret(ai_llm)
            events.record(actor, "ai_llm.created", ai_llm, workspace=workspace, details=details)
    except IntegrityError:
        existing = next(iter(_with_credential(id)), None)
        if existing is None:
            spaces.require_there(workspace)
            raise Invalid({"name": SAME_NAME}) from None
        return _created_before(existing, workspace, values, held_by)
    return ai_llm


@prepared
def _with_credential(id: UUID) -> "QuerySet[AiLlm]":
    return AiLlm.objects.filter(pk=id).select_related("credential")


def update(
    actor: User,
    ai_llm: AiLlm,
    *,
    name: str | None = None,
    endpoint: str | None = None,
    type: str | None = None,
    version: int | None = None,
    secret: str = "",
    key: str = "",
    remove_key: bool = False,
    provider_key: Credential | Unchanged | None = STAYS,
    notes: str | None = None,
    rotate_every_days: int | Unchanged | None = STAYS,
    expires_at: datetime | Unchanged | None = STAYS,
) -> AiLlm:
    """Change what is given, and record `ai_llm.updated` with old and new values; nothing new records nothing.

    `version` is the one the person looked at; a row that has moved on raises `Conflict`. When type, scheme, host, port
    or path change, `secret` must be given again and the old credential is purged; a keyless row has none to protect.
    A `key` alone takes the place of the stored one, `remove_key` drops it. `provider_key` is used instead of an own
    secret; None lets go of one, for the secret that is given. What is None stays as it is. `expires_at` is the end of
    the secret that is stored afterwards; one that stays belongs to the old secret alone. Raises `Denied` and `Invalid`
    (fields name, endpoint, type, secret, key, provider_key, notes, rotate_every_days, expires_at).
    """
    access.require(actor, ai_llm.workspace, Access.WRITE)
    kind = ai_llm.type if type is None else clean_type(type)
    name = None if name is None else clean_name(ai_llm.workspace, name, besides=ai_llm)
    endpoint = None if endpoint is None else clean_endpoint(endpoint, kind)
    text = None if notes is None else texts.clean(notes)
    given = connecting.given(kind, secret, key, remove_key=remove_key, provider_key=provider_key)
    try:
        with transaction.atomic(), events.gathered():
            row = rows.locked(ai_llm, version)
            before, was = _settings(row), (row.endpoint, row.type)
            row.name = row.name if name is None else name
            row.name_key, row.notes = names.key(row.name), row.notes if text is None else text
            row.type = row.type if type is None else type
            row.endpoint = row.endpoint if endpoint is None else endpoint
            moved = row.type != was[1] or not doctor.same_destination(was[0], row.endpoint, row.type)
            doomed, renewed = connecting.reconnect(actor, row, given, moved=moved)
            _set_dates(row, expires_at, rotate_every_days)
            if renewed or (row.endpoint, row.type) != was:
                history.forget(row)
            details = _change(before, row, renewed)
            if not details:
                return row
            rows.save(row)
            rows.purge(doomed)
            events.record(actor, "ai_llm.updated", row, workspace=row.workspace, details=details)
    except IntegrityError:
        raise Invalid({"name": SAME_NAME}) from None
    return row


def replace_secret(
    actor: User,
    ai_llm: AiLlm,
    *,
    secret: str = "",
    key: str = "",
    remove_key: bool = False,
    keyless: bool = False,
) -> AiLlm:
    """Seal a new secret in place of the old one, which is purged, and record `ai_llm.secret_replaced`.

    A blank `key` keeps the stored API Key, `remove_key` drops it. With `keyless` everything stored is purged and
    nothing takes its place. The state goes back to never validated. Raises `Denied`, `Invalid` and `Conflict` (deleted
    meanwhile).
    """
    access.require(actor, ai_llm.workspace, Access.WRITE)
    secret, key = clean_credentials(ai_llm.type, secret, key, keyless=keyless)
    with transaction.atomic():
        row = rows.locked(ai_llm)
        doomed = rows.drop(row) if keyless else connecting.take_over(actor, row, secret, key, remove_key=remove_key)
        row.keyless = keyless
        history.forget(row)
        rows.save(row)
        rows.purge(doomed)
        details = connecting.fingerprint(row) | _without_own_secret(row)
        events.record(actor, "ai_llm.secret_replaced", row, workspace=row.workspace, details=details)
    return row


def schedule(actor: User, ai_llm: AiLlm, included: bool) -> AiLlm:
    """Take the AI LLM into scheduled checks, or out of them, and record `ai_llm.schedule_changed` if that is new.

    Its version stays: a form that is open elsewhere can still be saved. Raises `Denied` and `Conflict` (deleted
    meanwhile).
    """
    access.require(actor, ai_llm.workspace, Access.WRITE)
    with transaction.atomic():
        row = rows.locked(ai_llm)
        if row.scheduled == included:
            return row
        row.scheduled = included
        row.save(update_fields=["scheduled"])
        details = {"scheduled": [not included, included]}
        events.record(actor, "ai_llm.schedule_changed", row, workspace=row.workspace, details=details)
    return row


def delete(actor: User, ai_llm: AiLlm, *, move_to: AiLlm | None = None) -> None:
    """Take the AI LLM away: credentials are purged at once, the row stays for 30 days. Records `ai_llm.deleted`.

    `move_to` takes its place wherever it is used, in the same step (`signals.moving`). Raises `Denied`, `Conflict`
    (deleted meanwhile, or something depends on it: `signals.deleting`), and for `move_to` `NotFound` when it is of
    another workspace or deleted, and `Invalid` when it is the same one.
    """
    access.require(actor, ai_llm.workspace, Access.WRITE)
    with transaction.atomic(), events.gathered():
        if move_to is not None:
            signals.moving.send(sender=AiLlm, ai_llm=ai_llm, target=move_to, actor=actor)
        row = rows.locked(ai_llm)
        signals.deleting.send(sender=AiLlm, ai_llm=row, actor=actor)
        doomed = rows.drop(row)
        row.deleted_at = timezone.now()
        rows.save(row)
        rows.purge(doomed)
        events.record(actor, "ai_llm.deleted", row, workspace=row.workspace, details=_plain(row))


def _created_before(
    row: AiLlm, workspace: Workspace, values: dict[str, Any], same_credential: Callable[[AiLlm], bool]
) -> AiLlm:
    if row.workspace_id != workspace.pk or row.deleted_at is not None:
        raise Repeated("This form belongs to an AI LLM that was deleted. Start again with Add AI LLM.")
    same = (
        row.type == values["type"]
        and row.endpoint == values["endpoint"]
        and row.name_key == names.key(names.clean(values["name"]))
        and row.keyless == values["keyless"]
        and (row.keyless or same_credential(row))
    )
    if not same:
        raise AlreadyCreated(row)
    return row


def _plain(row: AiLlm) -> dict[str, Any]:
    return {"name": row.name, "type": row.type, "endpoint": row.endpoint}


def _without_own_secret(row: AiLlm) -> dict[str, Any]:
    if row.credential is not None and row.credential.shared:
        return {"provider_key": row.credential.name}
    return {"keyless": True} if row.keyless else {}


def _settings(row: AiLlm) -> dict[str, Any]:
    ends = row.credential.expires_at if row.credential is not None else None
    dates = {
        "expires_at": ends.astimezone(UTC).isoformat(timespec="seconds") if ends else None,
        "rotate_every_days": row.rotate_every_days,
    }
    return {**_plain(row), **dates, "notes": row.notes}


def _set_dates(row: AiLlm, expires_at: datetime | Unchanged | None, rule: int | Unchanged | None) -> None:
    """Give the row and its credential their dates. Only a date that is new must lie in the future."""
    held = row.credential
    if isinstance(expires_at, datetime) and held is None:
        raise Invalid({"expires_at": NOTHING_EXPIRES})
    new = held is not None and expires_at is not STAYS and expires_at != held.expires_at
    if new and held is not None and held.shared:
        raise Invalid({"expires_at": KEY_OF_ANOTHER.format(name=held.name)})
    ends, days = expiry.clean(
        expires_at if new and isinstance(expires_at, datetime) else None, None if rule is STAYS else rule
    )
    row.rotate_every_days = row.rotate_every_days if rule is STAYS else days
    if new and held is not None:
        expiry.set_on(held, ends)


def _change(before: dict[str, Any], row: AiLlm, renewed: dict[str, Any]) -> dict[str, Any]:
    after = _settings(row)
    changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    if "notes" in changed:
        changed["notes"] = [texts.for_event(text) for text in changed["notes"]]
    return {**changed, **renewed}
