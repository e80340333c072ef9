"""The verbs on people: accounts, their roles in the organization, and who may sign in at all."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import Max

from flashback import names
from flashback.errors import Conflict, Denied, Invalid, collecting
from workspaces import access, events, organizations, tokens
from workspaces.access import OrganizationRole
from workspaces.account_models import Session, Theme
from workspaces.apps import SUPPORT
from workspaces.models import User

LAST_OWNER = (
    "{person} is the last owner who can sign in, and an organization keeps at least one. "
    "Give somebody else the role Owner first."
)
NO_THEME = "Choose one of the three."
ROLES = f"Choose one of the roles: {', '.join(OrganizationRole.labels)}."


def create(
    actor: User,
    *,
    email: str,
    name: str = "",
    last_name: str = "",
    role: int = OrganizationRole.USER,
    password: str | None = None,
) -> User:
    """Create an account in the organization of `actor` and record `person.created`.

    Without a password nobody can sign in with it until `invitations.create` with this `person` gives them a link.
    Raises `Denied` below the organization role Workspaces and for a role above one's own, and `Invalid` for the fields
    email, name, last_name, role and password, with all that is wrong at once.
    """
    access.require_organization(actor, OrganizationRole.WORKSPACES)
    values = _checked(actor, email, role, name=name, last_name=last_name, password=password)
    person = User(**values, password=make_password(password))  # before the transaction: it takes long on purpose
    try:
        with transaction.atomic():
            person.organization, actor = organizations.lock(actor)
            access.require_grant(actor, values["organization_role"])
            person.save(force_insert=True)
            events.record(actor, "person.created", person, details={"role": values["organization_role"].label})
    except IntegrityError:
        raise Invalid({"email": organizations.SAME_EMAIL}) from None
    return person


def update(actor: User, person: User, *, name: str | None = None, last_name: str | None = None) -> User:
    """Change what somebody is called, oneself too; what is None stays. Records `person.updated` if anything is new.

    Raises `Denied` for others, unless one manages people and they are not above oneself, and `Invalid` (name,
    last_name).
    """
    if actor.pk != person.pk or not actor.is_active or actor.limits is not None:
        access.require_rank(actor, person)
    given = {"name": name, "last_name": last_name}
    values = clean_names({field: text for field, text in given.items() if text is not None})
    with transaction.atomic():
        row = User.objects.select_for_update(of=("self",), no_key=True).get(pk=person.pk)
        changed = {field: [getattr(row, field), new] for field, new in values.items() if getattr(row, field) != new}
        for field, (_, new) in changed.items():
            setattr(row, field, new)
        if changed:
            row.save(update_fields=list(changed))
            events.record(actor, "person.updated", row, organization=row.organization, details=changed)
    return row


def set_role(actor: User, person: User, *, role: int) -> User:
    """Give somebody another role in the organization, good from their next request on. Records `person.role_changed`.

    Who no longer sees a workspace loses their API tokens of it. The same role again changes and records nothing. Of two
    owners who lower each other at the same moment, one is refused. Raises `Denied` below the organization role
    Workspaces, for a role above one's own and for people above oneself, and `Invalid` for the field `role` (unknown, or
    the last owner).
    """
    access.require_rank(actor, person)
    wanted = clean_role(role)
    access.require_grant(actor, wanted)
    with transaction.atomic():
        _, actor = organizations.lock(actor)
        row = _ranked(actor, person)
        was = OrganizationRole(row.organization_role)
        access.require_grant(actor, wanted)
        if was == wanted:
            return row
        keep_an_owner(row)
        row.organization_role = wanted
        row.save(update_fields=["organization_role"])
        events.record(actor, "person.role_changed", row, details={"role": [was.label, wanted.label]})
        tokens.end_lost(actor, row)
    return row


def deactivate(actor: User, person: User) -> User:
    """Keep somebody out. Their sessions and tokens end at once, for good. Records `person.deactivated`.

    Memberships stay, so that `reactivate` brings the person back as they were. Somebody who is not active stays so.
    Raises `Denied` below the organization role Workspaces, for people above oneself and for oneself, and `Invalid` for
    the field `role` when it is the last owner.
    """
    access.require_rank(actor, person)
    if actor.pk == person.pk:
        raise Denied("You cannot deactivate your own account. Somebody else who manages people can.")
    with transaction.atomic():
        _, actor = organizations.lock(actor)
        row = _ranked(actor, person)
        if not row.is_active:
            return row
        keep_an_owner(row)
        row.is_active = False
        row.end_sessions()
        row.revoke_tokens()
        row.save(update_fields=["is_active", "session_epoch"])
        events.record(actor, "person.deactivated", row)
    return row


def reactivate(actor: User, person: User) -> User:
    """Let somebody in again, with the role and the memberships they had; they sign in anew. Records
    `person.reactivated`; somebody who is active stays so. Raises `Denied` as `deactivate`.
    """
    access.require_rank(actor, person)
    with transaction.atomic():
        _, actor = organizations.lock(actor)
        row = _ranked(actor, person)
        if row.is_active:
            return row
        row.is_active = True
        row.save(update_fields=["is_active"])
        events.record(actor, "person.reactivated", row)
    return row


def last_seen(people: Sequence[User]) -> dict[UUID, datetime]:
    """Return when each of `people` was last here: at a page, to five minutes, or signing in; none for who never was."""
    known = {person.pk: person.last_login for person in people if person.last_login}
    sessions = Session.objects.filter(user_id__in=[person.pk for person in people]).order_by()
    for key, until in sessions.values_list("user_id").annotate(until=Max("expire_date")):
        # A session is stored anew, with its whole age before it, when it is used.
        at = until - timedelta(seconds=settings.SESSION_COOKIE_AGE)
        known[key] = max(at, known.get(key, at))
    return known


def clean_role(role: object) -> OrganizationRole:
    """Return the organization role of this number. Raises `Invalid` for the field `role`."""
    if isinstance(role, bool) or role not in OrganizationRole.values:
        raise Invalid({"role": ROLES})
    return OrganizationRole(role)


def clean_names(given: Mapping[str, str]) -> dict[str, str]:
    """Return `name` and `last_name` as they are stored; both may be blank. Raises `Invalid` for these fields."""
    errors: dict[str, str] = {}
    labels, values = {"name": "First name", "last_name": "Last name"}, {}
    for field, text in given.items():
        with collecting(errors):
            values[field] = names.clean(text, field=field, label=labels[field]) if text.strip() else ""
    if errors:
        raise Invalid(errors)
    return values


def _checked(actor: User, email: str, role: int, *, name: str, last_name: str, password: str | None) -> dict[str, Any]:
    errors: dict[str, str] = {}
    values: dict[str, Any] = {"email": email.strip().lower()}
    with collecting(errors):
        values["organization_role"] = clean_role(role)
        access.require_grant(actor, values["organization_role"])
    with collecting(errors):
        values |= clean_names({"name": name, "last_name": last_name})
    errors |= organizations.wrong_email(values["email"])
    if password is not None:
        errors |= organizations.wrong_password(password, values["email"], name, last_name)
    if errors:
        raise Invalid(errors)
    return values


def _ranked(actor: User, person: User) -> User:
    row = User.objects.select_related("organization").get(pk=person.pk)
    access.require_rank(actor, row)
    return row


def keep_an_owner(person: User, *, field: str = "role") -> None:
    """Raise `Invalid` for `field` when `person` is the last owner of their organization who can sign in.

    It holds until the transaction ends only while the organization's row is held.
    """
    if person.organization_role != OrganizationRole.OWNER or not person.is_active:
        return
    if not organizations.owners(person.organization_id).exclude(pk=person.pk).exists():
        raise Invalid({field: LAST_OWNER.format(person=person.label)})


def set_standing(actor: User, person: User, *, active: bool, staff: bool) -> User:
    """Let a person in or keep them out (`active`), and give or take the admin site (`staff`, with the group Support).

    Somebody who is no longer active is signed out everywhere at once, for good: letting them in again brings no session
    back. Records `person.standing_changed` with old and new values. Raises `Denied` for everybody but the
    installation's superusers, and for oneself, and `Invalid` for the field `is_active` when it is the last owner.
    """
    if not actor.is_active or not actor.is_superuser:
        raise Denied("Only a superuser of this installation may change this.")
    if actor.pk == person.pk:
        raise Denied("You cannot change your own standing; another superuser can.")
    with transaction.atomic():
        organizations.hold(person.organization_id)
        row = User.objects.select_for_update().get(pk=person.pk)
        if not active:
            keep_an_owner(row, field="is_active")
        before = {"active": row.is_active, "staff": row.is_staff}
        row.is_active, row.is_staff = active, staff
        if before["active"] and not active:
            row.end_sessions()
            row.revoke_tokens()
        row.save(update_fields=["is_active", "is_staff", "session_epoch"])
        _support(row, belongs=staff)
        after = {"active": active, "staff": staff}
        changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
        events.record(actor, "person.standing_changed", row, organization=row.organization, details=changed)
    return row


def choose(person: User, *, theme: str, reminder_mails: bool, rejection_mails: bool) -> User:
    """Keep how a person likes things: how the console looks, and which mails they want.

    Records `person.mails_changed` with old and new for the mails; how it looks is nobody else's business. Raises
    `Invalid` for the field theme.
    """
    if theme not in Theme.values:
        raise Invalid({"theme": NO_THEME})
    mails = {"reminder_mails": reminder_mails, "rejection_mails": rejection_mails}
    with transaction.atomic():
        row = User.objects.select_for_update(of=("self",)).get(pk=person.pk)
        changed = {field: [getattr(row, field), new] for field, new in mails.items() if getattr(row, field) != new}
        for field, value in {"theme": theme, **mails}.items():
            setattr(row, field, value)
        row.save(update_fields=["theme", *mails])
        if changed:
            events.record(row, "person.mails_changed", row, organization=row.organization, details=changed)
    return row


def choose_theme(person: User, theme: str) -> None:
    """Keep how the console looks for a person, on all their devices. Raises `Invalid` for the field `theme`."""
    if theme not in Theme.values:
        raise Invalid({"theme": NO_THEME})
    User.objects.filter(pk=person.pk).update(theme=theme)


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
