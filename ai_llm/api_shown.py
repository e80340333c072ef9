"""How the API shows AI LLMs, checks and provider keys: a fixed number of queries, however many rows there are."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from ai_llm import api_answers as answers
from ai_llm import expiry, listing, outcomes, provider_keys
from ai_llm.models import DISABLED, NEVER, UNAVAILABLE, AiLlm, Check, Credential, Type, Verdict
from flashback import etags, sealed
from flashback.prepared import padded, prepared
from workspaces.models import User

MASK = "********"
PUBLIC_NAMES = {Type.GOOGLE.value: "GCP"}
TYPES = {"GCP": Type.GOOGLE.value}
WORKS = frozenset({Verdict.ACCEPTED.value, Verdict.LIMITED.value})


class Row(NamedTuple):
    """What is read of an AI LLM: plain values, because fifty models with all their columns cost too much."""

    id: UUID
    workspace: UUID
    creator: UUID | None
    name: str
    type: str
    endpoint: str
    credential: UUID | None
    credential_name: str | None
    key_id: str | None
    hint: str | None
    set_at: datetime | None
    expires_at: datetime | None
    keyless: bool
    verdict: str
    checked_at: datetime | None
    cause: str | None
    rotate_every_days: int | None
    due_at: datetime | None
    former_until: datetime | None
    waiting_until: datetime | None
    notes: str
    disabled_at: datetime | None
    scheduled: bool
    created_at: datetime
    changed_at: datetime
    version: int

    def state(self, held: Collection[str]) -> str:
        """As `AiLlm.state`, with the ids of the keys that open."""
        if self.disabled_at is not None:
            return DISABLED
        if not self.keyless and self.key_id not in held:
            return UNAVAILABLE
        return self.verdict or NEVER


COLUMNS = (
    *("id", "workspace_id", "created_by_id", "name", "type", "endpoint"),
    *("credential_id", "credential__name", "credential__key_id", "credential__hint", "credential__set_at"),
    *("credential__expires_at", "keyless", "verdict", "last_check__at", "last_check__cause", "rotate_every_days"),
    *("due_at", "fallback_until", "candidate_until", "notes", "disabled_at", "scheduled", "created_at", "changed_at"),
    "version",
)


def tag(row: AiLlm | Credential) -> str:
    """Return the entity tag of a row: its id and the number of its changes."""
    return etags.of(row.pk, row.version)


def ai_llms(actor: User, rows: Iterable[Sequence[Any]]) -> list[answers.AiLlmShown]:
    """Return AI LLMs, read as `COLUMNS` and all visible to `actor`, so of one organization, as answers; one query."""
    found = [Row(*values) for values in rows]
    repos, held, now = _repos([row.id for row in found]), sealed.key_ids(), timezone.now()
    organization = actor.organization_id or UUID(int=0)  # without one nothing is visible
    return [_ai_llm(row, organization, repos.get(row.id, []), row.state(held), now) for row in found]


def in_state(state: str) -> Q:
    """Return the condition for AI LLMs in a state of the list, in whichever workspace they are."""
    held = Q(credential__key_id__in=sealed.key_ids())
    usable, enabled = Q(keyless=True) | held, Q(disabled_at=None)
    match state:
        case "disabled":
            return Q(disabled_at__isnull=False)
        case "unavailable":
            return enabled & Q(keyless=False) & (Q(credential=None) | ~held)
        case "due":
            return enabled & Q(due_at__lte=timezone.now() + expiry.SOON)
        case "unused":
            return Q(attachments=None, created_at__lte=timezone.now() - listing.UNUSED_AFTER)
    return enabled & usable & Q(verdict="" if state == NEVER else state)


def available() -> Q:
    """Return the condition for AI LLMs that are validated and active: what a repository can be given."""
    usable = Q(keyless=True) | Q(credential__key_id__in=sealed.key_ids())
    return usable & Q(disabled_at=None, verdict__in=WORKS)


def finding(check: Check | outcomes.Result, *, excerpt: bool) -> dict[str, Any]:
    """Return the fields of a `Finding`; the provider's words only with `excerpt`."""
    found = outcomes.present(check)
    kept = ("verdict", "cause", "headline", "sentence", "url", "status", "provider_code", "models", "model_count")
    return {
        **{name: found[name] for name in kept},
        "milliseconds": found["milliseconds"],
        "excerpt": found["excerpt"] if excerpt else None,
        "action": answers.Action(**found["action"]),
        "stages": [
            answers.Stage(name=one["name"], label=one["label"], state=one["state"], ms=one["ms"])
            for one in found["stages"]
        ],
    }


def outcome(check: Check | outcomes.Result) -> dict[str, Any]:
    """Return the fields of an `Outcome`, for those who may run checks."""
    found = finding(check, excerpt=True)
    return {**found, "success": found["verdict"] in WORKS, "message": _said(found)}


def check(row: Check, *, excerpt: bool) -> answers.CheckShown:
    """Return one kept check as an answer."""
    return answers.CheckShown(
        id=row.pk, at=row.at, user_id=row.by_id, scheduled=row.scheduled, kind=row.kind, **finding(row, excerpt=excerpt)
    )


def keys(rows: Iterable[Credential]) -> list[answers.ProviderKeyShown]:
    """Return provider keys as answers; one query."""
    rows = list(rows)
    users = provider_keys.uses(rows)
    return [
        answers.ProviderKeyShown(
            id=row.pk,
            workspace_id=row.workspace_id,
            name=row.name,
            key=MASK if row.key_fingerprint else "",
            provider=PUBLIC_NAMES.get(row.provider, row.provider),
            ai_type=row.provider,
            endpoint=row.endpoint,
            region=row.region,
            tenant_id=row.tenant_id,
            subscription_id=row.subscription_id,
            description=row.description,
            secret_hint=row.hint or None,
            secret_set_at=row.set_at,
            expires_at=row.expires_at,
            created_at=row.created_at,
            aillm_count=users.get(row.pk, 0),
        )
        for row in rows
    ]


def _said(found: dict[str, Any]) -> str:
    said = f"{found['headline']}. {found['sentence']}"
    if found["verdict"] in WORKS or found["status"] is None:
        return said
    code = f" ({found['provider_code']})" if found["provider_code"] else ""
    return f"{said} The provider answered {found['status']}{code}."


def _repos(ids: list[UUID]) -> dict[UUID, list[answers.RepoOfAiLlm]]:
    """Return the repositories of these AI LLMs."""
    found: dict[UUID, list[answers.RepoOfAiLlm]] = {}
    for pk, repo, name, created_at in _used(*padded(ids, 1, 10, 50)) if ids else ():
        found.setdefault(pk, []).append(answers.RepoOfAiLlm(id=repo, name=name, created_at=created_at))
    return found


@prepared
def _used(*ids: UUID) -> "QuerySet[AiLlm, Any]":
    # They are reached by their names: what repositories are is decided elsewhere.
    repository = "attachments__repository"
    used = AiLlm.objects.filter(pk__in=ids, **{f"{repository}__deleted_at__isnull": True, "attachments__isnull": False})
    columns = [f"{repository}__{column}" for column in ("id", "name", "created_at")]
    return used.order_by(f"{repository}__name_key").values_list("pk", *columns)


def _ai_llm(
    row: Row, organization: UUID, repos: list[answers.RepoOfAiLlm], state: str, now: datetime
) -> answers.AiLlmShown:
    return answers.AiLlmShown(
        id=row.id,
        org_id=organization,
        workspace_id=row.workspace,
        user_id=row.creator,
        name=row.name,
        ai_type=row.type,
        endpoint=row.endpoint,
        api_key_id=row.credential if row.credential_name else None,
        created_at=row.created_at,
        repos=repos,
        state=state,
        checked_at=row.checked_at,
        cause=row.cause,
        keyless=row.keyless,
        secret_hint=row.hint or None,
        secret_set_at=row.set_at,
        expires_at=row.expires_at,
        rotate_every_days=row.rotate_every_days,
        due_at=row.due_at,
        former_until=_ahead(row.former_until, now),
        waiting_until=_ahead(row.waiting_until, now),
        notes=row.notes,
        disabled_at=row.disabled_at,
        scheduled_checks=row.scheduled,
        changed_at=row.changed_at,
        version=row.version,
    )


def _ahead(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if moment is not None and moment > now else None
