"""The page Edit: change what is stored, test it before, and settle what two people changed at once."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from ai_llm import configs, edit_forms, forms, providers, trials, trying, validation, wizard
from ai_llm.edit_forms import EditForm
from ai_llm.models import AiLlm
from ai_llm.views import found
from flashback.errors import Conflict, Invalid, NotFound
from flashback.web import see_other
from workspaces import access, events
from workspaces.access import Access
from workspaces.address import Request, in_workspace
from workspaces.reauthentication import recently_authenticated_for, with_secret, withheld

TESTED_LATER = "A provider key is tested once it is used: save, then validate."
NO_CHANGES = ("ai_llm.validated", "ai_llm.state_changed", "ai_llm.schedule_changed")


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("secret", "key")
@in_workspace
@recently_authenticated_for(with_secret)
def edit(request: Request, id: UUID) -> HttpResponse:
    """Change what is stored; a new destination needs the secret again. Or test what was typed, and save nothing."""
    row = _edited(request, id)
    data = forms.with_fix(request.POST) if request.method == "POST" else None
    form = EditForm(data, ai_llm=row)
    if "endpoint" in request.GET:  # a verdict's fix, to be looked at and saved
        form.initial["endpoint"] = request.GET["endpoint"]
    if form.is_bound and form.data.get("action") == "test":
        return _test(request, row, form)
    if form.is_bound and "fix" not in form.data and form.is_valid() and not withheld(request, form):
        return _save(request, row, form)
    return _page(request, row, form)


def _edited(request: Request, id: UUID) -> AiLlm:
    """Return the row; also one that was deleted while its form was open, so that what was typed can be shown."""
    try:
        return found(request, id, Access.WRITE)
    except NotFound:
        rows = AiLlm.objects.filter(workspace=request.workspace, pk=id).exclude(deleted_at=None)
        row = rows.first() if request.method == "POST" else None
        if row is None:
            raise
        access.require(request.user, request.workspace, Access.WRITE)
        return row


def _save(request: Request, row: AiLlm, form: EditForm) -> HttpResponse:
    included = form.cleaned_data["scheduled"]
    try:
        changed = configs.update(request.user, row, **form.changes())
        if included != changed.scheduled:
            configs.schedule(request.user, changed, included)
    except Invalid as invalid:
        forms.refuse(form, invalid)
        return _page(request, row, form)
    except Conflict as conflict:
        return _overtaken(request, row, form, conflict.message)
    messages.success(request, "Saved.")
    return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)


def _overtaken(request: Request, row: AiLlm, form: EditForm, message: str) -> HttpResponse:
    """Show what is stored now beside what was typed. Of a deleted row only what was typed is left."""
    try:
        now = found(request, row.pk, Access.WRITE)
    except NotFound:
        form.add_error(None, message)
        return _page(request, row, form)
    again, beside = edit_forms.overtaken(request.POST, form.cleaned_data, now)
    again.add_error(None, message)
    last = events.of_object(now).exclude(action__in=NO_CHANGES).first()
    return _page(request, now, again, {"overtaken": True, "beside": beside, "last": last})


def _test(request: Request, row: AiLlm, form: EditForm) -> HttpResponse:
    def run() -> validation.Result:
        if form.chooses_another:
            raise Invalid({"provider_key": TESTED_LATER})
        typed = {name: form.cleaned_data[name] for name in ("endpoint", "secret", "key")}
        return trials.of_edit(request.user, row, **typed)

    tested = trying.run(form, run, besides=frozenset({"name", "version", *edit_forms.BEHIND}))
    if request.htmx:
        values = {"ai_llm": row, "make_key_url": trying.make_key_url(row.type, row.endpoint), "fix_here": True}
        return trying.piece(request, form, tested | values)
    return _page(request, row, form, tested)


def _page(request: Request, row: AiLlm, form: EditForm, more: Mapping[str, Any] | None = None) -> HttpResponse:
    endpoint = str(form["endpoint"].value() or "")
    form.ask_again(row)
    values = {
        "form": form,
        "ai_llm": row,
        "provider": providers.PROVIDERS[row.type],
        "warnings": trying.hints(request.workspace, row.type, endpoint, form.data),
        "live": trying.live(request.workspace, row.type, row.endpoint),
        "make_key_url": trying.make_key_url(row.type, endpoint),
        "secret_hint": trying.secret_hint(row.type, endpoint),
        "fix_here": True,
        **(wizard.examined(form) if form.is_bound or endpoint != row.endpoint else {}),
        **(more or {}),
    }
    return trying.page(request, "ai_llm/edit.html", values, form, more or {})
