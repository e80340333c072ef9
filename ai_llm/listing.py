"""Reads for the list and the overview: states, counts, search, filter, order, pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Any, ClassVar, Self, cast
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Func, IntegerField, Q, QuerySet
from django.utils import timezone

from ai_llm import dependents, expiry
from ai_llm.causes import CAUSES, ActionKind
from ai_llm.models import DISABLED, NEVER, STATES, UNAVAILABLE, AiLlm, Credential, Type, Verdict
from flashback import names, sealed
from flashback.prepared import padded, prepared
from workspaces.models import Workspace, whole_name

NEEDS_NOBODY = [cause.code for cause in CAUSES.values() if cause.needs_nobody]
TYPE_WORDS = dict(Type.choices)
# No states of their own: a secret that works can be due too.
DUE, UNUSED = "due", "unused"
FILTERS = {**STATES, DUE: "Secret due", UNUSED: "In no repository"}
UNUSED_AFTER = timedelta(days=7)
PAGE_SIZE = 50
JUST_NOW = timedelta(minutes=2)
# Without the GROUP BY of Count, which for nearly all rows costs several times what reading them from an index does.
NUMBER = Func(template="COUNT(*)", output_field=IntegerField())
ORDERS = {"name": "name_key", "-name": "-name_key", "newest": "-created_at", "oldest": "created_at"}
ORDER_WORDS = {"name": "Name A to Z", "-name": "Name Z to A", "newest": "Newest first", "oldest": "Oldest first"}


def lost(workspace: Workspace | UUID, keys: Sequence[str]) -> "QuerySet[AiLlm]":
    """Return the enabled AI LLMs whose secret none of these keys opens (ids of keys, see `sealed.key_ids`)."""
    opened = sorted(keys)
    # Ranges between the ids instead of "not one of them": an index answers that without looking at every row.
    between = Q(key_id__lt=opened[0]) | Q(key_id__gt=opened[-1])
    for lower, upper in pairwise(opened):
        between |= Q(key_id__gt=lower, key_id__lt=upper)
    # The workspace is that of the credentials: asked of the AI LLMs too, SQLite would look at all of them.
    others = Credential.objects.filter(between, workspace=workspace)
    return AiLlm.objects.filter(deleted_at=None, disabled_at=None, credential__in=others)


def unavailable(workspace: Workspace) -> "QuerySet[AiLlm]":
    """Return the enabled AI LLMs of `workspace` whose secret no key of this installation opens, or that have none."""
    others = lost(workspace, sealed.key_ids())
    rows: QuerySet[AiLlm] = AiLlm.objects.of(workspace).filter(disabled_at=None)
    bare = Q(credential=None, keyless=False)
    return rows.filter(bare | Q(pk__in=others.values("pk")) if others.exists() else bare)


def in_state(workspace: Workspace, wanted: str, *, any_lost: bool) -> "QuerySet[AiLlm]":
    """Return the rows whose state is `wanted`; `any_lost` says whether there are unavailable ones, normally none."""
    rows: QuerySet[AiLlm] = AiLlm.objects.of(workspace)
    if wanted == DISABLED:
        return rows.filter(disabled_at__isnull=False)
    rows = rows.filter(disabled_at=None)
    if wanted == UNAVAILABLE:
        return rows.filter(pk__in=unavailable(workspace).values("pk"))
    found = rows.filter(verdict="" if wanted == NEVER else wanted)
    return found.exclude(pk__in=unavailable(workspace).values("pk")) if any_lost else found


def unused(workspace: Workspace) -> "QuerySet[AiLlm]":
    """Return the AI LLMs older than 7 days that are in no repository, so that no application uses them."""
    rows: QuerySet[AiLlm] = AiLlm.objects.of(workspace)
    return rows.filter(attachments=None, created_at__lte=timezone.now() - UNUSED_AFTER)


def rows_of(ids: Sequence[UUID], used: Mapping[UUID, int] = MappingProxyType({})) -> list["Row"]:
    """Return what lists show of these rows, in this order; rows that are gone are left out.

    `used` is in how many repositories each of them is, where that is shown.
    """
    if not ids:
        return []
    shown = {row.id: row for row in (Row(*found) for found in _columns(*padded(ids, 10, PAGE_SIZE)))}
    return [replace(shown[key], repositories=used.get(key, 0)) for key in ids if key in shown]


@prepared
def _columns(*ids: UUID) -> "QuerySet[AiLlm, Any]":
    return AiLlm.objects.filter(pk__in=ids).values_list(*Row.COLUMNS)


def starts_checking(row: AiLlm) -> bool:
    """Whether the page runs the check by itself: the row was made, moved, or got a new secret, just now."""
    credential = row.credential
    if row.verdict or (not row.keyless and (credential is None or not credential.available)):
        return False
    return row.changed_at > timezone.now() - JUST_NOW


@dataclass(frozen=True, slots=True)
class Row:
    """What the list shows of one AI LLM: plain values, because building fifty models costs more than the page may take.

    `key_id` and `secret_set_at` are None where nothing is stored.
    """

    id: UUID
    name: str
    type: str
    endpoint: str
    keyless: bool
    disabled_at: datetime | None
    due_at: datetime | None
    fallback_until: datetime | None
    candidate_until: datetime | None
    verdict: str
    key_id: str | None
    hint: str | None
    secret_set_at: datetime | None
    checked_at: datetime | None
    cause: str | None
    created_at: datetime
    creator_name: str | None
    creator_email: str | None
    repositories: int = 0

    COLUMNS: ClassVar = (
        *("id", "name", "type", "endpoint", "keyless", "disabled_at", "due_at", "fallback_until", "candidate_until"),
        *("verdict", "credential__key_id", "credential__hint", "credential__set_at", "last_check__at"),
        *("last_check__cause", "created_at", whole_name("created_by__"), "created_by__email"),
    )

    @property
    def state(self) -> str:
        """As `AiLlm.state`."""
        if self.disabled_at is not None:
            return DISABLED
        if not self.keyless and self.key_id not in sealed.key_ids():
            return UNAVAILABLE
        return self.verdict or NEVER

    @property
    def reason(self) -> str:
        """What the last check found, in a few words; "" before the first."""
        found = CAUSES.get(self.cause or "")
        return found.headline if found else ""

    @property
    def remedy(self) -> str:
        """The page that helps: "rotate", "edit", or "validate" for nothing better."""
        found = CAUSES.get(self.cause or "")
        wanted = found.action.kind if found is not None and self.state not in {Verdict.ACCEPTED, UNAVAILABLE} else None
        if wanted in {ActionKind.EDIT_ENDPOINT, ActionKind.URL_FIX}:
            return "edit"
        replace_it = self.state in {UNAVAILABLE, Verdict.REJECTED} or wanted == ActionKind.REPLACE_SECRET
        return "rotate" if replace_it or self.due is not None else "validate"

    @property
    def due(self) -> expiry.Due | None:
        """How urgent it is to replace the secret, None while it is not."""
        return expiry.due(self) if self.due_at is not None and self.disabled_at is None else None

    @property
    def rotating(self) -> str:
        """What rotation keeps beside the secret, in words; "" for nothing."""
        now = timezone.now()
        if self.candidate_until is not None and self.candidate_until > now:
            return "a new secret waits"
        return "former secret kept" if self.fallback_until is not None and self.fallback_until > now else ""

    @property
    def type_label(self) -> str:
        """The type in words."""
        return TYPE_WORDS.get(self.type, self.type)

    @property
    def address(self) -> str:
        """The endpoint without its scheme."""
        return self.endpoint.partition("://")[2]

    @property
    def secret(self) -> str:
        """How the stored secret is hinted at: its last characters, or that there is one."""
        return f"…{self.hint}" if self.hint else "stored"

    @property
    def creator(self) -> str:
        """Who made it."""
        return self.creator_name or self.creator_email or "somebody who left"


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
            state=_known(address.get("state", ""), FILTERS),
            order=_known(address.get("order", ""), ORDERS) or "name",
            page=int(page) if page.isascii() and page.isdecimal() and len(page) < 6 else 1,
        )

    @classmethod
    def of_page(cls, address: str, path: str) -> str:
        """Return the query string of the list at `path` that `address`, a whole one, was a page of; else ""."""
        try:
            parts = urlsplit(address)
        except ValueError:
            return ""
        query = cls.read(dict(parse_qsl(parts.query))) if parts.path == path else cls()
        return query.address(page=query.page).rstrip("?")

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

    def page_of(self, workspace: Workspace) -> Page[Row]:
        """Return one page of the matching rows with what the list shows of each; a page too far is the last one."""
        rows = self._in_state(workspace)
        if self.search:
            found_in = Q(name_key__contains=names.key(self.search)) | Q(endpoint__icontains=self.search)
            rows = rows.filter(found_in)
        if self.type:
            rows = rows.filter(type=self.type)
        # Two steps: which ids are on the page, from an index; then those rows with what hangs on them.
        page = Paginator(rows.order_by(ORDERS[self.order]).values_list("pk", flat=True), PAGE_SIZE).get_page(self.page)
        ids = list(page.object_list)
        found = rows_of(ids, dependents.repositories(ids))
        return Page(found, page.number, cast("Paginator[Row]", page.paginator))

    def _in_state(self, workspace: Workspace) -> "QuerySet[AiLlm]":
        if self.state in {DUE, UNUSED}:
            return expiry.soon(workspace) if self.state == DUE else unused(workspace)
        if self.state:
            return in_state(workspace, self.state, any_lost=unavailable(workspace).exists())
        rows: QuerySet[AiLlm] = AiLlm.objects.of(workspace)
        return rows


def _known(value: str, allowed: Iterable[str]) -> str:
    return value if value in allowed else ""
