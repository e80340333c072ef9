"""The verbs on people."""

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from flashback import names
from flashback.errors import Conflict, Denied, Invalid
from workspaces import events, organizations
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
        _support(row, belongs=staff)
        after = {"active": active, "staff": staff}
        changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
        events.record(actor, "person.standing_changed", row, organization=row.organization, details=changed)
    return row


def enlist(email: str, *, name: str = "", password: str = "") -> User:
    """Create somebody of the installation's staff in the group Support, or put an existing person there.

    For commands of the operator. An existing person keeps name and password. Records `person.created` or
    `person.standing_changed`, and nothing when nothing changes. Raises `Invalid` (email, name, password), and
    `Conflict` for somebody who is not active.
    """
    email = email.strip().lower()
    if errors := organizations.wrong_email(email):
        raise Invalid(errors)
    person = User.objects.filter(email=email).first()
    return _promote(person) if person else _hire(email, name, password)


def _hire(email: str, name: str, password: str) -> User:
    name = names.clean(name, field="name", label="Name") if name.strip() else ""
    if errors := organizations.wrong_password(password, email, name):
        raise Invalid(errors)
    person = User(email=email, name=name, password=make_password(password), is_staff=True)
    try:
        with transaction.atomic():
            person.save(force_insert=True)
            _support(person, belongs=True)
            events.record(None, "person.created", person, details={"role": SUPPORT})
    except IntegrityError:
        raise Invalid({"email": organizations.SAME_EMAIL}) from None
    return person


def _promote(person: User) -> User:
    with transaction.atomic():
        row = User.objects.select_for_update().get(pk=person.pk)
        if not row.is_active:
            raise Conflict(f"{row.email} is not active. A superuser can let them in again, in the admin site.")
        if row.is_staff and row.groups.filter(name=SUPPORT).exists():
            return row
        before, row.is_staff = row.is_staff, True
        row.save(update_fields=["is_staff"])
        _support(row, belongs=True)
        details = {"staff": [before, True], "group": SUPPORT}
        events.record(None, "person.standing_changed", row, organization=row.organization, details=details)
    return row


def _support(person: User, *, belongs: bool) -> None:
    group, _ = Group.objects.get_or_create(name=SUPPORT)
    (person.groups.add if belongs else person.groups.remove)(group)
