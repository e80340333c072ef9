"""The verbs on AI LLMs. Each is whole: permission, checks, one short transaction, one event."""

from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from ai_llm import credentials, doctor, expiry, history, rows, signals, validation
from ai_llm import notes as texts
from ai_llm.models import AiLlm, Credential, Type
from flashback import names, outbound, sealed
from flashback.errors import Conflict, Invalid
from workspaces import access, events
from workspaces.access import Access
from workspaces.models import User, Workspace

SAME_NAME = "This workspace already has an AI LLM with this name. Choose another one."
SECRET_AGAIN = (
    "The destination changes, so enter the API Secret again: a stored secret only goes where it was meant for."  # noqa: S105 - words
)
BOTH = "Enter the API Secret too: API Key and API Secret are stored together."
SECRET_OR_NONE = "Enter the API Secret, or tick that this endpoint needs no secret."  # noqa: S105 - words
NOT_BOTH = "Either enter an API Secret and API Key, or tick that this endpoint needs no secret; not both."
ONLY_OTHER = "Only endpoints of the type OTHER can do without a secret."
NO_SECRET = "Enter the API Secret: the provider's secret or token."  # noqa: S105 - words
NOTHING_EXPIRES = "No secret is stored that could expire. Leave this blank, or enter the API Secret too."


class Unchanged(Enum):
    """Says that a value stays as it is, where None says that there is none."""

    STAYS = "stays"


STAYS = Unchanged.STAYS


class AlreadyCreated(Conflict):
    """The form was sent before and made `ai_llm`, with other content than this time."""

    def __init__(self, ai_llm: AiLlm) -> None:
        super().__init__(
            "This AI LLM was already created from this form. To change its secret, replace it on its page."
        )
        self.ai_llm = ai_llm


def clean_name(workspace: Workspace, name: str, *, besides: AiLlm | None = None) -> str:
    """Return `name` as it will be stored. Raises `Invalid` when unusable, or taken by another row than `besides`."""
    cleaned = names.clean(name, label="Configuration Name")
    taken = AiLlm.objects.of(workspace).filter(name_key=names.key(cleaned))
    if (taken.exclude(pk=besides.pk) if besides else taken).exists():
        raise Invalid({"name": SAME_NAME})
    return cleaned


def clean_endpoint(endpoint: str, type: str) -> str:
    """Return `endpoint` in its canonical form. Raises `Invalid` with what to do; asks the network nothing."""
    examination = doctor.examine(endpoint, type)
    fault = next((finding for finding in examination.findings if finding.severity == "error"), None)
    if fault is not None:
        raise Invalid({"endpoint": fault.message})
    return examination.normal


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
) -> AiLlm:
    """Store a new AI LLM under the id that its form carried, with a sealed credential, and record `ai_llm.created`.

    With `keyless` there is no credential: the endpoint (of the type OTHER) needs no secret. Sent twice with the same
    content it returns the row of the first time. Raises `Denied`, `Invalid` (fields name, type, endpoint, secret, key,
    keyless), `AlreadyCreated` for the same id with other content, and `Conflict` for the id of a deleted or foreign
    row.
    """
    access.require(actor, workspace, Access.WRITE)
    if type not in Type.values:
        raise Invalid({"type": f"Choose one of the AI LLM types: {', '.join(Type.values)}."})
    secret, key = clean_credentials(type, secret, key, keyless=keyless)
    values: dict[str, Any] = {"type": type, "endpoint": clean_endpoint(endpoint, type), "keyless": keyless}
    existing = AiLlm.objects.filter(pk=id).select_related("credential").first()
    if existing is not None:
        return _created_before(existing, workspace, {**values, "name": name}, secret, key)
    # Sent twice at once, the other one may have stored this very row by now: its name is then no other's.
    values["name"] = clean_name(workspace, name, besides=AiLlm(id=id))
    try:
        with transaction.atomic():
            ai_llm = AiLlm(id=id, workspace=workspace, name_key=names.key(values["name"]), created_by=actor, **values)
            ai_llm.credential = None if keyless else rows.seal(actor, ai_llm, secret, key)
            ai_llm.due_at = expiry.due_at(ai_llm)
            ai_llm.save(force_insert=True)
            details = _plain(ai_llm) | _no_secret(ai_llm)
            events.record(actor, "ai_llm.created", ai_llm, workspace=workspace, details=details)
    except IntegrityError:
        existing = AiLlm.objects.filter(pk=id).select_related("credential").first()
        if existing is None:
            raise Invalid({"name": SAME_NAME}) from None
        return _created_before(existing, workspace, values, secret, key)
    return ai_llm


def update(
    actor: User,
    ai_llm: AiLlm,
    *,
    name: str,
    endpoint: str,
    version: int,
    secret: str = "",
    key: str = "",
    notes: str | None = None,
    rotate_every_days: int | Unchanged | None = STAYS,
    expires_at: datetime | Unchanged | None = STAYS,
) -> AiLlm:
    """Change what is given, and record `ai_llm.updated` with old and new values; nothing new records nothing.

    `version` is the one the person looked at; a row that has moved on raises `Conflict`. When scheme, host, port or
    path change, `secret` must be given again and the old credential is purged; a keyless row has none to protect.
    `notes` None stays as it is. `expires_at` is the end of the secret that is stored afterwards; one that stays belongs
    to the old secret alone. Raises `Denied` and `Invalid` (fields name, endpoint, secret, key, notes,
    rotate_every_days, expires_at).
    """
    access.require(actor, ai_llm.workspace, Access.WRITE)
    name = clean_name(ai_llm.workspace, name, besides=ai_llm)
    endpoint = clean_endpoint(endpoint, ai_llm.type)
    text = texts.clean(notes) if notes is not None else None
    if key.strip() and not secret.strip():
        raise Invalid({"secret": BOTH})
    pair = clean_credentials(ai_llm.type, secret, key) if secret.strip() else None
    try:
        with transaction.atomic(), events.gathered():
            row = rows.locked(ai_llm, version)
            before, moved = _settings(row), not doctor.same_destination(row.endpoint, endpoint, row.type)
            if moved and pair is None and not row.keyless:
                raise Invalid({"secret": SECRET_AGAIN})
            row.name, row.name_key, row.endpoint = name, names.key(name), endpoint
            row.notes = row.notes if text is None else text
            doomed = _take_over(actor, row, *pair, anew=moved) if pair is not None else []
            if moved and pair is None:  # a secret may wait to end being keyless: it was entered for the old destination
                doomed = rows.drop(row)
            row.keyless = row.keyless and pair is None
            _set_dates(row, expires_at, rotate_every_days)
            if pair is not None or endpoint != before["endpoint"]:
                history.forget(row)
            details = _change(before, row, pair)
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
        doomed = rows.drop(row) if keyless else _take_over(actor, row, secret, key, remove_key=remove_key)
        row.keyless = keyless
        history.forget(row)
        rows.save(row)
        rows.purge(doomed)
        details = _fingerprints(row) | _no_secret(row)
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


def delete(actor: User, ai_llm: AiLlm) -> None:
    """Take the AI LLM away: credentials are purged at once, the row stays for 30 days. Records `ai_llm.deleted`.

    Raises `Denied` and `Conflict`: deleted meanwhile, or something depends on it (`signals.deleting`).
    """
    access.require(actor, ai_llm.workspace, Access.WRITE)
    with transaction.atomic(), events.gathered():
        row = rows.locked(ai_llm)
        signals.deleting.send(sender=AiLlm, ai_llm=row, actor=actor)
        doomed = rows.drop(row)
        row.deleted_at = timezone.now()
        rows.save(row)
        rows.purge(doomed)
        events.record(actor, "ai_llm.deleted", row, workspace=row.workspace, details=_plain(row))


def clean_credentials(type: str, secret: str, key: str, *, keyless: bool = False) -> tuple[str, str]:
    """Return API Secret and API Key as they will be sealed or sent; both are "" with `keyless`.

    Raises `Invalid` (fields secret, key, keyless) unless there is either a secret or the choice to go without.
    """
    if keyless:
        return _without(type, secret, key)
    errors: dict[str, str] = {}
    cleaned = {"secret": "", "key": ""}
    for field, text in (("secret", secret), ("key", key)):
        if not text.strip():
            if field == "secret":
                errors[field] = SECRET_OR_NONE if type == Type.OTHER else NO_SECRET
            continue
        try:
            cleaned[field] = credentials.clean(text, field=field)
        except Invalid as invalid:
            errors.update(invalid.errors)
    if errors:
        raise Invalid(errors)
    return cleaned["secret"], cleaned["key"]


def _without(type: str, secret: str, key: str) -> tuple[str, str]:
    if type != Type.OTHER:
        raise Invalid({"keyless": ONLY_OTHER})
    typed = next((field for field, text in (("secret", secret), ("key", key)) if text.strip()), "")
    if typed:
        raise Invalid({typed: NOT_BOTH})
    return "", ""


def _created_before(row: AiLlm, workspace: Workspace, values: dict[str, Any], secret: str, key: str) -> AiLlm:
    if row.workspace_id != workspace.pk or row.deleted_at is not None:
        raise Conflict("This form belongs to an AI LLM that was deleted. Start again with Add AI LLM.")
    same = (
        row.type == values["type"]
        and row.endpoint == values["endpoint"]
        and row.name_key == names.key(names.clean(values["name"]))
        and row.keyless == values["keyless"]
        and (row.keyless or _holds(row.credential, secret, key))
    )
    if not same:
        raise AlreadyCreated(row)
    return row


def _holds(credential: Credential | None, secret: str, key: str) -> bool:
    if credential is None:
        return False
    workspace = credential.workspace_id
    marks = sealed.fingerprint(workspace, secret), sealed.fingerprint(workspace, key) if key else ""
    return marks == (credential.fingerprint, credential.key_fingerprint)


def _take_over(
    actor: User, row: AiLlm, secret: str, key: str, *, remove_key: bool = False, anew: bool = False
) -> list[Credential]:
    """Give the row its new secret; return the credentials to purge once it is saved. `anew`: it goes elsewhere now."""
    old = row.credential
    if old is not None and not anew and old.origin == outbound.origin(row.endpoint):
        credentials.overwrite(old, secret=secret, key=key, remove_key=remove_key, set_by=actor)
        return []
    doomed = rows.drop(row)
    row.credential = rows.seal(actor, row, secret, key)
    return doomed


def _plain(row: AiLlm) -> dict[str, Any]:
    return {"name": row.name, "type": row.type, "endpoint": row.endpoint}


def _no_secret(row: AiLlm) -> dict[str, Any]:
    return {"keyless": True} if row.keyless else {}


def _fingerprints(row: AiLlm) -> dict[str, Any]:
    return {"secret": row.credential.fingerprint if row.credential else ""}


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
    ends, days = expiry.clean(
        expires_at if new and isinstance(expires_at, datetime) else None, None if rule is STAYS else rule
    )
    row.rotate_every_days = row.rotate_every_days if rule is STAYS else days
    if new and held is not None:
        expiry.set_on(held, ends)


def _change(before: dict[str, Any], row: AiLlm, pair: tuple[str, str] | None) -> dict[str, Any]:
    after = _settings(row)
    changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    if "notes" in changed:
        changed["notes"] = [texts.for_event(text) for text in changed["notes"]]
    return {**changed, **(_fingerprints(row) if pair else {})}
