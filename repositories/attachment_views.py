"""The pages about what is attached: choose, sort, allow models, detach; and the same from the AI LLM's side."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import Truncator
from django.views.decorators.http import require_http_methods, require_POST

from ai_llm.forms import refuse
from ai_llm.listing import Row, rows_of
from ai_llm.models import AiLlm
from flashback import names, notices
from flashback.errors import Invalid, NotFound
from flashback.web import see_other
from repositories import attachments, forms, reachable
from repositories.attachments import NOT_ATTACHED, Changed
from repositories.models import Repository
from repositories.patterns import allows
from repositories.views import form_page, found
from workspaces import access
from workspaces.access import Access
from workspaces.address import Request, in_workspace

CHOICES_A_PAGE = 50
LEFT_SHOWN = 50


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def attach(request: Request, id: UUID) -> HttpResponse:
    """Tick AI LLMs that are not attached yet, and attach them in one go."""
    row = found(request, id, Access.WRITE)
    form = forms.ChooseForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            new = attachments.attach(request.user, row, form.cleaned_data["chosen"])
        except Invalid as invalid:
            refuse(form, invalid)
        else:
            _say(request, new, f"Attached to {row.name}", "These were attached before.")
            return see_other("repository", slug=request.workspace.slug, id=row.pk)
    left = AiLlm.objects.of(request.workspace).exclude(attachments__repository=row)
    values = {"repository": row, "search": _search(request), "page": _choices(request, left)}
    values["ticked"] = _ticked(request)
    return form_page(request, "repositories/attach.html", form, **values, **_left_of(left, request))


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def attachment(request: Request, id: UUID, ai_llm: UUID) -> HttpResponse:
    """Give an attached AI LLM another place, or allow only some of its models."""
    row = found(request, id, Access.WRITE)
    source = _source(row, ai_llm)
    stored = {"place": source.place, "patterns": "\n".join(source.patterns), "version": row.version}
    form = forms.AttachmentForm(request.POST if request.method == "POST" else None, initial=stored)
    if form.is_bound and form.is_valid() and "preview" not in form.data:
        try:
            attachments.change(request.user, row, ai_llm, **form.cleaned_data)
        except Invalid as invalid:
            refuse(form, invalid)
        except Changed as changed:
            return _attachment_conflict(request, changed, ai_llm)
        else:
            messages.success(request, "Saved.")
            return see_other("repository", slug=request.workspace.slug, id=row.pk)
    return _attachment_page(request, row, source, form)


@require_POST
@in_workspace
def order(request: Request, id: UUID) -> HttpResponse:
    """Move one attached AI LLM: `up` or `down` names it, or `ai_llm` with its new `place`."""
    row = found(request, id, Access.WRITE)
    step = next((step for step in ("up", "down") if step in request.POST), "")
    wanted = next(iter(forms.ids([request.POST.get(step or "ai_llm", "")])), None)
    if wanted is None:
        raise Invalid({"ai_llm": "Choose which AI LLM to move."})
    source = _source(row, wanted)
    place = source.place + {"up": -1, "down": 1}[step] if step else _number(request.POST.get("place", ""))
    try:
        version = _number(request.POST.get("version", ""))
        moved = attachments.change(request.user, row, wanted, place=place, version=version)
    except Changed as changed:
        return _conflict(request, changed, "order", wanted, place)
    messages.success(request, f"{source.ai_llm.name} has place {moved.position + 1} now.")
    return _back_to_list(request, row, moved=str(wanted))


@require_POST
@in_workspace
def detach(request: Request, id: UUID) -> HttpResponse:
    """Detach one AI LLM, unless somebody else changed what is attached since the page was shown."""
    row = found(request, id, Access.WRITE)
    wanted = next(iter(forms.ids([request.POST.get("ai_llm", "")])), None)
    if wanted is None:
        raise Invalid({"ai_llm": "Choose which AI LLM to detach."})
    try:
        done = attachments.detach(request.user, row, wanted, version=_number(request.POST.get("version", "")))
    except Changed as changed:
        return _conflict(request, changed, "detach", wanted)
    if done:
        # Not Undo: it comes behind the others, its place is another one's now.
        again: Any = {"label": "Attach again", "fields": {"chosen": wanted}}
        notices.done(request, "Detached.", "repository_attach", request.workspace.slug, row.pk, **again)
    else:
        messages.success(request, "It was detached before.")
    return _back_to_list(request, row)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def attach_to(request: Request, id: UUID) -> HttpResponse:
    """From the AI LLM's side: tick repositories that it is not attached to yet."""
    row = _ai_llm(request, id)
    form = forms.ChooseForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            new = attachments.attach_to(request.user, row, form.cleaned_data["chosen"])
        except Invalid as invalid:
            refuse(form, invalid)
        else:
            _say(request, new, f"{row.name} is attached to", "It was attached to these before.")
            return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)
    left = Repository.objects.of(request.workspace).exclude(attachments__ai_llm=row)
    search = _search(request)
    matching = left.filter(name_key__contains=names.key(search)) if search else left
    page = Paginator(matching.order_by("name_key"), CHOICES_A_PAGE).get_page(request.GET.get("page"))
    values = {"ai_llm": row, "search": search, "page": page, "ticked": _ticked(request)}
    values["new_url"] = f"{reverse('repository_new', args=[request.workspace.slug])}?attach={row.pk}"
    return form_page(request, "repositories/attach_to.html", form, **values, **_left_of(left, request))


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def move(request: Request, id: UUID) -> HttpResponse:
    """Choose another AI LLM that takes this one's place in every repository."""
    row = _ai_llm(request, id)
    form = forms.ChooseForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        target = AiLlm.objects.of(request.workspace).filter(pk=form.cleaned_data["chosen"][0]).first()
        if target is None:
            raise NotFound(attachments.NOT_HERE)
        try:
            moved = attachments.move_all(request.user, row, target)
        except Invalid as invalid:
            refuse(form, invalid)
        else:
            number = f"{len(moved)} {'repository uses' if len(moved) == 1 else 'repositories use'}"
            messages.success(request, f"{number} {target.name} instead of {row.name} now.")
            return see_other("ai_llm", slug=request.workspace.slug, id=row.pk)
    others = AiLlm.objects.of(request.workspace).exclude(pk=row.pk)
    values = {"ai_llm": row, "search": _search(request), "page": _choices(request, others), "ticked": _ticked(request)}
    return form_page(request, "repositories/move.html", form, **values, attachments=row.attachments.in_use())


def _attachment_page(
    request: Request, row: Repository, source: reachable.Source, form: forms.AttachmentForm, **more: Any
) -> HttpResponse:
    typed = form.cleaned_data.get("patterns", []) if form.is_bound and form.is_valid() else source.patterns
    left = [name for name in source.known if allows(typed, name)]
    values = {"repository": row, "source": source, "left": left[:LEFT_SHOWN], "left_count": len(left), **more}
    values["typed"] = typed
    page = form_page(request, "repositories/attachment.html", form, **values)
    page.status_code = 409 if more else page.status_code
    return page


def _attachment_conflict(request: Request, changed: Changed, ai_llm: UUID) -> HttpResponse:
    """Show what is stored now beside what was typed; saving again overwrites it knowingly."""
    row, data = changed.repository, request.POST.copy()
    data["version"] = str(row.version)
    return _attachment_page(request, row, _source(row, ai_llm), forms.AttachmentForm(data), conflict=changed.message)


def _conflict(request: Request, changed: Changed, act: str, ai_llm: UUID, place: int = 0) -> HttpResponse:
    """Show what is attached now, and what it would be with this person's change; a button makes it so."""
    row = changed.repository
    sources = reachable.of(row).sources
    mine = next((source for source in sources if source.ai_llm.id == ai_llm), None)
    if mine is None:
        raise NotFound(NOT_ATTACHED)
    wish = [source for source in sources if source is not mine]
    place = min(max(place, 1), len(sources)) if act == "order" else mine.place
    if act == "order":
        wish.insert(place - 1, mine)
    values = {"repository": row, "message": changed.message, "act": act, "mine": mine, "place": place}
    values |= {"stored": _around(sources, mine.place), "wish": _around(wish, place), "attached": len(sources)}
    return render(request, "repositories/conflict.html", values, status=409)


def _around(rows: Sequence[reachable.Source], place: int) -> list[tuple[int, reachable.Source]]:
    """Those near a place, each with its own: of a long list no more is shown, and what changes must be in sight."""
    start = max(0, min(place - CHOICES_A_PAGE // 2, len(rows) - CHOICES_A_PAGE))
    return list(enumerate(rows, 1))[start : start + CHOICES_A_PAGE]


def _source(row: Repository, ai_llm: UUID) -> reachable.Source:
    sources = reachable.of(row).sources
    source = next((source for source in sources if source.ai_llm.id == ai_llm), None)
    if source is None:
        raise NotFound(NOT_ATTACHED)
    return source


def _ai_llm(request: Request, id: UUID) -> AiLlm:
    rows = AiLlm.objects.visible_to(request.user).filter(workspace=request.workspace)
    row = rows.select_related("workspace").filter(pk=id).first()
    if row is None:
        raise NotFound("There is no AI LLM here that you can see. It may be in another workspace, or deleted.")
    access.require(request.user, request.workspace, Access.WRITE)
    return row


def _choices(request: Request, rows: Any) -> Page[Row]:
    search = _search(request)
    matching = rows.filter(name_key__contains=names.key(search)) if search else rows
    ids = matching.order_by("name_key").values_list("pk", flat=True)
    page = Paginator(ids, CHOICES_A_PAGE).get_page(request.GET.get("page"))
    return Page(rows_of(list(page.object_list)), page.number, page.paginator)


def _left_of(left: Any, request: Request) -> dict[str, bool]:
    """Return whether one is left to choose; and when none is, whether the workspace has one at all."""
    any_left = left.exists()
    return {"any_left": any_left, "any_at_all": any_left or left.model.objects.of(request.workspace).exists()}


def _search(request: Request) -> str:
    return request.GET.get("q", "").replace("\0", "").encode("utf-8", "ignore").decode().strip()[:120]


def _ticked(request: Request) -> list[UUID]:
    """What was ticked in a form that was refused, so that nobody ticks it again."""
    return forms.ids(request.POST.getlist("chosen"))


def _say(request: Request, new: Sequence[AiLlm] | Sequence[Repository], done: str, nothing: str) -> None:
    listed = Truncator(", ".join(row.name for row in new)).chars(200)
    if new:
        messages.success(request, f"{done}: {listed}.")
    else:
        messages.info(request, nothing)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _back_to_list(request: Request, row: Repository, **query: str) -> HttpResponse:
    """Lead to the page of the list that the form was on."""
    page = request.GET.get("page", "")
    if page.isascii() and page.isdecimal() and len(page) < 6:
        query["page"] = page
    path = reverse("repository", args=[request.workspace.slug, row.pk])
    return see_other(f"{path}?{urlencode(query)}" if query else path)
