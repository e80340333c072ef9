"""Draws the list of the audit log: fifty events on a page, each from few and plain texts."""

from collections.abc import Iterable
from uuid import UUID

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString

from ai_llm.templatetags.activity import change_lines, door, event_words
from ai_llm.templatetags.ui import ago, breakable
from flashback.templatetags.drawing import filled
from workspaces.audit import Line, Scope

register = template.Library()


@register.simple_tag
def audit_rows(events: Iterable[Line], base: str, scope: Scope) -> SafeString:
    """Return the rows of the audit log as this person may see them."""
    everywhere = scope.workspace is None
    return filled(
        "workspaces/_audit_row.html", map(_texts, events), base=base, everywhere=everywhere, traces=scope.traces
    )


@register.simple_tag
def people_options(people: Iterable[tuple[UUID, str, str]], chosen: UUID | None) -> SafeString:
    """Return the people (id, name and e-mail address) as options to choose from."""
    options = (
        f'<option value="{person}"{" selected" if person == chosen else ""}>{escape(name or email)}</option>'
        for person, name, email in people
    )
    return SafeString("".join(options))


def _texts(event: Line) -> dict[str, str]:
    return {
        "id": str(event.id),
        "words": event_words(event),
        "changes": SafeString("".join(_small(line, "small break") for line in change_lines(event))),
        "actor": breakable(event.actor_label or "Nobody signed in"),
        "door": _small(door(event)),
        "workspace": event.workspace_label,
        "source": _source(event),
        "at": ago(event.at, focusable=False),
    }


def _source(event: Line) -> SafeString:
    return SafeString(f"<span>{breakable(event.ip)}{_small(event.agent)}</span>" if event.ip else "")


def _small(text: str, look: str = "small") -> SafeString:
    return SafeString(f'<br><span class="muted {look}">{escape(text)}</span>' if text else "")
