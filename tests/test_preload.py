"""The likely next page: asked for ahead while its link is pointed at, and never where looking is more than looking."""

from collections.abc import Callable

import pytest
from django.contrib import messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from playwright.sync_api import Page, Request, expect

from ai_llm.sandbox import Sandbox
from flashback import preload
from tests import build
from tests.browsing import add, browser, console, fresh_name, page, sandbox, scripts, settle, signed_in
from tests.build import SECRET
from tests.conftest import People
from tests.routes import Places, own_routes
from workspaces.models import User

__all__ = ["browser", "console", "page", "sandbox", "scripts", "signed_in"]
AHEAD = {"HX-Request": "true", "HX-Boosted": "true", "HX-Target": "main", preload.HEADER: "true"}
LIST = "/w/main/ai/llm"


@pytest.fixture
def client(people: People) -> Client:
    client = Client()
    client.force_login(people.owner)
    return client


def test_a_page_of_the_workspace_is_had_ahead_as_it_is_had_later(client: Client, people: People) -> None:
    address = f"/w/{people.workspace.slug}/ai/llm"
    assert client.get(address).status_code == 200  # from now on this is the workspace used last
    ahead = client.get(address, headers=AHEAD)
    assert ahead.status_code == 200
    assert "no-store" in ahead["Cache-Control"]
    assert "<html" not in ahead.content.decode()


def test_what_holds_secrets_or_records_looks_is_not_had_ahead(people: People, client: Client) -> None:
    places = Places.around(people, build.ai_llm(people.writer, people.workspace))
    client.get(f"/w/{people.workspace.slug}/ai/llm")
    had = {route.name for route in own_routes() if _asked(client, route.address(places.of(route))) == 200}
    assert {"overview", "ai_llms", "ai_llm", "repositories", "organization", "help"} <= had
    assert not [
        name
        for name in had
        if name.startswith(("account", "mfa", "setup", "invitation_accept", "operator", "api_token"))
    ]


def _asked(client: Client, address: str) -> int:
    return client.get(address, headers=AHEAD).status_code


def test_asking_ahead_does_not_make_a_workspace_the_one_used_last(client: Client, people: People) -> None:
    other = build.workspace(people.organization)
    client.get(f"/w/{people.workspace.slug}/ai/llm")
    assert _asked(client, f"/w/{other.slug}/ai") == 204
    assert User.objects.get(pk=people.owner.pk).last_workspace_id == people.workspace.pk


def test_asking_ahead_leaves_what_waits_to_be_said(rf: RequestFactory) -> None:
    request = rf.get("/help", headers=AHEAD)
    request.session = {}
    request._messages = FallbackStorage(request)
    answer: Callable[[HttpRequest], HttpResponse] = preload.PreloadMiddleware(lambda _: HttpResponse("page"))
    assert answer(request).status_code == 200
    messages.info(request, "Saved.")
    assert answer(request).status_code == 204
    assert [str(one) for one in messages.get_messages(request)] == ["Saved."]


def asked_for(page: Page, path: str) -> list[str]:
    """The kinds of requests for `path`, in order: "ahead" or "now"; filled while the test goes on."""
    kinds: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith(path):
            kinds.append("ahead" if "hx-preloaded" in request.headers else "now")

    page.on("request", note)
    return kinds


@pytest.mark.browser
def test_pointing_at_a_link_fetches_its_page_and_following_it_asks_no_more(page: Page) -> None:
    link = page.get_by_role("navigation", name="Main menu").get_by_role("link", name="AI LLM")
    kinds = asked_for(page, LIST)
    with page.expect_response(lambda answer: answer.url.endswith(LIST)):
        link.hover()
    link.click()
    expect(page.get_by_role("heading", name="AI LLM", level=1)).to_be_focused()
    expect(page).to_have_url(f"{page.url.split('/w/')[0]}{LIST}")
    expect(page).to_have_title("AI LLM · Main · Flashback")
    expect(link).to_have_attribute("aria-current", "page")
    assert kinds == ["ahead"]
    page.go_back()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


@pytest.mark.browser
def test_the_focus_fetches_too_and_a_change_in_between_is_seen(page: Page, sandbox: Sandbox) -> None:
    name = fresh_name()
    add(page, name, sandbox.url("/openai/v1"), SECRET)
    settle(page, "Accepted", scripts=True)
    link = page.get_by_role("navigation", name="Main menu").get_by_role("link", name="AI LLM")
    kinds = asked_for(page, LIST)
    with page.expect_response(lambda answer: answer.url.endswith(LIST)):
        link.focus()
    page.get_by_role("button", name="Validate").first.click()
    settle(page, "Accepted", scripts=True)
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    assert len(kinds) > 1


@pytest.mark.browser
def test_a_page_that_may_not_be_had_ahead_is_followed_as_ever(page: Page) -> None:
    page.locator("summary.avatar").click()
    link = page.get_by_role("link", name="Account", exact=True)
    kinds = asked_for(page, "/account")
    with page.expect_response(lambda answer: answer.url.endswith("/account") and answer.status == 204):
        link.hover()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert kinds == ["ahead", "now"]
