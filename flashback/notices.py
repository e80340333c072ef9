"""Notices of what was done, with the button that undoes it where an act has an inverse."""

import json
from collections.abc import Mapping
from typing import TypedDict

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest
from django.urls import reverse


class Undo(TypedDict):
    """A form with one button: where it posts to, what it sends (names and values), and what the button says."""

    url: str
    sent: list[tuple[str, str]]
    label: str


def done(
    request: HttpRequest,
    text: str,
    route: str,
    *arguments: object,
    label: str = "Undo",
    fields: Mapping[str, object] | None = None,
) -> None:
    """Say `text` on the next page, beside a button that posts `fields` to the named route of the inverse act.

    A field with a list is sent once for each of its values. `fields` must hold no secret: they lie in the session until
    they are shown.
    """
    several = {name: value if isinstance(value, list) else [value] for name, value in (fields or {}).items()}
    sent = [(name, str(one)) for name, values in several.items() for one in values]
    undo = Undo(url=reverse(route, args=arguments), sent=sent, label=label)
    messages.success(request, text, extra_tags=json.dumps(undo))


def undo_of(message: Message) -> Undo | None:
    """Return the button that `done` put beside a message, None for one without."""
    if not (message.extra_tags or "").startswith("{"):
        return None
    undo: Undo = json.loads(message.extra_tags or "")
    return undo
