"""The verbs on invitations: an account that waits for its person, behind a link that works once and for seven days.

Of the link's token only the digest is stored (`flashback.tokens`), so that a link can be shown once and never again;
sending it anew makes another token, and the old link dies. What an invitation promises was allowed to whoever made it,
and is asked again when it is accepted: somebody who lost a right takes nobody in with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from flashback import mail, tokens
from flashback.errors import Conflict, Denied, Invalid, NotFound, collecting
from workspaces import access, events, organizations, people
from workspaces.access import Access, OrganizationRole
from workspaces.invitation_models import Invitation, InvitationState, PromisedMembership
from workspaces.models import Membership, Organization, User, Workspace

LIFETIME = timedelta(days=7)
PREFIX = "fbi_"
MAIL = "workspaces/mail/invitation"
ENDED = {
    InvitationState.ACCEPTED: "This invitation was accepted already. Each link works once.",
    InvitationState.WITHDRAWN: "This invitation was withdrawn.",
    InvitationState.EXPIRED: "This invitation has expired: a link works for seven days.",
}
VOID = "Whoever sent this invitation may no longer grant what it promises."
HAS_ACCOUNT = "There is an account with this e-mail address already."


@dataclass(frozen=True)
class Made:
    """An invitation with its link, which nothing keeps: it is shown once, or was mailed (`mailed`)."""

    invitation: Invitation
    link: str
    mailed: bool

    def __repr__(self) -> str:
        return f"Made({self.invitation.pk}, mailed={self.mailed})"


def create(
    actor: User,
    *,
    email: str,
    role: int = OrganizationRole.USER,
    workspaces: Mapping[Workspace, str] | None = None,
    person: User | None = None,
    by_mail: bool = False,
) -> Made:
    """Invite somebody to the organization of `actor`, with a role there and one in each of `workspaces` (READ, …).

    An open invitation to the same address is withdrawn for it. `person` is an account without a password that the link
    is for; its address and role are used. The mail is sent after everything is stored; when it could not be, or is only
    printed for want of a mail server, `mailed` is False, and the link can be handed over in another way. Records
    `invitation.created`. Raises `Denied` below the organization role Workspaces, for a role above one's own and for
    workspaces that one is no ADMIN of, and `Invalid` for the fields email, role and workspaces.
    """
    access.require_organization(actor, OrganizationRole.WORKSPACES)
    if person is not None:
        access.require_rank(actor, person)
        email, role = person.email, person.organization_role
    email, promised = email.strip().lower(), dict(workspaces or {})
    wanted = _checked(actor, email, role, promised, person)
    issued = tokens.issue(PREFIX)
    with transaction.atomic():
        organization, actor = organizations.lock(actor)
        _require_promises(actor, wanted, promised)
        for old in organization.invitations.open().filter(email=email):
            _end(actor, old)
        row = Invitation.objects.create(
            organization=organization,
            email=email,
            role=wanted,
            person=person,
            public_id=issued.public_id,
            digest=issued.digest,
            invited_by=actor,
            expires_at=timezone.now() + LIFETIME,
            by_mail=by_mail and mail.delivers(),
        )
        PromisedMembership.objects.bulk_create(
            PromisedMembership(invitation=row, workspace=workspace, role=Access[given].name)
            for workspace, given in promised.items()
        )
        places = {workspace.name: given for workspace, given in promised.items()}
        events.record(actor, "invitation.created", row, details={"role": wanted.label, "workspaces": places})
    return _handed_over(actor, row, issued.text, by_mail=by_mail)


def resend(actor: User, invitation: Invitation, *, by_mail: bool) -> Made:
    """Make a new link for an open or expired invitation, good for seven days from now; the old link dies.

    Records `invitation.resent`; whoever does it answers for what is promised from then on. Raises `Denied` as `create`
    and `Conflict` when it was accepted or withdrawn.
    """
    _require(actor, invitation)
    issued = tokens.issue(PREFIX)
    with transaction.atomic():
        _, actor = organizations.lock(actor)
        row = _locked(invitation)
        if row.state in {InvitationState.ACCEPTED, InvitationState.WITHDRAWN}:
            raise Conflict(ENDED[row.state])
        _require_promises(actor, OrganizationRole(row.role), _promises(row))
        row.public_id, row.digest, row.by_mail = issued.public_id, issued.digest, by_mail and mail.delivers()
        row.invited_by, row.sent_at, row.expires_at = actor, timezone.now(), timezone.now() + LIFETIME
        row.save(update_fields=["public_id", "digest", "by_mail", "invited_by", "sent_at", "expires_at"])
        events.record(actor, "invitation.resent", row)
    return _handed_over(actor, row, issued.text, by_mail=by_mail)


def withdraw(actor: User, invitation: Invitation) -> Invitation:
    """End an invitation: its link does nothing any more. Records `invitation.withdrawn`; withdrawn twice is once.

    Raises `Denied` as `create` and `Conflict` when it was accepted.
    """
    _require(actor, invitation)
    with transaction.atomic():
        _, actor = organizations.lock(actor)
        row = _locked(invitation)
        if row.state == InvitationState.ACCEPTED:
            raise Conflict(ENDED[row.state])
        if row.state != InvitationState.WITHDRAWN:
            _end(actor, row)
    return row


def find(token: str) -> Invitation:
    """Return the invitation of a link's token, open or not. Raises `NotFound` for anything that was never one."""
    public_id = tokens.public_id(token, PREFIX)
    rows = Invitation.objects.select_related("organization", "invited_by", "person")
    row = rows.filter(public_id=public_id).first() if public_id else None
    if not tokens.matches(token, row.digest if row else tokens.NOTHING) or row is None:
        raise NotFound("This link is no invitation: it is not complete, or a newer one has replaced it.")
    return row


def require_open(invitation: Invitation) -> None:
    """Raise `Conflict` with the reason when an invitation cannot be accepted (any more)."""
    if invitation.state != InvitationState.OPEN:
        raise Conflict(ENDED[invitation.state])
    if _holder(invitation) is None and User.objects.filter(email=invitation.email).exists():
        raise Conflict(HAS_ACCOUNT)
    inviter = invitation.invited_by
    try:
        if inviter is None:
            raise Denied(VOID)
        _require_promises(inviter, OrganizationRole(invitation.role), _promises(invitation))
    except Denied:
        raise Conflict(VOID) from None


def accept(token: str, *, name: str = "", last_name: str = "", password: str) -> User:
    """Create the account that an invitation promises, with its memberships; return the person, who can sign in now.

    Of two who accept at the same moment one does. Records `invitation.accepted`, and `person.created` and
    `member.added` for what came of it. Raises `NotFound` for a token that was never one, `Conflict` when the invitation
    was accepted, withdrawn or has expired, when there is an account with this address by now, and when its sender may
    no longer grant it; and `Invalid` for the fields name, last_name and password.
    """
    found = find(token)
    require_open(found)
    values = _named(found, name, last_name, password)
    hashed = make_password(password)  # before the transaction: it takes long on purpose
    try:
        with transaction.atomic():
            Organization.objects.select_for_update(no_key=True).get(pk=found.organization_id)
            row = _locked(found)
            if not tokens.matches(token, row.digest):
                raise NotFound("A newer link has replaced this one.")
            require_open(row)
            return _accepted(row, {**values, "password": hashed})
    except IntegrityError:
        raise Conflict(HAS_ACCOUNT) from None


def _accepted(row: Invitation, values: dict[str, str]) -> User:
    person = _holder(row) or User(
        email=row.email, organization=row.organization, organization_role=row.role, is_active=True
    )
    new = row.person_id is None
    for field, value in values.items():
        setattr(person, field, value)
    person.save(force_insert=new, update_fields=None if new else list(values))
    row.person, row.accepted_at = person, timezone.now()
    row.save(update_fields=["person", "accepted_at"])
    joined = []
    for workspace, role in _promises(row).items():
        _, made = Membership.objects.get_or_create(workspace=workspace, user=person, defaults={"role": role})
        joined += [(workspace, role)] if made else []
    by = row.invited_by.email if row.invited_by else ""
    if new:
        details = {"role": OrganizationRole(row.role).label, "invited_by": by}
        events.record(person, "person.created", person, details=details)
    for workspace, role in joined:
        events.record(person, "member.added", person, workspace=workspace, details={"role": role, "invited_by": by})
    events.record(person, "invitation.accepted", row, details={"invited_by": by})
    return person


def _holder(row: Invitation) -> User | None:
    """Return the account that waits for its password, if the invitation is for one."""
    person = row.person
    return person if person and person.is_active and not person.has_usable_password() else None


def _named(row: Invitation, name: str, last_name: str, password: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    values: dict[str, str] = {}
    with collecting(errors):
        values = people.clean_names({"name": name, "last_name": last_name})
    errors |= organizations.wrong_password(password, row.email, name, last_name)
    if errors:
        raise Invalid(errors)
    return values


def _checked(
    actor: User, email: str, role: int, promised: Mapping[Workspace, str], person: User | None
) -> OrganizationRole:
    errors = organizations.wrong_email(email)
    wanted = OrganizationRole.USER
    with collecting(errors):
        wanted = people.clean_role(role)
    if any(given not in Access.__members__ for given in promised.values()):
        errors["workspaces"] = f"Choose one of the roles: {', '.join(Access.__members__)}."
    if not errors and person is None and (held := _same(actor, email)):
        errors["email"] = held
    if person is not None and person.has_usable_password():
        errors["email"] = f"{person.label} has a password already, and signs in with it."
    if errors:
        raise Invalid(errors)
    _require_promises(actor, wanted, promised)
    return wanted


def _same(actor: User, email: str) -> str:
    # People of other organizations are not looked for: whoever invites learns nothing about them.
    found = User.objects.filter(organization=actor.organization_id, email=email).first() if "\0" not in email else None
    if found is None:
        return ""
    return f"{found.label} is in your organization already{'' if found.is_active else ', but not active'}."


def _require_promises(actor: User, role: OrganizationRole, promised: Mapping[Workspace, str]) -> None:
    access.require_grant(actor, role)
    for workspace in promised:
        access.require(actor, workspace, Access.ADMIN)


def _promises(row: Invitation) -> dict[Workspace, str]:
    rows = row.promised.select_related("workspace__organization").order_by("workspace__name_key")
    return {promise.workspace: promise.role for promise in rows}


def _require(actor: User, invitation: Invitation) -> None:
    access.require_organization(actor, OrganizationRole.WORKSPACES)
    if invitation.organization_id != actor.organization_id:
        raise NotFound
    access.require_grant(actor, OrganizationRole(invitation.role))


def _locked(invitation: Invitation) -> Invitation:
    rows = Invitation.objects.select_related("organization", "invited_by__organization", "person")
    return rows.select_for_update(of=("self",)).get(pk=invitation.pk)


def _end(actor: User, row: Invitation) -> None:
    row.withdrawn_at = timezone.now()
    row.save(update_fields=["withdrawn_at"])
    events.record(actor, "invitation.withdrawn", row)


def _handed_over(actor: User, row: Invitation, token: str, *, by_mail: bool) -> Made:
    link = settings.PUBLIC_URL + reverse("invitation", args=[token])
    if not by_mail:
        return Made(row, link, mailed=False)
    values: dict[str, Any] = {
        "invitation": row,
        "inviter": actor,
        "link": link,
        "public_url": settings.PUBLIC_URL,
        "promises": _promises(row),
    }
    return Made(row, link, mailed=mail.send(row.email, MAIL, values) and mail.delivers())


def of(actor: User, id: UUID) -> Invitation:
    """Return an invitation that `actor` manages. Raises `NotFound`."""
    row = Invitation.objects.visible_to(actor).select_related("organization", "invited_by").filter(pk=id).first()
    if row is None:
        raise NotFound("There is no such invitation.")
    return row
