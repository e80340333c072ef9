"""Rotation: tested first, reversible while the old secret is kept, and nothing is typed twice or revived."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from ai_llm import configs, credentials, expiry, history, lifecycle, rotation, validation
from ai_llm.models import AiLlm, Check, Credential
from ai_llm.sandbox import SECRETS, Sandbox
from flashback.errors import Conflict, Denied, Invalid
from tests import build
from tests.conftest import People
from workspaces.models import Event, User

WRONG = "sandbox-openai-secret-that-is-wrong"
OLD = "sandbox-openai-secret-of-last-year-0001"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def row(people: People, server: Sandbox, settings: object) -> AiLlm:
    """An AI LLM with a secret that does not work any more."""
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{server.port}"]
    return build.ai_llm(
        people.writer, people.workspace, type="OTHER", endpoint=server.url("/openai/v1"), secret=OLD, key="team-one"
    )


def stored(row: AiLlm) -> AiLlm:
    return AiLlm.objects.select_related("workspace", "credential", "fallback", "candidate").get(pk=row.pk)


def secret_of(credential: Credential | None) -> str:
    return credentials.open_secret(credential).secret if credential else ""


def actions(row: AiLlm) -> list[str]:
    return list(Event.objects.filter(object_id=str(row.pk)).order_by("id").values_list("action", flat=True))


def later(monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    now = timezone.now() + passed
    monkeypatch.setattr(timezone, "now", lambda: now)


class TestASecretThatWorks:
    def test_it_takes_over_and_the_old_one_is_kept(self, people: People, row: AiLlm) -> None:
        outcome = rotation.rotate(people.writer, row, secret=SECRETS.openai, keep="24h")
        found = stored(row)
        assert outcome.took_over
        assert (secret_of(found.credential), secret_of(found.former)) == (SECRETS.openai, OLD)
        assert found.fallback_until is not None
        assert timedelta(hours=23) < found.fallback_until - timezone.now() <= timedelta(hours=24)
        assert Credential.objects.count() == 2

    def test_its_test_is_the_first_check_of_the_new_secret(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai)
        assert (stored(row).verdict, Check.objects.filter(ai_llm=row).count()) == ("accepted", 1)
        assert actions(row) == ["ai_llm.created", "ai_llm.rotated", "ai_llm.validated"]

    def test_a_blank_key_keeps_the_stored_one_and_remove_key_leaves_it_behind(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai)
        held = stored(row).credential
        assert held is not None
        assert credentials.open_secret(held).key == "team-one"
        rotation.rotate(people.writer, stored(row), secret=SECRETS.openai, remove_key=True)
        held = stored(row).credential
        assert held is not None
        assert held.key is None

    def test_keeping_none_purges_the_old_one_at_once(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai, keep="none")
        assert (stored(row).fallback, Credential.objects.count()) == (None, 1)

    def test_a_second_rotation_purges_the_secret_before_the_last(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai)
        rotation.rotate(people.writer, stored(row), secret=SECRETS.openai)
        assert (secret_of(stored(row).former), Credential.objects.count()) == (SECRETS.openai, 2)

    def test_one_step_leads_back_and_one_forward_again(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai, keep="1h")
        back = rotation.return_to_former(people.writer, stored(row))
        assert (secret_of(stored(row).credential), secret_of(stored(row).former)) == (OLD, SECRETS.openai)
        assert back.verdict == ""  # what was said about the other secret is no word about this one
        rotation.return_to_former(people.writer, stored(row))
        assert secret_of(stored(row).credential) == SECRETS.openai
        assert actions(row)[-2:] == ["ai_llm.returned", "ai_llm.returned"]

    def test_retiring_purges_the_old_one_now(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai, keep="7d")
        rotation.retire(people.writer, stored(row))
        assert (stored(row).fallback, Credential.objects.count(), actions(row)[-1]) == (None, 1, "ai_llm.retired")
        with pytest.raises(Conflict, match="not kept any more"):
            rotation.return_to_former(people.writer, stored(row))


class TestASecretThatFails:
    def test_nothing_changes_but_that_it_waits_for_an_hour(self, people: People, row: AiLlm) -> None:
        outcome = rotation.rotate(people.writer, row, secret=WRONG)
        found = stored(row)
        assert (outcome.took_over, outcome.result.verdict) == (False, "rejected")
        assert (secret_of(found.credential), secret_of(found.waiting), found.verdict) == (OLD, WRONG, "")
        assert actions(row)[-1] == "ai_llm.rotation_held"

    def test_going_on_all_the_same_needs_no_typing(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=WRONG)
        rotation.take_over(people.writer, stored(row), keep="1h")
        found = stored(row)
        assert (secret_of(found.credential), secret_of(found.former), found.candidate) == (WRONG, OLD, None)
        event = Event.objects.filter(action="ai_llm.rotated").get()
        assert event.details["untested"] is True

    def test_testing_again_takes_over_once_it_passes(
        self, people: People, row: AiLlm, settings: object, server: Sandbox
    ) -> None:
        settings.OUTBOUND_ALLOW = []
        held = rotation.rotate(people.writer, row, secret=SECRETS.openai)
        assert (held.took_over, held.result.cause) == (False, "address_not_allowed")
        assert not rotation.retry(people.writer, stored(row)).took_over
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{server.port}"]
        assert rotation.retry(people.writer, stored(row)).took_over
        assert (secret_of(stored(row).credential), stored(row).verdict) == (SECRETS.openai, "accepted")

    def test_discarding_purges_it(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=WRONG)
        rotation.discard(people.writer, stored(row))
        assert (stored(row).candidate, Credential.objects.count()) == (None, 1)
        for gone in (rotation.take_over, rotation.discard, rotation.retry):
            with pytest.raises(Conflict, match="kept for one hour"):
                gone(people.writer, stored(row))

    def test_another_one_takes_its_place(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=WRONG)
        rotation.rotate(people.writer, stored(row), secret=SECRETS.openai, keep="none")
        assert (stored(row).candidate, Credential.objects.count()) == (None, 1)


class TestTime:
    def test_what_was_kept_is_gone_when_it_is_read_after_its_end(
        self, people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai, keep="1h")
        later(monkeypatch, HOUR)
        found = stored(row)
        assert found.former is None
        assert rotation.expire(found).fallback is None
        assert (Credential.objects.count(), actions(row)[-1]) == (1, "ai_llm.secret_expired")

    def test_no_verb_brings_it_back(self, people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai, keep="1h")
        later(monkeypatch, HOUR)
        with pytest.raises(Conflict, match="not kept any more"):
            rotation.return_to_former(people.writer, stored(row))
        assert secret_of(stored(row).credential) == SECRETS.openai

    @pytest.mark.parametrize("verb", [rotation.retire, rotation.return_to_former, rotation.discard, rotation.retry])
    def test_what_is_said_to_be_gone_is_gone(
        self, people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch, verb: Callable[[User, AiLlm], object]
    ) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai, keep="1h")
        rotation.rotate(people.writer, stored(row), secret=WRONG)
        later(monkeypatch, HOUR)
        with pytest.raises(Conflict):
            verb(people.writer, stored(row))
        assert Credential.objects.count() == 1

    def test_tidy_purges_what_nobody_reads(self, people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai, keep="1h")
        rotation.rotate(people.writer, stored(row), secret=WRONG)
        later(monkeypatch, HOUR)
        assert lifecycle.untidy() == 1
        assert dict(lifecycle.tidy())["expired secrets"] == 1
        assert (lifecycle.untidy(), Credential.objects.count()) == (0, 1)


class TestSeveralAtOnce:
    def test_of_two_rotations_the_second_is_told(self, people: People, row: AiLlm) -> None:
        seen = stored(row)
        rotation.rotate(people.writer, stored(row), secret=SECRETS.openai)
        with pytest.raises(Conflict, match="while the test ran"):
            rotation.rotate(people.writer, seen, secret=SECRETS.openai)
        assert Credential.objects.count() == 2

    def test_a_check_of_the_old_secret_says_nothing_about_the_new_one(
        self, people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tested, run = stored(row), validation.run

        def rotating_meanwhile(*arguments: object, **keywords: object) -> validation.Result:
            result = run(*arguments, **keywords)
            monkeypatch.setattr(validation, "run", run)
            rotation.rotate(people.writer, stored(row), secret=SECRETS.openai)
            return result

        monkeypatch.setattr(validation, "run", rotating_meanwhile)
        with pytest.raises(Conflict):
            validation.validate(people.writer, tested)
        assert stored(row).verdict == "accepted"

    def test_deleting_takes_every_secret_along(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai, keep="7d")
        rotation.rotate(people.writer, stored(row), secret=WRONG)
        assert Credential.objects.count() == 3
        configs.delete(people.writer, stored(row))
        assert Credential.objects.count() == 0
        with pytest.raises(Conflict, match="deleted"):
            rotation.take_over(people.writer, row)

    def test_moving_elsewhere_leaves_no_secret_of_the_old_place(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai, keep="7d")
        moved = stored(row)
        configs.update(
            people.writer, moved, name=moved.name, endpoint="https://api.groq.com/openai/v1", version=moved.version,
            secret="gsk_0123456789abcdef0123456789",
        )  # fmt: skip
        assert (stored(row).fallback, stored(row).candidate, Credential.objects.count()) == (None, None, 1)

    def test_a_secret_that_waits_goes_nowhere_but_where_it_was_entered_for(
        self, people: People, row: AiLlm, server: Sandbox
    ) -> None:
        configs.replace_secret(people.writer, row, keyless=True)
        rotation.rotate(people.writer, stored(row), secret=WRONG)
        seen = stored(row)
        configs.update(
            people.writer, seen, name=seen.name, endpoint=server.url("/elsewhere/v1"), version=seen.version
        )  # fmt: skip
        server.requests.clear()
        for verb in (rotation.retry, rotation.take_over):
            with pytest.raises(Conflict, match="kept for one hour"):
                verb(people.writer, stored(row))
        assert (server.requests, Credential.objects.count()) == ([], 0)

    def test_a_secret_that_waits_is_not_sent_to_another_host(self, people: People, row: AiLlm, server: Sandbox) -> None:
        rotation.rotate(people.writer, row, secret=WRONG)
        AiLlm.objects.filter(pk=row.pk).update(endpoint=f"https://127.0.0.1:{server.port}/openai/v1")
        with pytest.raises(Conflict, match="kept for one hour"):
            rotation.retry(people.writer, stored(row))


class TestWho:
    def test_only_those_who_may_write_rotate(self, people: People, row: AiLlm) -> None:
        with pytest.raises(Denied):
            rotation.rotate(people.reader, row, secret=SECRETS.openai)
        for verb in (rotation.take_over, rotation.discard, rotation.return_to_former, rotation.retire):
            with pytest.raises(Denied):
                verb(people.reader, row)
        assert Credential.objects.count() == 1

    def test_an_unknown_time_to_keep_is_refused_beside_its_field(self, people: People, row: AiLlm) -> None:
        with pytest.raises(Invalid) as refused:
            rotation.rotate(people.writer, row, secret=SECRETS.openai, keep="forever")
        assert list(refused.value.errors) == ["keep"]

    def test_no_event_holds_a_secret(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai)
        told = str(list(Event.objects.filter(object_id=str(row.pk)).values()))
        assert SECRETS.openai not in told
        assert SECRETS.openai[-8:] not in told


class TestExpiry:
    def test_the_date_of_a_secret_and_the_rule_of_its_row_give_one_due_date(self, people: People, row: AiLlm) -> None:
        held = stored(row)
        assert held.credential is not None
        held.credential.set_at, held.credential.expires_at = datetime(2026, 1, 1, tzinfo=UTC), None
        assert expiry.due_at(held) is None
        held.rotate_every_days = 90
        assert expiry.due_at(held) == datetime(2026, 4, 1, tzinfo=UTC)
        held.credential.expires_at = datetime(2026, 3, 1, tzinfo=UTC)
        assert expiry.due_at(held) == datetime(2026, 3, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("left", "words", "tone"),
        [
            (timedelta(days=31), None, None),
            (timedelta(days=20, hours=1), "due in 20 days", "warn"),
            (timedelta(days=1, hours=1), "due in 1 day", "bad"),
            (timedelta(hours=1), "due today", "bad"),
            (-timedelta(hours=1), "overdue", "bad"),
            (-timedelta(days=3), "overdue by 3 days", "bad"),
        ],
    )
    def test_how_urgent_it_is_reads_in_words(self, left: timedelta, words: str | None, tone: str | None) -> None:
        found = expiry.due(AiLlm(due_at=timezone.now() + left + timedelta(seconds=5 if left > timedelta() else -5)))
        assert (found and found.words, found and found.tone) == (words, tone)

    def test_a_short_bedrock_key_ends_after_twelve_hours(self) -> None:
        now = timezone.now()
        assert expiry.proposed("bedrock-api-key-abcdef", now) == now + timedelta(hours=12)
        assert expiry.proposed("ABSKabcdef", now) is None

    def test_rotating_sets_the_date_of_the_new_secret(self, people: People, row: AiLlm) -> None:
        end = timezone.now() + timedelta(days=10)
        rotation.rotate(people.writer, row, secret=SECRETS.openai, expires_at=end)
        found = stored(row)
        assert found.credential is not None
        assert (found.credential.expires_at, found.due_at) == (end, end)

    @pytest.mark.parametrize("end", [timedelta(days=-1), timedelta(days=4000)])
    def test_a_date_that_cannot_be_meant_is_refused(self, people: People, row: AiLlm, end: timedelta) -> None:
        with pytest.raises(Invalid) as refused:
            rotation.rotate(people.writer, row, secret=SECRETS.openai, expires_at=timezone.now() + end)
        assert list(refused.value.errors) == ["expires_at"]


class TestOutOfUse:
    def test_disabling_loses_nothing_and_is_undone(self, people: People, row: AiLlm) -> None:
        rotation.rotate(people.writer, row, secret=SECRETS.openai)
        lifecycle.disable(people.writer, stored(row))
        assert stored(row).state == "disabled"
        lifecycle.disable(people.writer, stored(row))
        lifecycle.enable(people.writer, stored(row))
        assert (stored(row).state, secret_of(stored(row).credential)) == ("accepted", SECRETS.openai)
        assert [action for action in actions(row) if "abled" in action] == ["ai_llm.disabled", "ai_llm.enabled"]

    def test_a_deleted_one_leaves_after_thirty_days_and_its_events_stay(
        self, people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configs.delete(people.writer, row)
        told = Event.objects.filter(object_id=str(row.pk)).count()
        later(monkeypatch, timedelta(days=29))
        assert dict(lifecycle.tidy()).get("deleted AI LLMs") is None
        later(monkeypatch, timedelta(days=2))
        assert dict(lifecycle.tidy())["deleted AI LLMs"] == 1
        assert (AiLlm.objects.count(), Event.objects.filter(object_id=str(row.pk)).count()) == (0, told)

    def test_only_those_who_may_write_disable(self, people: People, row: AiLlm) -> None:
        for verb in (lifecycle.disable, lifecycle.enable):
            with pytest.raises(Denied):
                verb(people.reader, row)


def test_forgetting_covers_every_column_of_the_state() -> None:
    row = AiLlm(verdict="rejected", failures=3, rejections=3, rejected_at=timezone.now(), attention_at=timezone.now())
    history.forget(row)
    assert {name: getattr(row, name) for name in history.STATE_COLUMNS if name != "last_check"} == {
        "verdict": "", "failures": 0, "rejections": 0,
        "check_after": None, "attention_at": None, "mail_due": None, "rejected_at": None,
    }  # fmt: skip
