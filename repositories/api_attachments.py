"""The part of the API about what is attached to repositories, and which models that makes reachable."""

from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router

from ai_llm.models import AiLlm, Type
from flashback import etags
from flashback.errors import NotFound
from flashback.schemas import naming
from repositories import api_schemas as shapes
from repositories import api_shown, attachments, reachable, repos
from repositories.models import Repository
from workspaces import bearer

router = Router(tags=["Repositories"])

FIELDS = {"ai_llms": "aiLlmIds", "patterns": "modelPatterns", "target": "aiLlmId"}
LABELS = dict(Type.choices)


@router.get("/repo/{uuid:id}/attachments", response=shapes.AttachmentsShown, auth=bearer.read)
def list_attachments(request: HttpRequest, id: UUID) -> shapes.AttachmentsShown:
    """List what is attached to a repository.

    In the order of preference: calls go to the first AI LLM that has the model.
    """
    row = repos.get(bearer.caller(request).person, id)
    etags.show(request, api_shown.tag(row))
    return shapes.AttachmentsShown(attachments=_attachments(row))


@router.post("/repo/{uuid:id}/attachments", response=shapes.AttachmentsAdded, auth=bearer.write)
def attach_ai_llms(request: HttpRequest, id: UUID, body: shapes.AttachmentList) -> shapes.AttachmentsAdded:
    """Attach AI LLMs behind those that are there.

    Those that are attached already stay as they are.
    """
    actor = bearer.caller(request).person
    row = repos.get(actor, id)
    with naming(**FIELDS):
        new = attachments.attach(actor, row, body.ai_llm_ids)
    return shapes.AttachmentsAdded(attachments=_attachments(row), attached=[one.pk for one in new])


@router.put(
    "/repo/{uuid:id}/attachments", response=shapes.AttachmentsShown, auth=bearer.write, openapi_extra=etags.HONOURED
)
def replace_attachments(request: HttpRequest, id: UUID, body: shapes.AttachmentList) -> shapes.AttachmentsShown:
    """Attach exactly these AI LLMs, in this order.

    Those that stay keep their patterns. With `If-Match` a change made meanwhile is refused.
    """
    actor = bearer.caller(request).person
    row = repos.get(actor, id)
    with naming(**FIELDS):
        attachments.replace(actor, row, body.ai_llm_ids, version=_version(request, row))
    return _now(request, row)


@router.put(
    "/repo/{uuid:id}/attachments/{uuid:ai_llm}",
    response=shapes.AttachmentsShown,
    auth=bearer.write,
    openapi_extra=etags.HONOURED,
)
def change_attachment(
    request: HttpRequest, id: UUID, ai_llm: UUID, body: shapes.AttachmentChange
) -> shapes.AttachmentsShown:
    """Give one attached AI LLM another place, or allow other models.

    A place beyond the end is the end. With `If-Match` a change made meanwhile is refused.
    """
    actor = bearer.caller(request).person
    row = repos.get(actor, id)
    with naming(**FIELDS):
        attachments.change(
            actor, row, ai_llm, place=body.place, patterns=body.model_patterns, version=_version(request, row)
        )
    return _now(request, row)


@router.delete(
    "/repo/{uuid:id}/attachments/{uuid:ai_llm}",
    response=shapes.AttachmentsShown,
    auth=bearer.write,
    openapi_extra=etags.HONOURED,
)
def detach_ai_llm(request: HttpRequest, id: UUID, ai_llm: UUID) -> shapes.AttachmentsShown:
    """Detach one AI LLM.

    With `If-Match` a change made meanwhile is refused.
    """
    actor = bearer.caller(request).person
    row = repos.get(actor, id)
    if not attachments.detach(actor, row, ai_llm, version=_version(request, row)):
        raise NotFound(attachments.NOT_ATTACHED)
    return _now(request, row)


@router.post("/ai/llm/{uuid:id}/attachments/move", response=shapes.AttachmentsMoved, auth=bearer.write)
def move_attachments(request: HttpRequest, id: UUID, body: shapes.Target) -> shapes.AttachmentsMoved:
    """Let another AI LLM take this one's place in every repository.

    All of it happens, or nothing. Both have to be in the same workspace.
    """
    actor = bearer.caller(request).person
    seen = AiLlm.objects.visible_to(actor).select_related("workspace")
    source = seen.filter(pk=id).first()
    if source is None:
        raise NotFound(attachments.NOT_HERE)
    target = seen.filter(pk=body.ai_llm_id, workspace=source.workspace_id).first()
    if target is None:
        raise NotFound(attachments.NOT_HERE)
    with naming(**FIELDS):
        moved = attachments.move_all(actor, source, target)
    return shapes.AttachmentsMoved(repo_ids=[row.pk for row in moved])


@router.get("/repo/{uuid:id}/models", response=shapes.ModelList, auth=bearer.read)
def list_reachable_models(request: HttpRequest, id: UUID, query: Query[shapes.ModelFilters]) -> shapes.ModelList:
    """List the models that can be called through a repository.

    They are those of the last good lists of what is attached. Calls go to the first that has
    the model.
    """
    reach = reachable.of(repos.get(bearer.caller(request).person, id))
    found = reach.found(query.q or "", query.ai_llm_id)
    page = found[query.skip : query.skip + query.take]
    return shapes.ModelList(models=[_model(name, reach) for name in page], total=len(found))


@router.post("/ai/models", response=shapes.ModelList, auth=bearer.read)
def list_ai_models(request: HttpRequest, body: shapes.ModelsWanted) -> shapes.ModelList:
    """List all models that can be called through a repository, for the public client.

    They are those of the last good lists of what is attached.
    """
    reach = reachable.of(repos.get(bearer.caller(request).person, body.repo_id))
    kinds = {kind for kind in (body.ai_type, body.llm_type) if kind}
    found = [name for name in reach.found() if kinds <= {reach.wins[name].ai_llm.type}]
    return shapes.ModelList(models=[_model(name, reach) for name in found], total=len(found))


def _version(request: HttpRequest, row: Repository) -> int | None:
    """Return which version the change is about: any, unless the request has a condition."""
    etags.require(request, api_shown.tag(row))
    return row.version if "If-Match" in request.headers else None


def _now(request: HttpRequest, row: Repository) -> shapes.AttachmentsShown:
    row.refresh_from_db(fields=["version", "changed_at"])
    etags.show(request, api_shown.tag(row))
    return shapes.AttachmentsShown(attachments=_attachments(row))


def _attachments(row: Repository) -> list[shapes.Attachment]:
    return [
        shapes.Attachment(
            ai_llm_id=one.ai_llm.id,
            name=one.ai_llm.name,
            ai_type=one.ai_llm.type,
            state=one.ai_llm.state,
            warning=one.warning or None,
            place=one.place,
            model_patterns=one.patterns,
            known_models=len(one.known),
            allowed_models=len(one.left),
        )
        for one in reachable.of(row).sources
    ]


def _model(name: str, reach: reachable.Reachable) -> shapes.ReachableModel:
    found = reach.wins[name].ai_llm
    return shapes.ReachableModel(
        id=name,
        name=name,
        ai_type=found.type,
        llm_type=found.type,
        llm_provider=str(LABELS.get(found.type, found.type)),
        ai_llm_id=found.id,
        ai_llm_name=found.name,
    )
