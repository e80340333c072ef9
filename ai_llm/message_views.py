"""The page about one tiny message, and the button that sends it: nothing else but the same call over REST ever does."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from ai_llm import message, message_form, validation, views
from ai_llm.models import AiLlm, Check, CheckKind
from flashback.errors import Invalid
from flashback.web import problem_page, see_other
from workspaces.access import Access
from workspaces.address import Request, in_workspace

ALREADY = "This message was sent before, and was not sent again."


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def send(request: Request, id: UUID) -> HttpResponse:
    """Say what a message will cost, and what the last one came to; a POST sends one."""
    row = views.found(request, id, Access.WRITE)
    if request.method != "POST":
        return _page(request, row)
    names = validation.models_of(row)
    form = message_form.MessageForm(request.POST, actor=request.user, ai_llm=row, names=names)
    if not form.is_valid():
        return _refused(request, row, form)
    if not form.first_time():
        return _shown(request, row, None, ALREADY)
    try:
        with message_form.sending(row):
            check = message.send(request.user, row, model=form.cleaned_data["chosen"])
    except Invalid as invalid:
        form.not_sent()
        form.add_error("other", invalid.message)
        return _refused(request, row, form)
    except validation.Busy as busy:
        form.not_sent()
        return _busy(request, row, busy)
    return _shown(request, row, check, form=form)


def _page(
    request: Request, row: AiLlm, form: message_form.MessageForm | None = None, status: int = 200
) -> HttpResponse:
    last = Check.objects.filter(ai_llm=row, kind=CheckKind.MESSAGE).select_related("by").order_by("-at").first()
    values = {
        "ai_llm": row,
        "last": last,
        "result": validation.present(last) if last else None,
        "whole": True,
        **message_form.offer(request.user, row, validation.models_of(row), form=form),
    }
    return render(request, "ai_llm/message.html", values, status=status)


def _refused(request: Request, row: AiLlm, form: message_form.MessageForm) -> HttpResponse:
    if not _is_piece(request):
        return _page(request, row, form, 422)
    values = {"ai_llm": row, **message_form.offer(request.user, row, validation.models_of(row), form=form)}
    return render(request, "ai_llm/_messaged.html", values, status=422)


def _busy(request: Request, row: AiLlm, busy: validation.Busy) -> HttpResponse:
    if not _is_piece(request):
        answer = problem_page(request, 429, busy.message)
        answer.headers["Retry-After"] = str(busy.retry_after)
        return answer
    return _shown(request, row, None, busy.message)


def _shown(
    request: Request, row: AiLlm, check: Check | None, said: str = "", form: message_form.MessageForm | None = None
) -> HttpResponse:
    """Show what came of it: the piece and the state card for the page of the AI LLM, else back to the page."""
    if not _is_piece(request):
        return see_other("ai_llm_message", slug=request.workspace.slug, id=row.pk)
    row = views.found(request, row.pk)
    values = {
        **views.detail(request, row),
        "running": False,
        "said": said,
        "sent": validation.present(check) if check else None,
        "decided": check is not None and row.last_check_id == check.pk,
    }
    if form is not None:
        values |= message_form.offer(request.user, row, validation.models_of(row), form=form)
    return render(request, "ai_llm/_messaged.html", values)


def _is_piece(request: Request) -> bool:
    return bool(request.htmx) and not request.htmx.boosted
