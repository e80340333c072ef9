"""Versions of things in answers (`ETag`), and conditions on changes (`If-Match`): RFC 9110, 8.8.3 and 13.1.1.

`If-Match` is honoured, and never asked for.
"""

import hashlib
import json
from typing import Any

from django.http import HttpRequest

from flashback.errors import Conflict

PARAMETER: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of what you read. When it changed in the meantime, the answer is 412 and nothing happens.",
    "schema": {"type": "string", "pattern": '^(\\*|"[!#-~]+")$'},
    "example": "*",
}
HONOURED = {"parameters": [PARAMETER]}  # for `openapi_extra`
ANSWER_HEADERS = "flashback.answer_headers"  # the key in request.META


class Stale(Conflict):
    """The thing is not what the request says it is (412)."""

    status = 412


def of(*values: Any) -> str:
    """Return the strong entity tag of `values`, which are written as JSON writes them, or as their text."""
    text = json.dumps(values, default=str, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def show(request: HttpRequest, tag: str) -> None:
    """Put `tag` on the answer to `request`."""
    answer_header(request, "ETag", tag)


def require(request: HttpRequest, tag: str) -> None:
    """Raise `Stale` when the request has an `If-Match` that names neither `tag` nor anything at all (*)."""
    wanted = request.headers.get("If-Match", "").strip()
    if wanted and wanted != "*" and tag not in {one.strip() for one in wanted.split(",")}:
        raise Stale("This has changed since you read it. Read it again, then send your change with the new ETag.")


def answer_header(request: HttpRequest, name: str, value: str) -> None:
    """Put a header on the answer to `request`, whoever makes it."""
    request.META.setdefault(ANSWER_HEADERS, {})[name] = value
