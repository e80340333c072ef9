"""Vertex AI: a key file of a service account is traded for a token at Google's own address, and nowhere else."""

import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ai_llm import outcomes, probing
from ai_llm.models import Verdict
from ai_llm.outcomes import Result
from ai_llm.providers import PROVIDERS, UnprovableError, facts, vertex
from ai_llm.sandbox import Sandbox
from ai_llm.sandbox import vertex as played
from flashback.outbound import Answer

EMPTY_PEM = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
REGIONAL = "https://europe-west4-aiplatform.googleapis.com"


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox, settings: object) -> Sandbox:
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{server.port}"]
    server.requests.clear()
    return server


def key_file(name: str = "service-account", **changes: Any) -> str:
    return json.dumps({**played.key_file(name), **changes}, separators=(",", ":"))


def check(sandbox: Sandbox, secret: str, path: str = "/vertex") -> Result:
    return probing.run("GOOGLE", sandbox.url(path), secret, "", slot="workspace")


@pytest.mark.parametrize(("name", "cause"), played.KEY_FILES.items())
def test_each_key_file_of_the_sandbox_is_judged_as_announced(sandbox: Sandbox, name: str, cause: str) -> None:
    assert check(sandbox, key_file(name)).cause == cause


def test_the_key_file_stays_here_and_only_what_it_signed_travels(sandbox: Sandbox) -> None:
    secret = key_file()
    result = check(sandbox, secret)
    assert [(request.method, request.path) for request in sandbox.requests] == [
        ("POST", "/vertex/token"),
        ("GET", "/vertex/v1beta1/publishers/google/models?pageSize=100"),
        ("GET", "/vertex/v1beta1/publishers/google/models?pageSize=100"),
    ]
    sent = b"".join(request.body for request in sandbox.requests).decode() + repr(
        [dict(r.headers) for r in sandbox.requests]
    )
    private = json.loads(secret)["private_key"].splitlines()[1]
    assert private not in sent
    assert [name for name in result.models_found if name.startswith("publishers/google/")] == result.models_found
    assert "ya29" not in repr(result) + json.dumps(outcomes.present(result))


def test_a_made_up_token_proves_the_real_one(sandbox: Sandbox) -> None:
    check(sandbox, key_file())
    first, second = (request.bearer() for request in sandbox.requests[1:])
    assert first.startswith("ya29.sandbox-")
    assert (second != first, len(second)) == (True, len(first))


@pytest.mark.parametrize(
    ("secret", "cause"),
    [
        ("AIza" + "a" * 35, "service_account_unreadable"),
        ('{"type": "service_account"', "service_account_unreadable"),
        ("[]", "service_account_unreadable"),
        ('{"type":"service_account"}', "service_account_unreadable"),
        ('{"type":"authorized_user","refresh_token":"x"}', "service_account_other"),
        ('{"installed":{"client_id":"x"}}', "service_account_other"),
        ("changed:token_uri=https://stranger.example/token", "token_address_foreign"),
        ("changed:token_uri=https://oauth2.googleapis.com.evil.example/token", "token_address_foreign"),
        ("changed:token_uri=", "token_address_foreign"),
        ("changed:private_key=nonsense", "service_account_unreadable"),
        (
            "changed:private_key=-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "service_account_unreadable",
        ),
        ("changed:private_key=\ud800", "service_account_unreadable"),
        ("changed:client_email= ", "service_account_unreadable"),
    ],
)
def test_what_is_no_key_file_is_refused_before_anything_is_sent(sandbox: Sandbox, secret: str, cause: str) -> None:
    if secret.startswith("changed:"):
        name, _, value = secret.removeprefix("changed:").partition("=")
        secret = key_file(**{name: value})
    result = check(sandbox, secret)
    assert (result.verdict, result.cause, sandbox.requests) == ("undecided", cause, [])


def test_a_service_account_at_gemini_is_sent_nowhere_and_shown_the_way(sandbox: Sandbox) -> None:
    result = check(sandbox, key_file(), "/gemini/v1beta")
    action = outcomes.present(result)["action"]
    assert (result.cause, sandbox.requests) == ("service_account_elsewhere", [])
    assert (action["kind"], action["endpoint"]) == ("url-fix", "https://us-central1-aiplatform.googleapis.com")


@pytest.mark.parametrize("skew", [-4000, 4000])
def test_a_clock_that_is_off_says_nothing_about_the_key(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, skew: int
) -> None:
    monkeypatch.setattr(vertex, "time", SimpleNamespace(time=lambda: time.time() + skew))
    result = check(sandbox, key_file())
    assert (result.verdict, result.cause) == ("undecided", "clock_off")


def reply(status: int, body: Any) -> Answer:
    return Answer(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def grant(error: str, description: str = "") -> dict[str, str]:
    return {"error": error, **({"error_description": description} if description else {})}


TIMEFRAME = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."


@pytest.mark.parametrize(
    ("answer", "verdict", "cause"),
    [
        (reply(400, grant("invalid_grant", "Invalid JWT Signature.")), "rejected", "service_account_refused"),
        (reply(400, grant("invalid_grant", "Invalid grant: account not found")), "rejected", "service_account_refused"),
        (reply(400, grant("invalid_grant", "Robot is disabled.")), "rejected", "service_account_refused"),
        (reply(400, grant("invalid_grant")), "rejected", "service_account_refused"),
        (reply(400, grant("invalid_grant", TIMEFRAME)), "undecided", "clock_off"),
        (reply(400, grant("invalid_grant", "Invalid JWT: iat is in the future")), "undecided", "clock_off"),
        (reply(401, grant("disabled_client", "The OAuth client was disabled.")), "rejected", "service_account_refused"),
        (reply(401, grant("deleted_client", "The OAuth client was deleted.")), "rejected", "service_account_refused"),
        (reply(400, grant("invalid_scope", "Invalid OAuth scope.")), "undecided", "token_exchange_failed"),
        (reply(401, grant("unauthorized_client", "Client is unauthorized.")), "undecided", "token_exchange_failed"),
        (reply(403, b"<html>"), "undecided", "shielded"),
        (reply(429, grant("rate_limited", "Slow down.")), "accepted", "busy"),
        (reply(500, grant("internal_failure", "x")), "undecided", "provider_fault"),
        (reply(200, {}), "undecided", "unexpected_form"),
        (reply(200, {"access_token": 5}), "undecided", "unexpected_form"),
        (reply(200, {"access_token": "line\nbreak-in-it"}), "undecided", "unexpected_form"),
        (reply(200, b"<html>"), "undecided", "unexpected_form"),
    ],
)
def test_without_a_token_the_answer_says_why(answer: Answer, verdict: str, cause: str) -> None:
    found = vertex.read_token(answer)
    assert isinstance(found, facts.Judgement)
    assert (found.verdict, found.cause) == (Verdict(verdict), cause)


def google(status: int, kind: str, reason: str = "", message: str = "no") -> Answer:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return reply(status, {"error": {"code": status, "status": kind, "message": message, "details": details}})


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (reply(200, {"publisherModels": [{"name": "publishers/google/models/gemini-2.5-pro"}]}), "accepted"),
        (reply(200, {"publisherModels": []}), "no_models"),
        (google(401, "UNAUTHENTICATED"), "key_rejected"),
        (google(401, "UNAUTHENTICATED", "ACCESS_TOKEN_TYPE_UNSUPPORTED"), "key_kind_unsupported"),
        (google(403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED"), "scope_missing"),
        (google(403, "PERMISSION_DENIED", "SERVICE_DISABLED"), "service_disabled"),
        (
            google(403, "PERMISSION_DENIED", "", "Vertex AI API has not been used in project p before"),
            "service_disabled",
        ),
        (google(403, "PERMISSION_DENIED", "BILLING_DISABLED"), "billing_off"),
        (google(403, "PERMISSION_DENIED"), "forbidden"),
        (google(404, "NOT_FOUND"), "location_unknown"),
        (reply(404, b"<html>"), "location_unknown"),
        (google(429, "RESOURCE_EXHAUSTED"), "busy"),
        (google(503, "UNAVAILABLE"), "provider_unavailable"),
    ],
)
def test_the_list_is_judged_by_googles_codes(answer: Answer, cause: str) -> None:
    assert PROVIDERS["GOOGLE"].judge(answer, REGIONAL).cause == cause


@pytest.mark.parametrize(
    ("endpoint", "origins"),
    [
        (REGIONAL, ("https://oauth2.googleapis.com:443",)),
        ("https://aiplatform.googleapis.com", ("https://oauth2.googleapis.com:443",)),
        (
            "https://aiplatform.googleapis.com/v1/projects/p/locations/us-east5",
            ("https://oauth2.googleapis.com:443", "https://us-east5-aiplatform.googleapis.com:443"),
        ),
        (
            "https://aiplatform.googleapis.com:8443/v1/projects/p/locations/us-east5",
            ("https://oauth2.googleapis.com:443",),
        ),
        ("https://aiplatform.googleapis.com.evil.example/v1/projects/p/locations/us-east5", ()),
        ("https://evil-aiplatform.googleapis.com.example", ()),
        ("http://127.0.0.1:9099/vertex", ()),
    ],
)
def test_the_secret_may_go_to_constants_and_to_hosts_of_an_exact_form(endpoint: str, origins: tuple[str, ...]) -> None:
    assert PROVIDERS["GOOGLE"].origins(endpoint) == origins


def test_the_signed_request_goes_to_the_constant_address_whatever_the_endpoint() -> None:
    trade = PROVIDERS["GOOGLE"].exchange(REGIONAL, key_file())
    assert trade is not None
    assert (trade.request.method, trade.request.url) == ("POST", "https://oauth2.googleapis.com/token")
    assert "body" not in repr(trade.request)


def test_no_refusal_holds_a_part_of_the_key_file() -> None:
    with pytest.raises(UnprovableError) as caught:
        vertex.exchange(REGIONAL, key_file(private_key="a-private-key-that-is-none"))
    assert "private-key" not in repr(caught.value)
    assert caught.value.__context__ is None or "private-key" not in repr(caught.value.__context__)


def test_signing_takes_little_of_our_own_time() -> None:
    secret = key_file()
    vertex.exchange(REGIONAL, secret)
    began = time.process_time()
    for _ in range(10):
        vertex.exchange(REGIONAL, secret)
    assert (time.process_time() - began) / 10 < 0.015
