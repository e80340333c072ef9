"""The pages about the people of an organization: the list, and one person."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from flashback.errors import Invalid, NotFound
from flashback.web import see_other
from workspaces import access, organizations, people
from workspaces.access import OrganizationRole
from workspaces.address import Request
from workspaces.forms import VerbForm
from workspaces.models import Membership, User, UserQuerySet, Workspace
from workspaces.people_forms import ConfirmForm, NamesForm, PersonRoleForm
from workspaces.reauthentication import recently_authenticated

SHOWN = 50
STATES = {"active": "Active", "inactive": "Not active", "waiting": "Without a password yet"}


@require_safe
def people_page(request: Request) -> HttpResponse:
    """Everybody in the organization, to search and filter."""
    access.require_organization(request.user, OrganizationRole.WORKSPACES)
    search = request.GET.get("q", "").replace("\0", "").strip()[:120]
    role, state = request.GET.get("role", ""), request.GET.get("state", "")
    rows = _narrowed(User.objects.visible_to(request.user), search, role, state)
    held = Membership.objects.filter(user=OuterRef("pk")).order_by().values("user")
    number = Subquery(held.annotate(number=Count("pk")).values("number"))
    rows = rows.annotate(places=Coalesce(number, 0)).by_label()
    page = Paginator(rows, SHOWN).get_page(request.GET.get("page"))
    seen = people.last_seen(list(page.object_list))
    values = {
        "page": page,
        "rows": [(person, seen.get(person.pk)) for person in page.object_list],
        "search": search,
        "role": role,
        "state": state,
        "narrowed": bool(search or role or state),
        "roles": [(str(value), label) for value, label in OrganizationRole.choices],
        "states": STATES,
        "everywhere": OrganizationRole.ADMINISTRATOR,
    }
    return render(request, "workspaces/people.html", values)


@require_safe
def person(request: Request, id: UUID) -> HttpResponse:
    """One person: who they are, their role, and where they work."""
    return _page(request, _found(request, id))


@require_http_methods(["GET", "HEAD", "POST"])
def names(request: Request, id: UUID) -> HttpResponse:
    """Change what somebody is called."""
    found = _found(request, id)
    form = NamesForm(request.POST) if request.method == "POST" else None
    return _changed(
        request, found, "names", form, verb=lambda: people.update(request.user, found, **_values(form)), said="Saved."
    )


@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def role(request: Request, id: UUID) -> HttpResponse:
    """Change somebody's role in the organization."""
    found = _found(request, id)
    form = PersonRoleForm(request.POST, actor=request.user, person=found) if request.method == "POST" else None
    said = f"{found.label} has another role in the organization now."
    return _changed(
        request, found, "role_form", form, verb=lambda: people.set_role(request.user, found, **_values(form)), said=said
    )


@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def deactivate(request: Request, id: UUID) -> HttpResponse:
    """Ask, then keep somebody out."""
    found = _found(request, id)
    return _confirmed(
        request,
        found,
        "workspaces/person_deactivate.html",
        lambda: people.deactivate(request.user, found),
        f"{found.label} is not active any more, and signed out everywhere.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def reactivate(request: Request, id: UUID) -> HttpResponse:
    """Let somebody in again. A GET, as after a reload without scripts, leads back to the person."""
    found = _found(request, id)
    if request.method == "POST":
        people.reactivate(request.user, found)
        messages.success(request, f"{found.label} is active again, and can sign in.")
    return see_other("person", found.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@recently_authenticated
def ownership(request: Request, id: UUID) -> HttpResponse:
    """Ask, then make somebody the owner in one's own place."""
    access.require_organization(request.user, OrganizationRole.OWNER)
    found = _found(request, id)
    return _confirmed(
        request,
        found,
        "workspaces/person_ownership.html",
        lambda: organizations.transfer_ownership(request.user, found),
        f"{found.label} owns the organization now; you are an administrator.",
    )


def _narrowed(rows: UserQuerySet, search: str, role: str, state: str) -> UserQuerySet:
    if search:
        rows = rows.filter(
            Q(name__icontains=search) | Q(last_name__icontains=search) | Q(email__contains=search.lower())
        )
    numbers = {str(value): value for value in OrganizationRole.values}
    if role in numbers:
        rows = rows.filter(organization_role=numbers[role])
    if state == "active":
        return rows.filter(is_active=True)
    if state == "inactive":
        return rows.filter(is_active=False)
    return rows.filter(password__startswith=UNUSABLE_PASSWORD_PREFIX) if state == "waiting" else rows


def _found(request: Request, id: UUID) -> User:
    access.require_organization(request.user, OrganizationRole.WORKSPACES)
    found = User.objects.visible_to(request.user).select_related("organization").filter(pk=id).first()
    if found is None:
        raise NotFound("There is nobody here with this address. Look in the list of people.")
    return found


def _values(form: VerbForm | None) -> dict[str, Any]:
    return form.cleaned_data if form else {}


def _changed(
    request: Request, found: User, name: str, form: VerbForm | None, *, verb: Callable[[], object], said: str
) -> HttpResponse:
    """Do what a form on the person's page asks; a GET leads back to that page."""
    if form is None:
        return see_other("person", found.pk)
    if form.is_valid():
        try:
            verb()
        except Invalid as invalid:
            form.take(invalid.errors)
        else:
            messages.success(request, said)
            # Somebody who lowered their own role may not see this page any more.
            return see_other("person", found.pk) if _manages(request) else see_other("home")
    return _page(request, found, **{name: form, "form": form})


def _manages(request: Request) -> bool:
    return User.objects.with_role(OrganizationRole.WORKSPACES).filter(pk=request.user.pk).exists()


def _confirmed(request: Request, found: User, template: str, verb: Callable[[], object], said: str) -> HttpResponse:
    form = ConfirmForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            verb()
        except Invalid as invalid:
            form.take(invalid.errors)
        else:
            messages.success(request, said)
            return see_other("person", found.pk)
    return render(request, template, {"person": found, "form": form}, status=422 if form.errors else 200)


def _page(request: Request, found: User, **given: Any) -> HttpResponse:
    actor = request.user
    reachable = found.organization_role <= actor.organization_role
    memberships = found.memberships.select_related("workspace").order_by("workspace__name_key")
    visible = Workspace.objects.visible_to(actor)
    values = {
        "person": found,
        "names": NamesForm(initial={"name": found.name, "last_name": found.last_name}),
        "role_form": PersonRoleForm(actor=actor, person=found),
        "held_role": OrganizationRole(found.organization_role).label,
        "reachable": reachable,
        "memberships": memberships.filter(workspace__in=visible),
        "hidden": memberships.exclude(workspace__in=visible).count(),
        "everywhere": found.organization_role >= OrganizationRole.ADMINISTRATOR,
        "oneself": found.pk == actor.pk,
        "may_hand_over": actor.organization_role == OrganizationRole.OWNER
        and found.organization_role < OrganizationRole.OWNER
        and found.is_active,
        "seen_at": people.last_seen([found]).get(found.pk),
        "waiting": not found.has_usable_password(),
        "traces": actor.organization_role >= OrganizationRole.ADMINISTRATOR,
        "above": "" if reachable else access.named(access.granting(actor, OrganizationRole(found.organization_role))),
        **given,
    }
    return render(request, "workspaces/person.html", values, status=422 if given else 200)
