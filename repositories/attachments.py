"""The verbs on what is attached to repositories. Each is whole: permission, checks, one transaction, its events.

The order is the order of preference. `version` is that of the repository the person looked at: who detaches or sorts
while somebody else does gets `Changed`, and nothing is lost. Locks are taken in one order: AI LLMs, then repositories.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from ai_llm.models import AiLlm
from flashback.errors import Conflict, Invalid, NotFound
from repositories import patterns as allow_lists
from repositories import repos
from repositories.models import Attachment, Repository
from workspaces import access, events
from workspaces.access import Access
from workspaces.models import User, Workspace

MOST = 500
NOT_HERE = "There is no such AI LLM in this workspace. It may be in another workspace, or deleted."
NO_REPOSITORY = "There is no such repository in this workspace. It may be in another workspace, or deleted."
NOT_ATTACHED = "This AI LLM is not attached to the repository. Somebody may have detached it in the meantime."
OTHER_ORDER = "The order names other AI LLMs than those attached. Reload the page and sort again."
ITSELF = "Choose another AI LLM than the one to move from."


class Changed(Conflict):
    """Somebody else attached, detached or sorted in the meantime; `repository` is the row as it is now."""

    def __init__(self, repository: Repository) -> None:
        super().__init__("Somebody else changed what is attached to this repository in the meantime.")
        self.repository = repository


def attach(actor: User, repository: Repository, ai_llms: Iterable[UUID]) -> list[AiLlm]:
    """Attach AI LLMs behind those that are there, in the order given, and record `repository.attached`.

    Those already attached stay as they are. Returns the new ones. Raises `Denied`, `NotFound` when one is not in the
    repository's workspace, `Invalid` for the field `ai_llms` over 500, and `Conflict` (repository deleted meanwhile).
    """
    access.require(actor, repository.workspace, Access.WRITE)
    with transaction.atomic():
        found = _locked_ai_llms(repository.workspace, ai_llms)
        return _attach(actor, repos.locked(repository), found)


def attach_to(actor: User, ai_llm: AiLlm, repositories: Iterable[UUID]) -> list[Repository]:
    """Attach one AI LLM to several repositories, each as `attach` does. Returns those that it is new in."""
    access.require(actor, ai_llm.workspace, Access.WRITE)
    with transaction.atomic(), events.gathered():
        found = _locked_ai_llms(ai_llm.workspace, [ai_llm.pk])
        rows = _locked_repositories(ai_llm.workspace, repositories)
        return [row for row in rows if _attach(actor, row, found)]


def detach(actor: User, repository: Repository, ai_llm: UUID, *, version: int | None = None) -> bool:
    """Detach an AI LLM and record `repository.detached`; return False when it was not attached any more.

    Raises `Denied`, `Changed`, and `Conflict` (repository deleted meanwhile).
    """
    access.require(actor, repository.workspace, Access.WRITE)
    with transaction.atomic():
        row = repos.locked(repository)
        attachment = row.attachments.select_related("ai_llm").filter(ai_llm=ai_llm).first()
        if attachment is None:
            return False
        _refuse_stale(row, version)
        attachment.delete()
        _store_order(_in_order(row))
        _changed(actor, row, "repository.detached", {"ai_llms": [attachment.ai_llm.name]})
    return True


def reorder(actor: User, repository: Repository, order: Sequence[UUID], *, version: int | None = None) -> None:
    """Put the attached AI LLMs into this order of preference and record `repository.reordered`, if it is another one.

    Raises `Denied`, `Changed`, `Invalid` for the field `order` unless it names each of them once, and `Conflict`.
    """
    access.require(actor, repository.workspace, Access.WRITE)
    with transaction.atomic():
        row = repos.locked(repository)
        _refuse_stale(row, version)
        there = {attachment.ai_llm_id: attachment for attachment in _in_order(row)}
        if len(order) != len(there) or set(order) != set(there):
            raise Invalid({"order": OTHER_ORDER})
        if list(order) != list(there):
            _store_order([there[ai_llm] for ai_llm in order])
            _changed(actor, row, "repository.reordered", {"order": [there[ai_llm].ai_llm.name for ai_llm in order]})


def change(
    actor: User,
    repository: Repository,
    ai_llm: UUID,
    *,
    place: int | None = None,
    patterns: Iterable[str] | None = None,
    version: int | None = None,
) -> Attachment:
    """Give one attachment another place (from 1) or allow-list, and record `repository.attachment_changed`.

    What is None stays; a place beyond the end is the end. An empty allow-list allows all models. Raises `Denied`,
    `Changed`, `NotFound`, `Invalid` for the field `patterns`, and `Conflict` (repository deleted meanwhile).
    """
    access.require(actor, repository.workspace, Access.WRITE)
    allowed = allow_lists.clean(patterns) if patterns is not None else None
    with transaction.atomic():
        row = repos.locked(repository)
        rows = _in_order(row)
        found = next((attachment for attachment in rows if attachment.ai_llm_id == ai_llm), None)
        if found is None:
            raise NotFound(NOT_ATTACHED)
        _refuse_stale(row, version)
        details: dict[str, object] = {}
        was, now = rows.index(found) + 1, min(max(place or 0, 1), len(rows))
        if place is not None and now != was:
            rows.remove(found)
            rows.insert(now - 1, found)
            _store_order(rows)
            details["place"] = [was, now]
        if allowed is not None and allowed != found.patterns:
            details["models"] = [found.patterns, allowed]
            found.patterns = allowed
            found.save(update_fields=["patterns"])
        if details:
            _changed(actor, row, "repository.attachment_changed", {"ai_llm": found.ai_llm.name, **details})
    return found


def replace(actor: User, repository: Repository, ai_llms: Sequence[UUID], *, version: int | None = None) -> None:
    """Let exactly these AI LLMs be attached, in this order, and record `repository.attachments_replaced`.

    Those that stay keep their allow-lists. Raises as `attach`, and `Changed`.
    """
    access.require(actor, repository.workspace, Access.WRITE)
    with transaction.atomic():
        found = _locked_ai_llms(repository.workspace, ai_llms)
        row = repos.locked(repository)
        _refuse_stale(row, version)
        there = {attachment.ai_llm_id: attachment for attachment in _in_order(row)}
        wanted = {ai_llm.pk: ai_llm for ai_llm in found}
        if list(there) == list(wanted):
            return
        _refuse_too_many(len(wanted))
        gone = [attachment for pk, attachment in there.items() if pk not in wanted]
        new = [ai_llm for pk, ai_llm in wanted.items() if pk not in there]
        Attachment.objects.filter(pk__in=[attachment.pk for attachment in gone]).delete()
        made = Attachment.objects.bulk_create(_made(actor, row, new, len(there)))
        all_of_them = {**there, **{attachment.ai_llm_id: attachment for attachment in made}}
        _store_order([all_of_them[pk] for pk in wanted])
        details = {
            "attached": [ai_llm.name for ai_llm in new],
            "detached": [attachment.ai_llm.name for attachment in gone],
            "order": [ai_llm.name for ai_llm in found],
        }
        _changed(actor, row, "repository.attachments_replaced", details)


def locked(actor: User, repository: Repository, ai_llms: Iterable[UUID]) -> Repository:
    """Lock these AI LLMs, then the repository, until the transaction ends, and return it as it is now.

    For a transaction that begins with something else than these verbs. Raises `Denied`, `NotFound` and `Conflict`.
    """
    access.require(actor, repository.workspace, Access.WRITE)
    _locked_ai_llms(repository.workspace, ai_llms)
    return repos.locked(repository)


def move_all(actor: User, source: AiLlm, target: AiLlm) -> list[Repository]:
    """Attach `target` wherever `source` is, in its place and with its allow-list, and detach `source`.

    Where `target` is attached already it keeps its allow-list and takes the better of the two places. Records
    `repository.repointed` for each repository, and returns these. All of it happens, or nothing. Raises `Denied`,
    `NotFound` when `target` is not in the same workspace or one of the two is deleted, and `Invalid` for the field
    `target` when both are the same.
    """
    access.require(actor, source.workspace, Access.WRITE)
    if source.pk == target.pk:
        raise Invalid({"target": ITSELF})
    with transaction.atomic(), events.gathered():
        # Who attaches one of the two waits for these locks, so the list of repositories is whole.
        _locked_ai_llms(source.workspace, [source.pk, target.pk])
        used = list(source.attachments.in_use().values_list("repository", flat=True))
        rows = _locked_repositories(source.workspace, used)
        return [row for row in rows if _repoint(actor, row, source, target)]


def _repoint(actor: User, row: Repository, source: AiLlm, target: AiLlm) -> bool:
    rows = _in_order(row)
    old = next((attachment for attachment in rows if attachment.ai_llm_id == source.pk), None)
    if old is None:
        return False
    there = next((attachment for attachment in rows if attachment.ai_llm_id == target.pk), None)
    if there is None:
        old.ai_llm = target
        old.save(update_fields=["ai_llm"])
    else:
        best = min(rows.index(old), rows.index(there))
        rows = [attachment for attachment in rows if attachment not in (old, there)]
        old.delete()
        rows.insert(best, there)
        _store_order(rows)
    _changed(actor, row, "repository.repointed", {"from": source.name, "to": target.name})
    return True


def _attach(actor: User, row: Repository, found: Sequence[AiLlm]) -> list[AiLlm]:
    there = set(row.attachments.values_list("ai_llm", flat=True))
    new = [ai_llm for ai_llm in found if ai_llm.pk not in there]
    if not new:
        return []
    _refuse_too_many(len(there) + len(new))
    Attachment.objects.bulk_create(_made(actor, row, new, len(there)))
    _changed(actor, row, "repository.attached", {"ai_llms": [ai_llm.name for ai_llm in new]})
    return new


def _made(actor: User, row: Repository, new: Sequence[AiLlm], behind: int) -> list[Attachment]:
    return [
        Attachment(repository=row, ai_llm=ai_llm, position=place, created_by=actor)
        for place, ai_llm in enumerate(new, behind)
    ]


def _refuse_too_many(number: int) -> None:
    if number > MOST:
        raise Invalid({"ai_llms": f"This would be {number} AI LLMs in one repository; at most {MOST} are possible."})


def _refuse_stale(row: Repository, version: int | None) -> None:
    if version is not None and row.version != version:
        raise Changed(row)


def _in_order(row: Repository) -> list[Attachment]:
    return list(row.attachments.in_order().select_related("ai_llm"))


def _store_order(rows: Sequence[Attachment]) -> None:
    moved = []
    for position, attachment in enumerate(rows):
        if attachment.position != position:
            attachment.position = position
            moved.append(attachment)
    Attachment.objects.bulk_update(moved, ["position"], batch_size=200)


def _changed(actor: User, row: Repository, action: str, details: Mapping[str, object]) -> None:
    row.version += 1
    row.changed_at = timezone.now()
    row.save(update_fields=["version", "changed_at"])
    events.record(actor, action, row, workspace=row.workspace, details=details)


def _locked_ai_llms(workspace: Workspace, wanted: Iterable[UUID]) -> list[AiLlm]:
    """Return these AI LLMs in the order given, each once, locked so that none is deleted meanwhile."""
    order = list(dict.fromkeys(wanted))
    rows = AiLlm.objects.of(workspace).select_for_update(no_key=True).filter(pk__in=order).order_by("pk")
    found = {row.pk: row for row in rows}
    if len(found) != len(order):
        raise NotFound(NOT_HERE)
    return [found[pk] for pk in order]


def _locked_repositories(workspace: Workspace, wanted: Iterable[UUID]) -> list[Repository]:
    ids = set(wanted)
    rows = list(Repository.objects.of(workspace).select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"))
    if len(rows) != len(ids):
        raise NotFound(NO_REPOSITORY)
    for row in rows:
        row.workspace = workspace
    return rows
