"""What the frame around every page needs: the workspaces one may switch to and the one being looked at."""

from typing import Any

from django.http import HttpRequest

from workspaces.models import Workspace


def context(request: HttpRequest) -> dict[str, Any]:
    """Return `workspaces` (a lazy queryset) and `workspace` (set by the view that found it, or None)."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"workspaces": [], "workspace": None}
    return {
        "workspaces": Workspace.objects.visible_to(user).order_by("name_key"),
        "workspace": getattr(request, "workspace", None),
    }
