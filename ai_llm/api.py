"""The part of the API about AI LLMs: the public client's seven calls, and our own beside them."""

from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from ninja import Query, Router

from ai_llm import api_answers as answers
from ai_llm import api_checks, api_message, api_provider_keys, api_reads, api_rotation, api_shown, configs, lifecycle
from ai_llm import api_schemas as shapes
from ai_llm.api_found import FIELDS, ai_llm, as_id, given_key, matching, provider_key, workspace
from ai_llm.models import AiLlm, Type
from flashback import etags, idempotency, names
from flashback.errors import Conflict, Denied, Invalid
from flashback.schemas import Success, naming
from workspaces import access, bearer, events
from workspaces.access import Access
from workspaces.models import User

PAGE = 50
NEEDED = {
    "endpoint": "Enter the API Endpoint, unless apiKeyUuid names a provider key.",
    "secret": "Enter the API Secret, unless apiKeyUuid names a provider key.",
}
UNKNOWN_TYPE = f"Use one or more of {', '.join(Type.values)}, joined with commas."
ONE_WAY = "Use either page or skip."

router = Router(tags=["AI LLMs"])


class InUse(Denied):
    """Repositories use the AI LLM; the public API answers that like a lack of permission (403)."""

    error_code = "IN_USE"


@router.post(
    "/ai/llm",
    response=answers.AiLlmSaved,
    auth=bearer.write,
    openapi_extra={"parameters": [idempotency.PARAMETER]},
)
def create_ai_llm(request: HttpRequest, body: shapes.NewAiLlm) -> answers.AiLlmSaved:
    """Create an AI LLM.

    Endpoint and secret are needed unless `apiKeyUuid` names a provider key. Nothing is sent to the provider: validate
    it next.
    """
    actor = bearer.caller(request).person
    into = workspace(actor, body.workspace_id)
    key = provider_key(actor, body.api_key_uuid)
    missing = () if key is not None else ("endpoint",) if body.keyless else ("endpoint", "secret")
    access.require(actor, into, Access.WRITE)
    if absent := {field: NEEDED[field] for field in missing if not (getattr(body, field) or "").strip()}:
        raise Invalid(absent)
    row_id = idempotency.row_id(request, actor.pk, "ai_llm") or uuid4()
    with naming(**FIELDS):
        row = configs.create(
            actor, into, id=row_id, type=body.ai_type, name=body.name, endpoint=body.endpoint or "",
            secret=body.secret or "", key=body.key or "", keyless=body.keyless, provider_key=key,
        )  # fmt: skip
    etags.show(request, api_shown.tag(row))
    return answers.AiLlmSaved(ai_llm_id=row.pk, message=f"The AI LLM {row.name} is created. Validate it next.")


@router.get("/ai/llm", response=answers.AiLlmList, auth=bearer.read)
def list_ai_llms(request: HttpRequest, query: Query[shapes.AiLlmFilters]) -> answers.AiLlmList:
    """List AI LLMs, the newest first.

    Without a workspace these are all that you can see. An id that leads nowhere answers an empty list.
    """
    actor = bearer.caller(request).person
    if query.page is not None and query.skip:
        raise Invalid({"page": ONE_WAY})
    take = query.take or (PAGE if query.page else None)
    start = (query.page - 1) * (take or 0) if query.page else query.skip
    stop = None if take is None else start + take
    workspace_id = None if query.workspace_id is None else as_id(query.workspace_id)
    if query.q or query.ai_type or query.state:
        rows = _filtered(api_reads.visible(actor, workspace_id), query)
        ordered = api_reads.ordered(rows, query.sort).values_list(*api_shown.COLUMNS)
        found, total = list(ordered[start:stop]), rows.count()
    else:
        found, total = api_reads.page(actor, workspace_id, order=query.sort, start=start, stop=stop)
    return answers.AiLlmList(ai_llms=api_shown.ai_llms(actor, found), total=total)


@router.get("/ai/llm/available", response=answers.AiLlmList, auth=bearer.read)
def list_available_ai_llms(request: HttpRequest) -> answers.AiLlmList:
    """List the AI LLMs that are validated and active, the newest first.

    These are the ones to offer where a repository is given an AI LLM.
    """
    actor = bearer.caller(request).person
    rows = api_reads.visible(actor).filter(api_shown.available())
    found = api_shown.ai_llms(actor, api_reads.ordered(rows, "newest").values_list(*api_shown.COLUMNS))
    return answers.AiLlmList(ai_llms=found, total=len(found))


@router.get("/ai/llm/stats", response=answers.AiLlmStats, auth=bearer.read)
def show_ai_llm_stats(request: HttpRequest, query: Query[shapes.StatsFilters]) -> answers.AiLlmStats:
    """Show what went through AI LLMs.

    All that you can see, or the one that is asked for. Counters are text. They are zero until there is traffic.
    """
    rows = api_reads.visible(bearer.caller(request).person)
    if query.ai_llm_id is not None:
        rows = rows.filter(pk=as_id(query.ai_llm_id))
    ids = api_reads.ordered(rows, "newest").values_list("pk", flat=True)
    return answers.AiLlmStats(stats=[answers.AiLlmFigures(ai_llm_id=pk) for pk in ids])


@router.get("/ai/llm/{uuid:id}", response=answers.AiLlmDetail, auth=bearer.read)
def show_ai_llm(request: HttpRequest, id: UUID) -> answers.AiLlmDetail:
    """Show one AI LLM."""
    row = ai_llm(request, id)
    etags.show(request, api_shown.tag(row))
    read = AiLlm.objects.filter(pk=row.pk).values_list(*api_shown.COLUMNS)
    (found,) = api_shown.ai_llms(bearer.caller(request).person, read)
    return answers.AiLlmDetail(ai_llm=found)


@router.put("/ai/llm/{uuid:id}", response=answers.AiLlmSaved, auth=bearer.write, openapi_extra=etags.HONOURED)
def update_ai_llm(request: HttpRequest, id: UUID, body: shapes.AiLlmChange) -> answers.AiLlmSaved:
    """Change an AI LLM.

    What is absent stays. Another type or destination demands the secret again: a stored secret only goes where it was
    meant for.
    """
    actor, row = bearer.caller(request).person, matching(request, id)
    version = row.version if "If-Match" in request.headers else None
    with naming(**FIELDS), transaction.atomic(), events.gathered():
        changed = configs.update(actor, row, version=version, **_changes(actor, body))
        if body.scheduled_checks is not None:
            changed = configs.schedule(actor, changed, body.scheduled_checks)
    etags.show(request, api_shown.tag(changed))
    return answers.AiLlmSaved(ai_llm_id=changed.pk, message="Saved.")


@router.delete("/ai/llm/{uuid:id}", response=Success, auth=bearer.write, openapi_extra=etags.HONOURED)
def delete_ai_llm(request: HttpRequest, id: UUID) -> Success:
    """Delete an AI LLM, and purge its credentials.

    Refused with 403 and their names while repositories use it.
    """
    row = matching(request, id)
    try:
        configs.delete(bearer.caller(request).person, row)
    except Conflict as conflict:
        ai_llm(request, id)  # deleted meanwhile: then it is not there any more
        raise InUse(conflict.message) from None
    return Success(message=f"The AI LLM {row.name} is deleted, and its credentials are purged.")


@router.post("/ai/llm/{uuid:id}/disable", response=Success, auth=bearer.write, openapi_extra=etags.HONOURED)
def disable_ai_llm(request: HttpRequest, id: UUID) -> Success:
    """Take an AI LLM out of use.

    Nothing is lost. Calls pass it by, and scheduled checks and reminders leave it out.
    """
    row = lifecycle.disable(bearer.caller(request).person, matching(request, id))
    etags.show(request, api_shown.tag(row))
    return Success(message=f"{row.name} is disabled.")


@router.post("/ai/llm/{uuid:id}/enable", response=Success, auth=bearer.write, openapi_extra=etags.HONOURED)
def enable_ai_llm(request: HttpRequest, id: UUID) -> Success:
    """Put a disabled AI LLM back into use."""
    row = lifecycle.enable(bearer.caller(request).person, matching(request, id))
    etags.show(request, api_shown.tag(row))
    return Success(message=f"{row.name} is enabled.")


router.add_router("", api_checks.router)
router.add_router("", api_message.router)
router.add_router("", api_rotation.router)
router.add_router("", api_provider_keys.router)


def _filtered(rows: "QuerySet[AiLlm]", query: shapes.AiLlmFilters) -> "QuerySet[AiLlm]":
    if wanted := (query.q or "").strip():
        rows = rows.filter(Q(name_key__contains=names.key(wanted)) | Q(endpoint__icontains=wanted))
    if query.ai_type:
        if not set(query.ai_type) <= set(Type.values):
            raise Invalid({"aiType": UNKNOWN_TYPE})
        rows = rows.filter(type__in=query.ai_type)
    return rows.filter(api_shown.in_state(query.state)) if query.state else rows


def _changes(actor: User, body: shapes.AiLlmChange) -> dict[str, Any]:
    """Return what `configs.update` takes: null removes what can be absent, and leaves alone what cannot."""
    sent = body.given()
    changes: dict[str, Any] = {"name": body.name, "type": body.ai_type, "endpoint": body.endpoint}
    changes |= {"secret": body.secret or ""} | given_key(sent)
    if "api_key_uuid" in sent:
        changes["provider_key"] = provider_key(actor, body.api_key_uuid)
    if "notes" in sent:
        changes["notes"] = body.notes or ""
    return changes | {name: sent[name] for name in ("expires_at", "rotate_every_days") if name in sent}
