"""Reads for the list and the overview: states, counts, search, filter, order, pages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet
from django.utils import timezone

from ai_llm.causes import CAUSES
from ai_llm.models import NEVER, STATES, UNAVAILABLE, AiLlm, Type, Verdict
from flashback import names, sealed
from workspaces.models import Workspace

NEEDS_NOBODY = [cause.code for cause in CAUSES.values() if cause.needs_nobody]
PAGE_SIZE = 50
JUST_NOW = timedelta(minutes=2)
ORDERS = {"name": "name_key", "-name": "-name_key", "newest": "-created_at", "oldest": "created_at"}
ORDER_WORDS = {"name": "Name A to Z", "-name": "Name Z to A", "newest": "Newest first", "oldest": "Oldest first"}


def in_state(rows: "QuerySet[AiLlm]", wanted: str) -> "QuerySet[AiLlm]":
    """Return the rows whose state is `wanted`."""
    readable = {"credential__key_id__in": sealed.key_ids(), "credential__secret__isnull": False}
    if wanted == UNAVAILABLE:
        return rows.exclude(**readable)
    return rows.filter(**readable, verdict="" if wanted == NEVER else wanted)


def counts(workspace: Workspace) -> list[dict[str, Any]]:
    """Return state, its words and its number of AI LLMs, for every state; one query."""
    rows = AiLlm.objects.of(workspace).values_list("verdict", "credential__key_id").annotate(number=Count("pk"))
    found = dict.fromkeys(STATES, 0)
    for verdict, key_id, number in rows.order_by():
        found[(verdict or NEVER) if key_id in sealed.key_ids() else UNAVAILABLE] += number
    return [{"state": state, "words": words, "number": found[state]} for state, words in STATES.items()]


def attention(workspace: Workspace, most: int = 10) -> list[AiLlm]:
    """Return the configurations that somebody should look at, the worst first."""
    rows = AiLlm.objects.of(workspace).select_related("credential", "last_check")
    rows = rows.exclude(last_check__cause__in=NEEDS_NOBODY)
    found: list[AiLlm] = []
    for wanted in (UNAVAILABLE, Verdict.REJECTED.value, Verdict.UNDECIDED.value, NEVER):
        found += in_state(rows, wanted).order_by("name_key")[: most - len(found)]
        if len(found) >= most:
            break
    return found


def starts_checking(row: AiLlm) -> bool:
    """Whether the page runs the check by itself: the row was made, moved, or got a new secret, just now."""
    credential = row.credential
    if row.verdict or credential is None or not credential.available:
        return False
    return row.changed_at > timezone.now() - JUST_NOW


@dataclass(frozen=True)
class Query:
    """What the address asks of the list. Anything unknown in it is ignored."""

    search: str = ""
    type: str = ""
    state: str = ""
    order: str = "name"
    page: int = 1

    @classmethod
    def read(cls, address: Mapping[str, str]) -> Self:
        """Return the query that the address carries (`q`, `type`, `state`, `order`, `page`)."""
        page = address.get("page", "1")
        return cls(
            search=address.get("q", "").replace("\0", "").strip()[:120],
            type=_known(address.get("type", ""), Type.values),
            state=_known(address.get("state", ""), STATES),
            order=_known(address.get("order", ""), ORDERS) or "name",
            page=int(page) if page.isascii() and page.isdecimal() and len(page) < 6 else 1,
        )

    def address(self, **changes: Any) -> str:
        """Return the query string with `changes`; a change of anything but the page goes back to page 1."""
        query = replace(self, **{"page": 1, **changes})
        values = {"q": query.search, "type": query.type, "state": query.state, "order": query.order, "page": query.page}
        defaults = {"q": "", "type": "", "state": "", "order": "name", "page": 1}
        return "?" + urlencode({name: value for name, value in values.items() if value != defaults[name]})

    @property
    def narrows(self) -> bool:
        """Whether anything is searched or filtered."""
        return bool(self.search or self.type or self.state)

    def page_of(self, workspace: Workspace) -> Page[AiLlm]:
        """Return one page of the matching rows with what the list shows of each; a page too far is the last one."""
        rows: QuerySet[AiLlm] = AiLlm.objects.of(workspace)
        rows = rows.select_related("credential", "last_check", "created_by")
        if self.search:
            rows = rows.filter(name_key__contains=names.key(self.search)) | rows.filter(endpoint__icontains=self.search)
        if self.type:
            rows = rows.filter(type=self.type)
        if self.state:
            rows = in_state(rows, self.state)
        return Paginator(rows.order_by(ORDERS[self.order], "pk"), PAGE_SIZE).get_page(self.page)


def _known(value: str, allowed: Iterable[str]) -> str:
    return value if value in allowed else ""
