"""The pages that are lived in: overview, list, bulk validate. What they show, and what they cost."""

import re
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ai_llm import summary, validation
from ai_llm.models import AiLlm, Check, Credential
from ai_llm.sandbox import Sandbox
from repositories import repos
from tests import build
from tests.conftest import People
from tests.reading import text
from workspaces import events, looks
from workspaces.models import User


@pytest.fixture
def client(people: People, signed_in: Callable[[User], Client]) -> Client:
    return signed_in(people.writer)


@pytest.fixture
def base(people: People) -> str:
    return f"/w/{people.workspace.slug}/ai"


@pytest.fixture
def sandbox(settings: object) -> Iterator[Sandbox]:
    with Sandbox() as started:
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{started.port}"]
        yield started


def names(response: HttpResponse) -> list[str]:
    return re.findall(r'<th scope="row">.*?<a href="[^"]+">([^<]+)</a>', response.content.decode(), re.DOTALL)


def checked(row: AiLlm, verdict: str, cause: str = "accepted") -> AiLlm:
    row.verdict, row.last_check = verdict, Check.objects.create(ai_llm=row, verdict=verdict, cause=cause)
    row.save()
    return row


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


@pytest.mark.parametrize("path", ["", "/llm"])
def test_the_cost_does_not_grow_with_the_rows(path: str, client: Client, base: str, people: People) -> None:
    checked(build.ai_llm(people.writer, people.workspace), "rejected", "secret_rejected")
    client.get(base)  # remembers the workspace, once
    one = queries(client, base + path)
    for _ in range(5):
        checked(build.ai_llm(people.admin, people.workspace), "rejected", "secret_rejected")
    assert queries(client, base + path) == one <= 9


def test_the_list_says_in_how_many_repositories_each_one_is(client: Client, base: str, people: People) -> None:
    used, unused = (build.ai_llm(people.writer, people.workspace, name=name) for name in ("used", "unused"))
    gone = build.repository(people.writer, people.workspace, used, unused)
    for _ in range(2):
        build.repository(people.writer, people.workspace, used)
    repos.delete(people.writer, gone)
    cells = re.findall(r'data-label="Repositories">([^<]+)<', client.get(f"{base}/llm").content.decode())
    assert dict(zip(names(client.get(f"{base}/llm")), cells, strict=True)) == {"unused": "none", "used": "2"}


def test_the_page_of_one_configuration_costs_the_same_with_history(client: Client, base: str, people: People) -> None:
    row = checked(build.ai_llm(people.writer, people.workspace), "accepted")
    client.get(base)
    one = queries(client, f"{base}/llm/{row.pk}")
    for _ in range(5):
        checked(row, "accepted")
    assert queries(client, f"{base}/llm/{row.pk}") == one <= 11


def test_nothing_is_opened_for_a_page(
    client: Client, base: str, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    monkeypatch.setattr("flashback.sealed.Sealed.open", lambda *_: pytest.fail("a page opened a secret"))
    for path in ("", "/llm", f"/llm/{row.pk}", f"/llm/{row.pk}/edit", f"/llm/{row.pk}/rotate", f"/llm/{row.pk}/delete"):
        assert client.get(base + path).status_code == 200


def test_an_empty_workspace_starts_the_wizard(client: Client, base: str, people: People) -> None:
    for path in ("", "/llm"):
        page = client.get(base + path)
        assert f"No AI LLM in {people.workspace.name} yet" in text(page)
        assert f'href="{base}/llm/new"' in page.content.decode()


def test_a_new_ai_llm_says_once_that_it_is_not_validated_yet(client: Client, base: str, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    page = client.get(f"{base}/llm/{row.pk}").content.decode()
    card = page.partition('id="state-heading"')[2].partition("</section>")[0]
    assert card.count("ot validated yet") == 1


def test_who_hears_a_page_can_tell_its_places_apart(client: Client, base: str, people: People) -> None:
    build.ai_llm(people.writer, people.workspace)
    page = client.get(f"{base}/llm").content.decode()
    assert f"<title>AI LLM · {people.workspace.name} · Flashback</title>" in page
    assert f'<caption class="sr-only">AI LLMs of {people.workspace.name}</caption>' in page
    menu = re.findall(r"<a [^>]*>(.*?)</a>", page.partition('id="menu"')[2].partition("</nav>")[0], re.DOTALL)
    names = [" ".join(re.sub(r"<[^>]+>", "", name).split()) for name in menu]
    assert len(names) == len(set(names)) > 5


def test_where_no_workspace_is_nothing_of_the_menu_is_marked(client: Client, base: str) -> None:
    found, missing = client.get(base), client.get("/w/nowhere/ai")
    assert (found.status_code, missing.status_code) == (200, 404)
    assert 'aria-current="page"' in found.content.decode()
    assert 'aria-current="page"' not in missing.content.decode()


def test_an_empty_page_has_one_primary_action(client: Client, people: People) -> None:
    for path in ("ai", "ai/llm", "ai/keys", "repositories", "repositories/inventory"):
        page = client.get(f"/w/{people.workspace.slug}/{path}").content.decode()
        assert page.count('class="button primary') == 1, path


def test_what_happened_names_people_as_they_are_called_today(client: Client, base: str, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    User.objects.filter(pk=people.writer.pk).update(name="Wilma", last_name="Writer")
    with looks.admin_site():
        events.record(people.staff, "staff.looked", row, workspace=people.workspace)
    for path in (base, f"{base}/llm/{row.pk}"):
        page = text(client.get(path))
        assert "Wilma Writer, just now" in page
        assert f"{people.staff.email}, just now" in page


def test_ids_and_endpoints_have_a_button_that_copies_them(client: Client, base: str, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    page = client.get(f"{base}/llm/{row.pk}").content.decode()
    assert f'data-copy="{row.pk}"' in page
    assert f'data-copy="{row.endpoint}"' in page


def test_a_reader_sees_everything_but_the_buttons(
    people: People, base: str, signed_in: Callable[[User], Client]
) -> None:
    row = build.ai_llm(people.writer, people.workspace, name="prod")
    reader = signed_in(people.reader)
    for path in ("", "/llm", f"/llm/{row.pk}"):
        page = reader.get(base + path)
        assert "prod" in text(page)
        for words in ("Add AI LLM", "Rotate secret", "Validate selected", "Delete this", "/edit"):
            assert words not in page.content.decode()


def test_a_refusal_names_the_role_and_who_can_grant_it(
    people: People, base: str, signed_in: Callable[[User], Client]
) -> None:
    page = signed_in(people.reader).get(f"{base}/llm/new")
    assert page.status_code == 403
    assert "needs the role WRITE in the workspace Main" in text(page)
    assert "Ada Admin or Olivia Owner can grant it." in text(page)


def test_the_overview_counts_by_state_and_puts_the_worst_first(client: Client, base: str, people: People) -> None:
    checked(build.ai_llm(people.writer, people.workspace, name="fine"), "accepted")
    checked(build.ai_llm(people.writer, people.workspace, name="bad"), "rejected", "secret_rejected")
    build.ai_llm(people.writer, people.workspace, name="new")
    checked(build.ai_llm(people.writer, people.workspace, name="keyless"), "undecided", "keys_not_checked")
    lost = build.ai_llm(people.writer, people.workspace, name="lost")
    Credential.objects.filter(pk=lost.credential_id).update(key_id="gone")
    found = summary.of(people.workspace)
    assert found.counts == {
        "accepted": 1,
        "limited": 0,
        "rejected": 1,
        "undecided": 1,
        "never": 1,
        "unavailable": 1,
        "disabled": 0,
    }
    assert [row.name for row in found.attention] == ["lost", "bad", "new"]
    assert "The ten most urgent" not in text(client.get(base))
    for number in range(9):
        build.ai_llm(people.writer, people.workspace, name=f"more {number}")
    assert "The ten most urgent are shown; the figures above lead to all." in text(client.get(base))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["alpha", "Beta", "gamma"]),
        ("?order=-name", ["gamma", "Beta", "alpha"]),
        ("?q=BETA", ["Beta"]),
        ("?q=anthropic.com", ["gamma"]),
        ("?type=ANTHROPIC", ["gamma"]),
        ("?state=accepted", ["alpha"]),
        ("?state=never&type=OPENAI", ["Beta"]),
        ("?q=nothing-like-it", []),
        ("?order=evil&type=EVIL&state=evil&page=evil&q=%00", ["alpha", "Beta", "gamma"]),
        ("?page=99999", ["alpha", "Beta", "gamma"]),
        ("?q=%25", []),
    ],
)
def test_search_filter_and_order(query: str, expected: list[str], client: Client, base: str, people: People) -> None:
    checked(build.ai_llm(people.writer, people.workspace, name="alpha"), "accepted")
    build.ai_llm(people.writer, people.workspace, name="Beta")
    anthropic = {"type": "ANTHROPIC", "endpoint": "https://api.anthropic.com"}
    build.ai_llm(people.writer, people.workspace, name="gamma", **anthropic)
    assert names(client.get(f"{base}/llm{query}")) == expected


def test_the_list_is_paged_and_the_pages_keep_the_filters(client: Client, base: str, people: People) -> None:
    for number in range(53):
        build.ai_llm(people.writer, people.workspace, name=f"row-{number:02}")
    first, second = client.get(f"{base}/llm?q=row"), client.get(f"{base}/llm?q=row&page=2")
    assert (len(names(first)), names(second)) == (50, ["row-50", "row-51", "row-52"])
    assert re.search(r'href="\?q=row&amp;page=2"', first.content.decode())


def test_from_a_list_one_comes_back_to_what_one_looked_for(client: Client, base: str, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    for looked_for, back in {
        "?q=open+%22ai&type=OPENAI&page=2": "?q=open+%22ai&amp;type=OPENAI&amp;page=2",
        "?type=nonsense&next=//evil.example": "",
        "": "",
    }.items():
        page = client.get(f"{base}/llm/{row.pk}", headers={"Referer": f"http://testserver{base}/llm{looked_for}"})
        assert re.search(rf'breadcrumbs">\s*<li><a href="{re.escape(f"{base}/llm{back}")}"', page.text), looked_for
    for elsewhere in (f"http://testserver{base}/llm/new?type=OPENAI", "http://[", "\xff", "?type=OPENAI"):
        page = client.get(f"{base}/llm/{row.pk}", headers={"Referer": elsewhere})
        assert f'<a href="{base}/llm">' in page.text


def test_the_state_is_read_from_the_row_alone(client: Client, base: str, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    Credential.objects.filter(pk=row.credential_id).update(key_id="gone", set_at=timezone.now())
    page = text(client.get(f"{base}/llm/{row.pk}"))
    assert "The stored secret cannot be opened" in page
    assert "Enter the secret again" in page


@pytest.mark.django_db(transaction=True)
def test_the_chosen_rows_are_checked_one_by_one_without_scripts(
    client: Client, base: str, people: People, sandbox: Sandbox
) -> None:
    rows = [
        build.ai_llm(people.writer, people.workspace, endpoint=sandbox.url("/openai/v1")),
        build.ai_llm(people.writer, people.workspace, endpoint=sandbox.url("/openai/v1"), secret="wrong-secret-1234"),
    ]
    address = f"{base}/llm/validate?ids={rows[0].pk}&ids={rows[1].pk}"
    assert "0 of 2 checked" in text(client.get(address))
    first = client.post(address)
    assert (first.status_code, "at=1" in first["Location"]) == (303, True)
    assert "1 of 2 checked" in text(client.get(first["Location"]))
    second = client.post(first["Location"])
    assert "All 2 checked" in text(client.get(second["Location"]))
    assert list(AiLlm.objects.order_by("created_at").values_list("verdict", flat=True)) == ["accepted", "rejected"]
    assert client.post(second["Location"]).status_code == 303
    assert Check.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_with_scripts_each_answer_asks_for_the_next(
    client: Client, base: str, people: People, sandbox: Sandbox
) -> None:
    row = build.ai_llm(people.writer, people.workspace, endpoint=sandbox.url("/openai/v1"))
    address, htmx = f"{base}/llm/validate?ids={row.pk}", {"HX-Request": "true"}
    assert 'hx-trigger="load' in client.get(address, headers=htmx).content.decode()
    assert 'hx-trigger="load' not in client.get(address).content.decode()
    done = client.post(address, headers=htmx)
    assert "All 1 checked" in text(done)
    assert "hx-trigger" not in done.content.decode()


def test_too_many_checks_wait_and_go_on(
    client: Client, base: str, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    monkeypatch.setattr(validation, "CHECKS_A_MINUTE", 0)
    cache.clear()
    answer = client.post(f"{base}/llm/validate?ids={row.pk}", headers={"HX-Request": "true"})
    assert re.search(r'hx-trigger="load delay:\d+s', answer.content.decode())
    assert "0 of 1 checked" in text(answer)


def test_only_rows_of_this_workspace_can_be_chosen(client: Client, base: str, people: People) -> None:
    foreign = build.ai_llm(people.stranger, people.strange_workspace)
    for ids in (foreign.pk, uuid4(), "junk", "%00", ""):
        assert "Nothing selected" in text(client.get(f"{base}/llm/validate?ids={ids}"))
