"""The verbs on workspaces."""

import re
import secrets
from dataclasses import dataclass
from itertools import chain, count
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.text import slugify

from flashback import names
from flashback.errors import Conflict, Denied, Invalid
from flashback.prepared import prepared
from workspaces import access, events
from workspaces.access import Access, OrganizationRole
from workspaces.models import FormerSlug, Membership, Organization, User, Workspace

SAME_NAME = "Your organization already has a workspace with this name. Choose another one."
GONE = "This workspace was deleted in the meantime."
LONGEST_SLUG = 50
OFFERED = 50
LISTED = 20
LABEL = "Workspace name"
# A name in another script leaves no slug behind; such a workspace is found by this and a short random word.
NAMELESS = "workspace-"


def may_create(actor: User) -> bool:
    """Return whether `actor` may create workspaces: whether their pages show the way to it. `create` asks again."""
    return actor.organization_id is not None and actor.organization_role >= OrganizationRole.WORKSPACES


def offered(actor: User) -> list[Workspace]:
    """Return the workspaces in the switcher of `actor`: the first ones by name; the page of all has the rest."""
    if not actor.is_active or actor.organization_id is None or actor.limits is not None:
        return list(Workspace.objects.visible_to(actor).order_by("name_key")[:OFFERED])
    # As `visible_to`, which the tests of both compare.
    if actor.organization_role >= OrganizationRole.ADMINISTRATOR:
        return _offered_to_managers(actor.organization_id)
    return _offered_to_members(actor.organization_id, actor.pk)


@prepared
def _offered_to_managers(organization: UUID) -> "QuerySet[Workspace]":
    return Workspace.objects.filter(organization=organization).order_by("name_key")[:OFFERED]


@prepared
def _offered_to_members(organization: UUID, user: UUID) -> "QuerySet[Workspace]":
    rows = Workspace.objects.filter(organization=organization, memberships__user=user)
    return rows.order_by("name_key")[:OFFERED]


def found(actor: User, id: UUID) -> Workspace | None:
    """Return the workspace with this id, and with its organization, when it exists for `actor`."""
    limit = actor.limits.workspace if actor.limits is not None else None
    if not actor.is_active or actor.organization_id is None or limit not in {None, id}:
        return None
    manages = actor.organization_role >= OrganizationRole.ADMINISTRATOR
    values = [actor.organization_id, id, *([] if manages else [actor.pk])]
    return next(iter(_found(*values)), None)


@prepared
def _found(organization: UUID, id: UUID, *member: UUID) -> "QuerySet[Workspace]":
    rows = Workspace.objects.select_related("organization").filter(organization=organization, pk=id)
    return rows.filter(memberships__user=member[0]) if member else rows


def create(actor: User, organization: Organization, *, name: str) -> Workspace:
    """Create a workspace with `actor` as its first ADMIN and record `workspace.created`.

    Raises `Denied` below the organization role WORKSPACES or in a foreign organization, `Invalid` for the field `name`.
    """
    access.require_organization(actor, OrganizationRole.WORKSPACES)
    if actor.organization_id != organization.pk:
        raise Denied("You can create workspaces in your own organization only.")
    name = names.clean(name, label=LABEL)
    try:
        with transaction.atomic():
            _lock_slugs(organization)
            _refuse_taken(organization, name)
            slug = _free_slug(organization, name)
            workspace = Workspace.objects.create(
                organization=organization, name=name, name_key=names.key(name), slug=slug
            )
            Membership.objects.create(workspace=workspace, user=actor, role=Access.ADMIN.name)
            events.record(actor, "workspace.created", workspace, workspace=workspace)
    except IntegrityError:
        raise Invalid({"name": SAME_NAME}) from None
    return workspace


def rename(actor: User, workspace: Workspace, *, name: str, keep_slug: bool = False, was: str = "") -> Workspace:
    """Give a workspace another name, and a slug made from it, and record `workspace.renamed` with old and new values.

    Addresses with the old slug lead to the new one from then on, and no other workspace of the organization gets it.
    With `keep_slug` the slug stays. `was` is the name that the person looked at, "" for any. Nothing to change records
    nothing. Returns the row as stored. Raises `Denied`, `Invalid` for the field `name`, and `Conflict` when somebody
    else renamed it in the meantime.
    """
    access.require(actor, workspace, Access.ADMIN)
    name = names.clean(name, label=LABEL)
    try:
        with transaction.atomic():
            _lock_slugs(workspace.organization)
            row = lock(actor, workspace)
            if was not in {"", row.name}:
                raise Conflict(f"Somebody else renamed this workspace to {row.name} in the meantime.")
            _refuse_taken(row.organization, name, besides=row)
            return _rename(actor, row, name, row.slug if keep_slug else _next_slug(row, name))
    except IntegrityError:
        raise Invalid({"name": SAME_NAME}) from None


def delete(actor: User, workspace: Workspace, *, confirmed: str) -> None:
    """Delete an empty workspace with its memberships and record `workspace.deleted`; its events stay.

    `confirmed` must be its name. What was deleted in it before, and waits to be purged, goes with it. Raises `Denied`
    below ADMIN, `Conflict` when it is gone or holds AI LLMs or repositories, also when one came at this very moment,
    and `Invalid` for the field `name`.
    """
    access.require(actor, workspace, Access.ADMIN)
    with transaction.atomic():
        # Held against new rows in it too, not only against changes: no `no_key`.
        Workspace.objects.select_for_update(of=("self",)).filter(pk=workspace.pk).first()
        row = lock(actor, workspace)
        if held := holdings(row):
            raise Conflict(f"{row.name} cannot be deleted: it holds {held}. Delete or move them first.")
        if names.key(" ".join(confirmed.split())) != row.name_key:
            raise Invalid({"name": f"This is not the name. Type {row.name} to confirm."})
        details = {"slug": row.slug, "members": row.memberships.count()}
        # Other apps' rows, found from this end: they import this app, and not the other way round.
        row.repositories.all().delete()
        row.ai_llms.all().delete()
        events.record(actor, "workspace.deleted", row, organization=row.organization, details=details)
        row.delete()


def require_there(workspace: Workspace) -> None:
    """Raise `Conflict` when the workspace was deleted: what the database says then, it says of many other things."""
    if not Workspace.objects.filter(pk=workspace.pk).exists():
        raise Conflict(GONE)


@dataclass(frozen=True)
class Holdings:
    """What keeps a workspace from being deleted: the first rows by name, and how many there are."""

    ai_llms: "list[Any]"
    repositories: "list[Any]"
    ai_llm_count: int
    repository_count: int

    def __bool__(self) -> bool:
        return bool(self.ai_llm_count or self.repository_count)

    def __str__(self) -> str:
        parts = (
            _count(self.ai_llm_count, "AI LLM", "AI LLMs"),
            _count(self.repository_count, "repository", "repositories"),
        )
        return " and ".join(filter(None, parts))


def holdings(workspace: Workspace) -> Holdings:
    """Return what a workspace holds, without what was deleted and waits to be purged."""
    ai_llms = workspace.ai_llms.filter(deleted_at=None).order_by("name_key")
    repositories = workspace.repositories.filter(deleted_at=None).order_by("name_key")
    return Holdings(list(ai_llms[:LISTED]), list(repositories[:LISTED]), ai_llms.count(), repositories.count())


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}" if number else ""


def lock(actor: User, workspace: Workspace) -> Workspace:
    """Hold the workspace's row until the transaction ends, and return it as it is now.

    What decides about people and slugs is read behind this lock, the permission too: of two ADMINs who lower each
    other at the same moment, one is refused. Raises `Denied` below ADMIN, and `Conflict` when the row is gone.
    """
    rows = Workspace.objects.select_for_update(of=("self",), no_key=True).select_related("organization")
    row = rows.filter(pk=workspace.pk).first()
    if row is None:
        raise Conflict(GONE)
    access.require(actor, row, Access.ADMIN)
    return row


def has_slug_of_name(workspace: Workspace) -> bool:
    """Return whether the slug is one that the name leads to: the name in ASCII, perhaps with a number behind it."""
    return _leads_to(workspace.name, workspace.slug)


def _rename(actor: User, row: Workspace, name: str, slug: str) -> Workspace:
    before = {"name": row.name, "slug": row.slug}
    row.name, row.name_key, row.slug = name, names.key(name), slug
    after = {"name": row.name, "slug": row.slug}
    if after == before:
        return row
    if slug != before["slug"]:
        row.former_slugs.filter(slug=slug).delete()
        FormerSlug.objects.create(organization=row.organization, workspace=row, slug=before["slug"])
    row.save(update_fields=["name", "name_key", "slug"])
    changed = {field: [before[field], after[field]] for field in after if before[field] != after[field]}
    events.record(actor, "workspace.renamed", row, workspace=row, details=changed)
    return row


def _lock_slugs(organization: Organization) -> None:
    # No constraint spans current and former slugs, so whoever chooses one holds the organization's row.
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)


def _refuse_taken(organization: Organization, name: str, *, besides: Workspace | None = None) -> None:
    taken = organization.workspaces.filter(name_key=names.key(name))
    if (taken.exclude(pk=besides.pk) if besides else taken).exists():
        raise Invalid({"name": SAME_NAME})


def _base(name: str) -> str:
    return slugify(name)[:LONGEST_SLUG].strip("-_")


def _leads_to(name: str, slug: str) -> bool:
    base = _base(name)
    return bool(re.fullmatch(rf"{re.escape(base)}(-\d+)?", slug)) if base else slug.startswith(NAMELESS)


def _next_slug(row: Workspace, name: str) -> str:
    # The number behind a slug stays when the name does; a random word is as good for another name without letters.
    stays = names.key(name) == row.name_key or not _base(name)
    return row.slug if stays and _leads_to(name, row.slug) else _free_slug(row.organization, name, besides=row)


def _free_slug(organization: Organization, name: str, *, besides: Workspace | None = None) -> str:
    base = _base(name) or NAMELESS + secrets.token_hex(2)
    current = organization.workspaces.filter(slug__startswith=base)
    former = FormerSlug.objects.filter(organization=organization, slug__startswith=base)
    if besides is not None:
        current, former = current.exclude(pk=besides.pk), former.exclude(workspace=besides)
    taken = {*current.values_list("slug", flat=True), *former.values_list("slug", flat=True)}
    return next(slug for slug in chain([base], (f"{base}-{number}" for number in count(2))) if slug not in taken)
