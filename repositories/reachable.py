"""Which models are reachable through a repository: the last good lists of its AI LLMs, in the order of preference."""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet
from django.utils.text import Truncator

from ai_llm.models import DISABLED, NEVER, UNAVAILABLE, ModelList, Verdict
from flashback import sealed
from flashback.prepared import prepared
from repositories import patterns
from repositories.models import Attachment, Repository

# What a person should know about an AI LLM that is attached although it may not answer.
WARNINGS = {
    DISABLED: "Disabled: calls pass it by.",
    UNAVAILABLE: "Its secret must be entered again: calls pass it by.",
    Verdict.REJECTED.value: "The provider rejected it at the last check: calls through it will fail.",
    NEVER: "Never validated: nobody knows yet whether it works.",
}
PASSED_BY = {DISABLED, UNAVAILABLE}


class Attached(NamedTuple):
    """What is read of an attached AI LLM: few columns, because fifty rows with all of them cost too much."""

    id: UUID
    name: str
    type: str
    endpoint: str
    keyless: bool
    disabled_at: datetime | None
    verdict: str
    key_id: str | None

    @property
    def state(self) -> str:
        """As `AiLlm.state`."""
        if self.disabled_at is not None:
            return DISABLED
        if not self.keyless and self.key_id not in sealed.key_ids():
            return UNAVAILABLE
        return self.verdict or NEVER


COLUMNS = ("id", "name", "type", "endpoint", "keyless", "disabled_at", "verdict", "credential__key_id")


@dataclass(frozen=True, slots=True)
class Source:
    """One attached AI LLM: its place (from 1), its allow-list, the models it has (`known`), and those `left`."""

    place: int
    patterns: list[str]
    ai_llm: Attached
    known: list[str]
    left: list[str]

    @property
    def pk(self) -> str:
        """The AI LLM's id, as forms carry it."""
        return str(self.ai_llm.id)

    @property
    def offer(self) -> str:
        """How many of its models may be used, in words, and by which patterns."""
        if self.patterns:
            allowed = Truncator(", ".join(self.patterns)).chars(100)
            return f"{len(self.left)} of {len(self.known)} models: {allowed}"
        if not self.known:
            return "no list of models yet"
        return "its one model" if len(self.known) == 1 else f"all {len(self.known)} models"

    @property
    def warning(self) -> str:
        """What may keep it from answering, "" for nothing."""
        return WARNINGS.get(self.ai_llm.state, "")


@dataclass(frozen=True, slots=True)
class Model:
    """One reachable model: the source that calls go to, and those that have it too, further down."""

    name: str
    wins: Source
    others: list[Source]


@dataclass(frozen=True, slots=True)
class Reachable:
    """What a repository leads to: its sources in order, and for each model's name the source that wins."""

    sources: list[Source]
    wins: Mapping[str, Source]

    def models(self, names: Iterable[str]) -> list[Model]:
        """Return these models with where they come from."""
        have = [(source, frozenset(source.left)) for source in _asked(self.sources)]
        return [
            Model(name, self.wins[name], [one for one, left in have if name in left and one is not self.wins[name]])
            for name in names
        ]

    def first(self, number: int) -> list[str]:
        """Return the first names, as `found` sorts them; cheaper for a few of many."""
        return heapq.nsmallest(number, self.wins)

    def found(self, search: str = "", source: UUID | None = None) -> list[str]:
        """Return the names that contain `search`, without regard to case, sorted; of one AI LLM alone if given."""
        wanted = search.casefold()
        names = sorted(name for name in self.wins if wanted in name.casefold()) if wanted else sorted(self.wins)
        if source is None:
            return names
        own = {name for one in self.sources if one.ai_llm.id == source for name in one.left}
        return [name for name in names if name in own]


def of(repository: Repository) -> Reachable:
    """Return what is reachable through `repository`; two queries. AI LLMs that calls pass by add no model."""
    sources, wins = _sources(repository), dict[str, Source]()
    # From the last to the first, so that the first one stays.
    for source in reversed(_asked(sources)):
        wins.update(dict.fromkeys(source.left, source))
    return Reachable(sources, wins)


def _asked(sources: list[Source]) -> list[Source]:
    return [source for source in sources if source.left and source.ai_llm.state not in PASSED_BY]


def _sources(repository: Repository) -> list[Source]:
    listed = {pk: (endpoint, names) for pk, endpoint, names in _lists(repository.pk)}
    sources = []
    for place, (allowed, *values) in enumerate(_attached(repository.pk), 1):
        row = Attached(*values)
        endpoint, names = listed.get(row.id, ("", []))
        known = list(dict.fromkeys(names)) if endpoint == row.endpoint else []
        left = [name for name in known if patterns.allows(allowed, name)] if allowed else known
        sources.append(Source(place, allowed, row, known, left))
    return sources


@prepared
def _lists(repository: UUID) -> "QuerySet[ModelList, Any]":
    lists = ModelList.objects.filter(ai_llm__attachments__repository=repository)
    return lists.values_list("ai_llm", "endpoint", "names")


@prepared
def _attached(repository: UUID) -> "QuerySet[Attachment, Any]":
    rows = Attachment.objects.filter(repository=repository).in_order()
    return rows.values_list("patterns", *[f"ai_llm__{column}" for column in COLUMNS])
