"""Edit with two editors, disable, many at once, diagnostics: in a real Chromium, with scripts and without."""

import re

import pytest
from playwright.sync_api import Page, expect

from ai_llm.sandbox import Sandbox
from tests import browsing
from tests.browsing import SCRIPTS, SECRET, accessible, add, fresh_name

pytestmark = pytest.mark.browser
sandbox, console, browser, signed_in = browsing.sandbox, browsing.console, browsing.browser, browsing.signed_in
page, scripts = browsing.page, browsing.scripts


def more(page: Page) -> None:
    page.get_by_text("More", exact=True).first.click()


@SCRIPTS
def test_two_editors_then_disabled_then_deleted_with_another(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    look = accessible if scripts else lambda *_: None  # axe is a script
    name = fresh_name()
    for number in (1, 2):
        add(page, f"{name}-{number}", sandbox.url("/openai/v1"), SECRET)
    address = page.url
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"{address}/edit")
    other.get_by_label("Notes").fill("theirs\nin two lines")
    other.get_by_role("button", name="Save", exact=True).click()
    expect(other.get_by_text("in two lines")).to_be_visible()
    page.get_by_label("Notes").fill("mine")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Stored now:")).to_contain_text("Stored now:")
    expect(page.get_by_label("Notes")).to_have_value("mine")
    look(page, "overtaken")
    page.get_by_role("button", name="Save mine over it").click()
    expect(page.get_by_role("heading", name=f"{name}-2", level=1)).to_be_visible()
    expect(page.get_by_text("mine", exact=True)).to_be_visible()

    more(page)
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("Calls pass it by")).to_be_visible()
    look(page, "disabled")
    page.get_by_role("button", name="Enable it again").click()
    expect(page.get_by_text("Calls pass it by")).to_have_count(0)

    page.goto(f"{address.rsplit('/', 1)[0]}?q={name}")
    for number in (1, 2):
        page.get_by_label(f"Select {name}-{number}").check()
    more(page)
    look(page, "list with its menu")
    page.get_by_role("button", name="Delete selected").click()
    expect(page.get_by_role("heading", name="Delete 2 AI LLMs?")).to_be_visible()
    look(page, "delete selected")
    page.get_by_role("button", name=re.compile("^Delete 2")).click()
    expect(page.get_by_role("heading", name="One thing needs your attention")).to_be_visible()
    page.get_by_label("Type delete 2 to confirm").fill("delete 2")
    page.get_by_role("button", name=re.compile("^Delete 2")).click()
    expect(page.get_by_text("2 AI LLMs deleted.")).to_be_visible()


@SCRIPTS
def test_several_are_disabled_by_keyboard_and_it_is_undone(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name = fresh_name()
    add(page, name, sandbox.url("/openai/v1"), SECRET)
    page.goto(f"{page.url.rpartition('/')[0]}?q={name}")
    page.get_by_role("checkbox", name=f"Select {name}").focus()
    page.keyboard.press("Space")
    page.locator("main summary").first.focus()
    for key in ("Enter", "Tab", "Enter"):
        page.keyboard.press(key)
    if not scripts:
        page.get_by_role("button", name="Disable 1 AI LLM").click()
    expect(page.get_by_role("status").filter(has_text="1 AI LLM disabled.")).to_be_visible()
    expect(page.get_by_role("row", name=name).get_by_text("Disabled")).to_be_visible()
    if scripts:
        expect(page).to_have_url(re.compile(f"q={name}"))  # the list as it was filtered
        expect(page.get_by_role("heading", name="AI LLM", level=1)).to_be_focused()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status").filter(has_text="1 AI LLM enabled.")).to_be_visible()


@SCRIPTS
def test_deleted_while_another_takes_its_place(page: Page, sandbox: Sandbox, scripts: bool) -> None:
    name = fresh_name()
    for number in (1, 2):
        add(page, f"{name}-{number}", sandbox.url("/openai/v1"), SECRET)
    llms, _, last = page.url.rpartition("/")
    page.goto(f"{llms.removesuffix('/ai/llm')}/repositories/new?attach={last}")
    page.get_by_label("Name", exact=True).fill(f"{name}-repository")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name=f"{name}-repository", level=1)).to_be_visible()
    repository = page.url

    page.goto(f"{llms}/{last}/delete")
    expect(page.get_by_role("link", name=f"{name}-repository")).to_be_visible()
    if scripts:
        accessible(page, "delete with move")
    page.get_by_label("Type the name to confirm").fill(f"{name}-2")
    page.get_by_role("button", name="Delete this AI LLM").click()
    expect(page.get_by_role("heading", name="One thing needs your attention")).to_be_visible()
    other = page.get_by_label("Move all to").locator("option", has_text=f"{name}-1")
    page.get_by_label("Move all to").select_option(other.get_attribute("value"))
    page.get_by_role("button", name="Delete this AI LLM").click()
    expect(page.get_by_text(f"{name}-1 has taken its place.")).to_be_visible()
    page.goto(repository)
    expect(page.get_by_role("link", name=f"{name}-1").first).to_be_visible()
    expect(page.get_by_role("link", name=f"{name}-2", exact=True)).to_have_count(0)


def test_diagnostics_are_copied_with_one_click(page: Page, sandbox: Sandbox) -> None:
    name = fresh_name()
    add(page, name, sandbox.url("/openai/v1"), SECRET)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    more(page)
    page.get_by_role("link", name="Copy diagnostics for a ticket").click()
    expect(page.get_by_role("heading", name=f"Diagnostics of {name}")).to_be_visible()
    accessible(page, "diagnostics")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as JSON").click()
    assert download.value.suggested_filename.startswith("diagnostics-")
