"""The verbs on AI LLMs: what they store, what they refuse, and what they leave in the audit log."""

import re
import time
from collections.abc import Callable
from threading import Event as Signal
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from ai_llm import configs, credentials
from ai_llm.models import AiLlm, Credential
from flashback.errors import Conflict, Denied, Invalid
from tests import build
from tests.conftest import People
from workspaces.models import Event

NEW_SECRET = "sandbox-openai-secret-fedcba9876543210"


def stored_bytes() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM ai_llm_credential")
        return repr(cursor.fetchall())


def actions() -> list[str]:
    return list(Event.objects.order_by("id").values_list("action", flat=True))


def test_create_seals_the_secret_and_records_one_event(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace, name="prod-openai-gateway", key="organization-key")
    credential = Credential.objects.get()
    assert credentials.open_secret(credential) == (build.SECRET, "organization-key")
    assert (credential.hint, credential.origin) == ("cdef", "https://api.openai.com:443")
    assert build.SECRET not in stored_bytes()
    event = Event.objects.get()
    assert (event.action, event.actor_id, event.object_id) == ("ai_llm.created", people.writer.pk, str(found.pk))
    assert event.details == {"name": "prod-openai-gateway", "type": "OPENAI", "endpoint": "https://api.openai.com/v1"}


@pytest.mark.parametrize("who", ["reader", "outsider", "stranger", "staff"])
def test_people_without_write_create_nothing(who: str, people: People) -> None:
    with pytest.raises(Denied):
        build.ai_llm(getattr(people, who), people.workspace)
    assert not AiLlm.objects.exists()
    assert not Credential.objects.exists()


@pytest.mark.parametrize(
    "name",
    ["prod", "PROD", "  prod ", "ｐｒｏｄ", "pROd"],
)
def test_names_are_unique_without_regard_to_case_or_form(name: str, people: People) -> None:
    build.ai_llm(people.writer, people.workspace, name="Prod")
    with pytest.raises(Invalid) as refused:
        build.ai_llm(people.writer, people.workspace, name=name)
    assert refused.value.errors == {"name": configs.SAME_NAME}


def test_the_same_name_is_free_in_another_workspace_and_after_deletion(people: People) -> None:
    first = build.ai_llm(people.owner, people.workspace, name="prod")
    build.ai_llm(people.owner, build.workspace(people.organization), name="prod")
    configs.delete(people.owner, first)
    build.ai_llm(people.owner, people.workspace, name="prod")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x" * 300, "has 300 characters; at most 120"),
        ("   ", "letters, figures or signs"),
        ("", "letters, figures or signs"),
        ("invoice\u202egnp.exe", "U+202E"),
        ("a\u200bb", "U+200B"),
        ("nul\0", "U+0000"),
        ("\ufffd\ufffd", "could not be read"),
        ("a" + "\u0301" * 50, "stacks"),
        ("\ufdfa" * 40, "signs that stand for whole words"),
    ],
)
def test_unusable_names_say_what_to_do(name: str, says: str, people: People) -> None:
    with pytest.raises(Invalid) as refused:
        build.ai_llm(people.writer, people.workspace, name=name)
    assert says in refused.value.errors["name"]


def test_sending_the_same_form_twice_makes_one_row(people: People) -> None:
    row = uuid4()
    first = build.ai_llm(people.writer, people.workspace, id=row, name="prod")
    again = build.ai_llm(people.writer, people.workspace, id=row, name="prod")
    assert first.pk == again.pk
    assert (AiLlm.objects.count(), Credential.objects.count(), actions()) == (1, 1, ["ai_llm.created"])


@pytest.mark.parametrize("other", [{"secret": NEW_SECRET}, {"name": "other"}, {"key": "a-key-of-another-time"}])
def test_sending_the_same_form_with_other_content_changes_nothing(other: dict[str, str], people: People) -> None:
    row = uuid4()
    build.ai_llm(people.writer, people.workspace, id=row, name="prod")
    before = stored_bytes()
    with pytest.raises(configs.AlreadyCreated):
        build.ai_llm(people.writer, people.workspace, id=row, **{"name": "prod", **other})
    assert stored_bytes() == before
    assert AiLlm.objects.get().name == "prod"


def test_the_id_of_a_deleted_or_foreign_row_is_refused(people: People) -> None:
    deleted = build.ai_llm(people.writer, people.workspace, name="gone")
    configs.delete(people.writer, deleted)
    foreign = build.ai_llm(people.stranger, people.strange_workspace)
    for row in (deleted.pk, foreign.pk):
        with pytest.raises(Conflict, match="was deleted"):
            build.ai_llm(people.writer, people.workspace, id=row, name="gone")


def test_a_new_name_keeps_the_secret_and_the_verdict(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace, name="prod")
    AiLlm.objects.update(verdict="accepted")
    before = stored_bytes()
    configs.update(people.writer, found, name="renamed", endpoint=found.endpoint, version=found.version)
    found.refresh_from_db()
    assert (found.name, found.verdict, found.version) == ("renamed", "accepted", 2)
    assert stored_bytes() == before
    assert Event.objects.order_by("id").last().details == {"name": ["prod", "renamed"]}


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://api.openai.example/v1",
        "https://api.openai.com:8443/v1",
        "https://api.openai.com/other-tenant/v1",
    ],
)
def test_another_destination_needs_the_secret_again(endpoint: str, people: People, settings: object) -> None:
    settings.OUTBOUND_ALLOW = ["api.openai.com:8443"]
    found = build.ai_llm(people.writer, people.workspace)
    with pytest.raises(Invalid) as refused:
        configs.update(people.writer, found, name=found.name, endpoint=endpoint, version=1)
    assert refused.value.errors == {"secret": configs.SECRET_AGAIN}
    moved = configs.update(people.writer, found, name=found.name, endpoint=endpoint, version=1, secret=NEW_SECRET)
    assert moved.endpoint == endpoint
    assert credentials.open_secret(Credential.objects.get()) == (NEW_SECRET, "")


@pytest.mark.parametrize("endpoint", ["https://api.openai.com/v1/", "https://api.openai.com"])
def test_a_trailing_slash_or_the_version_keeps_the_secret(endpoint: str, people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace)
    before = stored_bytes()
    configs.update(people.writer, found, name=found.name, endpoint=endpoint, version=1)
    assert stored_bytes() == before


def test_the_second_of_two_editors_is_told(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace)
    configs.update(people.writer, found, name="first", endpoint=found.endpoint, version=1)
    with pytest.raises(Conflict, match="Somebody else changed"):
        configs.update(people.admin, found, name="second", endpoint=found.endpoint, version=1)
    assert AiLlm.objects.get().name == "first"


def test_replacing_the_secret_leaves_nothing_of_the_old_one(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace, key="organization-key")
    AiLlm.objects.update(verdict="rejected")
    before = stored_bytes()
    configs.replace_secret(people.admin, found, secret=NEW_SECRET)
    credential = Credential.objects.get()
    assert credentials.open_secret(credential) == (NEW_SECRET, "organization-key")
    assert (credential.hint, credential.set_by) == ("3210", people.admin)
    old_token = re.findall(r"gAAAA[\w=-]+", before)
    assert not [token for token in old_token if token in stored_bytes()][1:]
    assert AiLlm.objects.get().verdict == ""
    assert actions() == ["ai_llm.created", "ai_llm.secret_replaced"]


def test_an_api_key_can_be_removed(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace, key="organization-key")
    configs.replace_secret(people.writer, found, secret=NEW_SECRET, remove_key=True)
    assert credentials.open_secret(Credential.objects.get()) == (NEW_SECRET, "")


def test_delete_purges_the_credential_and_keeps_the_row_for_the_audit(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace)
    configs.delete(people.writer, found)
    assert not Credential.objects.exists()
    assert AiLlm.objects.get().deleted_at is not None
    assert list(AiLlm.objects.visible_to(people.owner)) == []
    assert actions() == ["ai_llm.created", "ai_llm.deleted"]


def test_what_was_deleted_meanwhile_is_a_conflict(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace)
    configs.delete(people.writer, found)
    with pytest.raises(Conflict):
        configs.delete(people.writer, found)
    with pytest.raises(Conflict):
        configs.replace_secret(people.writer, found, secret=NEW_SECRET)
    with pytest.raises(Conflict):
        configs.update(people.writer, found, name="x", endpoint=found.endpoint, version=1)


@pytest.mark.parametrize("verb", ["update", "replace_secret", "delete"])
@pytest.mark.parametrize("who", ["reader", "outsider", "stranger"])
def test_people_without_write_change_nothing(verb: str, who: str, people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace)
    values = {
        "update": {"name": "x", "endpoint": found.endpoint, "version": 1},
        "replace_secret": {"secret": NEW_SECRET},
        "delete": {},
    }[verb]
    with pytest.raises(Denied):
        getattr(configs, verb)(getattr(people, who), found, **values)
    assert actions() == ["ai_llm.created"]


def test_a_new_secret_in_edit_is_never_validated(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace)
    AiLlm.objects.update(verdict="accepted")
    configs.update(people.writer, found, name=found.name, endpoint=found.endpoint, version=1, secret=NEW_SECRET)
    assert AiLlm.objects.get().verdict == ""


@pytest.mark.parametrize(("change", "left"), [({"key": "a-new-key"}, "a-new-key"), ({"remove_key": True}, "")])
def test_the_api_key_alone_changes_beside_its_secret(change: dict[str, Any], left: str, people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace, key="organization-key")
    AiLlm.objects.update(verdict="accepted")
    configs.update(people.writer, found, **change)
    held = Credential.objects.get()
    assert credentials.open_secret(held) == (build.SECRET, left)
    assert AiLlm.objects.get().verdict == ""
    assert Event.objects.order_by("id").last().details == {"key": held.key_fingerprint}


def test_an_api_key_alone_needs_a_secret_beside_it(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace, type="OTHER", secret="", keyless=True)
    moved = build.ai_llm(people.writer, people.workspace, name="moved")
    with pytest.raises(Invalid) as refused:
        configs.update(people.writer, found, key="a-new-key")
    assert refused.value.errors == {"secret": configs.NO_SECRET}
    with pytest.raises(Invalid) as refused:
        configs.update(people.writer, moved, endpoint="https://llm.example.com/v1", key="a-new-key")
    assert refused.value.errors == {"secret": configs.SECRET_AGAIN}


def test_another_type_needs_the_secret_again(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace)
    with pytest.raises(Invalid) as refused:
        configs.update(people.writer, found, type="OTHER")
    assert refused.value.errors == {"secret": configs.SECRET_AGAIN}
    moved = configs.update(people.writer, found, type="OTHER", secret=NEW_SECRET)
    assert (AiLlm.objects.get().type, credentials.open_secret(moved.credential)) == ("OTHER", (NEW_SECRET, ""))
    assert Credential.objects.count() == 1
    assert Event.objects.order_by("id").last().details["type"] == ["OPENAI", "OTHER"]


def test_what_is_not_given_stays(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace, name="prod")
    configs.update(people.writer, found, endpoint="https://api.openai.com")
    configs.update(people.writer, found, name="renamed")
    row = AiLlm.objects.get()
    assert (row.name, row.endpoint, row.version) == ("renamed", "https://api.openai.com", 3)


def test_a_guessed_version_does_not_carry_a_secret_to_another_destination(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace, type="OTHER", endpoint="https://gw.example.com/tenant-a")
    stale = AiLlm.objects.get()
    moved = {"name": "x", "endpoint": "https://gw.example.com/tenant-b", "secret": NEW_SECRET}
    configs.update(people.writer, found, version=1, **moved)
    with pytest.raises(Invalid) as refused:
        configs.update(people.writer, stale, name="x", endpoint="https://gw.example.com/tenant-a", version=2)
    assert refused.value.errors == {"secret": configs.SECRET_AGAIN}


def beside(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Run `second` in another thread while `first` has its rows locked."""
    locked = Signal()

    def other() -> None:
        locked.wait()
        try:
            second()
        finally:
            connection.close()

    thread = Thread(target=other)
    thread.start()
    with transaction.atomic():
        first()
        locked.set()
        time.sleep(0.5)
    thread.join()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("verb", "left"), [("delete", 0), ("replace_secret", 1)])
def test_no_credential_survives_beside_another_edit(verb: str, left: int, people: People) -> None:
    found = build.ai_llm(people.owner, people.workspace, type="OTHER", endpoint="https://a.example.com/v1")
    stale = AiLlm.objects.select_related("workspace").get()
    values = {"replace_secret": {"secret": NEW_SECRET}, "delete": {}}[verb]
    moved = {"name": "x", "endpoint": "https://b.example.com/v1", "version": 1, "secret": "a-brand-new-secret-123"}
    beside(
        lambda: configs.update(people.owner, found, **moved),
        lambda: getattr(configs, verb)(people.owner, stale, **values),
    )
    assert Credential.objects.count() == left


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("change", "expected"), [({"key": "new-key"}, "new-key"), ({"remove_key": True}, "")])
def test_a_replaced_api_key_does_not_come_back(change: dict[str, Any], expected: str, people: People) -> None:
    found = build.ai_llm(people.owner, people.workspace, key="old-key")
    stale = AiLlm.objects.select_related("workspace").get()
    beside(
        lambda: configs.replace_secret(people.owner, found, secret="secret-number-one-1234", **change),
        lambda: configs.replace_secret(people.owner, stale, secret=NEW_SECRET),
    )
    assert credentials.open_secret(Credential.objects.get()) == (NEW_SECRET, expected)
