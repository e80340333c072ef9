"""From the invitation to the removal, with three people in three browsers, with scripts and without."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import browsing
from tests.browsing import SCRIPTS, accessible, open_context
from tests.console import PASSWORD, Console

pytestmark = pytest.mark.browser
sandbox, console, browser, signed_in = browsing.sandbox, browsing.console, browsing.browser, browsing.signed_in
page, scripts = browsing.page, browsing.scripts


def go(page: Page, entry: str) -> None:
    page.get_by_role("navigation", name="Main menu").get_by_role("link", name=entry, exact=True).click()
    expect(page.get_by_role("heading", name=entry, level=1)).to_be_visible()


def invite(page: Page, email: str, role: str) -> str:
    """Invite somebody to the only workspace and return the link that is shown."""
    go(page, "Invitations")
    page.get_by_role("link", name="Invite somebody").first.click()
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("group", name="Workspaces").get_by_role("combobox").first.select_option(role)
    page.get_by_label("How the link gets there").select_option("link")
    page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.get_by_role("heading", name="Copy the link now")).to_be_visible()
    return page.locator("#link").inner_text()


def join(browser: Browser, console: Console, link: str, name: str, *, scripts: bool) -> Page:
    """Accept an invitation in a browser of one's own."""
    page = open_context(browser, console, scripts=scripts).new_page()
    page.goto(link)
    expect(page.get_by_role("heading", name=re.compile("^Join "))).to_be_visible()
    page.get_by_label("First name").fill(name)
    page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    return page


@SCRIPTS
def test_three_people_from_the_invitation_to_the_removal(
    page: Page, browser: Browser, console: Console, scripts: bool
) -> None:
    suffix = "js" if scripts else "plain"
    link = invite(page, f"ada-{suffix}@example.com", "ADMIN")
    ada = join(browser, console, link, "Ada", scripts=scripts)
    will = join(browser, console, invite(page, f"will-{suffix}@example.com", "READ"), f"Will-{suffix}", scripts=scripts)
    try:
        # The first link is used up.
        other = open_context(browser, console, scripts=scripts)
        assert other.new_page().goto(link).status == 410
        other.close()

        # Read only, until the ADMIN of the workspace says otherwise.
        expect(will.get_by_role("link", name="Add AI LLM")).to_have_count(0)
        go(ada, "Members")
        ada.get_by_label(f"Role of Will-{suffix}", exact=True).select_option("WRITE")
        ada.get_by_role("button", name=f"Save the role of Will-{suffix}").click()
        expect(ada.get_by_text(f"Will-{suffix} has the role WRITE now.")).to_be_visible()
        will.reload()
        expect(will.get_by_role("link", name="Add AI LLM").first).to_be_visible()

        # Out of the workspace; then out of the organization, at once.
        ada.get_by_role("link", name=f"Remove Will-{suffix}").click()
        ada.get_by_role("button", name=re.compile("^Remove from")).click()
        expect(ada.get_by_text("is no longer a member")).to_be_visible()
        will.goto("/")
        expect(will.get_by_role("heading", name="No workspace yet")).to_be_visible()
        go(page, "People")
        page.get_by_role("link", name=f"Will-{suffix}").click()
        page.get_by_role("link", name="Deactivate").click()
        page.get_by_role("button", name="Deactivate").click()
        expect(page.get_by_role("button", name="Reactivate")).to_be_visible()
        will.goto("/")
        expect(will.get_by_role("heading", name="Sign in")).to_be_visible()
    finally:
        ada.context.close()
        will.context.close()


def test_the_pages_about_people_are_for_everybody(page: Page, browser: Browser, console: Console) -> None:
    link = invite(page, "nia@example.com", "READ")
    accessible(page, "the link")
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("heading", name="nia@example.com")).to_be_visible()
    accessible(page, "an invitation")
    for entry in ("Profile", "People", "Invitations", "Roles"):
        page.get_by_role("navigation", name="Main menu").get_by_role("link", name=entry, exact=True).click()
        expect(page.get_by_role("navigation", name="Main menu").locator("[aria-current=page]")).to_have_text(entry)
        accessible(page, entry)
    go(page, "People")
    page.get_by_role("row").nth(1).get_by_role("link").click()
    expect(page.get_by_role("heading", name="Workspaces")).to_be_visible()
    accessible(page, "a person")
    page.goto(f"{console.url}/organization/invitations/new")
    accessible(page, "inviting")
    stranger = open_context(browser, console)
    opened = stranger.new_page()
    opened.goto(link)
    accessible(opened, "accepting")
    stranger.close()
