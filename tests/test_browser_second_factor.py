"""A second factor in a real browser: set up, signed in with, and lost; with scripts and without."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import browsing
from tests.browsing import accessible, open_context
from tests.console import PASSWORD, Console
from tests.test_second_factor import code

pytestmark = pytest.mark.browser
sandbox, console, browser = browsing.sandbox, browsing.console, browsing.browser
EMAIL = "sam.second@example.com"
MAKE = (
    "from workspaces.models import User, Organization; "
    "User.objects.create_user({email!r}, {password!r}, organization=Organization.objects.first())"
)


def to_the_code(page: Page, email: str) -> None:
    page.goto("/account/login")
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def leave(page: Page) -> None:
    page.goto("/account/logout")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.timeout(400)  # three pages are judged in three looks each, which a busy machine takes its time for
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_set_up_sign_in_with_a_code_then_with_a_recovery_code(
    browser: Browser, console: Console, scripts: bool
) -> None:
    email = EMAIL.replace("sam", f"sam-{scripts}".lower())
    console.shell(MAKE.format(email=email, password=PASSWORD))
    context = open_context(browser, console, scripts=scripts)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Security" in message.text else None)
    to_the_code(page, email)
    page.goto("/account")
    page.get_by_role("link", name="Set it up").click()
    expect(page.get_by_role("heading", name="It is off")).to_be_visible()
    page.get_by_role("link", name="Set it up").click()
    expect(page.get_by_role("img", name="QR code of the key below")).to_be_visible()
    if scripts:
        accessible(page, "set up")
    key = page.locator("#totp-key").inner_text().replace(" ", "")
    page.get_by_role("textbox", name="Code").fill(code(key))
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("heading", name="Keep these recovery codes")).to_be_visible()
    if scripts:
        accessible(page, "recovery codes")
    codes = page.locator("#recovery-codes").inner_text().strip().split("\n")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()
    assert [line for line in saved.value.path().read_text().split("\n") if re.fullmatch(r"[\d ]+", line)] == codes
    page.get_by_role("link", name="I have saved them").click()
    expect(page.get_by_text("10 of 10 are left")).to_be_visible()
    leave(page)
    to_the_code(page, email)
    expect(page.get_by_role("heading", name="Enter a code")).to_be_visible()
    if scripts:
        accessible(page, "second step")
    page.get_by_role("textbox", name="Code").fill("000 000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("This code is not right.").first).to_be_visible()
    page.get_by_role("textbox", name="Code").fill(code(key, steps=1))
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto("/account/sessions")
    expect(page.get_by_text("This one")).to_be_visible()
    leave(page)
    to_the_code(page, email)
    page.get_by_role("textbox", name="Code").fill(codes[0])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto("/account/2fa")
    expect(page.get_by_text("9 of 10 are left")).to_be_visible()
    context.close()
    assert complaints == []
