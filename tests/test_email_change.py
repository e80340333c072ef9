"""Another e-mail address: asked for on the account page, proven by its mailbox, told to the old one."""

import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client

from flashback.mail import CONSOLE
from tests.conftest import People
from tests.test_accounts import change, is_signed_in, path_of, reset_link, sign_in
from tests.test_reauthentication import stale
from workspaces import email_change
from workspaces.models import Event, User

pytestmark = pytest.mark.django_db
NEW = "rita@new.example"


def link_in(message: mail.EmailMessage) -> str:
    found = re.search(rf"{settings.PUBLIC_URL}(/account/email/confirm/\S+)", str(message.body))
    assert found
    return found[1]


def asked(client: Client, email: str = NEW) -> str:
    """Ask for the address, and return the link that was mailed there."""
    mail.outbox.clear()
    assert client.post("/account/email", {"email": email}).status_code == 303
    return link_in(mail.outbox[0])


def test_without_a_mail_server_no_page_promises_mail(
    people: People, signed_in: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "EMAIL_BACKEND", CONSOLE)
    client = signed_in(people.reader)
    pages = [client.get("/account/email"), client.post("/account/email", {"email": NEW}, follow=True)]
    pages += [Client().get("/account/password/reset"), Client().get("/account/password/reset/done")]
    for page in pages:
        assert "No mail server is configured:" in page.text
        assert "printed in the server" in page.text
        assert not re.search("on its way|is sent there|mailbox", page.text)


def test_a_person_moves_to_a_mailbox_that_is_theirs(people: People, signed_in: Callable[[User], Client]) -> None:
    client, old = signed_in(people.reader), people.reader.email
    link = asked(client, f" {NEW.upper()} ")
    assert (mail.outbox[0].to, mail.outbox[0].subject) == ([NEW], "Confirm your new Flashback address")
    assert link in mail.outbox[0].alternatives[0].content
    assert User.objects.get(pk=people.reader.pk).email == old, "nothing changes before the link is followed"
    page = Client().get(link)
    assert page.status_code == 200
    assert User.objects.get(pk=people.reader.pk).email == old, "nor by a program that looks at links in mails"
    done = Client().post(link)
    assert NEW in done.text
    assert User.objects.get(pk=people.reader.pk).email == NEW
    assert is_signed_in(client), "signing in again is not needed"
    assert sign_in(Client(), NEW).status_code == 303
    assert sign_in(Client(), old).status_code == 422
    told = mail.outbox[-1]
    assert told.to == [old]
    assert f"You sign in with {NEW} from now on, and no longer with {old}." in told.body
    event = Event.objects.get(action="person.email_changed")
    assert (event.details, event.organization_id) == ({"email": [old, NEW]}, people.organization.pk)


def test_a_link_works_once(people: People, signed_in: Callable[[User], Client]) -> None:
    link = asked(signed_in(people.reader))
    assert [Client().post(link).status_code for _ in range(2)] == [200, 410]
    assert "does not work any more" in Client().get(link).text


def test_a_link_dies_with_the_password_the_hour_the_account_and_any_change(
    people: People, signed_in: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(people.reader)
    link = asked(client)
    assert Client().get(link[:-1] + ("a" if link[-1] != "a" else "b")).status_code == 410
    with monkeypatch.context() as patch:
        patch.setattr(email_change, "LIFETIME", -1)
        assert Client().post(link).status_code == 410
    User.objects.filter(pk=people.reader.pk).update(is_active=False)
    assert Client().post(link).status_code == 410
    User.objects.filter(pk=people.reader.pk).update(is_active=True)
    change(client, "a long enough passphrase", "another long passphrase")
    assert Client().post(link).status_code == 410
    assert User.objects.get(pk=people.reader.pk).email == people.reader.email


def test_links_to_reset_the_password_end_with_the_old_address(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    reset = reset_link(Client(), people.reader.email)
    Client().post(asked(signed_in(people.reader)))
    assert "does not work any more" in Client().get(path_of(reset)).text


def test_an_address_that_is_taken_reads_like_one_that_is_free(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    """One mail each, so that neither the answer nor its time tells who has an account."""
    pages, client = [], signed_in(people.reader)
    for email in ("free@example.org", people.writer.email):
        mail.outbox.clear()
        answer = client.post("/account/email", {"email": email})
        assert [message.to for message in mail.outbox] == [[email]]
        told = client.get("/account").text.replace(email, "").replace(people.reader.email, "")
        token = r'(name="csrfmiddlewaretoken" value=|"X-CSRFToken": |X-CSRFToken&quot;: )"?\w+|&quot;\w{32,}&quot;'
        pages.append((answer.status_code, answer.headers["Location"], re.sub(token, "", told)))
    assert pages[0][:2] == pages[1][:2] == (303, "/account")
    assert [len(page[2]) for page in pages] == [len(pages[0][2])] * 2
    assert "there is an account with this address already" in mail.outbox[0].body
    assert "confirm" not in mail.outbox[0].body


def test_an_address_that_was_taken_meanwhile_stays_with_who_has_it(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    link = asked(signed_in(people.reader))
    User.objects.filter(pk=people.writer.pk).update(email=NEW)
    answer = Client().post(link)
    assert answer.status_code == 410
    assert "Somebody else has this address by now." in answer.text
    assert User.objects.get(pk=people.reader.pk).email == people.reader.email


@pytest.mark.parametrize("typed", ["", "no address", "a\0b@example.com", "x" * 300 + "@example.com", "a@b", " "])
def test_what_is_no_address_is_refused_beside_its_field(
    people: People, signed_in: Callable[[User], Client], typed: str
) -> None:
    answer = signed_in(people.reader).post("/account/email", {"email": typed})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["email"]
    assert mail.outbox == []


def test_ones_own_address_is_no_change(people: People, signed_in: Callable[[User], Client]) -> None:
    answer = signed_in(people.reader).post("/account/email", {"email": people.reader.email.upper()})
    assert answer.status_code == 422


def test_mails_to_strangers_are_limited(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.reader)
    statuses = [client.post("/account/email", {"email": f"{number}@example.org"}).status_code for number in range(6)]
    assert statuses == [303] * 5 + [422]
    assert len(mail.outbox) == 5


def test_it_asks_once_more_who_it_is(people: People, signed_in: Callable[[User], Client]) -> None:
    client = stale(signed_in(people.reader))
    assert client.get("/account/email").headers["Location"].startswith("/account/reauthenticate?next=")
    assert client.post("/account/email", {"email": NEW}).status_code == 422
    assert mail.outbox == []
