"""How the API shows repositories and AI API keys: a fixed number of queries, however many rows there are."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from ai_llm.models import AiLlm
from flashback import etags
from repositories import api_schemas as shapes
from repositories.models import AiApiKey, Attachment, KeySecret, Repository


def tag(row: Repository) -> str:
    """Return the entity tag of a repository: it changes with what `PUT /repo/{id}` can change, and with its state."""
    return etags.of(row.pk, row.version, row.changed_at)


def repositories(rows: Sequence[Repository]) -> list[shapes.Repo]:
    """Return these repositories as answers, each read with its workspace; three queries."""
    attached, keys = _attached(rows), _keys_of(rows)
    return [_repository(row, attached.get(row.pk, []), keys.get(row.pk, [])) for row in rows]


def keys(rows: Iterable[AiApiKey]) -> list[shapes.Key]:
    """Return these keys as answers; one query."""
    rows = list(rows)
    alive = Q(ends_at=None) | Q(ends_at__gt=timezone.now())
    secrets = dict[UUID, list[KeySecret]]()
    for secret in KeySecret.objects.filter(alive, key__in=[row.pk for row in rows]):
        secrets.setdefault(secret.key_id, []).append(secret)
    return [_key(row, secrets.get(row.pk, [])) for row in rows]


def _repository(row: Repository, attached: list[Attachment], shown: list[shapes.Key]) -> shapes.Repo:
    organization = row.workspace.organization_id
    return shapes.Repo(
        id=row.pk,
        name=row.name,
        description=row.description,
        storage_type=row.storage_type,
        mode=row.mode,
        workspace_id=row.workspace_id,
        ai_llms=[
            shapes.RepoAiLlm(
                ai_llm_id=one.ai_llm_id,
                ai_llm=_ai_llm(one.ai_llm, organization),
                place=place,
                model_patterns=one.patterns,
            )
            for place, one in enumerate(attached, 1)
        ],
        ai_api_keys=shown,
        created_at=row.created_at,
        changed_at=row.changed_at,
        disabled=row.disabled_at is not None,
    )


def _ai_llm(row: AiLlm, organization: UUID) -> shapes.AttachedAiLlm:
    return shapes.AttachedAiLlm(
        id=row.pk,
        org_id=organization,
        workspace_id=row.workspace_id,
        user_id=row.created_by_id,
        name=row.name,
        ai_type=row.type,
        endpoint=row.endpoint,
        created_at=row.created_at,
    )


def _key(row: AiApiKey, secrets: list[KeySecret]) -> shapes.Key:
    current = next((secret for secret in secrets if secret.ends_at is None), None)
    return shapes.Key(
        id=row.pk,
        name=row.name,
        repo_id=row.repository_id,
        key=current.public_id if current else None,
        ai_type=row.type,
        created_at=row.created_at,
        expires_at=row.expires_at,
        model_patterns=row.patterns,
        hint=current.shown if current else "",
        last_used_at=max((secret.last_used_at for secret in secrets if secret.last_used_at), default=None),
        former_until=max((secret.ends_at for secret in secrets if secret.ends_at), default=None),
    )


def _attached(rows: Sequence[Repository]) -> dict[UUID, list[Attachment]]:
    found = dict[UUID, list[Attachment]]()
    ids = [row.pk for row in rows]
    for one in Attachment.objects.filter(repository__in=ids).in_order().select_related("ai_llm"):
        found.setdefault(one.repository_id, []).append(one)
    return found


def _keys_of(rows: Sequence[Repository]) -> dict[UUID, list[shapes.Key]]:
    found = dict[UUID, list[shapes.Key]]()
    ids = [row.pk for row in rows]
    for one in keys(AiApiKey.objects.filter(repository__in=ids, revoked_at=None).order_by("-created_at", "-pk")):
        found.setdefault(one.repo_id, []).append(one)
    return found
