"""AI LLMs and checks in the admin site: to look at, to validate and to disable. Credentials are not there at all."""

from collections.abc import Callable
from typing import Any, ClassVar, cast
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ai_llm import dependents, diagnostics, expiry, lifecycle, support, validation
from ai_llm.models import AiLlm, Check, Verdict
from flashback import sealed
from flashback.errors import Denied, Problem
from flashback.web import see_other
from workspaces import access, events, looks
from workspaces.admin import ReadOnly, console_link
from workspaces.models import User

TONES = {Verdict.ACCEPTED.value: messages.success, Verdict.REJECTED.value: messages.error}
DISABLED = "Disabled: {name}. Calls pass it by, and nothing is lost."
ENABLED = "Enabled again: {name}."


class StateFilter(admin.SimpleListFilter):
    """The states of the console, over all workspaces. Anything else in the address filters nothing."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 - Django's signature
        """Return what is offered."""
        return list(support.FILTERS.items())

    def queryset(self, request: HttpRequest, queryset: "QuerySet[AiLlm]") -> "QuerySet[AiLlm]":  # noqa: ARG002 - Django's signature
        """Return the rows in the chosen state."""
        wanted = self.value()
        return support.in_state(queryset, wanted) if wanted in support.FILTERS else queryset


@admin.register(AiLlm)
class AiLlmAdmin(ReadOnly):
    """The stored configurations of all workspaces, deleted ones too. What owners noted down for themselves is left out.

    The buttons call the verbs, as the console does; `workspaces.access` says who may use them.
    """

    fieldsets = [
        (None, {"fields": ["name", "state", "type", "endpoint", "workspace", "organization"]}),
        (
            "Credentials",
            {
                "fields": ["secret", "rotating", "due", "rotate_every_days"],
                "description": "Nobody can read, replace or export a secret here: no page of this site opens one.",
            },
        ),
        (
            "Record",
            {
                "classes": ["collapse"],
                "fields": [
                    "scheduled", "version", "created_at", "creator", "changed_at", "disabled_at", "deleted_at", "id",
                ],
            },
        ),
    ]  # fmt: skip
    readonly_fields = ["state", "organization", "secret", "rotating", "due", "creator"]
    help_texts: ClassVar = {
        "name": "People of the workspace see in their audit log that you opened this page, and what you do here.",
        "state": "What its last check said, unless it is disabled or no key of this installation opens its secret.",
        "type": "The provider compatibility group.",
        "endpoint": "Where requests go. It has no secret in it.",
        "secret": "The last characters (only of 20 or more) and when it was set: enough to tell secrets apart.",
        "due": "When the secret should be replaced: its expiry date, or its age by the next line.",
        "scheduled": "Whether it is checked by itself, not only when somebody validates it.",
        "version": "Grows with every change.",
        "deleted_at": "Its credentials were purged then; the rest goes 30 days later.",
    }
    list_display = ["name", "state", "type", "host", "place", "due"]
    list_filter = [StateFilter, "type"]
    search_fields = ["name", "endpoint", "workspace__name", "workspace__organization__name"]
    search_help_text = "By configuration name, endpoint, workspace, or organization."
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    change_form_template = "admin/ai_llm/aillm/change_form.html"

    def get_queryset(self, request: HttpRequest) -> "QuerySet[AiLlm]":
        """Return the rows without the sealed columns, which no page here needs, and without what owners noted down."""
        rows = super().get_queryset(request)
        rows = rows.select_related("workspace__organization", "credential", "created_by")
        return cast(
            "QuerySet[AiLlm]",
            rows.defer("notes", "credential__secret", "credential__key", "created_by__password"),
        )

    def get_urls(self) -> list[URLPattern]:
        """Return Django's routes, and before them our own."""
        ours = {
            "validate": self.validate, "disable": self.disable, "enable": self.enable, "diagnostics": self.diagnose,
        }  # fmt: skip
        routes = [
            path(f"<uuid:object_id>/{name}/", self.admin_site.admin_view(page), name=f"ai_llm_aillm_{name}")
            for name, page in ours.items()
        ]
        return [*routes, *super().get_urls()]

    @admin.display(description="State", ordering="verdict")
    def state(self, row: AiLlm) -> str:
        """Say the state in the words of the console."""
        return support.FILTERS[support.state_of(row)]

    @admin.display(description="Endpoint", ordering="endpoint")
    def host(self, row: AiLlm) -> str:
        """Return host and port alone: a whole address makes the list too wide."""
        return row.host

    @admin.display(description="Workspace", ordering="workspace__name_key")
    def place(self, row: AiLlm) -> str:
        """Return workspace and, on a line of its own, organization."""
        return format_html("{}<br><small>{}</small>", row.workspace.name, row.workspace.organization.name)

    @admin.display(description="Organization", ordering="workspace__organization__name_key")
    def organization(self, row: AiLlm) -> str:
        """Return the tenant's name."""
        return row.workspace.organization.name

    @admin.display(description="API Secret")
    def secret(self, row: AiLlm) -> str:
        """Say that there is one and how old it is, and never more than its hint."""
        if row.credential is None:
            return "none needed" if row.keyless else "none"
        hint = f"…{row.credential.hint}, " if row.credential.hint else ""
        lost = row.credential.key_id not in sealed.key_ids()
        again = f"; needs its secret again: the key {row.credential.key_id} is missing" if lost else ""
        return f"{hint}set {row.credential.set_at:%Y-%m-%d}{again}"

    @admin.display(description="Rotation")
    def rotating(self, row: AiLlm) -> str:
        """Say what is kept beside the secret while it is rotated."""
        kept = [(row.candidate_until, "a new secret waits"), (row.fallback_until, "the former secret is kept")]
        return "; ".join(f"{words} until {until:%Y-%m-%d %H:%M} UTC" for until, words in kept if until) or "none"

    @admin.display(description="Secret due", ordering="due_at")
    def due(self, row: AiLlm) -> str:
        """Say when the secret should be replaced, and how urgent that is."""
        if row.due_at is None or row.deleted_at is not None:
            return "-"
        urgent = expiry.due(row)
        return f"{row.due_at:%Y-%m-%d}" + (f", {urgent.words}" if urgent else "")

    @admin.display(description="Created by")
    def creator(self, row: AiLlm) -> str:
        """Return who made it."""
        return row.created_by.email if row.created_by else "somebody who left"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **values: Any) -> Any:
        """Show the row with its last checks and events, and with the buttons that this person may use."""
        row = values.get("obj")
        if isinstance(row, AiLlm):
            context |= {
                "checks": support.checks_of(row),
                "events": list(events.of_object(row)[: support.EVENTS]),
                "may_validate": row.deleted_at is None and may(request, "validate"),
                "may_disable": row.deleted_at is None and may(request, "disable"),
                "console_url": "" if row.deleted_at else console_link(request, row.workspace, "ai_llm", row.pk),
            }
        return super().render_change_form(request, context, *args, **values)

    @method_decorator(require_POST)
    def validate(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Check the stored credentials with the verb, and say on the page of the row what came of it."""
        row = self.found(request, object_id)
        try:
            with looks.admin_site():
                check = validation.validate(staff(request), row)
        except Problem as problem:
            return refused(request, row, problem)
        shown = support.told(check)
        tell = TONES.get(check.verdict, messages.warning)
        tell(request, f"{shown['verdict_label']}: {shown['headline']}. {shown['sentence']}")
        return back(row)

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def disable(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Show what uses the row and ask, then take it out of use with the verb."""
        row = self.found(request, object_id)
        if request.method == "POST":
            return switch(request, row, lifecycle.disable, DISABLED)
        if not may(request, "disable"):
            raise PermissionDenied
        looks.at(staff(request), row, "change")
        values = {"original": row, "uses": dependents.of(row), "title": f"Disable {row.name}?"}
        return self.page(request, "disable", values)

    @method_decorator(require_POST)
    def enable(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Put the row back into use with the verb."""
        return switch(request, self.found(request, object_id), lifecycle.enable, ENABLED)

    @method_decorator(require_safe)
    def diagnose(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Show the bundle for a ticket, or give it as a file (`format`: json, txt)."""
        row = self.found(request, object_id)
        looks.at(staff(request), row, "diagnostics")
        kind = request.GET.get("format")
        headers = {"Content-Disposition": f'attachment; filename="diagnostics-{row.pk}.{kind}"'}
        if kind == "json":
            return JsonResponse(diagnostics.bundle(row), json_dumps_params={"indent": 2}, headers=headers)
        text = diagnostics.text(row)
        if kind == "txt":
            return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)
        return self.page(request, "diagnostics", {"original": row, "text": text, "title": f"Diagnostics of {row.name}"})

    def found(self, request: HttpRequest, object_id: UUID) -> AiLlm:
        """Return the row for a page of ours. Raises PermissionDenied and Http404, as Django's pages do."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, str(object_id))
        if not isinstance(row, AiLlm):
            raise Http404
        return row

    def page(self, request: HttpRequest, name: str, values: dict[str, Any]) -> HttpResponse:
        """Return a page of ours with what Django's pages have around them."""
        values = {**self.admin_site.each_context(request), "opts": self.opts, **values}
        return TemplateResponse(request, f"admin/ai_llm/aillm/{name}.html", values)


def switch(request: HttpRequest, row: AiLlm, verb: Callable[[User, AiLlm], AiLlm], words: str) -> HttpResponse:
    """Disable or enable a row with the verb, and go back to it."""
    try:
        with looks.admin_site():
            verb(staff(request), row)
    except Problem as problem:
        return refused(request, row, problem)
    messages.success(request, words.format(name=row.name))
    return back(row)


def refused(request: HttpRequest, row: AiLlm, problem: Problem) -> HttpResponse:
    """Say on the page of the row what a verb refused. Raises `Denied` again: that is a page of its own."""
    if isinstance(problem, Denied):
        raise problem
    messages.error(request, problem.message)
    return back(row)


def back(row: AiLlm) -> HttpResponse:
    """Lead to the page of the row."""
    return see_other("admin:ai_llm_aillm_change", row.pk)


def staff(request: HttpRequest) -> User:
    """Return who asks: the admin site lets in nobody who is not signed in."""
    return cast("User", request.user)


def may(request: HttpRequest, what: str) -> bool:
    """Return whether this person may "validate" or "disable" everywhere."""
    return access.supports(staff(request), f"ai_llm.{what}_aillm")


@admin.register(Check)
class CheckAdmin(ReadOnly):
    """The recorded validations, in words. What the provider itself wrote is not read."""

    fields = [
        "ai_llm", "at", "by_whom", "kind", "verdict", "found", "advice", "strip", "url", "status", "provider_code",
        "model_count", "models_in_words", "milliseconds", "cause", "id",
    ]  # fmt: skip
    readonly_fields = ["by_whom", "found", "advice", "strip", "models_in_words"]
    help_texts: ClassVar = {
        "strip": "The check ends at the first stage that fails.",
        "url": "The exact address that was asked.",
        "provider_code": "The provider's own name for the fault, if it gave one.",
        "cause": "The code of what was found: the same in every language and version, so quote it in tickets.",
    }
    labels: ClassVar = {**ReadOnly.labels, "ai_llm": "AI LLM", "url": "URL", "status": "HTTP status"}
    list_display = ["at", "ai_llm", "workspace", "verdict", "found", "by_whom"]
    list_filter = ["verdict", "kind", "scheduled"]
    search_fields = ["ai_llm__name", "cause", "ai_llm__workspace__name"]
    search_help_text = "By configuration name, workspace, or cause (such as key_rejected)."
    date_hierarchy = "at"
    ordering = ["-at"]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Check]":
        """Return the rows without the provider's text."""
        rows = super().get_queryset(request).select_related("ai_llm__workspace", "by")
        return cast("QuerySet[Check]", rows.defer("excerpt", "ai_llm__notes", "by__password"))

    @admin.display(description="Workspace", ordering="ai_llm__workspace__name_key")
    def workspace(self, row: Check) -> str:
        """Return where it ran."""
        return row.ai_llm.workspace.name

    @admin.display(description="By", ordering="by__email")
    def by_whom(self, row: Check) -> str:
        """Return who ran it."""
        return support.who(row)

    @admin.display(description="Found", ordering="cause")
    def found(self, row: Check) -> str:
        """Return what was found, in a few words."""
        return str(support.told(row)["headline"])

    @admin.display(description="What to do")
    def advice(self, row: Check) -> str:
        """Return the explanation and the next step."""
        shown = support.told(row)
        return f"{shown['sentence']} Next: {shown['action']['label']}."

    @admin.display(description="Stages")
    def strip(self, row: Check) -> str:
        """Return the stages in words."""
        return (
            format_html_join("", "<div>{}</div>", ((stage["words"],) for stage in support.told(row)["stages"])) or "-"
        )

    @admin.display(description="Models")
    def models_in_words(self, row: Check) -> str:
        """Return the first models that were found."""
        shown = support.told(row)
        more = f" and {shown['more_models']} more" if shown["more_models"] else ""
        return ", ".join(shown["models"]) + more or "none"
