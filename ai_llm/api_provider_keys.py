"""The part of the API about provider keys (/apikeys): stored provider credentials that several AI LLMs use.

The public client knows them by a description; a name of our own is made from it. Deleting one in use is refused with
403, as it is for an AI LLM in use.
"""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router

from ai_llm import api_answers as answers
from ai_llm import api_schemas as shapes
from ai_llm import api_shown, provider_keys, providers
from ai_llm.api_found import FIELDS, NO_PROVIDER_KEY, as_id, given_key, workspace
from ai_llm.models import Credential
from flashback import etags, idempotency
from flashback.errors import Denied, Invalid, NotFound
from flashback.schemas import Success, naming
from workspaces import bearer

NAMES = {**FIELDS, "type": "provider"}
STAYS = "A provider key stays in its workspace. Leave this out, or create another one there."
KEPT_AS_TEXT = ("region", "description", "tenant_id", "subscription_id")

router = Router(tags=["Provider keys"])


class InUse(Denied):
    """AI LLMs use the provider key; answered like an AI LLM in use (403)."""

    error_code = "IN_USE"


@router.get("/apikeys", response=answers.ProviderKeyList, auth=bearer.read)
def list_provider_keys(request: HttpRequest, query: Query[shapes.KeyFilters]) -> answers.ProviderKeyList:
    """List provider keys, the newest first.

    Without a workspace these are all that you can see. What leads nowhere answers an empty list.
    """
    rows = Credential.objects.visible_to(bearer.caller(request).person).defer("secret", "key")
    if query.workspace_id is not None:
        rows = rows.filter(workspace=as_id(query.workspace_id))
    if query.provider is not None:
        rows = rows.filter(provider=api_shown.TYPES.get(query.provider, query.provider))
    if query.capability is not None and not query.capability & shapes.AI:
        rows = rows.none()
    return answers.ProviderKeyList(api_keys=api_shown.keys(rows.order_by("-created_at", "pk")))


@router.post(
    "/apikeys",
    response=answers.ProviderKeySaved,
    auth=bearer.write,
    openapi_extra={"parameters": [idempotency.PARAMETER]},
)
def create_provider_key(request: HttpRequest, body: shapes.NewProviderKey) -> answers.ProviderKeySaved:
    """Store a provider key.

    It is bound to its endpoint, by default the provider's: an AI LLM elsewhere cannot use it.
    """
    actor = bearer.caller(request).person
    texts: dict[str, Any] = {name: getattr(body, name) or "" for name in KEPT_AS_TEXT}
    with naming(**NAMES):
        row = provider_keys.create(
            actor, workspace(actor, body.workspace_id), provider=_type(body.provider), secret=body.secret,
            key=body.key or "", name=body.name or "", endpoint=body.endpoint or "", expires_at=body.expires_at,
            id=idempotency.row_id(request, actor.pk, "provider_key"), **texts,
        )  # fmt: skip
    etags.show(request, api_shown.tag(row))
    return answers.ProviderKeySaved(api_key_id=row.pk, message=f"The provider key {row.name} is stored.")


@router.get("/apikeys/{uuid:id}", response=answers.ProviderKeyDetail, auth=bearer.read)
def show_provider_key(request: HttpRequest, id: UUID) -> answers.ProviderKeyDetail:
    """Show one provider key."""
    row = _found(request, id)
    etags.show(request, api_shown.tag(row))
    (found,) = api_shown.keys([row])
    return answers.ProviderKeyDetail(api_key=found)


@router.put(
    "/apikeys/{uuid:id}",
    response=answers.ProviderKeySaved,
    auth=bearer.write,
    openapi_extra=etags.HONOURED,
)
def update_provider_key(request: HttpRequest, id: UUID, body: shapes.ProviderKeyChange) -> answers.ProviderKeySaved:
    """Change a provider key.

    A new secret is the new one of every AI LLM that uses this key; validate them next. 409 when it would move while AI
    LLMs use it.
    """
    row = _found(request, id)
    etags.require(request, api_shown.tag(row))
    if body.workspace_id not in {None, row.workspace_id}:
        raise Invalid({"workspaceId": STAYS})
    version = row.version if "If-Match" in request.headers else None
    with naming(**NAMES):
        changed = provider_keys.update(bearer.caller(request).person, row, version=version, **_changes(body))
    etags.show(request, api_shown.tag(changed))
    return answers.ProviderKeySaved(api_key_id=changed.pk, message="Saved.")


@router.delete("/apikeys/{uuid:id}", response=Success, auth=bearer.write, openapi_extra=etags.HONOURED)
def delete_provider_key(request: HttpRequest, id: UUID) -> Success:
    """Delete a provider key, and purge what it holds.

    Refused with 403 and their names while AI LLMs use it.
    """
    row = _found(request, id)
    etags.require(request, api_shown.tag(row))
    try:
        provider_keys.delete(bearer.caller(request).person, row)
    except provider_keys.InUse as refused:
        raise InUse(refused.message) from None
    return Success(message=f"The provider key {row.name} is deleted.")


@router.get("/providers", response=answers.ProviderList, auth=bearer.read)
def list_providers(request: HttpRequest) -> answers.ProviderList:
    """List the kinds of providers, and what each of them calls its credentials."""
    return answers.ProviderList(
        providers=[
            answers.ProviderShown(
                id=api_shown.PUBLIC_NAMES.get(type_, type_),
                name=one.label,
                ai_type=type_,
                summary=one.summary,
                default_endpoint=one.default_endpoint,
                key_name=one.key_name,
                secret_name=one.secret_name,
                make_key_url=one.make_key_url,
            )
            for type_, one in providers.PROVIDERS.items()
        ]
    )


def _found(request: HttpRequest, id: UUID) -> Credential:
    rows = Credential.objects.visible_to(bearer.caller(request).person).select_related("workspace__organization")
    row = rows.filter(pk=id).first()
    if row is None:
        raise NotFound(NO_PROVIDER_KEY)
    return row


def _type(provider: str) -> str:
    return api_shown.TYPES.get(provider, provider)


def _changes(body: shapes.ProviderKeyChange) -> dict[str, Any]:
    """Return what `provider_keys.update` takes: null removes what can be absent, and leaves alone what cannot."""
    sent = body.given()
    changes: dict[str, Any] = {"name": body.name, "endpoint": body.endpoint, "secret": body.secret or ""}
    changes |= given_key(sent) | {name: sent[name] or "" for name in KEPT_AS_TEXT if name in sent}
    if body.provider is not None:
        changes["provider"] = _type(body.provider)
    if "expires_at" in sent:
        changes["expires_at"] = body.expires_at
    return changes
