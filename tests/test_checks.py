"""The project's own system checks: each finds its fault, and a right configuration passes them all."""

import subprocess
import sys
from pathlib import Path

import pytest
from django import forms
from django.contrib import admin
from django.contrib.admin.sites import all_sites
from django.db import models
from django.test.utils import isolate_apps
from encrypted_model_fields.fields import EncryptedCharField, EncryptedTextField

from ai_llm.models import AiLlm, Credential
from flashback import checks, keyring
from flashback.sealed import SealedField

ROOT = Path(__file__).resolve().parent.parent
SQLITE = "django.db.backends.sqlite3"


def ids(found):
    return [message.id for message in found]


@pytest.fixture
def site():
    """A scratch admin site, gone after the test."""
    scratch = admin.AdminSite(name="scratch")
    yield scratch
    all_sites.discard(scratch)


# --- Sealed fields ----------------------------------------------------------------------------------------------------


def test_the_project_itself_has_no_fault():
    found = [checks.no_bare_field(), checks.no_sealed_field_in_admin(), checks.no_sealed_field_in_forms()]
    assert found == [[], [], []]


@isolate_apps("flashback")
def test_a_bare_field_of_the_package_is_an_error():
    class Scratch(models.Model):
        text = EncryptedTextField()
        name = EncryptedCharField(max_length=10)
        good = SealedField(null=True)

        class Meta:
            app_label = "flashback"

        def __str__(self):
            return "scratch"

    found = checks.no_bare_field(Scratch._meta.apps.get_app_configs())
    assert ids(found) == ["flashback.E001", "flashback.E001"]
    assert {error.obj.name for error in found} == {"text", "name"}


@pytest.mark.parametrize(
    "options",
    [
        {"list_display": ["origin", "secret"]},
        {"list_filter": ["key"]},
        {"list_filter": [("secret", admin.EmptyFieldListFilter)]},
        {"search_fields": ["^secret"]},
        {"readonly_fields": ["secret"]},
        {"fields": [("origin", "key")]},
        {"fieldsets": [(None, {"fields": ["origin", ("secret",)]})]},
        {"ordering": ["-secret"]},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_sealed_field_in_the_admin_is_an_error(site, options):
    site.register(Credential, type("Scratch", (admin.ModelAdmin,), options))
    assert ids(checks.no_sealed_field_in_admin()) == ["flashback.E002"]


@pytest.mark.parametrize("path", ["credential__secret", "fallback__key__isnull", "=credential__key"])
def test_a_sealed_field_behind_a_relation_is_an_error_too(site, path):
    site.register(AiLlm, type("Scratch", (admin.ModelAdmin,), {"search_fields": [path]}))
    assert ids(checks.no_sealed_field_in_admin()) == ["flashback.E002"]


def test_inlines_are_looked_at(site):
    inline = type("Inline", (admin.TabularInline,), {"model": Credential, "readonly_fields": ["secret"]})
    from workspaces.models import Workspace

    site.register(Workspace, type("Scratch", (admin.ModelAdmin,), {"inlines": [inline]}))
    assert ids(checks.no_sealed_field_in_admin()) == ["flashback.E002"]


def test_other_fields_of_the_same_model_are_fine(site):
    site.register(
        Credential, type("Scratch", (admin.ModelAdmin,), {"list_display": ["origin", "hint", "set_by__email"]})
    )
    assert checks.no_sealed_field_in_admin() == []


def test_a_model_form_with_a_sealed_name_is_an_error():
    class Scratch(forms.ModelForm):
        secret = forms.CharField()

        class Meta:
            model = Credential
            fields = ["origin"]

    found = [error for error in checks.no_sealed_field_in_forms() if error.obj is Scratch]
    # Subclasses are only forgotten when they are collected, so the name goes now.
    del Scratch.base_fields["secret"]
    assert ids(found) == ["flashback.E003"]


# --- Settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("atomic", "mode", "expected"),
    [(True, "IMMEDIATE", ["flashback.E004"]), (True, "DEFERRED", []), (False, "IMMEDIATE", [])],
)
def test_a_write_lock_around_every_request_is_an_error(monkeypatch, settings, atomic, mode, expected):
    database = {"ENGINE": SQLITE, "ATOMIC_REQUESTS": atomic, "OPTIONS": {"transaction_mode": mode}}
    monkeypatch.setattr(settings._wrapped, "DATABASES", {"default": database})
    assert ids(checks.no_long_write_locks()) == expected


LOCAL = "django.core.cache.backends.locmem.LocMemCache"
SHARED = "django.core.cache.backends.redis.RedisCache"


@pytest.mark.parametrize(
    ("workers", "backend", "expected"), [(2, LOCAL, ["flashback.W001"]), (1, LOCAL, []), (2, SHARED, [])]
)
def test_several_processes_need_a_shared_cache(monkeypatch, settings, workers, backend, expected):
    settings.WORKERS = workers
    monkeypatch.setattr(settings._wrapped, "CACHES", {"default": {"BACKEND": backend}})
    assert ids(checks.shared_cache()) == expected


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["flashback.example.com"], []),
        ([], ["flashback.E005"]),
        (["*"], ["flashback.E005"]),
        (["flashback.example.com", ".example.com"], ["flashback.E005"]),
        ([""], ["flashback.E005"]),
    ],
)
def test_production_answers_to_named_hosts_only(settings, hosts, expected):
    settings.ALLOWED_HOSTS = hosts
    settings.PRODUCTION = True
    assert ids(checks.real_hosts()) == expected
    settings.PRODUCTION = False
    assert checks.real_hosts() == []


@pytest.mark.server
def test_a_right_production_configuration_is_clean_for_deployment(tmp_path):
    environment = {
        "PATH": "/usr/bin:/bin",
        "FLASHBACK_ENV": "production",
        "FLASHBACK_PUBLIC_URL": "https://flashback.example.com",
        "FLASHBACK_TRUSTED_PROXIES": "10.0.0.5",
        "FLASHBACK_DATA_DIR": str(tmp_path),
        "DATABASE_URL": "postgres://flashback:p@127.0.0.1/flashback",
        "CACHE_URL": "rediscache://127.0.0.1:6379/0",
        "FLASHBACK_FIELD_KEYS": keyring.new_field_key(),
        "FLASHBACK_SECRET_KEY": keyring.new_secret_key(),
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (ended.stdout.split(" (")[0], ended.stderr) == ("System check identified no issues", "")
