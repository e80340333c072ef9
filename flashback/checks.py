"""System checks: what must hold in every installation of this project, and what must hold in production."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from django import forms
from django.apps import apps
from django.apps.config import AppConfig
from django.conf import settings
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.sites import all_sites
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from encrypted_model_fields import fields as package

from flashback.sealed import SealedField

Configs = Iterable[AppConfig] | None
ADMIN_OPTIONS = ("list_display", "list_filter", "search_fields", "readonly_fields", "fields", "ordering")


@register
def no_bare_field(app_configs: Configs = None, **_: Any) -> list[CheckMessage]:
    """Refuse a field of the package that is not sealed: it gives its plaintext to forms, dumps and queries."""
    configs = apps.get_app_configs() if app_configs is None else app_configs
    fields = chain.from_iterable(model._meta.local_fields for config in configs for model in config.get_models())
    return [
        Error(
            "A field of encrypted_model_fields is used bare.", hint="Use SealedField.", obj=field, id="flashback.E001"
        )
        for field in fields
        if isinstance(field, package.EncryptedMixin) and not isinstance(field, SealedField)
    ]


@register
def no_sealed_field_in_admin(app_configs: Configs = None, **_: Any) -> list[CheckMessage]:
    """Refuse an admin class that names a sealed field."""
    del app_configs
    return [
        Error(f"{option} names the sealed field {name!r}.", obj=type(admin), id="flashback.E002")
        for admin in _admins()
        for option, names in _options(admin)
        for name in _names(names)
        if _is_sealed(admin.model, name)
    ]


@register
def no_sealed_field_in_forms(app_configs: Configs = None, **_: Any) -> list[CheckMessage]:
    """Refuse a ModelForm that has a field named as a sealed field of its model."""
    del app_configs
    return [
        Error(f"The form has the sealed field {name!r}.", hint="Use a plain Form.", obj=form, id="flashback.E003")
        for form in _subclasses(forms.ModelForm)
        if form._meta.model is not None
        for name in form.base_fields
        if _is_sealed(form._meta.model, name)
    ]


@register
def no_long_write_locks(app_configs: Configs = None, **_: Any) -> list[CheckMessage]:
    """Refuse a transaction around every request where each transaction locks the database for writing."""
    del app_configs
    return [
        Error(
            f"The database {alias!r} has ATOMIC_REQUESTS with immediate transactions: each page would lock all others.",
            hint="Set ATOMIC_REQUESTS to False.",
            id="flashback.E004",
        )
        for alias, database in settings.DATABASES.items()
        if database.get("ATOMIC_REQUESTS")
        and database["ENGINE"].endswith("sqlite3")
        and str(database.get("OPTIONS", {}).get("transaction_mode", "")).upper() in {"IMMEDIATE", "EXCLUSIVE"}
    ]


@register
def shared_cache(app_configs: Configs = None, **_: Any) -> list[CheckMessage]:
    """Warn when several processes count limits each for itself."""
    del app_configs
    local = settings.CACHES["default"]["BACKEND"].endswith(("LocMemCache", "DummyCache"))
    if settings.WORKERS == 1 or not local:
        return []
    text = f"{settings.WORKERS} processes share no cache, so limits on sign-in and checks count in each one apart."
    return [checks.Warning(text, hint="Set CACHE_URL to Redis or to a database cache.", id="flashback.W001")]


@register
def real_hosts(app_configs: Configs = None, **_: Any) -> list[CheckMessage]:
    """Refuse production without a named host, or with a wildcard."""
    del app_configs
    if not settings.PRODUCTION:
        return []
    hosts = settings.ALLOWED_HOSTS
    wild = [host for host in hosts if not host or host.startswith(".") or "*" in host]
    if hosts and not wild:
        return []
    text = f"ALLOWED_HOSTS is {hosts!r}; production answers to named hosts only."
    return [Error(text, hint="Set FLASHBACK_PUBLIC_URL to the address that people type.", id="flashback.E005")]


def _admins() -> Iterator["BaseModelAdmin[Any]"]:
    for site in all_sites:
        for admin in site._registry.values():
            yield admin
            yield from (inline(admin.model, site) for inline in _inlines(admin))


def _inlines(admin: "ModelAdmin[Any]") -> Iterable[Any]:
    return admin.inlines


def _options(admin: "BaseModelAdmin[Any]") -> Iterator[tuple[str, Any]]:
    """Yield what names fields: the plain options, then the fields of each fieldset."""
    yield from ((option, getattr(admin, option, None)) for option in ADMIN_OPTIONS)
    yield from (("fieldsets", options.get("fields")) for _, options in admin.fieldsets or ())


def _names(option: Any) -> Iterator[str]:
    """Yield the field names in an admin option: plain, in nested rows, with a prefix (`^`, `-`), in (name, filter)."""
    for item in option or ():
        if isinstance(item, str):
            yield item.lstrip("^=@-")
        elif isinstance(item, list | tuple):
            yield from _names(item)


def _is_sealed(model: type[models.Model], path: str) -> bool:
    """Tell whether a lookup path such as credential__secret comes by a sealed field."""
    for part in path.split("__"):
        try:
            field = model._meta.get_field(part)
        except FieldDoesNotExist:
            return False
        if isinstance(field, SealedField):
            return True
        if not isinstance(field.related_model, type):
            return False
        model = field.related_model
    return False


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
