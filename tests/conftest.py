"""People that every test may ask for by name, and the walls around a test."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from encrypted_model_fields import fields as package

from tests import build
from workspaces import append_only
from workspaces.access import OrganizationRole
from workspaces.models import Organization, User, Workspace

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what this machine cannot run, and say how to enable it; FLASHBACK_REQUIRE_ALL=1 makes it an error."""
    on_postgres = django_settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
    reasons = {
        "browser": "" if CHROMIUM else "no Chromium here; install the package chromium to run the browser tests",
        "postgres": "" if on_postgres else "set DATABASE_URL=postgres://… to run this on PostgreSQL",
    }
    if os.environ.get("FLASHBACK_REQUIRE_ALL") == "1" and reasons["browser"]:
        raise pytest.UsageError(f"FLASHBACK_REQUIRE_ALL is set, but there is {reasons['browser']}.")
    for item in items:
        for mark, reason in reasons.items():
            if reason and mark in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep SQLite in a file, as an installation does: in memory, threads refuse each other without waiting."""
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "flashback.sqlite3")


@pytest.fixture(autouse=True)
def walls(settings: object) -> Iterator[None]:
    """Hash fast and start every test with empty counters."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True, scope="session")
def clearing() -> Iterator[None]:
    """Let Django clear the tables after a test with transactions; the audit log refuses it otherwise."""
    operations = type(connection.ops)
    clear = operations.execute_sql_flush

    def lifted(self: object, statements: list[str]) -> None:
        with append_only.lifted():
            clear(self, statements)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "execute_sql_flush", lifted)
        yield


@dataclass(frozen=True)
class People:
    """An organization with one workspace, the kinds of people there are, and a stranger elsewhere."""

    organization: Organization
    workspace: Workspace
    owner: User
    admin: User
    writer: User
    reader: User
    outsider: User
    stranger: User
    strange_workspace: Workspace
    staff: User


@pytest.fixture
def people(db: None) -> People:
    """Owner, admin, writer, reader of one workspace; outsider (same organization), stranger, staff."""
    acme, other = build.organization("Acme"), build.organization("Other")
    main, foreign = build.workspace(acme, "Main"), build.workspace(other, "Foreign")
    return People(
        organization=acme,
        workspace=main,
        owner=build.person(acme, "Olivia Owner", role=OrganizationRole.OWNER),
        admin=build.person(acme, "Ada Admin", member_of=main, access="ADMIN"),
        writer=build.person(acme, "Will Writer", member_of=main, access="WRITE"),
        reader=build.person(acme, "Rita Reader", member_of=main, access="READ"),
        outsider=build.person(acme, "Otto Outsider"),
        stranger=build.person(other, "Sam Stranger", role=OrganizationRole.OWNER),
        strange_workspace=foreign,
        staff=build.person(None, "Stella Staff", is_staff=True, is_superuser=True),
    )


@pytest.fixture
def ring(settings: object, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Work with these keyring keys from now on, as after a restart."""

    def use(*keys: str) -> None:
        settings.FIELD_ENCRYPTION_KEY = list(keys)
        monkeypatch.setattr(package, "CRYPTER", package.get_crypter())

    return use


@pytest.fixture
def signed_in() -> Callable[[User], Client]:
    """A client that is signed in as the given person."""

    def sign_in(person: User) -> Client:
        client = Client()
        client.force_login(person, backend=django_settings.AUTHENTICATION_BACKENDS[0])
        return client

    return sign_in
