"""Help: the guide's words, each finding leads to its section, and what the operator can set."""

import re
from collections.abc import Callable

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from ai_llm import help_views, topics
from ai_llm.causes import CAUSES
from ai_llm.models import Check, Verdict
from flashback import environment
from tests import build
from tests.conftest import People
from tests.reading import text
from workspaces.models import User

PAGES = ["/help", *(f"/help/{name}" for name in help_views.SECTIONS)]
# The guide's troubleshooting tips, word for word.
TIPS = {
    "authentication": (
        "Validation fails with authentication error",
        "Verify API Secret (and API Key if used), then rotate credentials.",
    ),
    "endpoint": (
        "Provider returns endpoint/model errors",
        "Verify endpoint base URL and provider compatibility type.",
    ),
    "visibility": (
        "Configuration not visible where expected",
        "Check current workspace and your workspace permissions.",
    ),
    "policy": (
        "Calls blocked by policy",
        "Review applied AI Policies at organization/workspace/repository scope.",
    ),
}


@pytest.fixture
def client(people: People, signed_in: Callable[[User], Client]) -> Client:
    return signed_in(people.writer)


def section(html: str, slug: str) -> str:
    found = re.search(rf'<section[^>]* id="{slug}".*?</section>', html, re.DOTALL)
    assert found, slug
    return found[0]


def test_the_guides_tips_stand_in_its_words_each_with_an_address(client: Client) -> None:
    page = client.get("/help/troubleshooting").content.decode()
    for slug, words in TIPS.items():
        assert all(word in text(section(page, slug)) for word in words)


def test_every_finding_is_listed_in_the_one_section_that_it_leads_to(client: Client) -> None:
    page = client.get("/help/troubleshooting").content.decode()
    for code in CAUSES:
        assert f"<code>{code}</code>" in section(page, topics.of(code).slug)
        assert page.count(f"<code>{code}</code>") == 1


@pytest.mark.parametrize(
    ("code", "slug"),
    [
        ("key_rejected", "authentication"),
        ("secret_unavailable", "authentication"),
        ("path_not_found", "endpoint"),
        ("model_unknown", "endpoint"),
        ("no_credit", "limits"),
        ("public_list", "proof"),
        ("provider_fault", "silence"),
        ("address_not_allowed", "operator"),
        ("accepted", "works"),
    ],
)
def test_a_finding_leads_where_its_answer_is(code: str, slug: str) -> None:
    assert topics.of(code).slug == slug


def test_rejected_is_always_about_the_credential() -> None:
    rejected = {code for code, cause in CAUSES.items() if cause.verdict == Verdict.REJECTED}
    assert {topics.of(code) for code in rejected} == {topics.AUTHENTICATION}


def test_the_page_of_an_ai_llm_links_what_explains_its_state(client: Client, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    row.verdict = "rejected"
    row.last_check = Check.objects.create(ai_llm=row, verdict="rejected", cause="key_rejected")
    row.save()
    page = client.get(f"/w/{people.workspace.slug}/ai/llm/{row.pk}").content.decode()
    assert 'href="/help/troubleshooting?finding=key_rejected#authentication"' in page


def test_help_shows_the_finding_that_led_there_and_the_way_back(client: Client) -> None:
    address, came = "/help/troubleshooting?finding=key_rejected", "/w/x/ai/llm/1"
    page = client.get(address, headers={"Referer": f"http://testserver{came}"}).content.decode()
    assert f'<a href="{came}">' in page
    assert "What the check found" in section(page, "authentication")
    assert page.count("<details open") == page.count('aria-current="true"') == 1
    host = "http://testserver"
    for referer in (
        "https://elsewhere.example/w/x",
        "javascript:alert(1)",
        f"{host}.evil.example/",
        f"{host}//evil.example/w",
        "x",
    ):
        assert "Back to the check" not in client.get(address, headers={"Referer": referer}).content.decode()
    for finding in ("", "none", "<b>"):
        assert "What the check found" not in client.get(f"/help/troubleshooting?finding={finding}").content.decode()


def test_what_does_not_exist_says_what_helps(client: Client) -> None:
    page = client.get("/w/nowhere/ai").content.decode()
    assert 'href="/help/troubleshooting#visibility"' in page


@pytest.mark.parametrize("address", PAGES)
def test_every_link_of_help_leads_somewhere(address: str, client: Client, people: People) -> None:
    client.get(f"/w/{people.workspace.slug}/ai")  # the first steps link the workspace used last
    page = client.get(address).content.decode()
    main = re.search(r"<main.*</main>", page, re.DOTALL)
    assert main
    links = set(re.findall(r'href="(/[^"#]*)', main[0]))
    assert len(links) >= len(help_views.SECTIONS)
    assert {link: client.get(link).status_code for link in links} == dict.fromkeys(links, 200)


def test_every_page_leads_to_help(client: Client, people: People) -> None:
    for address in (f"/w/{people.workspace.slug}/ai", "/account", "/nowhere"):
        assert '<a class="icon-button" href="/help"' in " ".join(client.get(address).content.decode().split())


def test_a_section_that_there_is_not(client: Client) -> None:
    assert client.get("/help/anything").status_code == 404


def test_the_contact_is_the_operators(client: Client, settings: object) -> None:
    assert "https://discord.com/" in client.get("/help").content.decode()
    settings.SUPPORT_URL = "mailto:help@acme.example"
    page = client.get("/help").content.decode()
    assert '<a href="mailto:help@acme.example" rel="noopener noreferrer">help@acme.example</a>' in page


def test_the_rest_api_is_linked_where_it_is(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(help_views, "API_PAGES", "/api/no/such/pages")
    assert "/api/no/such/pages" not in client.get("/help").content.decode()
    monkeypatch.setattr(help_views, "API_PAGES", "/account")
    page = " ".join(client.get("/help").content.decode().split())
    assert '<a href="/account" hx-boost="false">REST API</a>' in page


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://help.acme.example/flashback", "https://help.acme.example/flashback"),
        ("help@acme.example", "mailto:help@acme.example"),
        ("", "https://default.example"),
    ],
)
def test_a_contact_is_an_address_of_the_web_or_of_mail(given: str, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASHBACK_SUPPORT_URL", given)
    assert environment.contact("FLASHBACK_SUPPORT_URL", "https://default.example") == kept


@pytest.mark.parametrize("given", ["javascript:alert(1)", "help", "https://", "https://a b", 'https://x.example/"><b>'])
def test_anything_else_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASHBACK_SUPPORT_URL", given)
    with pytest.raises(ImproperlyConfigured, match="FLASHBACK_SUPPORT_URL"):
        environment.contact("FLASHBACK_SUPPORT_URL", "https://default.example")
