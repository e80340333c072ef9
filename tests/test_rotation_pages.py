"""The pages of rotation, without scripts: test and take over, decide about one that waits, return, retire."""

import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from django.test import Client

from ai_llm import configs, lifecycle, rotation, validation
from ai_llm.models import AiLlm, Credential
from ai_llm.sandbox import SECRETS, Sandbox
from tests import build
from tests.conftest import People
from workspaces.models import User

WRONG = "sandbox-openai-secret-that-is-wrong"


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def row(people: People, server: Sandbox, settings: object) -> AiLlm:
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{server.port}"]
    made = build.ai_llm(people.writer, people.workspace, type="OTHER", name="prod", endpoint=server.url("/openai/v1"))
    validation.validate(people.writer, made)
    return made


@pytest.fixture
def client(signed_in: Callable[[User], Client], people: People) -> Client:
    return signed_in(people.writer)


@pytest.fixture
def page(people: People, row: AiLlm) -> str:
    return f"/w/{people.workspace.slug}/ai/llm/{row.pk}"


def stored(row: AiLlm) -> AiLlm:
    return AiLlm.objects.select_related("workspace", "credential", "fallback", "candidate").get(pk=row.pk)


def words(response: object) -> str:
    text = re.sub(r"<[^>]+>", " ", response.content.decode())
    return " ".join(unescape(text).split())


def form(client: Client, page: str, **values: str) -> dict[str, str]:
    version = re.search(r'name="version" value="(\d+)"', client.get(f"{page}/rotate").content.decode())
    return {"version": version[1] if version else "", "key": "", "keep": "24h", **values}


def test_a_secret_that_works_takes_over_and_one_click_returns(client: Client, page: str, row: AiLlm) -> None:
    old = stored(row).credential_id
    answer = client.post(f"{page}/rotate", form(client, page, secret=SECRETS.openai))
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    shown = words(client.get(page))
    assert "The old one is kept for 24 hours, and one click returns to it." in shown
    assert "The former secret is kept" in shown
    client.post(f"{page}/rotate/former", {"action": "return"})
    assert stored(row).credential_id == old
    client.post(f"{page}/rotate/former", {"action": "retire"})
    assert (stored(row).fallback, Credential.objects.count()) == (None, 1)
    assert "The former secret is kept" not in words(client.get(page))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("", "", ""),
        ("project-1", "project-1", "The API Key stays the same."),
        ("project-1", "project-2", "It brings its own API Key back, another than the one in use."),
        ("", "project-2", "It has no API Key: the one in use is kept with the newer secret, and no longer sent."),
    ],
)
def test_the_page_says_which_secret_and_key_one_returns_to(
    before: str, after: str, said: str, client: Client, page: str, row: AiLlm, people: People
) -> None:
    configs.replace_secret(people.writer, stored(row), secret=build.SECRET[:-4] + "olds", key=before)
    rotation.rotate(people.writer, stored(row), secret=SECRETS.openai, key=after, keep="24h")
    shown = words(client.get(page))
    assert f"It ends in …olds , the one in use in …{SECRETS.openai[-4:]} ." in shown
    assert said in shown
    for words_of_one in ("stays the same", "brings its own", "has no API Key"):
        assert (words_of_one in shown) == (words_of_one in said)


def test_a_second_click_lands_where_the_first_did_and_keeps_the_true_old_secret(
    client: Client, page: str, row: AiLlm
) -> None:
    old, sent = stored(row).credential_id, form(client, page, secret=SECRETS.openai)
    answers = [client.post(f"{page}/rotate", sent) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert stored(row).fallback_id == old


def test_another_secret_from_an_old_form_changes_nothing_and_is_told(client: Client, page: str, row: AiLlm) -> None:
    sent = form(client, page, secret=SECRETS.openai)
    client.post(f"{page}/rotate", sent)
    answer = client.post(f"{page}/rotate", {**sent, "secret": WRONG})
    assert answer.status_code == 422
    assert "rotated in the meantime" in words(answer)
    assert Credential.objects.count() == 2


def test_an_overtaken_form_can_be_sent_again_once_it_was_looked_at(client: Client, page: str, row: AiLlm) -> None:
    sent = form(client, page, secret=SECRETS.openai)
    client.post(f"{page}/rotate", sent)
    told = client.post(f"{page}/rotate", {**sent, "secret": WRONG}).content.decode()
    now = re.search(r'name="version" value="(\d+)"', told)
    assert now is not None
    assert int(now[1]) == stored(row).version


def test_a_second_click_on_going_without_a_secret_lands_where_the_first_did(
    client: Client, page: str, row: AiLlm
) -> None:
    sent = form(client, page, secret="", keyless="on")
    assert [client.post(f"{page}/rotate", sent).status_code for _ in range(2)] == [303, 303]
    assert (stored(row).keyless, Credential.objects.count()) == (True, 0)


def test_a_second_click_on_a_secret_that_fails_shows_that_it_waits(client: Client, page: str, row: AiLlm) -> None:
    sent = form(client, page, secret=WRONG)
    client.post(f"{page}/rotate", sent)
    answer = client.post(f"{page}/rotate", sent)
    assert (answer.status_code, answer.headers.get("location")) == (303, f"{page}/rotate")


def test_two_clicks_at_one_moment_end_where_the_first_did(
    client: Client, page: str, row: AiLlm, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, run = form(client, page, secret=SECRETS.openai), validation.run

    def twice(*arguments: object, **keywords: object) -> validation.Result:
        monkeypatch.setattr(validation, "run", run)
        rotation.rotate(people.writer, stored(row), secret=SECRETS.openai)
        return run(*arguments, **keywords)

    monkeypatch.setattr(validation, "run", twice)
    answer = client.post(f"{page}/rotate", sent)
    assert (answer.status_code, answer.headers.get("location")) == (303, page)
    assert Credential.objects.count() == 2


def test_a_second_click_on_return_does_not_lead_forward_again(client: Client, page: str, row: AiLlm) -> None:
    old = stored(row).credential_id
    client.post(f"{page}/rotate", form(client, page, secret=SECRETS.openai))
    shown = re.search(r'name="former" value="([^"]+)"', client.get(page).content.decode())
    sent = {"action": "return", "former": shown[1] if shown else ""}
    answers = [client.post(f"{page}/rotate/former", sent) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert stored(row).credential_id == old
    assert client.post(f"{page}/rotate/former", {**sent, "action": "retire"}).status_code == 409
    assert Credential.objects.count() == 2


def test_a_decision_about_another_waiting_secret_is_refused(
    client: Client, page: str, row: AiLlm, people: People
) -> None:
    old = stored(row).credential_id
    client.post(f"{page}/rotate", form(client, page, secret=WRONG))
    shown = re.search(r'name="waiting" value="([^"]+)"', client.get(f"{page}/rotate").content.decode())
    sent = {"waiting": shown[1] if shown else "", "keep": "1h"}
    rotation.rotate(people.writer, stored(row), secret=f"{WRONG}-too")
    for action in ("retry", "take_over", "discard"):
        assert client.post(f"{page}/rotate/waiting", {**sent, "action": action}).status_code == 409, action
    assert (stored(row).credential_id, Credential.objects.count()) == (old, 2)


def test_a_secret_that_works_is_kept_by_default_though_its_ai_llm_is_disabled(
    client: Client, page: str, row: AiLlm, people: People
) -> None:
    lifecycle.disable(people.writer, stored(row))
    assert re.search(r'<option value="24h"\s+selected', client.get(f"{page}/rotate").content.decode())


@pytest.mark.parametrize(
    "hostile",
    [
        {"version": "9" * 40, "secret": WRONG},
        {"version": "x"},
        {"expires_at": "9999-12-31"},
        {"expires_at": "0001-01-01"},
        {"expires_at": "\0"},
        {"keep": "forever"},
        {"secret": "\ud800\0"},
        {"secret": "{" * 20_000},
        {"key": "a\r\nX-Injected: 1"},
        {"keyless": "on"},
    ],
)
@pytest.mark.parametrize("action", ["", "test"])
def test_hostile_input_is_refused_beside_its_field(
    client: Client, page: str, hostile: dict[str, str], action: str
) -> None:
    sent = {**form(client, page, secret=SECRETS.openai), "action": action, **hostile}
    sent = {name: value.encode("utf-8", "replace").decode() for name, value in sent.items()}
    assert client.post(f"{page}/rotate", sent).status_code in {200, 422}
    assert Credential.objects.count() == 1


def test_a_secret_that_fails_waits_and_need_not_be_typed_again(client: Client, page: str, row: AiLlm) -> None:
    answer = client.post(f"{page}/rotate", form(client, page, secret=WRONG))
    shown = words(answer)
    assert answer.status_code == 200
    for said in ("The test failed, so nothing has changed", "Rejected", "need not be typed again", "Test it again"):
        assert said in shown
    assert WRONG not in answer.content.decode()
    assert shown.count("Keep the old secret as fallback") == shown.count("Enter another secret") - 1 == 1
    assert re.findall(r'class="button primary"[^>]*>([^<]+)', answer.content.decode()) == ["Enter another secret"]
    assert "A new secret waits" in words(client.get(page))
    assert "A new secret waits" in words(client.get(f"{page}/rotate"))
    again = client.post(f"{page}/rotate/waiting", {"action": "retry", "keep": "1h"})
    assert "The test failed again" in words(again)
    client.post(f"{page}/rotate/waiting", {"action": "take_over", "keep": "1h"})
    assert "although its test failed" in words(client.get(page))
    assert (stored(row).candidate, Credential.objects.count()) == (None, 2)


def test_a_waiting_secret_can_be_discarded_once(client: Client, page: str, row: AiLlm) -> None:
    client.post(f"{page}/rotate", form(client, page, secret=WRONG))
    assert client.post(f"{page}/rotate/waiting", {"action": "discard"}).status_code == 303
    assert client.post(f"{page}/rotate/waiting", {"action": "discard"}).status_code == 409
    assert Credential.objects.count() == 1


@pytest.mark.parametrize("place", ["waiting", "former"])
def test_a_button_that_does_not_exist_is_told_so(client: Client, page: str, place: str) -> None:
    assert client.post(f"{page}/rotate/{place}", {"action": "explode"}).status_code == 422


def test_what_is_typed_besides_secrets_is_kept_when_something_is_wrong(client: Client, page: str) -> None:
    answer = client.post(
        f"{page}/rotate", form(client, page, secret=SECRETS.openai, keep="7d", expires_at="2020-01-01")
    )
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "This date has passed" in shown
    assert 'value="2020-01-01"' in shown
    assert re.search(r'<option value="7d"\s+selected', shown)
    assert SECRETS.openai not in shown


def test_the_expiry_is_shown_where_it_matters(client: Client, page: str, row: AiLlm, people: People) -> None:
    outcome = rotation.rotate(people.writer, stored(row), secret=SECRETS.openai)
    held = outcome.ai_llm.credential
    assert held is not None
    AiLlm.objects.filter(pk=row.pk).update(due_at=held.set_at)
    for place in (page, page.rpartition("/")[0], page.rpartition("/llm")[0]):
        assert "overdue" in words(client.get(place)), place


def test_a_reader_sees_what_is_kept_and_has_no_buttons(
    client: Client, page: str, signed_in: Callable[[User], Client], people: People
) -> None:
    client.post(f"{page}/rotate", form(client, page, secret=SECRETS.openai))
    reader = signed_in(people.reader)
    shown = reader.get(page).content.decode()
    assert "The former secret is kept" in shown
    assert "rotate/former" not in shown
    assert reader.post(f"{page}/rotate/former", {"action": "retire"}).status_code == 403
    assert reader.post(f"{page}/rotate/waiting", {"action": "retry"}).status_code == 403
