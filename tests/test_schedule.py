"""Scheduled checks: what is due, runs that overlap, back-off, the mail about rejections, and `manage.py validate`."""

import argparse
import logging
import signal
import smtplib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from ai_llm import alerts, configs, history, schedule, validation
from ai_llm.causes import CAUSES
from ai_llm.management.commands import validate
from ai_llm.models import AiLlm, Check, Credential
from ai_llm.outcomes import Result
from ai_llm.sandbox import SECRETS, Sandbox
from ai_llm.schedule import Outcome, Plan, Tally
from tests import build
from tests.conftest import People
from tests.serverside import ROOT, environment, manage
from workspaces.access import OrganizationRole
from workspaces.models import Membership, Workspace

stored = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)
STALE = 6 * HOUR
WRONG = "wrong-secret-of-some-length"


@pytest.fixture(scope="module", autouse=True)
def database_in_a_file(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """SQLite as it is in use: in a database in memory, which tests have, threads do not wait for each other."""
    if connection.vendor != "sqlite":
        yield
        return
    with django_db_blocker.unblock():
        path = tmp_path_factory.mktemp("schedule") / "flashback.sqlite3"
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM INTO '{path}'")
        in_memory, name = connection.connection, connection.settings_dict["NAME"]
        connection.connection, connection.settings_dict["NAME"] = None, str(path)
    yield
    with django_db_blocker.unblock():
        connection.close()
        connection.settings_dict["NAME"], connection.connection = name, in_memory


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox, settings: Any) -> Sandbox:
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{server.port}", "127.0.0.1:1"]
    server.requests.clear()
    return server


@pytest.fixture
def make(people: People, sandbox: Sandbox) -> Callable[..., AiLlm]:
    """Build an AI LLM at the sandbox; values that are no input of the verb are written into the row."""

    def make(path: str = "/openai/v1", secret: str = SECRETS.openai, **values: Any) -> AiLlm:
        given = {name: values.pop(name) for name in ("name", "type", "keyless") if name in values}
        workspace = values.pop("workspace", people.workspace)
        actor = people.writer if workspace == people.workspace else people.stranger
        made = build.ai_llm(actor, workspace, endpoint=sandbox.url(path), secret=secret, **given)
        AiLlm.objects.filter(pk=made.pk).update(**values)
        return AiLlm.objects.get(pk=made.pk)

    return make


def plan(stale: timedelta = STALE, **values: Any) -> Plan:
    return Plan(stale, timezone.now(), **values)


def run(stop: threading.Event | None = None, **values: Any) -> tuple[Tally, list[Outcome]]:
    heard: list[Outcome] = []
    tally = schedule.run(plan(**values), report=heard.append, stop=stop or threading.Event())
    return tally, heard


def checked(row: AiLlm, age: timedelta, cause: str = "accepted") -> AiLlm:
    """Give the row a check of this age."""
    check = history.keep(None, row, Result(CAUSES[cause].verdict.value, cause))
    Check.objects.filter(pk=check.pk).update(at=timezone.now() - age)
    return AiLlm.objects.get(pk=row.pk)


def again(row: AiLlm) -> AiLlm:
    """Let the row be due now, whatever the runs before decided."""
    Check.objects.filter(ai_llm=row).update(at=timezone.now() - 2 * STALE)
    AiLlm.objects.filter(pk=row.pk).update(check_after=None)
    return AiLlm.objects.get(pk=row.pk)


@stored
class TestWhatIsDue:
    def test_never_checked_first_then_the_longest_unchecked(self, make: Callable[..., AiLlm]) -> None:
        fresh, old, older, never = (make(name=name) for name in ("fresh", "old", "older", "never"))
        for row, hours in ((fresh, 5), (old, 7), (older, 9)):
            checked(row, hours * HOUR)
        assert list(plan().due()) == [never, older, old]

    def test_what_is_left_out(self, make: Callable[..., AiLlm], people: People) -> None:
        now = timezone.now()
        make(scheduled=False)
        make(disabled_at=now)
        make(lease_until=now + schedule.LEASE)
        make(check_after=now + HOUR)
        configs.delete(people.writer, make())
        foreign = make(workspace=people.strange_workspace)
        mine = [make(lease_until=now - HOUR), make(check_after=now - HOUR), make(lease_until=now + HOUR)]
        assert {*plan().due()} == {*mine, foreign}
        assert {*plan(workspace=people.workspace).due()} == {*mine}

    def test_a_replaced_secret_is_due_although_its_row_was_just_checked(
        self, make: Callable[..., AiLlm], people: People
    ) -> None:
        row = checked(make(check_after=timezone.now() + HOUR), timedelta())
        configs.replace_secret(people.writer, row, secret="another-secret-0123456789")
        assert list(plan().due()) == [row]

    def test_a_secret_that_cannot_be_opened_is_counted_and_never_sent(
        self, make: Callable[..., AiLlm], sandbox: Sandbox
    ) -> None:
        lost, bare = make(), make(credential=None)
        Credential.objects.filter(pk=lost.credential_id).update(key_id="gone")
        tally, heard = run()
        assert (tally.unavailable, tally.checked, heard, sandbox.requests) == (2, 0, [], [])
        assert {AiLlm.objects.get(pk=row.pk).last_check for row in (lost, bare)} == {None}

    def test_a_keyless_one_takes_part(self, make: Callable[..., AiLlm]) -> None:
        row = make("/keyless/v1", secret="", type="OTHER", keyless=True)
        tally, _ = run()
        assert (tally.unavailable, tally.checked) == (0, 1)
        assert AiLlm.objects.get(pk=row.pk).last_check is not None


@stored
class TestARun:
    def test_keeps_each_check_and_says_what_became_of_it(self, make: Callable[..., AiLlm]) -> None:
        good, bad = make(name="good"), checked(make(name="bad", secret=WRONG), 7 * HOUR)
        tally, heard = run()
        assert {(o.name, o.before, o.after, o.cause, o.worse) for o in heard} == {
            ("good", "", "accepted", "accepted", False),
            ("bad", "accepted", "rejected", "key_rejected", True),
        }
        assert (tally.checked, tally.worse, tally.states) == (2, 1, {"accepted": 1, "rejected": 1})
        newest = Check.objects.order_by("-at").filter(ai_llm__in=[good, bad])[:2]
        assert {(check.by, check.scheduled) for check in newest} == {(None, True)}

    def test_the_next_check_comes_after_the_span_and_not_all_at_once(self, make: Callable[..., AiLlm]) -> None:
        for _ in range(4):
            make()
        run()
        now, rows = timezone.now(), list(AiLlm.objects.all())
        waits = [row.check_after - now for row in rows if row.check_after]
        assert all(STALE - timedelta(minutes=1) < wait < 1.25 * STALE for wait in waits)
        assert len({wait // timedelta(seconds=1) for wait in waits}) > 1
        assert {row.lease_until for row in rows} == {None}
        assert run()[0].checked == 0

    def test_reads_a_few_at_a_time(self, make: Callable[..., AiLlm], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(schedule, "READ_AT_ONCE", 2)
        monkeypatch.setattr(schedule, "MOST_WAITING", 3)
        for _ in range(7):
            make()
        assert run()[0].checked == 7

    def test_goes_as_far_as_its_limit(self, make: Callable[..., AiLlm]) -> None:
        for _ in range(3):
            make()
        assert [run(limit=2)[0].checked for _ in range(2)] == [2, 1]

    def test_only_two_at_once_of_one_workspace_and_host(
        self, make: Callable[..., AiLlm], people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        running, most, lock = dict[Any, int](), dict[Any, int](), threading.Lock()
        real = validation.run_stored

        def watched(row: AiLlm) -> Result:
            with lock:
                running[row.workspace_id] = running.get(row.workspace_id, 0) + 1
                most[row.workspace_id] = max(most.get(row.workspace_id, 0), running[row.workspace_id])
            try:
                return real(row)
            finally:
                with lock:
                    running[row.workspace_id] -= 1

        monkeypatch.setattr(validation, "run_stored", watched)
        for _ in range(4):
            make("/slow-0.1/v1")
        make("/slow-0.1/v1", workspace=people.strange_workspace)
        tally, _ = run(workers=4)
        assert (tally.checked, dict(tally.faults)) == (5, {})
        assert most == {people.workspace.pk: 2, people.strange_workspace.pk: 1}

    def test_a_lane_that_somebody_else_uses_is_waited_for(
        self, make: Callable[..., AiLlm], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row, answers = make(), iter(["too_many_checks", "accepted"])
        monkeypatch.setattr(schedule, "BUSY_PAUSES", (0.01,))
        monkeypatch.setattr(validation, "run_stored", lambda _: Result("undecided", next(answers)))
        assert run()[1][0].cause == "accepted"
        assert Check.objects.get().ai_llm == row

    def test_one_that_stays_busy_keeps_nothing_and_comes_next(
        self, make: Callable[..., AiLlm], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = make()
        monkeypatch.setattr(schedule, "BUSY_PAUSES", (0.01,))
        monkeypatch.setattr(validation, "run_stored", lambda _: Result("undecided", "too_many_checks"))
        assert run()[0].faults == {"busy": 1}
        row = AiLlm.objects.get(pk=row.pk)
        assert (row.lease_until, row.last_check, row.failures) == (None, None, 0)

    def test_ends_after_the_checks_that_run_when_it_is_told_to(
        self, make: Callable[..., AiLlm], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(4):
            make()
        stop = threading.Event()
        real = validation.run_stored
        monkeypatch.setattr(validation, "run_stored", lambda row: (stop.set(), real(row))[1])
        tally, heard = run(stop, workers=1)
        assert (tally.checked, tally.stopped, len(heard)) == (1, True, 1)

    def test_a_row_that_changes_meanwhile_keeps_nothing_and_is_free(
        self, make: Callable[..., AiLlm], people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = make()

        def run_stored(tested: AiLlm) -> Result:
            configs.delete(people.writer, tested)
            return Result("accepted", "accepted")

        monkeypatch.setattr(validation, "run_stored", run_stored)
        assert run()[0].faults == {"changed": 1}
        assert (Check.objects.count(), AiLlm.objects.get(pk=row.pk).lease_until) == (0, None)

    def test_an_error_of_ours_stops_nobody_else(
        self, make: Callable[..., AiLlm], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        bad, good = make(), make()
        real = validation.run_stored

        def run_stored(tested: AiLlm) -> Result:
            if tested.pk == bad.pk:
                raise ValueError("broken")
            return real(tested)

        monkeypatch.setattr(validation, "run_stored", run_stored)
        with caplog.at_level(logging.ERROR, "flashback.schedule"):
            tally, _ = run()
        assert (tally.checked, tally.faults) == (1, {"failed": 1})
        assert AiLlm.objects.get(pk=good.pk).verdict == "accepted"
        assert str(bad.pk) in caplog.text


@stored
class TestRunsThatOverlap:
    def test_each_row_is_checked_once(self, make: Callable[..., AiLlm], people: People) -> None:
        for number in range(6):
            make("/slow-0.1/v1", workspace=people.workspace if number % 2 else people.strange_workspace)
        with ThreadPoolExecutor(2) as pool:
            tallies = [future.result()[0] for future in [pool.submit(in_thread, run, workers=2) for _ in range(2)]]
        assert sum(tally.checked for tally in tallies) == 6
        assert Check.objects.count() == 6

    def test_one_of_many_takes_a_row(self, make: Callable[..., AiLlm]) -> None:
        row, gate = make(), threading.Barrier(4)

        def take() -> Any:
            gate.wait(10)
            return schedule._take(row.pk)

        with ThreadPoolExecutor(4) as pool:
            taken = [future.result() for future in [pool.submit(in_thread, take) for _ in range(4)]]
        assert len([until for until in taken if until]) == 1

    def test_a_run_that_was_killed_holds_nothing_back_beyond_its_lease(
        self, make: Callable[..., AiLlm], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = make()
        until = schedule._take(row.pk)
        assert until is not None
        assert run()[0].checked == 0
        monkeypatch.setattr(schedule.timezone, "now", lambda: until + timedelta(seconds=1))
        assert run()[0].checked == 1

    def test_a_lease_that_another_run_took_over_is_not_ended(self, make: Callable[..., AiLlm]) -> None:
        row = make()
        first = schedule._take(row.pk)
        assert first is not None
        theirs = first + HOUR
        AiLlm.objects.filter(pk=row.pk).update(lease_until=theirs)
        schedule._checked(row.pk, first, plan(), threading.Event())
        assert AiLlm.objects.get(pk=row.pk).lease_until == theirs


def in_thread(act: Callable[..., Any], **values: Any) -> Any:
    try:
        return act(**values)
    finally:
        connection.close()


class TestThePause:
    @pytest.mark.parametrize(
        ("stale", "failures", "hours"),
        [(6, 0, 6), (6, 1, 6), (6, 2, 12), (6, 3, 24), (6, 4, 24), (6, 500, 24), (1, 4, 8), (1, 6, 24), (48, 9, 48)],
    )
    def test_doubles_with_each_failure_up_to_a_day(self, stale: int, failures: int, hours: int) -> None:
        for _ in range(20):
            pause = schedule.pause_after(stale * HOUR, failures, Result("undecided", "provider_fault"))
            assert hours * HOUR <= pause <= hours * 1.25 * HOUR

    def test_is_at_least_what_the_provider_asked_for(self) -> None:
        asked = Result("undecided", "slow_down", {"retry_after": 7200})
        assert schedule.pause_after(HOUR, 1, asked) == 2 * HOUR
        assert schedule.pause_after(timedelta(), 0, Result("accepted", "accepted")) == timedelta(minutes=1)

    @stored
    def test_a_failing_one_is_left_alone_longer_and_a_good_check_ends_that(
        self, make: Callable[..., AiLlm], people: People
    ) -> None:
        row = make(secret=WRONG)
        for hours in (6, 12, 24):
            run()
            row = AiLlm.objects.get(pk=row.pk)
            assert row.check_after is not None
            assert row.check_after - timezone.now() > (hours - 0.1) * HOUR
            row = again(row)
        configs.replace_secret(people.writer, row, secret=SECRETS.openai)
        run()
        row = AiLlm.objects.get(pk=row.pk)
        assert (row.failures, row.verdict) == (0, "accepted")


@pytest.fixture
def rejected(make: Callable[..., AiLlm]) -> AiLlm:
    """One that was rejected once, and is due."""
    return checked(make(name="production", secret=WRONG), 7 * HOUR, "key_rejected")


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("validate", "--stale=6h", *arguments, stdout=out)
    return out.getvalue()


def failed(*arguments: str) -> tuple[int, str]:
    with pytest.raises(CommandError) as caught:
        command(*arguments)
    return caught.value.returncode, str(caught.value)


@stored
class TestTheMail:
    def test_the_second_rejection_is_told_to_the_admins_once(
        self, people: People, rejected: AiLlm, settings: Any
    ) -> None:
        settings.PUBLIC_URL = "https://flashback.example.com"
        command()
        command()
        again(rejected)
        command()
        (sent,) = mail.outbox
        assert (sent.to, sent.cc, sent.bcc) == ([people.admin.email], [], [])
        assert sent.subject == "production in Main is rejected by its provider"
        page = sent.alternatives[0].content
        link = f"https://flashback.example.com/w/{people.workspace.slug}/ai/llm/{rejected.pk}"
        for text in (sent.body, page):
            assert link in text
            assert "The secret is not accepted." in text
            assert "What helps: Rotate secret." in text
            assert WRONG not in text
            assert "{{" not in text

    def test_several_are_told_in_one_mail(self, make: Callable[..., AiLlm], rejected: AiLlm) -> None:
        checked(make(name="<b>staging</b>", secret=WRONG), 7 * HOUR, "key_rejected")
        command()
        (sent,) = mail.outbox
        assert sent.subject == "2 AI LLMs in Main are rejected by their providers"
        assert "&lt;b&gt;staging&lt;/b&gt;" in sent.alternatives[0].content
        assert sent.body.index("<b>staging</b>") < sent.body.index("production")

    def test_each_time_it_begins(self, people: People, rejected: AiLlm) -> None:
        command()
        row = configs.replace_secret(people.writer, rejected, secret=SECRETS.openai)
        checked(row, 7 * HOUR)
        configs.replace_secret(people.writer, row, secret=WRONG)
        assert failed() == (1, "1 changed for the worse.")
        assert len(mail.outbox) == 1
        again(rejected)
        command()
        assert len(mail.outbox) == 2

    def test_not_decided_is_told_to_nobody(self, make: Callable[..., AiLlm]) -> None:
        row = make("/down/v1")
        for _ in range(3):
            command()
            row = again(row)
        assert (row.failures, row.attention_at, mail.outbox) == (3, None, [])

    @pytest.mark.parametrize("values", [{"scheduled": False}, {"deleted_at": timezone.now()}])
    def test_what_is_left_out_or_gone_is_told_to_nobody(self, rejected: AiLlm, values: dict[str, Any]) -> None:
        checked(rejected, timedelta(), "key_rejected")
        AiLlm.objects.filter(pk=rejected.pk).update(**values)
        command()
        assert mail.outbox == []

    def test_without_an_admin_the_organization_is_told(self, people: People, rejected: AiLlm) -> None:
        Membership.objects.filter(user=people.admin).delete()
        administrator = build.person(people.organization, role=OrganizationRole.ADMINISTRATOR)
        build.person(people.organization, role=OrganizationRole.OWNER, is_active=False)
        command()
        assert {to for sent in mail.outbox for to in sent.to} == {people.owner.email, administrator.email}

    def test_a_mail_server_that_is_down_loses_no_check_and_is_tried_again(
        self, rejected: AiLlm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(*_: Any) -> int:
            raise smtplib.SMTPServerDisconnected("no")

        with monkeypatch.context() as patch:
            patch.setattr(EmailBackend, "send_messages", refuse)
            assert "mail for 1 not sent" in command()
        row = AiLlm.objects.get(pk=rejected.pk)
        assert (row.verdict, row.rejections, mail.outbox) == ("rejected", 2, [])
        assert "SMTPServerDisconnected" in caplog.text
        command()
        assert mail.outbox == []  # the one that failed may still hold the turn
        AiLlm.objects.update(mail_due=timezone.now())
        command()
        assert (len(mail.outbox), AiLlm.objects.get(pk=row.pk).mail_due) == (1, None)

    def test_of_many_processes_one_sends_it(self, people: People, rejected: AiLlm) -> None:
        checked(rejected, timedelta(), "key_rejected")
        gate = threading.Barrier(4)

        def send() -> alerts.Sent:
            gate.wait(10)
            return alerts.send_due()

        with ThreadPoolExecutor(4) as pool:
            outcomes = [future.result() for future in [pool.submit(in_thread, send) for _ in range(4)]]
        assert sum(outcome.sent for outcome in outcomes) == 1
        assert len(mail.outbox) == 1


@stored
class TestTheCommand:
    def test_one_line_for_each_and_a_summary(self, make: Callable[..., AiLlm], people: People) -> None:
        make(name="production")
        first, last = command().splitlines()
        slug = people.workspace.slug
        assert first.partition(" ")[2].startswith(f"{slug}/production: not validated yet -> accepted (accepted, ")
        assert last == "1 checked, 1 accepted."
        assert command() == "0 checked.\n"

    def test_exit_code_1_says_that_something_got_worse(self, make: Callable[..., AiLlm]) -> None:
        row = checked(make(secret=WRONG), 7 * HOUR)
        assert failed() == (1, "1 changed for the worse.")
        again(row)
        assert command().endswith("1 checked, 1 rejected, mail sent for 1 workspace.\n")

    def test_an_error_of_ours_is_exit_code_1_too(
        self, make: Callable[..., AiLlm], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make()
        monkeypatch.setattr(validation, "run_stored", lambda _: 1 / 0)
        assert failed() == (1, "1 met an error, see the log.")

    def test_one_workspace_by_slug_or_id(self, make: Callable[..., AiLlm], people: People) -> None:
        make(workspace=people.strange_workspace)
        assert command("--workspace", people.workspace.slug) == "0 checked.\n"
        assert "1 checked" in command("--workspace", str(people.strange_workspace.pk))

    def test_exit_code_2_for_a_workspace_that_is_not_there_or_not_one(self, people: People) -> None:
        assert failed("--workspace=nowhere") == (2, "There is no workspace 'nowhere'. Give its slug or its id.")
        Workspace.objects.filter(pk=people.strange_workspace.pk).update(slug=people.workspace.slug)
        code, said = failed("--workspace", people.workspace.slug)
        assert code == 2
        assert {str(people.workspace.pk), str(people.strange_workspace.pk)} <= set(said.split())

    def test_exit_code_2_for_more_workers_than_may_run(self) -> None:
        assert failed("--workers=9") == (2, "At most 8 checks can run at once: lower --workers.")

    def test_a_terminal_gets_a_bar_and_no_lines(
        self, make: Callable[..., AiLlm], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make()
        terminal = StringIO()
        terminal.isatty = lambda: True
        monkeypatch.setattr(sys, "stderr", terminal)
        assert command() == "1 checked, 1 accepted.\n"
        assert terminal.getvalue().endswith("] 1/1\n")


class TestItsWords:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("90s", 90), ("30m", 1800), ("6h", 21_600), (" 2D ", 172_800), ("0s", 0), ("365d", 31_536_000)],
    )
    def test_spans_of_time(self, text: str, seconds: int) -> None:
        assert validate.duration(text) == timedelta(seconds=seconds)

    @pytest.mark.parametrize("text", ["", "6", "h", "-1h", "1.5h", "6 h", "6w", "366d", "999999999d", "٦h"])
    def test_what_is_no_span_is_said(self, text: str) -> None:
        with pytest.raises(argparse.ArgumentTypeError, match=r"90s, 30m, 6h or 2d|a year"):
            validate.duration(text)

    def test_a_line_marks_what_got_worse_and_names_faults(self) -> None:
        worse = Outcome("production", "main", "accepted", "rejected", "key_rejected", 312)
        assert validate.line(worse).endswith("main/production: accepted -> rejected (key_rejected, 312 ms) WORSE")
        busy = Outcome("production", "main", "accepted", "accepted", fault="busy")
        assert validate.line(busy).endswith("main/production: not checked, other checks of this host were running")


FILL = """
from uuid import uuid4
from django.core.management import call_command
from ai_llm import configs
from workspaces.models import User, Workspace
call_command("migrate", verbosity=0)
call_command("createowner", "--email=o@example.com", "--organization=Acme", "--workspace=Main", verbosity=0)
for number in range(4):
    values = {{"type": "OPENAI", "endpoint": "{endpoint}", "secret": "{secret}"}}
    configs.create(User.objects.get(), Workspace.objects.get(), id=uuid4(), name=f"slow {{number}}", **values)
"""


@pytest.mark.server
class TestTheRealCommand:
    def test_sigterm_ends_it_after_the_checks_that_run(self, tmp_path: Path, server: Sandbox) -> None:
        allowed = {"FLASHBACK_OUTBOUND_ALLOW": f"127.0.0.1:{server.port}"}
        fill = FILL.format(endpoint=server.url("/slow-1/v1"), secret=SECRETS.openai)
        done = manage(
            "shell", "-c", fill, data=tmp_path, FLASHBACK_OWNER_PASSWORD="a long enough passphrase", **allowed
        )
        assert done.returncode == 0, done.stderr
        server.requests.clear()
        child = subprocess.Popen(
            [sys.executable, "manage.py", "validate", "--stale=6h"], cwd=ROOT, env=environment(tmp_path, **allowed),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while child.poll() is None and not server.requests:
            threading.Event().wait(0.02)
        child.send_signal(signal.SIGTERM)
        output, errors = child.communicate(timeout=30)
        assert (child.returncode, errors.strip()) == (0, "Ending after the checks that run now.")
        assert output.splitlines()[-1] == "2 checked, 2 accepted. Stopped before the end."

    def test_a_span_that_cannot_be_read_is_exit_code_2(self, tmp_path: Path) -> None:
        done = manage("validate", "--stale=soon", data=tmp_path)
        assert done.returncode == 2
        assert "'soon' is no span of time; write a number and a unit: 90s, 30m, 6h or 2d." in done.stderr
