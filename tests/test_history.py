"""What is kept of checks: rows, the state they add up to, the last good list of models, thinning, the timeline."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from ai_llm import configs, history, validation
from ai_llm.causes import CAUSES
from ai_llm.models import AiLlm, Check, ModelList
from ai_llm.outcomes import Result, present
from flashback.errors import Conflict, Denied
from tests import build
from tests.conftest import People
from workspaces.models import Event, User

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def row(people: People) -> AiLlm:
    return build.ai_llm(people.writer, people.workspace)


def keep(row: AiLlm, cause: str, *, by: User | None = None, **values: Any) -> AiLlm:
    """Keep a check that ended with `cause`, and return the row as it is now."""
    kind = values.pop("kind", "free")
    history.keep(by, AiLlm.objects.get(pk=row.pk), Result(CAUSES[cause].verdict.value, cause, **values), kind=kind)
    return AiLlm.objects.get(pk=row.pk)


def actions(row: AiLlm) -> list[tuple[str, dict[str, Any]]]:
    found = Event.objects.filter(object_id=str(row.pk)).exclude(action="ai_llm.created").order_by("id")
    return [(event.action, event.details) for event in found]


class TestTheState:
    def test_a_check_is_a_row_and_the_state(self, people: People, row: AiLlm) -> None:
        row = keep(row, "accepted", by=people.writer, milliseconds=120)
        check = Check.objects.get()
        assert (row.verdict, row.last_check) == ("accepted", check)
        assert (check.by, check.scheduled, check.kind, check.milliseconds) == (people.writer, False, "free", 120)

    def test_a_row_that_moved_on_keeps_nothing(self, people: People, row: AiLlm) -> None:
        tested = AiLlm.objects.get(pk=row.pk)
        configs.replace_secret(people.writer, row, secret="another-secret-0123456789")
        with pytest.raises(Conflict, match="Validate it again"):
            history.keep(None, tested, Result("accepted", "accepted"))
        assert (Check.objects.count(), AiLlm.objects.get(pk=row.pk).verdict) == (0, "")

    @pytest.mark.parametrize("told", ["accepted", "quota_spent", "key_rejected"])
    @pytest.mark.parametrize("cause", sorted(history.PROVES_NOTHING))
    def test_a_free_check_that_proves_nothing_takes_no_word_of_a_message_back(
        self, row: AiLlm, told: str, cause: str
    ) -> None:
        by_message = keep(row, told, kind="message").last_check
        row = keep(row, cause)
        assert (row.verdict, row.last_check) == (CAUSES[told].verdict, by_message)
        assert Check.objects.count() == 2

    @pytest.mark.parametrize("cause", ["key_rejected", "connection_refused", "accepted", "refused_alike"])
    def test_any_other_free_check_does(self, row: AiLlm, cause: str) -> None:
        keep(row, "quota_spent", kind="message")
        assert keep(row, cause).verdict == CAUSES[cause].verdict

    def test_a_word_of_a_message_is_forgotten_with_the_secret_that_it_was_about(
        self, people: People, row: AiLlm
    ) -> None:
        keep(row, "accepted", kind="message")
        configs.replace_secret(people.writer, row, secret="another-secret-0123456789")
        assert keep(row, "public_list").verdict == "undecided"

    def test_a_name_that_changes_takes_nothing_back(self, people: People, row: AiLlm) -> None:
        row = keep(row, "accepted", kind="message")
        configs.update(people.writer, row, name="another name", endpoint=row.endpoint, version=row.version)
        assert keep(row, "public_list").verdict == "accepted"

    def test_a_free_acceptance_gives_way_to_a_free_check_that_proves_nothing(self, row: AiLlm) -> None:
        keep(row, "accepted")
        assert keep(row, "public_list").verdict == "undecided"

    def test_a_message_without_a_verdict_leaves_the_state_as_it_is(self, row: AiLlm) -> None:
        assert keep(row, "read_timeout", kind="message").verdict == "undecided"
        keep(row, "accepted")
        assert keep(row, "read_timeout", kind="message").verdict == "accepted"
        assert keep(row, "key_rejected", kind="message").verdict == "rejected"

    def test_models_that_may_not_be_listed_take_no_accepted_message_back(self, row: AiLlm) -> None:
        keep(row, "message_answered", kind="message")
        assert keep(row, "scope_missing").verdict == "accepted"
        keep(row, "key_rejected", kind="message")
        assert keep(row, "scope_missing").verdict == "limited"

    def test_a_model_that_is_gone_takes_no_acceptance_back(self, row: AiLlm) -> None:
        assert keep(row, "model_not_there", kind="message").verdict == "limited"
        keep(row, "accepted")
        assert keep(row, "model_not_there", kind="message").verdict == "accepted"

    @pytest.mark.parametrize(
        ("before", "after", "worse"),
        [
            ("accepted", "limited", True),
            ("limited", "undecided", True),
            ("undecided", "rejected", True),
            ("", "rejected", True),
            ("", "undecided", False),
            ("rejected", "undecided", False),
            ("rejected", "rejected", False),
            ("undecided", "accepted", False),
        ],
    )
    def test_what_is_worse_than_what(self, before: str, after: str, worse: bool) -> None:
        assert history.worse(before, after) is worse


class TestEvents:
    def test_a_persons_check_is_always_recorded(self, people: People, row: AiLlm) -> None:
        keep(row, "accepted", by=people.writer)
        keep(row, "accepted", by=people.writer)
        first = {"verdict": "accepted", "cause": "accepted"}
        assert actions(row) == [("ai_llm.validated", first | {"before": ""}), ("ai_llm.validated", first)]

    def test_a_scheduled_check_is_recorded_when_the_state_changes(self, row: AiLlm) -> None:
        for cause in ("accepted", "accepted", "key_rejected", "key_rejected"):
            keep(row, cause)
        assert actions(row) == [
            ("ai_llm.state_changed", {"verdict": "accepted", "cause": "accepted", "before": ""}),
            ("ai_llm.state_changed", {"verdict": "rejected", "cause": "key_rejected", "before": "accepted"}),
        ]

    def test_a_message_says_that_it_was_one(self, people: People, row: AiLlm) -> None:
        keep(row, "accepted", by=people.writer, kind="message")
        assert actions(row)[0][1]["kind"] == "message"


class TestAttention:
    def test_rejected_twice_in_a_row_needs_attention(self, row: AiLlm) -> None:
        assert keep(row, "key_rejected").attention_at is None
        row = keep(row, "key_rejected")
        assert row.last_check is not None
        assert (row.attention_at, row.mail_due, row.rejections) == (row.last_check.at, row.last_check.at, 2)

    def test_it_begins_once(self, row: AiLlm) -> None:
        keep(row, "key_rejected")
        since = keep(row, "key_rejected").attention_at
        assert keep(row, "key_rejected").attention_at == since

    def test_not_decided_neither_brings_it_nor_ends_it(self, row: AiLlm) -> None:
        for _ in range(5):
            assert keep(row, "connection_refused").attention_at is None
        keep(row, "key_rejected")
        assert keep(row, "connection_refused").attention_at is None
        assert keep(row, "key_rejected").attention_at is not None
        assert keep(row, "connection_refused").attention_at is not None

    @pytest.mark.parametrize("cause", ["accepted", "quota_spent"])
    def test_accepted_or_limited_ends_it(self, row: AiLlm, cause: str) -> None:
        keep(row, "key_rejected")
        keep(row, "key_rejected")
        row = keep(row, cause)
        assert (row.attention_at, row.mail_due, row.rejections, row.failures) == (None, None, 0, 0)
        assert keep(row, "key_rejected").attention_at is None

    def test_a_new_secret_ends_it(self, people: People, row: AiLlm) -> None:
        keep(row, "key_rejected")
        keep(row, "key_rejected")
        configs.replace_secret(people.writer, row, secret="another-secret-0123456789")
        row = AiLlm.objects.get(pk=row.pk)
        assert (row.attention_at, row.mail_due, row.rejections, row.failures) == (None, None, 0, 0)

    def test_failures_count_what_somebody_has_to_mend(self, row: AiLlm) -> None:
        causes = ["connection_refused", "key_rejected", "keys_not_checked", "public_list", "accepted"]
        assert [keep(row, cause).failures for cause in causes] == [1, 2, 0, 1, 0]


class TestModels:
    def test_a_failed_or_empty_list_never_erases_the_last_good_one(self, row: AiLlm) -> None:
        keep(row, "accepted", models_found=["b", "a"])
        keep(row, "accepted")
        keep(row, "key_rejected")
        assert validation.models_of(row) == ["b", "a"]
        keep(row, "accepted", models_found=["c"])
        assert validation.models_of(row) == ["c"]
        assert ModelList.objects.count() == 1

    def test_a_list_of_another_endpoint_does_not_count(self, people: People, row: AiLlm) -> None:
        keep(row, "accepted", models_found=["a"])
        moved = {"endpoint": "https://api.groq.com/openai/v1", "secret": "another-secret-0123456789"}
        row = configs.update(people.writer, row, name=row.name, version=row.version, **moved)
        assert validation.models_of(row) == []
        keep(row, "accepted")
        assert validation.models_of(row) == []
        keep(row, "accepted", models_found=["z"])
        assert validation.models_of(row) == ["z"]

    def test_a_check_holds_the_first_twenty_and_says_how_many_there_were(self, row: AiLlm) -> None:
        names = [f"model-{number}" for number in range(500)]
        row = keep(row, "accepted", models_found=names)
        assert row.last_check is not None
        shown = present(row.last_check)
        assert (row.last_check.models_found, shown["models"]) == (names[:20], names[:20])
        assert (shown["model_count"], shown["more_models"]) == (500, 480)
        assert validation.models_of(row) == names


class TestThinning:
    def fill(self, row: AiLlm, *ages: timedelta) -> None:
        Check.objects.bulk_create(
            Check(ai_llm=row, verdict="accepted", cause="accepted", at=NOON - age) for age in ages
        )

    @pytest.fixture(autouse=True)
    def noon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timezone, "now", lambda: NOON)

    def left(self, row: AiLlm) -> list[timedelta]:
        return [NOON - at for at in Check.objects.filter(ai_llm=row).order_by("-at").values_list("at", flat=True)]

    def test_the_newest_fifty_stay_and_older_ones_thin_to_the_last_of_a_day(self, row: AiLlm) -> None:
        hours = [timedelta(hours=number) for number in range(1, 121)]
        self.fill(row, *hours)
        keep(row, "accepted")
        # Fifty with the new one reach back to 49 hours ago; the rest is of the 22nd (until 10:59) to the 19th.
        last_of_days = [timedelta(hours=hour) for hour in (50, 61, 85, 109)]
        assert self.left(row) == [timedelta(), *hours[:49], *last_of_days]

    def test_nothing_is_older_than_four_hundred_days(self, row: AiLlm) -> None:
        self.fill(row, *(timedelta(days=day) for day in range(1, 460)))
        keep(row, "accepted")
        assert self.left(row) == [timedelta(days=day) for day in range(401)]

    def test_the_check_that_the_page_shows_stays(self, row: AiLlm) -> None:
        proof = keep(row, "accepted", kind="message").last_check
        assert proof is not None
        Check.objects.filter(pk=proof.pk).update(at=NOON - timedelta(days=500))
        self.fill(row, *(timedelta(minutes=number) for number in range(1, 60)))
        assert keep(row, "public_list").last_check == proof

    def test_another_ai_llm_keeps_its_own(self, people: People, row: AiLlm) -> None:
        other = build.ai_llm(people.writer, people.workspace)
        self.fill(other, *(timedelta(days=3, minutes=number) for number in range(60)))
        keep(row, "accepted")
        assert Check.objects.filter(ai_llm=other).count() == 60

    def test_it_costs_one_query_and_a_few_when_something_goes(
        self, row: AiLlm, django_assert_max_num_queries: Any
    ) -> None:
        def queries() -> int:
            with django_assert_max_num_queries(30) as found:
                keep(row, "accepted")
            return len(found)

        keep(row, "accepted", models_found=["a"])
        few = queries()
        self.fill(row, *(timedelta(days=2, minutes=number) for number in range(200)))
        assert queries() <= few + 5
        assert queries() <= few + 5
        Check.objects.all().delete()
        assert queries() <= few


class TestTimeline:
    def test_the_newest_in_words_and_fifty_as_marks(
        self, people: People, row: AiLlm, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(12):
            keep(row, "key_rejected" if number < 2 else "accepted", by=people.writer if number % 2 else None)
        keep(row, "accepted", kind="message", by=people.writer, milliseconds=77)
        with django_assert_num_queries(1):
            shown = history.timeline(row)
        newest = shown.rows[0]
        assert (newest.kind, newest.who, newest.milliseconds) == ("message", "Will Writer", 77)
        assert newest.headline == "The connection works"
        assert [(entry.scheduled, entry.who) for entry in shown.rows[1:3]] == [(False, "Will Writer"), (True, "")]
        assert (len(shown.rows), len(shown.marks)) == (10, 13)
        assert [entry.label for entry in shown.marks[:3]] == ["Rejected", "Rejected", "Accepted"]

    def test_a_newer_check_that_changed_nothing_is_named_beside_the_proof(
        self, people: People, row: AiLlm, signed_in: Any
    ) -> None:
        row = keep(row, "accepted", kind="message")
        assert history.timeline(row).later is None
        row = keep(row, "public_list")
        later = history.timeline(row).later
        assert later is not None
        assert later.headline == "A public list proves nothing"
        page = signed_in(people.reader).get(f"/w/{people.workspace.slug}/ai/llm/{row.pk}").content.decode()
        assert "by one tiny message. A newer check, " in page

    def test_the_page_shows_it(self, people: People, row: AiLlm, signed_in: Any) -> None:
        keep(row, "key_rejected")
        keep(row, "accepted", by=people.writer)
        client: Client = signed_in(people.reader)
        page = client.get(f"/w/{people.workspace.slug}/ai/llm/{row.pk}").content.decode()
        assert 'aria-label="The last 2 checks, the oldest first"' in page
        assert page.index('<li class="bad" title="Rejected, ') < page.index('<li class="good" title="Accepted, ')
        assert "just now</time>, scheduled" in page
        assert "just now</time> by Will Writer" in page


class TestTheOptOut:
    def test_is_a_verb_with_one_event(self, people: People, row: AiLlm) -> None:
        for included in (False, False, True):
            assert configs.schedule(people.writer, row, included).scheduled is included
        assert actions(row) == [
            ("ai_llm.schedule_changed", {"scheduled": [True, False]}),
            ("ai_llm.schedule_changed", {"scheduled": [False, True]}),
        ]

    def test_needs_write_and_leaves_the_version_alone(self, people: People, row: AiLlm) -> None:
        with pytest.raises(Denied):
            configs.schedule(people.reader, row, False)
        configs.schedule(people.writer, row, False)
        assert AiLlm.objects.get(pk=row.pk).version == row.version
