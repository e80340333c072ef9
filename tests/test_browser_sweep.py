"""Every page there is, found by following links through the sample, is free of violations: both themes, phone, zoom."""

from collections.abc import Iterator

import pytest
from axe_core_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from tests import browsing, crawl
from tests.browsing import open_context
from tests.console import Console, running
from tests.routes import own_routes
from tests.visitor import Visitor

pytestmark = pytest.mark.browser
browser = browsing.browser
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Whatever is pressed or sent and leads back to one of the pages, and files.
ANSWERS = {
    "account_logout", "account_session_end", "account_sessions_end", "account_theme", "activity", "admin",
    "ai_api_key_end_former", "ai_llm_enable", "ai_llm_examine", "ai_llm_former", "ai_llm_hints", "ai_llm_message",
    "ai_llm_validate", "ai_llm_waiting", "ai_llms_change", "ai_llms_validate", "audit_export",
    "invitation_resend", "invitation_withdraw", "member_role", "metrics", "organization_audit_export", "person_name",
    "person_reactivate", "person_role", "repository_detach", "repository_enable", "repository_order",
}  # fmt: skip
# Pages of somebody who has a token or a second factor, or nothing but a mail: swept where these are made.
ELSEWHERE = {
    "account_set_password", "api_token_revoke", "mfa_authenticate", "mfa_deactivate_totp",
    "mfa_download_recovery_codes", "mfa_generate_recovery_codes", "mfa_reauthenticate", "workspace_token_revoke",
}  # fmt: skip
# Pages whose form, sent with nothing in it, comes back with what is wrong.
REFUSING = {
    "account_change_password", "ai_api_key_new", "ai_llm_delete", "ai_llm_edit", "ai_llm_rotate", "api_token_new",
    "email_change", "invitation_new", "provider_key_new", "repository_edit", "repository_new", "workspace_new",
}  # fmt: skip


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The sample of `make demo`, looked at with all the styles of the developers' page."""
    with running(tmp_path_factory.mktemp("sample"), DEBUG="1") as started:
        made = started.manage("demo")
        assert made.returncode == 0, made.stderr
        yield started


def visitor(console: Console, email: str) -> Visitor:
    """A person of the sample, signed in."""
    found = Visitor(int(console.environment["PORT"]))
    password = console.shell("from repositories import demo; print(demo.password())")
    assert found.sign_in(email, password).status == 303
    return found


def page_of(browser: Browser, console: Console, visitor: Visitor) -> Iterator[Page]:
    context = open_context(browser, console)
    context.add_cookies([{"name": name, "value": value, "url": console.url} for name, value in visitor.cookies.items()])
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def olivia(console: Console) -> Visitor:
    return visitor(console, "olivia@sample.example")


@pytest.fixture(scope="module")
def pages(olivia: Visitor) -> dict[str, list[str]]:
    """The addresses of every route that the links of the sample lead to."""
    return crawl.pages(lambda address: olivia.get(address).text)


@pytest.fixture(scope="module")
def page(browser: Browser, console: Console, olivia: Visitor) -> Iterator[Page]:
    yield from page_of(browser, console, olivia)


@pytest.fixture(scope="module")
def reader(browser: Browser, console: Console) -> Iterator[Page]:
    """A page of somebody who may look and not change anything."""
    yield from page_of(browser, console, visitor(console, "rita@sample.example"))


def violations(page: Page) -> list[object]:
    """What axe and the width say about the page as it is: bright and dark, on a phone, and at 200 % zoom."""
    found: list[object] = []
    page.evaluate(AXE_SCRIPT)

    def look(kind: str, **options: object) -> None:
        rules = page.evaluate("options => axe.run(document, options).then(found => found.violations)", options)
        found.extend((kind, rule["id"], [node["html"] for node in rule["nodes"]]) for rule in rules)

    look("light", runOnly=RULES)
    page.emulate_media(color_scheme="dark")
    look("dark", runOnly=["color-contrast"])
    page.emulate_media(color_scheme="light")
    for width, height in ((683, 450), (390, 844), (320, 640)):  # 683 px: 1366 px at 200 %
        page.set_viewport_size({"width": width, "height": height})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append((width, "wider than the screen"))
        if width == 390:
            look("phone", runOnly=RULES, rules={"color-contrast": {"enabled": False}})
    page.set_viewport_size({"width": 1366, "height": 900})
    return found


def test_every_route_with_a_page_is_reached(pages: dict[str, list[str]]) -> None:
    assert {one.name for one in own_routes()} - pages.keys() == ANSWERS | ELSEWHERE


@pytest.mark.parametrize("name", ["", *(one.name for one in own_routes() if one.name not in ANSWERS | ELSEWHERE)])
def test_every_page_is_accessible(name: str, page: Page, pages: dict[str, list[str]]) -> None:
    for address in pages[name]:
        page.goto(address)
        assert (address, violations(page)) == (address, [])


@pytest.mark.parametrize("name", sorted(REFUSING))
def test_every_refused_form_is_accessible(name: str, page: Page, pages: dict[str, list[str]]) -> None:
    page.goto(pages[name][0])
    page.evaluate("for (const input of document.querySelectorAll('main form .input')) input.value = ''")
    page.locator("main form .form-actions button, main form .button:is(.primary, .danger)").first.click()
    expect(page.locator("#errors")).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    assert violations(page) == []


@pytest.mark.parametrize("address", ["/w/production-sample/ai/llm/new", "/w/production-sample/ai", "/organization"])
def test_what_a_reader_sees_and_is_refused_is_accessible(address: str, reader: Page) -> None:
    answer = reader.goto(address)
    assert answer is not None
    assert answer.status == (403 if address.endswith("/new") else 200)
    assert violations(reader) == []
