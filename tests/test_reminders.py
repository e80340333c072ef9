"""The daily mail: one for each person and day at most, only when something is new, and never lost to a mail fault."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone

from ai_llm import lifecycle, reminders
from ai_llm.models import AiLlm, Digest
from flashback import mail as post
from tests import build
from tests.conftest import People
from workspaces.models import User

DAY = timedelta(days=1)


@pytest.fixture
def row(people: People) -> AiLlm:
    return build.ai_llm(people.writer, people.workspace, name="prod")


def due_in(row: AiLlm, left: timedelta) -> None:
    AiLlm.objects.filter(pk=row.pk).update(due_at=timezone.now() + left)


def sent_to(after: timedelta = timedelta()) -> list[str]:
    """Run as `after` from now, and return who got a mail."""
    mail.outbox.clear()
    for _ in reminders.send_all(timezone.now() + after):
        pass
    return [message.to[0] for message in mail.outbox]


def test_an_address_that_cannot_be_one_keeps_no_mail_from_anybody_else(people: People, row: AiLlm) -> None:
    second = build.person(people.organization, "Zoe", member_of=people.workspace, access="ADMIN")
    User.objects.filter(pk=people.admin.pk).update(email="ada@example.com\nBcc: eve@example.com")
    due_in(row, DAY)
    assert sent_to() == [second.email]
    assert not Digest.objects.filter(user=people.admin).exists()


def test_nothing_is_sent_when_there_is_nothing(people: People, row: AiLlm) -> None:
    assert sent_to() == []
    due_in(row, timedelta(days=31))
    assert sent_to() == []


def test_a_secret_that_is_due_soon_is_told_to_those_who_look_after_the_workspace(people: People, row: AiLlm) -> None:
    due_in(row, timedelta(days=20, hours=1))
    assert sent_to() == [people.admin.email]
    message = mail.outbox[0]
    assert isinstance(message, mail.EmailMultiAlternatives)
    text, page = message.body, str(message.alternatives[0][0])
    assert mail.outbox[0].subject == "prod needs you"
    for words in ("prod", "due in 20 days", f"/w/{people.workspace.slug}/ai/llm/{row.pk}"):
        assert words in text
        assert words in page


def test_each_threshold_is_told_once(people: People, row: AiLlm) -> None:
    due_in(row, timedelta(days=40))
    told = [day for day in range(45) if sent_to(day * DAY + timedelta(minutes=1))]
    assert told == [10, 26, 37, 40]


def test_a_person_gets_one_mail_a_day_however_many_secrets_are_due(people: People, row: AiLlm) -> None:
    other = build.ai_llm(people.writer, people.workspace, name="other")
    due_in(row, 10 * DAY)
    due_in(other, 2 * DAY)
    assert sent_to() == [people.admin.email]
    assert (mail.outbox[0].subject, "prod" in mail.outbox[0].body) == ("2 AI LLMs need you", True)
    third = build.ai_llm(people.writer, people.workspace, name="third")
    due_in(third, 2 * DAY)
    assert sent_to(timedelta(minutes=5)) == []
    assert sent_to(DAY) == [people.admin.email]


def test_one_that_became_rejected_is_told_once(people: People, row: AiLlm) -> None:
    AiLlm.objects.filter(pk=row.pk).update(rejected_at=timezone.now(), verdict="rejected")
    assert sent_to(timedelta(minutes=1)) == [people.admin.email]
    assert "Rejected" in mail.outbox[0].body
    assert sent_to(DAY) == []


def test_disabled_and_deleted_ones_are_left_out(people: People, row: AiLlm) -> None:
    due_in(row, DAY)
    lifecycle.disable(people.writer, row)
    due_in(row, DAY)
    assert sent_to() == []


def test_without_an_admin_the_owners_of_the_organization_are_told(people: People, row: AiLlm) -> None:
    due_in(row, DAY)
    User.objects.filter(pk=people.admin.pk).update(is_active=False)
    assert sent_to() == [people.owner.email]


def test_a_mail_that_could_not_be_sent_comes_with_the_next_run(
    people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_in(row, DAY)

    def refuse(*_: Any, **__: Any) -> int:
        raise ConnectionRefusedError

    with monkeypatch.context() as broken:
        broken.setattr("django.core.mail.EmailMultiAlternatives.send", refuse)
        with pytest.raises(CommandError, match="could not be sent"):
            call_command("remind", stdout=StringIO())
    assert Digest.objects.count() == 0
    assert sent_to() == [people.admin.email]


def test_two_runs_at_once_send_one_mail(people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch) -> None:
    due_in(row, DAY)
    send, outcomes = post.send, list[str]()

    def sending(*arguments: Any) -> bool:
        monkeypatch.setattr(post, "send", send)
        outcomes.extend(reminder.outcome for reminder in reminders.send_all())
        return send(*arguments)

    monkeypatch.setattr(post, "send", sending)
    assert [reminder.outcome for reminder in reminders.send_all()] == ["sent"]
    assert (outcomes, len(mail.outbox)) == (["again"], 1)


def test_the_command_names_who_got_a_mail(people: People, row: AiLlm) -> None:
    due_in(row, DAY)
    out = StringIO()
    call_command("remind", stdout=out)
    assert out.getvalue() == f"sent       1  {people.admin.email}\n1 sent, 0 had today's mail already.\n"


def test_tidy_says_what_it_purged(people: People, row: AiLlm) -> None:
    out = StringIO()
    call_command("tidy", stdout=out)
    AiLlm.objects.filter(pk=row.pk).update(deleted_at=timezone.now() - 31 * DAY)
    call_command("tidy", stdout=out)
    assert out.getvalue() == "There was nothing to purge.\nPurged 1 deleted AI LLMs.\n"
