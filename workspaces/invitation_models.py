"""The rows of invitations."""

import uuid
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

from workspaces.access import Access, OrganizationRole

if TYPE_CHECKING:
    from workspaces.models import User


class InvitationState(models.TextChoices):
    """What became of an invitation."""

    OPEN = "open", "Open"
    ACCEPTED = "accepted", "Accepted"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXPIRED = "expired", "Expired"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Reads of invitations."""

    def visible_to(self, actor: "User") -> Self:
        """Those of the actor's organization, for who manages people."""
        if not actor.is_active or actor.organization_id is None:
            return self.none()
        manages = actor.organization_role >= OrganizationRole.WORKSPACES
        return self.filter(organization=actor.organization_id) if manages else self.none()

    def open(self) -> Self:
        """Those that can still be accepted."""
        return self.filter(accepted_at=None, withdrawn_at=None, expires_at__gt=timezone.now())

    def in_state(self, state: str) -> Self:
        """Those in a state of `InvitationState`; all for any other word."""
        match state:
            case InvitationState.OPEN:
                return self.open()
            case InvitationState.ACCEPTED:
                return self.filter(accepted_at__isnull=False)
            case InvitationState.WITHDRAWN:
                return self.filter(withdrawn_at__isnull=False)
            case InvitationState.EXPIRED:
                return self.filter(accepted_at=None, withdrawn_at=None, expires_at__lte=timezone.now())
        return self


class Invitation(models.Model):
    """An account that waits for its person. The link holds a token, of which only the digest is kept.

    `person` is set where the account exists already and only lacks a password.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey("Organization", models.CASCADE, related_name="invitations")
    email = models.EmailField("e-mail address")
    role = models.PositiveSmallIntegerField(choices=OrganizationRole.choices, default=OrganizationRole.USER)
    person = models.ForeignKey("User", models.CASCADE, null=True, related_name="invitations")
    public_id = models.CharField(max_length=8, unique=True)
    digest = models.CharField(max_length=64)
    invited_by = models.ForeignKey("User", models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    by_mail = models.BooleanField(default=False)
    accepted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["organization", "created_at"], name="invitations_by_age")]

    def __str__(self) -> str:
        return self.email

    @property
    def state(self) -> InvitationState:
        """What became of it, by now."""
        if self.accepted_at is not None:
            return InvitationState.ACCEPTED
        if self.withdrawn_at is not None:
            return InvitationState.WITHDRAWN
        return InvitationState.EXPIRED if self.expires_at <= timezone.now() else InvitationState.OPEN


class PromisedMembership(models.Model):
    """A role in a workspace that comes with an invitation."""

    invitation = models.ForeignKey(Invitation, models.CASCADE, related_name="promised")
    workspace = models.ForeignKey("Workspace", models.CASCADE, related_name="promised")
    role = models.CharField(max_length=5, choices=Access.role_choices())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["invitation", "workspace"], name="one_promise_per_workspace")]

    def __str__(self) -> str:
        return f"{self.invitation_id} {self.role} {self.workspace_id}"
