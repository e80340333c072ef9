"""Repositories, attachments and keys as a person meets them: a real Chromium, with scripts and without."""

import re

import pytest
from playwright.sync_api import Browser, Error, Page, StorageState, expect

from repositories import keys
from tests import browsing
from tests.browsing import SCRIPTS, accessible, open_context
from tests.console import EMAIL, PASSWORD, Console
from tests.load import all_at_once, twin
from tests.visitor import Visitor

pytestmark = pytest.mark.browser
sandbox, console, browser, signed_in = browsing.sandbox, browsing.console, browsing.browser, browsing.signed_in
page, scripts = browsing.page, browsing.scripts

BEARER = re.compile(r"^sk-fb-[0-9A-Za-z]{8}_[0-9A-Za-z]{49}$")
MAKE = """
from ai_llm.models import AiLlm, ModelList
from workspaces.models import User, Workspace
workspace, owner = Workspace.objects.get(), User.objects.get()
for n, name in enumerate({names!r}):
    row = AiLlm.objects.create(workspace=workspace, name=name, name_key=name, type="OTHER", keyless=True,
                               endpoint="https://api.openai.com/v1", created_by=owner,
                               verdict="rejected" if n == 2 else "accepted")
    ModelList.objects.create(ai_llm=row, endpoint=row.endpoint, names=["gpt-4o", "gpt-4o-mini", f"only-{{name}}"])
"""


@pytest.fixture(scope="module")
def three(console: Console) -> list[str]:
    names = ["alpha", "bravo", "charlie"]
    console.shell(MAKE.format(names=names))
    return names


def create(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Main menu").get_by_role("link", name="Inventory").click()
    page.get_by_role("link", name="New repository").first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create repository").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def create_key(page: Page) -> str:
    """Create the key `shop` and return its secret, as it stands on the page."""
    page.get_by_role("link", name="Create AI API key").click()
    page.get_by_label("Name", exact=True).fill("shop")
    page.get_by_role("button", name="Create AI API key").click()
    expect(page.get_by_role("heading", name="Copy the secret now")).to_be_visible()
    return page.locator("#bearer").inner_text()


def attach_all(page: Page, names: list[str]) -> None:
    page.get_by_role("link", name="Attach AI LLMs").first.click()
    expect(page.get_by_role("heading", name="Attach AI LLMs")).to_be_visible()
    for name in names:
        page.get_by_role("checkbox", name=name).check()
    page.get_by_role("button", name="Attach", exact=True).click()
    expect(page.get_by_role("heading", name="AI API keys")).to_be_visible()


def expect_order(page: Page, *names: str) -> None:
    expect(page.locator("ol.list a.strong")).to_have_text(list(names))


@SCRIPTS
def test_a_repository_gets_its_ai_llms_in_an_order_and_loses_one(page: Page, three: list[str], scripts: bool) -> None:
    create(page, f"order {scripts}")
    attach_all(page, three)
    expect_order(page, *three)
    expect(page.get_by_text("The provider rejected it")).to_be_visible()
    page.get_by_role("button", name="Move charlie up").click()
    expect(page.get_by_text("charlie has place 2 now.")).to_be_visible()
    expect_order(page, "alpha", "charlie", "bravo")
    expect(page.get_by_role("button", name="Move charlie up")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("charlie has place 1 now.")).to_be_visible()
    page.get_by_role("button", name="Detach alpha").click()
    expect(page.get_by_text("Detached.")).to_be_visible()
    expect_order(page, "charlie", "bravo")


def test_ai_llms_are_sorted_by_dragging(page: Page, three: list[str]) -> None:
    create(page, "drag")
    attach_all(page, three)
    drag(page, "charlie", above="alpha")
    expect(page.locator("[data-sort-said]")).to_have_text("charlie: place 1")
    page.keyboard.press("Escape")
    expect_order(page, *three)
    page.mouse.up()
    drag(page, "charlie", above="alpha")
    page.mouse.up()
    expect(page.get_by_text("charlie has place 1 now.")).to_be_visible()
    expect_order(page, "charlie", "alpha", "bravo")
    page.context.set_offline(True)
    drag(page, "bravo", above="charlie")
    page.mouse.up()
    expect(page.get_by_text("The server could not be reached.")).to_be_visible()
    expect_order(page, "charlie", "alpha", "bravo")


def drag(page: Page, name: str, *, above: str) -> None:
    """Take hold of a row and hold it above another; the button of the mouse stays down."""
    grip, target = (page.locator(f"[data-name={row}] [data-grip]").bounding_box() for row in (name, above))
    assert grip
    assert target
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    page.mouse.down()
    page.mouse.move(target["x"] + 5, target["y"] - 5, steps=8)


@SCRIPTS
def test_models_are_allowed_looked_at_and_found(page: Page, three: list[str], scripts: bool) -> None:
    create(page, f"models {scripts}")
    attach_all(page, three[:2])
    page.get_by_role("link", name="Models of alpha").click()
    page.get_by_label("Allowed models").fill("gpt-4o*")
    page.get_by_role("button", name="Show what this leaves").click()
    expect(page.get_by_role("heading", name="This leaves 2 of 3 models")).to_be_visible()
    expect(page.get_by_label("Allowed models")).to_have_value("gpt-4o*")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("2 of 3 models: gpt-4o*")).to_be_visible()
    page.get_by_label("Search a model").fill("gpt-4o")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Reachable models")).to_be_visible()
    expect(page.locator("tbody th")).to_have_text(["gpt-4o", "gpt-4o-mini"])
    expect(page.get_by_text("place 1 wins").first).to_be_visible()


@SCRIPTS
def test_two_people_sort_at_once_and_both_wishes_are_seen(page: Page, three: list[str], scripts: bool) -> None:
    create(page, f"conflict {scripts}")
    attach_all(page, three)
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Move charlie up").click()
    expect(other.get_by_text("charlie has place 2 now.")).to_be_visible()
    page.get_by_role("button", name="Detach bravo").click()
    expect(page.get_by_role("heading", name="Changed in the meantime")).to_be_visible()
    assert page.locator("ol:not(.breadcrumbs)").all_inner_texts() == ["alpha\ncharlie\nbravo", "alpha\ncharlie"]
    page.get_by_role("button", name="Make my change").click()
    expect(page.get_by_text("Detached.")).to_be_visible()
    expect_order(page, "alpha", "charlie")


@SCRIPTS
def test_a_keys_secret_is_shown_once_and_no_way_leads_back_to_it(page: Page, scripts: bool) -> None:
    create(page, f"keys {scripts}")
    bearer = create_key(page)
    assert BEARER.match(bearer)
    assert page.content().count(bearer) == 1
    expect(page.get_by_text("The gateway is not there yet.")).to_be_visible()
    page.get_by_role("link", name="I have stored it").click()
    expect(page.get_by_role("heading", name="shop", level=1)).to_be_visible()
    expect(page.get_by_text("never used")).to_be_visible()
    if not scripts:
        # The browser asks whether to send the form again, and shows nothing before that.
        with pytest.raises(Error, match="ERR_CACHE_MISS"):
            page.go_back()
        expect(page.locator("body")).not_to_contain_text(bearer)
        return
    for step in ("go_back", "go_back", "go_forward", "reload"):
        getattr(page, step)()
        page.wait_for_load_state()
        page.wait_for_timeout(200)
        assert bearer not in page.content()
    assert bearer not in page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")


def test_a_reload_of_the_shown_secret_shows_the_key_instead(page: Page) -> None:
    create(page, "reloaded")
    bearer = create_key(page)
    page.reload()
    expect(page.get_by_role("heading", name="shop", level=1)).to_be_visible()
    assert bearer not in page.content()


def test_the_copy_button_copies_by_keyboard_too(browser: Browser, console: Console, signed_in: StorageState) -> None:
    context = open_context(browser, console, storage_state=signed_in, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto("/")
    create(page, "clipboard")
    create_key(page)
    page.get_by_role("button", name="Copy").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Copied.")).to_be_visible()
    bearer = page.locator("#bearer").inner_text()
    assert bearer.startswith(keys.PREFIX)
    page.goto("/w/main/repositories/inventory")
    page.get_by_role("searchbox").first.focus()
    page.keyboard.press("Control+V")
    expect(page.get_by_role("searchbox").first).to_have_value(bearer)
    context.close()


@SCRIPTS
def test_a_key_is_rotated_and_revoked(page: Page, scripts: bool) -> None:
    create(page, f"rotated {scripts}")
    create_key(page)
    page.get_by_role("link", name="I have stored it").click()
    page.get_by_role("link", name="Rotate", exact=True).click()
    page.get_by_role("button", name="Make a new secret").click()
    expect(page.get_by_text("The former secret works until")).to_be_visible()
    page.get_by_role("link", name="I have stored it").click()
    expect(page.get_by_text("Former, still works")).to_be_visible()
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_text("The former secret does not work any more.")).to_be_visible()
    page.get_by_role("link", name="Revoke this key").click()
    page.get_by_role("button", name="Revoke this key").click()
    expect(page.get_by_text("shop is revoked.")).to_be_visible()


def test_one_form_sent_eight_times_at_once_shows_one_secret(console: Console) -> None:
    visitor = Visitor(int(console.environment["PORT"]))
    assert visitor.sign_in(EMAIL, PASSWORD).status == 303
    form = {"row": visitor.get("/w/main/repositories/new").value("row"), "name": "raced"}
    base = visitor.post("/w/main/repositories/new", form).headers["location"]
    fields = {"row": visitor.get(f"{base}/keys/new").value("row"), "name": "shop", "type": "OPENAI"}
    tabs = [twin(visitor) for _ in range(8)]
    answers = all_at_once([lambda tab=tab: tab.post(f"{base}/keys/new", fields) for tab in tabs])
    assert sorted(answer.status for answer in answers) == [200, *[409] * 7]
    assert sum("sk-fb-" in answer.text for answer in answers if "bearer" in answer.text) == 1


def test_every_page_is_accessible_and_fits(page: Page, three: list[str]) -> None:
    create(page, "looked at")
    base = page.url.partition("?")[0]
    accessible(page, "empty")
    attach_all(page, three)
    accessible(page, "attached")
    page.get_by_role("link", name="Models of alpha").click()
    accessible(page, "attachment")
    page.get_by_role("spinbutton", name="Place").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#errors")).to_be_visible()
    accessible(page, "attachment refused")
    page.goto(f"{base}/keys/new")
    accessible(page, "new key")
    page.get_by_label("Name", exact=True).fill("shop")
    page.get_by_role("button", name="Create AI API key").click()
    expect(page.get_by_role("heading", name="Copy the secret now")).to_be_visible()
    accessible(page, "shown once")
    page.get_by_role("link", name="I have stored it").click()
    accessible(page, "key")
    page.get_by_role("link", name="Rotate", exact=True).click()
    accessible(page, "rotate")
    workspace = base.rpartition("/")[0]
    for path in (base, f"{base}/models", f"{base}/attach", f"{base}/delete", f"{base}/disable", f"{base}/edit"):
        page.goto(path)
        accessible(page, path)
    for path in ("", "/inventory", "/keys", "/new", "/inventory?q=nothing"):
        page.goto(f"{workspace}{path}")
        accessible(page, path)


def test_the_question_mark_lists_the_keys_and_gives_the_page_back(page: Page, three: list[str]) -> None:
    page.goto("/")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog.locator("dt").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
