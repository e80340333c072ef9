"""AI LLMs and checks in the admin site: to look at only. Credentials are not there at all."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ai_llm.models import AiLlm, Check
from workspaces.admin import ReadOnly


@admin.register(AiLlm)
class AiLlmAdmin(ReadOnly):
    """The stored configurations of all workspaces, deleted ones too."""

    fields = [
        "id", "name", "type", "endpoint", "workspace", "verdict", "secret", "version", "created_at", "created_by",
        "changed_at", "deleted_at",
    ]  # fmt: skip
    readonly_fields = ["secret"]
    list_display = ["name", "type", "endpoint", "workspace", "verdict", "secret", "changed_at", "deleted_at"]
    list_filter = ["type", "verdict", ("deleted_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "endpoint", "workspace__name"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AiLlm]:
        """Return the rows without the sealed columns, which no page here needs."""
        rows = super().get_queryset(request).select_related("workspace", "credential")
        return rows.defer("credential__secret", "credential__key")

    @admin.display(description="API Secret")
    def secret(self, row: AiLlm) -> str:
        """Say that there is one and how old it is, and never more than its hint."""
        if row.credential is None:
            return "none"
        hint = f"…{row.credential.hint}, " if row.credential.hint else ""
        return f"{hint}set {row.credential.set_at:%Y-%m-%d}"


@admin.register(Check)
class CheckAdmin(ReadOnly):
    """The recorded validations."""

    fields = [
        "id", "ai_llm", "at", "by", "verdict", "cause", "url", "status", "provider_code", "excerpt", "stages", "facts",
        "models_found", "milliseconds",
    ]  # fmt: skip
    list_display = ["at", "ai_llm", "verdict", "cause", "url", "milliseconds", "by"]
    list_select_related = ["ai_llm", "by"]
    list_filter = ["verdict"]
    search_fields = ["ai_llm__name", "cause"]
    date_hierarchy = "at"
    ordering = ["-at"]
