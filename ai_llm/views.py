"""The pages about stored AI LLMs: overview, list, one configuration, validate."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from ai_llm import (
    dependents,
    doctor,
    expiry,
    history,
    listing,
    message_form,
    providers,
    summary,
    trying,
    validation,
    wizard,
)
from ai_llm.models import UNAVAILABLE, AiLlm, ModelList, Type
from flashback.errors import NotFound
from flashback.prepared import padded, prepared
from flashback.web import problem_page, see_other
from workspaces import access, events
from workspaces.access import Access
from workspaces.address import Request, in_workspace
from workspaces.models import User


@require_safe
@in_workspace
def overview(request: Request) -> HttpResponse:
    """The first page of the day: counts by state, what needs attention, and what happened lately."""
    found = summary.of(request.workspace)
    values = {
        "counts": found.counts,
        "total": sum(found.counts.values()),
        "attention": found.attention,
        "reminders": found.reminders,
        "events": events.newest_of(request.workspace),
    }
    return render(request, "ai_llm/overview.html", values)


@require_safe
@in_workspace
def activity(request: Request) -> HttpResponse:
    """Lead to the audit log, which tells all of it; `about` is the object that it was asked for."""
    about = request.GET.get("about", "").replace("\0", "")[:40]
    return HttpResponseRedirect(
        reverse("audit", args=[request.workspace.slug]) + (f"?{urlencode({'object': about})}" if about else "")
    )


@require_safe
@in_workspace
def ai_llms(request: Request) -> HttpResponse:
    """The AI LLM list: searched, filtered, sorted and paged by the address."""
    query = listing.Query.read(request.GET)
    values = {
        "query": query,
        "page": query.page_of(request.workspace),
        "types": Type.choices,
        "states": listing.FILTERS,
        "orders": listing.ORDER_WORDS,
    }
    return render(request, "ai_llm/list.html", values)


@require_safe
@in_workspace
def ai_llm(request: Request, id: UUID) -> HttpResponse:
    """The page of one configuration. Whoever came from a list goes back to what they looked for there."""
    row, list_url = found(request, id), reverse("ai_llms", args=[request.workspace.slug])
    looked_for = listing.Query.of_page(request.headers.get("Referer", ""), list_url)
    return render(request, "ai_llm/detail.html", {**detail(request, row), "list_url": list_url + looked_for})


@require_POST
@in_workspace
def validate(request: Request, id: UUID) -> HttpResponse:
    """Run the check and show it: the state card for htmx, else back to the page."""
    row, busy, wait = found(request, id, Access.WRITE), "", 0
    try:
        validation.validate(request.user, row)
    except validation.Busy as refused:
        busy, wait = refused.message, refused.retry_after
    if request.htmx:
        values = {**detail(request, found(request, id)), "running": False, "busy": busy}
        return render(request, "ai_llm/_checked.html", values)
    if busy:
        answer = problem_page(request, 429, busy)
        answer.headers["Retry-After"] = str(wait)
        return answer
    return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)


def found(request: Request, id: UUID, needed: Access = Access.READ) -> AiLlm:
    """Return the AI LLM of the address, as this person sees it. Raises `NotFound` and `Denied`."""
    # The workspace is one that this person may see: the address was resolved to it.
    row: AiLlm | None = next(iter(_with_credential_and_check(request.workspace.pk, id)), None)
    if row is None:
        raise NotFound("There is no AI LLM here that you can see. It may be in another workspace, or deleted.")
    access.require(request.user, request.workspace, needed)
    row.workspace = request.workspace
    _name_people(row)
    return row


@prepared
def _with_credential_and_check(workspace: UUID, id: UUID) -> "QuerySet[AiLlm]":
    return AiLlm.objects.of(workspace).filter(pk=id).select_related("credential", "last_check")


@prepared
def _people(*ids: UUID) -> "QuerySet[User]":
    return User.objects.filter(pk__in=ids)


def _name_people(row: AiLlm) -> None:
    """Fill in who made the row, set its secret and ran its last check, with one small query instead of three joins."""
    held, check = row.credential, row.last_check
    ids = {row.created_by_id, held.set_by_id if held else None, check.by_id if check else None}
    known = [pk for pk in ids if pk is not None]
    people = {person.pk: person for person in _people(*padded(known, 3))} if known else {}
    row.created_by = people.get(row.created_by_id)
    if held is not None:
        held.set_by = people.get(held.set_by_id)
    if check is not None:
        check.by = people.get(check.by_id)


@prepared
def _model_list(ai_llm: UUID, endpoint: str) -> "QuerySet[ModelList]":
    return ModelList.objects.filter(ai_llm=ai_llm, endpoint=endpoint)


def detail(request: Request, row: AiLlm) -> dict[str, Any]:
    """Return what the page of one configuration shows."""
    examination = doctor.examine(row.endpoint, row.type)
    running = listing.starts_checking(row) and request.may_write
    model_list = next(iter(_model_list(row.pk, row.endpoint)), None)
    may_send = request.may_write and row.state != UNAVAILABLE
    return {
        "ai_llm": row,
        "due": expiry.due(row),
        "provider": providers.PROVIDERS[row.type],
        "result": validation.present(row.last_check) if row.last_check else None,
        "running": running,
        "examination": examination,
        "final_url": examination.final_url,
        "make_key_url": trying.make_key_url(row.type, row.endpoint),
        "model_list": model_list,
        **(message_form.offer(request.user, row, model_list.names if model_list else []) if may_send else {}),
        "steps": wizard.operating_steps() if running and row.version == 1 else [],
        "timeline": history.timeline(row),
        "attachments": dependents.attachments(row),
        "events": events.newest_about(row),
    }
