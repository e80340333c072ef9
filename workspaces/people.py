"""The verbs on people."""

from django.contrib.auth.models import Group
from django.db import transaction

from flashback.errors import Denied
from workspaces import events
from workspaces.apps import SUPPORT
from workspaces.models import User


def set_standing(actor: User, person: User, *, active: bool, staff: bool) -> User:
    """Let a person in or keep them out (`active`), and give or take the admin site (`staff`, with the group Support).

    Somebody who is no longer active is signed out everywhere at once, for good: letting them in again brings no session
    back. Records `person.standing_changed` with old and
    new values. Raises `Denied` for everybody but the installation's superusers, and for oneself.
    """
    if not actor.is_active or not actor.is_superuser:
        raise Denied("Only a superuser of this installation may change this.")
    if actor.pk == person.pk:
        raise Denied("You cannot change your own standing; another superuser can.")
    with transaction.atomic():
        row = User.objects.select_for_update().get(pk=person.pk)
        before = {"active": row.is_active, "staff": row.is_staff}
        row.is_active, row.is_staff = active, staff
        if before["active"] and not active:
            row.end_sessions()
        row.save(update_fields=["is_active", "is_staff", "session_epoch"])
        support, _ = Group.objects.get_or_create(name=SUPPORT)
        (row.groups.add if staff else row.groups.remove)(support)
        after = {"active": active, "staff": staff}
        changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
        events.record(actor, "person.standing_changed", row, organization=row.organization, details=changed)
    return row
