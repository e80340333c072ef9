"""The console's template tags: icons, states in words, relative times, form controls, links to routes."""

import copy
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from django import template
from django.conf import settings
from django.contrib.messages.storage.base import Message
from django.forms import BaseForm, BoundField, CheckboxInput, PasswordInput
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags.lucide import lucide

from flashback import notices
from flashback.templatetags.drawing import address_of, constant

register = template.Library()

GLYPHS = ("openai", "google", "anthropic", "aws", "other", "mark")


class State(NamedTuple):
    """How a state reads: words, tone (a class of the stylesheet) and icon, so that colour never speaks alone."""

    label: str
    tone: str
    icon: str


class Words(NamedTuple):
    """What an error page says: a heading, what happened, what to do next, and the icon above."""

    title: str
    text: str
    next: str
    icon: str


STATES = {
    "accepted": State("Accepted", "good", "circle-check"),
    "limited": State("Accepted, but limited", "warn", "circle-alert"),
    "rejected": State("Rejected", "bad", "circle-x"),
    "undecided": State("Not decided", "unsure", "circle-question-mark"),
    "never": State("Not validated yet", "quiet", "circle-dashed"),
    "checking": State("Checking", "busy", "loader-circle"),
    "unavailable": State("Needs its secret again", "bad", "key-round"),
    "disabled": State("Disabled", "quiet", "circle-pause"),
}
STAGES = {
    "passed": State("passed", "good", "check"),
    "limited": State("passed with a limit", "warn", "circle-alert"),
    "failed": State("failed", "bad", "x"),
    "undecided": State("not decided", "unsure", "circle-question-mark"),
    "skipped": State("skipped", "quiet", "minus"),
    "pending": State("waiting", "quiet", "circle-dashed"),
    "running": State("running", "busy", "loader-circle"),
}
PROBLEMS = {
    400: Words(
        "This request cannot be read",
        "Something in it is missing or damaged.",
        "Go back, reload, and send it again.",
        "circle-alert",
    ),
    403: Words(
        "You may not do this",
        "Your role does not allow it.",
        "A role that is given holds from your next request on.",
        "lock",
    ),
    404: Words(
        "There is nothing here",
        "There is nothing here that you can see.",
        "Check the address, and the workspace you are in: it may have been deleted, or you may need an invitation.",
        "search",
    ),
    405: Words(
        "This address cannot do that",
        "It takes another kind of request, for example one that a form on a page sends.",
        "Go back and use the button or link there.",
        "circle-alert",
    ),
    409: Words(
        "This has changed in the meantime",
        "Somebody else changed it first.",
        "Go back, reload, and do it again.",
        "refresh-cw",
    ),
    413: Words(
        "This is too large", "The server takes at most 256 KiB at once.", "Go back and send less.", "circle-alert"
    ),
    422: Words("This cannot be used", "Something in it is not right.", "Go back and correct it.", "circle-alert"),
    429: Words(
        "Too many at once", "This was done too often in a short time.", "Wait a minute, then try again.", "clock"
    ),
    500: Words(
        "Something went wrong",
        "The server met an error that it did not expect.",
        "Go back and try again.",
        "triangle-alert",
    ),
}
STALE = Words(
    "This form is too old",
    "This page was open for too long or came from another site. Load it again.",
    "Nothing was changed. To copy what you typed, go back first.",
    "refresh-cw",
)
UNITS = ((365 * 86_400, "year"), (30 * 86_400, "month"), (86_400, "day"), (3_600, "hour"), (60, "min"))


@lru_cache(maxsize=512)
def icon(name: str, size: int = 16) -> SafeString:
    """Return a lucide icon as decoration: hidden from screen readers, `size` in CSS pixels, drawn once and kept."""
    drawn = lucide(name, size=size, aria_hidden="true", **{"class": "icon"})
    return mark_safe("".join(line.strip() for line in drawn.splitlines()))  # noqa: S308 - only icons of the package


@lru_cache(maxsize=64)
def glyph(name: str, size: int = 24) -> SafeString:
    """Return one of our own drawings inline: an AI LLM type in any case, or `mark`. An unknown name draws `other`."""
    known = name.lower() if name.lower() in GLYPHS else "other"
    drawn = (Path(settings.BASE_DIR) / "static" / "icons" / f"{known}.svg").read_text()
    drawn = "".join(line.strip() for line in drawn.splitlines())
    sized = f'<svg width="{size}" height="{size}" class="glyph" aria-hidden="true"'
    return mark_safe(drawn.replace("<svg", sized, 1))  # noqa: S308 - only our own files


@lru_cache(maxsize=64)
def badge(state: str, label: str = "") -> SafeString:
    """Draw a state in words, colour and icon; "" is *not validated yet*, an unknown state shows its own name."""
    known = STATES.get(state or "never") or State(str(state).capitalize(), "quiet", "circle-dashed")
    shown = {"label": label or known.label, "tone": known.tone, "icon_name": known.icon}
    return mark_safe(render_to_string("ui/badge.html", shown).strip())  # noqa: S308 - the template escapes


for name, tag in (("icon", icon), ("glyph", glyph), ("badge", badge)):
    register.tag(name, constant(tag))


@register.simple_tag
def stage(state: str) -> State:
    """Return words, tone and icon of one stage of a check."""
    return STAGES.get(state, STAGES["pending"])


@register.simple_tag
def problem_words(status: int, again: str = "") -> Words:
    """Return what the page for an HTTP status says; an unknown one reads like 500 (or 400 below that).

    `again` is the address of the page whose form was too old.
    """
    if again:
        return STALE
    return PROBLEMS.get(status) or PROBLEMS[500 if status >= 500 else 400]


@register.simple_tag(name="undo_of")
def undo(message: Message) -> notices.Undo | None:
    """Return the button that undoes what a message tells, None where there is none."""
    return notices.undo_of(message)


@register.simple_tag
def labelled(columns: Sequence[str], index: int) -> SafeString:
    """Return the data-label attribute that a cell shows before its value when its row becomes a card."""
    return format_html('data-label="{}"', columns[index])


@register.simple_tag
def ago(moment: datetime | None, never: str = "never", focusable: bool = True) -> SafeString:
    """Return the time since `moment` in a time element; hover or focus shows the exact time in UTC.

    In the rows of a long list `focusable=False` keeps the way of the Tab key short; the row's own page says it too.
    """
    if moment is None:
        return format_html('<span class="muted">{}</span>', never)
    utc = (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat(" ", "seconds")[:19]
    tab, words = (' tabindex="0"' if focusable else ""), distance(timezone.now() - moment)
    # Only figures and our own words: nothing here needs escaping, and a list draws this a hundred times.
    return SafeString(
        f'<time class="ago" datetime="{utc.replace(" ", "T")}+00:00" data-exact="{utc} UTC"{tab}>{words}</time>'
    )


def distance(passed: timedelta) -> str:
    """Return a span of time in its largest unit, rounded down: "just now", "3 min ago", "in 2 days"."""
    seconds = round(abs(passed).total_seconds())
    for length, unit in UNITS:
        count = seconds // length
        if count:
            words = f"{count} {unit}{'' if count == 1 or unit == 'min' else 's'}"
            return f"{words} ago" if passed > timedelta() else f"in {words}"
    return "just now" if passed >= timedelta() else "in a moment"


@register.simple_tag
def address(name: str, *arguments: Any) -> str:
    """Return the address of a named route, or "" when there is no such route, so that a menu can leave it out."""
    try:
        return address_of(name, arguments)
    except NoReverseMatch:
        return ""


@register.inclusion_tag("ui/menu_item.html", takes_context=True)
def menu_item(
    context: template.Context,
    name: str,
    label: str,
    icon_name: str,
    section: str = "",
    *,
    of: str = "",
    in_workspace: bool = True,
) -> dict[str, Any]:
    """Draw one entry of the left menu, or nothing without the route `name` or the workspace that it is in.

    `section` is what the names of all routes below this entry begin with; the entry stays marked on those pages. `of`
    tells entries with the same label apart for those who hear them.
    """
    workspace = context.get("workspace")
    url = (address(name, workspace.slug) if workspace else "") if in_workspace else address(name)
    return {"url": url, "label": label, "of": of, "icon_name": icon_name, "current": current(context, name, section)}


@register.simple_tag(takes_context=True, name="active")
def current(context: template.Context, name: str, section: str = "") -> str:
    """Return the value of aria-current: "page" on the route itself, "true" below it, "" elsewhere."""
    route = context.get("route")
    if route is None:
        request = cast("HttpRequest | None", context.get("request"))
        match = request.resolver_match if request else None
        route = (match.url_name or "") if match else ""
    if route == name:
        return "page"
    return "true" if section and route.startswith(section) else ""


@register.inclusion_tag("ui/field.html")
def field(bound: BoundField, **attributes: Any) -> dict[str, Any]:
    """Draw one row of a form, with extra attributes on its control: `hx_post=url` becomes hx-post."""
    return {"field": bound, "attributes": attributes}


@register.simple_tag
def control(bound: BoundField, attributes: dict[str, Any] | None = None, described_by: str = "") -> SafeString:
    """Return the control of `bound` with what assistive technology needs; a password's value is never printed."""
    widget = bound.field.widget
    if isinstance(widget, PasswordInput):
        widget = copy.copy(widget)
        widget.render_value = False
    attrs: dict[str, Any] = {name.replace("_", "-"): value for name, value in (attributes or {}).items()}
    about = [described_by] if described_by else []
    about += [f"{bound.auto_id}_help"] if bound.help_text else []
    about += [f"{bound.auto_id}_error"] if bound.errors else []
    attrs["aria-describedby"] = " ".join(about) or None
    attrs["aria-invalid"] = "true" if bound.errors else None
    kind = "" if isinstance(widget, CheckboxInput) else " ".join(["input", str(widget.attrs.get("class", ""))]).strip()
    attrs["class"] = kind or None
    return bound.as_widget(widget=widget, attrs={name: value for name, value in attrs.items() if value is not None})


@register.simple_tag
def secret_control(
    bound: BoundField, attributes: dict[str, Any] | None = None, stored: str = "", paste_hint: str = ""
) -> SafeString:
    """Return the control of a secret: empty, not remembered by the browser, not spell-checked.

    When a form comes back because of something else, htmx keeps the input that is on the page, and what was typed there
    stays in it; the server never sends it back.
    """
    notes = [f"{bound.auto_id}_stored"] if stored else []
    notes += [f"{bound.auto_id}_paste"] if paste_hint else []
    manners = {"autocomplete": "new-password", "spellcheck": "false", "autocapitalize": "off"}
    if bound.form.is_bound and not bound.errors:
        manners["hx-preserve"] = "true"
    return control(bound, {**manners, **(attributes or {})}, " ".join(notes))


@register.filter
def kind(bound: BoundField) -> str:
    """Return how a field is laid out: checkbox, hidden, or text (everything that has its label above)."""
    if bound.is_hidden:
        return "hidden"
    return "checkbox" if isinstance(bound.field.widget, CheckboxInput) else "text"


@register.filter
def problems(form: BaseForm) -> int:
    """Return how many messages the summary above a refused form lists."""
    return sum(map(len, form.errors.values()))


@register.filter
def naming(error: str, label: str) -> str:
    """Return a message that says which field it is about, for the summary, where it stands alone."""
    return error if label.casefold() in error.casefold() else f"{label}: {error}"


@register.filter
@lru_cache(maxsize=1024)
def breakable(host: str) -> SafeString:
    """Return a host or e-mail address that breaks after its dots and such, not in a word, when the line is short."""
    return format_html_join(mark_safe("<wbr>"), "{}", ((part,) for part in re.split(r"(?<=[.:/@])", host)))


@register.filter
def initials(label: str) -> str:
    """Return one or two letters that stand for a person in the header."""
    words = label.partition("@")[0].replace(".", " ").replace("_", " ").split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"
