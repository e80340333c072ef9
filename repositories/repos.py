"""The verbs on repositories. Each is whole: permission, checks, one short transaction, one event."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from flashback import names
from flashback.errors import Conflict, Invalid, NotFound, Repeated, collecting
from repositories.models import AiApiKey, Mode, Repository, StorageType
from workspaces import access, events, spaces
from workspaces.access import Access
from workspaces.models import User, Workspace

DELETED_KEPT = timedelta(days=30)
LONGEST_DESCRIPTION = 500
TOLD = ("workspace_id", "name_key", "description", "storage_type", "mode")
SAME_NAME = "This workspace already has a repository with this name. Choose another one."
GONE = "This repository was deleted in the meantime."
FORM_USED = "This form has made a repository already. Look for it in the list, or start again with New repository."
NOT_HERE = "There is no such repository that you can see. It may be in another workspace, or deleted."


class NameTaken(Invalid):
    """Another repository of the workspace has this name."""

    error_code = "NAME_ALREADY_USED"

    def __init__(self) -> None:
        super().__init__({"name": SAME_NAME})


class Missing(NotFound):
    """There is no such repository for this person."""

    error_code = "NOT_FOUND"


def get(actor: User, id: UUID) -> Repository:
    """Return a repository that exists for `actor`, with its workspace. Raises `Missing`."""
    row = Repository.objects.visible_to(actor).select_related("workspace").filter(pk=id).first()
    if row is None:
        raise Missing(NOT_HERE)
    return row


def create(
    actor: User,
    workspace: Workspace,
    *,
    name: str,
    description: str = "",
    storage_type: str = StorageType.S3,
    mode: str = Mode.NORMAL,
    id: UUID | None = None,
) -> Repository:
    """Create an empty repository and record `repository.created`.

    `id` is the one that a form carried: sent twice with the same content, it returns the row of the first time.
    Raises `Denied`, `Invalid` (fields name, description, storage_type, mode), and `Repeated` for the id of another row.
    """
    access.require(actor, workspace, Access.WRITE)
    name, values = names.clean(name), _cleaned(description, storage_type, mode)
    row = Repository(
        id=id or uuid4(), workspace=workspace, name=name, name_key=names.key(name), created_by=actor, **values
    )
    made = Repository.objects.filter(pk=row.pk).first()
    if made is not None:
        return _made_before(made, row)
    _refuse_taken(workspace, name, besides=row.pk)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            events.record(actor, "repository.created", row, workspace=workspace, details=_plain(row))
    except IntegrityError:
        made = Repository.objects.filter(pk=row.pk).first()
        if made is None:
            spaces.require_there(workspace)
            raise NameTaken from None
        return _made_before(made, row)
    return row


def update(
    actor: User,
    repository: Repository,
    *,
    name: str | None = None,
    description: str | None = None,
    storage_type: str | None = None,
    mode: str | None = None,
) -> Repository:
    """Rename or describe a repository and record `repository.updated` with old and new values, if anything is new.

    What is not given stays. Raises `Denied`, `Invalid` (fields name, description,
    storage_type, mode) and `Conflict` (deleted meanwhile).
    """
    access.require(actor, repository.workspace, Access.WRITE)
    cleaned = None if name is None else names.clean(name)
    try:
        with transaction.atomic():
            row = locked(repository)
            name = row.name if cleaned is None else cleaned
            _refuse_taken(row.workspace, name, besides=row.pk)
            before = _plain(row)
            told = row.description if description is None else description
            values = _cleaned(told, storage_type or row.storage_type, mode or row.mode)
            for field, value in {**values, "name": name, "name_key": names.key(name)}.items():
                setattr(row, field, value)
            changed = {field: [before[field], new] for field, new in _plain(row).items() if new != before[field]}
            if changed:
                row.changed_at = timezone.now()
                row.save(update_fields=["name", "name_key", "description", "storage_type", "mode", "changed_at"])
                events.record(actor, "repository.updated", row, workspace=row.workspace, details=changed)
    except IntegrityError:
        raise NameTaken from None
    return row


def disable(actor: User, repository: Repository) -> Repository:
    """Stop all keys of a repository without losing anything, and record `repository.disabled`.

    One that is disabled stays so. Raises `Denied` and `Conflict` (deleted meanwhile).
    """
    return _set(actor, repository, disabled=True)


def enable(actor: User, repository: Repository) -> Repository:
    """Let the keys of a disabled repository work again, and record `repository.enabled`. Raises as `disable`."""
    return _set(actor, repository, disabled=False)


def delete(actor: User, repository: Repository, *, confirmed: str = "") -> None:
    """Take a repository away and record `repository.deleted`. Its keys stop at once; its data stay for 30 days.

    While it has keys that work, `confirmed` must be its name. Raises `Denied`, `Invalid` for the field `name`, and
    `Conflict` (deleted meanwhile).
    """
    access.require(actor, repository.workspace, Access.WRITE)
    with transaction.atomic():
        row = locked(repository)
        live = live_keys(row).count()
        if live and names.key(" ".join(confirmed.split())) != row.name_key:
            keys = f"{live} AI API key{'s' if live > 1 else ''}"
            raise Invalid({"name": f"{keys} of this repository would stop. Type {row.name} to confirm."})
        row.deleted_at = row.changed_at = timezone.now()
        row.save(update_fields=["deleted_at", "changed_at"])
        row.attachments.all().delete()
        details = {**_plain(row), "live_keys": live}
        events.record(actor, "repository.deleted", row, workspace=row.workspace, details=details)


def tidy() -> Iterator[tuple[str, int]]:
    """Purge repositories that were deleted 30 days ago, with their keys, one by one; yield what and how many."""
    for gone in _deleted_long_ago().iterator(chunk_size=200):
        gone.delete()
        yield "deleted repositories", 1


def untidy() -> int:
    """Return how many repositories `tidy` would purge now."""
    return _deleted_long_ago().count()


def in_use() -> dict[str, int]:
    """Return how many repositories and AI API keys of the whole installation can be used; two queries."""
    usable = Repository.objects.filter(deleted_at=None, disabled_at=None)
    keys = AiApiKey.objects.live().filter(repository__in=usable)
    return {"repository": usable.count(), "ai_api_key": keys.count()}


def live_keys(repository: Repository) -> "QuerySet[AiApiKey]":
    """Return the keys that would work if the repository does, the newest first, each with its secrets."""
    rows: QuerySet[AiApiKey] = AiApiKey.objects.live().filter(repository=repository)
    return rows.order_by("-created_at").prefetch_related("secrets")


def locked(repository: Repository) -> Repository:
    """Return the row as it is now, locked until the transaction ends. Raises `Conflict` when it was deleted.

    Where AI LLMs are locked too, they come first, so that nobody waits for each other.
    """
    row = Repository.objects.select_for_update(no_key=True).filter(pk=repository.pk, deleted_at=None).first()
    if row is None:
        raise Conflict(GONE)
    row.workspace = repository.workspace
    return row


def _deleted_long_ago() -> "QuerySet[Repository]":
    return Repository.objects.filter(deleted_at__lte=timezone.now() - DELETED_KEPT)


def _set(actor: User, repository: Repository, *, disabled: bool) -> Repository:
    access.require(actor, repository.workspace, Access.WRITE)
    with transaction.atomic():
        row = locked(repository)
        if (row.disabled_at is not None) == disabled:
            return row
        row.changed_at = timezone.now()
        row.disabled_at = row.changed_at if disabled else None
        row.save(update_fields=["disabled_at", "changed_at"])
        events.record(actor, "repository.disabled" if disabled else "repository.enabled", row, workspace=row.workspace)
    return row


def _cleaned(description: str, storage_type: str, mode: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    description = " ".join(description.replace("\0", "").encode("utf-8", "ignore").decode().split())
    with collecting(errors):
        names.refuse_secret(description, field="description")
    if len(description) > LONGEST_DESCRIPTION:
        errors["description"] = (
            f"The description has {len(description)} characters; at most {LONGEST_DESCRIPTION} are possible."
        )
    for field, value, choices in (("storage_type", storage_type, StorageType), ("mode", mode, Mode)):
        if value not in choices.values:
            errors[field] = f"Choose one of {', '.join(choices.values)}."
    if errors:
        raise Invalid(errors)
    return {"description": description, "storage_type": storage_type, "mode": mode}


def _refuse_taken(workspace: Workspace, name: str, *, besides: UUID) -> None:
    taken = Repository.objects.of(workspace).filter(name_key=names.key(name)).exclude(pk=besides)
    if taken.exists():
        raise NameTaken


def _made_before(row: Repository, wanted: Repository) -> Repository:
    same = all(getattr(row, field) == getattr(wanted, field) for field in TOLD)
    if row.deleted_at is not None or not same:
        raise Repeated(FORM_USED)
    return row


def _plain(row: Repository) -> dict[str, Any]:
    return {"name": row.name, "description": row.description, "storage_type": row.storage_type, "mode": row.mode}
