"""Validate and Test: the whole check against a real server over a real socket, and what is kept of it."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction

from ai_llm import configs, credentials, outcomes, probing, validation
from ai_llm.echoes import Echoes
from ai_llm.models import AiLlm, Check, Credential
from ai_llm.outcomes import Result
from ai_llm.sandbox import SECRETS, Sandbox
from flashback.errors import Conflict, Denied, NotFound
from flashback.outbound import Answer, Failure, Fault
from tests import build
from tests.conftest import People
from workspaces.models import Event

CANARY = "canary-SECRET-0123456789-abcdef"


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox, settings: object) -> Sandbox:
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{server.port}", "127.0.0.1:1"]
    server.requests.clear()
    return server


def check(
    sandbox: Sandbox, path: str = "/openai/v1", *, type_: str = "OTHER", secret: str = SECRETS.openai, key: str = ""
) -> Result:
    return validation.run(type_, sandbox.url(path), secret, key, slot="workspace")


def states(result: Result) -> dict[str, str]:
    return {row["name"]: row["state"] for row in result.stages}


class TestTheCheck:
    def test_a_right_secret_is_accepted_and_shows_every_stage(self, sandbox: Sandbox) -> None:
        result = check(sandbox)
        assert (result.verdict, result.cause, result.status) == ("accepted", "accepted", 200)
        assert result.url == sandbox.url("/openai/v1/models")
        assert result.models_found
        assert states(result) == {
            "address": "passed",
            "allowed": "passed",
            "name": "passed",
            "connection": "passed",
            "tls": "skipped",
            "http": "passed",
            "credential": "passed",
            "models": "passed",
        }
        assert all(row["ms"] >= 1 for row in result.stages if row["name"] in {"connection", "http", "credential"})

    def test_an_unknown_host_is_asked_again_with_a_made_up_secret(self, sandbox: Sandbox) -> None:
        check(sandbox)
        first, second = (request.headers["Authorization"] for request in sandbox.requests)
        assert first == f"Bearer {SECRETS.openai}"
        assert second != first
        assert len(second) == len(first)

    def test_a_wrong_secret_is_rejected_with_one_request(self, sandbox: Sandbox) -> None:
        result = check(sandbox, secret="wrong-secret-of-some-length")
        assert (result.verdict, result.cause, result.provider_code) == ("rejected", "key_rejected", "invalid_api_key")
        assert states(result)["credential"] == "failed"
        assert len(sandbox.requests) == 1

    @pytest.mark.parametrize(
        ("type_", "path", "secret", "key"),
        [
            ("OPENAI", "/openai/v1", SECRETS.openai, ""),
            ("OPENAI", "/openai", SECRETS.openai, ""),
            ("GOOGLE", "/gemini/v1beta", SECRETS.gemini, ""),
            ("GOOGLE", "/gemini/v1beta/openai", SECRETS.gemini, ""),
            ("ANTHROPIC", "/anthropic", SECRETS.anthropic, ""),
            ("ANTHROPIC", "/anthropic/v1", SECRETS.anthropic, ""),
            ("AWS", "/bedrock/us-east-1", SECRETS.bedrock, ""),
            ("AWS", "/bedrock/us-east-1", SECRETS.aws_secret_access_key, SECRETS.aws_access_key_id),
            ("OTHER", "/vllm/v1", SECRETS.openai, ""),
            ("OTHER", "/bare-array/v1", SECRETS.openai, ""),
        ],
    )
    def test_each_type_tells_a_right_from_a_wrong_credential(
        self, sandbox: Sandbox, type_: str, path: str, secret: str, key: str
    ) -> None:
        if path == "/openai":  # no version path: the fix is offered, and it works
            missing = check(sandbox, path, type_=type_, secret=secret)
            assert (missing.cause, missing.facts["fix"]) == ("path_not_found", sandbox.url("/openai/v1"))
            path = missing.facts["fix"].removeprefix(sandbox.origin)
        wrong = secret[:8] + ("x" * (len(secret) - 8))
        assert check(sandbox, path, type_=type_, secret=secret, key=key).verdict == "accepted"
        assert check(sandbox, path, type_=type_, secret=wrong, key=key).verdict == "rejected"

    @pytest.mark.parametrize(
        ("path", "verdict", "cause"),
        [
            ("/keyless/v1", "undecided", "keys_not_checked"),
            ("/public-list/v1", "undecided", "public_list"),
            ("/no-list/v1", "undecided", "path_not_found"),
            ("/quota/v1", "limited", "quota_spent"),
            ("/scope/v1", "limited", "scope_missing"),
            ("/busy/v1", "accepted", "busy"),
            ("/html/v1", "undecided", "web_page"),
            ("/shield/v1", "undecided", "shielded"),
            ("/other-json/v1", "undecided", "unexpected_form"),
            ("/empty/v1", "undecided", "connection_closed"),
            ("/redirect/v1", "undecided", "redirected"),
            ("/endless/v1", "undecided", "answer_too_large"),
            ("/encoded/v1", "undecided", "answer_encoded"),
            ("/cut/v1", "undecided", "connection_closed"),
            ("/fault/v1", "undecided", "provider_fault"),
            ("/down/v1", "undecided", "provider_unavailable"),
        ],
    )
    def test_each_fault_of_a_server_is_told_apart(self, sandbox: Sandbox, path: str, verdict: str, cause: str) -> None:
        result = check(sandbox, path)
        assert (result.verdict, result.cause) == (verdict, cause)
        assert outcomes.present(result)["sentence"].endswith(".")

    def test_no_server_is_no_word_about_the_secret(self, sandbox: Sandbox) -> None:
        result = validation.run("OTHER", "http://127.0.0.1:1/v1", SECRETS.openai, "", slot="workspace")
        assert (result.verdict, result.cause) == ("undecided", "connection_refused")
        assert (states(result)["connection"], states(result)["credential"]) == ("failed", "skipped")
        assert "host.docker.internal" in outcomes.present(result)["sentence"]

    @pytest.mark.parametrize(
        "endpoint", ["https://10.1.2.3/v1", "http://127.0.0.1:2/v1", "https://no-such-host.invalid/v1"]
    )
    def test_what_may_not_be_called_and_what_does_not_resolve_read_the_same(
        self, sandbox: Sandbox, endpoint: str
    ) -> None:
        result = validation.run("OTHER", endpoint, SECRETS.openai, "", slot="workspace")
        assert (result.verdict, result.cause, result.status) == ("undecided", "address_not_allowed", None)
        assert (states(result)["name"], states(result)["allowed"]) == ("failed", "skipped")
        assert {row["ms"] for row in result.stages if row["name"] in {"name", "allowed"}} == {None}
        assert "FLASHBACK_OUTBOUND_ALLOW" in outcomes.present(result)["sentence"]

    def test_a_redirect_on_the_same_host_offers_its_target(self, sandbox: Sandbox) -> None:
        assert outcomes.present(check(sandbox, "/redirect/v1"))["action"]["endpoint"] == sandbox.url("/openai/v1")

    def test_https_on_a_plain_port_offers_http(self, sandbox: Sandbox) -> None:
        endpoint = f"https://127.0.0.1:{sandbox.port}/openai/v1"
        result = validation.run("OTHER", endpoint, SECRETS.openai, "", slot="workspace")
        assert (result.cause, result.facts["fix"]) == ("https_on_plain_port", sandbox.url("/openai/v1"))

    def test_the_whole_check_has_one_deadline(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probing, "TOTAL_SECONDS", 1.0)
        began = time.monotonic()
        result = check(sandbox, "/slow-5/v1")
        assert result.cause == "read_timeout"
        assert time.monotonic() - began < 2.0

    def test_a_control_probe_that_runs_out_of_time_leaves_it_undecided(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(probing, "TOTAL_SECONDS", 1.0)
        assert check(sandbox, "/slow-0.7/v1").cause == "control_unclear"

    @pytest.mark.parametrize("secret", ["line\nbreak-in-a-secret", "naïve-secret-value", "nul\x00secret-value"])
    def test_a_secret_that_no_header_can_carry_is_not_sent(self, sandbox: Sandbox, secret: str) -> None:
        assert check(sandbox, secret=secret).cause == "secret_unsendable"
        assert sandbox.requests == []

    @pytest.mark.parametrize(
        ("type_", "path", "secret", "key", "cause"),
        [
            ("AWS", "/bedrock", SECRETS.aws_secret_access_key, SECRETS.aws_access_key_id, "region_unknown"),
            ("AWS", "/bedrock/us-east-1", "x" * 40, "ASIAABCDEFGH23456789", "temporary_key"),
            ("GOOGLE", "/gemini/v1beta", '{"type":"service_account"}', "", "service_account_elsewhere"),
            ("OPENAI", "/openai/v1", "", "", "secret_missing"),
            ("OTHER", "/openai/v1", SECRETS.openai, "v1", "secret_in_endpoint"),
            ("AWS", "/bedrock/us-east-1", "foundation-models", "", "secret_in_endpoint"),
        ],
    )
    def test_what_cannot_work_is_said_without_a_request(
        self, sandbox: Sandbox, type_: str, path: str, secret: str, key: str, cause: str
    ) -> None:
        result = check(sandbox, path, type_=type_, secret=secret, key=key)
        assert (result.verdict, result.cause) == ("undecided", cause)
        assert set(states(result).values()) == {"skipped"}
        assert sandbox.requests == []

    def test_a_secret_never_goes_to_another_origin_than_its_own(self, sandbox: Sandbox) -> None:
        result = validation.run(
            "OTHER", sandbox.url("/openai/v1"), CANARY, "", slot="w", bound_to="https://api.openai.com:443"
        )
        assert result.cause == "secret_bound_elsewhere"
        assert sandbox.requests == []

    def test_an_endpoint_that_is_none_ends_the_check_without_an_error(self) -> None:
        assert validation.run("OTHER", "nonsense", CANARY, "", slot="w").cause == "endpoint_unusable"

    def test_the_third_check_of_a_host_at_once_is_too_many(self, sandbox: Sandbox) -> None:
        others = [threading.Thread(target=check, args=(sandbox, "/slow-0.5/v1")) for _ in range(2)]
        for other in others:
            other.start()
        while len(sandbox.requests) < 2:
            time.sleep(0.01)
        assert check(sandbox).cause == "too_many_checks"
        for other in others:
            other.join()

    @pytest.mark.parametrize("path", ["/openai/v1", "/echo/v1", "/quota/v1", "/html/v1", "/fault/v1", "/keyless/v1"])
    def test_nothing_of_the_result_holds_the_secret(self, sandbox: Sandbox, path: str) -> None:
        result = check(sandbox, path, secret=CANARY, key=CANARY[::-1])
        told = repr(result) + json.dumps(outcomes.present(result))
        assert CANARY not in told
        assert CANARY[::-1] not in told


@pytest.mark.parametrize(
    "form", [CANARY, CANARY.upper(), f"x{CANARY[6:18]}x", base64.b64encode(CANARY.encode()).decode()]
)
def test_a_server_that_echoes_the_secret_in_short_texts_gets_them_dropped(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    def answers(status: int, body: Any, **headers: str) -> Result:
        reply = Answer(status, headers, json.dumps(body).encode())
        monkeypatch.setattr(probing.outbound, "send", lambda request, **_: reply)
        return validation.run("OPENAI", "https://api.openai.com/v1", CANARY, "", slot="w")

    listed = answers(200, {"data": [{"id": form}, {"id": "good"}, {"id": f"x{form}"}]})
    refused = answers(401, {"error": {"code": form, "message": f"You sent {form}."}})
    moved = answers(302, {}, Location=f"https://api.openai.com/{form}")
    assert listed.models_found == ["good"]
    assert refused.provider_code == ""
    assert refused.excerpt.startswith("You sent ")
    assert "[secret]" in refused.excerpt
    assert "location" not in moved.facts
    for result in (listed, refused, moved):
        assert form not in repr(result)


def of_replies(monkeypatch: pytest.MonkeyPatch, endpoint: str, *replies: tuple[int, Any]) -> tuple[str, str, int]:
    """Return (verdict, cause, requests sent) of a check at a known host that answers with `replies` in turn."""
    sent: list[Any] = []

    def reply(request: Any, **_: Any) -> Answer:
        sent.append(request)
        status, body = replies[len(sent) - 1]
        return Answer(status, {}, json.dumps(body).encode())

    monkeypatch.setattr(probing.outbound, "send", reply)
    result = validation.run("OPENAI", endpoint, CANARY, "", slot="w")
    return result.verdict, result.cause, len(sent)


def test_a_403_of_a_known_host_counts_only_when_a_made_up_secret_is_refused_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host, no = "https://api.together.xyz/v1", {"error": {"message": "Invalid token"}}
    assert of_replies(monkeypatch, host, (403, no), (403, no)) == ("undecided", "refused_alike", 2)
    assert of_replies(monkeypatch, host, (403, no), (401, no)) == ("limited", "forbidden", 2)
    assert of_replies(monkeypatch, host, (403, no), (500, no)) == ("undecided", "control_unclear", 2)


def test_a_list_of_models_is_no_word_about_the_key_where_the_key_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    host, listing, key = "https://openrouter.ai/api/v1", {"data": [{"id": "m"}]}, {"data": {"label": "k"}}
    assert of_replies(monkeypatch, host, (200, listing)) == ("undecided", "unexpected_form", 1)
    assert of_replies(monkeypatch, host, (200, key), (200, listing)) == ("accepted", "accepted", 2)


def test_a_long_list_costs_little_of_our_own_time() -> None:
    echoes = Echoes([CANARY, "{" + "abc" * 3000 + "}"])
    began = time.process_time()
    assert not [name for name in (f"provider/model-name-{number}" for number in range(500)) if name in echoes]
    assert time.process_time() - began < 0.1


def test_the_limit_for_a_further_request_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    real, calls = probing.outbound.send, []

    def busy_once(request: Any, **values: Any) -> Any:
        calls.append(request)
        if len(calls) == 2:
            raise Failure(Fault.BUSY)
        return real(request, **values)

    monkeypatch.setattr(probing, "TURN_SECONDS", 0.01)
    monkeypatch.setattr(probing.outbound, "send", busy_once)
    assert check(sandbox).cause == "accepted"
    assert len(calls) == 3


# --- The verbs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def row(people: People, sandbox: Sandbox) -> AiLlm:
    return build.ai_llm(people.writer, people.workspace, endpoint=sandbox.url("/openai/v1"), secret=SECRETS.openai)


def during_the_call(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something happen while the check runs."""
    real = validation.run

    def run(*arguments: Any, **values: Any) -> Result:
        act()
        return real(*arguments, **values)

    monkeypatch.setattr(validation, "run", run)


class TestValidate:
    def test_keeps_the_check_the_verdict_and_one_event(self, people: People, row: AiLlm) -> None:
        found = validation.validate(people.writer, row)
        row.refresh_from_db()
        assert (row.verdict, row.last_check, row.version) == ("accepted", found, 1)
        assert (found.by, found.cause, found.status) == (people.writer, "accepted", 200)
        stored = Check.objects.get()
        assert (stored.models_found, stored.model_count) == (validation.models_of(row), len(validation.models_of(row)))
        assert outcomes.present(stored) == outcomes.present(found)
        event = Event.objects.get(action="ai_llm.validated")
        assert event.actor_id == people.writer.pk
        assert event.details == {"verdict": "accepted", "cause": "accepted", "before": ""}

    def test_a_wrong_secret_is_kept_as_rejected(self, people: People, row: AiLlm) -> None:
        configs.replace_secret(people.writer, row, secret="wrong-secret-of-some-length")
        assert validation.validate(people.writer, row).verdict == "rejected"

    def test_needs_write(self, people: People, row: AiLlm, sandbox: Sandbox) -> None:
        for person in (people.reader, people.outsider, people.stranger):
            with pytest.raises(Denied):
                validation.validate(person, row)
        assert sandbox.requests == []

    def test_a_secret_that_cannot_be_opened_is_said_and_nothing_is_sent(
        self, people: People, row: AiLlm, sandbox: Sandbox
    ) -> None:
        Credential.objects.filter(pk=row.credential_id).update(origin="https://elsewhere.example:443")
        found = validation.validate(people.writer, row)
        assert (found.verdict, found.cause) == ("undecided", "secret_unavailable")
        assert sandbox.requests == []

    def test_a_row_without_a_credential_asks_for_one(self, people: People, row: AiLlm) -> None:
        assert row.credential is not None
        credentials.purge(row.credential)
        assert validation.validate(people.writer, row).cause == "secret_missing"

    def test_a_deleted_row_is_not_there(self, people: People, row: AiLlm) -> None:
        configs.delete(people.writer, row)
        with pytest.raises(NotFound):
            validation.validate(people.writer, row)

    @pytest.mark.parametrize("act", ["edited", "replaced", "deleted"])
    def test_a_row_that_changes_during_the_check_keeps_nothing_of_it(
        self, people: People, row: AiLlm, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, act: str
    ) -> None:
        acts: dict[str, Callable[[], object]] = {
            "edited": lambda: configs.update(people.writer, row, name="new name", endpoint=row.endpoint, version=1),
            "replaced": lambda: configs.replace_secret(people.writer, row, secret="another-secret-0123456789"),
            "deleted": lambda: configs.delete(people.writer, row),
        }
        during_the_call(monkeypatch, acts[act])
        with pytest.raises(Conflict, match="Validate it again"):
            validation.validate(people.writer, row)
        row.refresh_from_db()
        assert (row.verdict, row.last_check, Check.objects.count()) == ("", None, 0)
        assert not Event.objects.filter(action="ai_llm.validated").exists()

    def test_a_failed_or_empty_list_never_erases_the_last_good_one(self, people: People, row: AiLlm) -> None:
        validation.validate(people.writer, row)
        good = validation.models_of(row)
        configs.replace_secret(people.writer, row, secret="wrong-secret-of-some-length")
        validation.validate(people.writer, row)
        assert good
        assert validation.models_of(row) == good

    def test_the_31st_check_of_a_person_within_a_minute_waits(
        self, people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(validation, "run", lambda *_, **__: Result("undecided", "connect_timeout"))
        monkeypatch.setattr(validation.time, "time", lambda: 1_800_000_010.0)
        for _ in range(30):
            validation.validate(people.writer, row)
        with pytest.raises(validation.Busy) as caught:
            validation.validate(people.writer, row)
        assert (caught.value.status, caught.value.retry_after) == (429, 60 - 1_800_000_010 % 60)
        validation.validate(people.admin, row)

    def test_too_many_at_once_is_busy_and_keeps_nothing(
        self, people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(validation, "run", lambda *_, **__: Result("undecided", "too_many_checks"))
        with pytest.raises(validation.Busy):
            validation.validate(people.writer, row)
        assert Check.objects.count() == 0

    def test_a_check_that_others_kept_from_running_does_not_count(
        self, people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(validation.time, "time", lambda: 1_800_000_010.0)
        monkeypatch.setattr(validation, "run", lambda *_, **__: Result("undecided", "too_many_checks"))
        for _ in range(31):
            with pytest.raises(validation.Busy, match="Two checks"):
                validation.validate(people.writer, row)
        monkeypatch.setattr(validation, "run", lambda *_, **__: Result("undecided", "connect_timeout"))
        assert validation.validate(people.writer, row).cause == "connect_timeout"

    def test_a_cache_that_forgets_stops_nobody(
        self, people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cache, "add", lambda *_, **__: False)
        assert validation.validate(people.writer, row).cause == "accepted"


class TestTest:
    def test_checks_what_was_typed_and_stores_nothing(self, people: People, sandbox: Sandbox) -> None:
        values = {"type": "OTHER", "endpoint": sandbox.url("/openai/v1")}
        good = validation.test(people.writer, people.workspace, secret=SECRETS.openai, **values)
        bad = validation.test(people.writer, people.workspace, secret="wrong-secret-of-some-length", **values)
        assert (good.verdict, bad.verdict) == ("accepted", "rejected")
        assert (Check.objects.count(), Event.objects.count()) == (0, 0)

    def test_needs_write_and_counts_like_validate(
        self, people: People, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(validation, "CHECKS_A_MINUTE", 1)
        monkeypatch.setattr(validation.time, "time", lambda: 1_800_000_010.0)
        values = {"type": "OTHER", "endpoint": sandbox.url("/openai/v1"), "secret": SECRETS.openai}
        with pytest.raises(Denied):
            validation.test(people.reader, people.workspace, **values)
        validation.test(people.writer, people.workspace, **values)
        with pytest.raises(validation.Busy):
            validation.test(people.writer, people.workspace, **values)


@pytest.mark.django_db(transaction=True)
class TestWithRealTransactions:
    def test_no_transaction_is_open_during_the_call(
        self, people: People, row: AiLlm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[bool] = []
        during_the_call(monkeypatch, lambda: seen.append(connection.in_atomic_block))
        validation.validate(people.writer, row)
        assert seen == [False]

    def test_a_caller_with_an_open_transaction_is_refused_before_anything_is_sent(
        self, people: People, row: AiLlm, sandbox: Sandbox
    ) -> None:
        with pytest.raises(RuntimeError, match="transaction"), transaction.atomic():
            validation.validate(people.writer, row)
        assert sandbox.requests == []
