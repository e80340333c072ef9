"""The pages about repositories: overview, inventory, one repository, its models, new, edit, disable, delete."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ai_llm.forms import refuse
from ai_llm.models import AiLlm
from flashback import notices
from flashback.errors import Invalid, NotFound
from flashback.prepared import prepared
from flashback.web import see_other
from repositories import attachments, forms, listing, reachable, repos
from repositories.models import Repository
from workspaces import access, events
from workspaces.access import Access
from workspaces.address import Request, in_workspace
from workspaces.reauthentication import recently_authenticated

ATTACHED_A_PAGE = 50
MODELS_SHOWN = 8
MODELS_A_PAGE = 100
GONE = "The AI LLM that was to be attached to it is not there any more."


@require_safe
@in_workspace
def overview(request: Request) -> HttpResponse:
    """How many there are of what, what needs attention, and what happened lately."""
    values = {
        "figures": listing.figures(request.workspace),
        "attention": listing.attention(request.workspace),
        "newest": listing.newest(request.workspace),
        "events": events.newest_of(request.workspace, "repository", "aiapikey"),
    }
    return render(request, "repositories/overview.html", values)


@require_safe
@in_workspace
def inventory(request: Request) -> HttpResponse:
    """The list of repositories: searched, filtered, sorted and paged by the address."""
    query = listing.RepositoryQuery.read(request.GET)
    page = query.page_of(request.workspace)
    values = {"query": query, "page": page, "states": query.STATES, "orders": listing.ORDER_WORDS}
    return render(request, "repositories/inventory.html", values)


@require_safe
@in_workspace
def repository(request: Request, id: UUID) -> HttpResponse:
    """The page of one repository: what is attached, in order; what is reachable; its keys."""
    row = found(request, id)
    reach = reachable.of(row)
    keys, number = listing.keys_of(row)
    values = {
        "repository": row,
        "page": Paginator(reach.sources, ATTACHED_A_PAGE).get_page(request.GET.get("page")),
        "attached": len(reach.sources),
        "models": reach.models(reach.first(MODELS_SHOWN)),
        "model_count": len(reach.wins),
        "keys": keys,
        "key_count": number,
        "moved": request.GET.get("moved", ""),
        "events": events.newest_about(row),
    }
    return render(request, "repositories/detail.html", values)


@require_safe
@in_workspace
def models(request: Request, id: UUID) -> HttpResponse:
    """Every model that is reachable through a repository, with where it comes from; searched and paged."""
    row = found(request, id)
    search = request.GET.get("q", "").replace("\0", "").strip()[:120]
    chosen = next(iter(forms.ids([request.GET.get("ai_llm", "")])), None)
    reach = reachable.of(row)
    paginator = Paginator(reach.found(search, chosen), MODELS_A_PAGE)
    page = paginator.get_page(request.GET.get("page"))
    values = {
        "repository": row,
        "search": search,
        "chosen": chosen,
        "sources": reach.sources,
        "page": page,
        "models": reach.models(page.object_list),
        "total": len(reach.wins),
    }
    return render(request, "repositories/models.html", values)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def new(request: Request) -> HttpResponse:
    """Create a repository, attach the AI LLM whose page led here, and lead to its page."""
    access.require(request.user, request.workspace, Access.WRITE)
    data, wished = request.POST if request.method == "POST" else None, _wished(request)
    form = forms.NewRepositoryForm(data, actor=request.user, place=request.workspace)
    if form.is_bound and form.is_valid():
        values = dict(form.cleaned_data)
        try:
            made = repos.create(request.user, request.workspace, id=values.pop("row"), **values)
        except Invalid as invalid:
            refuse(form, invalid)
        else:
            messages.success(request, f"The repository {made.name} is there{_attached(request, made, wished)}")
            return see_other("repository", slug=request.workspace.slug, id=made.pk)
    return form_page(request, "repositories/new.html", form, wished=wished)


def _wished(request: Request) -> AiLlm | None:
    """Return the AI LLM whose page led here: it is attached to the new repository. None without one."""
    asked = forms.ids([request.POST.get("attach") or request.GET.get("attach", "")])
    return AiLlm.objects.of(request.workspace).filter(pk__in=asked).first() if asked else None


def _attached(request: Request, made: Repository, wished: AiLlm | None) -> str:
    """Attach what was wished for, and return how the sentence about the new repository ends."""
    if wished is not None:
        with suppress(NotFound):  # deleted meanwhile: the repository is there all the same
            attachments.attach(request.user, made, [wished.pk])
            return f", and {wished.name} is attached to it."
    return f". {GONE}" if request.POST.get("attach") else ". Attach AI LLMs to it."


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def edit(request: Request, id: UUID) -> HttpResponse:
    """Rename or describe a repository."""
    row = found(request, id, Access.WRITE)
    form = forms.EditRepositoryForm(request.POST if request.method == "POST" else None, repository=row)
    if form.is_bound and form.is_valid():
        try:
            repos.update(request.user, row, **form.cleaned_data)
        except Invalid as invalid:
            refuse(form, invalid)
        else:
            messages.success(request, "Saved.")
            return see_other("repository", slug=request.workspace.slug, id=row.pk)
    return form_page(request, "repositories/edit.html", form, repository=row)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def disable(request: Request, id: UUID) -> HttpResponse:
    """Say what stops, then stop it."""
    row = found(request, id, Access.WRITE)
    if request.method != "POST":
        return render(request, "repositories/disable.html", {"repository": row, **_live(row)})
    repos.disable(request.user, row)
    said = f"{row.name} is disabled. Its keys are refused until it is enabled again."
    notices.done(request, said, "repository_enable", request.workspace.slug, row.pk)
    return see_other("repository", slug=request.workspace.slug, id=row.pk)


@require_POST
@in_workspace
def enable(request: Request, id: UUID) -> HttpResponse:
    """Let the keys of a disabled repository work again."""
    row = found(request, id, Access.WRITE)
    repos.enable(request.user, row)
    said = f"{row.name} is enabled. Its keys work again."
    notices.done(request, said, "repository_disable", request.workspace.slug, row.pk)
    return see_other("repository", slug=request.workspace.slug, id=row.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
@recently_authenticated
def delete(request: Request, id: UUID) -> HttpResponse:
    """Say what stops, ask for the name while keys work, then take the repository away."""
    row = found(request, id, Access.WRITE)
    live = _live(row)
    form = forms.DeleteForm(request.POST if request.method == "POST" else None, live=live["live_count"])
    if form.is_bound and form.is_valid():
        try:
            repos.delete(request.user, row, confirmed=form.cleaned_data.get("name", ""))
        except Invalid as invalid:
            refuse(form, invalid)
        else:
            messages.success(request, f"{row.name} is deleted, and its keys are refused.")
            return see_other("repository_inventory", slug=request.workspace.slug)
    return form_page(request, "repositories/delete.html", form, repository=row, **live)


def form_page(request: Request, template: str, form: Any, **values: Any) -> HttpResponse:
    """Return a page with a form; the status says whether the form was refused."""
    status = 422 if form.is_bound and form.errors else 200
    return render(request, template, {"form": form, **values}, status=status)


def found(request: Request, id: UUID, needed: Access = Access.READ) -> Repository:
    """Return the repository of this workspace, or raise `NotFound`; then `Denied` unless `needed` is there."""
    # The workspace is one that this person may see: the address was resolved to it.
    row: Repository | None = next(iter(_with_maker(request.workspace.pk, id)), None)
    if row is None:
        raise NotFound("There is no repository here that you can see. It may be in another workspace, or deleted.")
    access.require(request.user, request.workspace, needed)
    row.workspace = request.workspace
    return row


@prepared
def _with_maker(workspace: UUID, id: UUID) -> "QuerySet[Repository]":
    return Repository.objects.of(workspace).filter(pk=id).select_related("created_by")


def _live(row: Repository) -> dict[str, Any]:
    keys = repos.live_keys(row)
    return {"live": listing.key_rows(list(keys.values_list("pk", flat=True)[:10])), "live_count": keys.count()}
