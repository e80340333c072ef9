"""Draws the rows of the AI LLM list: fifty of them on a page, each from few and plain texts."""

from collections.abc import Iterable

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString

from ai_llm.expiry import Due
from ai_llm.listing import Row
from ai_llm.templatetags.ui import ago, badge, breakable, glyph, icon
from flashback.templatetags.drawing import filled

register = template.Library()


@register.simple_tag
def ai_llm_rows(rows: Iterable[Row], list_url: str, may_write: bool) -> SafeString:
    """Return the rows of the list; with `may_write` each can be selected."""
    return filled("ai_llm/_row.html", map(_texts, rows), list_url=list_url, may_write=bool(may_write))


def due_badge(due: Due | None) -> SafeString:
    """Return how urgent it is to replace a secret as a badge, or nothing."""
    return SafeString(f'<span class="badge {due.tone}">{icon("clock", 14)}{due.words}</span>' if due else "")


def _texts(row: Row) -> dict[str, str]:
    return {
        "id": str(row.id),
        "name": row.name,
        "glyph": glyph(row.type, 18),
        "type": row.type_label,
        "address": breakable(row.address),
        "state": badge(row.state),
        "due": due_badge(row.due),
        "checked": _checked(row),
        "secret": _secret(row),
        "repositories": str(row.repositories or "none"),
        "created": ago(row.created_at, focusable=False),
        "creator": row.creator,
    }


def _checked(row: Row) -> SafeString:
    if row.checked_at is None:
        return SafeString("")
    return SafeString(f'<span class="muted small">checked {ago(row.checked_at, focusable=False)}</span>')


def _secret(row: Row) -> SafeString:
    if row.secret_set_at is None:
        return SafeString(f'<span class="muted">{"not needed" if row.keyless else "none"}</span>')
    rotating = f"; {row.rotating}" if row.rotating else ""
    return SafeString(
        f'<span class="stack tight"><span class="mono">{escape(row.secret)}</span>'
        f'<span class="muted small">set {ago(row.secret_set_at, focusable=False)}{rotating}</span></span>'
    )
