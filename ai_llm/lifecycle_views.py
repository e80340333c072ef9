"""The pages that take an AI LLM out of use, back, or away, and the one that tells support what it needs to know."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ai_llm import configs, dependents, diagnostics, forms, lifecycle
from ai_llm.models import STATES, AiLlm
from ai_llm.views import found
from flashback import notices
from flashback.errors import Conflict, NotFound
from flashback.web import see_other
from workspaces.access import Access
from workspaces.address import Request, in_workspace
from workspaces.reauthentication import recently_authenticated

MOST_OFFERED = 200
DISABLED = "{name} is disabled."
ENABLED = "{name} is enabled again."


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def disable(request: Request, id: UUID) -> HttpResponse:
    """Show what depends on the configuration, then take it out of use without losing anything."""
    row = found(request, id, Access.WRITE)
    if request.method != "POST":
        return render(request, "ai_llm/disable.html", {"ai_llm": row, "dependents": dependents.of(row)})
    lifecycle.disable(request.user, row)
    notices.done(request, DISABLED.format(name=row.name), "ai_llm_enable", request.workspace.slug, row.pk)
    return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)


@require_POST
@in_workspace
def enable(request: Request, id: UUID) -> HttpResponse:
    """Put the configuration back into use."""
    row = lifecycle.enable(request.user, found(request, id, Access.WRITE))
    notices.done(request, ENABLED.format(name=row.name), "ai_llm_disable", request.workspace.slug, row.pk)
    return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
@recently_authenticated
def delete(request: Request, id: UUID) -> HttpResponse:
    """Show what depends on the configuration, ask for its name and who takes its place, then take it away.

    Its credentials are purged at once.
    """
    row = found(request, id, Access.WRITE)
    depending = dependents.of(row)
    others = _others(row) if depending.attachments else []
    form = forms.DeleteForm(request.POST if request.method == "POST" else None, ai_llm=row, others=others)
    if form.is_bound and form.is_valid():
        try:
            said = _delete(request, row, form.cleaned_data.get("move_to", ""))
        except (Conflict, NotFound) as problem:
            form.add_error(None, problem.message)
        else:
            messages.success(request, f"{row.name} is deleted, and its stored credentials are purged.{said}")
            return see_other("ai_llms", slug=request.workspace.slug)
    values = {"form": form, "ai_llm": row, "dependents": depending, "all_offered": len(others) < MOST_OFFERED}
    return render(request, "ai_llm/delete.html", values, status=422 if form.errors else 200)


def _delete(request: Request, row: AiLlm, move_to: str) -> str:
    """Delete the row, and return what to say about the one that took its place."""
    target = AiLlm.objects.of(request.workspace).filter(pk=move_to).first() if move_to else None
    if move_to and target is None:
        raise NotFound("The AI LLM that you chose is not there any more. Choose another one.")
    configs.delete(request.user, row, move_to=target)
    return f" {target.name} has taken its place." if target is not None else ""


def _others(row: AiLlm) -> list[tuple[str, str]]:
    """Return what can take the place of `row`, by name and with its state: id and label of each."""
    rows = AiLlm.objects.of(row.workspace).exclude(pk=row.pk).select_related("credential").order_by("name_key")
    return [(str(one.pk), f"{one.name} ({STATES[one.state].lower()})") for one in rows[:MOST_OFFERED]]


@require_safe
@in_workspace
def diagnose(request: Request, id: UUID) -> HttpResponse:
    """What a ticket needs to know: text to copy, or with `format=json` a file. It holds no secret."""
    row = found(request, id)
    if request.GET.get("format") == "json":
        name = f'attachment; filename="diagnostics-{row.pk}.json"'
        return JsonResponse(
            diagnostics.bundle(row), json_dumps_params={"indent": 2}, headers={"Content-Disposition": name}
        )
    return render(request, "ai_llm/diagnostics.html", {"ai_llm": row, "text": diagnostics.text(row)})
