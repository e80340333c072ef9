"""Repositories and their keys in the admin site: to look at only. What a secret is compared with is not there."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin

from repositories.models import AiApiKey, Attachment, Repository
from workspaces.admin import ReadOnly


class Happened(admin.EmptyFieldListFilter):
    """Whether there is a moment in a column, in words: without it and with it."""

    WORDS = {
        "disabled_at": ("use", "Enabled", "Disabled"),
        "deleted_at": ("deletion", "Not deleted", "Deleted"),
        "revoked_at": ("revocation", "Not revoked", "Revoked"),
    }

    def __init__(self, field: Any, *arguments: Any, **keywords: Any) -> None:
        super().__init__(field, *arguments, **keywords)
        self.title, *self.words = self.WORDS[field.name]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Yield "All" and the two choices."""
        for words, choice in zip(("All", *self.words), super().choices(changelist), strict=True):
            yield {**choice, "display": words}


@admin.register(Repository)
class RepositoryAdmin(ReadOnly):
    """The repositories of all workspaces, deleted ones too."""

    fields = [
        "id", "name", "description", "workspace", "storage_type", "mode", "version", "disabled_at", "created_at",
        "created_by", "changed_at", "deleted_at",
    ]  # fmt: skip
    list_display = ["name", "workspace", "disabled_at", "created_at", "deleted_at"]
    list_select_related = ["workspace"]
    list_filter = [("disabled_at", Happened), ("deleted_at", Happened)]
    search_fields = ["name", "workspace__name"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]


@admin.register(Attachment)
class AttachmentAdmin(ReadOnly):
    """Which AI LLMs are attached where."""

    fields = ["repository", "ai_llm", "position", "patterns", "created_at", "created_by"]
    list_display = ["repository", "ai_llm", "position", "created_at"]
    list_select_related = ["repository__workspace", "ai_llm__workspace"]
    search_fields = ["repository__name", "ai_llm__name"]
    ordering = ["-created_at"]


@admin.register(AiApiKey)
class AiApiKeyAdmin(ReadOnly):
    """The keys of applications, revoked ones too."""

    fields = [
        "id", "name", "repository", "type", "patterns", "shown", "expires_at", "created_at", "created_by", "revoked_at",
    ]  # fmt: skip
    readonly_fields = ["shown"]
    list_display = ["name", "repository", "type", "expires_at", "created_at", "revoked_at"]
    list_select_related = ["repository__workspace"]
    list_filter = ["type", ("revoked_at", Happened)]
    search_fields = ["name", "repository__name"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]

    @admin.display(description="Secret")
    def shown(self, row: AiApiKey) -> str:
        """Return how the current secret may be shown."""
        current = row.secrets.filter(ends_at=None).first()
        return current.shown if current else "none"
