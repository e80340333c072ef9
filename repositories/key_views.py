"""The pages about AI API keys: the list, one key, new, edit, rotate, end the former secret, revoke.

A secret is in the answer to the form that made it, and nowhere else: no redirect carries it, nothing may keep the page,
and sending the form again shows where the first answer is, not the secret.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ai_llm.forms import refuse
from flashback.errors import Conflict, Invalid, NotFound
from flashback.web import see_other
from repositories import forms, keys, listing
from repositories.models import AiApiKey, Repository
from repositories.views import form_page, found
from workspaces import access, events
from workspaces.access import Access
from workspaces.address import Request, in_workspace
from workspaces.reauthentication import recently_authenticated


@require_safe
@in_workspace
def index(request: Request) -> HttpResponse:
    """Every key of the workspace, or of one repository: searched, filtered, sorted and paged by the address."""
    query = listing.KeyQuery.read(request.GET)
    about = Repository.objects.of(request.workspace).filter(pk=query.repository).first() if query.repository else None
    values = {
        "query": query,
        "page": query.page_of(request.workspace),
        "about": about,
        "states": query.STATES,
        "orders": listing.ORDER_WORDS,
    }
    return render(request, "repositories/keys.html", values)


@require_safe
@in_workspace
def key(request: Request, id: UUID, key: UUID) -> HttpResponse:
    """The page of one key: how to tell it from others, until when it works, who made it, and what happened to it."""
    row = _found(request, id, key)
    values = {"key": listing.key_rows([row.pk], makers=True)[0], "repository": row.repository}
    values["events"] = events.newest_about(row)
    return render(request, "repositories/key.html", values)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
@recently_authenticated
def new(request: Request, id: UUID) -> HttpResponse:
    """Create a key, and show its secret in this very answer."""
    repository = found(request, id, Access.WRITE)
    data = request.POST if request.method == "POST" else None
    form = forms.NewKeyForm(data, actor=request.user, place=repository)
    if form.is_bound and form.is_valid():
        try:
            made = keys.create(request.user, repository, id=form.cleaned_data["row"], **form.values())
        except Invalid as invalid:
            refuse(form, invalid)
        except keys.AlreadyCreated as already:
            return _already(request, already.key)
        else:
            return _shown_once(request, made)
    return form_page(request, "repositories/key_new.html", form, repository=repository)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def edit(request: Request, id: UUID, key: UUID) -> HttpResponse:
    """Change name, last day and allowed models."""
    row = _found(request, id, key, Access.WRITE)
    form = forms.EditKeyForm(request.POST if request.method == "POST" else None, key=row)
    if form.is_bound and form.is_valid():
        try:
            keys.update(request.user, row, **form.values())
        except Invalid as invalid:
            refuse(form, invalid)
        except Conflict as conflict:
            form.add_error(None, conflict.message)
        else:
            messages.success(request, "Saved.")
            return _back(request, row)
    return form_page(request, "repositories/key_edit.html", form, repository=row.repository, key=row)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
@recently_authenticated
def rotate(request: Request, id: UUID, key: UUID) -> HttpResponse:
    """Make a new secret, show it in this very answer, and let the former one work for as long as was chosen."""
    row = _found(request, id, key, Access.WRITE)
    form = forms.RotateForm(request.POST if request.method == "POST" else None, actor=request.user, place=row)
    if form.is_bound and form.is_valid():
        try:
            made = keys.rotate(request.user, row, id=form.cleaned_data["row"], until=form.until())
        except Invalid as invalid:
            refuse(form, invalid)
        except keys.AlreadyCreated as already:
            return _already(request, already.key)
        except Conflict as conflict:
            form.add_error(None, conflict.message)
        else:
            return _shown_once(request, made, rotated=True)
    shown = listing.key_rows([row.pk])[0]
    return form_page(request, "repositories/key_rotate.html", form, repository=row.repository, key=shown)


@require_POST
@in_workspace
def end_former(request: Request, id: UUID, key: UUID) -> HttpResponse:
    """End what rotation kept of the former secret."""
    row = _found(request, id, key, Access.WRITE)
    ended = keys.end_former(request.user, row)
    messages.success(request, "The former secret does not work any more." if ended else "It had ended before.")
    return _back(request, row)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def revoke(request: Request, id: UUID, key: UUID) -> HttpResponse:
    """Say what stops, then stop the key for good."""
    row = _found(request, id, key, Access.WRITE)
    if request.method != "POST":
        values = {"repository": row.repository, "key": listing.key_rows([row.pk])[0]}
        return render(request, "repositories/key_revoke.html", values)
    done = keys.revoke(request.user, row)
    messages.success(request, f"{row.name} is revoked." if done else f"{row.name} was revoked before.")
    return see_other(f"{reverse('ai_api_keys', args=[request.workspace.slug])}?repository={row.repository_id}")


def _shown_once(request: Request, made: keys.Made, *, rotated: bool = False) -> HttpResponse:
    values: dict[str, Any] = {"key": made.key, "repository": made.key.repository, "rotated": rotated}
    values |= {"bearer": made.bearer, "former": listing.key_rows([made.key.pk])[0].former}
    answer = render(request, "repositories/key_made.html", values)
    # With scripts a reload then shows the key's page, not the form again; the secret is on neither.
    answer.headers["HX-Push-Url"] = _address(request, made.key)
    return answer


def _already(request: Request, row: AiApiKey) -> HttpResponse:
    shown = listing.key_rows([row.pk])[0]
    return render(request, "repositories/key_already.html", {"key": shown, "repository": row.repository}, status=409)


def _found(request: Request, id: UUID, key: UUID, needed: Access = Access.READ) -> AiApiKey:
    rows = AiApiKey.objects.visible_to(request.user).filter(repository=id, repository__workspace=request.workspace)
    row = rows.select_related("repository__workspace").filter(pk=key).first()
    if row is None:
        raise NotFound("There is no key here that you can see. Its repository may be deleted.")
    access.require(request.user, request.workspace, needed)
    return row


def _address(request: Request, row: AiApiKey) -> str:
    return reverse("ai_api_key", args=[request.workspace.slug, row.repository_id, row.pk])


def _back(request: Request, row: AiApiKey) -> HttpResponse:
    return see_other(_address(request, row))
