"""Where a change comes from: the address and program of the request, the token, or the command that asks for it.

`SourceMiddleware` sets it for the time of a request, and `workspaces.events.record` picks it up. Code that answers for
a token says so with `using`. Whatever runs outside a request is a command of the operator.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from django.http import HttpRequest, HttpResponse

from workspaces.models import ActorKind

PROGRAMS = (
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/(\d+)")),
    ("Opera", re.compile(r"\bOPR/(\d+)")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/(\d+)")),
    ("Chrome", re.compile(r"\b(?:HeadlessChrome|Chrome|CriOS)/(\d+)")),
    ("Safari", re.compile(r"\bVersion/(\d+)[\d.]* (?:Mobile/\w+ )?Safari/")),
)
SYSTEMS = (
    ("Windows", "Windows NT"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("macOS", "Macintosh"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux"),
)
FIRST = re.compile(r"[\w.-]{1,40}(?:/[\w.-]{1,20})?")


@dataclass(frozen=True)
class Source:
    """Where a change comes from. `via` names the door: a command, a token, the admin site; "" for the console."""

    kind: ActorKind = ActorKind.PERSON
    via: str = ""
    ip: str = ""
    agent: str = ""


_current: ContextVar[Source | None] = ContextVar("source", default=None)


def current() -> Source:
    """Return the source of what happens now."""
    if given := _current.get():
        return given
    command = _command()
    return Source(ActorKind.COMMAND if command else ActorKind.PERSON, via=command)


@contextmanager
def using(**values: Any) -> Iterator[Source]:
    """Let what happens inside come from this source: `kind`, `via`, `ip`, `agent`; what is left out stays as it was."""
    token = _current.set(replace(_current.get() or Source(), **values))
    try:
        yield current()
    finally:
        _current.reset(token)


class SourceMiddleware:
    """Makes the request the source of all that its view does. `flashback.forwarded` has decided on the address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        agent = program(request.headers.get("User-Agent", ""))
        with using(kind=ActorKind.PERSON, via="", ip=str(request.META.get("REMOTE_ADDR", ""))[:45], agent=agent):
            return self.get_response(request)


def program(agent: str) -> str:
    """Return a User-Agent header in a few words, such as "Firefox 128, Linux" or "curl/8.5"; "" when it says nothing.

    Nothing else of the header is kept: anybody can write anything into it.
    """
    agent = agent[:400]
    named = ((name, pattern.search(agent)) for name, pattern in PROGRAMS)
    browser = next((f"{name} {found[1]}" for name, found in named if found), "")
    system = next((name for name, mark in SYSTEMS if mark in agent), "")
    if browser:
        return f"{browser}, {system}" if system else browser
    first = FIRST.match(agent)
    return first[0] if first else ""


def _command() -> str:
    name, *arguments = [*sys.argv, ""]
    return f"manage.py {arguments[0]}".strip()[:80] if PurePath(name).name == "manage.py" else ""
