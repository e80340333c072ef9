"""Draws the rows of repositories, of what is attached to them, of their models and keys: up to a hundred on a page."""

from collections.abc import Iterable

from django import template
from django.core.paginator import Page
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from ai_llm.templatetags.ui import ago, badge, glyph, icon
from flashback.templatetags.drawing import filled
from repositories.listing import KeyRow, RepositoryRow
from repositories.reachable import Model, Source

register = template.Library()

NONE = SafeString('<span class="muted">none</span>')


@register.simple_tag
def source_rows(
    page: Page[Source], repository_url: str, list_url: str, *, attached: int, moved: str, may_write: bool
) -> SafeString:
    """Return the attached AI LLMs in their order; `attached` is how many there are, `moved` the id of the last move."""
    rows = ({**_source(source), **_moves(source, attached, moved)} for source in page.object_list)
    options = {"repository_url": repository_url, "list_url": list_url, "page": page.number}
    return filled("repositories/_source.html", rows, **options, may_write=bool(may_write), movable=attached > 1)


def _source(source: Source) -> dict[str, str]:
    warning = f'<br><span class="small">{icon("triangle-alert", 14)} {escape(source.warning)}</span>'
    return {
        "id": source.pk,
        "name": source.ai_llm.name,
        "place": str(source.place),
        "glyph": glyph(source.ai_llm.type, 18),
        "state": badge(source.ai_llm.state),
        "offer": source.offer,
        "warning": SafeString(warning if source.warning else ""),
    }


def _moves(source: Source, attached: int, moved: str) -> dict[str, str]:
    """Return what the buttons that move a row are: no use at the ends, and focused again after a move."""
    first, last, focus = source.place == 1, source.place == attached, source.pk == moved
    up = " disabled" if first else " autofocus" if focus else ""
    down = " disabled" if last else " autofocus" if focus and first else ""
    return {"up": up, "down": down}


@register.simple_tag
def model_rows(models: Iterable[Model], list_url: str) -> SafeString:
    """Return reachable models: which AI LLM calls go to, and which others have them too."""
    return filled("repositories/_model.html", map(_model, models), list_url=list_url)


def _model(model: Model) -> dict[str, str]:
    wins = model.wins
    return {
        "name": model.name,
        "id": wins.pk,
        "ai_llm": wins.ai_llm.name,
        "state": SafeString(f" {badge(wins.ai_llm.state)}" if wins.warning else ""),
        "others": _others(model),
    }


def _others(model: Model) -> SafeString:
    if not model.others:
        return SafeString("")
    names = escape(", ".join(other.ai_llm.name for other in model.others))
    return SafeString(
        f'<span class="stack tight"><span><span class="badge">{icon("layers", 14)}place {model.wins.place} wins</span>'
        f'</span><span class="muted">{names}</span></span>'
    )


@register.simple_tag
def key_rows(keys: Iterable[KeyRow], base_url: str, with_repository: bool = False) -> SafeString:
    """Return the rows of AI API keys."""
    return filled("repositories/_key.html", map(_key, keys), base_url=base_url, with_repository=bool(with_repository))


def _key(key: KeyRow) -> dict[str, str]:
    return {
        "id": str(key.id),
        "name": key.name,
        "shown": key.current.shown if key.current else "",
        "repository_id": str(key.repository_id),
        "repository": key.repository,
        "state": badge(key.looks, key.state_words),
        "ends": _ends(key),
        "used": ago(key.used_at, focusable=False),
        "created": ago(key.created_at, focusable=False),
        "creator": key.creator,
    }


def _ends(key: KeyRow) -> SafeString:
    said, former = "", key.former
    if key.expires_at is not None and key.revoked_at is None:
        end = "ended" if key.state == "expired" else "ends"
        said = f'<span class="muted small">{end} {ago(key.expires_at, focusable=False)}</span>'
    if former is not None:
        said += f'<span class="muted small">former secret ends {ago(former.ends_at, focusable=False)}</span>'
    return SafeString(said)


@register.simple_tag
def repository_rows(rows: Iterable[RepositoryRow], base_url: str) -> SafeString:
    """Return the rows of the inventory."""
    return filled("repositories/_repository.html", map(_repository, rows), base_url=base_url)


def _repository(row: RepositoryRow) -> dict[str, str]:
    description = escape(Truncator(row.description).chars(90)) if row.description else ""
    return {
        "id": str(row.id),
        "name": row.name,
        "description": SafeString(f'<br><span class="muted small">{description}</span>' if description else ""),
        "state": badge("disabled") if row.disabled_at else badge("accepted", "Enabled"),
        "ai_llms": str(row.ai_llms) if row.ai_llms else NONE,
        "keys": str(row.keys) if row.keys else NONE,
        "used": ago(row.used_at, focusable=False),
        "created": ago(row.created_at, focusable=False),
        "creator": row.creator,
    }
