"""The audit log's one writer. A verb calls `record` inside the transaction that makes the change."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model, QuerySet

from workspaces.models import Event, Organization, User, Workspace


def record(
    actor: User | None,
    action: str,
    subject: Model,
    *,
    workspace: Workspace | None = None,
    organization: Organization | None = None,
    details: Mapping[str, Any] | None = None,
) -> Event:
    """Write one line: who did `action` ("ai_llm.created") to `subject`. `details` holds plain values, never a secret.

    The organization is taken from the workspace, then from the actor; `actor` None means a command of the operator.
    """
    if workspace is not None:
        organization = workspace.organization
    elif organization is None and actor is not None:
        organization = actor.organization
    return Event.objects.create(
        organization_id=organization.pk if organization else None,
        workspace_id=workspace.pk if workspace else None,
        workspace_label=workspace.name if workspace else "",
        actor_id=actor.pk if actor else None,
        actor_label=actor.email if actor else "operator",
        action=action,
        object_kind=subject._meta.model_name or "",
        object_id=str(subject.pk),
        object_label=str(subject)[:254],
        details=dict(details or {}),
    )


def of_workspace(workspace: Workspace) -> "QuerySet[Event]":
    """Return the workspace's events, the newest first."""
    return Event.objects.filter(workspace_id=workspace.pk).order_by("-id")


def of_object(subject: Model) -> "QuerySet[Event]":
    """Return the events about `subject`, the newest first."""
    return Event.objects.filter(object_id=str(subject.pk)).order_by("-id")
