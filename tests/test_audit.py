"""The audit log: what is written down, who may read it, and that nobody can change it without it showing."""

import ast
import io
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai_llm import configs
from ai_llm.templatetags.activity import SUBJECTS, WORDS, event_words
from flashback import sealed
from flashback.keyring import new_field_key
from tests import build
from tests.conftest import People
from workspaces import append_only, chain, events, looks, sources, spaces, verification
from workspaces.models import ActorKind, AuditHead, Event, User

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parent.parent
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def write(people: People, number: int = 1, **values: Any) -> list[Event]:
    given = {"actor": people.owner, "workspace": people.workspace, **values}
    return build.events(number=number, **given)


def found_wrong(people: People) -> verification.Fault | None:
    return verification.verify(people.organization.pk)


def tamper(statement: str, *values: Any) -> None:
    with append_only.lifted(), connection.cursor() as cursor:
        cursor.execute(statement, values)


# --- What an event says -----------------------------------------------------------------------------------------------


def test_a_change_is_told_with_its_old_and_new_values(people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace, name="prod")
    configs.update(people.writer, row, name="renamed", endpoint=row.endpoint, version=row.version)
    event = events.of_object(row)[0]
    assert (event.actor_label, event.actor_kind, event.action) == (people.writer.email, "person", "ai_llm.updated")
    assert event.details == {"name": ["prod", "renamed"]}


def test_a_secret_leaves_nothing_but_its_fingerprint(people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    secret = "sk-canary-0123456789abcdefghij"
    changed = configs.replace_secret(people.writer, row, secret=secret)
    event = Event.objects.get(action="ai_llm.secret_replaced")
    assert event.details["secret"] == sealed.fingerprint(people.workspace.pk, secret) == changed.credential.fingerprint
    assert not any(text in str(list(Event.objects.values())) for text in (secret, build.SECRET))


def test_what_looks_like_a_secret_is_hidden_even_if_a_verb_would_write_it(people: People) -> None:
    (event,) = write(
        people, details={"endpoint": "https://user:hunter22@api.example/v1", "note": "key sk-proj-0123456789abcdef"}
    )
    event.refresh_from_db()
    assert event.details == {"endpoint": "https://[hidden]@api.example/v1", "note": "key [hidden]"}


@pytest.mark.parametrize(
    "value",
    ["a\0b", "\ud800", 1e300, 1e-7, 1.5, float("inf"), float("nan"), 10**30, {"a": {1, 2}}, ["x"] * 500, "x" * 5000,
     None, {"z": 1, "a": {"c": True, "b": None}}, datetime(2026, 1, 1, tzinfo=UTC), "é\u2028\u202e"],
)  # fmt: skip
def test_whatever_is_written_reads_the_same_and_verifies(people: People, value: Any) -> None:
    write(people, details={"value": value})
    assert found_wrong(people) is None


def test_a_command_says_its_name(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/srv/flashback/manage.py", "validate", "--all"])
    (event,) = write(people, actor=None)
    assert (event.actor_kind, event.actor_label, event.via) == ("command", "operator", "manage.py validate")


def test_a_token_says_its_name_beside_the_person(people: People) -> None:
    with sources.using(kind=ActorKind.TOKEN, via="ci-deploy", ip="203.0.113.9"):
        (event,) = write(people)
    assert (event.actor_kind, event.actor_label, event.via, event.ip) == (
        "token", people.owner.email, "ci-deploy", "203.0.113.9",
    )  # fmt: skip


def test_somebody_from_outside_the_organization_is_staff(people: People) -> None:
    with sources.using(ip="203.0.113.9"):
        event = events.record(people.staff, "person.standing_changed", people.reader, organization=people.organization)
    assert event.actor_kind == "staff"


def test_a_request_leaves_its_address_and_program(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.admin)
    client.post(
        f"/w/{people.workspace.slug}/settings", {"name": "Renamed"}, REMOTE_ADDR="203.0.113.7",
        HTTP_USER_AGENT=FIREFOX, HTTP_X_FORWARDED_FOR="198.51.100.1",
    )  # fmt: skip
    event = Event.objects.get(action="workspace.renamed")
    assert (event.ip, event.agent, event.actor_kind) == ("203.0.113.7", "Firefox 128, Linux", "person")


WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox 128, Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/131.0.0.0 Safari/537.36", "Chrome 131, Windows"),
        (f"Mozilla/5.0 (Macintosh) {WEBKIT} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", "Edge 131, macOS"),
        (f"{PHONE} Version/18.1 Mobile/15E148 Safari/604.1", "Safari 18, iPhone"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("python-requests/2.32.3", "python-requests/2.32.3"),
        ("<script>alert(1)</script>", ""),
        ("", ""),
        ("x" * 5000, "x" * 40),
    ],
)
def test_a_program_is_told_in_a_few_words(agent: str, words: str) -> None:
    assert sources.program(agent) == words


def actions_in_the_code() -> set[str]:
    """Every text in the program that reads like an action: a subject, and what was done to it in the past tense."""
    literals = {
        node.value
        for app in ("workspaces", "ai_llm", "repositories", "flashback")
        for path in (ROOT / app).rglob("*.py")
        if not {"migrations", "templatetags"} & set(path.parts)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    past = r"(?:[a-z]+_)*[a-z]*(?:ed|held|left|made|sent|set)(?:_[a-z]+)*"
    return {text for text in literals if re.fullmatch(rf"(?:{'|'.join(SUBJECTS)})\.{past}", text)}


def test_there_are_words_for_every_action() -> None:
    actions = actions_in_the_code()
    assert {"ai_llm.created", "member.added", "person.sign_in_failed", "audit.exported", "staff.looked"} <= actions
    assert {action for action in actions if action not in WORDS} == set()


def test_the_words_name_the_object_and_escape_it(people: People) -> None:
    named = spaces.rename(people.owner, people.workspace, name="<b>New</b>")
    told = event_words(events.of_object(named)[0])
    assert told == "<strong>&lt;b&gt;New&lt;/b&gt;</strong> is the new name of the workspace Main"


# --- Sign-in ----------------------------------------------------------------------------------------------------------


def last() -> tuple[str, str, str, str]:
    event = Event.objects.order_by("id").last()
    assert event is not None
    return event.action, event.actor_kind, event.actor_label, event.object_label


def test_signing_in_and_out(people: People, client: Client) -> None:
    email = people.reader.email
    client.post("/account/login", {"login": email, "password": build.PASSWORD})
    assert last() == ("person.signed_in", "person", email, email)
    client.post("/account/logout")
    assert last() == ("person.signed_out", "person", email, email)
    assert set(Event.objects.values_list("organization_id", flat=True)) == {people.organization.pk}


def test_a_failed_sign_in_names_the_person_and_nothing_that_was_typed(people: People, client: Client) -> None:
    client.post("/account/login", {"login": people.reader.email.upper(), "password": "wrong horse battery"})
    assert last() == ("person.sign_in_failed", "nobody", "", people.reader.email)
    assert Event.objects.get().organization_id == people.organization.pk
    assert "wrong horse" not in str(list(Event.objects.values()))


@pytest.mark.parametrize("typed", ["stranger@example.com", "my-password@123.example"])
def test_a_failed_sign_in_of_nobody_keeps_only_from_where(people: People, client: Client, typed: str) -> None:
    client.post("/account/login", {"login": typed, "password": "x" * 12}, REMOTE_ADDR="203.0.113.5")
    event = Event.objects.get()
    assert (event.action, event.organization_id, event.object_id, event.object_label, event.details, event.ip) == (
        "person.sign_in_failed", None, "", "", {}, "203.0.113.5",
    )  # fmt: skip
    assert typed.partition("@")[0] not in str(list(Event.objects.values()))
    assert event_words(event) == "Sign-in failed"


def test_a_failed_sign_in_writes_one_event_whoever_it_is(people: People, client: Client) -> None:
    numbers = []
    for email in (people.reader.email, "nobody@example.com"):
        with CaptureQueriesContext(connection) as queries:
            client.post("/account/login", {"login": email, "password": "x" * 12})
        numbers.append(len([q for q in queries if "workspaces_event" in q["sql"] and "INSERT" in q["sql"]]))
    assert numbers == [1, 1]


def test_a_session_that_ends_for_its_age_is_told_apart(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.reader)
    session = client.session
    session["seen_at"] = session["signed_in_at"] = 1
    session.save()
    client.get("/account")
    assert last()[0] == "person.session_expired"


def test_a_changed_password_is_recorded(people: People, signed_in: Callable[[User], Client]) -> None:
    new = "another long passphrase"
    values = {"oldpassword": build.PASSWORD, "password1": new, "password2": new}
    assert signed_in(people.reader).post("/account/password/change", values).status_code == 303
    assert last() == ("person.password_changed", "person", people.reader.email, people.reader.email)


def test_a_password_reset_by_mail_is_told_apart(people: People, client: Client, mailoutbox: list[Any]) -> None:
    client.post("/account/password/reset", {"email": people.reader.email})
    link = re.search(r"/account/password/reset/key/\S+", mailoutbox[0].body)
    assert link
    page = client.get(link[0], follow=True)
    new = "another long passphrase"
    client.post(page.request["PATH_INFO"], {"password1": new, "password2": new})
    assert [event.action for event in Event.objects.all()] == ["person.password_reset"]


# --- Staff ------------------------------------------------------------------------------------------------------------


def looked() -> list[tuple[str, str]]:
    rows = Event.objects.filter(action="staff.looked").order_by("id")
    return [(event.object_label, event.details["page"]) for event in rows]


@pytest.mark.parametrize("page", ["change", "history"])
def test_a_look_of_staff_shows_in_the_workspace_s_own_log(
    people: People, signed_in: Callable[[User], Client], page: str
) -> None:
    row, staff = build.ai_llm(people.writer, people.workspace, name="prod"), signed_in(people.staff)
    for _ in range(2):
        assert staff.get(f"/admin/ai_llm/aillm/{row.pk}/{page}/").status_code == 200
    assert looked() == [("prod", page)]
    event = Event.objects.get(action="staff.looked")
    assert (event.workspace_id, event.actor_kind, event.actor_label, event.via) == (
        people.workspace.pk, "staff", people.staff.email, "admin site",
    )  # fmt: skip
    told = signed_in(people.owner).get(f"/w/{people.workspace.slug}/audit?action=staff.looked").text
    assert people.staff.email in told.replace("<wbr>", "")


def test_a_list_is_a_look_into_every_workspace_that_is_in_it(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    for _ in range(2):
        build.ai_llm(people.writer, people.workspace)
    build.ai_llm(people.stranger, people.strange_workspace)
    staff = signed_in(people.staff)
    staff.get("/admin/ai_llm/aillm/")
    staff.get("/admin/ai_llm/aillm/")
    assert sorted(looked()) == [("Foreign", "list"), ("Main", "list")]
    assert Event.objects.get(action="staff.looked", object_label="Main").details["rows"] == 2


def test_another_look_after_ten_minutes_is_recorded_again(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "EVERY", 0.001)
    for _ in range(2):
        looks.at(people.staff, people.workspace, "change")
        time.sleep(0.01)
    assert len(looked()) == 2


@pytest.mark.parametrize("model", ["organization", "workspace", "membership", "user", "event"])
def test_every_kind_of_row_has_an_owner_who_sees_the_look(
    people: People, signed_in: Callable[[User], Client], model: str
) -> None:
    write(people)
    rows = {
        "organization": people.organization, "workspace": people.workspace, "user": people.reader,
        "membership": people.workspace.memberships.first(), "event": Event.objects.first(),
    }  # fmt: skip
    signed_in(people.staff).get(f"/admin/workspaces/{model}/{rows[model].pk}/change/")
    assert Event.objects.get(action="staff.looked").organization_id == people.organization.pk
    signed_in(people.staff).get(f"/admin/workspaces/{model}/")
    assert Event.objects.filter(action="staff.looked", organization_id=people.organization.pk).count() == 2


# --- Append-only ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE workspaces_event SET actor_label = 'x'",
        "DELETE FROM workspaces_event",
        "UPDATE workspaces_event SET id = 9",
    ],
)
def test_the_database_refuses_to_change_an_event(people: People, statement: str) -> None:
    write(people)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    with pytest.raises(IntegrityError), transaction.atomic():
        Event.objects.all().delete()
    assert Event.objects.count() == 1


@pytest.mark.postgres
def test_postgresql_refuses_to_truncate_too(people: People) -> None:
    write(people)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE workspaces_event")


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="only SQLite has REPLACE")
def test_sqlite_refuses_to_replace_too(people: People) -> None:
    write(people)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT OR REPLACE INTO workspaces_event SELECT * FROM workspaces_event")


def test_the_triggers_are_there_after_all_migrations() -> None:
    assert append_only.missing() == []


def test_they_are_lifted_for_a_moment_only(people: People) -> None:
    write(people)
    with append_only.lifted():
        assert append_only.missing() != []
    assert append_only.missing() == []
    with pytest.raises(ZeroDivisionError), append_only.lifted():
        _ = 1 / 0
    assert append_only.missing() == []


def test_events_outlive_what_they_are_about(people: People) -> None:
    write(people)
    people.workspace.memberships.all().delete()
    User.objects.update(last_workspace=None)
    people.workspace.delete()
    event = Event.objects.get()
    assert (event.workspace_label, found_wrong(people)) == ("Main", None)


# --- The chain --------------------------------------------------------------------------------------------------------


def test_each_organization_has_a_chain_of_its_own(people: People) -> None:
    write(people, 2)
    events.record(people.stranger, "workspace.renamed", people.strange_workspace, workspace=people.strange_workspace)
    write(people, 1)
    events.record(None, "secrets.resealed", None)
    numbers = Event.objects.order_by("id").values_list("chain", "number")
    ours, theirs = people.organization.pk, people.stranger.organization_id
    assert list(numbers) == [(ours, 1), (ours, 2), (theirs, 1), (ours, 3), (chain.INSTALLATION, 1)]
    assert [verification.verify(one) for one in verification.chains()] == [None, None, None]


def test_what_is_rolled_back_leaves_no_gap(people: People) -> None:
    write(people)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        write(people, 1 // len(write(people)[1:]))
    write(people)
    assert list(Event.objects.order_by("id").values_list("number", flat=True)) == [1, 2]
    assert found_wrong(people) is None


def test_gathered_events_are_written_at_the_end_and_only_if_all_went_well(people: People) -> None:
    with transaction.atomic(), events.gathered():
        write(people, 2)
        assert Event.objects.count() == 0
    assert (Event.objects.count(), found_wrong(people)) == (2, None)
    with transaction.atomic(), events.gathered():
        with events.gathered():
            write(people, 1)
        assert Event.objects.count() == 2
    assert (Event.objects.count(), found_wrong(people)) == (3, None)
    with pytest.raises(ZeroDivisionError), transaction.atomic(), events.gathered():
        write(people, 1 // len(write(people)[1:]))
    assert Event.objects.count() == 3


TAMPERED = {
    "a label": ("UPDATE workspaces_event SET actor_label = 'somebody else' WHERE number = 3", 3, "changed"),
    "the time": ("UPDATE workspaces_event SET at = '2020-01-01 00:00:00+00:00' WHERE number = 3", 3, "changed"),
    "its details": ("UPDATE workspaces_event SET details = '{}' WHERE number = 3", 3, "changed"),
    "where from": ("UPDATE workspaces_event SET ip = '198.51.100.1' WHERE number = 3", 3, "changed"),
    "its place": ("UPDATE workspaces_event SET number = 30 WHERE number = 3", 4, "removed"),
    "one removed": ("DELETE FROM workspaces_event WHERE number = 3", 4, "removed: 1 event before it, from number 3 on"),
    "the first removed": ("DELETE FROM workspaces_event WHERE number <= 2", 3, "removed: 2 events before it"),
    "the newest removed": ("DELETE FROM workspaces_event WHERE number >= 5", 4, "removed: the newest 2 of the chain"),
    "the head's number": ("UPDATE workspaces_audithead SET number = 5", 6, "changed: the chain ends"),
    "all removed": ("DELETE FROM workspaces_event", 6, "removed: the newest 6"),
    "the seal": ("UPDATE workspaces_audithead SET seal = 'x'", 6, "not sealed"),
    "the head": ("DELETE FROM workspaces_audithead", 0, "has lost its head"),
    "another key": ("UPDATE workspaces_audithead SET key_id = '00000000'", 6, "not sealed"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_is_found_and_the_first_broken_event_is_named(people: People, what: str) -> None:
    statement, number, words = TAMPERED[what]
    write(people, 6, details={"name": ["a", "b"]})
    assert found_wrong(people) is None
    tamper(statement)
    fault = found_wrong(people)
    assert fault is not None
    assert (fault.number, fault.what[: len(words)]) == (number, words) or words in fault.what
    assert fault.number == number


def forge(people: People, first: int) -> None:
    """Make the digests from event number `first` on anew, as somebody could who has the database but not the key."""
    rows = list(Event.objects.filter(chain=people.organization.pk, number__gte=first).order_by("number"))
    previous = Event.objects.filter(chain=people.organization.pk, number=first - 1).values_list("digest", flat=True)[0]
    with append_only.lifted():
        for row in rows:
            row.previous = previous
            row.digest = previous = chain.of_event(row)
            row.save(update_fields=["previous", "digest"])
        AuditHead.objects.filter(pk=people.organization.pk).update(digest=previous)


def test_a_chain_made_anew_without_the_key_is_found(people: People) -> None:
    write(people, 6)
    tamper("UPDATE workspaces_event SET actor_label = 'x' WHERE number = 3")
    forge(people, 3)
    fault = found_wrong(people)
    assert fault is not None
    assert (fault.number, fault.what) == (6, verification.NO_SEAL)


def test_an_event_written_after_a_forgery_does_not_make_it_good(people: People) -> None:
    write(people, 6)
    tamper("UPDATE workspaces_event SET actor_label = 'x' WHERE number = 3")
    forge(people, 3)
    write(people, 2)
    fault = found_wrong(people)
    assert fault is not None
    assert fault.what == verification.NO_SEAL


def test_a_removed_head_does_not_stop_the_console_but_stays_visible(people: People) -> None:
    write(people, 3)
    AuditHead.objects.all().delete()
    write(people, 1)
    fault = found_wrong(people)
    assert fault is not None
    assert (Event.objects.count(), fault.what) == (4, verification.NO_SEAL)


@pytest.mark.parametrize(("number", "words"), [(4, "inserted"), (1, "put in or replaced")])
def test_an_inserted_event_is_found(people: People, number: int, words: str) -> None:
    first, *_ = write(people, 3)
    row = Event.objects.get(pk=first.pk)
    row.pk, row.number, row.previous = None, number, "0" * 64
    if number == 1:
        tamper("DELETE FROM workspaces_event WHERE number = 1")
    row.digest = chain.of_event(row)
    row.save(force_insert=True)
    fault = found_wrong(people)
    assert fault is not None
    assert fault.number == number
    assert words in fault.what


def test_a_chain_that_is_gone_altogether_is_found(people: People) -> None:
    write(people, 3)
    tamper("DELETE FROM workspaces_event")
    AuditHead.objects.all().delete()
    fault = found_wrong(people)
    assert fault is not None
    assert fault.what == verification.NO_CHAIN


def test_a_new_key_seals_from_then_on_and_the_old_one_can_go(people: People, ring: Callable[..., None]) -> None:
    old, new = new_field_key(), new_field_key()
    ring(old)
    write(people, 3)
    ring(new, old)
    assert found_wrong(people) is None
    assert chain.reseal() == (1, 0)
    ring(new)
    assert found_wrong(people) is None
    write(people)
    assert found_wrong(people) is None


def test_a_key_that_went_too_early_shows_until_it_is_accepted(people: People, ring: Callable[..., None]) -> None:
    ring(new_field_key())
    write(people, 3)
    ring(new_field_key())
    write(people)
    fault = found_wrong(people)
    assert fault is not None
    assert fault.what == verification.NO_SEAL
    assert chain.reseal() == (0, 1)
    assert chain.reseal(accept=True) == (1, 0)
    write(people)
    assert found_wrong(people) is None


def written(people: People) -> None:
    # SQLite in memory, as tests have it, refuses a second writer at once instead of letting it wait.
    for _ in range(2000):
        try:
            with transaction.atomic():
                write(people)
            return
        except OperationalError:
            if connection.vendor != "sqlite":
                raise
            time.sleep(0.001)


@pytest.mark.django_db(transaction=True)
def test_many_writers_at_once_leave_one_whole_chain(people: People) -> None:
    faults: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(10):
                written(people)
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    numbers = Event.objects.order_by("number").values_list("number", flat=True)
    assert (list(numbers), found_wrong(people)) == (list(range(1, 81)), None)


def test_the_migration_links_what_is_there_already(people: People) -> None:
    migration = import_module("workspaces.migrations.0004_audit_chain")
    write(people, 3)
    events.record(None, "secrets.resealed", None, details={"changed": 2})
    AuditHead.objects.all().delete()
    with append_only.lifted():
        for row in Event.objects.all():
            Event.objects.filter(pk=row.pk).update(
                number=row.pk + 1000, previous="", digest="", chain=chain.INSTALLATION
            )
        migration.link(apps, SimpleNamespace(connection=connection))
    assert [verification.verify(one) for one in (people.organization.pk, chain.INSTALLATION)] == [None, None]


# --- The command ------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("audit", *arguments, stdout=out, no_color=True)
    return out.getvalue()


@pytest.fixture
def both(people: People) -> People:
    """Events in all three chains."""
    write(people, 5)
    events.record(people.stranger, "workspace.renamed", people.strange_workspace, workspace=people.strange_workspace)
    events.record(None, "secrets.resealed", None)
    return people


def test_verify_prints_every_chain_with_its_head(both: People) -> None:
    lines = sorted(run("verify").splitlines())
    heads = dict(AuditHead.objects.values_list("chain", "digest"))
    assert lines == [
        f"Acme: 5 events, whole. Head 5 {heads[both.organization.pk]}",
        f"Other: 1 events, whole. Head 1 {heads[both.stranger.organization_id]}",
        f"the installation: 1 events, whole. Head 1 {heads[chain.INSTALLATION]}",
    ]
    assert run("verify", "--organization", "acme").startswith("Acme: 5 events")


def test_verify_fails_and_names_the_event(both: People) -> None:
    bad = Event.objects.get(chain=both.organization.pk, number=3)
    tamper("UPDATE workspaces_event SET actor_label = 'x' WHERE id = %s", bad.pk)
    out = io.StringIO()
    with pytest.raises(CommandError, match="not whole"):
        call_command("audit", "verify", stdout=out, no_color=True)
    told = (
        f"Acme: event 3 (id {bad.pk}, {bad.at:%Y-%m-%d %H:%M:%S} UTC) changed: its columns do not belong to its digest"
    )
    assert told in out.getvalue().splitlines()
    assert run("verify", "--organization", "Other").startswith("Other: 1 events, whole")


def test_verify_says_when_the_database_would_allow_changes(both: People) -> None:
    out = io.StringIO()
    with append_only.lifted(), pytest.raises(CommandError):
        call_command("audit", "verify", stdout=out, no_color=True)
    assert "The database does not refuse changes: the trigger" in out.getvalue()


@pytest.mark.parametrize("arguments", [("verify", "--organization", "none"), ("prune",), ("prune", "--keep", "4"),
                                       ("prune", "--before", "31.1.2026"), ("none",)])  # fmt: skip
def test_what_cannot_be_understood_is_refused(both: People, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)
    assert Event.objects.count() == 7


def aged(people: People) -> None:
    """Five events of which the first three are two years old, in a whole chain."""
    with pytest.MonkeyPatch.context() as patch:
        then = timezone.now() - timedelta(days=730)
        for index in range(5):
            patch.setattr(Event._meta.get_field("at"), "_get_default", lambda: then if index < 3 else timezone.now())
            write(people)


def test_pruning_takes_the_oldest_and_leaves_a_chain_that_verifies(people: People) -> None:
    aged(people)
    assert "3 events" in run("prune", "--keep", "400d")
    assert list(Event.objects.order_by("id").values_list("number", "action")) == [
        (4, "workspace.renamed"), (5, "workspace.renamed"), (6, "audit.pruned"),
    ]  # fmt: skip
    assert (found_wrong(people), append_only.missing()) == (None, [])
    event = Event.objects.get(action="audit.pruned")
    assert (event.actor_kind, event.via, event.details["events"]) == ("command", "manage.py audit prune", 3)
    assert "0 events" in run("prune", "--before", "2020-01-01")
    tamper("DELETE FROM workspaces_event WHERE number = 4")
    fault = found_wrong(people)
    assert fault is not None
    assert fault.what == "removed: 1 event before it, from number 4 on"


def test_everything_can_be_pruned(people: People) -> None:
    write(people, 3)
    assert "3 events" in run("prune", "--before", f"{timezone.now() + timedelta(days=2):%Y-%m-%d}")
    assert list(Event.objects.values_list("number", flat=True)) == [4]
    write(people)
    assert found_wrong(people) is None


def test_pruning_does_not_make_a_forged_chain_good(people: People) -> None:
    aged(people)
    AuditHead.objects.update(seal="x")
    run("prune", "--keep", "400d")
    fault = found_wrong(people)
    assert fault is not None
    assert fault.what == verification.NO_SEAL


def test_sealing_with_a_new_key(both: People, ring: Callable[..., None]) -> None:
    ring(new_field_key())
    with pytest.raises(CommandError, match="3 chains carry no seal"):
        run("seal")
    assert run("seal", "--accept") == "3 chains are sealed with the first key.\n"
    assert run("seal") == "3 chains are sealed with the first key.\n"
    run("verify")
