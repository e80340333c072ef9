"""The pages of the audit log, of a workspace and of an organization: the list, one event, the export."""

from uuid import UUID

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from flashback.errors import NotFound
from workspaces import audit
from workspaces.address import Request, in_workspace
from workspaces.models import ActorKind, Event

# People are chosen by name; these are the others.
KINDS = [kind for kind in ActorKind if kind is not ActorKind.PERSON]


@require_safe
@in_workspace
def of_workspace(request: Request) -> HttpResponse:
    """What happened in the workspace."""
    return _page(request, audit.of_workspace(request.user, request.workspace))


@require_safe
@in_workspace
def event_of_workspace(request: Request, id: int) -> HttpResponse:
    """One event of the workspace."""
    return _event(request, audit.of_workspace(request.user, request.workspace), id)


@require_POST
@in_workspace
def export_of_workspace(request: Request) -> StreamingHttpResponse:
    """The workspace's events as a file."""
    return _export(request, audit.of_workspace(request.user, request.workspace))


@require_safe
def of_organization(request: Request) -> HttpResponse:
    """What happened in the whole organization, sign-ins too."""
    return _page(request, audit.of_organization(request.user))


@require_safe
def event_of_organization(request: Request, id: int) -> HttpResponse:
    """One event of the organization."""
    return _event(request, audit.of_organization(request.user), id)


@require_POST
def export_of_organization(request: Request) -> StreamingHttpResponse:
    """The organization's events as a file."""
    return _export(request, audit.of_organization(request.user))


def _page(request: Request, scope: audit.Scope) -> HttpResponse:
    query = audit.Query.read(request.GET)
    page = query.page(scope)
    people = scope.people()
    values = {
        "scope": scope,
        "query": query,
        "page": page,
        "newer": query.address(after=page.newer) if page.newer else "",
        "older": query.address(before=page.older) if page.older else "",
        "base": _base(scope),
        "people": people,
        "kinds": KINDS,
        "about": _about(scope, query),
        "former": _former(scope, query, people),
        "most": f"{audit.EXPORT_MOST:,}",
    }
    return render(request, "workspaces/audit.html", values)


def _event(request: Request, scope: audit.Scope, id: int) -> HttpResponse:
    event = scope.rows().filter(pk=id).first()
    if event is None:
        raise NotFound("There is no such event in the audit log, or it is older than what this installation keeps.")
    later = scope.rows().filter(object_id=event.object_id, object_kind=event.object_kind, pk__gt=event.pk)
    values = {
        "scope": scope,
        "event": event,
        "base": _base(scope),
        "deleted": bool(event.object_id) and later.filter(action__endswith=".deleted").exists(),
        "link": settings.PUBLIC_URL + request.path,
    }
    return render(request, "workspaces/audit_event.html", values)


def _export(request: Request, scope: audit.Scope) -> StreamingHttpResponse:
    wanted = request.POST.get("format", "")
    rows = audit.export(request.user, scope, audit.Query.read(request.POST), wanted)
    answer = StreamingHttpResponse(rows, content_type=audit.FORMATS[wanted])
    name = scope.workspace.slug if scope.workspace else "organization"
    answer.headers["Content-Disposition"] = f'attachment; filename="audit-{name}-{timezone.now():%Y-%m-%d}.{wanted}"'
    return answer


def _base(scope: audit.Scope) -> str:
    return reverse("audit", args=[scope.workspace.slug]) if scope.workspace else reverse("organization_audit")


def _about(scope: audit.Scope, query: audit.Query) -> Event | None:
    """Return the newest event about the object that the address names, which knows what it is called."""
    if not query.about:
        return None
    return scope.rows().filter(object_id=query.about).order_by("-at", "-id").first()


def _former(scope: audit.Scope, query: audit.Query, people: list[tuple[UUID, str, str]]) -> Event | None:
    """Return an event of the person whom the address names, when the list to choose from does not have them."""
    if query.person is None or any(person == query.person for person, _, _ in people):
        return None
    rows = scope.rows().filter(organization_id=scope.organization.pk, actor_id=query.person)
    return rows.order_by("-at", "-id").first()
