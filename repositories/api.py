"""The part of the API about repositories: the public client's calls, and our own beside them."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Query, Router

from flashback import etags, idempotency, names
from flashback.errors import Invalid, Repeated
from flashback.schemas import Success, naming
from repositories import api_attachments, api_keys, api_shown, attachments, repos
from repositories import api_schemas as shapes
from repositories.models import Repository, StorageType
from workspaces import bearer, events, spaces
from workspaces.models import User, Workspace

router = Router(tags=["Repositories"])
router.add_router("", api_attachments.router)
router.add_router("", api_keys.router)

FIELDS = {"storage_type": "storageType", "ai_llms": "repoAiLlms", "patterns": "modelPatterns"}
STAYS = "A repository stays in its workspace. Leave this out, or create another repository there."
WHICH = "Name each AI LLM by its aiLlmId."
NO_WORKSPACE = "There is no such workspace that you can see."


@router.post(
    "/repo", response=shapes.RepoSaved, auth=bearer.write, openapi_extra={"parameters": [idempotency.PARAMETER]}
)
def create_repository(request: HttpRequest, body: shapes.NewRepo) -> shapes.RepoSaved:
    """Create a repository, with what is attached to it.

    Only AI LLMs of the same workspace can be attached. All of it happens, or nothing. A name that is taken is answered
    with the `error_code` NAME_ALREADY_USED.
    """
    actor = bearer.caller(request).person
    workspace = _workspace(actor, body.workspace_id)
    wanted = _ids(body.repo_ai_llms or [])
    row_id = idempotency.row_id(request, actor.pk, "repository")
    again = row_id is not None and Repository.objects.filter(pk=row_id).exists()
    with naming(**FIELDS), transaction.atomic(), events.gathered():
        row = repos.create(actor, workspace, name=body.name, id=row_id, **_values(body))
        if again and list(row.attachments.in_order().values_list("ai_llm", flat=True)) != list(dict.fromkeys(wanted)):
            raise Repeated(repos.FORM_USED)
        if wanted and not again:
            attachments.attach(actor, row, wanted)
            _allow(actor, row, body.repo_ai_llms)
    return shapes.RepoSaved(repo_id=row.pk, message=f"The repository {row.name} is created.")


@router.get("/repo", response=shapes.RepoList, auth=bearer.read)
def list_repositories(request: HttpRequest, query: Query[shapes.RepoFilters]) -> shapes.RepoList:
    """List repositories, the newest first.

    Without a workspace these are all that you can see. An id that leads nowhere answers an empty list.
    """
    rows = Repository.objects.visible_to(bearer.caller(request).person)
    for column, text in (("workspace", query.workspace_id), ("pk", query.repo_id)):
        if text is not None:
            found = _id(text)
            rows = rows.filter(**{column: found}) if found else rows.none()
    if query.q:
        rows = rows.filter(name_key__contains=names.key(query.q))
    rows = rows.select_related("workspace").order_by("-created_at", "-pk")
    page = list(rows[query.skip :] if query.take is None else rows[query.skip : query.skip + query.take])
    whole = query.take is None and not query.skip
    return shapes.RepoList(repos=api_shown.repositories(page), total=len(page) if whole else rows.count())


@router.get("/repo/stats", response=shapes.RepoStatsList, auth=bearer.read)
def show_repository_stats(request: HttpRequest, query: Query[shapes.StatsFilters]) -> shapes.RepoStatsList:
    """Show what was stored through repositories.

    Flashback stores nothing through repositories, so every figure is zero. Ids that lead nowhere are left out.
    """
    rows = Repository.objects.visible_to(bearer.caller(request).person)
    if query.repo_id:
        rows = rows.filter(pk__in=[found for text in query.repo_id[:1000] if (found := _id(text))])
    ids = rows.order_by("-created_at", "-pk").values_list("pk", flat=True)
    return shapes.RepoStatsList(stats=[shapes.RepoStats(repo_id=pk) for pk in ids])


@router.post("/repo/validate", response=Success, auth=bearer.read)
def check_repository(request: HttpRequest, body: shapes.RepoToCheck) -> Success:
    """Tell whether a repository could be stored like this.

    Modes and buckets have no rules here, so that everything that can be read is well.
    """
    if body.repo_id is not None:
        repos.get(bearer.caller(request).person, body.repo_id)
    return Success(message="It can be stored like this.")


@router.post("/repo/{uuid:id}/validate", response=Success, auth=bearer.read)
def check_stored_repository(request: HttpRequest, id: UUID, body: shapes.RepoToCheck) -> Success:
    """Tell whether this repository could be stored like this.

    Modes and buckets have no rules here, so that everything that can be read is well.
    """
    repos.get(bearer.caller(request).person, id)
    return Success(message="It can be stored like this.")


@router.get("/repo/{uuid:id}", response=shapes.RepoShown, auth=bearer.read)
def show_repository(request: HttpRequest, id: UUID) -> shapes.RepoShown:
    """Show one repository.

    The answer's `ETag` can be sent as `If-Match` with a change.
    """
    row = repos.get(bearer.caller(request).person, id)
    etags.show(request, api_shown.tag(row))
    return shapes.RepoShown(repo=api_shown.repositories([row])[0])


@router.put("/repo/{uuid:id}", response=shapes.RepoSaved, auth=bearer.write, openapi_extra=etags.HONOURED)
def update_repository(request: HttpRequest, id: UUID, body: shapes.RepoChange) -> shapes.RepoSaved:
    """Change a repository, and what is attached to it.

    What is absent stays. `repoAiLlms` says all that will be attached, in the order of preference: those missing from it
    are detached, and those that stay keep their patterns unless others are given. With `If-Match` a change made
    meanwhile is refused (412).
    """
    actor = bearer.caller(request).person
    row = repos.get(actor, id)
    if body.workspace_id not in {None, row.workspace_id}:
        raise Invalid({"workspaceId": STAYS})
    wanted = None if body.repo_ai_llms is None else _ids(body.repo_ai_llms)
    with naming(**FIELDS), transaction.atomic(), events.gathered():
        if wanted is not None:
            attachments.locked(actor, row, wanted)
        now = repos.locked(row)
        etags.require(request, api_shown.tag(now))
        if wanted is not None:
            attachments.replace(actor, row, wanted)
            _allow(actor, row, body.repo_ai_llms)
        now = repos.update(actor, row, name=body.name, **_values(body))
    now.refresh_from_db(fields=["version", "changed_at"])
    etags.show(request, api_shown.tag(now))
    return shapes.RepoSaved(repo_id=row.pk, message="Saved.")


@router.delete("/repo/{uuid:id}", response=Success, auth=bearer.write, openapi_extra=etags.HONOURED)
def delete_repository(request: HttpRequest, id: UUID) -> Success:
    """Delete a repository.

    Its keys are refused at once, also those that work. Its data are purged after 30 days.
    """
    actor = bearer.caller(request).person
    row = _matching(request, repos.get(actor, id))
    repos.delete(actor, row, confirmed=row.name)
    return Success(message=f"The repository {row.name} is deleted, and its keys are refused.")


@router.post("/repo/{uuid:id}/disable", response=Success, auth=bearer.write, openapi_extra=etags.HONOURED)
def disable_repository(request: HttpRequest, id: UUID) -> Success:
    """Refuse all keys of a repository.

    Nothing is lost: enabling it lets them work again.
    """
    actor = bearer.caller(request).person
    row = repos.disable(actor, _matching(request, repos.get(actor, id)))
    etags.show(request, api_shown.tag(row))
    return Success(message=f"{row.name} is disabled. Its keys are refused until it is enabled again.")


@router.post("/repo/{uuid:id}/enable", response=Success, auth=bearer.write, openapi_extra=etags.HONOURED)
def enable_repository(request: HttpRequest, id: UUID) -> Success:
    """Let the keys of a disabled repository work again.

    One that is enabled stays so.
    """
    actor = bearer.caller(request).person
    row = repos.enable(actor, _matching(request, repos.get(actor, id)))
    etags.show(request, api_shown.tag(row))
    return Success(message=f"{row.name} is enabled. Its keys work again.")


def _matching(request: HttpRequest, row: Repository) -> Repository:
    etags.require(request, api_shown.tag(row))
    return row


def _workspace(actor: User, id: UUID) -> Workspace:
    row = spaces.found(actor, id)
    if row is None:
        raise repos.Missing(NO_WORKSPACE)
    return row


def _values(body: shapes.RepoChange) -> dict[str, Any]:
    given = {name: getattr(body, name) for name in ("description", "storage_type", "mode")}
    if given["storage_type"] == "AZURE":  # the older name of the same
        given["storage_type"] = StorageType.BLOB.value
    return {name: value for name, value in given.items() if value is not None}


def _ids(wanted: list[shapes.AttachedRef]) -> list[UUID]:
    found = [one.ai_llm_id or _id(str((one.ai_llm or {}).get("id"))) for one in wanted]
    if None in found:
        raise Invalid({"repoAiLlms": WHICH})
    return [one for one in found if one is not None]


def _allow(actor: User, row: Repository, wanted: list[shapes.AttachedRef] | None) -> None:
    """Give attachments the patterns that stand in the list; one query when nothing is new."""
    there = dict(row.attachments.values_list("ai_llm", "patterns"))
    for ai_llm, one in zip(_ids(wanted or []), wanted or [], strict=True):
        if one.model_patterns is not None and one.model_patterns != there[ai_llm]:
            attachments.change(actor, row, ai_llm, patterns=one.model_patterns)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
