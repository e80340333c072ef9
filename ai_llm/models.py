"""What is stored about provider connections: AI LLMs, their credentials, and their checks."""

import uuid
from typing import Any, Self
from urllib.parse import urlsplit

from django.db import models
from django.utils import timezone

from flashback import sealed
from workspaces.models import User, Workspace, WorkspaceQuerySet


class Type(models.TextChoices):
    """AI LLM Type: the provider compatibility group. The values are those of the public API."""

    OPENAI = "OPENAI", "OpenAI"
    GOOGLE = "GOOGLE", "Google Cloud"
    ANTHROPIC = "ANTHROPIC", "Anthropic Cloud"
    AWS = "AWS", "AWS"
    OTHER = "OTHER", "Other"


class Verdict(models.TextChoices):
    """What a check decided."""

    ACCEPTED = "accepted", "Accepted"
    LIMITED = "limited", "Accepted, but limited"
    REJECTED = "rejected", "Rejected"
    UNDECIDED = "undecided", "Not decided"


class CheckKind(models.TextChoices):
    """How deep a check went: the free one, or one that sent a tiny message, which may cost."""

    FREE = "free", "Free check"
    MESSAGE = "message", "One tiny message"


NEVER = "never"
UNAVAILABLE = "unavailable"
DISABLED = "disabled"
STATES = {
    **dict(Verdict.choices),
    NEVER: "Not validated yet",
    UNAVAILABLE: "Needs its secret again",
    DISABLED: "Disabled",
}


class CredentialQuerySet(models.QuerySet["Credential"]):
    """Reads of provider keys: the credentials that have a name."""

    def visible_to(self, actor: User) -> Self:
        """The provider keys that exist for this person."""
        workspaces: WorkspaceQuerySet = Workspace.objects.visible_to(actor)
        return self.exclude(name="").filter(workspace__in=workspaces)

    def of(self, workspace: Workspace) -> Self:
        """The provider keys of one workspace."""
        return self.exclude(name="").filter(workspace=workspace)


class Credential(models.Model):
    """One sealed API Secret and an optional sealed API Key, bound to a workspace and to one origin.

    With a `name` it is a provider key: several AI LLMs of the type `provider` may use it at its `endpoint`, and it
    lives on when they let go of it. Without one it belongs to the one AI LLM that points at it. `region`, `tenant_id`
    and `subscription_id` only describe it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="credentials")
    origin = models.CharField(max_length=300)
    secret = sealed.SealedField(null=True)
    key = sealed.SealedField(null=True)
    hint = models.CharField(max_length=4, blank=True)
    fingerprint = models.CharField(max_length=16, blank=True)
    key_fingerprint = models.CharField(max_length=16, blank=True)
    key_id = models.CharField(max_length=8, blank=True)
    set_at = models.DateTimeField(default=timezone.now)
    set_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField(null=True)
    name = models.CharField("Name", max_length=120, blank=True)
    name_key = models.CharField(max_length=400, blank=True, editable=False)
    description = models.CharField("Description", max_length=500, blank=True)
    provider = models.CharField("AI LLM Type", max_length=10, choices=Type.choices, blank=True)
    endpoint = models.CharField("API Endpoint", max_length=2048, blank=True)
    region = models.CharField(max_length=60, blank=True)
    tenant_id = models.CharField(max_length=120, blank=True)
    subscription_id = models.CharField(max_length=120, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)

    objects = CredentialQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name_key"], condition=~models.Q(name_key=""), name="one_provider_key_per_name"
            )
        ]
        indexes = [models.Index(fields=["workspace", "key_id"], name="credentials_by_key")]

    def __str__(self) -> str:
        return self.name or f"credential {self.pk}"

    @property
    def shared(self) -> bool:
        """Whether it is a provider key, which no AI LLM may change or purge."""
        return self.name != ""

    def sealing_context(self) -> sealed.Context:
        """Return what this row's sealed values are bound to."""
        return sealed.Context(self.workspace_id, self.pk, self.origin)

    @property
    def type_label(self) -> str:
        """The type in words."""
        return str(Type(self.provider).label) if self.provider else ""

    @property
    def available(self) -> bool:
        """Whether a key that this installation holds sealed the secret (it may still turn out to be damaged).

        A row that was read without its sealed columns is judged by its key alone: nothing is read for it.
        """
        left_out = "secret" in self.get_deferred_fields()
        return self.key_id in sealed.key_ids() and (left_out or self.secret is not None)


class KeyCheck(models.Model):
    """Proof of one key: a fixed text that it sealed when it was first used. Tells a lost key from a damaged row."""

    PROVES_KEY = True
    TEXT = "This text shows that the key still opens what it sealed."

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key_id = models.CharField(max_length=8, unique=True)
    text = sealed.SealedField(null=True)
    made_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"key {self.key_id}"

    def sealing_context(self) -> sealed.Context:
        """Return what the text is bound to: this row, and no workspace or destination."""
        return sealed.Context(uuid.UUID(int=0), self.pk, "")


class AiLlmQuerySet(models.QuerySet["AiLlm"]):
    """Reads of AI LLMs."""

    def visible_to(self, actor: User) -> Self:
        """The configurations that exist for this person."""
        workspaces: WorkspaceQuerySet = Workspace.objects.visible_to(actor)
        return self.filter(deleted_at=None, workspace__in=workspaces)

    def of(self, workspace: Workspace | uuid.UUID) -> Self:
        """The configurations of one workspace, or of the one with this id, that are not deleted."""
        return self.filter(deleted_at=None, workspace=workspace)


class AiLlm(models.Model):
    """One stored configuration: a connection to a provider, in a workspace.

    While a secret is being rotated, `fallback` is the one before, kept until `fallback_until`; `candidate` is one whose
    test failed, kept until `candidate_until` so that it need not be typed twice. All other credentials are purged.
    `due_at` is when the secret should have been replaced: its expiry, or its age by `rotate_every_days`.

    `scheduled` False keeps it out of scheduled checks; these start no earlier than `check_after` and hold the row until
    `lease_until`. `failures` counts checks in a row that ended in something that somebody has to mend, `rejections` the
    rejected ones with none accepted in between; `rejected_at` is when the first was found and `attention_at` when the
    second was, and `mail_due` from when on the mail about it may be sent (None: nothing to send).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="ai_llms")
    name = models.CharField("Configuration Name", max_length=120)
    name_key = models.CharField(max_length=400, editable=False)
    type = models.CharField("AI LLM Type", max_length=10, choices=Type.choices)
    endpoint = models.CharField("API Endpoint", max_length=2048)
    credential = models.ForeignKey(Credential, models.SET_NULL, null=True, related_name="+")
    fallback = models.ForeignKey(Credential, models.SET_NULL, null=True, related_name="+")
    fallback_until = models.DateTimeField(null=True)
    candidate = models.ForeignKey(Credential, models.SET_NULL, null=True, related_name="+")
    candidate_until = models.DateTimeField(null=True)
    rotate_every_days = models.PositiveSmallIntegerField("Rotate every N days", null=True)
    due_at = models.DateTimeField(null=True)
    notes = models.TextField("Notes", max_length=2000, blank=True)
    disabled_at = models.DateTimeField(null=True)
    keyless = models.BooleanField("This endpoint needs no secret", default=False)
    version = models.PositiveIntegerField(default=1)
    verdict = models.CharField(max_length=10, choices=Verdict.choices, blank=True)
    last_check = models.ForeignKey("Check", models.SET_NULL, null=True, related_name="+")
    scheduled = models.BooleanField("Include in scheduled checks", default=True)
    check_after = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    rejections = models.PositiveSmallIntegerField(default=0)
    attention_at = models.DateTimeField(null=True)
    mail_due = models.DateTimeField(null=True)
    rejected_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True)

    objects = AiLlmQuerySet.as_manager()

    class Meta:
        verbose_name = "AI LLM"
        verbose_name_plural = "AI LLMs"
        # What the group Support may do in every workspace; workspaces.access has the rule.
        permissions = [
            ("validate_aillm", "Can validate AI LLMs of any workspace"),
            ("disable_aillm", "Can disable and enable AI LLMs of any workspace"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name_key"], condition=models.Q(deleted_at=None), name="one_ai_llm_per_name"
            )
        ]
        indexes = [
            models.Index(
                fields=["workspace", "verdict"],
                condition=models.Q(credential=None, keyless=False, deleted_at=None),
                name="ai_llms_without_secret",
            ),
            models.Index(
                fields=["workspace", "created_at"], condition=models.Q(deleted_at=None), name="ai_llms_by_age"
            ),
            models.Index(
                fields=["workspace", "verdict"],
                condition=models.Q(disabled_at__isnull=False, deleted_at=None),
                name="ai_llms_disabled",
            ),
            models.Index(
                fields=["workspace", "due_at"],
                condition=models.Q(due_at__isnull=False, deleted_at=None),
                name="ai_llms_due",
            ),
            models.Index(
                fields=["workspace", "name_key"],
                condition=models.Q(attention_at__isnull=False, deleted_at=None),
                name="ai_llms_alerted",
            ),
            models.Index(
                fields=["workspace", "verdict", "name_key"],
                condition=models.Q(deleted_at=None),
                name="ai_llms_by_verdict",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        """The state in one word, a key of STATES: disabled, the secret cannot be opened, the last verdict, or never."""
        if self.disabled_at is not None:
            return DISABLED
        if not self.keyless and (self.credential is None or not self.credential.available):
            return UNAVAILABLE
        return self.verdict or NEVER

    @property
    def former(self) -> Credential | None:
        """The secret before this one, while it is kept."""
        return self.fallback if self.fallback_until is not None and self.fallback_until > timezone.now() else None

    @property
    def key_on_return(self) -> str:
        """What returning to the former secret does to the API Key; "" when neither of the two has one."""
        key, kept = (held.key_fingerprint if held else "" for held in (self.credential, self.former))
        if key == kept:
            return "The API Key stays the same." if key else ""
        if not kept:
            return "It has no API Key: the one in use is kept with the newer secret, and no longer sent."
        return f"It brings its own API Key back, {'another than the one in use' if key else 'while none is in use'}."

    @property
    def waiting(self) -> Credential | None:
        """A secret whose test failed, while it is kept."""
        return self.candidate if self.candidate_until is not None and self.candidate_until > timezone.now() else None

    @property
    def type_label(self) -> str:
        """The type in words; cheaper than get_type_display, which a list would call for every row."""
        return str(Type(self.type).label)

    @property
    def host(self) -> str:
        """Host and port of the endpoint."""
        return urlsplit(self.endpoint).netloc

    @property
    def address(self) -> str:
        """The endpoint without its scheme, for lists."""
        return self.endpoint.partition("://")[2]


class Digest(models.Model):
    """One mail of reminders: at most one for a person and day (UTC), however many processes send them."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    day = models.DateField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "day"], name="one_digest_a_day")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.day}"


class Check(models.Model):
    """One recorded validation of an AI LLM. `models_found` holds the first of `model_count` models.

    `by` is None for a scheduled check, and when the person's account is gone.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ai_llm = models.ForeignKey(AiLlm, models.CASCADE, related_name="checks")
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    scheduled = models.BooleanField(default=False)
    kind = models.CharField(max_length=10, choices=CheckKind.choices, default=CheckKind.FREE)
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    cause = models.CharField(max_length=40)
    facts: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    stages: "models.JSONField[list[dict[str, Any]], list[dict[str, Any]]]" = models.JSONField(default=list)
    url = models.CharField(max_length=2100, blank=True)
    status = models.PositiveSmallIntegerField(null=True)
    provider_code = models.CharField(max_length=100, blank=True)
    excerpt = models.CharField(max_length=320, blank=True)
    models_found: "models.JSONField[list[str], list[str]]" = models.JSONField(default=list)
    model_count = models.PositiveIntegerField(default=0)
    milliseconds = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["ai_llm", "-at"], name="checks_of_an_ai_llm")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.verdict}"


class ModelList(models.Model):
    """The last good list of models of an AI LLM: a failed or empty one never replaces it."""

    ai_llm = models.OneToOneField(AiLlm, models.CASCADE, primary_key=True, related_name="model_list")
    endpoint = models.CharField(max_length=2048)
    names: "models.JSONField[list[str], list[str]]" = models.JSONField(default=list)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{len(self.names)} models of {self.ai_llm_id}"
