"""What the frame around every page needs: the workspaces one may switch to and the one being looked at."""

from typing import Any

from django.http import HttpRequest

from workspaces import spaces
from workspaces.models import User, Workspace


def context(request: HttpRequest) -> dict[str, Any]:
    """Return `workspaces` (the first ones by name), `workspace`, and `may_create_workspace`.

    `workspace` is the one that the address names; elsewhere, as on the pages of one's account, it is the last one
    used, so that the menu stays, or None when that is no longer visible.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"workspaces": [], "workspace": None, "may_create_workspace": False}
    return {
        "workspaces": getattr(request, "offered", None) or spaces.offered(user),
        "workspace": getattr(request, "workspace", None) or _last(user),
        "may_create_workspace": spaces.may_create(user),
    }


def _last(user: User) -> Workspace | None:
    last = user.last_workspace_id
    return spaces.found(user, last) if last else None
