"""Draws the frame around a page: the header and the menu, once for all pages on which they look the same."""

from functools import lru_cache
from secrets import token_hex
from typing import Any, NamedTuple

from django import template
from django.conf import settings
from django.template import Context
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

FRAMES = 512
# Stands in a drawn piece for the token of the form in it, which is another one on every page. Nobody can guess it.
TOKEN = f"token-{token_hex(16)}"


class Person(NamedTuple):
    """What the frame shows of whoever is signed in, and what it depends on."""

    email: str
    label: str
    is_staff: bool
    organization_id: bool  # whether there is one
    organization_role: int
    is_authenticated: bool = True


class Place(NamedTuple):
    """A workspace in the switcher."""

    pk: str
    slug: str
    name: str


class Frame(NamedTuple):
    """Everything that the templates of the frame may use; they see nothing else, and are drawn anew when it differs."""

    user: Person | None
    workspace: Place | None
    workspaces: tuple[Place, ...]
    may_create_workspace: bool
    route: str  # the name of the page's route, which marks its entry in the menu


@register.simple_tag(takes_context=True)
def shell(context: Context, name: str, **options: Any) -> SafeString:
    """Return a piece of the frame, the template `name`, for the person and the place of this page."""
    draw = _draw if settings.DEBUG else _kept
    piece = draw(name, _frame(context), **options)
    return mark_safe(piece.replace(TOKEN, str(context.get("csrf_token", ""))))  # noqa: S308 - the template escapes


def _frame(context: Context) -> Frame:
    user, request = context.get("user"), context.get("request")
    match = request.resolver_match if request else None
    return Frame(
        user=_person(user) if user and user.is_authenticated else None,
        workspace=_place(context["workspace"]) if context.get("workspace") else None,
        workspaces=tuple(map(_place, context.get("workspaces") or ())),
        may_create_workspace=bool(context.get("may_create_workspace")),
        # Where the workspace in the address is not there, the menu is that of another one: nothing of it is marked.
        route=(match.url_name or "") if match and ("slug" not in match.kwargs or hasattr(request, "workspace")) else "",
    )


def _person(user: Any) -> Person:
    role = getattr(user, "organization_role", 0)
    return Person(user.email, user.label, user.is_staff, bool(getattr(user, "organization_id", None)), role)


def _place(workspace: Any) -> Place:
    return Place(str(workspace.pk), workspace.slug, workspace.name)


def _draw(name: str, frame: Frame, **options: Any) -> str:
    return render_to_string(name, {**frame._asdict(), "csrf_token": TOKEN, **options}).strip()


_kept = lru_cache(maxsize=FRAMES)(_draw)
