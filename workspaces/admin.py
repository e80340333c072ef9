"""The admin site for the installation's own staff: much to look at, next to nothing to change, no secret at all."""

from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.db import DataError
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from django.utils.text import smart_split

from flashback.web import see_other
from workspaces import people
from workspaces.models import Event, Membership, Organization, User, Workspace
from workspaces.sessions import leaving

admin.site.site_title = admin.site.site_header = "Flashback administration"
admin.site.index_title = "What is stored"
# Signing in, with its limits, and passwords have one door: that of the console.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # as allauth's documentation has it
admin.site.logout = leaving(admin.site.logout)  # type: ignore[assignment, method-assign]  # only a header more


def change_password(request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Lead to the console's page, which counts attempts."""
    return see_other("account_change_password")


admin.site.password_change = change_password  # type: ignore[assignment, method-assign]  # one page for it in the whole installation

# These two packages register models through which rights could be handed out, or people signed in, without an event.
for module, model in (("django.contrib.auth.admin", "auth.Group"), ("allauth.account.admin", "account.EmailAddress")):
    import_module(module)
    admin.site.unregister(apps.get_model(model))


_all_urls = admin.site.get_urls


def get_urls() -> list[URLPattern | URLResolver]:
    """Return Django's routes without the one from a row to its page elsewhere: no row has one."""
    return [route for route in _all_urls() if getattr(route, "name", "") != "view_on_site"]


admin.site.get_urls = get_urls  # type: ignore[method-assign]  # Django has no setting for it

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

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Return that nothing is added here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Return that nothing is changed here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Return that nothing is deleted here."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Return whether the address may filter by `lookup`: only by what the page offers: nothing can be guessed."""
        offered = {str(entry[0] if isinstance(entry, tuple) else entry) for entry in self.list_filter}
        field, _, kind = lookup.partition("__")
        kinds = DATES if field == self.date_hierarchy else FILTERS if field in offered else frozenset()
        return kind in kinds and super().lookup_allowed(lookup, value, request)

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


@admin.register(Organization)
class OrganizationAdmin(ReadOnly):
    """The tenants."""

    fields = ["id", "name", "created_at"]
    list_display = ["name", "created_at"]
    search_fields = ["name"]
    date_hierarchy = "created_at"
    ordering = ["name_key"]


@admin.register(Workspace)
class WorkspaceAdmin(ReadOnly):
    """The workspaces of all organizations."""

    fields = ["id", "name", "slug", "organization", "created_at"]
    list_display = ["name", "organization", "slug", "created_at"]
    list_select_related = ["organization"]
    search_fields = ["name", "organization__name"]
    date_hierarchy = "created_at"
    ordering = ["name_key"]


@admin.register(Membership)
class MembershipAdmin(ReadOnly):
    """Who may do what in which workspace."""

    fields = ["user", "workspace", "role", "created_at"]
    list_display = ["user", "workspace", "role", "created_at"]
    list_select_related = ["user", "workspace"]
    list_filter = ["role"]
    search_fields = ["user__email", "workspace__name"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]


@admin.register(User)
class PersonAdmin(ReadOnly):
    """People. A superuser may let them in, keep them out, and give or take the admin site."""

    fields = [
        "id", "email", "name", "organization", "organization_role", "is_active", "is_staff", "is_superuser",
        "joined_at", "last_login",
    ]  # fmt: skip
    readonly_fields = [
        "id", "email", "name", "organization", "organization_role", "is_superuser", "joined_at", "last_login",
    ]  # fmt: skip
    list_display = ["email", "name", "organization", "organization_role", "is_active", "is_staff", "last_login"]
    list_select_related = ["organization"]
    list_filter = ["is_active", "is_staff", "organization_role"]
    search_fields = ["email", "name", "organization__name"]
    date_hierarchy = "joined_at"
    ordering = ["email"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return whether this is a superuser looking at somebody else."""
        return isinstance(request.user, User) and request.user.is_superuser and obj != request.user

    def save_model(self, request: HttpRequest, obj: User, form: "ModelForm[User]", change: bool) -> None:  # noqa: ARG002
        """Change the two through the verb, which records it."""
        if form.changed_data and isinstance(request.user, User):
            people.set_standing(request.user, obj, active=obj.is_active, staff=obj.is_staff)


@admin.register(Event)
class EventAdmin(ReadOnly):
    """The audit log of all organizations."""

    fields = [
        "id", "at", "action", "actor_label", "actor_id", "object_kind", "object_label", "object_id", "workspace_label",
        "workspace_id", "organization_id", "details",
    ]  # fmt: skip
    list_display = ["at", "action", "actor_label", "object_label", "workspace_label"]
    list_filter = ["object_kind"]
    search_fields = ["action", "actor_label", "object_label"]
    date_hierarchy = "at"
    ordering = ["-id"]
