"""Validate several AI LLMs, one after the other. The address carries which, and how far it got.

The server keeps nothing of it.
With scripts each answer asks for the next row by itself; without, a button does the next one.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from ai_llm import validation
from ai_llm.models import AiLlm
from flashback.errors import Conflict, NotFound
from flashback.web import see_other
from workspaces import access
from workspaces.access import Access
from workspaces.address import Request, in_workspace

MOST = 50


@require_http_methods(["GET", "HEAD", "POST"])
@in_workspace
def validate(request: Request) -> HttpResponse:
    """Show the chosen rows (`ids`, at most 50) and how far the checks got (`at`); a POST checks the next one."""
    access.require(request.user, request.workspace, Access.WRITE)
    ids = chosen(request.GET.getlist("ids"))
    rows = visible(request, ids)
    at = min(_number(request.GET.get("at", "")), len(rows))
    wait, said = 0, ""
    if request.method == "POST" and at < len(rows):
        wait, said = _check(request, rows[at])
        at += 0 if wait else 1
        rows = visible(request, ids)
    if request.method == "POST" and not request.htmx:
        return see_other(_address(request, rows, at))
    running = bool(request.htmx) and at < len(rows)
    values = {
        "rows": _shown(rows, at, running),
        "at": at,
        "next": _address(request, rows, at),
        "wait": wait,
        "said": said,
    }
    piece = request.method == "POST"
    return render(request, "ai_llm/_bulk.html" if piece else "ai_llm/bulk.html", {**values, "running": running})


def _check(request: Request, row: AiLlm) -> tuple[int, str]:
    """Check one row; return the seconds to wait before the next try and what to say, or (0, "") when it is done."""
    try:
        validation.validate(request.user, row)
    except validation.Busy as busy:
        return busy.retry_after, busy.message
    except (Conflict, NotFound):
        pass  # changed or deleted meanwhile: the row then shows its own state, and the others go on
    return 0, ""


def chosen(texts: Iterable[str]) -> list[UUID]:
    """Return the ids among `texts`, each once, at most 50."""
    found: list[UUID] = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return list(dict.fromkeys(found))[:MOST]


def visible(request: Request, ids: list[UUID]) -> list[AiLlm]:
    """Return those of the rows that are in this workspace, in the order of `ids`."""
    rows = AiLlm.objects.visible_to(request.user).filter(workspace=request.workspace, pk__in=ids)
    by_id = rows.select_related("workspace", "credential", "last_check").in_bulk()
    return [by_id[row] for row in ids if row in by_id]


def _shown(rows: list[AiLlm], at: int, running: bool) -> list[dict[str, Any]]:
    return [
        {"row": row, "state": row.state if place < at else "checking" if running and place == at else ""}
        for place, row in enumerate(rows)
    ]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0


def _address(request: Request, rows: list[AiLlm], at: int) -> str:
    query = urlencode([("ids", row.pk) for row in rows] + [("at", at)])
    return f"{reverse('ai_llms_validate', args=[request.workspace.slug])}?{query}"
