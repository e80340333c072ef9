"""Signing in and out, passwords, and how long a session lasts: with real forms, a real cache and real mails."""

import re
import time
from collections.abc import Callable
from importlib import import_module

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth import hashers
from django.core import mail
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from flashback.web import CONTENT_SECURITY_POLICY
from tests import build
from tests.conftest import People
from workspaces import people as verbs
from workspaces import sessions
from workspaces.account_models import Session
from workspaces.models import Event, User

pytestmark = pytest.mark.django_db
PASSWORD, NEW = build.PASSWORD, "another long passphrase"
WRONG = "The e-mail address or the password is not right."


def sign_in(client: Client, email: str, password: str = PASSWORD, **more: str) -> HttpResponse:
    return client.post("/account/login", {"login": email, "password": password}, **more)


def errors(response: HttpResponse) -> dict[str, list[str]]:
    return dict(response.context["form"].errors)


def is_signed_in(client: Client) -> bool:
    return client.get("/account").status_code == 200


def reset_link(client: Client, email: str, **more: str) -> str:
    mail.outbox.clear()
    client.post("/account/password/reset", {"email": email}, **more)
    found = re.search(r"http\S+", mail.outbox[0].body.split("within one hour:")[1])
    assert found
    return found[0]


def path_of(link: str) -> str:
    return link.removeprefix(settings.PUBLIC_URL)


def choose(client: Client, link: str, password: str) -> HttpResponse:
    """Follow a reset link as a browser does, and post the new password."""
    form = client.get(path_of(link), follow=True)
    return client.post(form.request["PATH_INFO"], {"password1": password, "password2": password})


# --- Signing in -------------------------------------------------------------------------------------------------------


def test_a_person_signs_in_with_their_address_in_any_case_and_lands_where_they_were_going(people: People) -> None:
    client = Client()
    page = client.get("/account/login", {"next": "/account"})
    assert '<input type="hidden" name="next" value="/account">' in page.text
    response = client.post(
        "/account/login", {"login": f" {people.reader.email.upper()} ", "password": PASSWORD, "next": "/account"}
    )
    assert (response.status_code, response.headers["Location"]) == (303, "/account")
    assert people.reader.email in client.get("/account").text


def test_pages_that_need_a_person_lead_to_sign_in_and_come_back(people: People) -> None:
    response = Client().get("/account")
    assert (response.status_code, response.headers["Location"]) == (302, "/account/login?next=/account")


@pytest.mark.parametrize(
    "route",
    [
        "/account/login",
        "/account/logout",
        "/account/inactive",
        "/account/password/reset",
        "/account/password/reset/done",
        "/account/password/reset/key/done",
        "/account/password/reset/key/abc-def",
    ],
)
def test_what_must_be_public_is_public_and_keeps_the_headers(route: str) -> None:
    response = Client().get(route)
    assert response.status_code in {200, 302}
    assert response.headers.get("Location", "/account/login") == "/account/login"
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.parametrize("route", ["password/change", "password/set", "reauthenticate"])
def test_what_needs_a_person_is_closed(route: str) -> None:
    assert Client().get(f"/account/{route}").headers["Location"] == f"/account/login?next=/account/{route}"


@pytest.mark.parametrize("route", ["signup", "email", "confirm-email", "login/code", "login/"])
def test_nobody_signs_up_by_themselves_and_no_other_page_of_the_package_is_mounted(route: str) -> None:
    assert Client().get(f"/account/{route}").status_code in {302, 404}
    assert User.objects.count() == 0
    assert "/account/signup" not in Client().get("/account/login").text


def test_an_unknown_person_and_a_wrong_password_read_the_same(people: People) -> None:
    unknown = sign_in(Client(), "nobody@example.com", "wrong")
    wrong = sign_in(Client(), people.reader.email, "wrong")
    assert (unknown.status_code, wrong.status_code) == (422, 422)
    assert errors(unknown) == errors(wrong) == {"__all__": [WRONG]}
    told = [
        re.sub(r'name="csrfmiddlewaretoken" value="\w+"|"X-CSRFToken": "\w+"', "", page.text)
        for page in (unknown, wrong)
    ]
    assert told[0].replace("nobody@example.com", "") == told[1].replace(people.reader.email, "")


def test_an_unknown_person_costs_as_much_hashing_as_a_known_one(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal time by structure: one hash each."""
    hashed: list[str] = []
    encode = hashers.MD5PasswordHasher.encode
    monkeypatch.setattr(
        hashers.MD5PasswordHasher,
        "encode",
        lambda self, password, salt: hashed.append(password) or encode(self, password, salt),
    )
    for email in ("nobody@example.com", people.reader.email):
        sign_in(Client(), email, f"wrong for {email}")
    assert hashed == ["wrong for nobody@example.com", f"wrong for {people.reader.email}"]


def test_what_was_typed_stays_except_the_password(people: People) -> None:
    page = sign_in(Client(), people.reader.email, "canary-password-typed-wrong").text
    assert f'value="{people.reader.email}"' in page
    assert "canary-password" not in page


@pytest.mark.parametrize(
    "typed", ["", "no address", "a\0b@example.com", "x" * 5000 + "@example.com", "\u202emoc.elpmaxe@a"]
)
def test_an_address_that_is_none_is_refused_in_words(typed: str) -> None:
    response = sign_in(Client(), typed)
    assert response.status_code == 422
    assert list(errors(response)) == ["login"]


def test_somebody_who_was_switched_off_is_told_only_with_the_right_password(people: People) -> None:
    User.objects.filter(pk=people.reader.pk).update(is_active=False)
    assert errors(sign_in(Client(), people.reader.email, "wrong")) == {"__all__": [WRONG]}
    assert sign_in(Client(), people.reader.email).headers["Location"] == "/account/inactive"


def test_switching_somebody_off_ends_their_sessions(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.reader)
    assert is_signed_in(client)
    User.objects.filter(pk=people.reader.pk).update(is_active=False)
    assert not is_signed_in(client)


def test_letting_somebody_in_again_does_not_bring_their_old_sessions_back(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client, other = signed_in(people.reader), signed_in(people.writer)
    verbs.set_standing(people.staff, people.reader, active=False, staff=False)
    verbs.set_standing(people.staff, people.reader, active=True, staff=False)
    assert not is_signed_in(client)
    assert is_signed_in(other)
    assert sign_in(client, people.reader.email).status_code == 303
    assert is_signed_in(client)


def test_giving_somebody_the_admin_site_keeps_their_sessions(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(people.reader)
    verbs.set_standing(people.staff, people.reader, active=True, staff=True)
    assert is_signed_in(client)


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example", "/\\evil.example", "https://evil.example/", "https:evil.example", "javascript:alert(1)",
        "http://127.0.0.1:9/", "http://testserver/account", "///evil.example", "evil.example", " //evil.example",
        "/\r\nX-Evil: 1",
    ],
)  # fmt: skip
def test_next_never_leads_off_this_host(people: People, target: str) -> None:
    response = Client().post("/account/login", {"login": people.reader.email, "password": PASSWORD, "next": target})
    assert response.status_code == 303
    assert response.headers["Location"] in {"/", "/%0D%0AX-Evil:%201"}
    assert "X-Evil" not in response.headers


def test_these_pages_never_answer_in_json(people: People) -> None:
    response = Client().post(
        "/account/login",
        {"login": people.reader.email, "password": "wrong"},
        headers={"X-Requested-With": "XMLHttpRequest"},
    )
    assert response.headers["Content-Type"].startswith("text/html")


def test_what_is_left_out_is_asked_for_by_its_name(people: People) -> None:
    page = Client().post("/account/login", {"login": "", "password": ""}).content.decode()
    assert "Enter the e-mail address." in page
    assert "Enter the password." in page
    assert "This field is required" not in page


def test_signing_in_leaves_the_table_of_addresses_empty(people: People) -> None:
    """An old address there would sign people in after theirs has changed."""
    client = Client()
    sign_in(client, people.reader.email)
    choose(client, reset_link(client, people.reader.email), NEW)
    assert EmailAddress.objects.count() == 0


# --- Limits -----------------------------------------------------------------------------------------------------------


def test_the_sixth_wrong_password_in_a_row_is_refused_and_so_is_the_right_one(people: People) -> None:
    statuses = [sign_in(Client(), people.reader.email, "wrong").status_code for _ in range(5)]
    assert statuses == [422] * 5
    refused = sign_in(Client(), people.reader.email)
    assert refused.status_code == 429
    assert 890 <= int(refused.headers["Retry-After"]) <= 900
    assert "Too many attempts" in refused.text
    assert sign_in(Client(), people.writer.email).status_code == 303


@pytest.mark.parametrize(("passed", "opens"), [(880, False), (901, True)])
def test_after_a_quarter_of_an_hour_the_right_password_works_again(
    people: People, monkeypatch: pytest.MonkeyPatch, passed: int, opens: bool
) -> None:
    for _ in range(5):
        sign_in(Client(), people.reader.email, "wrong")
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + passed)
    over_api = {"email": people.reader.email, "password": PASSWORD}
    answers = [Client().post("/api/user/login", over_api, content_type="application/json").status_code]
    answers.append(sign_in(Client(), people.reader.email).status_code)
    assert answers == ([200, 303] if opens else [429, 429])


def test_an_unknown_address_is_limited_like_a_known_one(people: People) -> None:
    assert [sign_in(Client(), "nobody@example.com", "wrong").status_code for _ in range(6)] == [422] * 5 + [429]


def test_a_stranger_elsewhere_does_not_lock_a_person_out(people: People) -> None:
    for _ in range(6):
        sign_in(Client(), people.reader.email, "wrong", REMOTE_ADDR="203.0.113.9")
    assert sign_in(Client(), people.reader.email).status_code == 303


def test_neither_a_forwarded_address_nor_another_host_name_opens_a_new_count(people: People) -> None:
    statuses = [
        sign_in(
            Client(),
            people.reader.email.upper() if number % 2 else people.reader.email,
            "wrong",
            HTTP_X_FORWARDED_FOR=f"198.51.100.{number}",
            HTTP_HOST=f"127.0.0.1:{9000 + number}",
        ).status_code
        for number in range(6)
    ]
    assert statuses == [422] * 5 + [429]


def test_many_addresses_together_are_limited_for_one_person(people: People, settings: object) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login_failed_anywhere": "7/h/key"}
    statuses = [
        sign_in(Client(), people.reader.email, "wrong", REMOTE_ADDR=f"203.0.113.{number}").status_code
        for number in range(8)
    ]
    assert statuses == [422] * 7 + [429]


def test_one_password_over_many_people_is_limited_by_address(people: People, settings: object) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login": "100/m/ip"}
    responses = [
        sign_in(Client(), f"person{number}@example.com", "Summer2026!!!!", HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")
        for number in range(31)
    ]
    assert [response.status_code for response in responses] == [422] * 30 + [429]
    assert 3500 <= int(responses[-1].headers["Retry-After"]) <= 3600


def test_sign_ins_that_work_do_not_count_as_failures(people: People, settings: object) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login_failed_anywhere": "6/h/key"}
    assert [sign_in(Client(), people.reader.email).status_code for _ in range(7)] == [303] * 7


def test_posts_to_the_sign_in_page_are_limited_and_the_page_says_so(people: People) -> None:
    responses = [sign_in(Client(), f"person{number}@example.com", "wrong") for number in range(11)]
    assert [response.status_code for response in responses] == [422] * 10 + [429]
    assert responses[-1].headers["Retry-After"] == "60"
    assert "Flashback</title>" in responses[-1].text
    assert Client().get("/account/login").status_code == 200


def test_many_other_counters_do_not_push_a_lock_out(people: People) -> None:
    for _ in range(6):
        sign_in(Client(), people.reader.email, "wrong")
    for number in range(400):
        cache.set(f"another-counter-{number}", [1.0])
    assert sign_in(Client(), people.reader.email).status_code == 429


@pytest.mark.parametrize("route", ["login", "password/reset", "password/reset/key/abc-def"])
def test_asking_for_the_head_of_a_page_uses_up_no_limit(people: People, route: str) -> None:
    assert [Client().head(f"/account/{route}").status_code for _ in range(25)] == [200] * 25
    assert Client().head("/account/login").content == b""
    assert sign_in(Client(), people.reader.email).status_code == 303


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PUT", "DELETE", "PROPFIND"])
def test_a_method_that_these_pages_do_not_know_uses_up_no_limit(people: People, method: str) -> None:
    """Another site can make a browser send OPTIONS (a CORS preflight) as often as it likes."""
    responses = [Client().generic(method, "/account/login") for _ in range(12)]
    assert [response.status_code for response in responses] == [405] * 12
    assert responses[0].headers["Allow"] == "GET, HEAD, POST"
    assert sign_in(Client(), people.reader.email).status_code == 303


# --- Sessions ---------------------------------------------------------------------------------------------------------


def age(client: Client, **seconds: int) -> None:
    """Make the session look as if it was seen, or begun, that long ago."""
    session = client.session
    for name, passed in seconds.items():
        session[name] = int(time.time()) - passed
    session.save()


def test_signing_in_gives_a_new_session(people: People) -> None:
    client = Client()
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store["from"] = "an attacker"
    store.create()
    client.cookies[settings.SESSION_COOKIE_NAME] = store.session_key
    sign_in(client, people.reader.email)
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != store.session_key
    assert not Session.objects.filter(session_key=store.session_key).exists()


def test_other_rights_give_a_new_session(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.reader)
    keys = [client.cookies[settings.SESSION_COOKIE_NAME].value]
    for role in (254, 254, 0):
        verbs.set_role(people.owner, people.reader, role=role)
        for _ in range(2):
            assert client.get("/account").status_code == 200
            keys.append(client.cookies[settings.SESSION_COOKIE_NAME].value)
    assert [keys.index(key) for key in keys] == [0, 1, 1, 1, 1, 5, 5]
    assert [row.session_key for row in Session.objects.filter(user_id=people.reader.pk)] == keys[-1:]


def test_the_cookie_cannot_be_read_by_scripts(people: People) -> None:
    client = Client()
    sign_in(client, people.reader.email)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")


@pytest.mark.parametrize(
    ("path", "seconds", "kept"),
    [
        ("/account", {"seen_at": 11 * 3600}, True),
        ("/account", {"seen_at": 12 * 3600 + 1}, False),
        ("/account", {"signed_in_at": 6 * 86_400}, True),
        ("/account", {"signed_in_at": 7 * 86_400 + 1}, False),
        ("/admin/", {"seen_at": 29 * 60}, True),
        ("/admin/", {"seen_at": 30 * 60 + 1}, False),
        ("/admin/", {"signed_in_at": 7 * 3600}, True),
        ("/admin/", {"signed_in_at": 8 * 3600 + 1}, False),
        ("/account", {"seen_at": 31 * 60, "signed_in_at": 9 * 3600}, True),
    ],
)
def test_a_session_ends_when_it_was_idle_or_open_for_too_long(
    people: People, signed_in: Callable[[User], Client], path: str, seconds: dict[str, int], kept: bool
) -> None:
    client = signed_in(people.staff)
    age(client, **seconds)
    assert client.get(path).status_code == (200 if kept else 302)
    assert (Session.objects.count() == 1) is kept


def test_looking_at_pages_keeps_a_session_alive_and_writes_rarely(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(people.reader)
    for passed, written in ((200, False), (301, True)):
        age(client, seen_at=passed)
        before = client.session[sessions.SEEN_AT]
        client.get("/account")
        assert (client.session[sessions.SEEN_AT] > before) is written


def test_a_session_from_before_the_limits_starts_to_count_now(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(people.reader)
    session = client.session
    del session[sessions.SEEN_AT], session[sessions.SIGNED_IN_AT]
    session.save()
    assert is_signed_in(client)
    assert {sessions.SEEN_AT, sessions.SIGNED_IN_AT} <= set(client.session.keys())


def test_signing_out_ends_the_session_and_clears_what_the_browser_keeps(people: People) -> None:
    client = Client()
    sign_in(client, people.reader.email)
    old = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert client.get("/account/logout").status_code == 200
    assert is_signed_in(client)
    response = client.post("/account/logout")
    assert (response.status_code, response.headers["Location"]) == (303, "/account/login?signed_out=1")
    assert "You are signed out." in client.get(response.headers["Location"]).text
    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    client.cookies[settings.SESSION_COOKIE_NAME] = old
    assert not is_signed_in(client)
    assert Session.objects.count() == 0


# --- Passwords --------------------------------------------------------------------------------------------------------


def change(client: Client, old: str, new: str) -> HttpResponse:
    return client.post("/account/password/change", {"oldpassword": old, "password1": new, "password2": new})


def test_changing_the_password_ends_other_sessions_and_reset_links_but_not_this_one(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    here, elsewhere = signed_in(people.reader), signed_in(people.reader)
    link = reset_link(Client(), people.reader.email)
    before = here.cookies[settings.SESSION_COOKIE_NAME].value
    response = change(here, PASSWORD, NEW)
    assert (response.status_code, response.headers["Location"]) == (303, "/account")
    assert "Your password is changed." in here.get("/account").text
    assert here.cookies[settings.SESSION_COOKIE_NAME].value != before
    assert not is_signed_in(elsewhere)
    assert "does not work any more" in Client().get(path_of(link)).text
    assert sign_in(Client(), people.reader.email, NEW).status_code == 303


def test_a_changed_password_is_in_the_audit_log(people: People, signed_in: Callable[[User], Client]) -> None:
    change(signed_in(people.reader), PASSWORD, NEW)
    event = Event.objects.get()
    assert (event.action, event.actor_id, event.object_id) == (
        "person.password_changed", people.reader.pk, str(people.reader.pk),
    )  # fmt: skip
    assert event.organization_id == people.organization.pk
    assert NEW not in str(event.details)


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("short", "too short"),
        ("q1w2e3r4t5y6", "too common. Four words"),
        ("rita.reader.example", "too similar"),
        ("x" * 129, "at most 128"),
    ],
)
def test_a_weak_password_is_refused_beside_its_field(
    people: People, signed_in: Callable[[User], Client], new: str, says: str
) -> None:
    response = change(signed_in(people.reader), PASSWORD, new)
    assert response.status_code == 422
    assert list(errors(response)) == ["password1"]
    assert says in " ".join(errors(response)["password1"])
    assert f'value="{new}"' not in response.text


def test_the_current_password_must_be_right_and_cannot_be_guessed_for_long(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    client = signed_in(people.reader)
    assert errors(change(client, "wrong", NEW)) == {"oldpassword": ["This is not your current password."]}
    statuses = [change(client, "wrong", NEW).status_code for _ in range(5)]
    assert statuses == [422] * 4 + [429]


def test_two_different_new_passwords_are_refused(people: People, signed_in: Callable[[User], Client]) -> None:
    response = signed_in(people.reader).post(
        "/account/password/change", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW + "x"}
    )
    assert list(errors(response)) == ["password2"]


def test_a_reset_link_works_once_and_signs_out_everywhere(people: People, signed_in: Callable[[User], Client]) -> None:
    elsewhere, client = signed_in(people.reader), Client()
    link = reset_link(client, people.reader.email)
    response = choose(client, link, NEW)
    assert (response.status_code, response.headers["Location"]) == (303, "/account/password/reset/key/done")
    assert not is_signed_in(elsewhere)
    assert "does not work any more" in Client().get(path_of(link)).text
    assert sign_in(Client(), people.reader.email).status_code == 422
    assert sign_in(Client(), people.reader.email, NEW).status_code == 303


def test_the_key_of_a_reset_link_leaves_the_address_at_once(people: People) -> None:
    """Otherwise it would travel in the Referer of whatever the page loads."""
    client = Client()
    response = client.get(path_of(reset_link(client, people.reader.email)))
    assert response.status_code == 302
    assert response.headers["Location"].endswith("-set-password")


def test_a_reset_link_dies_after_an_hour(people: People, settings: object) -> None:
    client = Client()
    link = reset_link(client, people.reader.email)
    assert settings.PASSWORD_RESET_TIMEOUT == 3600
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "does not work any more" in client.get(path_of(link)).text


def test_a_reset_link_dies_with_the_address(people: People) -> None:
    link = reset_link(Client(), people.reader.email)
    User.objects.filter(pk=people.reader.pk).update(email="new@example.com")
    assert "does not work any more" in Client().get(path_of(link)).text


@pytest.mark.parametrize("key", ["0-0", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-x", "1-set-password", "a-" + "b" * 3000])
def test_a_made_up_reset_link_says_that_it_does_not_work(people: People, key: str) -> None:
    response = Client().get(f"/account/password/reset/key/{key}")
    assert response.status_code == 200
    assert "does not work any more" in response.text


def test_the_mail_is_in_text_and_html_and_its_link_is_ours_whatever_the_host_says(people: People) -> None:
    link = reset_link(Client(), people.reader.email, HTTP_HOST="localhost:1", HTTP_X_FORWARDED_HOST="evil.example")
    assert link.startswith(f"{settings.PUBLIC_URL}/account/password/reset/key/")
    message = mail.outbox[0]
    assert (message.to, message.subject) == ([people.reader.email], "Reset your Flashback password")
    html = message.alternatives[0].content
    assert f'<a href="{link}">{link}</a>' in html
    for body in (message.body, html):
        assert "localhost:1/" not in body
        assert "evil.example" not in body


def test_a_name_cannot_write_into_the_html_of_a_mail(people: People) -> None:
    User.objects.filter(pk=people.reader.pk).update(name="<b>Rita</b>")
    reset_link(Client(), people.reader.email)
    assert "<b>" not in mail.outbox[0].alternatives[0].content
    assert "Hello <b>Rita</b>," in mail.outbox[0].body


def test_a_host_that_is_not_ours_gets_nothing(people: People) -> None:
    response = Client().post("/account/password/reset", {"email": people.reader.email}, HTTP_HOST="evil.example")
    assert response.status_code == 400
    assert mail.outbox == []


def test_asking_for_a_link_looks_the_same_with_and_without_an_account(people: People) -> None:
    """One mail each, so that neither the answer nor its time tells."""
    answers = []
    for email in (people.reader.email, "nobody@example.com"):
        response = Client().post("/account/password/reset", {"email": email})
        answers.append((response.status_code, response.headers["Location"], response.content))
    assert answers[0] == answers[1] == (303, "/account/password/reset/done", b"")
    assert [message.to for message in mail.outbox] == [[people.reader.email], ["nobody@example.com"]]
    assert "http" not in mail.outbox[1].body.replace(settings.PUBLIC_URL, "")


def test_a_mail_server_that_refuses_tells_nobody_who_has_an_account(people: People, settings: object, caplog) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    for email in (people.reader.email, "nobody@example.com"):
        assert Client().post("/account/password/reset", {"email": email}).status_code == 303
    assert [record.levelname for record in caplog.records if record.name == "workspaces.adapter"] == ["ERROR", "ERROR"]
    assert people.reader.email not in caplog.text


def test_reset_mails_are_limited_per_address(people: People) -> None:
    responses = [Client().post("/account/password/reset", {"email": people.reader.email}) for _ in range(6)]
    assert [response.status_code for response in responses] == [303] * 5 + [429]
    assert responses[-1].headers["Retry-After"] == "3600"
    assert len(mail.outbox) == 5


def test_whoever_reset_the_password_may_sign_in_again_at_once(people: People) -> None:
    client = Client()
    for _ in range(6):
        sign_in(client, people.reader.email, "wrong")
    choose(client, reset_link(client, people.reader.email), NEW)
    assert sign_in(client, people.reader.email, NEW).status_code == 303


def test_somebody_without_a_password_is_asked_to_choose_one(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    people.reader.set_unusable_password()
    people.reader.save()
    client = signed_in(people.reader)
    assert client.get("/account/password/change").headers["Location"] == "/account/password/set"
    assert client.post("/account/password/set", {"password1": NEW, "password2": NEW}).status_code == 303
    assert sign_in(Client(), people.reader.email, NEW).status_code == 303


def test_confirming_the_password_once_more(people: People, signed_in: Callable[[User], Client]) -> None:
    client = signed_in(people.reader)
    assert client.get("/account/reauthenticate").status_code == 200
    wrong = client.post("/account/reauthenticate", {"password": "wrong", "next": "/account"})
    assert (wrong.status_code, errors(wrong)) == (422, {"password": ["The password is not right."]})
    right = client.post("/account/reauthenticate", {"password": PASSWORD, "next": "/account"})
    assert (right.status_code, right.headers["Location"]) == (303, "/account")


def test_passwords_are_stored_as_argon2_with_little_memory_each() -> None:
    argon = import_module("workspaces.passwords").Argon2PasswordHasher()
    stored = argon.encode(PASSWORD, argon.salt())
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored
    assert settings.PASSWORD_HASHERS != []


# --- One's own page ---------------------------------------------------------------------------------------------------


def test_the_account_page_says_who_one_is(people: People, signed_in: Callable[[User], Client]) -> None:
    page = signed_in(people.owner).get("/account").text
    for fact in (people.owner.name, people.owner.email, "Acme", "Owner", reverse("account_change_password")):
        assert fact in page


def test_staff_without_an_organization_have_an_account_page(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    page = signed_in(people.staff).get("/account").text
    assert people.staff.email in page
    assert "Role" not in page


def test_forms_with_a_password_are_sent_as_whole_pages(people: People, signed_in: Callable[[User], Client]) -> None:
    """htmx would keep what was typed in its history."""
    client = signed_in(people.reader)
    pages = [
        Client().get("/account/login"),
        client.get("/account/password/change"),
        client.get("/account/reauthenticate"),
    ]
    for page in pages:
        forms = re.findall(r"<form[^>]*>(?:(?!</form>).)*type=\"password\"", page.text, re.DOTALL)
        assert forms
        assert all('hx-boost="false"' in form for form in forms)
