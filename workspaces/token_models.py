"""What bearer tokens stand on: sign-ins over the API and their refresh tokens (`logins`), API tokens (`tokens`)."""

import uuid
from typing import Self

from django.db import models
from django.utils import timezone


class Login(models.Model):
    """One sign-in over the API: what its access tokens and refresh tokens stand on. It ends as a session does.

    `standing` is the person's session hash at that moment: it changes with the password, and when sessions are ended.
    Until `verified` it is good for nothing but the second factor.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("workspaces.User", models.CASCADE, related_name="logins")
    standing = models.CharField(max_length=64, editable=False)
    verified = models.BooleanField(default=True)
    ip = models.CharField("IP address", max_length=45, blank=True)
    agent = models.CharField("program", max_length=80, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [models.Index(fields=["user", "revoked_at", "expires_at"], name="logins_of_a_person")]

    def __str__(self) -> str:
        return self.agent or "API sign-in"


class RefreshToken(models.Model):
    """The digest of one refresh token of a login. Each is good once; a second use ends the whole login."""

    public_id = models.CharField(primary_key=True, max_length=8, editable=False)
    login = models.ForeignKey(Login, models.CASCADE, related_name="refresh_tokens")
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return self.public_id


class Scope(models.TextChoices):
    """What an API token may do; each includes the ones before it."""

    READ = "read", "Read"
    VALIDATE = "validate", "Read and validate"
    WRITE = "write", "Read, validate and write"

    @property
    def includes(self) -> list[str]:
        """The names of this scope and those before it."""
        names = list(Scope)
        return [scope.value for scope in names[: names.index(self) + 1]]


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Reads of API tokens."""

    def live(self) -> Self:
        """Those that are neither revoked nor expired."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())


class ApiToken(models.Model):
    """A token for programs, shown once: personal (no workspace), or of one workspace. It acts as its person does."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("workspaces.User", models.CASCADE, related_name="api_tokens")
    workspace = models.ForeignKey("workspaces.Workspace", models.CASCADE, null=True, related_name="api_tokens")
    name = models.CharField(max_length=80)
    scope = models.CharField(max_length=8, choices=Scope.choices)
    public_id = models.CharField(max_length=8, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    hint = models.CharField(max_length=4, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = "API token"
        indexes = [
            models.Index(fields=["user", "-created_at"], name="api_tokens_of_a_person"),
            models.Index(fields=["workspace", "-created_at"], name="api_tokens_of_a_workspace"),
        ]

    def __str__(self) -> str:
        return self.name
