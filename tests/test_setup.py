"""How an installation gets its owner: the one-time link, the command, and the verb beneath both."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.conf import settings as django_settings
from django.core import signing
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from flashback.errors import Conflict, Denied, Invalid
from tests import build
from workspaces import organizations, setup, spaces
from workspaces.access import Access, OrganizationRole
from workspaces.management.commands import createowner
from workspaces.models import Event, Membership, Organization, User, Workspace

pytestmark = pytest.mark.django_db
PASSWORD = build.PASSWORD
GIVEN = {
    "organization": "Acme",
    "workspace": "Main",
    "name": "Olivia",
    "last_name": "Owner",
    "email": "olivia@example.com",
    "password": PASSWORD,
}


def path() -> str:
    return (setup.link() or "").removeprefix(django_settings.PUBLIC_URL)


def counts() -> tuple[int, int, int]:
    return Organization.objects.count(), User.objects.count(), Workspace.objects.count()


def errors(response: HttpResponse) -> dict[str, list[str]]:
    return dict(response.context["form"].errors)


# --- The page ---------------------------------------------------------------------------------------------------------


def test_whoever_follows_the_link_becomes_the_owner_and_lands_in_the_new_workspace() -> None:
    client = Client()
    assert client.get(path()).status_code == 200
    response = client.post(path(), GIVEN)
    assert (response.status_code, response.headers["Location"]) == (303, "/w/main/ai")
    owner = User.objects.get()
    assert (owner.email, owner.label, str(owner.organization)) == ("olivia@example.com", "Olivia Owner", "Acme")
    assert owner.organization_role == OrganizationRole.OWNER
    assert owner.check_password(PASSWORD)
    assert (owner.is_staff, owner.is_superuser) == (False, False)
    assert client.session["_auth_user_id"] == str(owner.pk)
    assert Client().post("/account/login", {"login": owner.email, "password": PASSWORD}).status_code == 303


def test_the_link_names_the_public_address() -> None:
    assert (setup.link() or "").startswith(f"{django_settings.PUBLIC_URL}/setup/")


def test_once_there_is_an_owner_link_and_page_are_closed_for_good() -> None:
    link = path()
    Client().post(link, GIVEN)
    assert setup.link() is None
    for response in (
        Client().get(link),
        Client().post(link, {**GIVEN, "email": "eve@example.com", "organization": "Eve"}),
    ):
        assert response.status_code == 410
        assert 'href="/account/login"' in response.text
    assert counts() == (1, 1, 1)


def test_an_owner_who_was_switched_off_does_not_open_the_setup_again() -> None:
    link = path()
    Client().post(link, GIVEN)
    User.objects.update(is_active=False)
    assert setup.link() is None
    assert Client().get(link).status_code == 410


def test_a_person_of_the_staff_alone_leaves_the_setup_open() -> None:
    build.person(None, is_staff=True, is_superuser=True)
    assert Client().get(path()).status_code == 200


@pytest.mark.parametrize(
    "spoil", [lambda token: token[:-1], lambda token: token + "x", lambda token: "x", str.swapcase]
)
def test_a_link_that_was_not_made_here_does_nothing(spoil) -> None:
    token = path().removeprefix("/setup/")
    response = Client().post(f"/setup/{spoil(token)}", GIVEN)
    assert response.status_code == 404
    assert "This link does not work" in response.text
    assert counts() == (0, 0, 0)


def test_a_link_works_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    link, now = path(), signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 24 * 3600 - 5)
    assert Client().get(link).status_code == 200
    monkeypatch.setattr(signing.time, "time", lambda: now + 24 * 3600 + 5)
    assert Client().get(link).status_code == 404


def test_a_form_that_was_open_while_somebody_else_became_the_owner_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link = path()
    organizations.found(**GIVEN)
    monkeypatch.setattr(setup, "is_open", lambda: True)
    response = Client().post(link, {**GIVEN, "email": "eve@example.com", "organization": "Eve"})
    assert response.status_code == 410
    assert counts() == (1, 1, 1)


def test_a_token_signed_for_something_else_does_nothing() -> None:
    assert not setup.accepts(signing.dumps("owner", salt="another purpose"))
    assert not setup.accepts(signing.dumps("another purpose", salt=setup.SALT))


def test_bad_input_is_refused_beside_its_field_and_keeps_what_was_typed_except_the_password() -> None:
    typed = {
        "organization": "\u200b",
        "workspace": "W" * 300,
        "name": "Oli\u202evia",
        "email": "no address",
        "password": "short",
    }
    response = Client().post(path(), typed)
    assert response.status_code == 422
    assert list(errors(response)) == ["organization", "workspace", "name", "email", "password"]
    assert 'value="no address"' in response.text
    assert "W" * 300 in response.text
    assert 'value="short"' not in response.text
    assert counts() == (0, 0, 0)


def test_a_form_with_nothing_in_it_says_what_is_missing() -> None:
    assert list(errors(Client().post(path(), {"name": ""}))) == ["organization", "workspace", "email", "password"]


@pytest.mark.parametrize("field", ["organization", "workspace", "name", "last_name", "email", "password"])
def test_a_nul_is_refused_and_never_an_error(field: str) -> None:
    response = Client().post(path(), {**GIVEN, field: "a\0b@example.com long enough"})
    assert (response.status_code, list(errors(response))) == (422, [field])


def test_markup_in_what_was_typed_stays_text() -> None:
    page = Client().post(path(), {**GIVEN, "organization": '"><script>alert(1)</script>', "password": "short"}).text
    assert "<script>alert" not in page


def test_a_password_like_the_address_is_refused() -> None:
    response = Client().post(path(), {**GIVEN, "email": "oliviaowner99@example.com", "password": "oliviaowner99"})
    assert "too similar" in errors(response)["password"][0]


def test_the_name_is_optional() -> None:
    assert Client().post(path(), {**GIVEN, "name": "", "last_name": ""}).status_code == 303
    assert User.objects.get().label == "olivia@example.com"


def test_other_methods_are_refused() -> None:
    assert Client().put(path()).status_code == 405


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_send_the_form_at_the_same_moment_one_wins() -> None:
    link = path()

    def send(number: int) -> int:
        given = {**GIVEN, "organization": f"Acme {number}", "email": f"olivia{number}@example.com"}
        try:
            return Client().post(link, given).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(send, range(6)))
    assert statuses == [303] + [410] * 5
    assert counts() == (1, 1, 1)


# --- The verb ---------------------------------------------------------------------------------------------------------


def test_founding_records_who_and_what() -> None:
    owner = organizations.found(**GIVEN)
    assert list(Event.objects.order_by("id").values_list("action", "actor_label", "object_label")) == [
        ("organization.created", "operator", "Acme"),
        ("person.created", "operator", "olivia@example.com"),
        ("workspace.created", "olivia@example.com", "Main"),
    ]
    assert set(Event.objects.values_list("organization_id", flat=True)) == {owner.organization_id}
    assert PASSWORD not in str(list(Event.objects.values()))


def test_the_founder_is_a_member_of_the_first_workspace_and_goes_there() -> None:
    owner = organizations.found(**GIVEN)
    membership = Membership.objects.get()
    assert (membership.user, membership.workspace, membership.role) == (owner, owner.last_workspace, Access.ADMIN.name)


def test_only_the_first_founds_when_asked_to_be_first() -> None:
    organizations.found(**GIVEN, first=True)
    with pytest.raises(Conflict):
        organizations.found(**{**GIVEN, "organization": "Other", "email": "other@example.com"}, first=True)
    assert counts() == (1, 1, 1)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"organization": "\uff21\uff23\uff2d\uff25", "email": "other@example.com"}, "organization"),
        ({"organization": "Other", "email": " OLIVIA@example.com "}, "email"),
        ({"organization": "Other", "email": "x" * 250 + "@example.com"}, "email"),
    ],
)
def test_names_and_addresses_are_taken_without_regard_to_how_they_are_written(
    change: dict[str, str], field: str
) -> None:
    organizations.found(**GIVEN)
    with pytest.raises(Invalid) as refused:
        organizations.found(**{**GIVEN, **change})
    assert list(refused.value.errors) == [field]
    assert counts() == (1, 1, 1)


def test_a_race_for_a_name_is_refused_like_a_taken_one(monkeypatch: pytest.MonkeyPatch) -> None:
    organizations.found(**GIVEN)
    real = organizations._taken
    monkeypatch.setattr(organizations, "_taken", Mock(side_effect=[{}, real({"organization": "Acme", "email": "x"})]))
    with pytest.raises(Invalid) as refused:
        organizations.found(**{**GIVEN, "email": "other@example.com"})
    assert refused.value.errors == {"organization": organizations.SAME_NAME}


def test_all_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "create", Mock(side_effect=RuntimeError))
    with pytest.raises(RuntimeError):
        organizations.found(**GIVEN)
    assert counts() == (0, 0, 0)
    assert Event.objects.count() == 0


# --- Workspaces -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Main", r"main"),
        ("  Team   Ä / 2 ", r"team-a-2"),
        ("日本語", r"workspace-[0-9a-f]{4}"),
        ("---", r"workspace-[0-9a-f]{4}"),
        ("x" * 120, "x{50}"),
    ],
)
def test_every_name_gets_an_address(name: str, slug: str) -> None:
    created = organizations.found(**{**GIVEN, "workspace": name}).last_workspace
    assert created
    assert re.fullmatch(slug, created.slug)


def test_two_names_with_the_same_address_are_told_apart() -> None:
    owner = organizations.found(**GIVEN)
    slugs = [spaces.create(owner, owner.organization, name=name).slug for name in ("Main!", "Main?", "Mäin")]
    assert slugs == ["main-2", "main-3", "main-4"]


def test_a_workspace_name_is_taken_once_per_organization() -> None:
    owner = organizations.found(**GIVEN)
    with pytest.raises(Invalid) as refused:
        spaces.create(owner, owner.organization, name="\uff2d\uff21\uff29\uff2e")
    assert refused.value.errors == {"name": spaces.SAME_NAME}
    other = organizations.found(**{**GIVEN, "organization": "Other", "email": "other@example.com"})
    assert other.last_workspace
    assert other.last_workspace.slug == "main"


def test_workspaces_are_created_by_those_who_may_and_at_home() -> None:
    owner = organizations.found(**GIVEN)
    person = build.person(owner.organization)
    with pytest.raises(Denied):
        spaces.create(person, owner.organization, name="Mine")
    with pytest.raises(Denied):
        spaces.create(owner, build.organization(), name="Theirs")
    person.organization_role = OrganizationRole.WORKSPACES
    assert spaces.create(person, owner.organization, name="Mine").memberships.get().user == person


# --- The command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder of this test's own, and a clean environment."""
    settings.DATA_DIR, settings.KEYS_PENDING = tmp_path / "data", []
    monkeypatch.delenv(createowner.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    mask = os.umask(0o022)
    yield tmp_path / "data"
    os.umask(mask)


def createowner_says(**options: str) -> str:
    told = io.StringIO()
    given = {"email": "olivia@example.com", "organization": "Acme", "workspace": "Main", **options}
    call_command("createowner", stdout=told, **given)
    return told.getvalue()


def test_the_command_makes_what_the_page_makes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(createowner.VARIABLE, PASSWORD)
    said = createowner_says(name="Olivia")
    assert said == f"olivia@example.com owns Acme. Sign in at {django_settings.PUBLIC_URL}/account/login\n"
    assert counts() == (1, 1, 1)
    assert User.objects.get().check_password(PASSWORD)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert setup.link() is None


def test_the_password_may_come_from_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(" with blanks around it \n"))
    createowner_says()
    assert User.objects.get().check_password(" with blanks around it ")


def test_the_password_may_be_typed_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Mock(isatty=lambda: True))
    monkeypatch.setattr(createowner, "getpass", Mock(side_effect=[PASSWORD, "another one", PASSWORD, PASSWORD]))
    with pytest.raises(CommandError, match="differ"):
        createowner_says()
    assert counts() == (0, 0, 0)
    createowner_says()
    assert counts() == (1, 1, 1)


def test_run_again_it_asks_nothing_changes_nothing_and_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = organizations.found(**GIVEN)
    monkeypatch.setenv(createowner.VARIABLE, "a different long passphrase")
    assert (
        createowner_says(email="Olivia@Example.com") == "olivia@example.com owns Acme already. Nothing was changed.\n"
    )
    assert User.objects.get().password == owner.password
    assert counts() == (1, 1, 1)


def test_another_organization_is_one_more_tenant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    organizations.found(**GIVEN)
    monkeypatch.setenv(createowner.VARIABLE, PASSWORD)
    createowner_says(email="other@example.com", organization="Other")
    assert counts() == (2, 2, 2)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"organization": "Other"}, "There is already a person with the e-mail address olivia@example.com."),
        ({"email": "other@example.com"}, "There is already an organization named Acme."),
    ],
)
def test_half_of_it_taken_is_a_failure_that_changes_nothing(folder: Path, options: dict[str, str], says: str) -> None:
    organizations.found(**GIVEN)
    with pytest.raises(CommandError, match=re.escape(says)):
        createowner_says(**options)
    assert counts() == (1, 1, 1)


def test_bad_values_are_named_by_option_and_the_password_is_not_repeated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(createowner.VARIABLE, "tiny")
    with pytest.raises(CommandError) as refused:
        createowner_says(email="no address", workspace=" ")
    assert str(refused.value).startswith("Nothing was created. --workspace: Enter")
    assert "--email: Enter an e-mail address" in str(refused.value)
    assert "too short" in str(refused.value)
    assert "tiny" not in str(refused.value)
    assert counts() == (0, 0, 0)


@pytest.mark.server
def test_the_command_runs_on_an_empty_machine(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", createowner.VARIABLE}}
    command = [sys.executable, "manage.py", "createowner", "--email=a@example.com", "--organization=A", "--workspace=W"]
    run = subprocess.run(
        command,
        cwd=django_settings.BASE_DIR,
        env={**environment, "FLASHBACK_DATA_DIR": str(tmp_path / "data")},
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("a@example.com owns A.")
    assert (tmp_path / "data" / "flashback.sqlite3").stat().st_mode & 0o777 == 0o600
