"""Help and undo in a real browser: accessible, reached from a verdict, and by keys alone."""

import pytest
from playwright.sync_api import Page, expect

from ai_llm.sandbox import Sandbox
from tests.browsing import (
    SCRIPTS,
    accessible,
    add,
    browser,
    console,
    fresh_name,
    page,
    sandbox,
    scripts,
    settle,
    signed_in,
)

__all__ = ["browser", "console", "page", "sandbox", "scripts", "signed_in"]
pytestmark = pytest.mark.browser


def test_the_dialog_of_the_keys_is_accessible(page: Page) -> None:
    page.goto("/help")
    page.set_viewport_size({"width": 683, "height": 450})  # 1366 px at 200 % zoom
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    accessible(page, "shortcuts")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@SCRIPTS
def test_a_verdict_leads_to_its_tip_and_a_mistake_is_undone(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name = fresh_name()
    add(page, name, sandbox.url("/openai/v1"), "sandbox-openai-secret-that-is-wrong")
    settle(page, "Rejected", scripts=scripts)
    address = page.url
    page.get_by_role("link", name="What this means, and what helps").click()
    expect(page.get_by_role("heading", name="Validation fails with authentication error")).to_be_in_viewport()
    expect(page.get_by_text("What the check found: The secret is not accepted")).to_be_visible()
    page.get_by_role("link", name="Back to the check").click()
    expect(page).to_have_url(address)
    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="Disable").click()
    notice = page.get_by_role("status").filter(has_text=f"{name} is disabled.")
    if scripts:
        accessible(page, "undo")
    notice.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status").filter(has_text=f"{name} is enabled again.")).to_be_visible()
