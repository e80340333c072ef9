"""Who is who: organizations, people, workspaces, memberships, and the audit log."""

import uuid
from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Coalesce, Concat, Lower, NullIf, Trim
from django.utils import timezone
from django.utils.crypto import salted_hmac

from workspaces import invitation_models  # noqa: F401 - Django looks for models in this module only
from workspaces.access import Access, Limits, OrganizationRole
from workspaces.account_models import SecondFactorPolicy, Theme


class OrganizationQuerySet(models.QuerySet["Organization"]):
    """Reads of organizations."""

    def visible_to(self, actor: "User") -> Self:
        """The actor's own organization, and no other."""
        return self.filter(pk=actor.organization_id) if actor.is_active and actor.organization_id else self.none()


class Organization(models.Model):
    """The tenant. Everything else belongs to exactly one. The fields below `name_key` are those of the public API."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    name_key = models.CharField(max_length=400, unique=True, editable=False)
    domain = models.CharField(max_length=253, blank=True)
    website = models.CharField(max_length=200, blank=True)
    address1 = models.CharField("address", max_length=120, blank=True)
    address2 = models.CharField("address, second line", max_length=120, blank=True)
    city = models.CharField(max_length=80, blank=True)
    zipcode = models.CharField("postal code", max_length=20, blank=True)
    state = models.CharField(max_length=80, blank=True)
    country = models.CharField(max_length=80, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    is_business = models.BooleanField("business", default=False)
    second_factor = models.CharField(
        max_length=14, choices=SecondFactorPolicy.choices, default=SecondFactorPolicy.OFF, editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OrganizationQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


def whole_name(prefix: str = "") -> NullIf:
    """Return `User.full_name` as the databases put it together, NULL for nobody named yet."""
    return NullIf(Trim(Concat(f"{prefix}name", models.Value(" "), f"{prefix}last_name")), models.Value(""))


def _label(prefix: str = "") -> Lower:
    """Return `User.label` as the databases sort it."""
    return Lower(Coalesce(whole_name(prefix), f"{prefix}email", output_field=models.CharField()))


class UserQuerySet(models.QuerySet["User"]):
    """Reads of people."""

    def active(self) -> Self:
        """Those who may sign in."""
        return self.filter(is_active=True)

    def with_role(self, least: OrganizationRole) -> Self:
        """Those with at least this role in their organization."""
        return self.filter(organization_role__gte=least)

    def by_label(self) -> Self:
        """In the order of what is shown for them: their names, or their e-mail addresses."""
        return self.order_by(_label(), "pk")

    def visible_to(self, actor: "User") -> Self:
        """Whose names this person may see: who manages people sees all of the organization.

        Others see themselves, those they share a workspace with, and who administers the organization.
        """
        if not actor.is_active or actor.organization_id is None or actor.limits is not None:
            return self.none()
        own = self.filter(organization=actor.organization_id)
        if actor.organization_role >= OrganizationRole.WORKSPACES:
            return own
        shared = Membership.objects.filter(workspace__memberships__user=actor).values("user")
        everywhere = models.Q(organization_role__gte=OrganizationRole.ADMINISTRATOR)
        return own.filter(models.Q(pk=actor.pk) | models.Q(pk__in=shared) | everywhere)


_Accounts = BaseUserManager.from_queryset(UserQuerySet)


class UserManager(_Accounts["User"]):  # type: ignore[valid-type]  # made at run time, where mypy expects a class
    """Creates people by e-mail address, which is stored in lower case."""

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find a person by e-mail address, without regard to case."""
        found: User = self.get(email=(username or "").lower())
        return found

    def create_user(self, email: str, password: str | None = None, **values: Any) -> "User":
        """Create a person; without a password they cannot sign in until they reset it."""
        person: User = self.model(email=email.strip().lower(), **values)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, email: str, password: str | None = None, **values: Any) -> "User":
        """Create a person of the installation's own staff, with every right in the admin site."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **values)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Staff who only use the admin site may be without an organization."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=120, blank=True)
    last_name = models.CharField(max_length=120, blank=True)
    organization = models.ForeignKey(Organization, models.PROTECT, null=True, blank=True, related_name="people")
    organization_role = models.PositiveSmallIntegerField(
        choices=OrganizationRole.choices, default=OrganizationRole.USER
    )
    is_active = models.BooleanField("active", default=True)
    is_staff = models.BooleanField("staff", default=False, help_text="May sign in to the admin site.")
    session_epoch = models.PositiveIntegerField(default=0, editable=False)
    theme = models.CharField(max_length=5, choices=Theme.choices, default=Theme.AUTO, blank=True, editable=False)
    reminder_mails = models.BooleanField(default=True, editable=False)
    rejection_mails = models.BooleanField(default=True, editable=False)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)
    last_workspace = models.ForeignKey(
        "Workspace", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )

    objects: ClassVar[UserManager] = UserManager()

    # Set for the time of a request that an API token makes.
    limits: Limits | None = None

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = [models.UniqueConstraint(Lower("email"), name="one_person_per_email")]

    def __str__(self) -> str:
        return self.email

    @property
    def full_name(self) -> str:
        """First and last name; many people have all of it in `name`. "" for nobody named yet."""
        return f"{self.name} {self.last_name}".strip()

    @property
    def label(self) -> str:
        """The name to show for this person: their own, or the e-mail address."""
        return self.full_name or self.email

    def end_sessions(self) -> None:
        """Make every session of this person worthless for good, here and elsewhere. The caller saves."""
        self.session_epoch += 1

    def revoke_tokens(self) -> None:
        """End every API token of this person for good."""
        self.api_tokens.filter(revoked_at=None).update(revoked_at=timezone.now())

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Sessions hold this, and end when it changes. Django has the password alone in it.
        what = f"{self.session_epoch} {self.password}"
        return salted_hmac("workspaces.models.User.session", what, secret=secret, algorithm="sha256").hexdigest()


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    """Reads of workspaces."""

    def visible_to(self, actor: User) -> Self:
        """The workspaces that exist for this person: memberships, or all of the organization for its administrators."""
        if not actor.is_active or actor.organization_id is None:
            return self.none()
        own = self.filter(organization=actor.organization_id)
        if actor.limits is not None and actor.limits.workspace is not None:
            own = own.filter(pk=actor.limits.workspace)
        if actor.organization_role >= OrganizationRole.ADMINISTRATOR:
            return own
        return own.filter(memberships__user=actor)

    def formerly(self, slug: str) -> Self:
        """The workspaces that had this slug before; at most one in an organization."""
        return self.filter(former_slugs__slug=slug)

    def listed_for(self, actor: User) -> Self:
        """Those visible to `actor` by name, each with `people` (number of members) and `own_role` ("" for none)."""
        own = Membership.objects.filter(workspace=models.OuterRef("pk"), user=actor).values("role")
        everybody = Membership.objects.filter(workspace=models.OuterRef("pk")).order_by().values("workspace")
        number = everybody.annotate(number=models.Count("pk")).values("number")
        return (
            self.visible_to(actor)
            .annotate(
                people=Coalesce(models.Subquery(number), 0),
                own_role=Coalesce(models.Subquery(own), models.Value("")),
            )
            .order_by("name_key")
        )


class Workspace(models.Model):
    """Where people, AI LLMs and repositories live."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="workspaces")
    name = models.CharField(max_length=120)
    name_key = models.CharField(max_length=400, editable=False)
    slug = models.SlugField(max_length=60)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "name_key"], name="one_workspace_per_name"),
            models.UniqueConstraint(fields=["organization", "slug"], name="one_workspace_per_slug"),
        ]

    def __str__(self) -> str:
        return self.name


class FormerSlug(models.Model):
    """A slug that a workspace had before: its addresses lead to the current ones, and no other workspace gets it."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="former_slugs")
    slug = models.SlugField(max_length=60)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "slug"], name="one_former_workspace_per_slug")]

    def __str__(self) -> str:
        return self.slug


class MembershipQuerySet(models.QuerySet["Membership"]):
    """Reads of memberships."""

    def active(self) -> Self:
        """Those of people who may sign in."""
        return self.filter(user__is_active=True)

    def by_label(self) -> Self:
        """In the order of the people's labels, each with its person."""
        return self.select_related("user").order_by(_label("user__"), "pk")


class Membership(models.Model):
    """One person's role in one workspace."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=5, choices=Access.role_choices())
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_per_person")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role} {self.workspace_id}"


class ActorKind(models.TextChoices):
    """What kind of actor an event names."""

    PERSON = "person", "Person"
    TOKEN = "token", "API token"
    STAFF = "staff", "Staff"
    COMMAND = "command", "Command"
    NOBODY = "nobody", "Nobody signed in"


class Event(models.Model):
    """One line of the audit log. `workspaces.events.record` writes it; the database refuses to change or delete it.

    Ids and labels are plain columns, so that a line outlives what it is about. `number`, `previous` and `digest` tie it
    to the line before it in its `chain` (`workspaces.chain`): one chain for each organization, one for what belongs to
    none.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)
    organization_id = models.UUIDField(null=True)
    workspace_id = models.UUIDField(null=True)
    workspace_label = models.CharField(max_length=120, blank=True)
    actor_id = models.UUIDField(null=True)
    actor_label = models.CharField(max_length=254, blank=True)
    actor_kind = models.CharField(max_length=10, choices=ActorKind.choices, default=ActorKind.PERSON)
    via = models.CharField(max_length=80, blank=True)
    ip = models.CharField("IP address", max_length=45, blank=True)
    agent = models.CharField("program", max_length=80, blank=True)
    action = models.CharField(max_length=60)
    object_kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=40)
    object_label = models.CharField(max_length=254, blank=True)
    details = models.JSONField(default=dict)
    chain = models.UUIDField()
    number = models.PositiveBigIntegerField()
    previous = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chain", "number"], name="one_event_per_number")]
        indexes = [
            models.Index(fields=["workspace_id", "at", "id"], name="events_of_a_workspace"),
            models.Index(fields=["object_id", "at", "id"], name="events_of_an_object"),
            models.Index(fields=["organization_id", "at", "id"], name="events_of_an_organization"),
            models.Index(fields=["organization_id", "action", "at", "id"], name="events_of_an_action"),
            models.Index(fields=["organization_id", "actor_id", "at", "id"], name="events_of_a_person"),
            models.Index(fields=["organization_id", "actor_kind", "at", "id"], name="events_of_a_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor_label} {self.action} {self.object_label}"


class AuditHead(models.Model):
    """Where one chain of events ends, sealed with a key that is not in the database (`workspaces.chain`).

    `pruned` and `pruned_digest` are number and digest of the newest event that `manage.py audit prune` took away.
    """

    chain = models.UUIDField(primary_key=True)
    number = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    pruned = models.PositiveBigIntegerField(default=0)
    pruned_digest = models.CharField(max_length=64, blank=True)
    key_id = models.CharField(max_length=8, blank=True)
    seal = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.chain} {self.number}"


# Here, so that Django finds them.
from workspaces.read_models import ReadMark  # noqa: E402, F401 - Django finds models here
from workspaces.token_models import ApiToken, Login, RefreshToken  # noqa: E402, F401 - as above
