"""Where somebody is signed in: the list on their account page, and ending what is on it."""

import re
import time
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from tests import build
from tests.conftest import People
from tests.test_accounts import age, change, is_signed_in, sign_in
from workspaces import own_sessions
from workspaces.account_models import Session
from workspaces.models import Event, User

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
PAGE = "/account/sessions"


def at(person: User, address: str = "203.0.113.7", agent: str = FIREFOX) -> Client:
    client = Client(REMOTE_ADDR=address, headers={"User-Agent": agent})
    assert sign_in(client, person.email).status_code == 303
    return client


def key(client: Client) -> str:
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


def test_each_place_is_listed_with_program_address_and_times_and_this_one_is_marked(people: People) -> None:
    at(people.reader, "198.51.100.4", "curl/8.5.0")
    here = at(people.reader)
    page = re.sub(r"\s+", " ", here.get(PAGE).text)
    assert "<strong>Firefox 128, Linux</strong><span" in page
    assert "203.0.113.7, signed in" in page
    assert "<strong>curl/8.5.0</strong>" in page
    assert "198.51.100.4, signed in" in page
    assert page.count("This one") == 1
    assert page.index("Firefox 128") < page.index("curl/8.5.0"), "the present one comes first"
    assert "signed in at 2 places" in here.get("/account").text


def test_no_page_shows_the_key_of_a_session(people: People) -> None:
    there, here = at(people.reader), at(people.reader)
    page = here.get(PAGE).text
    assert key(there) not in page
    assert key(here) not in page


def test_one_place_can_be_ended_and_is_out_at_once(people: People) -> None:
    there, here = at(people.reader), at(people.reader)
    mark = next(row.mark for row in own_sessions.of(people.reader, key(here)) if not row.here)
    assert here.post(f"{PAGE}/{mark}/end").headers["Location"] == PAGE
    assert not is_signed_in(there)
    assert is_signed_in(here)
    event = Event.objects.get(action="person.session_ended")
    assert event.details == {"sessions": ["Firefox 128, Linux, 203.0.113.7"]}
    assert "was over already" in here.post(f"{PAGE}/{mark}/end", follow=True).text


def test_all_others_can_be_ended_together(people: People) -> None:
    there, elsewhere, here = at(people.reader), at(people.reader), at(people.reader)
    somebody = at(people.writer)
    assert "Signed out at 2 other places." in here.post(f"{PAGE}/end", follow=True).text
    assert [is_signed_in(client) for client in (there, elsewhere, here, somebody)] == [False, False, True, True]
    assert "nowhere else" in here.post(f"{PAGE}/end", follow=True).text
    assert Event.objects.filter(action="person.session_ended").count() == 1


def test_nobody_ends_what_is_somebody_elses(people: People) -> None:
    there, here = at(people.writer), at(people.reader)
    mark = own_sessions.of(people.writer, None)[0].mark
    here.post(f"{PAGE}/{mark}/end")
    assert is_signed_in(there)


def test_the_present_place_is_left_by_signing_out(people: People) -> None:
    here = at(people.reader)
    mark = own_sessions.of(people.reader, key(here))[0].mark
    assert here.post(f"{PAGE}/{mark}/end").headers["Location"] == "/account/logout"
    assert is_signed_in(here)


def test_signing_in_elsewhere_ends_nothing(people: People) -> None:
    clients = [at(people.reader) for _ in range(3)]
    assert all(map(is_signed_in, clients))
    assert len(own_sessions.of(people.reader, None)) == 3


def test_what_is_over_is_not_listed(people: People) -> None:
    old, changed, here = at(people.reader), at(people.reader), at(people.reader)
    age(old, seen_at=13 * 3600)
    assert len(own_sessions.of(people.reader, None)) == 2
    change(here, build.PASSWORD, "another long passphrase")
    assert not is_signed_in(changed)
    assert len(own_sessions.of(User.objects.get(pk=people.reader.pk), None)) == 1


def test_last_seen_and_the_address_move_with_the_session_but_rarely(people: People) -> None:
    client = at(people.reader)
    age(client, seen_at=400)
    client.get("/account", REMOTE_ADDR="192.0.2.99")
    row = own_sessions.of(people.reader, None)[0]
    assert row.ip == "192.0.2.99"
    assert time.time() - row.seen_at.timestamp() < 60


def test_a_session_knows_its_person_from_the_sign_in_on(people: People) -> None:
    client = Client()
    client.get("/account/login")
    sign_in(client, people.reader.email)
    assert Session.objects.get(session_key=key(client)).user_id == people.reader.pk


def test_a_session_from_before_is_somebodys_too(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.reader)
    session = client.session
    for name in ("ip", "agent", "seen_at", "signed_in_at"):
        del session[name]
    session.save()
    row = own_sessions.of(people.reader, None)[0]
    assert (row.program, row.ip) == ("Unknown program", "")
    assert client.get(PAGE).status_code == 200
