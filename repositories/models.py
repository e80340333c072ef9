"""What applications call through: repositories, the AI LLMs attached to them, and their AI API keys."""

import uuid
from typing import Self

from django.db import models
from django.utils import timezone

from ai_llm.models import AiLlm, Type
from workspaces.models import User, Workspace, WorkspaceQuerySet


class StorageType(models.TextChoices):
    """Which storage API a repository speaks. Kept for the public API; AI calls do not depend on it."""

    S3 = "S3", "S3"
    GCS = "GCS", "Google Cloud Storage"
    BLOB = "BLOB", "Azure Blob Storage"


class Mode(models.TextChoices):
    """How a repository spreads what is stored. Kept for the public API; AI calls do not depend on it."""

    NORMAL = "NORMAL", "Normal"
    MIRROR = "MIRROR", "Mirror"
    BACKUP = "BACKUP", "Backup"


class RepositoryQuerySet(models.QuerySet["Repository"]):
    """Reads of repositories."""

    def visible_to(self, actor: User) -> Self:
        """The repositories that exist for this person."""
        workspaces: WorkspaceQuerySet = Workspace.objects.visible_to(actor)
        return self.filter(deleted_at=None, workspace__in=workspaces)

    def of(self, workspace: Workspace | uuid.UUID) -> Self:
        """The repositories of one workspace, or of the one with this id, that are not deleted."""
        return self.filter(deleted_at=None, workspace=workspace)


class Repository(models.Model):
    """What applications call through: it groups AI LLMs and is the scope of keys.

    `version` counts changes of the attachments, so that two people cannot undo each other's without seeing it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="repositories")
    name = models.CharField("Name", max_length=120)
    name_key = models.CharField(max_length=400, editable=False)
    description = models.CharField("Description", max_length=500, blank=True)
    storage_type = models.CharField(max_length=10, choices=StorageType.choices, default=StorageType.S3)
    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.NORMAL)
    version = models.PositiveIntegerField(default=1)
    disabled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True)

    objects = RepositoryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "repositories"
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name_key"], condition=models.Q(deleted_at=None), name="one_repository_per_name"
            )
        ]
        indexes = [
            models.Index(
                fields=["workspace", "created_at"], condition=models.Q(deleted_at=None), name="repositories_by_age"
            )
        ]

    def __str__(self) -> str:
        return self.name


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    """Reads of attachments."""

    def in_use(self) -> Self:
        """Those of repositories that are not deleted, by the repositories' names, each with its repository."""
        return (
            self.filter(repository__deleted_at=None).select_related("repository").order_by("repository__name_key", "pk")
        )

    def in_order(self) -> Self:
        """In the order of preference; those that were put at one place at once by their age."""
        return self.order_by("position", "pk")


class Attachment(models.Model):
    """One AI LLM in one repository. The lowest `position` is asked first.

    `patterns` are the names of models that may be used through it, with * for any characters; empty means all.
    """

    id = models.BigAutoField(primary_key=True)
    repository = models.ForeignKey(Repository, models.CASCADE, related_name="attachments")
    ai_llm = models.ForeignKey(AiLlm, models.CASCADE, related_name="attachments")
    position = models.PositiveSmallIntegerField()
    patterns: "models.JSONField[list[str], list[str]]" = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "ai_llm"], name="one_attachment_each")]
        indexes = [models.Index(fields=["repository", "position"], name="attachments_in_order")]

    def __str__(self) -> str:
        return f"{self.ai_llm_id} in {self.repository_id}"


class AiApiKeyQuerySet(models.QuerySet["AiApiKey"]):
    """Reads of AI API keys."""

    def visible_to(self, actor: User) -> Self:
        """The keys that exist for this person, revoked ones too."""
        return self.filter(repository__in=Repository.objects.visible_to(actor))

    def of(self, workspace: Workspace | uuid.UUID) -> Self:
        """The keys, revoked ones too, of the repositories of one workspace, or of the one with this id."""
        return self.filter(repository__workspace=workspace, repository__deleted_at=None)

    def live(self) -> Self:
        """Those that applications can use, as far as the keys themselves say: neither revoked nor expired."""
        return self.filter(models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now()), revoked_at=None)


class AiApiKey(models.Model):
    """What an application identifies itself with towards one repository. The bearer strings are its `secrets`.

    `patterns` are the names of models that it may use, with * for any characters; empty means all of the repository's.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    repository = models.ForeignKey(Repository, models.CASCADE, related_name="ai_api_keys")
    name = models.CharField("Name", max_length=120)
    name_key = models.CharField(max_length=400, editable=False)
    type = models.CharField("API type", max_length=10, choices=Type.choices, default=Type.OPENAI)
    patterns: "models.JSONField[list[str], list[str]]" = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    objects = AiApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "AI API key"
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "name_key"], condition=models.Q(revoked_at=None), name="one_ai_api_key_per_name"
            )
        ]
        indexes = [models.Index(fields=["repository", "-created_at"], name="ai_api_keys_by_age")]

    def __str__(self) -> str:
        return self.name


class KeySecret(models.Model):
    """One bearer string of an AI API key: its digest, never itself. The current one has no end.

    While a key is rotated the former one still answers, until `ends_at`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.ForeignKey(AiApiKey, models.CASCADE, related_name="secrets")
    public_id = models.CharField(max_length=8, unique=True)
    digest = models.CharField(max_length=64)
    hint = models.CharField(max_length=4)
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    ends_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=models.Q(ends_at=None), name="one_current_secret_per_key")
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def shown(self) -> str:
        """How it may be shown: enough to tell it from others, and of no use to anybody."""
        return f"sk-fb-{self.public_id}_…{self.hint}"
