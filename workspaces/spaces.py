"""The verbs on workspaces."""

import secrets
from itertools import chain, count

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from flashback import names
from flashback.errors import Denied, Invalid
from workspaces import access, events
from workspaces.access import Access, OrganizationRole
from workspaces.models import Membership, Organization, User, Workspace

SAME_NAME = "Your organization already has a workspace with this name. Choose another one."
LONGEST_SLUG = 50


def create(actor: User, organization: Organization, *, name: str) -> Workspace:
    """Create a workspace with `actor` as its first ADMIN and record `workspace.created`.

    Raises `Denied` below the organization role WORKSPACES or in a foreign organization, `Invalid` for the field `name`.
    """
    access.require_organization(actor, OrganizationRole.WORKSPACES)
    if actor.organization_id != organization.pk:
        raise Denied("You can create workspaces in your own organization only.")
    name = names.clean(name, label="Workspace name")
    key = names.key(name)
    if organization.workspaces.filter(name_key=key).exists():
        raise Invalid({"name": SAME_NAME})
    try:
        with transaction.atomic():
            slug = _free_slug(organization, name)
            workspace = Workspace.objects.create(organization=organization, name=name, name_key=key, slug=slug)
            Membership.objects.create(workspace=workspace, user=actor, role=Access.ADMIN.name)
            events.record(actor, "workspace.created", workspace, workspace=workspace)
    except IntegrityError:
        raise Invalid({"name": SAME_NAME}) from None
    return workspace


def _free_slug(organization: Organization, name: str) -> str:
    # A name in another script leaves nothing behind; such a workspace is found by a short random word.
    base = slugify(name)[:LONGEST_SLUG].strip("-_") or f"workspace-{secrets.token_hex(2)}"
    taken = set(organization.workspaces.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(slug for slug in chain([base], (f"{base}-{number}" for number in count(2))) if slug not in taken)
