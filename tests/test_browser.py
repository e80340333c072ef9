"""What a person does, in a real Chromium, against the real server and the sandbox provider over real sockets."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ai_llm.sandbox import SECRETS, Sandbox
from tests import browsing
from tests.browsing import (
    SCRIPTS,
    SECRET,
    accessible,
    add,
    choose_openai,
    configure,
    fresh_name,
    open_context,
    secret_of,
    settle,
)
from tests.console import EMAIL, PASSWORD, running

pytestmark = pytest.mark.browser
sandbox, console, browser, signed_in = browsing.sandbox, browsing.console, browsing.browser, browsing.signed_in
page, scripts = browsing.page, browsing.scripts


@SCRIPTS
def test_the_whole_walk_from_wrong_secret_to_deletion(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name = fresh_name()
    add(page, name, sandbox.url("/openai/v1"), "sandbox-openai-secret-that-is-wrong")
    settle(page, "Rejected", scripts=scripts)
    page.get_by_role("link", name="Rotate secret").first.click()
    secret_of(page).fill(SECRET)
    page.get_by_role("button", name="Test and rotate").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    settle(page, "^Accepted$", scripts=scripts)
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Delete", exact=True).click()
    page.get_by_label("Type the name to confirm").fill(name)
    page.get_by_role("button", name="Delete this AI LLM").click()
    expect(page.get_by_role("heading", name="AI LLM", level=1)).to_be_visible()
    expect(page.get_by_role("link", name=name)).to_have_count(0)


@SCRIPTS
def test_both_entry_points_of_the_guide_lead_to_the_types(page: Page, scripts: bool) -> None:
    page.get_by_role("link", name="Add AI LLM").first.click()
    expect(page.get_by_role("link", name=re.compile("^Anthropic Cloud"))).to_be_visible()
    page.get_by_role("navigation", name="Main menu").get_by_role("link", name="AI LLM").click()
    page.get_by_role("link", name="Add AI LLM").first.click()
    expect(page.get_by_role("link", name=re.compile("^Other"))).to_be_visible()


@SCRIPTS
def test_back_and_forward_keep_what_was_typed(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name = fresh_name()
    choose_openai(page)
    configure(page, name, sandbox.url("/openai/v1"))
    page.go_back()
    if scripts:  # without them the browser shows the empty form again: pages of signed-in people are never stored
        expect(page.get_by_label("Configuration Name")).to_have_value(name)
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("button", name="Create configuration")).to_be_visible()
    page.get_by_role("link", name="Change").click()
    expect(page.get_by_label("Configuration Name")).to_have_value(name)
    expect(page.get_by_role("textbox", name="API Endpoint")).to_have_value(sandbox.url("/openai/v1"))


@SCRIPTS
def test_reload_keeps_the_step_and_never_the_secret(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name = fresh_name()
    choose_openai(page)
    configure(page, name, sandbox.url("/openai/v1"))
    secret_of(page).fill(SECRET)
    page.reload()
    expect(page.get_by_text(name).first).to_be_visible()
    expect(secret_of(page)).to_have_value("")
    assert SECRET not in page.content()


@SCRIPTS
def test_a_deep_link_opens_its_step(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name, endpoint = fresh_name(), sandbox.url("/openai/v1")
    page.goto(f"/w/main/ai/llm/new?type=OPENAI&name={name}&endpoint={endpoint}")
    secret_of(page).fill(SECRET)
    page.get_by_role("button", name="Create configuration").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    settle(page, "^Accepted$", scripts=scripts)
    page.goto("/w/main/ai/llm/new?type=OPENAI&name=x&endpoint=api.openai.com")
    expect(page.get_by_role("textbox", name="API Endpoint")).to_have_value("api.openai.com")
    expect(page.get_by_role("button", name="Continue")).to_be_visible()


def test_two_tabs_make_two_rows(page: Page, sandbox: Sandbox) -> None:
    first, second = fresh_name(), fresh_name()
    other = page.context.new_page()
    for tab, name in ((page, first), (other, second)):
        tab.goto("/")
        choose_openai(tab)
        configure(tab, name, sandbox.url("/openai/v1"))
    for tab, name in ((other, second), (page, first)):
        secret_of(tab).fill(SECRET)
        tab.get_by_role("button", name="Create configuration").click()
        expect(tab.get_by_role("heading", name=name, level=1)).to_be_visible()


def test_a_double_click_makes_one_row(page: Page, sandbox: Sandbox) -> None:
    name = fresh_name()
    choose_openai(page)
    configure(page, name, sandbox.url("/openai/v1"))
    secret_of(page).fill(SECRET)
    page.get_by_role("button", name="Create configuration").dblclick()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    page.get_by_role("navigation", name="Main menu").get_by_role("link", name="AI LLM").click()
    expect(page.get_by_role("link", name=name, exact=True)).to_have_count(1)


@SCRIPTS
def test_back_after_creating_says_that_the_name_is_taken(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name = fresh_name()
    add(page, name, sandbox.url("/openai/v1"), SECRET)
    page.go_back()
    expect(page.get_by_text("already has an AI LLM with this name").first).to_be_visible()
    expect(page.get_by_label("Configuration Name")).to_have_value(name)
    assert SECRET not in page.content()


@SCRIPTS
def test_an_expired_login_in_the_middle_comes_back_to_the_step(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name = fresh_name()
    choose_openai(page)
    configure(page, name, sandbox.url("/openai/v1"))
    secret_of(page).fill(SECRET)
    page.context.clear_cookies(name="sid")
    page.get_by_role("button", name="Create configuration").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert SECRET not in page.content() + page.url
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text(name).first).to_be_visible()
    expect(secret_of(page)).to_have_value("")


def test_test_connection_saves_nothing_and_leaves_the_typed_secret(page: Page, sandbox: Sandbox) -> None:
    name = fresh_name()
    choose_openai(page)
    configure(page, name, sandbox.url("/openai/v1"))
    secret_of(page).fill(SECRET)
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator("#tested .badge").first).to_have_text(re.compile("Accepted"))
    expect(secret_of(page)).to_have_value(SECRET)
    page.get_by_role("navigation", name="Main menu").get_by_role("link", name="AI LLM").click()
    expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)


@SCRIPTS
def test_a_mistyped_secret_is_told_beside_the_field(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    choose_openai(page)
    configure(page, fresh_name(), sandbox.url("/openai/v1"))
    secret_of(page).fill("Bearer sandbox-openai-secret")
    page.get_by_role("button", name="Create configuration").click()
    field = secret_of(page)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_be_visible()


def test_no_storage_of_the_browser_holds_the_secret(page: Page, sandbox: Sandbox) -> None:
    add(page, fresh_name(), sandbox.url("/openai/v1"), SECRET)
    settle(page, "Accepted", scripts=True)
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
    assert SECRET not in kept
    assert SECRET not in page.content()


@SCRIPTS
def test_selected_rows_are_validated_one_by_one(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    for _ in range(2):
        add(page, fresh_name(), sandbox.url("/openai/v1"), SECRET)
    page.get_by_role("navigation", name="Main menu").get_by_role("link", name="AI LLM").click()
    expect(page.get_by_role("heading", name="AI LLM", level=1)).to_be_visible()
    for box in page.get_by_role("checkbox").all()[:2]:
        box.check()
    page.get_by_role("button", name="Validate selected").click()
    if not scripts:
        for _ in range(2):
            page.get_by_role("button", name="Validate the next one").click()
    expect(page.get_by_text("All 2 checked")).to_be_visible()


TYPES = [
    ("OpenAI", "/openai/v1", SECRETS.openai, ""),
    ("Google Cloud", "/gemini/v1beta", SECRETS.gemini, ""),
    ("Anthropic Cloud", "/anthropic", SECRETS.anthropic, ""),
    ("AWS", "/bedrock/us-east-1", SECRETS.bedrock, ""),
    ("AWS", "/bedrock/us-east-1", SECRETS.aws_secret_access_key, SECRETS.aws_access_key_id),
    ("Other", "/openai/v1", SECRETS.openai, ""),
]


@pytest.mark.parametrize(("label", "path", "secret", "key"), TYPES, ids=[f"{t[0]} {bool(t[3])}" for t in TYPES])
def test_each_type_takes_a_right_credential_and_refuses_a_wrong_one(
    label: str, path: str, secret: str, key: str, page: Page, sandbox: Sandbox
) -> None:
    for typed, expected in ((secret[:-1] + "#", "Rejected"), (secret, "^Accepted$")):
        page.get_by_role("navigation", name="Main menu").get_by_role("link", name="AI LLM").click()
        page.get_by_role("link", name="Add AI LLM").first.click()
        page.get_by_role("link", name=re.compile(f"^{label}")).click()
        name = fresh_name()
        configure(page, name, sandbox.url(path))
        page.get_by_role("textbox", name="API Key").fill(key)
        secret_of(page).fill(typed)
        page.get_by_role("button", name="Create configuration").click()
        expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
        settle(page, expected, scripts=True)


def test_every_state_of_an_ai_llm_and_of_the_wizard_is_accessible(page: Page, sandbox: Sandbox) -> None:
    name = fresh_name()
    for fault in ("openai", "quota", "html"):
        add(page, f"{name}-{fault}", sandbox.url(f"/{fault}/v1"), SECRET)
        settle(page, "Accepted|Not decided", scripts=True)
        page.get_by_text("Details").click()
        accessible(page, f"configuration {fault}")
    for link in ("Edit", "Rotate secret", "Delete"):
        if link == "Delete":
            page.get_by_text("More", exact=True).click()
            accessible(page, "configuration, more")
        page.get_by_role("link", name=link).first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile("Edit|Rotate|Delete"))
        accessible(page, link)
        page.get_by_role("button", name=re.compile("Save|Test and rotate|Delete")).last.click()
        page.wait_for_timeout(500)
        accessible(page, f"{link} refused")
        page.goto(page.url.rsplit("/", 1)[0] if re.search("/(edit|rotate|delete)$", page.url) else page.url)
    choose_openai(page)
    page.get_by_role("textbox", name="API Endpoint").fill("api.openai.com/v1/chat/completions")
    expect(page.locator("#doctor .notice").first).to_be_visible()
    accessible(page, "doctor")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#errors")).to_be_visible()
    accessible(page, "configuration refused")


def test_the_keyboard_alone_walks_the_guide(page: Page, sandbox: Sandbox) -> None:
    name = fresh_name()

    def tab_to(words: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            said = page.evaluate("(document.activeElement.labels?.[0] || document.activeElement).textContent")
            if re.search(words, said.strip()):
                return
        pytest.fail(f"Tab never reached {words}")

    tab_to("^AI LLM$")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="AI LLM", level=1)).to_be_focused()
    tab_to("Add AI LLM")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Add AI LLM")).to_be_focused()
    tab_to("^OpenAI")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Configuration Name")).to_be_visible()
    expect(page.get_by_role("heading", name="Add AI LLM")).to_be_focused()
    tab_to("Configuration Name")
    page.keyboard.type(name)
    tab_to("API Endpoint")
    page.keyboard.press("Control+a")
    page.keyboard.type(sandbox.url("/openai/v1"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Create configuration")).to_be_visible()
    tab_to("API Secret")
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    settle(page, "^Accepted$", scripts=True)


def test_the_setup_link_makes_the_owner_once(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path) as empty:
        context = open_context(browser, empty)
        page = context.new_page()
        link = empty.setup_link()
        page.goto(link)
        page.get_by_label("Organization").fill("Acme")
        page.get_by_label("Workspace").fill("Platform")
        page.get_by_label("First name").fill("Olivia")
        page.get_by_label("Last name").fill("Owner")
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name=re.compile("Create")).click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        expect(page.get_by_text("No AI LLM in Platform yet")).to_be_visible()
        page.goto(link)
        expect(page.get_by_label("Organization")).to_have_count(0)
        context.close()
