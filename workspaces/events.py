"""The audit log's one writer. A verb calls `record` inside the transaction that makes the change."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model

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
    """Write one line: who did `action` ("ai_llm.created") to `subject`. `details` holds plain values only, never a secret.

    The organization is taken from the workspace, then from the actor; `actor` None means a command of the operator.
    """
    if workspace is not None:
        organization_id = workspace.organization_id
    else:
        organization_id = organization.pk if organization else getattr(actor, "organization_id", None)
    return Event.objects.create(
        organization_id=organization_id,
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
