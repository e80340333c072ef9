"""Every route with an address that leads to it, and what the database holds before and after somebody went there."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

from django.contrib import admin
from django.db import connection
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from ai_llm.models import AiLlm
from repositories.models import Repository
from tests import build
from tests.conftest import People
from workspaces.models import Event

PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>|\(\?P<(\w+)>[^)]*\)")
SAMPLES = {"uuid": lambda: str(uuid4()), "int": lambda: "1"}
# What a look at a page may change: the session, which workspace was looked at last, and the record of what staff saw.
LOOKING = {
    "workspaces_session": None,
    "workspaces_user": {"last_workspace_id", "last_login"},
    "workspaces_audithead": None,  # the end of the chain that this record is tied to
}
LOOKED = "staff.looked"
# What `id` in an address means, by the beginning of the route's name; anywhere else it is an AI LLM.
IDS = {"ai_api_key": "repository", "ai_llm": "ai_llm", "audit": "event", "member": "member",
       "organization_audit": "event", "person": "member", "repository": "repository"}  # fmt: skip


@dataclass(frozen=True)
class Route:
    """A route: its name (with its namespace, if it has one), its pattern, and the view behind it."""

    name: str
    pattern: str
    view: Callable[..., Any]

    @property
    def parameters(self) -> list[str]:
        return [match[2] or match[3] for match in PARAMETER.finditer(self.pattern)]

    def address(self, values: Mapping[str, Any]) -> str:
        """The address with `values`, and with something harmless for every parameter that has none that fits."""

        def fill(match: re.Match[str]) -> str:
            name, kind = match[2] or match[3], match[1] or ""
            fits = name in values and not (kind == "int" and isinstance(values[name], UUID))
            value = values[name] if fits else SAMPLES.get(kind, lambda: "x")()
            return quote(str(value), safe="")

        return "/" + PARAMETER.sub(fill, self.pattern)


@dataclass(frozen=True)
class Places:
    """Real rows for every address: an AI LLM in a repository that has a key, a member of the workspace, an event."""

    people: People
    ai_llm: AiLlm
    repository: Repository
    key: UUID

    @classmethod
    def around(cls, people: People, ai_llm: AiLlm) -> "Places":
        repository = build.repository(people.writer, people.workspace, ai_llm)
        return cls(people, ai_llm, repository, build.key(people.writer, repository).key.pk)

    def of(self, route: Route) -> dict[str, Any]:
        """What the address of this route carries, so that it leads to something that is there."""
        rows = {
            "ai_llm": self.ai_llm.pk,
            "repository": self.repository.pk,
            "member": self.people.reader.pk,
            "event": Event.objects.filter(workspace_id=self.people.workspace.pk).latest("id").pk,
        }
        meant = next((row for start, row in IDS.items() if route.name.startswith(start)), "ai_llm")
        values = {"slug": self.people.workspace.slug, "id": rows[meant], "ai_llm": self.ai_llm.pk, "key": self.key}
        models = (site.model._meta for site in admin.site._registry.values())
        shown = next((one for one in models if f"admin/{one.app_label}/{one.model_name}/" in route.pattern), None)
        last = shown.model._default_manager.order_by("pk").last() if shown else None
        return {**values, "object_id": last.pk if last else "x", "app_label": "ai_llm", "act": "delete"}


def every_route() -> list[Route]:
    """All routes of pages, those of the admin site too. Those of the API are told by its own description of itself."""
    return [route for route in _walk(get_resolver(), "", "") if not route.pattern.startswith("api/")]


def own_routes() -> list[Route]:
    """All routes but those of the admin site."""
    return [route for route in every_route() if not route.pattern.startswith("admin/")]


def _walk(resolver: URLResolver, prefix: str, space: str) -> Iterator[Route]:
    for part in resolver.url_patterns:
        pattern = prefix + _text(part)
        if isinstance(part, URLResolver):
            yield from _walk(part, pattern, f"{space}{part.namespace}:" if part.namespace else space)
        elif isinstance(part, URLPattern):
            yield Route(f"{space}{part.name or pattern}", pattern, part.callback)


def _text(part: URLPattern | URLResolver) -> str:
    if isinstance(part.pattern, RoutePattern):
        return str(part.pattern)
    return str(part.pattern).removeprefix("^").removesuffix("$").replace("\\Z", "").replace("\\", "")


def stored() -> dict[str, list[str]]:
    """Every table with its rows, except for what looking at a page may change."""
    tables: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            left_out = LOOKING.get(table, set())
            if left_out is None:
                continue
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            rows = [
                [cell for name, cell in zip(names, row, strict=True) if name not in left_out]
                for row in cursor.fetchall()
                if ("action", LOOKED) not in zip(names, row, strict=True)
            ]
            tables[table] = sorted(map(repr, rows))
    return tables
