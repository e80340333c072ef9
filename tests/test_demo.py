"""`manage.py demo`: a sample of everything, made offline, once, and never among real data."""

import re
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from ai_llm.models import STATES, AiLlm, Check
from ai_llm.sandbox import Sandbox
from repositories import demo
from repositories.demo import connections
from repositories.models import AiApiKey, Attachment, Repository
from tests import build
from workspaces import verification
from workspaces.access import OrganizationRole
from workspaces.models import Event, Membership, Organization, User, Workspace


@pytest.fixture
def sandbox(settings: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The sandbox provider as `make sandbox` runs it, at a port that nobody else uses."""
    # What makes an installation ready works on the data folder and the real database.
    monkeypatch.setattr("repositories.management.commands.demo.prepare", lambda: None)
    with Sandbox() as started:
        settings.SANDBOX_PORT = started.port
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{started.port}"]
        yield started


def run(**options: bool) -> str:
    out = StringIO()
    call_command("demo", stdout=out, no_color=True, **options)
    return out.getvalue()


def numbers() -> list[int]:
    tables = (User, Workspace, Membership, AiLlm, Check, Repository, Attachment, AiApiKey, Event)
    return [table.objects.count() for table in tables]


@pytest.mark.django_db(transaction=True)
def test_the_sample_has_everything_once_and_says_how_to_sign_in(sandbox: Sandbox) -> None:
    said = run()
    assert {ai_llm.state for ai_llm in AiLlm.objects.filter(deleted_at=None)} == set(STATES)
    assert set(User.objects.values_list("organization_role", flat=True)) == set(OrganizationRole.values)
    assert set(Membership.objects.values_list("role", flat=True)) == {"READ", "WRITE", "ADMIN"}
    rows = AiLlm.objects.filter(deleted_at=None)
    assert any(row.former for row in rows)
    assert any(row.waiting for row in rows)
    assert rows.exclude(due_at=None).exists()
    assert rows.exclude(attention_at=None).exists()
    assert max(row.checks.count() for row in rows) > 20
    assert AiApiKey.objects.exclude(revoked_at=None).exists()
    assert AiApiKey.objects.exclude(expires_at=None).exists()
    assert all("sample" in name for name in Workspace.objects.values_list("name", flat=True))
    assert [fault for chain in verification.chains() if (fault := verification.verify(chain))] == []

    login = re.search(r"(olivia@\S+)", said)
    word = re.search(r"password\s+(\S+)", said)
    assert login
    assert word
    signing_in = {"login": login[1], "password": word[1]}
    assert Client().post("/account/login", signing_in).status_code == 303

    once = numbers()
    assert word[1] in run()
    assert numbers() == once


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_stopped_is_finished_by_the_next(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repositories.demo.groups.GROUPS", ())
    first, second, *_ = connections.connections()
    monkeypatch.setattr("repositories.demo.connections.connections", lambda: [first])
    run()
    Membership.objects.filter(user__email__startswith="rita").delete()
    members = Membership.objects.count()
    monkeypatch.setattr("repositories.demo.connections.connections", lambda: [first, second])
    run()
    assert set(AiLlm.objects.values_list("name", flat=True)) == {first.name, second.name}
    assert Membership.objects.count() == members + 2


def test_real_data_stays_alone(db: None, sandbox: Sandbox) -> None:
    build.organization("Acme")
    with pytest.raises(CommandError, match="--beside"):
        run()
    assert list(Organization.objects.values_list("name", flat=True)) == ["Acme"]


@pytest.mark.django_db(transaction=True)
def test_the_sample_may_stand_beside_it_when_told_so(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repositories.demo.connections.connections", list)
    monkeypatch.setattr("repositories.demo.groups.GROUPS", ())
    build.organization("Acme")
    run(beside=True)
    assert set(Organization.objects.values_list("name", flat=True)) == {"Acme", demo.ORGANIZATION}


def test_production_is_refused(db: None, settings: object, sandbox: Sandbox) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        run()
    assert not Organization.objects.exists()


def test_without_the_sandbox_among_the_targets_it_says_what_to_set(
    db: None, settings: object, sandbox: Sandbox
) -> None:
    settings.OUTBOUND_ALLOW = []
    with pytest.raises(CommandError, match="FLASHBACK_OUTBOUND_ALLOW"):
        run()


def test_the_password_belongs_to_this_installation(settings: object) -> None:
    here = demo.password()
    settings.SECRET_KEY = "another installation's signing key, which is long enough"
    assert demo.password() != here
