"""The verbs on provider keys: stored provider credentials that several AI LLMs of a workspace use.

A provider key is a credential with a name. It is bound to its endpoint, by default its provider's: an AI LLM that is
elsewhere cannot use it. A new secret is sealed in its place, for all of them at once; it cannot move or be deleted
while any of them uses it.
"""

import re
from datetime import UTC, datetime
from itertools import chain, count
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.views.decorators.debug import sensitive_variables

from ai_llm import credentials, doctor, expiry, history, rows
from ai_llm.inputs import NO_SECRET, SECRET_AGAIN, STAYS, Unchanged, clean_credentials, clean_endpoint, clean_type
from ai_llm.models import AiLlm, Credential, Type
from ai_llm.providers import PROVIDERS
from flashback import names, outbound
from flashback.errors import Conflict, Invalid, Repeated
from workspaces import access, events
from workspaces.access import Access
from workspaces.models import User, Workspace

SAME_NAME = "This workspace already has a provider key with this name. Choose another one."
GONE = "This provider key was deleted in the meantime."
CHANGED = "Somebody else changed this provider key in the meantime. Look at what is stored now, then save again."
UNKNOWN = "There is no provider key here that you can see. Choose another one, or enter the API Secret."
NO_DEFAULT = "Enter the API Endpoint: this type has no default one."
OTHER_TYPE = "The provider key {name} is for {label}. Choose that AI LLM Type, or another provider key."
ELSEWHERE = "The provider key {name} only goes to {endpoint}. Use that API Endpoint, or another provider key."
USED_ELSEWHERE = (
    "AI LLMs use this provider key at its present endpoint, so type and endpoint must stay. Add another one."
)
NAMED = 5
REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,58}")
BEDROCK = "https://bedrock-runtime.{region}.amazonaws.com"
PLAIN = ("provider", "endpoint", "region")
TEXTS = {"description": 500, "tenant_id": 120, "subscription_id": 120}
UNREADABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@sensitive_variables("secret", "key")
def create(
    actor: User,
    workspace: Workspace,
    *,
    provider: str,
    secret: str,
    key: str = "",
    name: str = "",
    endpoint: str = "",
    region: str = "",
    expires_at: datetime | None = None,
    id: UUID | None = None,
    **texts: str,
) -> Credential:
    """Store a new provider key and record `provider_key.created`.

    A blank `name` is made from the description or the provider, a blank `endpoint` from the region (AWS) or it is the
    provider's default. `texts` are description, tenant_id and subscription_id. Sent twice with the same `id` it returns
    the row of the first time. Raises `Denied`, `Invalid` (fields name, type, secret, key, endpoint, region, expires_at
    and those of `texts`), and `Conflict` when the `id` is taken.
    """
    access.require(actor, workspace, Access.WRITE)
    provider, region = clean_type(provider), _clean_region(region)
    secret, key = clean_credentials(provider, secret, key)
    values = {field: clean_text(field, text) for field, text in texts.items()}
    ends, _ = expiry.clean(expires_at or expiry.proposed(secret), None)
    endpoint = clean_endpoint(endpoint or default_endpoint(provider, region), provider)
    row = Credential(
        id=id or uuid4(), workspace=workspace, provider=provider, endpoint=endpoint, region=region,
        origin=outbound.origin(endpoint), **values,
    )  # fmt: skip
    if existing := Credential.objects.filter(pk=row.pk).first():
        return _created_before(existing, row, name, secret)
    row.name = clean_name(workspace, name) if name.strip() else _free_name(row)
    row.name_key = names.key(row.name)
    try:
        with transaction.atomic():
            credentials.fill(row, secret=secret, key=key, set_by=actor)
            row.expires_at = ends
            row.save(force_insert=True)
            events.record(actor, "provider_key.created", row, workspace=workspace, details=_plain(row))
    except IntegrityError:
        raise Invalid({"name": SAME_NAME}) from None
    return row


@sensitive_variables("secret", "key")
def update(
    actor: User,
    provider_key: Credential,
    *,
    name: str | None = None,
    provider: str | None = None,
    endpoint: str | None = None,
    region: str | None = None,
    secret: str = "",
    key: str = "",
    remove_key: bool = False,
    expires_at: datetime | Unchanged | None = STAYS,
    version: int | None = None,
    **texts: str | None,
) -> Credential:
    """Change what is given, and record `provider_key.updated` with old and new values; nothing new records nothing.

    A new `secret` takes the place of the old one for every AI LLM that uses it; each goes back to never validated. A
    blank `key` keeps the stored API Key, `remove_key` drops it. Another destination demands the secret again, and is
    refused while AI LLMs use this one. `version` is the one that the person looked at. Raises `Denied`, `Invalid`
    (fields as `create`) and `Conflict` (changed, deleted or used meanwhile).
    """
    access.require(actor, provider_key.workspace, Access.WRITE)
    kind = provider_key.provider if provider is None else clean_type(provider)
    given: dict[str, Any] = {field: clean_text(field, text) for field, text in texts.items() if text is not None}
    given |= {} if region is None else {"region": _clean_region(region)}
    given |= {} if endpoint is None and provider is None else {"provider": kind, "endpoint": clean_endpoint(
        endpoint or (provider_key.endpoint if endpoint is None else default_endpoint(kind, region or "")), kind
    )}  # fmt: skip
    if name is not None:
        given["name"] = clean_name(provider_key.workspace, name, besides=provider_key)
    secret, key = _typed(kind, secret, key)
    try:
        with transaction.atomic(), events.gathered():
            users = _locked_users(provider_key) if secret or key or remove_key or expires_at is not STAYS else []
            row, before = _locked(provider_key, version), {}
            before = _settings(row)
            moved = _moves(row, given)
            for field, value in given.items():
                setattr(row, field, value)
            row.name_key = names.key(row.name)
            renewed = _renew(actor, row, secret, key, remove_key=remove_key, moved=moved)
            _set_expiry(row, expires_at, renewed="secret" in renewed)
            details = _change(before, row) | renewed
            if not details:
                return row
            row.version += 1
            row.save()
            if users and ("expires_at" in details or renewed):
                _carry(row, users, renewed=bool(renewed))
            events.record(actor, "provider_key.updated", row, workspace=row.workspace, details=details)
    except IntegrityError:
        raise Invalid({"name": SAME_NAME}) from None
    return row


def delete(actor: User, provider_key: Credential) -> None:
    """Purge a provider key, and record `provider_key.deleted`. Raises `Denied`, and `Conflict` while it is in use."""
    access.require(actor, provider_key.workspace, Access.WRITE)
    with transaction.atomic(), events.gathered():
        row = _locked(provider_key, None)
        if users := list(used_by(row).values_list("name", flat=True)[: NAMED + 1]):
            raise InUse(row, users)
        details = _plain(row)
        events.record(actor, "provider_key.deleted", row, workspace=row.workspace, details=details)
        credentials.purge(row)


class InUse(Conflict):
    """AI LLMs use the provider key, so that it cannot be deleted."""

    def __init__(self, row: Credential, users: list[str]) -> None:
        more = " and more" if len(users) > NAMED else ""
        super().__init__(
            f"{row.name} is used by {', '.join(users[:NAMED])}{more}. Give these AI LLMs another secret, "
            "and delete it then."
        )


def lend(provider_key: Credential, ai_llm: AiLlm) -> Credential:
    """Return the provider key for `ai_llm` to point at, held until the transaction ends.

    Raises `Invalid` for the field provider_key when it is gone, of another workspace or type, or bound elsewhere.
    """
    rows: QuerySet[Credential] = Credential.objects.of(ai_llm.workspace)
    row = rows.select_for_update(of=("self",)).filter(pk=provider_key.pk).first()
    if row is None:
        raise Invalid({"provider_key": UNKNOWN})
    refuse_elsewhere(row, ai_llm.workspace, ai_llm.type, ai_llm.endpoint)
    return row


def refuse_elsewhere(provider_key: Credential, workspace: Workspace, type: str, endpoint: str) -> None:
    """Raise `Invalid` for the field provider_key unless it is of this workspace and type, and bound to `endpoint`."""
    if provider_key.workspace_id != workspace.pk:
        raise Invalid({"provider_key": UNKNOWN})
    if provider_key.provider != type:
        raise Invalid({"provider_key": OTHER_TYPE.format(name=provider_key.name, label=provider_key.type_label)})
    if not doctor.same_destination(provider_key.endpoint, endpoint, type):
        raise Invalid({"provider_key": ELSEWHERE.format(name=provider_key.name, endpoint=provider_key.endpoint)})


def used_by(provider_key: Credential) -> "QuerySet[AiLlm]":
    """Return the AI LLMs that use it, or keep it as the secret before, by name."""
    pointing = Q(credential=provider_key) | Q(fallback=provider_key) | Q(candidate=provider_key)
    found: QuerySet[AiLlm] = AiLlm.objects.filter(pointing, deleted_at=None).order_by("name_key")
    return found


def uses(provider_keys: list[Credential]) -> dict[UUID, int]:
    """Return how many AI LLMs use each of these; one query."""
    users = AiLlm.objects.filter(credential__in=provider_keys, deleted_at=None).order_by()
    return {pk: number for pk, number in users.values_list("credential").annotate(number=Count("*")) if pk is not None}


def default_endpoint(provider: str, region: str = "") -> str:
    """Return where a key of this provider goes unless it is said. Raises `Invalid` for a type that has no default."""
    if provider == Type.AWS and region:
        return BEDROCK.format(region=region)
    default = PROVIDERS[provider].default_endpoint
    if not default:
        raise Invalid({"endpoint": NO_DEFAULT})
    return default


def clean_name(workspace: Workspace, name: str, *, besides: Credential | None = None) -> str:
    """Return `name` as it will be stored. Raises `Invalid` when unusable, or taken by another one than `besides`."""
    cleaned = names.clean(name)
    taken = Credential.objects.of(workspace).filter(name_key=names.key(cleaned))
    if (taken.exclude(pk=besides.pk) if besides else taken).exists():
        raise Invalid({"name": SAME_NAME})
    return cleaned


def clean_text(field: str, text: str) -> str:
    """Return one of the describing texts as it will be stored: one line. Raises `Invalid` for `field`."""
    cleaned, label = " ".join(text.split()), field.replace("_", " ")
    if UNREADABLE.search(cleaned):
        raise Invalid({field: f"The {label} holds a character that cannot be shown. Type it again."})
    if len(cleaned) > TEXTS[field]:
        raise Invalid({field: f"The {label} has {len(cleaned)} characters; at most {TEXTS[field]} are possible."})
    names.refuse_secret(cleaned, field=field)
    return cleaned


def _clean_region(region: str) -> str:
    cleaned = region.strip()
    if cleaned and not REGION.fullmatch(cleaned):
        raise Invalid({"region": "Enter the region as the provider writes it, for example us-east-1."})
    return cleaned


def _free_name(row: Credential) -> str:
    """Return a name for a row that was given none: its description or its provider, with a number when it is taken."""
    try:
        base = names.clean(row.description[:100])
    except Invalid:
        base = f"{row.type_label} key"
    taken = set(Credential.objects.of(row.workspace).values_list("name_key", flat=True))
    offers = chain([base], (f"{base} {number}" for number in count(2)))
    return next(name for name in offers if names.key(name) not in taken)


def _created_before(existing: Credential, row: Credential, name: str, secret: str) -> Credential:
    same = all(getattr(existing, field) == getattr(row, field) for field in ("workspace_id", *PLAIN, *TEXTS))
    if name.strip():  # a blank one was made up
        same = same and existing.name_key == names.key(names.clean(name))
    if not same or not existing.shared or not credentials.holds(existing, secret):
        raise Repeated("This provider key was already created from this form. Look at what is stored now.")
    return existing


def _typed(type: str, secret: str, key: str) -> tuple[str, str]:
    if secret.strip():
        return clean_credentials(type, secret, key)
    return "", credentials.clean(key, field="key") if key.strip() else ""


def _locked_users(provider_key: Credential) -> list[AiLlm]:
    """Lock the AI LLMs that use the provider key: always before the provider key itself, as the verbs on AI LLMs do."""
    users = used_by(provider_key).order_by("pk").values_list("pk", flat=True)
    held = AiLlm.objects.select_for_update(of=("self",)).filter(pk__in=list(users), deleted_at=None).order_by("pk")
    return list(held)


def _locked(provider_key: Credential, version: int | None) -> Credential:
    rows = Credential.objects.select_for_update(of=("self",)).select_related("workspace")
    row = rows.filter(pk=provider_key.pk).first()
    if row is None:
        raise Conflict(GONE)
    if version is not None and row.version != version:
        raise Conflict(CHANGED)
    return row


def _moves(row: Credential, given: dict[str, Any]) -> bool:
    """Tell whether the row goes elsewhere now. Raises `Conflict` when it would and AI LLMs use it."""
    if "endpoint" not in given:
        return False
    same = given["provider"] == row.provider and doctor.same_destination(row.endpoint, given["endpoint"], row.provider)
    if not same and used_by(row).exists():
        raise Conflict(USED_ELSEWHERE)
    return not same


def _renew(actor: User, row: Credential, secret: str, key: str, *, remove_key: bool, moved: bool) -> dict[str, Any]:
    """Seal what is new; return its fingerprints."""
    if moved and not secret:
        raise Invalid({"secret": SECRET_AGAIN})
    if secret:
        if moved:  # what was sealed for the old destination does not go with it
            row.key, row.origin = None, outbound.origin(row.endpoint)
        credentials.overwrite(row, secret=secret, key=key, remove_key=remove_key or moved, set_by=actor)
        return {"secret": row.fingerprint}
    if key or (remove_key and row.key is not None):
        if row.secret is None:
            raise Invalid({"secret": NO_SECRET})
        credentials.set_key(row, key)
        return {"key": row.key_fingerprint}
    return {}


def _set_expiry(row: Credential, expires_at: datetime | Unchanged | None, *, renewed: bool) -> None:
    """Give the row its date. Only one that is new must lie in the future; one that stays belongs to the old secret."""
    if expires_at is STAYS or (expires_at == row.expires_at and not renewed):
        return
    row.expires_at, _ = expiry.clean(expires_at if isinstance(expires_at, datetime) else None, None)


def _carry(row: Credential, users: list[AiLlm], *, renewed: bool) -> None:
    """Let every AI LLM that uses the row know of its new secret or date."""
    if set(used_by(row).values_list("pk", flat=True)) != {user.pk for user in users}:
        raise Conflict(CHANGED)
    for user in users:
        if user.credential_id == row.pk:
            user.credential = row
            if renewed:
                history.forget(user)
            rows.save(user)


def _plain(row: Credential) -> dict[str, Any]:
    return {"name": row.name, "type": row.provider, "endpoint": row.endpoint}


def _settings(row: Credential) -> dict[str, Any]:
    ends = row.expires_at.astimezone(UTC).isoformat(timespec="seconds") if row.expires_at else None
    others = {field: getattr(row, field) for field in ("region", *TEXTS)}
    return {**_plain(row), "expires_at": ends, **others}


def _change(before: dict[str, Any], row: Credential) -> dict[str, Any]:
    after = _settings(row)
    return {name: [before[name], after[name]] for name in after if before[name] != after[name]}
