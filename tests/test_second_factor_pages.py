"""Signing in with a second factor, setting one up, and being made to: with real forms and sessions."""

import re
import time
from collections.abc import Callable

import pytest
from django.conf import settings
from django.core import mail
from django.http import HttpResponse
from django.test import Client

from flashback.keyring import new_field_key
from tests import build
from tests.conftest import People
from tests.test_accounts import choose, errors, is_signed_in, reset_link, sign_in
from tests.test_second_factor import clock, code, set_up
from workspaces import second_factor, second_factor_views, sessions
from workspaces.account_models import Session
from workspaces.models import Event, User

pytestmark = pytest.mark.django_db
STEP, SET_UP = "/account/2fa/authenticate", "/account/2fa/totp/activate"
__all__ = ["clock"]


def begin(client: Client, person: User, onward: str) -> HttpResponse:
    return client.post("/account/login", {"login": person.email, "password": build.PASSWORD, "next": onward})


def enter(client: Client, typed: str) -> HttpResponse:
    return client.post(STEP, {"code": typed})


def key_of(page: HttpResponse) -> str:
    """The key that a page offers to an app."""
    found = re.search(r'id="totp-key"[^>]*>([A-Z2-7 ]+)<', page.text)
    assert found
    return found[1].replace(" ", "")


def codes_of(page: HttpResponse) -> list[str]:
    found = re.search(r'id="recovery-codes"[^>]*>([\d\s]+)<', page.text)
    assert found
    return found[1].strip().split("\n")


# --- Signing in -------------------------------------------------------------------------------------------------------


def test_the_password_alone_opens_nothing(people: People, clock: Callable[[int], None]) -> None:
    secret, _ = set_up(people.reader)
    clock(60)
    client = Client()
    response = client.post(
        "/account/login", {"login": people.reader.email, "password": build.PASSWORD, "next": "/account"}
    )
    assert (response.status_code, response.headers["Location"]) == (303, STEP)
    for page in ("/account", "/account/2fa", SET_UP, f"/w/{people.workspace.slug}/ai", "/account/password/change"):
        assert client.get(page).headers["Location"].startswith("/account/login?next=")
    assert not Event.objects.filter(action="person.signed_in").exists()
    response = enter(client, code(secret))
    assert (response.status_code, response.headers["Location"]) == (303, "/account")
    assert is_signed_in(client)
    assert Event.objects.filter(action="person.signed_in").count() == 1


def test_a_recovery_code_opens_too_and_only_once(people: People) -> None:
    _, codes = set_up(people.reader)
    for expected in (303, 422):
        client = Client()
        sign_in(client, people.reader.email)
        assert enter(client, codes[0]).status_code == expected


def test_a_wrong_code_is_told_beside_the_field_and_the_sixth_is_not_looked_at(
    people: People, clock: Callable[[int], None]
) -> None:
    secret, _ = set_up(people.reader)
    clock(60)
    client = Client()
    sign_in(client, people.reader.email)
    answers = [enter(client, "000000") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [422] * 4
    assert errors(answers[0]) == {"code": [second_factor.WRONG]}
    closed = [enter(client, "000000"), enter(client, code(secret))]
    assert [answer.status_code for answer in closed] == [429, 429]
    assert closed[1].headers["Retry-After"] == "900"
    other = Client()
    sign_in(other, people.reader.email)
    assert enter(other, code(secret)).status_code == 429, "the count is the person's, whichever session tries"


@pytest.mark.parametrize("typed", [{}, {"code": ""}, {"credential": "{}"}, {"code": "\0"}, {"code": "9" * 5000}])
def test_nothing_that_is_sent_to_the_second_step_breaks_it(people: People, typed: dict[str, str]) -> None:
    set_up(people.reader)
    client = Client()
    sign_in(client, people.reader.email)
    assert client.post(STEP, typed).status_code in {303, 422}
    assert not is_signed_in(client)


def test_the_second_step_is_nothing_without_the_first(people: People) -> None:
    for client in (Client(), Client()):
        assert client.get(STEP).headers["Location"] == "/account/login"
        assert enter(client, "123456").headers["Location"] == "/account/login"


def test_somebody_else_may_sign_in_instead(people: People) -> None:
    set_up(people.reader)
    client = Client()
    sign_in(client, people.reader.email)
    assert client.get("/account/login").headers["Location"] == STEP
    client.post("/account/logout")
    assert client.get("/account/login").status_code == 200
    assert sign_in(client, people.writer.email).headers["Location"] == "/"


def test_a_reset_password_still_takes_the_second_factor(people: People) -> None:
    set_up(people.reader)
    client = Client()
    choose(client, reset_link(client, people.reader.email), "another long passphrase")
    assert not is_signed_in(client)
    assert sign_in(client, people.reader.email, "another long passphrase").headers["Location"] == STEP


def test_the_admin_site_takes_it_too(people: People) -> None:
    _, codes = set_up(people.staff)
    client = Client()
    assert client.get("/admin/login/?next=/admin/").headers["Location"] == "/account/login?next=%2Fadmin%2F"
    response = client.post(
        "/account/login", {"login": people.staff.email, "password": build.PASSWORD, "next": "/admin/"}
    )
    assert response.headers["Location"] == STEP
    assert client.get("/admin/").status_code == 302
    assert enter(client, codes[0]).headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_the_session_gets_a_new_key_with_the_second_step(people: People) -> None:
    _, codes = set_up(people.reader)
    client = Client()
    sign_in(client, people.reader.email)
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    enter(client, codes[0])
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before
    assert not Session.objects.filter(session_key=before).exists()


def test_no_session_holds_a_secret_of_it(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.reader)
    secret = key_of(client.get(SET_UP))
    assert secret not in str(dict(client.session))
    page = client.post(SET_UP, {"code": code(secret)})
    kept = str(dict(client.session))
    assert not [text for text in (secret, *codes_of(page)) if text in kept or text.replace(" ", "") in kept]


# --- Setting it up ----------------------------------------------------------------------------------------------------


def test_setting_it_up_shows_the_recovery_codes_once(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.reader)
    page = client.get(SET_UP)
    secret = key_of(page)
    assert key_of(client.get(SET_UP)) == secret, "a reload keeps what was scanned"
    assert f"otpauth://totp/{people.reader.email.replace('@', '%40')}?secret={secret}&amp;issuer=Flashback" in page.text
    wrong = client.post(SET_UP, {"code": "000000"})
    assert (wrong.status_code, errors(wrong), key_of(wrong)) == (422, {"code": [second_factor.WRONG]}, secret)
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    made = client.post(SET_UP, {"code": code(secret)})
    codes = codes_of(made)
    assert len(codes) == 10
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before
    assert not Session.objects.filter(session_key=before).exists()
    for later in (client.get("/account/2fa"), client.get(SET_UP), client.get("/account/2fa/recovery-codes/generate")):
        assert not [one for one in codes if one in later.text]
    assert "10 of 10 are left" in client.get("/account/2fa").text
    assert mail.outbox[0].to == [people.reader.email]
    assert "second factor was turned on" in mail.outbox[0].body
    assert "second factor was turned on" in mail.outbox[0].alternatives[0].content


def test_the_qr_code_is_drawn_without_style_and_reads_as_the_address(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    page = signed_in(people.reader).get(SET_UP).text
    drawing = page[page.index('<svg class="qr"') : page.index("</svg>", page.index('<svg class="qr"'))]
    assert "style" not in drawing
    assert 'role="img"' in drawing
    size, path = second_factor_views.drawn("otpauth://totp/x?secret=ABC")
    assert path.startswith("M2 2h1v1h-1z"), "the corner of the finder, after a quiet zone of two"
    assert size >= 25


def test_recovery_codes_can_be_saved_right_after_they_were_made(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(people.reader)
    codes = codes_of(client.post(SET_UP, {"code": code(key_of(client.get(SET_UP)))}))
    saved = client.post("/account/2fa/recovery-codes/download")
    assert saved.headers["Content-Disposition"] == 'attachment; filename="flashback-recovery-codes.txt"'
    assert saved.text.split("\n")[2:-1] == codes
    assert signed_in(people.reader).post("/account/2fa/recovery-codes/download").status_code == 303
    session = client.session
    session[second_factor_views.CODES_MADE_AT] = int(time.time()) - 601
    session.save()
    assert client.post("/account/2fa/recovery-codes/download").status_code == 303


def test_new_codes_are_shown_by_the_form_that_makes_them(people: People, signed_in: Callable[[User], Client]) -> None:
    _, old = set_up(people.reader)
    client = signed_in(people.reader)
    made = client.post("/account/2fa/recovery-codes/generate")
    codes = codes_of(made)
    assert not {one.replace(" ", "") for one in codes} & set(old)
    assert second_factor.check(people.reader, codes[0])


def test_turning_it_off_asks_and_tells_by_mail(people: People, signed_in: Callable[[User], Client]) -> None:
    set_up(people.reader)
    client = signed_in(people.reader)
    assert "Only the password" in client.get("/account/2fa/totp/deactivate").text
    mail.outbox.clear()
    assert client.post("/account/2fa/totp/deactivate").headers["Location"] == "/account/2fa"
    assert not second_factor.enabled(people.reader)
    assert "turned off" in mail.outbox[0].body


# --- Having to --------------------------------------------------------------------------------------------------------


def test_the_page_counts_the_codes_that_are_left_without_the_key_to_them(
    people: People, signed_in: Callable[[User], Client], ring: Callable[..., None]
) -> None:
    _, codes = set_up(people.reader)
    assert second_factor.check(people.reader, codes[0])
    client = signed_in(people.reader)
    before = client.get("/account/2fa")
    assert before.context["left"] == 9
    ring(new_field_key())
    after = client.get("/account/2fa")
    assert (after.status_code, after.context["left"]) == (200, 9)


def test_whoever_has_to_have_one_is_led_to_it_at_the_next_sign_in_and_nowhere_else(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    before = signed_in(people.reader)
    second_factor.set_policy(people.owner, "everyone")
    assert is_signed_in(before), "what is open stays open"
    client = Client()
    sign_in(client, people.reader.email)
    for page in (
        "/",
        "/account",
        "/account/2fa",
        f"/w/{people.workspace.slug}/ai",
        "/account/password/change",
        "/admin/",
    ):
        assert client.get(page).headers["Location"] == SET_UP
    assert client.post(f"/w/{people.workspace.slug}/ai/llm/new").headers["Location"] == SET_UP
    partial = client.get(f"/w/{people.workspace.slug}/ai", headers={"HX-Request": "true"})
    assert (partial.status_code, partial.headers["HX-Redirect"]) == (401, SET_UP)
    page = client.get(SET_UP)
    assert "Your organization asks for it." in page.text
    done = client.post(SET_UP, {"code": code(key_of(page))})
    assert 'href="/">I have saved them' in re.sub(r"\s+", " ", done.text)
    assert client.get(f"/w/{people.workspace.slug}/ai").status_code == 200
    assert client.post("/account/2fa/totp/deactivate").status_code == 422
    assert second_factor.enabled(people.reader)


def test_whoever_has_to_have_one_may_leave_instead(people: People) -> None:
    second_factor.set_policy(people.owner, "everyone")
    client = Client()
    sign_in(client, people.reader.email)
    assert client.post("/account/logout").headers["Location"] == "/account/login?signed_out=1"


def test_whoever_has_one_already_goes_on_as_always(people: People) -> None:
    _, codes = set_up(people.reader)
    second_factor.set_policy(people.owner, "everyone")
    client = Client()
    sign_in(client, people.reader.email)
    enter(client, codes[0])
    assert is_signed_in(client)


def test_the_policy_costs_no_query_on_later_pages(
    people: People, signed_in: Callable[[User], Client], django_assert_num_queries: Callable[..., object]
) -> None:
    second_factor.set_policy(people.owner, "everyone")
    client = signed_in(people.reader)
    assert client.session[sessions.SECOND_FACTOR_DUE]
    with django_assert_num_queries(1):  # the session
        client.get("/account")


def test_the_policy_is_set_on_a_page_of_the_organization(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.owner)
    page = client.get("/organization/security").text
    assert "0 of 5 people in Acme have a second factor." in re.sub(r"\s+", " ", page)
    assert client.post("/organization/security", {"policy": "everyone"}).status_code == 303
    people.organization.refresh_from_db()
    assert people.organization.second_factor == "everyone"
    chosen = re.search(r'<input[^>]*value="everyone"[^>]*>', client.get("/organization/security").text)
    assert chosen
    assert "checked" in chosen[0]
    assert client.post("/organization/security", {"policy": "no"}).status_code == 422
