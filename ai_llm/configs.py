"""The verbs on AI LLMs. Each is whole: permission, checks, one short transaction, one event."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from ai_llm import credentials, doctor, validation
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
CHANGED = "Somebody else changed this AI LLM in the meantime. Look at what is stored now, then save again."


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
    secret: str,
    key: str = "",
) -> validation.Result:
    """Run the check with values that are not saved: the very same function as validate. Stores and records nothing.

    Raises `Denied`, `Invalid` (fields endpoint, secret, key) and `validation.Busy`.
    """
    access.require(actor, workspace, Access.WRITE)
    endpoint = clean_endpoint(endpoint, type)
    secret, key = _clean_pair(secret, key)
    return validation.test(actor, workspace, type=type, endpoint=endpoint, secret=secret, key=key)


def create(
    actor: User,
    workspace: Workspace,
    *,
    id: UUID,
    type: str,
    name: str,
    endpoint: str,
    secret: str,
    key: str = "",
) -> AiLlm:
    """Store a new AI LLM under the id that its form carried, with a sealed credential, and record `ai_llm.created`.

    Sent twice with the same content it returns the row of the first time. Raises `Denied`, `Invalid` (fields name,
    type, endpoint, secret, key), `AlreadyCreated` for the same id with other content, and `Conflict` for the id of a
    deleted or foreign row.
    """
    access.require(actor, workspace, Access.WRITE)
    if type not in Type.values:
        raise Invalid({"type": f"Choose one of the AI LLM types: {', '.join(Type.values)}."})
    values = {"type": type, "endpoint": clean_endpoint(endpoint, type)}
    secret, key = _clean_pair(secret, key)
    existing = AiLlm.objects.filter(pk=id).select_related("credential").first()
    if existing is not None:
        return _created_before(existing, workspace, {**values, "name": name}, secret, key)
    values["name"] = clean_name(workspace, name)
    try:
        with transaction.atomic():
            ai_llm = AiLlm(id=id, workspace=workspace, name_key=names.key(values["name"]), created_by=actor, **values)
            ai_llm.credential = _seal(actor, ai_llm, secret, key)
            ai_llm.save(force_insert=True)
            events.record(actor, "ai_llm.created", ai_llm, workspace=workspace, details=_plain(ai_llm))
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
) -> AiLlm:
    """Change name and endpoint, and record `ai_llm.updated` with old and new values.

    `version` is the one the person looked at; a row that has moved on raises `Conflict`. When scheme, host, port or
    path change, `secret` must be given again and the old credential is purged. Raises `Denied` and `Invalid`.
    """
    access.require(actor, ai_llm.workspace, Access.WRITE)
    name = clean_name(ai_llm.workspace, name, besides=ai_llm)
    endpoint = clean_endpoint(endpoint, ai_llm.type)
    if key.strip() and not secret.strip():
        raise Invalid({"secret": BOTH})
    pair = _clean_pair(secret, key) if secret.strip() else None
    try:
        with transaction.atomic():
            row = _locked(ai_llm, version)
            before, moved = _plain(row), not doctor.same_destination(row.endpoint, endpoint, row.type)
            if moved and pair is None:
                raise Invalid({"secret": SECRET_AGAIN})
            row.name, row.name_key, row.endpoint = name, names.key(name), endpoint
            if pair is not None:
                _take_over(actor, row, *pair, anew=moved)
            if pair is not None or endpoint != before["endpoint"]:
                row.verdict, row.last_check = "", None
            _save(row)
            events.record(actor, "ai_llm.updated", row, workspace=row.workspace, details=_change(before, row, pair))
    except IntegrityError:
        raise Invalid({"name": SAME_NAME}) from None
    return row


def replace_secret(actor: User, ai_llm: AiLlm, *, secret: str, key: str = "", remove_key: bool = False) -> AiLlm:
    """Seal a new secret in place of the old one, which is purged, and record `ai_llm.secret_replaced`.

    A blank `key` keeps the stored API Key, `remove_key` drops it. The state goes back to never validated.
    Raises `Denied`, `Invalid` and `Conflict` (deleted meanwhile).
    """
    access.require(actor, ai_llm.workspace, Access.WRITE)
    secret, key = _clean_pair(secret, key)
    with transaction.atomic():
        row = _locked(ai_llm, None)
        _take_over(actor, row, secret, key, remove_key=remove_key)
        row.verdict, row.last_check = "", None
        _save(row)
        events.record(actor, "ai_llm.secret_replaced", row, workspace=row.workspace, details=_fingerprints(row))
    return row


def delete(actor: User, ai_llm: AiLlm) -> None:
    """Take the AI LLM away: credentials are purged at once, the row stays for the audit. Records `ai_llm.deleted`."""
    access.require(actor, ai_llm.workspace, Access.WRITE)
    with transaction.atomic():
        row = _locked(ai_llm, None)
        doomed = [credential for credential in (row.credential, row.fallback) if credential is not None]
        row.credential = row.fallback = None
        row.deleted_at = timezone.now()
        _save(row)
        for credential in doomed:
            credentials.purge(credential)
        events.record(actor, "ai_llm.deleted", row, workspace=row.workspace, details=_plain(row))


def _clean_pair(secret: str, key: str) -> tuple[str, str]:
    errors: dict[str, str] = {}
    cleaned = {"secret": "", "key": ""}
    for field, text in (("secret", secret), ("key", key)):
        if not text.strip():
            if field == "secret":
                errors[field] = "Enter the API Secret: the provider's secret or token."
            continue
        try:
            cleaned[field] = credentials.clean(text, field=field)
        except Invalid as invalid:
            errors.update(invalid.errors)
    if errors:
        raise Invalid(errors)
    return cleaned["secret"], cleaned["key"]


def _created_before(row: AiLlm, workspace: Workspace, values: dict[str, str], secret: str, key: str) -> AiLlm:
    if row.workspace_id != workspace.pk or row.deleted_at is not None:
        raise Conflict("This form belongs to an AI LLM that was deleted. Start again with Add AI LLM.")
    credential = row.credential
    same = (
        credential is not None
        and row.type == values["type"]
        and row.endpoint == values["endpoint"]
        and row.name_key == names.key(names.clean(values["name"]))
        and credential.fingerprint == sealed.fingerprint(workspace.pk, secret)
        and credential.key_fingerprint == (sealed.fingerprint(workspace.pk, key) if key else "")
    )
    if not same:
        raise AlreadyCreated(row)
    return row


def _locked(ai_llm: AiLlm, version: int | None) -> AiLlm:
    """Return the row as it is now, locked together with its credentials until the transaction ends.

    The credentials are read after the lock was won: a join would show those of before the wait (PostgreSQL).
    """
    row = AiLlm.objects.select_for_update().filter(pk=ai_llm.pk, deleted_at=None).first()
    if row is None:
        raise Conflict("This AI LLM was deleted in the meantime.")
    if version is not None and row.version != version:
        raise Conflict(CHANGED)
    pointers = [pointer for pointer in (row.credential_id, row.fallback_id) if pointer]
    held = Credential.objects.select_for_update().in_bulk(pointers)
    row.workspace = ai_llm.workspace
    row.credential = held[row.credential_id] if row.credential_id else None
    row.fallback = held[row.fallback_id] if row.fallback_id else None
    return row


def _seal(actor: User, ai_llm: AiLlm, secret: str, key: str) -> Credential:
    return credentials.create(ai_llm.workspace, outbound.origin(ai_llm.endpoint), secret=secret, key=key, set_by=actor)


def _take_over(actor: User, row: AiLlm, secret: str, key: str, *, remove_key: bool = False, anew: bool = False) -> None:
    old = row.credential
    if old is not None and not anew and old.origin == outbound.origin(row.endpoint):
        credentials.overwrite(old, secret=secret, key=key, remove_key=remove_key, set_by=actor)
        return
    row.credential = _seal(actor, row, secret, key)
    if old is not None:
        AiLlm.objects.filter(pk=row.pk).update(credential=row.credential)
        credentials.purge(old)


def _save(row: AiLlm) -> None:
    row.version += 1
    row.changed_at = timezone.now()
    row.save(
        update_fields=[
            "name", "name_key", "endpoint", "credential", "fallback", "verdict", "last_check",
            "version", "changed_at", "deleted_at",
        ]
    )  # fmt: skip


def _plain(row: AiLlm) -> dict[str, Any]:
    return {"name": row.name, "type": row.type, "endpoint": row.endpoint}


def _fingerprints(row: AiLlm) -> dict[str, Any]:
    return {"secret": row.credential.fingerprint if row.credential else ""}


def _change(before: dict[str, Any], row: AiLlm, pair: tuple[str, str] | None) -> dict[str, Any]:
    after = _plain(row)
    changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    return {**changed, **(_fingerprints(row) if pair else {})}
