"""Checks as a person meets them, in a real Chromium: what each screen says to do about a fault, and Test connection."""

import re

import pytest
from playwright.sync_api import Page, expect

from ai_llm.sandbox import SECRETS, Sandbox
from tests import browsing
from tests.browsing import (
    NOBODY_LISTENS,
    SCRIPTS,
    SECRET,
    accessible,
    add,
    choose_openai,
    configure,
    fresh_name,
    secret_of,
    settle,
)

pytestmark = pytest.mark.browser
sandbox, console, browser, signed_in = browsing.sandbox, browsing.console, browsing.browser, browsing.signed_in
page, scripts = browsing.page, browsing.scripts

WRONG = "sandbox-openai-secret-that-is-wrong"
ANY = "Accepted|Rejected|Not decided"

# What is wrong, what is entered, and what the screen says: the headline, and the one thing to do, by its role and name.
FAULTS = [
    ("wrong secret", "{origin}/openai/v1", WRONG, "The secret is not accepted", ("link", "Rotate secret")),
    ("no version", "{origin}/openai", SECRET, "Nothing at this path", ("link", "Use {origin}/openai/v1")),
    ("moved", "{origin}/redirect/v1", SECRET, "The server sends us elsewhere", ("link", "Use {origin}/openai/v1")),
    ("https", "{tls}/openai/v1", SECRET, "http and https are swapped", ("link", "Use {origin}/openai/v1")),
    ("login page", "{origin}/html/v1", SECRET, "A web page, not an API", ("link", "Edit the API Endpoint")),
    ("nobody", f"http://{NOBODY_LISTENS}/v1", SECRET, "Nothing listens there", ("link", "Edit the API Endpoint")),
    ("quota", "{origin}/quota/v1", SECRET, "Quota used up", ("button", "Validate again")),
    ("busy", "{origin}/busy/v1", SECRET, "Accepted, but busy", ("button", "Validate again")),
    ("restricted", "{origin}/scope/v1", SECRET, "Not allowed to list models", ("link", "Send one tiny message")),
    ("shield", "{origin}/shield/v1", SECRET, "A shield is in front", ("text", "Ask the operator of this installation")),
    ("overloaded", "{origin}/down/v1", SECRET, "The provider is overloaded", ("button", "Validate again")),
    ("internal", "https://no-such-host.example/v1", SECRET, "The address cannot be called",
     ("text", "FLASHBACK_OUTBOUND_ALLOW=no-such-host.example:443")),
]  # fmt: skip


@SCRIPTS
@pytest.mark.parametrize(("endpoint", "secret", "headline", "way"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_each_fault_says_what_it_is_and_what_to_do(
    endpoint: str, secret: str, headline: str, way: tuple[str, str], page: Page, sandbox: Sandbox, scripts: bool
) -> None:
    places = {"origin": sandbox.origin, "tls": sandbox.origin.replace("http://", "https://")}
    add(page, fresh_name(), endpoint.format(**places), secret)
    settle(page, ANY, scripts=scripts)
    card = page.get_by_role("region", name="State")
    expect(card.get_by_text(headline, exact=True)).to_be_visible()
    role, name = way[0], way[1].format(**places)
    found = card.get_by_role(role, name=name) if role in {"link", "button"} else card.get_by_text(name, exact=True)
    expect(found.first).to_be_visible()
    stages = card.get_by_role("list", name="Stages of the check")
    expect(stages.get_by_role("listitem")).to_have_count(8)
    expect(stages).to_contain_text(re.compile("passed|failed"))


@SCRIPTS
def test_the_fix_of_a_verdict_is_two_clicks_from_working(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name = fresh_name()
    add(page, name, sandbox.url("/openai"), SECRET)
    settle(page, "Not decided", scripts=scripts)
    page.get_by_role("link", name=f"Use {sandbox.url('/openai/v1')}").click()
    expect(page.get_by_role("textbox", name="API Endpoint")).to_have_value(sandbox.url("/openai/v1"))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    settle(page, "^Accepted$", scripts=scripts)
    expect(page.get_by_role("region", name="Models").get_by_role("listitem").first).to_be_visible()


def test_the_focus_stays_on_the_button_that_started_a_check(page: Page, sandbox: Sandbox) -> None:
    add(page, fresh_name(), sandbox.url("/openai/v1"), SECRET)
    settle(page, "^Accepted$", scripts=True)
    page.goto(page.url)
    button = page.get_by_role("button", name="Validate again")
    button.focus()
    with page.expect_response(lambda answer: answer.url.endswith("/validate")):
        page.keyboard.press("Enter")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    expect(button).to_be_focused()


def test_a_test_in_edit_keeps_everything_typed_and_its_fix_goes_into_the_field(page: Page, sandbox: Sandbox) -> None:
    add(page, fresh_name(), sandbox.url("/openai/v1"), SECRET)
    page.get_by_role("link", name="Edit").first.click()
    page.get_by_label("Configuration Name").fill("typed and not saved")
    page.get_by_role("textbox", name="API Endpoint").fill(sandbox.url("/redirect/v1"))
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("Not tested, nothing was sent.")).to_be_visible()
    secret_of(page).fill(SECRET)
    page.get_by_role("button", name="Test connection").click()
    tested = page.get_by_role("region", name="Tested, not saved")
    expect(tested.get_by_text("The server sends us elsewhere")).to_be_visible()
    tested.get_by_role("button", name=f"Use {sandbox.url('/openai/v1')}").click()
    endpoint = page.get_by_role("textbox", name="API Endpoint")
    expect(endpoint).to_have_value(sandbox.url("/openai/v1"))
    expect(endpoint).to_be_focused()
    expect(secret_of(page)).to_have_value(SECRET)
    expect(page.get_by_label("Configuration Name")).to_have_value("typed and not saved")
    page.get_by_role("button", name="Test connection").click()
    expect(tested.locator(".badge")).to_have_text(re.compile("^Accepted$"))
    assert SECRET not in page.content()


@SCRIPTS
def test_a_new_secret_is_tested_before_it_replaces_the_old_one(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    add(page, fresh_name(), sandbox.url("/openai/v1"), SECRET)
    page.get_by_role("link", name="Rotate secret").first.click()
    secret_of(page).fill(WRONG)
    page.get_by_role("button", name="Test connection").click()
    tested = page.get_by_role("region", name="Tested, not saved")
    expect(tested.get_by_text("The secret is not accepted")).to_be_visible()
    expect(secret_of(page)).to_have_value(WRONG if scripts else "")
    if not scripts:
        assert "Secrets are never sent back" in page.inner_text("main")
    secret_of(page).fill(SECRET)
    page.get_by_role("button", name="Test and rotate").click()
    settle(page, "^Accepted$", scripts=scripts)


@SCRIPTS
def test_a_server_without_keys_is_added_without_a_secret(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name = fresh_name()
    page.goto(f"/w/main/ai/llm/new?type=OTHER&name={name}&endpoint={sandbox.url('/keyless/v1')}")
    page.get_by_role("button", name="Create configuration").click()
    expect(secret_of(page)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("This endpoint needs no secret").check()
    page.get_by_role("button", name="Create configuration").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    settle(page, "^Accepted$", scripts=scripts)
    expect(page.get_by_text("No secret: this server does not check keys")).to_be_visible()


@SCRIPTS
def test_a_known_provider_fills_in_the_form_by_keyboard(page: Page, scripts: bool) -> None:
    page.goto("/w/main/ai/llm/new?type=OTHER")
    choice = page.get_by_label("Known provider")
    choice.focus()
    page.keyboard.type("Groq")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Fill in")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="API Endpoint")).to_have_value("https://api.groq.com/openai/v1")
    expect(page.get_by_label("Configuration Name")).to_have_value("groq")
    expect(page.get_by_text("Recognised: Groq.")).to_be_visible()


def test_a_pasted_secret_gets_its_hint_at_once_and_keeps_its_place(page: Page) -> None:
    page.goto("/w/main/ai/llm/new?type=OPENAI&name=hints&endpoint=https://api.openai.com/v1")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    secret_of(page).fill("sk-ant-api03-" + "a" * 95)
    secret_of(page).blur()
    expect(page.get_by_text("looks like a key of Anthropic")).to_be_visible()
    expect(secret_of(page)).to_have_value("sk-ant-api03-" + "a" * 95)
    assert not any("sk-ant" in url for url in requests)
    secret_of(page).fill("")
    secret_of(page).blur()
    expect(page.get_by_text("looks like a key of Anthropic")).to_have_count(0)


def test_the_doctor_s_fix_leaves_what_else_was_typed(page: Page) -> None:
    choose_openai(page)
    page.get_by_label("Configuration Name").fill("kept")
    page.get_by_role("textbox", name="API Endpoint").fill("https://api.openai.com/v1/chat/completions")
    page.get_by_role("button", name="Use https://api.openai.com/v1").click()
    expect(page.get_by_role("textbox", name="API Endpoint")).to_have_value("https://api.openai.com/v1")
    expect(page.get_by_role("textbox", name="API Endpoint")).to_be_focused()
    expect(page.get_by_label("Configuration Name")).to_have_value("kept")


def test_the_new_states_are_accessible(page: Page, sandbox: Sandbox) -> None:
    page.goto("/w/main/ai/llm/new?type=OTHER")
    page.get_by_role("textbox", name="API Endpoint").fill("http://10.1.2.3:8000/v1")
    expect(page.get_by_text("FLASHBACK_OUTBOUND_ALLOW=10.1.2.3:8000")).to_be_visible()
    accessible(page, "line for the operator")
    configure(page, fresh_name(), sandbox.url("/openai/v1"))
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("Not tested, nothing was sent.")).to_be_visible()
    accessible(page, "not tested")
    secret_of(page).fill(f"{SECRETS.openai[:-2]}#")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_role("region", name="Tested, not saved")).to_be_visible()
    page.get_by_text("Details", exact=True).click()
    accessible(page, "tested")
    add(page, fresh_name(), sandbox.url("/redirect/v1"), SECRET)
    settle(page, "Not decided", scripts=True)
    accessible(page, "redirected")
    page.get_by_role("link", name="Edit").first.click()
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_role("region", name="Tested, not saved")).to_be_visible()
    accessible(page, "tested in edit")
