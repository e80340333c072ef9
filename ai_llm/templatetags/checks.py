"""Draws the strip of the last checks."""

from collections.abc import Iterable, Sequence

from django import template
from django.utils.safestring import SafeString, mark_safe

from ai_llm.history import Entry
from ai_llm.models import CheckKind
from ai_llm.templatetags.ui import STATES, ago, badge
from flashback.templatetags.drawing import filled

register = template.Library()


@register.simple_tag
def marks(entries: Sequence[Entry]) -> SafeString:
    """Draw the checks as a list of small marks, whose height and colour say the verdict; the words are there too."""
    drawn = "".join(_mark(entry) for entry in entries)
    words = f"The last {len(entries)} checks, the oldest first"
    # Only figures and our own words: nothing here needs escaping, and a page draws fifty.
    return mark_safe(f'<ol class="marks" aria-label="{words}">{drawn}</ol>')  # noqa: S308 - only our own words


@register.simple_tag
def check_rows(entries: Iterable[Entry]) -> SafeString:
    """Return the checks in words, one line each."""
    return filled("ai_llm/_check.html", map(_texts, entries))


def _texts(entry: Entry) -> dict[str, str]:
    how = ", scheduled" if entry.scheduled else f" by {entry.who or 'somebody who left'}"
    return {
        "verdict": badge(entry.verdict),
        "headline": entry.headline,
        "at": ago(entry.at, focusable=False),
        "how": how + (", one tiny message" if entry.kind == CheckKind.MESSAGE else ""),
        "milliseconds": str(entry.milliseconds),
    }


def _mark(entry: Entry) -> str:
    words = f"{entry.label}, {entry.at:%Y-%m-%d %H:%M} UTC"
    return f'<li class="{STATES[entry.verdict].tone}" title="{words}"><span class="sr-only">{words}</span></li>'
