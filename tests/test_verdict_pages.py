"""How a verdict reads on the page of an AI LLM: one cause, one action, the strip, and details for those who manage."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ai_llm import outcomes
from ai_llm.causes import CAUSES
from ai_llm.models import AiLlm, Check, ModelList
from tests import build
from tests.conftest import People
from tests.reading import text
from workspaces.models import User

FACTS = {"endpoint": "https://api.openai.com/v1", "provider": "OpenAI", "host": "api.openai.com", "status": 401}
STAGES = [
    {"name": "connection", "state": "passed", "ms": 31},
    {"name": "http", "state": "passed", "ms": 204},
    {"name": "credential", "state": "failed", "ms": None},
]


def checked(people: People, cause: str, *, ago: timedelta = timedelta(), **facts: Any) -> AiLlm:
    """An AI LLM whose last check ended with `cause`."""
    row = build.ai_llm(people.writer, people.workspace)
    row.last_check = Check.objects.create(
        ai_llm=row,
        by=people.writer,
        at=timezone.now() - ago,
        verdict=CAUSES[cause].verdict,
        cause=cause,
        facts={**FACTS, **facts},
        stages=STAGES,
        url="https://api.openai.com/v1/models",
        status=401,
        provider_code="invalid_api_key",
        excerpt="Incorrect API key provided: [hidden].",
        milliseconds=240,
    )
    row.verdict = row.last_check.verdict
    row.save()
    return row


@pytest.fixture
def show(people: People, signed_in: Callable[[User], Client]) -> Callable[..., str]:
    """The state card of an AI LLM's page, as somebody sees it."""

    def shown(row: AiLlm, who: str = "writer") -> str:
        page = signed_in(getattr(people, who)).get(f"/w/{people.workspace.slug}/ai/llm/{row.pk}").content.decode()
        card = re.search(r'<div id="state".*?</section>', page, re.DOTALL)
        assert card
        return card.group()

    return shown


def link(html: str, words: str) -> str:
    found = re.search(rf'<a[^>]*href="([^"]+)"[^>]*>\s*{re.escape(words)}', html)
    assert found, f"there is no link {words}"
    return unescape(found[1])


def test_a_rejected_secret_leads_to_a_new_one_and_to_where_it_is_made(people: People, show: Callable[..., str]) -> None:
    row = checked(people, "key_rejected")
    card = show(row)
    assert "The secret is not accepted" in text(card)
    assert link(card, "Rotate secret") == f"/w/{people.workspace.slug}/ai/llm/{row.pk}/rotate"
    assert link(card, "Make a new key") == "https://platform.openai.com/api-keys"


def test_a_wrong_path_is_one_click_from_its_fix_in_the_form(
    people: People, show: Callable[..., str], signed_in: Callable[[User], Client]
) -> None:
    row = checked(people, "path_not_found", fix="https://api.openai.com/v1/other")
    address = link(show(row), "Use https://api.openai.com/v1/other")
    form = signed_in(people.writer).get(address).content.decode()
    assert 'value="https://api.openai.com/v1/other"' in form
    assert "The check will call" in text(form)
    assert AiLlm.objects.get().endpoint == "https://api.openai.com/v1"


def test_a_wait_is_told_as_a_time_of_day_and_ends(people: People, show: Callable[..., str]) -> None:
    row = checked(people, "slow_down", retry_after=630)
    until = row.last_check.at + timedelta(seconds=630)
    assert f"Wait until {until:%H:%M:%S} UTC ( in 10 min ), then validate again." in text(show(row))
    over = checked(people, "slow_down", ago=timedelta(hours=1), retry_after=630)
    assert "Wait until" not in text(show(over))


@pytest.mark.parametrize("wait", [-5, 0])
def test_a_wait_that_is_none_asks_for_nothing(wait: int, people: People) -> None:
    row = checked(people, "slow_down")
    row.last_check.facts["retry_after"] = wait
    assert outcomes.present(row.last_check)["until"] is None


def test_a_host_that_may_not_be_called_comes_with_the_line_for_the_operator(
    people: People, show: Callable[..., str]
) -> None:
    card = show(checked(people, "address_not_allowed", host_port="llm.internal:8000"))
    assert 'data-copy="FLASHBACK_OUTBOUND_ALLOW=llm.internal:8000"' in card
    assert "FLASHBACK_OUTBOUND_ALLOW=llm.internal:8000" in text(card)


def test_no_credit_leads_to_billing_at_the_provider(people: People, show: Callable[..., str]) -> None:
    card = show(checked(people, "no_credit", link="https://platform.openai.com/settings/organization/billing"))
    assert link(card, "Open billing at the provider").endswith("/billing")


def test_the_strip_reads_aloud_as_a_list_with_words_and_times(people: People, show: Callable[..., str]) -> None:
    strip = re.search(
        r'<ol class="strip" aria-label="Stages of the check">.*?</ol>', show(checked(people, "key_rejected")), re.DOTALL
    )
    assert strip
    assert [text(item) for item in re.findall(r"<li.*?</li>", strip.group(), re.DOTALL)] == [
        "Connection passed in 31 ms",
        "HTTP passed in 204 ms",
        "Credential failed",
    ]


def test_those_who_manage_see_the_exact_url_and_the_provider_s_own_words(
    people: People, show: Callable[..., str]
) -> None:
    said = text(show(checked(people, "key_rejected")))
    for words in ("Asked https://api.openai.com/v1/models in 240 ms", "invalid_api_key", "Incorrect API key provided"):
        assert words in said


def test_a_reader_sees_the_verdict_and_no_details(people: People, show: Callable[..., str]) -> None:
    card = show(checked(people, "key_rejected"), "reader")
    for words in ("The secret is not accepted", "Asked https://api.openai.com/v1/models", "Credential failed"):
        assert words in text(card)
    for words in ("Details", "invalid_api_key", "Incorrect API key provided", "Rotate secret</a>", "/rotate"):
        assert words not in card


def test_the_text_for_a_ticket_is_there_to_copy_and_without_scripts_to_select(
    people: People, show: Callable[..., str]
) -> None:
    row = checked(people, "key_rejected")
    card, ticket = show(row), outcomes.present(row.last_check)["text"]
    copied = re.search(r'data-copy="(Rejected[^"]*)"', card)
    selected = re.search(r"<noscript>.*?<pre[^>]*>(.*?)</pre>", card, re.DOTALL)
    assert copied
    assert selected
    assert (unescape(copied[1]), unescape(selected[1])) == (ticket, ticket)
    assert "Incorrect API key provided" not in ticket
    assert "Connection: passed in 31 ms" in ticket


@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_every_cause_has_its_words_and_a_way_on(cause: str, people: People, show: Callable[..., str]) -> None:
    row = checked(people, cause, rule_message="The address is wrong.", region="us-east-1")
    found = CAUSES[cause]
    card = show(row)
    assert found.headline in text(card)
    ways = re.findall(r'<(?:a|button)[^>]*class="button[^"]*"', card)
    assert ways or found.needs_nobody


class TestModels:
    def listed(self, people: People, count: int) -> AiLlm:
        row = build.ai_llm(people.writer, people.workspace)
        names = [f"model-{number:03}" for number in range(count)]
        ModelList.objects.create(ai_llm=row, endpoint=row.endpoint, names=names, at=timezone.now() - timedelta(days=3))
        return row

    def models(self, people: People, client: Client, row: AiLlm) -> str:
        page = client.get(f"/w/{people.workspace.slug}/ai/llm/{row.pk}").content.decode()
        card = re.search(r'<section class="card"\s+id="models".*?</section>', page, re.DOTALL)
        assert card
        return card.group()

    def test_the_last_good_list_is_shown_with_its_size_and_age(
        self, people: People, signed_in: Callable[[User], Client]
    ) -> None:
        card = self.models(people, signed_in(people.reader), self.listed(people, 120))
        assert "Models 120, seen 3 days ago" in text(card)
        assert "Show all 120" in text(card)
        assert re.findall(r"model-\d{3}", card) == [f"model-{number:03}" for number in range(120)]

    def test_a_short_list_needs_no_button(self, people: People, signed_in: Callable[[User], Client]) -> None:
        card = self.models(people, signed_in(people.reader), self.listed(people, 8))
        assert "Show all" not in card
        assert len(re.findall(r"model-\d{3}", card)) == 8

    def test_a_list_of_another_endpoint_is_not_shown(self, people: People, signed_in: Callable[[User], Client]) -> None:
        row = self.listed(people, 3)
        ModelList.objects.update(endpoint="https://elsewhere.example.com/v1")
        assert "No list yet" in text(self.models(people, signed_in(people.reader), row))
