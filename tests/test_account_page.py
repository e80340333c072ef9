"""One's own page: name, theme, and which mails one wants."""

import re
from collections.abc import Callable

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from ai_llm import alerts, reminders
from ai_llm.models import AiLlm
from tests import build
from tests.conftest import People
from workspaces.models import Event, User

pytestmark = pytest.mark.django_db
TYPED = {"name": "Rita", "last_name": "Reader", "theme": "dark", "reminder_mails": "on", "rejection_mails": "on"}


def test_what_is_stored_is_filled_in_and_what_is_typed_is_kept(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(people.reader)
    assert f'value="{people.reader.name}"' in client.get("/account").text
    assert client.post("/account", TYPED).headers["Location"] == "/account"
    person = User.objects.get(pk=people.reader.pk)
    assert (person.name, person.last_name, person.theme) == ("Rita", "Reader", "dark")
    page = client.get("/account").text
    assert "Saved." in page
    assert 'value="Reader"' in page


def test_a_name_that_cannot_be_read_is_refused_and_nothing_is_lost(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    answer = signed_in(people.reader).post("/account", {**TYPED, "name": "a\u202eb", "last_name": "Kept"})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["name"]
    assert 'value="Kept"' in answer.text
    assert User.objects.get(pk=people.reader.pk).theme == ""


def test_the_theme_comes_with_every_page_on_every_device(people: People, signed_in: Callable[[User], Client]) -> None:
    first, second = signed_in(people.reader), signed_in(people.reader)
    assert "data-theme=" not in second.get("/account").text.split(">", 2)[1]
    assert first.post("/account/theme", {"theme": "dark"}).status_code == 204
    assert '<html lang="en" data-theme="dark">' in second.get("/account").text
    assert first.post("/account/theme", {"theme": ""}).status_code == 204
    assert '<html lang="en">' in second.get("/account").text
    for unknown in ("purple", "dark\0", "x" * 9000):
        assert first.post("/account/theme", {"theme": unknown}).status_code == 422
    assert first.post("/account/theme").status_code == 422
    assert '<html lang="en">' in Client().get("/account/login").text


def test_changes_are_recorded_but_not_how_it_looks(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.reader)
    client.post("/account", {"name": people.reader.name, "theme": "dark", "rejection_mails": "on"})
    assert [(e.action, e.details) for e in Event.objects.all()] == [
        ("person.mails_changed", {"reminder_mails": [True, False]})
    ]
    client.post("/account", {"name": people.reader.name, "theme": "auto", "rejection_mails": "on"})
    assert Event.objects.count() == 1
    assert User.objects.get(pk=people.reader.pk).theme == ""


def test_who_wants_no_reminders_gets_none(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace)
    AiLlm.objects.filter(pk=found.pk).update(due_at=timezone.now())
    User.objects.filter(pk=people.admin.pk).update(reminder_mails=False)
    assert list(reminders.send_all()) == []
    User.objects.filter(pk=people.admin.pk).update(reminder_mails=True)
    assert len(list(reminders.send_all())) == 1
    assert mail.outbox[0].to == [people.admin.email]


def test_who_wants_no_mails_about_rejected_secrets_gets_none_and_nothing_waits(people: People) -> None:
    found = build.ai_llm(people.writer, people.workspace)
    due = {"scheduled": True, "attention_at": timezone.now(), "mail_due": timezone.now()}
    AiLlm.objects.filter(pk=found.pk).update(**due)
    User.objects.filter(pk=people.admin.pk).update(rejection_mails=False)
    alerts.send_due()
    assert mail.outbox == []
    assert AiLlm.objects.get(pk=found.pk).mail_due is None


def test_the_page_leads_to_all_that_is_about_signing_in(people: People, signed_in: Callable[[User], Client]) -> None:
    page = signed_in(people.owner).get("/account").text
    for place in ("/account/email", "/account/password/change", "/account/2fa", "/account/sessions"):
        assert f'href="{place}"' in page
    assert len(re.findall(r'class="button primary"', page)) == 1
