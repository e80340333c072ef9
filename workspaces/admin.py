"""The admin site for the installation's own staff: much to look at, next to nothing to change, no secret at all."""

from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from allauth.account.decorators import secure_admin_login
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html_join
from django.utils.text import smart_split

from flashback.errors import Invalid
from flashback.web import see_other
from workspaces import events, looks, people
from workspaces.apps import SUPPORT
from workspaces.models import Event, Membership, Organization, User, Workspace
from workspaces.reauthentication import recently_authenticated_for
from workspaces.sessions import leaving

admin.site.site_title = admin.site.site_header = "Flashback support"
admin.site.index_title = "What is stored"
# What a ticket is about comes first. Within an application the order is that of registration.
APPLICATIONS = ("ai_llm", "repositories", "workspaces")
# Signing in, with its limits, and passwords have one door: that of the console.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # as allauth's documentation has it
admin.site.logout = leaving(admin.site.logout)  # type: ignore[assignment, method-assign]  # only a header more


def change_password(request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Lead to the console's page, which counts attempts."""
    return see_other("account_change_password")


admin.site.password_change = change_password  # type: ignore[assignment, method-assign]  # one page for it in the whole installation

# These packages register models through which rights could be handed out, or people signed in, without an event.
for module, model in (
    ("django.contrib.auth.admin", "auth.Group"),
    ("allauth.account.admin", "account.EmailAddress"),
    ("allauth.mfa.admin", "mfa.Authenticator"),
):
    import_module(module)
    admin.site.unregister(apps.get_model(model))


_all_urls = admin.site.get_urls


def get_urls() -> list[URLPattern | URLResolver]:
    """Return Django's routes without the one from a row to its page elsewhere: no row has one."""
    return [route for route in _all_urls() if getattr(route, "name", "") != "view_on_site"]


admin.site.get_urls = get_urls  # type: ignore[method-assign]  # Django has no setting for it

_app_list = admin.site.get_app_list


def get_app_list(request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
    """Return what the start page and the menu at the side list, in the order of APPLICATIONS."""
    registered = list(admin.site._registry)
    found: list[dict[str, Any]] = _app_list(request, app_label)
    for application in found:
        application["models"].sort(key=lambda listed: registered.index(listed["model"]))
    return sorted(found, key=lambda application: APPLICATIONS.index(application["app_label"]))


admin.site.get_app_list = get_app_list  # type: ignore[method-assign]  # Django sorts by the alphabet

SEARCH_CHARACTERS, SEARCH_WORDS = 120, 8
# The ends of the addresses that the lists themselves link to: those of filters, and those of the bar of dates.
FILTERS = frozenset({"", "exact", "isnull", "isempty"})
DATES = frozenset({"gte", "lt", "year", "month", "day"})

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnly(ModelAdmin):
    """A model that staff may look at; its verbs are the only way to change it."""

    actions = None
    list_per_page = 50
    show_full_result_count = False
    view_on_site = False
    help_texts: ClassVar[dict[str, str]] = {}
    labels: ClassVar[dict[str, str]] = {
        "id": "ID",
        "workspace_id": "Workspace ID",
        "organization_id": "Organization ID",
    }

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form with our `labels` and `help_texts`: forms of the console have words of their own."""
        words = {"help_texts": self.help_texts, "labels": self.labels}
        return super().get_form(request, obj, change, **{**words, **kwargs})

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 - Django's signature
        """Return that nothing is added here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 - Django's signature
        """Return that nothing is changed here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 - Django's signature
        """Return that nothing is deleted here."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Return whether the address may filter by `lookup`: only by what the page offers: nothing can be guessed."""
        offered = {_offered(entry) for entry in self.list_filter}
        field, _, kind = lookup.partition("__")
        kinds = DATES if field == self.date_hierarchy else FILTERS if field in offered else frozenset()
        return kind in kinds and super().lookup_allowed(lookup, value, request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model | None:
        """Return the row, or None when there is none. Django would look for a field that an empty `_to_field` names."""
        return super().get_object(request, object_id, from_field or None)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list, and record that this was looked at."""
        response = super().changelist_view(request, extra_context)
        shown = getattr(response, "context_data", None) or {}
        if "cl" in shown and isinstance(request.user, User):
            looks.at_list(request.user, str(self.opts.verbose_name_plural), shown["cl"].result_list)
        return response

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a row, and record that it was looked at."""
        response = super().changeform_view(request, object_id, form_url, extra_context)
        return self._looked(request, response, "change", "original")

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show what the admin site did to a row, and record that it was looked at."""
        return self._looked(request, super().history_view(request, object_id, extra_context), "history", "object")

    @staticmethod
    def _looked(request: HttpRequest, response: HttpResponse, page: str, name: str) -> HttpResponse:
        row = (getattr(response, "context_data", None) or {}).get(name)
        if isinstance(row, Model) and isinstance(request.user, User):
            looks.at(request.user, row, page)
        return response

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Return the list that the address asks for. Raises IncorrectLookupParameters, which leads to the whole list.

        Django raises it too, but not for a year that no calendar has, nor for what only the database refuses.
        """
        given = (text for name, texts in request.GET.lists() if name != SEARCH_VAR for text in (name, *texts))
        if any("\0" in text for text in given):
            raise IncorrectLookupParameters
        try:
            return super().get_changelist_instance(request)
        except (ValueError, OverflowError, DataError) as fault:
            raise IncorrectLookupParameters from fault

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> "tuple[QuerySet[Any], bool]":
        """Return the rows with each of the first words of `search_term`, and whether some may be there twice.

        Every word is one more condition on every column searched, and databases limit how many there may be.
        """
        words = smart_split(search_term.replace("\0", "")[:SEARCH_CHARACTERS])
        return super().get_search_results(request, queryset, " ".join(islice(words, SEARCH_WORDS)))


def _offered(entry: Any) -> str:
    """Return by which name an entry of `list_filter` is in the address."""
    field = entry[0] if isinstance(entry, tuple) else entry
    return str(getattr(field, "parameter_name", field))


def console_link(request: HttpRequest, workspace: Workspace, route: str, *arguments: Any) -> str:
    """Return the address of a page of the console in `workspace`, "" for those for whom it does not exist there."""
    if not isinstance(request.user, User) or not Workspace.objects.visible_to(request.user).filter(pk=workspace.pk):
        return ""
    return reverse(route, args=[workspace.slug, *arguments])


@admin.register(Organization)
class OrganizationAdmin(ReadOnly):
    """The tenants."""

    fields = ["id", "name", "created_at"]
    list_display = ["name", "created_at"]
    search_fields = ["name"]
    search_help_text = "By name."
    help_texts: ClassVar = {"name": "Its owners see in their audit log that you opened this page."}
    date_hierarchy = "created_at"
    ordering = ["name_key"]


@admin.register(Workspace)
class WorkspaceAdmin(ReadOnly):
    """The workspaces of all organizations."""

    fields = ["id", "name", "slug", "organization", "created_at"]
    list_display = ["name", "organization", "slug", "created_at"]
    list_select_related = ["organization"]
    search_fields = ["name", "slug", "organization__name"]
    search_help_text = "By name, address, or organization."
    help_texts: ClassVar = {
        "name": "Its members see in their audit log that you opened this page.",
        "slug": "The workspace is at /w/ followed by this.",
    }
    date_hierarchy = "created_at"
    ordering = ["name_key"]
    change_form_template = "admin/with_console.html"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **values: Any) -> Any:
        """Show the row, with the way to the console for those who see it there."""
        row = values.get("obj")
        context["console_url"] = console_link(request, row, "overview") if isinstance(row, Workspace) else ""
        return super().render_change_form(request, context, *args, **values)


@admin.register(Membership)
class MembershipAdmin(ReadOnly):
    """Who may do what in which workspace."""

    fields = ["user", "workspace", "role", "created_at"]
    list_display = ["user", "workspace", "role", "created_at"]
    list_filter = ["role"]
    search_fields = ["user__email", "workspace__name"]
    search_help_text = "By e-mail address or workspace."
    help_texts: ClassVar = {"role": "READ sees everything but secrets; WRITE also changes; ADMIN also manages members."}
    date_hierarchy = "created_at"
    ordering = ["-created_at"]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Membership]":
        """Return the rows with their people, without the hashes of their passwords."""
        rows: QuerySet[Membership] = super().get_queryset(request).select_related("user", "workspace")
        return rows.defer("user__password")


class StandingForm(ModelForm):  # type: ignore[type-arg]  # Django's class takes no argument when this runs
    """Who may be here. `people.set_standing` asks again, while it holds the rows."""

    def clean_is_active(self) -> bool:
        """Say beside its box that the last owner stays active."""
        active = bool(self.cleaned_data["is_active"])
        if not active:
            try:
                people.keep_an_owner(self.instance, field="is_active")
            except Invalid as refused:
                raise ValidationError(refused.message) from None
        return active


@admin.register(User)
class PersonAdmin(ReadOnly):
    """People. A superuser may let them in, keep them out, and give or take the admin site."""

    form = StandingForm
    fields = [
        "id", "email", "name", "organization", "organization_role", "is_active", "is_staff", "rights",
        "joined_at", "last_login",
    ]  # fmt: skip
    readonly_fields = [
        "id", "email", "name", "organization", "organization_role", "rights", "joined_at", "last_login",
    ]  # fmt: skip
    list_display = ["email", "name", "organization", "organization_role", "is_active", "rights", "last_login"]
    list_select_related = ["organization"]
    list_filter = ["is_active", "is_staff", "organization_role"]
    search_fields = ["email", "name", "organization__name"]
    search_help_text = "By e-mail address, name, or organization."
    help_texts: ClassVar = {
        "is_active": "Somebody who is not active cannot sign in; every session of theirs has ended.",
        "is_staff": "May sign in here, and belongs to the group Support.",
        "rights": "Support looks, validates and disables, and sees no secret. Superusers also manage who may be here.",
        "organization_role": "Administrators and owners may do everything in every workspace of their organization.",
    }
    date_hierarchy = "joined_at"
    ordering = ["email"]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[User]":
        """Return people without the hashes of their passwords, which no page here needs."""
        rows: QuerySet[User] = super().get_queryset(request).defer("password")
        return rows.annotate(in_support=Exists(Group.objects.filter(name=SUPPORT, user=OuterRef("pk"))))

    @admin.display(description="Rights in this site")
    def rights(self, row: User) -> str:
        """Say what a person may do in the admin site."""
        if not row.is_staff:
            return "none"
        return "superuser" if row.is_superuser else "Support" if getattr(row, "in_support", False) else "none yet"

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return whether this is a superuser looking at somebody else."""
        return isinstance(request.user, User) and request.user.is_superuser and obj != request.user

    @method_decorator(recently_authenticated_for(lambda request: request.method == "POST"))
    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a person, and change who may be here; that asks once more who it is."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Invalid as refused:  # between the form and the verb somebody else was faster
            messages.error(request, refused.message)
            return redirect(request.path)

    def save_model(self, request: HttpRequest, obj: User, form: "ModelForm[User]", change: bool) -> None:  # noqa: ARG002 - Django's signature
        """Change the two through the verb, which records it."""
        if form.changed_data and isinstance(request.user, User):
            people.set_standing(request.user, obj, active=obj.is_active, staff=obj.is_staff)


@admin.register(Event)
class EventAdmin(ReadOnly):
    """The audit log of all organizations."""

    fields = [
        "id", "at", "action", "actor_kind", "actor_label", "actor_id", "via", "ip", "agent", "object_kind",
        "object_label", "object_id", "workspace_label", "workspace_id", "organization_id", "changes", "number",
        "digest",
    ]  # fmt: skip
    readonly_fields = ["changes"]
    labels: ClassVar = {
        **ReadOnly.labels,
        "actor_label": "Who",
        "actor_kind": "Kind of actor",
        "actor_id": "Their ID",
        "object_label": "About",
        "object_kind": "Kind of object",
        "object_id": "ID of the object",
        "workspace_label": "Workspace",
    }
    list_display = ["at", "action", "actor_label", "object_label", "workspace_label"]
    list_filter = ["actor_kind", "object_kind"]
    search_fields = ["action", "actor_label", "object_label", "object_id", "workspace_label"]
    search_help_text = "By action (such as ai_llm.rotated), person, or what it is about: its name or its id."
    help_texts: ClassVar = {
        "via": "The door: a command, a token, the admin site. Blank is the console.",
        "changes": "The old and the new value of what changed. Of a secret there is a fingerprint and nothing more.",
        "digest": "Ties this event to the one before it; manage.py audit verify checks all of them.",
    }
    date_hierarchy = "at"
    ordering = ["-id"]

    @admin.display(description="Details")
    def changes(self, event: Event) -> str:
        """Return the details in lines, a change as "old → new"."""
        details = event.details if isinstance(event.details, dict) else {}
        lines = (
            (name.replace("_", " "), " → ".join(map(_words, value)) if events.is_change(name, value) else _words(value))
            for name, value in details.items()
        )
        return format_html_join("", "<div>{}: {}</div>", lines) or "-"


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "nothing"
    return "nothing" if value is None or value == "" else str(value)
