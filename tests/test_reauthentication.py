"""Being asked once more who one is before something that matters, ten minutes after the last time."""

import re
import time
from collections.abc import Callable

import pytest
from django.http import HttpResponse
from django.test import Client

from ai_llm.models import AiLlm
from tests import build
from tests.conftest import People
from tests.test_accounts import sign_in
from tests.test_second_factor import set_up
from workspaces import sessions
from workspaces.models import Event, User

pytestmark = pytest.mark.django_db
ASK, ASK_CODE = "/account/reauthenticate", "/account/2fa/reauthenticate"


def stale(client: Client, seconds: int = 601) -> Client:
    """Let the last sign-in or confirmation be so long ago."""
    session = client.session
    session[sessions.AUTHENTICATED_AT] = int(time.time()) - seconds
    session.save()
    return client


def hidden(page: HttpResponse) -> dict[str, str]:
    pairs = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text)
    return {name: value for name, value in pairs if name != "csrfmiddlewaretoken"}


@pytest.fixture
def row(people: People) -> AiLlm:
    return build.ai_llm(people.owner, people.workspace, name="first")


def asked_for(people: People, row: AiLlm) -> list[str]:
    w, llm = f"/w/{people.workspace.slug}", f"/w/{people.workspace.slug}/ai/llm"
    repository = build.repository(people.owner, people.workspace, row)
    key = build.key(people.owner, repository).key
    return [
        f"{llm}/{row.pk}/rotate",
        f"{llm}/{row.pk}/delete",
        f"{llm}/selected/delete?ids={row.pk}",
        f"{w}/repositories/{repository.pk}/delete",
        f"{w}/repositories/{repository.pk}/keys/new",
        f"{w}/repositories/{repository.pk}/keys/{key.pk}/rotate",
        f"{w}/members/add",
        f"{w}/members/{people.reader.pk}/role",
        f"{w}/members/{people.reader.pk}/remove",
        "/account/2fa/totp/activate",
        "/account/2fa/totp/deactivate",
        "/account/2fa/recovery-codes/generate",
    ]


def test_what_matters_asks_when_its_page_is_opened_and_leads_back(
    people: People, row: AiLlm, signed_in: Callable[[User], Client]
) -> None:
    client = stale(signed_in(people.owner))
    for page in asked_for(people, row):
        led = client.get(page)
        assert led.status_code == 303, page
        assert led.headers["Location"].startswith(f"{ASK}?next=%2F"), page
    form = client.get(f"{ASK}?next=/account/2fa/totp/activate")
    assert '<input type="hidden" name="next" value="/account/2fa/totp/activate">' in form.text
    answer = client.post(ASK, {"password": build.PASSWORD, "next": "/account/2fa/totp/activate"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/2fa/totp/activate")
    assert client.get("/account/2fa/totp/activate").status_code == 200


@pytest.mark.parametrize(("seconds", "asks"), [(0, False), (590, False), (601, True), (-60, True)])
def test_ten_minutes_count_and_a_moment_to_come_does_not(
    people: People, row: AiLlm, signed_in: Callable[[User], Client], seconds: int, asks: bool
) -> None:
    client = stale(signed_in(people.owner), seconds)
    answer = client.get(f"/w/{people.workspace.slug}/ai/llm/{row.pk}/rotate")
    assert (answer.status_code == 303) is asks


def test_whoever_has_just_signed_in_is_not_asked(people: People, row: AiLlm) -> None:
    client = Client()
    sign_in(client, people.owner.email)
    assert client.get(f"/w/{people.workspace.slug}/ai/llm/{row.pk}/rotate").status_code == 200


def test_what_matters_less_never_asks(people: People, row: AiLlm, signed_in: Callable[[User], Client]) -> None:
    client = stale(signed_in(people.owner))
    llm = f"/w/{people.workspace.slug}/ai/llm"
    for page in (f"{llm}/{row.pk}", f"{llm}/{row.pk}/edit", f"{llm}/new", f"{llm}/selected/disable?ids={row.pk}"):
        assert client.get(page).status_code == 200
    assert client.post(f"{llm}/{row.pk}/disable").status_code == 303


def test_a_form_that_was_open_for_too_long_asks_and_goes_on_with_what_was_typed(
    people: People, row: AiLlm, signed_in: Callable[[User], Client]
) -> None:
    client = stale(signed_in(people.owner))
    page = f"/w/{people.workspace.slug}/members/{people.reader.pk}/role"
    asked = client.post(page, {"role": "WRITE"})
    assert asked.status_code == 422
    assert hidden(asked) == {"role": "WRITE"}
    assert people.reader.memberships.get().role == "READ"
    wrong = client.post(page, {**hidden(asked), "confirm-password": "wrong"})
    assert wrong.status_code == 422
    assert hidden(wrong) == {"role": "WRITE"}
    done = client.post(page, {**hidden(asked), "confirm-password": build.PASSWORD})
    assert done.status_code == 303
    assert people.reader.memberships.get().role == "WRITE"
    assert client.post(page, {"role": "ADMIN"}).status_code == 303, "and for ten minutes more"


def test_a_typed_secret_is_never_sent_back_and_nothing_is_stored_without_it(
    people: People, row: AiLlm, signed_in: Callable[[User], Client]
) -> None:
    client = stale(signed_in(people.owner))
    page = f"/w/{people.workspace.slug}/ai/llm/{row.pk}/edit"
    typed = {"name": "second", "endpoint": row.endpoint, "version": row.version, "scheduled": "on"}
    asked = client.post(page, {**typed, "secret": "sk-canary-that-must-not-come-back-1234"})
    assert asked.status_code == 422
    assert "sk-canary" not in asked.text
    kept = hidden(asked)
    assert kept["confirm-again"] == "secret"
    back = client.post(page, {**kept, "confirm-password": build.PASSWORD})
    assert back.status_code == 422
    assert 'value="second"' in back.text
    assert "Type this once more" in back.text
    row.refresh_from_db()
    assert row.name == "first"


def test_a_change_without_a_secret_is_saved_without_a_question(
    people: People, row: AiLlm, signed_in: Callable[[User], Client]
) -> None:
    client = stale(signed_in(people.owner))
    typed = {"name": "second", "endpoint": row.endpoint, "version": row.version, "scheduled": "on"}
    assert client.post(f"/w/{people.workspace.slug}/ai/llm/{row.pk}/edit", typed).status_code == 303


def test_whoever_has_a_second_factor_gives_a_code_of_it(
    people: People, row: AiLlm, signed_in: Callable[[User], Client]
) -> None:
    _, codes = set_up(people.owner)
    client = stale(signed_in(people.owner))
    assert client.get(f"{ASK}?next=/account").headers["Location"] == f"{ASK_CODE}?next=%2Faccount"
    assert client.post(ASK, {"password": build.PASSWORD}).headers["Location"].startswith(ASK_CODE)
    assert client.post(ASK_CODE, {"code": "000000", "next": "/account"}).status_code == 422
    assert client.post(ASK_CODE, {"code": codes[0], "next": "/account"}).headers["Location"] == "/account"
    assert client.get("/account/2fa/totp/deactivate").status_code == 200
    stale(client)
    page = f"/w/{people.workspace.slug}/members/{people.reader.pk}/role"
    assert client.post(page, {"role": "WRITE", "confirm-password": build.PASSWORD}).status_code == 422
    assert client.post(page, {"role": "WRITE", "confirm-code": codes[1]}).status_code == 303


def test_scripts_are_led_by_a_header_to_a_whole_page(
    people: People, row: AiLlm, signed_in: Callable[[User], Client]
) -> None:
    client = stale(signed_in(people.owner))
    llm = f"/w/{people.workspace.slug}/ai/llm/{row.pk}"
    current = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{llm}"}
    for answer in (client.get(f"{llm}/rotate", headers=current), client.post(f"{llm}/rotate/former", headers=current)):
        assert (answer.status_code, answer.content) == (401, b"")
        assert answer.headers["HX-Redirect"].startswith(f"{ASK}?next=%2Fw%2F")
    set_up_page = "/account/2fa/totp/activate"
    followed = {"HX-Request": "true", "HX-Boosted": "true", "HX-Current-URL": "http://testserver/account/2fa"}
    answer = client.get(set_up_page, headers=followed)
    assert answer.headers["HX-Redirect"] == f"{ASK}?next=%2Faccount%2F2fa%2Ftotp%2Factivate"
    boosted = client.post(f"{llm}/delete", {"phrase": "x"}, headers={**current, "HX-Boosted": "true"})
    assert boosted.status_code == 422
    assert "<html" not in boosted.text
    assert 'hx-boost="false"' in boosted.text


def test_guesses_are_limited_and_recorded(people: People, row: AiLlm, signed_in: Callable[[User], Client]) -> None:
    client = stale(signed_in(people.owner))
    page = f"/w/{people.workspace.slug}/members/{people.reader.pk}/role"
    answers = [client.post(page, {"role": "WRITE", "confirm-password": "wrong"}) for _ in range(11)]
    assert {answer.status_code for answer in answers} <= {422, 429}
    assert answers[-1].status_code == 429
    assert answers[-1].headers["Retry-After"]
    assert people.reader.memberships.get().role == "READ"
    failed = Event.objects.filter(action="person.reauthentication_failed")
    assert 1 <= failed.count() <= 10
    assert failed[0].actor_id == people.owner.pk
    assert not Event.objects.filter(action="person.sign_in_failed").exists()


def test_somebody_who_may_not_do_it_learns_that_not_more(
    people: People, row: AiLlm, signed_in: Callable[[User], Client]
) -> None:
    client = stale(signed_in(people.stranger))
    assert client.get(f"/w/{people.workspace.slug}/ai/llm/{row.pk}/rotate").status_code == 404


@pytest.mark.parametrize("typed", ["", "\0", "9" * 5000, "\u202e\ud7ff", "<script>", " "])
@pytest.mark.parametrize("field", ["confirm-password", "confirm-code", "confirm-again"])
def test_nothing_typed_into_the_question_breaks_it(
    people: People, signed_in: Callable[[User], Client], field: str, typed: str
) -> None:
    client = stale(signed_in(people.owner))
    page = f"/w/{people.workspace.slug}/members/{people.reader.pk}/role"
    answer = client.post(page, {"role": "WRITE", field: typed})
    assert answer.status_code == 422
    assert "<script>" not in answer.text.replace("<script src", "")
    assert people.reader.memberships.get().role == "READ"
