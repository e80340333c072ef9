"""Reads for the list and the overview: states, counts, search, filter, order, pages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self, cast
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from ai_llm.causes import CAUSES
from ai_llm.models import NEVER, STATES, UNAVAILABLE, AiLlm, Credential, Type, Verdict
from flashback import names, sealed
from workspaces.models import Workspace

NEEDS_NOBODY = [cause.code for cause in CAUSES.values() if cause.needs_nobody]
PAGE_SIZE = 50
JUST_NOW = timedelta(minutes=2)
ORDERS = {"name": "name_key", "-name": "-name_key", "newest": "-created_at", "oldest": "created_at"}
ORDER_WORDS = {"name": "Name A to Z", "-name": "Name Z to A", "newest": "Newest first", "oldest": "Oldest first"}


def unavailable(workspace: Workspace) -> "QuerySet[AiLlm]":
    """Return the configurations of `workspace` whose secret no key of this installation opens, or that have none."""
    lost = Credential.objects.filter(workspace=workspace).exclude(key_id__in=sealed.key_ids())
    rows: QuerySet[AiLlm] = AiLlm.objects.of(workspace)
    bare = Q(credential=None)
    return rows.filter(bare | Q(credential__in=lost) if lost.exists() else bare)


def in_state(rows: "QuerySet[AiLlm]", wanted: str, lost: "QuerySet[AiLlm]", *, any_lost: bool) -> "QuerySet[AiLlm]":
    """Return the rows whose state is `wanted`; `lost` are the unavailable ones, normally none (`any_lost`)."""
    if wanted == UNAVAILABLE:
        return rows.filter(pk__in=lost.values("pk"))
    found = rows.filter(verdict="" if wanted == NEVER else wanted)
    return found.exclude(pk__in=lost.values("pk")) if any_lost else found


def counts(workspace: Workspace) -> list[dict[str, Any]]:
    """Return state, its words and its number of AI LLMs, for every state; two queries."""
    found = dict.fromkeys(STATES, 0)
    for verdict, number in _by_verdict(AiLlm.objects.of(workspace)):
        found[verdict or NEVER] += number
    for verdict, number in _by_verdict(unavailable(workspace)):
        found[verdict or NEVER] -= number
        found[UNAVAILABLE] += number
    return [{"state": state, "words": words, "number": found[state]} for state, words in STATES.items()]


def _by_verdict(rows: "QuerySet[AiLlm]") -> "QuerySet[AiLlm, tuple[str, int]]":
    return rows.order_by().values_list("verdict").annotate(number=Count("pk"))


def attention(workspace: Workspace, most: int = 10) -> list[AiLlm]:
    """Return the configurations that somebody should look at, the worst first."""
    rows = AiLlm.objects.of(workspace).select_related("credential", "last_check")
    rows = rows.exclude(last_check__cause__in=NEEDS_NOBODY)
    found, lost = list[AiLlm](), unavailable(workspace)
    any_lost = lost.exists()
    for wanted in (UNAVAILABLE, Verdict.REJECTED.value, Verdict.UNDECIDED.value, NEVER):
        found += in_state(rows, wanted, lost, any_lost=any_lost).order_by("name_key")[: most - len(found)]
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
        if self.search:
            rows = rows.filter(name_key__contains=names.key(self.search)) | rows.filter(endpoint__icontains=self.search)
        if self.type:
            rows = rows.filter(type=self.type)
        if self.state:
            lost = unavailable(workspace)
            rows = in_state(rows, self.state, lost, any_lost=lost.exists())
        # Two steps: which ids are on the page, from an index; then those rows with what hangs on them.
        page = Paginator(rows.order_by(ORDERS[self.order]).values_list("pk", flat=True), PAGE_SIZE).get_page(self.page)
        shown = AiLlm.objects.select_related("credential", "last_check", "created_by").in_bulk(list(page.object_list))
        found = [shown[pk] for pk in page.object_list if pk in shown]
        return Page(found, page.number, cast("Paginator[AiLlm]", page.paginator))


def _known(value: str, allowed: Iterable[str]) -> str:
    return value if value in allowed else ""
