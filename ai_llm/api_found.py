"""What ids in requests lead to, as the caller sees it: foreign, deleted and never-existed read the same."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from ai_llm import api_reads, api_shown, provider_keys
from ai_llm.models import AiLlm, Credential
from flashback import etags
from flashback.errors import Invalid, NotFound
from workspaces import bearer, spaces
from workspaces.models import User, Workspace

# The names that the fields of verbs have in requests.
FIELDS = {
    "type": "aiType",
    "provider_key": "apiKeyUuid",
    "expires_at": "expiresAt",
    "rotate_every_days": "rotateEveryDays",
    "tenant_id": "tenantId",
    "subscription_id": "subscriptionId",
}
NO_AI_LLM = "There is no such AI LLM that you can see."
NO_WORKSPACE = "There is no such workspace that you can see."
NO_PROVIDER_KEY = "There is no such provider key that you can see."
NOWHERE = UUID(int=0)


def ai_llm(request: HttpRequest, id: UUID) -> AiLlm:
    """Return the AI LLM of the address. Raises `NotFound`."""
    return ai_llm_of(bearer.caller(request).person, id)


def matching(request: HttpRequest, id: UUID) -> AiLlm:
    """Return the AI LLM of the address, for a change. Raises `NotFound`, and `Stale` for another `If-Match`."""
    row = ai_llm(request, id)
    etags.require(request, api_shown.tag(row))
    return row


def ai_llm_of(actor: User, id: UUID) -> AiLlm:
    """Return the AI LLM with this id. Raises `NotFound`."""
    row = api_reads.found(actor, id)
    if row is None:
        raise NotFound(NO_AI_LLM)
    return row


def workspace(actor: User, id: UUID) -> Workspace:
    """Return the workspace with this id. Raises `NotFound`."""
    row = spaces.found(actor, id)
    if row is None:
        raise NotFound(NO_WORKSPACE)
    return row


def provider_key(actor: User, id: UUID | None) -> Credential | None:
    """Return the provider key that a body names, None when it names none. Raises `Invalid` for apiKeyUuid."""
    if id is None:
        return None
    row = Credential.objects.visible_to(actor).select_related("workspace").filter(pk=id).first()
    if row is None:
        raise Invalid({"apiKeyUuid": provider_keys.UNKNOWN})
    return row


def as_id(text: str) -> UUID:
    """Return the id that a query names; what is none leads nowhere."""
    try:
        return UUID(text)
    except ValueError:
        return NOWHERE


def given_key(sent: dict[str, Any]) -> dict[str, Any]:
    """Return what the verbs take of the field `key`: null removes the stored API Key, absent and blank keep it."""
    key = sent.get("key", "")
    return {"key": key or "", "remove_key": key is None}
