"""Reads for the lists of repositories and keys, and for the overview: search, filter, order, pages, counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple, Self, cast
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, Func, IntegerField, Max, OuterRef, Q, QuerySet
from django.utils import timezone

from ai_llm.listing import NUMBER
from flashback import names
from flashback.prepared import padded, prepared
from repositories.models import AiApiKey, Attachment, KeySecret, Repository
from workspaces.models import Workspace, whole_name

PAGE_SIZE = 50
SHOWN = 5  # of each kind on the overview
SOON = timedelta(days=14)
ORDERS = {"name": "name_key", "-name": "-name_key", "newest": "-created_at", "oldest": "created_at"}
ORDER_WORDS = {"name": "Name A to Z", "-name": "Name Z to A", "newest": "Newest first", "oldest": "Oldest first"}
REPOSITORY_STATES = {"enabled": "Enabled", "disabled": "Disabled", "empty": "No AI LLM", "keyless": "No working key"}
KEY_STATES = {
    "active": "Active",
    "soon": "Expires soon",
    "expired": "Expired",
    "stopped": "Repository disabled",
    "revoked": "Revoked",
}


@dataclass(frozen=True, slots=True)
class RepositoryRow:
    """What the inventory shows of one repository."""

    id: UUID
    name: str
    description: str
    disabled_at: datetime | None
    created_at: datetime
    creator_name: str | None
    creator_email: str | None
    ai_llms: int = 0
    keys: int = 0
    used_at: datetime | None = None

    COLUMNS: ClassVar = (
        "id",
        "name",
        "description",
        "disabled_at",
        "created_at",
        whole_name("created_by__"),
        "created_by__email",
    )

    @property
    def creator(self) -> str:
        """Who made it."""
        return self.creator_name or self.creator_email or "somebody who left"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What lists and its page show of one key. `public_id` and `hint` are those of the current secret."""

    id: UUID
    name: str
    type: str
    patterns: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    creator_name: str | None
    creator_email: str | None
    repository_id: UUID
    repository: str
    repository_disabled_at: datetime | None
    secrets: list[KeySecret] = field(default_factory=list)

    COLUMNS: ClassVar = (
        *("id", "name", "type", "patterns", "expires_at", "revoked_at", "created_at", whole_name("created_by__")),
        *("created_by__email", "repository_id", "repository__name", "repository__disabled_at"),
    )

    @property
    def state(self) -> str:
        """The state in one word, a key of KEY_STATES."""
        now = timezone.now()
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        if self.repository_disabled_at is not None:
            return "stopped"
        return "soon" if self.expires_at is not None and self.expires_at <= now + SOON else "active"

    @property
    def state_words(self) -> str:
        """The state in words."""
        return KEY_STATES[self.state]

    @property
    def looks(self) -> str:
        """The state whose colour and icon it has."""
        state = {"active": "accepted", "soon": "limited", "expired": "rejected"}.get(self.state)
        return state or "disabled"

    @property
    def current(self) -> KeySecret | None:
        """The secret that applications should use."""
        return next((secret for secret in self.secrets if secret.ends_at is None), None)

    @property
    def former(self) -> KeySecret | None:
        """The secret before, while it still works."""
        now = timezone.now()
        return next((one for one in self.secrets if one.ends_at is not None and one.ends_at > now), None)

    @property
    def used_at(self) -> datetime | None:
        """When it was used last, give or take ten minutes; None for never."""
        return max((one.last_used_at for one in self.secrets if one.last_used_at is not None), default=None)

    @property
    def creator(self) -> str:
        """Who made it."""
        return self.creator_name or self.creator_email or "somebody who left"


@dataclass(frozen=True)
class Query:
    """What the address asks of a list. Anything unknown in it is ignored."""

    STATES: ClassVar[Mapping[str, str]] = {}

    search: str = ""
    state: str = ""
    order: str = "name"
    repository: UUID | None = None
    page: int = 1

    @classmethod
    def read(cls, address: Mapping[str, str]) -> Self:
        """Return the query that the address carries (`q`, `state`, `order`, `repository`, `page`)."""
        page = address.get("page", "1")
        return cls(
            search=address.get("q", "").replace("\0", "").encode("utf-8", "ignore").decode().strip()[:120],
            state=_known(address.get("state", ""), cls.STATES),
            order=_known(address.get("order", ""), ORDERS) or "name",
            repository=_id(address.get("repository", "")),
            page=int(page) if page.isascii() and page.isdecimal() and len(page) < 6 else 1,
        )

    @property
    def narrows(self) -> bool:
        """Whether anything is searched or filtered."""
        return bool(self.search or self.state or self.repository)


@dataclass(frozen=True)
class RepositoryQuery(Query):
    """What the inventory is asked for."""

    STATES: ClassVar = REPOSITORY_STATES

    def page_of(self, workspace: Workspace) -> Page[RepositoryRow]:
        """Return one page of the matching repositories; a page too far is the last one."""
        rows: QuerySet[Repository] = Repository.objects.of(workspace)
        if self.search:
            rows = rows.filter(name_key__contains=names.key(self.search)) | rows.filter(
                description__icontains=self.search
            )
        rows = _in_state(rows, self.state)
        page = Paginator(rows.order_by(ORDERS[self.order]).values_list("pk", flat=True), PAGE_SIZE).get_page(self.page)
        found = repository_rows(list(page.object_list))
        return Page(found, page.number, cast("Paginator[RepositoryRow]", page.paginator))


@dataclass(frozen=True)
class KeyQuery(Query):
    """What the list of keys is asked for. Without a state it leaves revoked keys out."""

    STATES: ClassVar = KEY_STATES

    def page_of(self, workspace: Workspace) -> Page[KeyRow]:
        """Return one page of the matching keys; a page too far is the last one."""
        rows: QuerySet[AiApiKey] = AiApiKey.objects.of(workspace).filter(_standing(self.state, *_moments()))
        if self.repository:
            rows = rows.filter(repository=self.repository)
        if self.search:
            rows = rows.filter(name_key__contains=names.key(self.search)) | rows.filter(
                secrets__public_id=self.search.removeprefix("sk-fb-")[:8]
            )
        ids = rows.order_by(ORDERS[self.order], "pk").values_list("pk", flat=True).distinct()
        page = Paginator(ids, PAGE_SIZE).get_page(self.page)
        return Page(key_rows(list(page.object_list)), page.number, cast("Paginator[KeyRow]", page.paginator))


def repository_rows(ids: Sequence[UUID]) -> list[RepositoryRow]:
    """Return what lists show of these repositories, in this order; four queries for any number."""
    attached = _counted(Attachment.objects.filter(repository__in=ids))
    live = _counted(AiApiKey.objects.live().filter(repository__in=ids))
    used = AiApiKey.objects.filter(repository__in=ids).order_by().values_list("repository")
    used_at = dict(used.annotate(at=Max("secrets__last_used_at")))
    values = Repository.objects.filter(pk__in=ids).values_list(*RepositoryRow.COLUMNS)
    rows = {row.id: row for row in (RepositoryRow(*found) for found in values)}
    return [
        replace(rows[pk], ai_llms=attached.get(pk, 0), keys=live.get(pk, 0), used_at=used_at.get(pk))
        for pk in ids
        if pk in rows
    ]


def key_rows(ids: Sequence[UUID], *, makers: bool = False) -> list[KeyRow]:
    """Return what lists show of these keys, in this order, each with its secrets; two queries for any number.

    With `makers` the secrets bring along who made them.
    """
    rows = {row.id: row for row in _shown(AiApiKey.objects.filter(pk__in=ids).values_list(*KeyRow.COLUMNS))}
    return _with_secrets([rows[pk] for pk in ids if pk in rows], makers=makers)


def keys_of(repository: Repository, most: int = 10) -> tuple[list[KeyRow], int]:
    """Return the newest keys of a repository that are not revoked, and how many there are."""
    rows = _shown(_newest_keys(repository.pk, most=most + 1))
    keys = AiApiKey.objects.filter(repository=repository, revoked_at=None)
    return _with_secrets(rows[:most]), keys.count() if len(rows) > most else len(rows)


def _shown(found: Iterable[Sequence[Any]]) -> list[KeyRow]:
    return [KeyRow(*columns) for columns in found]


@prepared
def _newest_keys(repository: UUID, *, most: int) -> "QuerySet[AiApiKey, Any]":
    keys = AiApiKey.objects.filter(repository=repository, revoked_at=None).order_by("-created_at")
    return keys.values_list(*KeyRow.COLUMNS)[:most]


def _with_secrets(rows: list[KeyRow], *, makers: bool = False) -> list[KeyRow]:
    if not rows:
        return []
    secrets: dict[UUID, list[KeySecret]] = {}
    for secret in _secrets_of(*padded([row.id for row in rows], 10, PAGE_SIZE), makers=makers):
        secrets.setdefault(secret.key_id, []).append(secret)
    return [replace(row, secrets=secrets.get(row.id, [])) for row in rows]


@prepared
def _secrets_of(*keys: UUID, makers: bool) -> "QuerySet[KeySecret]":
    found = KeySecret.objects.filter(key__in=keys).order_by("-made_at")
    return found.select_related("made_by") if makers else found


@dataclass(frozen=True)
class Figures:
    """What the overview counts in a workspace."""

    repositories: int
    attached: int
    keys: int
    soon: int


def figures(workspace: Workspace) -> Figures:
    """Return the counts of the overview; one query."""
    found = dict(_numbers(workspace.pk, *_moments()))
    repositories, attached, active, soon = (found[kind] for kind in range(4))
    return Figures(repositories=repositories, attached=attached, keys=active + soon, soon=soon)


@prepared
def _numbers(workspace: UUID, now: datetime, then: datetime) -> "list[QuerySet[Any, Any]]":
    keys = AiApiKey.objects.of(workspace)
    attached = Attachment.objects.filter(repository__workspace=workspace, repository__deleted_at=None)
    different = Func("ai_llm", template="COUNT(DISTINCT %(expressions)s)", output_field=IntegerField())
    return [
        Repository.objects.of(workspace).values_list(NUMBER),
        attached.values_list(different),
        *(keys.filter(_standing(state, now, then)).values_list(NUMBER) for state in ("active", "soon")),
    ]


class Newest(NamedTuple):
    """What the overview tells of a new repository."""

    id: UUID
    name: str
    created_at: datetime


def newest(workspace: Workspace) -> list[Newest]:
    """Return the newest repositories, five at most."""
    return [Newest(*columns) for columns in _newest(workspace.pk)]


@prepared
def _newest(workspace: UUID) -> "QuerySet[Repository, Any]":
    return Repository.objects.of(workspace).order_by("-created_at").values_list(*Newest._fields)[:SHOWN]


def attention(workspace: Workspace) -> dict[str, list[Any]]:
    """Return what somebody should look at: keys that end soon or have ended, and repositories that lead nowhere."""
    empty = [{"id": pk, "name": name} for pk, name in _empty(workspace.pk)]
    return {"keys": _shown(_ending(workspace.pk, *_moments())), "empty": empty}


@prepared
def _ending(workspace: UUID, now: datetime, then: datetime) -> "QuerySet[AiApiKey, Any]":
    due = _standing("expired", now, then) | _standing("soon", now, then)
    keys: QuerySet[AiApiKey] = AiApiKey.objects.of(workspace).filter(due)
    return keys.order_by("-expires_at").values_list(*KeyRow.COLUMNS)[:SHOWN]


@prepared
def _empty(workspace: UUID) -> "QuerySet[Repository, Any]":
    rows: QuerySet[Repository] = Repository.objects.of(workspace).filter(disabled_at=None)
    return _in_state(rows, "empty").order_by("name_key").values_list("id", "name")[:SHOWN]


def _in_state(rows: "QuerySet[Repository]", state: str) -> "QuerySet[Repository]":
    match state:
        case "enabled":
            return rows.filter(disabled_at=None)
        case "disabled":
            return rows.exclude(disabled_at=None)
        case "empty":
            return rows.filter(~Exists(Attachment.objects.filter(repository=OuterRef("pk"))))
        case "keyless":
            return rows.filter(~Exists(AiApiKey.objects.live().filter(repository=OuterRef("pk"))))
    return rows


def _moments() -> tuple[datetime, datetime]:
    """Return now, and until when an end is near."""
    now = timezone.now()
    return now, now + SOON


def _standing(state: str, now: datetime, then: datetime) -> Q:
    live = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
    works = live & Q(repository__disabled_at=None)
    soon = Q(expires_at__lte=then)
    conditions = {
        "active": works & (Q(expires_at=None) | ~soon),
        "soon": works & soon,
        "expired": Q(revoked_at=None, expires_at__lte=now),
        "stopped": live & Q(repository__disabled_at__isnull=False),
        "revoked": Q(revoked_at__isnull=False),
    }
    return conditions.get(state, Q(revoked_at=None))


def _counted(rows: "QuerySet[Any]") -> dict[UUID, int]:
    return dict(rows.order_by().values_list("repository").annotate(number=Count("*")))


def _known(value: str, allowed: Iterable[str]) -> str:
    return value if value in allowed else ""


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
