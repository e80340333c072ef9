"""The pages about stored AI LLMs: overview, list, one configuration, edit, replace secret, validate, delete."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ai_llm import configs, doctor, forms, listing, providers, validation, wizard
from ai_llm.models import STATES, AiLlm, Check, Type
from flashback.errors import Conflict, Invalid, NotFound
from flashback.web import problem_page, see_other
from workspaces import access, events
from workspaces.access import Access
from workspaces.address import Request, in_workspace

CHECKS_SHOWN = 10
EVENTS_SHOWN = 10
EVENTS_A_PAGE = 50


@require_safe
@in_workspace
def overview(request: Request) -> HttpResponse:
    """The first page of the day: counts by state, what needs attention, and what happened lately."""
    counts = listing.counts(request.workspace)
    values = {
        "counts": counts,
        "total": sum(counts.values()),
        "attention": listing.attention(request.workspace, counts),
        "events": events.of_workspace(request.workspace)[:EVENTS_SHOWN],
    }
    return render(request, "ai_llm/overview.html", values)


@require_safe
@in_workspace
def activity(request: Request) -> HttpResponse:
    """Everything that happened in the workspace, or to one object of it, page by page."""
    found = events.of_workspace(request.workspace)
    about = request.GET.get("about", "").replace("\0", "")[:40]
    page = Paginator(found.filter(object_id=about) if about else found, EVENTS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "ai_llm/activity.html", {"page": page, "events": page.object_list, "about": about})


@require_safe
@in_workspace
def ai_llms(request: Request) -> HttpResponse:
    """The AI LLM list: searched, filtered, sorted and paged by the address."""
    query = listing.Query.read(request.GET)
    values = {
        "query": query,
        "page": query.page_of(request.workspace),
        "types": Type.choices,
        "states": STATES,
        "orders": listing.ORDER_WORDS,
    }
    return render(request, "ai_llm/list.html", values)


@require_safe
@in_workspace
def ai_llm(request: Request, id: UUID) -> HttpResponse:
    """The page of one configuration."""
    return render(request, "ai_llm/detail.html", _detail(request, _found(request, id)))


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("secret", "key")
@in_workspace
def edit(request: Request, id: UUID) -> HttpResponse:
    """Change name and endpoint; a new destination needs the secret again."""
    row = _found(request, id, Access.WRITE)
    data = forms.with_fix(request.POST) if request.method == "POST" else None
    form = forms.EditForm(data, ai_llm=row)
    if "endpoint" in request.GET:  # a verdict's fix, to be looked at and saved
        form.initial["endpoint"] = request.GET["endpoint"]
    if form.is_bound and "fix" not in form.data and form.is_valid():
        try:
            configs.update(request.user, row, **form.cleaned_data)
        except Invalid as invalid:
            forms.refuse(form, invalid)
        except Conflict as conflict:
            form.add_error(None, conflict.message)
        else:
            messages.success(request, "Saved.")
            return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)
    endpoint = str(form["endpoint"].value() or "")
    values = {
        "form": form,
        "ai_llm": row,
        "provider": providers.PROVIDERS[row.type],
        "examination": doctor.examine(endpoint, row.type) if form.is_bound else None,
        "moved": form.is_bound and not doctor.same_destination(row.endpoint, endpoint, row.type),
    }
    return _form_page(request, "ai_llm/edit.html", form, values)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("secret", "key")
@in_workspace
def rotate(request: Request, id: UUID) -> HttpResponse:
    """Replace the secret."""
    row = _found(request, id, Access.WRITE)
    form = forms.ReplaceSecretForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            configs.replace_secret(request.user, row, **form.cleaned_data)
        except Invalid as invalid:
            forms.refuse(form, invalid)
        else:
            messages.success(request, "The secret is replaced. The old one is gone.")
            return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)
    stored_key = (
        "An API Key is stored; it is kept when this stays blank." if row.credential and row.credential.key else ""
    )
    values = {"form": form, "ai_llm": row, "provider": providers.PROVIDERS[row.type], "stored_key": stored_key}
    return _form_page(request, "ai_llm/rotate.html", form, values)


@require_POST
@in_workspace
def validate(request: Request, id: UUID) -> HttpResponse:
    """Run the check and show it: the state card for htmx, else back to the page."""
    row, busy, wait = _found(request, id, Access.WRITE), "", 0
    try:
        validation.validate(request.user, row)
    except validation.Busy as refused:
        busy, wait = refused.message, refused.retry_after
    if request.htmx:
        values = {**_detail(request, _found(request, id)), "running": False, "busy": busy}
        return render(request, "ai_llm/_checked.html", values)
    if busy:
        answer = problem_page(request, 429, busy)
        answer.headers["Retry-After"] = str(wait)
        return answer
    return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def delete(request: Request, id: UUID) -> HttpResponse:
    """Ask for the name, then take the configuration away and purge its credentials."""
    row = _found(request, id, Access.WRITE)
    form = forms.DeleteForm(request.POST if request.method == "POST" else None, ai_llm=row)
    if form.is_bound and form.is_valid():
        configs.delete(request.user, row)
        messages.success(request, f"{row.name} is deleted, and its stored credentials are purged.")
        return see_other("ai_llms", slug=request.workspace.slug)
    return _form_page(request, "ai_llm/delete.html", form, {"form": form, "ai_llm": row})


def _form_page(request: Request, template: str, form: Any, values: dict[str, Any]) -> HttpResponse:
    return render(request, template, values, status=422 if form.is_bound and form.errors else 200)


def _found(request: Request, id: UUID, needed: Access = Access.READ) -> AiLlm:
    rows = AiLlm.objects.visible_to(request.user).filter(workspace=request.workspace)
    row = rows.select_related("workspace", "credential__set_by", "last_check__by", "created_by").filter(pk=id).first()
    if row is None:
        raise NotFound("There is no AI LLM here that you can see. It may be in another workspace, or deleted.")
    access.require(request.user, request.workspace, needed)
    return row


def _detail(request: Request, row: AiLlm) -> dict[str, Any]:
    checks = Check.objects.filter(ai_llm=row).select_related("by").order_by("-at")[:CHECKS_SHOWN]
    running = listing.starts_checking(row) and request.may_write
    return {
        "ai_llm": row,
        "provider": providers.PROVIDERS[row.type],
        "result": validation.present(row.last_check) if row.last_check else None,
        "running": running,
        "final_url": doctor.examine(row.endpoint, row.type).final_url,
        "steps": wizard.operating_steps() if running and row.version == 1 else [],
        "checks": checks,
        "events": events.of_object(row)[:EVENTS_SHOWN],
    }
