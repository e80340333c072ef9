"""One tiny message in a real Chromium: with the keyboard, with scripts on and off, and readable by axe."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ai_llm.sandbox import Sandbox
from tests import browsing
from tests.browsing import SCRIPTS, SECRET, accessible, add, fresh_name, settle

pytestmark = pytest.mark.browser
sandbox, console, browser, signed_in = browsing.sandbox, browsing.console, browsing.browser, browsing.signed_in
page, scripts = browsing.page, browsing.scripts


@pytest.fixture(autouse=True)
def forgotten(sandbox: Sandbox) -> None:
    """The requests of earlier tests are forgotten."""
    sandbox.requests.clear()


def sent(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in sandbox.requests if request.method == "POST"]


@SCRIPTS
def test_the_smallest_model_answers_and_the_page_shows_what_it_took(
    page: Page, sandbox: Sandbox, scripts: bool
) -> None:
    add(page, fresh_name(), sandbox.url("/public-list/v1"), SECRET)
    settle(page, "Not decided", scripts=scripts)
    assert sent(sandbox) == []
    expect(page.get_by_label("Model", exact=True)).to_have_value("gpt-4o-mini")
    page.get_by_role("button", name="Send one tiny message").press("Enter")
    expect(page.get_by_text("Tokens out").first).to_be_visible()
    expect(page.get_by_text(re.compile("A model answered")).first).to_be_visible()
    assert [message["model"] for message in sent(sandbox)] == ["gpt-4o-mini"]
    if scripts:
        expect(page.locator("#state .badge").first).to_have_text(re.compile("^Accepted$"))
        expect(page.get_by_role("button", name="Send one tiny message")).to_be_focused()


@SCRIPTS
def test_a_model_by_hand_where_there_is_no_list(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    add(page, fresh_name(), sandbox.url("/no-list/v1"), SECRET)
    settle(page, "Not decided", scripts=scripts)
    page.get_by_role("button", name="Send one tiny message").click()
    expect(page.get_by_text("Enter the name of a model as the provider writes it").first).to_be_visible()
    page.get_by_label("Name of the model").fill("gpt-4o-mini")
    page.get_by_role("button", name="Send one tiny message").click()
    expect(page.get_by_text(re.compile("A model answered")).first).to_be_visible()
    assert [message["model"] for message in sent(sandbox)] == ["gpt-4o-mini"]


@SCRIPTS
def test_a_double_click_sends_one(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    add(page, fresh_name(), sandbox.url("/slow-0.3/v1"), SECRET)
    settle(page, "Not decided|Accepted", scripts=scripts)
    page.get_by_text("Another model").first.click()
    page.get_by_label(re.compile("Name of")).fill("gpt-4o-mini")
    page.get_by_role("button", name="Send one tiny message").dblclick()
    expect(page.get_by_text(re.compile("A model answered|on its way")).first).to_be_visible()
    page.wait_for_timeout(800)
    assert len(sent(sandbox)) == 1


def test_the_page_has_no_barriers(page: Page, sandbox: Sandbox) -> None:
    add(page, fresh_name(), sandbox.url("/openai/v1"), SECRET)
    settle(page, "^Accepted$", scripts=True)
    page.get_by_role("button", name="Send one tiny message").click()
    expect(page.get_by_text("Tokens out").first).to_be_visible()
    accessible(page, "the page of the AI LLM")
    page.goto(f"{page.url}/message")
    expect(page.get_by_text("Tokens out").first).to_be_visible()
    accessible(page, "the page of the message")
