"""Whatever takes a while shows at once that it is under way, in words too, and can be sent only once meanwhile."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.test import Client
from playwright.sync_api import Page, Route, expect

from tests import browsing, build
from tests.browsing import fresh_name, secret_of
from tests.conftest import People
from tests.routes import Places, own_routes
from workspaces.models import User

sandbox, console, browser, signed_in_browser = browsing.sandbox, browsing.console, browsing.browser, browsing.signed_in
NO_END = {"input", "meta", "link", "br", "hr", "img", "wbr"}
# Its answer is a file: the page stays, and the browser shows the download.
FILES = ("/audit/export", "/recovery-codes/download")


class Forms(HTMLParser):
    """The forms of a page, each with what is inherited from the elements around it, and the regions that speak."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.forms: list[dict[str, str | None]] = []
        self.speaking: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        around = self.open[-1][1] if self.open else {}
        inherited = {name: value for name, value in around.items() if name in {"hx-indicator", "hx-boost", "said"}}
        found = {**inherited, **dict(attrs)}
        if found.get("role") == "status" and found.get("id"):
            found["said"] = str(found["id"])
        if tag == "form":
            self.forms.append(found)
        if tag not in NO_END:
            self.open.append((tag, found))

    def handle_endtag(self, tag: str) -> None:
        while tag not in NO_END and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        said = self.open[-1][1].get("said") if self.open else None
        if said and data.strip():
            self.speaking[said] = data.strip()

    def silent(self) -> list[dict[str, str | None]]:
        """The forms of which nothing would say that they are under way."""
        return [form for form in self.forms if not self.says(form)]

    def says(self, form: dict[str, str | None]) -> bool:
        if "data-download" in form:
            return str(form.get("action", "")).endswith(FILES)
        native = form.get("hx-boost") == "false" and "hx-post" not in form
        mark = "#progress" if native else str(form.get("hx-indicator", ""))
        return self.speaking.get(mark.removeprefix("#"), "").endswith("…")


def test_every_form_of_every_page_says_that_it_is_under_way(
    people: People, signed_in: Callable[[User], Client]
) -> None:
    places = Places.around(people, build.ai_llm(people.writer, people.workspace))
    client, visitor, seen = signed_in(people.owner), Client(), set()
    for route in own_routes():
        address = route.address(places.of(route))
        for answer in (client.get(address), visitor.get(address)):
            if not answer.headers.get("Content-Type", "").startswith("text/html") or answer.status_code >= 300:
                continue
            page = Forms(answer.text)
            assert (address, page.silent()) == (address, [])
            seen |= {form.get("action") for form in page.forms} | ({route.name} if page.forms else set())
    assert len(seen) > 60  # the walk met forms


@pytest.fixture
def page(browser: browsing.Browser, console: browsing.Console, signed_in_browser: browsing.StorageState) -> Page:
    context = browsing.open_context(browser, console, storage_state=signed_in_browser)
    return context.new_page()


def slowly(page: Page, address: str) -> list[Route]:
    """Hold every request to `address` back until somebody continues it."""
    held: list[Route] = []
    page.route(address, lambda route: held.append(route))
    return held


def until(page: Page, held: list[Route], number: int = 1) -> None:
    for _ in range(100):
        if len(held) >= number:
            return
        page.wait_for_timeout(20)
    raise AssertionError("nothing was sent")


@pytest.mark.browser
def test_a_form_says_that_it_works_and_stops_saying_so(page: Page) -> None:
    page.goto("/account")
    held = slowly(page, "**/account")
    save = page.get_by_role("button", name="Save")
    save.click()
    until(page, held)
    expect(page.locator("form[aria-busy=true]")).to_have_count(1)
    expect(page.get_by_role("status").filter(has_text="Working…")).to_be_visible()
    save.press("Enter")  # a second time
    held[0].continue_()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_text("Working…")).to_be_hidden()
    assert [route.request.method for route in held] == ["POST"]
    page.context.close()


@pytest.mark.browser
def test_a_form_that_the_browser_sends_by_itself_says_so_too(page: Page) -> None:
    page.goto("/account/password/change")
    page.evaluate("""() => {
        window.sent = 0;
        window.addEventListener("submit", (event) => { window.sent += 1; event.preventDefault(); });
    }""")  # what it would send is counted, and the page stays
    password = page.get_by_label("Current password")
    password.fill("not the right one at all")
    password.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Working…")).to_be_visible()
    password.press("Enter")
    assert page.evaluate("window.sent") == 1
    page.evaluate("window.dispatchEvent(new Event('pageshow'))")  # as after the browser's button Back
    expect(page.get_by_text("Working…")).to_be_hidden()
    page.context.close()


@pytest.mark.browser
def test_while_a_form_is_under_way_the_way_out_stays_open(page: Page, sandbox: browsing.Sandbox) -> None:
    page.goto("/")
    name = fresh_name()
    browsing.add(page, name, sandbox.url("/openai/v1"), browsing.SECRET)
    page.get_by_role("link", name=re.compile("Rotate secret")).first.click()
    secret_of(page).fill(browsing.SECRET)
    held = slowly(page, "**/rotate")
    page.get_by_role("button", name="Test and rotate").click()
    until(page, held)
    expect(page.get_by_role("status").filter(has_text="Testing the new secret…")).to_be_visible()
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    page.context.close()


@pytest.mark.browser
def test_checks_of_a_selection_can_be_stopped(page: Page, sandbox: browsing.Sandbox) -> None:
    page.goto("/")
    browsing.add(page, fresh_name(), sandbox.url("/slow-3/v1"), browsing.SECRET)
    page.get_by_role("navigation", name="Main menu").get_by_role("link", name="AI LLM").click()
    page.get_by_role("checkbox").first.check()
    expect(page.get_by_role("status").filter(has_text="1 selected")).to_be_visible()
    held = slowly(page, "**/validate?*")
    page.get_by_role("button", name="Validate selected").click()
    until(page, held)
    held[0].continue_()  # the page; what it sends by itself is held
    until(page, held, 2)
    page.get_by_role("link", name="Stop").click()
    expect(page.get_by_role("heading", name="AI LLM", level=1)).to_be_visible()
    expect(page.get_by_role("link", name="Stop")).to_have_count(0)
    page.context.close()
