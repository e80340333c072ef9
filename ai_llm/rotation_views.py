"""The pages of rotation: enter and test a new secret, decide about one whose test failed, return to the old one."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from ai_llm import configs, credentials, forms, providers, rotation, trials, trying, validation
from ai_llm.models import AiLlm
from ai_llm.rotation_forms import KeepForm, RotateForm, end_of
from ai_llm.views import found
from flashback import notices
from flashback.errors import Conflict, Invalid, NotFound
from flashback.web import see_other
from workspaces.access import Access
from workspaces.address import Request, in_workspace
from workspaces.reauthentication import recently_authenticated

TOOK_OVER = "The new secret has taken over."
KEPT = "The new secret has taken over. The old one is kept for {words}, and one click returns to it."
KEYLESS = "Nothing is stored any more: this endpoint needs no secret."
STALE = "The secret was rotated in the meantime, perhaps by a second click. Look at what is stored now, then go on."
DECIDED = {
    "discard": "The new secret is discarded. Nothing has changed.",
    "take_over": "The new secret has taken over, although its test failed.",
}
WAITING = "waiting_%s"  # the same field stands in two forms of the page
STILL = "The test failed again. The new secret keeps waiting."


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("secret", "key")
@in_workspace
@recently_authenticated
def rotate(request: Request, id: UUID) -> HttpResponse:
    """Ask for a new secret, test it, and let it take over. Or test what was typed, and save nothing."""
    row = rotation.expire(found(request, id, Access.WRITE))
    form = RotateForm(request.POST if request.method == "POST" else None, ai_llm=row)
    if form.is_bound and form.data.get("action") == "test":
        return _test(request, row, form)
    if form.is_bound and form.is_valid():
        if form.cleaned_data["version"] not in {None, row.version}:
            return _overtaken(request, row, form, STALE)
        return _rotate(request, row, form)
    return _page(request, row, form)


@require_POST
@in_workspace
@recently_authenticated
def waiting(request: Request, id: UUID) -> HttpResponse:
    """Decide about a secret whose test failed: test it again, let it take over all the same, or discard it."""
    row = found(request, id, Access.WRITE)
    form, action = KeepForm(request.POST), request.POST.get("action", "")
    keep = form.cleaned_data["keep"] if form.is_valid() else "24h"
    seen = request.POST.get("waiting", "")
    try:
        if action == "retry":
            return _retry(request, row, keep, seen)
        if action == "take_over":
            rotation.take_over(request.user, row, keep=keep, seen=seen)
        elif action == "discard":
            rotation.discard(request.user, row, seen=seen)
        else:
            raise Invalid({"action": "Choose what becomes of the new secret with one of the buttons."})
    except Conflict:
        if action == "discard" or not _in_use(request, id, seen):
            raise
        return _done(request, row, TOOK_OVER)
    messages.success(request, DECIDED[action])
    return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)


@require_POST
@in_workspace
@recently_authenticated
def former(request: Request, id: UUID) -> HttpResponse:
    """Return to the secret before, or retire it now."""
    row, action = found(request, id, Access.WRITE), request.POST.get("action", "")
    seen = request.POST.get("former", "")
    if action == "return":
        try:
            rotation.return_to_former(request.user, row, seen=seen)
        except Conflict:
            if not _in_use(request, id, seen):
                raise
        messages.success(request, "The former secret is used again. The newer one is kept for as long.")
    elif action == "retire":
        rotation.retire(request.user, row, seen=seen)
        messages.success(request, "The former secret is purged.")
    else:
        raise Invalid({"action": "Choose what becomes of the former secret with one of the buttons."})
    return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)


def _rotate(request: Request, row: AiLlm, form: RotateForm) -> HttpResponse:
    typed = form.typed()
    keep = form.cleaned_data.get("keep", "none")
    try:
        if typed.pop("keyless", False):
            configs.replace_secret(request.user, row, **typed, keyless=True)
            return _done(request, row, KEYLESS)
        outcome = rotation.rotate(request.user, row, **typed, keep=keep, expires_at=end_of(form))
    except Invalid as invalid:
        forms.refuse(form, invalid)
        return _page(request, row, form)
    except validation.Busy as busy:
        return _page(request, row, form, {"busy": busy.message, "wait": busy.retry_after})
    except Conflict as conflict:
        return _overtaken(request, row, form, conflict.message)
    if outcome.took_over:
        return _took_over(request, outcome.ai_llm, keep)
    return _held(request, outcome, keep)


def _retry(request: Request, row: AiLlm, keep: str, seen: str) -> HttpResponse:
    try:
        outcome = rotation.retry(request.user, row, keep=keep, seen=seen)
    except validation.Busy as busy:
        return _page(request, row, RotateForm(ai_llm=row), {"busy": busy.message, "wait": busy.retry_after})
    if outcome.took_over:
        return _took_over(request, outcome.ai_llm, keep)
    messages.warning(request, STILL)
    return _held(request, outcome, keep)


def _held(request: Request, outcome: rotation.Rotation, keep: str) -> HttpResponse:
    """Show why the new secret waits, and what can be done with it."""
    row = found(request, outcome.ai_llm.pk, Access.WRITE)
    again = KeepForm(initial={"keep": keep}, auto_id=WAITING)
    held = {"result": validation.present(outcome.result), "held": True, "keep": again}
    return _page(request, row, RotateForm(ai_llm=row), held)


def _took_over(request: Request, row: AiLlm, keep: str) -> HttpResponse:
    """Say that the new secret is used, with the way back while the former one is kept."""
    if row.former is None:
        return _done(request, row, TOOK_OVER)
    said = KEPT.format(words=rotation.OVERLAP_WORDS[keep])
    fields = {"action": "return", "former": row.fallback_id}
    back: Any = {"label": "Return to the former secret", "fields": fields}
    notices.done(request, said, "ai_llm_former", request.workspace.slug, row.pk, **back)
    return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)


def _done(request: Request, row: AiLlm, words: str) -> HttpResponse:
    messages.success(request, words)
    return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)


def _overtaken(request: Request, row: AiLlm, form: RotateForm, message: str) -> HttpResponse:
    """Answer a form of an older version: a second click lands where the first one did, anything else is told.

    What is told is shown beside what is stored now, so the form may be sent again.
    """
    with suppress(NotFound):  # a row that was deleted is shown as it was
        row = found(request, row.pk, Access.WRITE)
    secret = form.cleaned_data["secret"]
    if row.keyless and form.cleaned_data.get("keyless"):
        return _done(request, row, KEYLESS)
    if row.credential is not None and credentials.holds(row.credential, secret):
        return _done(request, row, TOOK_OVER)
    if row.waiting is not None and credentials.holds(row.waiting, secret):
        return see_other("ai_llm_rotate", slug=request.workspace.slug, id=row.pk)
    form.add_error(None, message)
    form.data = {**form.data.dict(), "version": str(row.version)} if isinstance(form.data, QueryDict) else form.data
    return _page(request, row, form)


def _in_use(request: Request, id: UUID, seen: str) -> bool:
    """Tell whether the secret that a second click is about is used by now, as the first one asked."""
    return seen == str(found(request, id, Access.WRITE).credential_id)


def _test(request: Request, row: AiLlm, form: RotateForm) -> HttpResponse:
    tested = trying.run(
        form,
        lambda: trials.of_new_secret(request.user, row, **form.typed()),
        besides=frozenset({"keep", "expires_at", "version"}),
    )
    if request.htmx:
        about = {"ai_llm": row, "make_key_url": trying.make_key_url(row.type, row.endpoint)}
        return trying.piece(request, form, {**tested, **about})
    return _page(request, row, form, tested)


def _page(request: Request, row: AiLlm, form: RotateForm, tested: dict[str, Any] | None = None) -> HttpResponse:
    keep = (tested or {}).get("keep") or KeepForm(auto_id=WAITING)
    has_key = row.credential is not None and row.credential.key
    values = {
        "form": form,
        "ai_llm": row,
        "provider": providers.PROVIDERS[row.type],
        "stored_key": "An API Key is stored; it is kept when this stays blank." if has_key else "",
        "warnings": trying.hints(request.workspace, row.type, row.endpoint, form.data),
        "live": trying.live(request.workspace, row.type, row.endpoint),
        "make_key_url": trying.make_key_url(row.type, row.endpoint),
        "secret_hint": trying.secret_hint(row.type, row.endpoint),
        "keep": keep,
        "kept": rotation.KEPT_WORDS[keep["keep"].value()],
        **(tested or {}),
    }
    return trying.page(request, "ai_llm/rotate.html", values, form, tested or {})
