"""Rotation in a real browser, with and without scripts: rotate, return, retire; and one whose test fails."""

import re

import pytest
from playwright.sync_api import Page, expect

from ai_llm.sandbox import SECRETS, Sandbox
from tests import browsing
from tests.browsing import SCRIPTS, accessible, add, choose_openai, configure, fresh_name, secret_of, settle

pytestmark = pytest.mark.browser
sandbox, console, browser, signed_in = browsing.sandbox, browsing.console, browsing.browser, browsing.signed_in
page, scripts = browsing.page, browsing.scripts
SECRET, WRONG = SECRETS.openai, "sandbox-openai-secret-that-is-wrong"


@SCRIPTS
def test_rotate_return_and_retire(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name = fresh_name()
    add(page, name, sandbox.url("/openai/v1"), SECRET)
    settle(page, "^Accepted$", scripts=scripts)
    page.get_by_role("link", name="Rotate secret").first.click()
    secret_of(page).fill(SECRET)
    page.get_by_label("Keep the old secret as fallback").select_option(label="7 days")
    page.get_by_role("button", name="Test and rotate").click()
    expect(page.get_by_text("The new secret has taken over. The old one is kept for 7 days")).to_be_visible()
    expect(page.locator("#state .badge").first).to_have_text("Accepted")
    kept = page.get_by_role("region", name="The former secret is kept")
    kept.get_by_role("button", name="Return to it").click()
    expect(page.get_by_text("The former secret is used again")).to_be_visible()
    settle(page, "^Accepted$", scripts=scripts)
    kept.get_by_role("button", name="Retire it now").click()
    expect(page.get_by_text("The former secret is purged")).to_be_visible()
    expect(kept).to_have_count(0)


@SCRIPTS
def test_a_secret_that_fails_is_not_typed_twice(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name = fresh_name()
    add(page, name, sandbox.url("/openai/v1"), SECRET)
    settle(page, "^Accepted$", scripts=scripts)
    page.get_by_role("link", name="Rotate secret").first.click()
    secret_of(page).fill(WRONG)
    page.get_by_role("button", name="Test and rotate").click()
    waiting = page.get_by_role("region", name="The test failed, so nothing has changed")
    expect(waiting.get_by_text("The secret is not accepted")).to_be_visible()
    assert WRONG not in page.content()
    waiting.get_by_role("button", name="Test it again").click()
    expect(page.get_by_text("The test failed again")).to_be_visible()
    waiting.get_by_role("button", name="Discard it").click()
    expect(page.get_by_text("The new secret is discarded")).to_be_visible()
    expect(page.locator("#state .badge").first).to_have_text("Accepted")


def test_every_state_of_a_rotation_is_accessible(page: Page, sandbox: Sandbox) -> None:
    add(page, fresh_name(), sandbox.url("/openai/v1"), SECRET)
    settle(page, "^Accepted$", scripts=True)
    page.get_by_role("link", name="Rotate secret").first.click()
    accessible(page, "rotate")
    secret_of(page).fill(WRONG)
    page.get_by_role("button", name="Test and rotate").click()
    expect(page.get_by_role("button", name="Use it all the same")).to_be_visible()
    accessible(page, "a secret waits")
    page.get_by_role("button", name="Use it all the same").click()
    expect(page.get_by_role("region", name="The former secret is kept")).to_be_visible()
    settle(page, "Rejected", scripts=True)
    accessible(page, "a former secret is kept")


def test_a_refused_form_keeps_what_was_typed_into_the_secret(page: Page, sandbox: Sandbox) -> None:
    choose_openai(page)
    configure(page, fresh_name(), sandbox.url("/openai/v1"))
    secret_of(page).fill(SECRET)
    page.get_by_role("textbox", name="API Key").fill("two words")
    page.get_by_role("button", name="Create configuration").click()
    expect(page.get_by_text("It holds a blank in the middle").first).to_be_visible()
    expect(secret_of(page)).to_have_value(SECRET)
    page.get_by_role("textbox", name="API Key").fill("")
    page.get_by_role("button", name="Create configuration").click()
    settle(page, "^Accepted$", scripts=True)
    page.get_by_role("link", name="Rotate secret").first.click()
    expect(secret_of(page)).to_have_value("")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Rotate secret"))
