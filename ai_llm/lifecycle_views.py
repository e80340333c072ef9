"""The pages that take an AI LLM out of use, back, or away, and the one that tells support what it needs to know."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ai_llm import configs, dependents, diagnostics, forms, lifecycle
from ai_llm.views import found
from flashback import notices
from flashback.errors import Conflict
from flashback.web import see_other
from workspaces.access import Access
from workspaces.address import Request, in_workspace
from workspaces.reauthentication import recently_authenticated

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
    """Show what depends on the configuration, ask for its name, then take it away and purge its credentials."""
    row = found(request, id, Access.WRITE)
    form = forms.DeleteForm(request.POST if request.method == "POST" else None, ai_llm=row)
    if form.is_bound and form.is_valid():
        try:
            configs.delete(request.user, row)
        except Conflict as conflict:
            form.add_error(None, conflict.message)
        else:
            messages.success(request, f"{row.name} is deleted, and its stored credentials are purged.")
            return see_other("ai_llms", slug=request.workspace.slug)
    values = {"form": form, "ai_llm": row, "dependents": dependents.of(row)}
    return render(request, "ai_llm/delete.html", values, status=422 if form.errors else 200)


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
