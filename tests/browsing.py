"""A real Chromium before the real server and the sandbox provider: fixtures and gestures of the browser tests."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, StorageState, expect, sync_playwright

from ai_llm.sandbox import SECRETS, Sandbox
from tests.conftest import CHROMIUM
from tests.console import EMAIL, PASSWORD, Console, running

SECRET = SECRETS.openai
NOBODY_LISTENS = "127.0.0.1:1"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
numbers = count(1)
SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as started:
        yield started


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Iterator[Console]:
    allowed = f"127.0.0.1:{sandbox.port},{NOBODY_LISTENS}"
    with running(tmp_path_factory.mktemp("console"), FLASHBACK_OUTBOUND_ALLOW=allowed) as started:
        started.add_owner()
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


def open_context(browser: Browser, console: Console, *, scripts: bool = True, **values: Any) -> BrowserContext:
    viewport = {"width": 1366, "height": 900}
    context = browser.new_context(java_script_enabled=scripts, base_url=console.url, viewport=viewport, **values)
    context.set_default_timeout(15_000)
    return context


def sign_in(page: Page, email: str = EMAIL) -> None:
    page.goto("/account/login")
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


@pytest.fixture
def scripts() -> bool:
    return True


@pytest.fixture(scope="module")
def signed_in(browser: Browser, console: Console) -> StorageState:
    """The cookies of one sign-in: more of them in a minute than the limit allows would be refused."""
    context = open_context(browser, console)
    sign_in(context.new_page())
    cookies = context.storage_state()
    context.close()
    return cookies


@pytest.fixture
def page(browser: Browser, console: Console, signed_in: StorageState, scripts: bool) -> Iterator[Page]:
    """A signed-in page; every violation of the content security policy and every script error fails the test."""
    context = open_context(browser, console, scripts=scripts, storage_state=signed_in)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on(
        "console",
        lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None,
    )
    opened.on("pageerror", lambda error: complaints.append(f"{error} {error.stack}"))
    opened.goto("/")
    yield opened
    context.close()
    assert complaints == [], complaints


def secret_of(page: Page) -> Locator:
    return page.get_by_role("textbox", name="API Secret")


def fresh_name() -> str:
    return f"sandbox-{next(numbers)}"


def choose_openai(page: Page) -> None:
    page.get_by_role("navigation", name="Main menu").get_by_role("link", name="AI LLM").click()
    page.get_by_role("link", name="Add AI LLM").first.click()
    page.get_by_role("link", name=re.compile("^OpenAI")).click()
    expect(page.get_by_label("Configuration Name")).to_be_visible()


def configure(page: Page, name: str, endpoint: str) -> None:
    page.get_by_label("Configuration Name").fill(name)
    page.get_by_label("API Endpoint").fill(endpoint)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("button", name="Create configuration")).to_be_visible()


def add(page: Page, name: str, endpoint: str, secret: str) -> None:
    choose_openai(page)
    configure(page, name, endpoint)
    secret_of(page).fill(secret)
    page.get_by_role("button", name="Create configuration").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def settle(page: Page, expected: str, *, scripts: bool) -> None:
    """Wait for the check that starts by itself; without scripts press Validate."""
    if not scripts:
        page.get_by_role("button", name=re.compile("^Validate")).first.click()
    expect(page.locator("#state .badge").first).to_have_text(re.compile(expected))


def accessible(page: Page, where: str) -> None:
    """No violation of WCAG 2.2 AA, and nothing that has to be scrolled sideways, in both themes and on a phone."""
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    for width, theme in ((1366, "light"), (1366, "dark"), (390, "light")):
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme=theme)
        found = Axe().run(page, options={"runOnly": rules})["violations"]
        assert [(where, width, theme, rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (where, width)
    page.set_viewport_size({"width": 1366, "height": 900})
