"""Draws the rows of the AI LLM list and of the overview: up to fifty on a page, each from few and plain texts."""

from collections.abc import Iterable

from django import template
from django.template import Context
from django.utils.html import escape
from django.utils.safestring import SafeString

from ai_llm.expiry import Due
from ai_llm.listing import Row
from ai_llm.models import UNAVAILABLE, Verdict
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


@register.simple_tag(takes_context=True)
def attention_rows(context: Context, rows: Iterable[Row], list_url: str, may_write: bool) -> SafeString:
    """Return the rows of "needs attention": the AI LLM, why, and with `may_write` the action that helps."""
    token = str(context.get("csrf_token", "")) if may_write else ""
    parts = []
    for row in rows:
        action = "again" if row.remedy == "rotate" and row.state == UNAVAILABLE else row.remedy
        options = {"list_url": list_url, "may_write": bool(may_write), "action": action}
        parts.append(filled("ai_llm/_attention.html", [_reasons(row, token)], **options))
    return SafeString("".join(parts))


def _reasons(row: Row, token: str) -> dict[str, str]:
    return {
        "id": str(row.id),
        "name": row.name,
        "state": badge(row.state) if row.state != Verdict.ACCEPTED else SafeString(""),
        "due": due_badge(row.due),
        "reason": _reason(row),
        "rotating": f"; {row.rotating}" if row.rotating else "",
        "token": token,
    }


def _reason(row: Row) -> SafeString:
    if row.state == UNAVAILABLE:
        known = "No key of this installation opens the stored secret" if row.secret_set_at else "No secret is stored"
        return SafeString(known)
    checked, known = ago(row.checked_at, focusable=False), row.reason if row.state != Verdict.ACCEPTED else ""
    if known:
        return SafeString(f"{escape(known)}, checked {checked}")
    if row.due:
        return SafeString(f"The secret was set {ago(row.secret_set_at, focusable=False)}")
    return SafeString(f"Checked {checked}" if row.checked_at else "Nobody has tried whether it works")


def _checked(row: Row) -> SafeString:
    if row.checked_at is None:
        return SafeString("")
    return SafeString(f'<span class="muted small nowrap">checked {ago(row.checked_at, focusable=False)}</span>')


def _secret(row: Row) -> SafeString:
    if row.secret_set_at is None:
        return SafeString(f'<span class="muted">{"not needed" if row.keyless else "none"}</span>')
    rotating = f"; {row.rotating}" if row.rotating else ""
    return SafeString(
        f'<span class="stack tight"><span class="mono">{escape(row.secret)}</span>'
        f'<span class="muted small"><span class="nowrap">set {ago(row.secret_set_at, focusable=False)}</span>{rotating}'
        "</span></span>"
    )
