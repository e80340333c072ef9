"""From what is seen to what is said: every row is an answer, and the cause, verdict and action that belong to it."""

import json
from typing import Any

import pytest

from ai_llm import causes, outcomes
from ai_llm.causes import CAUSES, ActionKind
from ai_llm.models import Verdict
from ai_llm.providers import PROVIDERS, Judgement, answers, control, recipes
from flashback.outbound import Answer, Fault, Stage

OPENAI = "https://api.openai.com/v1"
GEMINI = "https://generativelanguage.googleapis.com/v1beta"
CLAUDE = "https://api.anthropic.com"
BEDROCK = "https://bedrock-runtime.eu-west-1.amazonaws.com"
OWN = "https://llm.example.com/v1"
LIST = {"object": "list", "data": [{"id": "small"}, {"id": "large"}]}


def answer(status: int, body: Any = b"", **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def error(code: str = "", message: str = "", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "code": code or None, "type": "invalid_request_error", **more}}


def google(code: int, status: str, message: str = "", reason: str = "") -> dict[str, Any]:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return {"error": {"code": code, "status": status, "message": message, "details": details}}


def claude(kind: str, message: str = "") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>"

# type, endpoint, answer, cause
TABLE: list[tuple[str, str, Answer, str]] = [
    # --- lists in the forms in use ---
    ("OPENAI", OPENAI, answer(200, LIST), "accepted"),
    ("OPENAI", OPENAI, answer(200, b"\xef\xbb\xbf" + json.dumps(LIST).encode()), "accepted"),
    ("OPENAI", "https://api.together.xyz/v1", answer(200, [{"id": "a"}]), "accepted"),
    ("OTHER", OWN, answer(200, {"models": [{"name": "llama3"}]}), "accepted"),
    ("OTHER", OWN, answer(200, {"data": ["plain-name"]}), "accepted"),
    ("GOOGLE", GEMINI, answer(200, {"models": [{"name": "models/gemini-2.5-flash"}]}), "accepted"),
    ("ANTHROPIC", CLAUDE, answer(200, {"data": [{"id": "claude", "type": "model"}], "has_more": False}), "accepted"),
    ("AWS", BEDROCK, answer(200, {"modelSummaries": [{"modelId": "amazon.nova-lite-v1:0"}]}), "accepted"),
    ("OPENAI", OPENAI, answer(200, {"object": "list", "data": []}), "no_models"),
    ("OTHER", "http://localhost:11434", answer(200, {"object": "list", "data": None}), "no_models"),
    # --- answered, but not with the expected form ---
    ("OPENAI", OPENAI, answer(200, HTML), "web_page"),
    ("OPENAI", OPENAI, answer(200, b"hello", Content_Type="text/html; charset=utf-8"), "web_page"),
    ("OPENAI", OPENAI, answer(200, b""), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, b"[]"), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, b"{}"), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, b"null"), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, b"3"), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, b'"list"'), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, b"[" * 100_000), "unexpected_form"),
    (
        "OPENAI",
        OPENAI,
        answer(200, b'{"data": [{"id": "a"}], "more": ' + b"[" * 25 + b"]" * 25 + b"}"),
        "unexpected_form",
    ),
    ("OPENAI", OPENAI, answer(200, b'{"data": [{"id": "a", "rank": NaN}]}'), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, b'{"data": [{"id": "a", "rank": -Infinity}]}'), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, b'{"data": [], "data": [{"id": "a"}]}'), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, json.dumps(LIST).encode("utf-16")), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, b'{"data": [{"id": "\xff\xfe"}]}'), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, b'{"data": [{"id": "a"}]'), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, {str(number): number for number in range(60_000)}), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, {"data": {"id": "a"}}), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, {"data": [{"id": 3}, [], None]}), "unexpected_form"),
    ("OPENAI", OPENAI, answer(200, b"9" * 5000), "unexpected_form"),
    ("OPENAI", OPENAI, answer(204), "unexpected_form"),
    # --- redirects ---
    *[("OPENAI", OPENAI, answer(status, Location="/v2/models"), "redirected") for status in (301, 302, 303, 307, 308)],
    ("OPENAI", OPENAI, answer(302), "redirected"),
    # --- statuses that mean the same everywhere ---
    ("OPENAI", OPENAI, answer(400, error("", "bad")), "bad_request"),
    ("OTHER", OWN, answer(422, {"detail": [{"loc": []}]}), "bad_request"),
    ("OPENAI", OPENAI, answer(401, error("invalid_api_key", "Incorrect API key")), "key_rejected"),
    ("OTHER", OWN, answer(401, {"error": "Unauthorized"}), "key_rejected"),
    ("OTHER", OWN, answer(401, b""), "key_rejected"),
    ("OTHER", OWN, answer(401, HTML), "key_rejected"),
    ("OPENAI", "https://api.mistral.ai/v1", answer(401, {"detail": "Unauthorized"}), "key_rejected"),
    ("OPENAI", "https://api.groq.com/openai/v1", answer(401, error("invalid_api_key")), "key_rejected"),
    ("OTHER", OWN, answer(402, error("", "pay")), "no_credit"),
    ("OPENAI", "https://openrouter.ai/api/v1", answer(402, error("402")), "no_credit"),
    ("OPENAI", "https://api.deepseek.com", answer(402, error("", "Insufficient Balance")), "no_credit"),
    ("OTHER", OWN, answer(403, error("", "no")), "forbidden"),
    ("OTHER", OWN, answer(403, HTML), "shielded"),
    ("OPENAI", OPENAI, answer(403, b"error code: 1010"), "shielded"),
    ("OTHER", OWN, answer(404, error("", "no such path")), "path_not_found"),
    ("OTHER", OWN, answer(404, HTML), "path_not_found"),
    ("OTHER", OWN, answer(405), "path_not_found"),
    ("OTHER", OWN, answer(410), "path_not_found"),
    ("OTHER", OWN, answer(501), "path_not_found"),
    ("OTHER", OWN, answer(404, error("model_not_found")), "model_unknown"),
    ("OPENAI", "https://r.openai.azure.com", answer(404, error("DeploymentNotFound")), "model_unknown"),
    ("OTHER", OWN, answer(407), "proxy_login"),
    ("OTHER", OWN, answer(408), "request_timeout"),
    ("OTHER", OWN, answer(409), "provider_conflict"),
    ("OTHER", OWN, answer(418), "unexpected_status"),
    ("OTHER", OWN, answer(451), "region_refused"),
    ("OTHER", OWN, answer(999), "unexpected_status"),
    ("OPENAI", OPENAI, answer(429, error("insufficient_quota", "You exceeded your current quota")), "quota_spent"),
    ("OPENAI", OPENAI, answer(429, error("", "billing", type="insufficient_quota")), "quota_spent"),
    ("OPENAI", OPENAI, answer(429, error("billing_not_active")), "quota_spent"),
    ("OPENAI", OPENAI, answer(429, error("rate_limit_exceeded")), "busy"),
    ("OPENAI", OPENAI, answer(429, error("rate_limit_exceeded", "insufficient_quota is not meant")), "busy"),
    # --- said by something in front, or before anybody looked at the secret ---
    ("OPENAI", OPENAI, answer(429, b"error code: 1015"), "shielded"),
    ("OPENAI", OPENAI, answer(429, HTML), "shielded"),
    ("OPENAI", OPENAI, answer(429, {"title": "Error 1015", "cloudflare_error": True}), "shielded"),
    ("OPENAI", OPENAI, answer(402, HTML), "shielded"),
    ("OPENAI", OPENAI, answer(400, HTML), "shielded"),
    ("OTHER", OWN, answer(429, HTML), "shielded"),
    ("OPENAI", OPENAI, answer(404, b"error code: 1010"), "shielded"),
    ("OPENAI", OPENAI, answer(429), "slow_down"),
    ("OPENAI", OPENAI, answer(429, b"Too Many Requests"), "slow_down"),
    ("OPENAI", OPENAI, answer(429, {}), "slow_down"),
    ("ANTHROPIC", CLAUDE, answer(429, b"local_rate_limited"), "slow_down"),
    ("OPENAI", OPENAI, answer(402, b"Payment Required"), "unexpected_status"),
    ("OPENAI", OPENAI, answer(403, b"Forbidden", Content_Type="text/plain"), "forbidden_unjudged"),
    ("OTHER", OWN, answer(403, b"RBAC: access denied"), "forbidden_unjudged"),
    ("ANTHROPIC", CLAUDE, answer(403, {"error": {"type": "forbidden", "message": "Request not allowed"}}),
     "forbidden_unjudged"),
    ("OPENAI", "https://r.openai.azure.com",
     answer(403, error("AccessDenied", "Access denied due to Virtual Network/Firewall rules.")),
     "network_not_admitted"),
    ("OPENAI", "https://r.openai.azure.com",
     answer(403, error("AccessDenied", "Public access is disabled. Please configure private endpoint.")),
     "network_not_admitted"),
    ("OPENAI", "https://r.openai.azure.com", answer(403, error("403", "Resource is blocked")), "forbidden"),
    *[("OTHER", OWN, answer(status), "provider_fault") for status in (500, 502, 504, 520, 522, 599)],
    *[("OTHER", OWN, answer(status), "provider_unavailable") for status in (503, 529)],
    ("ANTHROPIC", CLAUDE, answer(529, claude("overloaded_error")), "provider_unavailable"),
    # --- OpenAI ---
    (
        "OPENAI",
        OPENAI,
        answer(401, error("", "You must be a member of an organization to use the API")),
        "organization_required",
    ),
    ("OPENAI", OPENAI, answer(401, error("ip_not_authorized", "Your IP")), "address_not_authorized"),
    ("OPENAI", OPENAI, answer(401, error("account_deactivated")), "key_disabled"),
    ("OPENAI", OPENAI, answer(403, error("unsupported_country_region_territory")), "region_not_supported"),
    ("OPENAI", OPENAI, answer(403, error("", "Country, region, or territory not supported")), "region_not_supported"),
    ("OPENAI", OPENAI, answer(403, error("missing_scope", "Missing scopes: api.model.read")), "scope_missing"),
    (
        "OPENAI",
        OPENAI,
        answer(403, error("", "You have insufficient permissions for this operation.")),
        "scope_missing",
    ),
    ("OPENAI", OPENAI, answer(403, error("model_not_found")), "model_forbidden"),
    # --- other hosts of the OpenAI form ---
    ("OPENAI", "https://r.openai.azure.com", answer(401, error("401", "invalid subscription key")), "key_rejected"),
    (
        "OPENAI",
        "https://r.openai.azure.com",
        answer(403, error("403", "Virtual Network/Firewall rules")),
        "network_not_admitted",
    ),
    (
        "OPENAI",
        "https://api.x.ai/v1",
        answer(400, {"code": "invalid", "error": "Incorrect API key provided"}),
        "key_rejected",
    ),
    ("OPENAI", "https://api.x.ai/v1", answer(400, {"error": "Model missing"}), "bad_request"),
    ("OPENAI", "https://api.together.xyz/v1", answer(403, error("", "Too many tokens in the request")), "busy"),
    ("OPENAI", "https://api.together.xyz/v1", answer(403, error("", "Invalid token")), "forbidden"),
    ("OPENAI", "https://api.together.xyz/v1", answer(403, error("", "Token expired")), "forbidden"),
    ("OPENAI", "https://openrouter.ai/api/v1", answer(200, {"data": {"label": "k", "limit_remaining": 5}}), "accepted"),
    (
        "OPENAI",
        "https://openrouter.ai/api/v1",
        answer(200, {"data": {"label": "k", "limit_remaining": 0}}),
        "no_credit",
    ),
    ("OPENAI", "https://openrouter.ai/api/v1", answer(200, HTML), "web_page"),
    ("OPENAI", "https://openrouter.ai/api/v1", answer(200, {"data": {"label": "k", "limit_remaining": -1}}),
     "no_credit"),
    ("OPENAI", "https://openrouter.ai/api/v1", answer(200, {"error": {"code": 401, "message": "User not found"}}),
     "unexpected_form"),
    ("OPENAI", "https://openrouter.ai/api/v1", answer(200, {"data": {"limit_remaining": 5}}), "unexpected_form"),
    ("OPENAI", "https://openrouter.ai/api/v1", answer(200, {"data": {"label": "k"}, "error": "no"}), "unexpected_form"),
    ("OPENAI", "https://router.huggingface.co/v1", answer(200, {"type": "user", "name": "n"}), "accepted"),
    ("OPENAI", "https://router.huggingface.co/v1", answer(200, {"error": "Invalid credentials"}), "unexpected_form"),
    ("OPENAI", "https://router.huggingface.co/v1", answer(200, {"name": ""}), "unexpected_form"),
    ("OPENAI", "https://integrate.api.nvidia.com/v1", answer(200, {"functions": []}), "accepted"),
    ("OPENAI", "https://integrate.api.nvidia.com/v1", answer(200, {"status": 401, "title": "Unauthorized"}),
     "unexpected_form"),
    # --- Gemini ---
    (
        "GOOGLE",
        GEMINI,
        answer(400, google(400, "INVALID_ARGUMENT", "API key not valid.", "API_KEY_INVALID")),
        "key_rejected",
    ),
    (
        "GOOGLE",
        f"{GEMINI}/openai",
        answer(400, [google(400, "INVALID_ARGUMENT", "", "API_KEY_INVALID")]),
        "key_rejected",
    ),
    (
        "OPENAI",
        f"{GEMINI}/openai",
        answer(400, [google(400, "INVALID_ARGUMENT", "", "API_KEY_INVALID")]),
        "key_rejected",
    ),
    ("GOOGLE", GEMINI, answer(400, google(400, "INVALID_ARGUMENT", "API key expired.")), "key_expired"),
    ("GOOGLE", GEMINI, answer(400, google(400, "FAILED_PRECONDITION")), "region_not_supported"),
    ("GOOGLE", GEMINI, answer(400, google(400, "INVALID_ARGUMENT", "pageSize")), "bad_request"),
    (
        "GOOGLE",
        GEMINI,
        answer(401, google(401, "UNAUTHENTICATED", "", "ACCESS_TOKEN_TYPE_UNSUPPORTED")),
        "key_kind_unsupported",
    ),
    ("GOOGLE", GEMINI, answer(403, google(403, "PERMISSION_DENIED", "", "SERVICE_DISABLED")), "service_disabled"),
    ("GOOGLE", GEMINI, answer(403, google(403, "PERMISSION_DENIED", "", "API_KEY_SERVICE_BLOCKED")), "key_restricted"),
    ("GOOGLE", GEMINI, answer(403, google(403, "PERMISSION_DENIED")), "forbidden"),
    ("GOOGLE", GEMINI, answer(403, google(403, "PERMISSION_DENIED", "Your API key was reported as leaked.")),
     "key_disabled"),
    ("GOOGLE", GEMINI, answer(403, google(403, "PERMISSION_DENIED", "", "CONSUMER_SUSPENDED")), "key_disabled"),
    ("GOOGLE", GEMINI, answer(403, google(403, "PERMISSION_DENIED", "Consumer 'api_key:x' has been suspended.")),
     "key_disabled"),
    ("GOOGLE", GEMINI, answer(429, google(429, "RESOURCE_EXHAUSTED", "check your plan and billing")), "busy"),
    # --- Anthropic ---
    ("ANTHROPIC", CLAUDE, answer(401, claude("authentication_error", "invalid x-api-key")), "key_rejected"),
    ("ANTHROPIC", CLAUDE, answer(403, claude("permission_error")), "forbidden"),
    ("ANTHROPIC", CLAUDE, answer(404, claude("not_found_error")), "key_disabled"),
    ("ANTHROPIC", OWN, answer(404, claude("not_found_error")), "path_not_found"),
    ("ANTHROPIC", CLAUDE, answer(400, claude("invalid_request_error", "Your credit balance is too low")), "no_credit"),
    ("ANTHROPIC", CLAUDE, answer(400, claude("invalid_request_error", "limit")), "bad_request"),
    ("ANTHROPIC", CLAUDE, answer(403, claude("billing_error")), "no_credit"),
    ("ANTHROPIC", CLAUDE, answer(429, claude("rate_limit_error")), "busy"),
    # --- Bedrock ---
    (
        "AWS",
        BEDROCK,
        answer(403, {"Message": "Authentication failed: Please make sure your API Key is valid."}),
        "key_rejected_here",
    ),
    ("AWS", BEDROCK, answer(403, {"message": "x"}, x_amzn_ErrorType="UnrecognizedClientException"), "key_id_unknown"),
    (
        "AWS",
        BEDROCK,
        answer(403, {"message": "x"}, x_amzn_errortype="InvalidSignatureException:http://amazon"),
        "signature_wrong",
    ),
    ("AWS", BEDROCK,
     answer(403, {"Message": "Invalid API Key format: Must start with pre-defined prefix"},
            x_amzn_errortype="AccessDeniedException"), "key_rejected"),
    ("AWS", BEDROCK, answer(403, {"__type": "com.amazon#ExpiredTokenException", "message": "x"}), "key_expired"),
    (
        "AWS",
        BEDROCK,
        answer(403, {"message": "User is not authorized"}, x_amzn_ErrorType="AccessDeniedException"),
        "scope_missing",
    ),
    ("AWS", BEDROCK, answer(403, {"Message": "Bearer Token has expired"}), "key_expired"),
    ("AWS", BEDROCK, answer(403, {"message": "?"}), "unexpected_status"),
    ("AWS", BEDROCK, answer(400, {"message": "x"}, x_amzn_ErrorType="ThrottlingException"), "busy"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "endpoint", "seen", "cause"),
    TABLE,
    ids=[f"{row[0]}-{row[2].status}-{row[3]}-{n}" for n, row in enumerate(TABLE)],
)
def test_an_answer_has_one_cause(type_: str, endpoint: str, seen: Answer, cause: str) -> None:
    assert PROVIDERS[type_].judge(seen, endpoint).cause == cause


FAULTS = [(fault, causes.OF_FAULT[fault]) for fault in Fault]


@pytest.mark.parametrize(("fault", "cause"), FAULTS)
def test_no_answer_is_no_word_about_the_secret(fault: Fault, cause: str) -> None:
    assert CAUSES[cause].verdict is Verdict.UNDECIDED


def test_every_fault_has_a_cause_of_its_own() -> None:
    assert len({causes.OF_FAULT[fault] for fault in Fault}) == len(Fault)


@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: cause.code)
def test_every_cause_reads_as_one_sentence_with_one_action_even_without_facts(cause: causes.Cause) -> None:
    action = causes.action(cause.code, {})
    assert cause.headline
    assert not cause.headline.endswith(".")
    assert len(cause.code) <= 40
    assert cause.stage in {"", *outcomes.STAGES}
    assert action.label
    assert "{" not in causes.sentence(cause.code, {})
    # An action whose link or fix is not known must have another one to fall back to.
    assert action.kind not in {ActionKind.LINK, ActionKind.URL_FIX}


def test_every_action_carries_what_its_button_needs() -> None:
    fix = causes.action("path_not_found", {"fix": "https://llm.example.com/v1"})
    link = causes.action("no_credit", {"link": "https://platform.openai.com/settings/organization/billing"})
    wait = causes.action("busy", {"retry_after": 20})
    assert (fix.kind, fix.endpoint) == (ActionKind.URL_FIX, "https://llm.example.com/v1")
    assert (link.kind, link.url) == (ActionKind.LINK, "https://platform.openai.com/settings/organization/billing")
    assert (wait.kind, wait.after) == (ActionKind.RETRY, 20)


def test_only_a_refused_credential_is_rejected() -> None:
    rejected = {cause.code for cause in CAUSES.values() if cause.verdict is Verdict.REJECTED}
    assert rejected == {
        "key_rejected",
        "key_rejected_here",
        "key_id_unknown",
        "signature_wrong",
        "key_expired",
        "key_disabled",
    }


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://api.example.com/v1/models?key=x#y", "https://api.example.com/v1/models"),
        ("/other/models", "https://api.openai.com/other/models"),
        ("//elsewhere.example/v1", "https://elsewhere.example/v1"),
        ("javascript:alert(1)", "an address that cannot be read"),
        ("http://[::1", "an address that cannot be read"),
        ("https://user:secret@host.example/x", "https://host.example/x"),
        ("https://host.example/" + "x" * 500, ("https://host.example/" + "x" * 500)[:200]),
    ],
)
def test_a_redirect_names_its_target_without_query_and_user(location: str, shown: str) -> None:
    judgement = PROVIDERS["OPENAI"].judge(answer(302, Location=location), OPENAI)
    assert judgement.facts["location"] == shown


@pytest.mark.parametrize(
    ("header", "facts"),
    [
        ("7", {"retry_after": 7}),
        ("99999999", {"retry_after": 86_400}),
        ("Wed, 21 Oct 2015 07:28:00 GMT", {"retry_after": 0}),
        ("-5", {}),
        ("soon", {}),
        ("٣", {}),
        ("", {}),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(header: str, facts: dict[str, int]) -> None:
    assert PROVIDERS["OPENAI"].judge(answer(429, error(), Retry_After=header), OPENAI).facts == facts


def test_a_list_keeps_at_most_500_readable_names_once_each() -> None:
    names = [f"m{number}" for number in range(600)] + ["m1", "x" * 201, "a\x00b", "\u202eabc", "\ud800", " blank"]
    found = answers.model_names({"data": [{"id": name} for name in names]})
    assert found == tuple(f"m{number}" for number in range(500))


def test_the_providers_text_is_evidence_without_marks_and_controls() -> None:
    seen = answer(401, error("invalid_api_key", "<b>No\x1b[31m\u202e \ud800way\n\n" + "x" * 5000))
    judgement = PROVIDERS["OPENAI"].judge(seen, OPENAI)
    assert judgement.provider_code == "invalid_api_key"
    assert judgement.excerpt_source.startswith("<b>No[31m way xxx")
    assert len(judgement.excerpt_source) == 2000


@pytest.mark.parametrize("code", ["a b", "x" * 101, "<script>", "", None, 5, ["a"], "é"])
def test_a_code_that_does_not_look_like_one_is_dropped(code: Any) -> None:
    assert answers.clean_code(code) == ""


@pytest.mark.parametrize(
    "cause", ["region_refused", "forbidden_unjudged", "network_not_admitted", "slow_down", "shielded"]
)
def test_what_is_said_before_the_secret_is_judged_claims_nothing_about_it(cause: str) -> None:
    assert CAUSES[cause].verdict is Verdict.UNDECIDED
    assert "knows this" not in CAUSES[cause].sentence


ACCEPTED, LIMITED = Judgement("accepted"), Judgement("forbidden")


def after_control(first: Judgement, status: int, second: Answer, type_: str = "OTHER", endpoint: str = OWN) -> str:
    provider = PROVIDERS[type_]
    return control.cause(first, status, second, provider.judge(second, endpoint), provider.recipe(endpoint))


@pytest.mark.parametrize(
    ("first", "status", "second", "cause"),
    [
        (ACCEPTED, 200, answer(401), "accepted"),
        (ACCEPTED, 200, answer(403, error("", "no")), "accepted"),
        (ACCEPTED, 200, answer(400, error("", "no")), "accepted"),
        (ACCEPTED, 200, answer(422, {"detail": "no such key"}), "accepted"),
        (ACCEPTED, 200, answer(400, {"detail": "wrong credentials"}), "accepted"),
        (ACCEPTED, 200, answer(403, HTML), "control_unclear"),
        (ACCEPTED, 200, answer(403, b"error code: 1010", Content_Type="text/plain"), "control_unclear"),
        (ACCEPTED, 200, answer(403, b"Forbidden"), "control_unclear"),
        (ACCEPTED, 200, answer(403, {}), "control_unclear"),
        (ACCEPTED, 200, answer(403, {"message": "rate limit exceeded"}), "control_unclear"),
        (ACCEPTED, 200, answer(400, error("rate_limit_exceeded", "later")), "control_unclear"),
        (ACCEPTED, 200, answer(403, {"message": "Too many requests"}), "control_unclear"),
        (ACCEPTED, 200, answer(403, error("unsupported_country_region_territory")), "control_unclear"),
        (ACCEPTED, 200, answer(404, HTML), "control_unclear"),
        (ACCEPTED, 200, answer(404, error("not_found", "nothing here")), "control_unclear"),
        (ACCEPTED, 200, answer(404), "control_unclear"),
        (ACCEPTED, 200, answer(400, HTML), "control_unclear"),
        (ACCEPTED, 200, answer(400, b"400 Bad Request"), "control_unclear"),
        (ACCEPTED, 200, answer(422), "control_unclear"),
        (ACCEPTED, 200, answer(429, error("", "no")), "control_unclear"),
        (ACCEPTED, 200, answer(500), "control_unclear"),
        (ACCEPTED, 200, answer(302), "control_unclear"),
        (ACCEPTED, 200, answer(200, LIST), "public_list"),
        (ACCEPTED, 200, answer(200, HTML), "control_unclear"),
        (ACCEPTED, 200, answer(200, {"data": [{"id": "x", "owned_by": "vllm"}]}), "keys_not_checked"),
        (ACCEPTED, 200, answer(200, {"data": [{"id": "x", "owned_by": "library"}]}), "keys_not_checked"),
        (ACCEPTED, 200, answer(200, {"data": [{"id": "x", "owned_by": ["vllm"]}]}), "public_list"),
        (LIMITED, 403, answer(401), "forbidden"),
        (LIMITED, 403, answer(403, error("", "no")), "refused_alike"),
        (Judgement("busy"), 429, answer(429, error("", "no")), "refused_alike"),
        (Judgement("busy"), 429, answer(401), "busy"),
        (Judgement("no_credit"), 402, answer(401), "no_credit"),
        (Judgement("no_credit"), 402, answer(404, error("", "no")), "control_unclear"),
    ],
)
def test_a_made_up_secret_decides_whether_a_list_is_proof(
    first: Judgement, status: int, second: Answer, cause: str
) -> None:
    assert after_control(first, status, second) == cause


def test_a_made_up_secret_that_is_rejected_by_name_is_told_apart_within_one_status() -> None:
    wrong = answer(403, {"message": "x"}, x_amzn_ErrorType="UnrecognizedClientException")
    denied = answer(403, {"message": "x"}, x_amzn_ErrorType="AccessDeniedException")
    assert after_control(Judgement("scope_missing"), 403, wrong, "AWS", BEDROCK) == "scope_missing"
    assert after_control(Judgement("scope_missing"), 403, denied, "AWS", BEDROCK) == "refused_alike"


def test_a_host_that_usually_runs_without_keys_is_told_so() -> None:
    ollama = recipes.pick("http://localhost:11434/v1")
    assert ollama is not None
    assert after_control(ACCEPTED, 200, answer(200, LIST), endpoint="http://localhost:11434/v1") == "keys_not_checked"


def test_the_strip_shows_where_a_check_ended() -> None:
    called = (
        Stage("address", True, 0.1),
        Stage("name", True, 3.4),
        Stage("connection", True, 8.0),
        Stage("http", True, 20.0),
    )
    web_page = {row["name"]: row["state"] for row in outcomes.stages(called, "web_page", listed=False)}
    rejected = {row["name"]: row["state"] for row in outcomes.stages(called, "key_rejected", listed=False)}
    accepted = {row["name"]: row["state"] for row in outcomes.stages(called, "accepted", listed=True)}
    limited = {row["name"]: row["state"] for row in outcomes.stages(called, "no_credit", listed=False)}
    assert (web_page["http"], web_page["credential"], web_page["models"]) == ("failed", "skipped", "skipped")
    assert (rejected["http"], rejected["credential"], rejected["models"]) == ("passed", "failed", "skipped")
    assert (accepted["http"], accepted["credential"], accepted["models"]) == ("passed", "passed", "passed")
    assert (limited["http"], limited["credential"], limited["models"]) == ("passed", "passed", "failed")
    assert list(accepted) == list(outcomes.STAGES)


def test_a_result_reads_as_plain_text_for_a_ticket() -> None:
    stages = outcomes.stages((Stage("address", True, 0.2),), "key_rejected", listed=False)
    facts = {"provider": "OpenAI", "host": "api.openai.com"}
    result = outcomes.Result(
        "rejected", "key_rejected", facts, stages, f"{OPENAI}/models", 401, "invalid_api_key", milliseconds=42
    )
    assert outcomes.present(result)["text"] == (
        "Rejected: The secret is not accepted\n"
        "OpenAI does not accept this secret. Check that it is whole (beginning, end, no blanks), from the right "
        "account, and meant for api.openai.com, and that the AI LLM Type fits; otherwise make a new one.\n"
        "\n"
        "Address: passed in 1 ms\nAllowed: skipped\nName: skipped\nConnection: skipped\nTLS: skipped\nHTTP: skipped\n"
        "Credential: failed\nModels: skipped\n"
        "\n"
        "Asked: https://api.openai.com/v1/models\nHTTP status: 401\nProvider's code: invalid_api_key\n"
        "Cause: key_rejected\nTook: 42 ms"
    )


def test_a_cause_of_another_version_can_still_be_shown() -> None:
    assert outcomes.present(outcomes.Result("undecided", "gone_in_this_version"))["verdict_label"] == "Not decided"


@pytest.mark.parametrize(("depth", "readable"), [(20, True), (21, False)])
def test_a_body_may_be_20_deep(depth: int, readable: bool) -> None:
    assert (answers.read(b"[" * depth + b"]" * depth) is not answers.UNREADABLE) is readable


def test_a_region_rule_limits_a_proven_key_and_decides_nothing_about_an_unproven_one() -> None:
    first, refused = Judgement("region_not_supported"), answer(401, error("invalid_api_key"))
    same = answer(403, error("unsupported_country_region_territory"))
    assert after_control(first, 403, refused, "OPENAI", OPENAI) == "region_not_supported"
    assert after_control(first, 403, same, "OPENAI", OPENAI) == "region_refused"
    assert CAUSES["region_not_supported"].verdict is Verdict.LIMITED
