"""The pages about provider keys: the list of a workspace, add, change, delete."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from ai_llm import forms, provider_keys
from ai_llm.models import Credential
from ai_llm.provider_key_forms import EditProviderKeyForm, NewProviderKeyForm
from flashback.errors import Conflict, Invalid, NotFound
from flashback.web import see_other
from workspaces import access
from workspaces.access import Access
from workspaces.address import Request, in_workspace
from workspaces.reauthentication import (
    recently_authenticated,
    recently_authenticated_for,
    with_secret,
    withheld,
)

NOT_HERE = "There is no provider key here that you can see. It may be in another workspace, or deleted."


@require_safe
@in_workspace
def provider_keys_page(request: Request) -> HttpResponse:
    """The provider keys of the workspace, by name, each with how many AI LLMs use it."""
    rows = list(Credential.objects.of(request.workspace).defer("secret", "key").order_by("name_key"))
    users = provider_keys.uses(rows)
    listed = [(row, users.get(row.pk, 0)) for row in rows]
    return render(request, "ai_llm/provider_keys.html", {"listed": listed})


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("secret", "key")
@in_workspace
def new(request: Request) -> HttpResponse:
    """Add a provider key."""
    access.require(request.user, request.workspace, Access.WRITE)
    data = request.POST if request.method == "POST" else None
    form = NewProviderKeyForm(data, actor=request.user, workspace=request.workspace)
    if form.is_bound and form.is_valid():
        try:
            row = provider_keys.create(request.user, request.workspace, **form.values())
        except Invalid as invalid:
            forms.refuse(form, invalid)
        except Conflict as conflict:
            form.add_error(None, conflict.message)
        else:
            messages.success(request, f"The provider key {row.name} is stored.")
            return see_other("provider_keys", slug=request.workspace.slug)
    return render(request, "ai_llm/provider_key_new.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("secret", "key")
@in_workspace
@recently_authenticated_for(with_secret)
def edit(request: Request, id: UUID) -> HttpResponse:
    """Rename a provider key, or put a new secret in its place for every AI LLM that uses it."""
    row = _found(request, id)
    form = EditProviderKeyForm(request.POST if request.method == "POST" else None, row=row)
    if form.is_bound and form.is_valid() and not withheld(request, form):
        try:
            provider_keys.update(request.user, row, **form.changes())
        except Invalid as invalid:
            forms.refuse(form, invalid)
        except Conflict as conflict:
            form.add_error(None, conflict.message)
        else:
            messages.success(request, "Saved.")
            return see_other("provider_keys", slug=request.workspace.slug)
    values = {"form": form, "row": row, "users": provider_keys.used_by(row)}
    return render(request, "ai_llm/provider_key_edit.html", values, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
@recently_authenticated
def delete(request: Request, id: UUID) -> HttpResponse:
    """Say who uses a provider key, and purge it when nobody does."""
    row = _found(request, id)
    if request.method == "POST":
        provider_keys.delete(request.user, row)
        messages.success(request, f"The provider key {row.name} is deleted, and what it held is purged.")
        return see_other("provider_keys", slug=request.workspace.slug)
    values = {"row": row, "users": list(provider_keys.used_by(row))}
    return render(request, "ai_llm/provider_key_delete.html", values)


def _found(request: Request, id: UUID) -> Credential:
    """Return the provider key of the address, for somebody who may change it. Raises `NotFound` and `Denied`."""
    access.require(request.user, request.workspace, Access.WRITE)
    row = Credential.objects.of(request.workspace).filter(pk=id).first()
    if row is None:
        raise NotFound(NOT_HERE)
    row.workspace = request.workspace
    return row
