"""From what is seen to what is said: every row is an answer, and the cause, verdict and action that belong to it."""

import json
from typing import Any

import pytest

from ai_llm import causes, outcomes, probing
from ai_llm.causes import CAUSES, ActionKind
from ai_llm.models import Verdict
from ai_llm.outcomes import Result
from ai_llm.providers import PROVIDERS, Judgement, answers, control, recipes
from flashback.outbound import Answer, Failure, Fault, Request, Stage

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

AZURE = "https://r.openai.azure.com/openai/v1"
AZURE_KEY = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)
AZURE_AUDIENCE = (
    "Unauthorized. Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or "
    "have expired."
)
AZURE_ROLE = "The principal `p` lacks the required data action `a` to perform `GET /openai/models` operation."
UNSUPPORTED = "ACCESS_TOKEN_TYPE_UNSUPPORTED"
DEEPSEEK = "https://api.deepseek.com"
XAI = "https://api.x.ai/v1"
XAI_KEY = {"name": "k", "acls": ["api-key:model:*"], "team_blocked": False, "api_key_blocked": False,
           "api_key_disabled": False}  # fmt: skip
COHERE = "https://api.cohere.ai/compatibility/v1"
HUGGING_FACE = "https://router.huggingface.co/v1"
NVIDIA = "https://integrate.api.nvidia.com/v1"
VERCEL = "https://ai-gateway.vercel.sh/v1"
POLLINATIONS = "https://gen.pollinations.ai/v1"


def token(role: str, fine: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": "n", "auth": {"accessToken": {"role": role, **({"fineGrained": fine} if fine else {})}}}


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
    ("OPENAI", "https://r.openai.azure.com", answer(401, error("401", "invalid subscription key")), "wrong_resource"),
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
    ("AWS", BEDROCK, answer(403, {"message": "x"}, x_amzn_ErrorType="InvalidClientTokenId"), "key_id_unknown"),
    ("AWS", BEDROCK, answer(403, {"message": "x"}, x_amzn_ErrorType="SignatureDoesNotMatch"), "signature_wrong"),
    ("AWS", BEDROCK, answer(403, {"message": "x"}, x_amzn_ErrorType="OptInRequired"), "service_disabled"),
    ("AWS", BEDROCK, answer(403, {"message": "not authorized to perform: bedrock:ListFoundationModels"},
                            x_amzn_ErrorType="AccessDeniedException"), "scope_missing"),
    ("AWS", BEDROCK, answer(500, {"message": "x"}, x_amzn_ErrorType="InternalServerException"), "provider_fault"),
    # --- Azure OpenAI, both addresses and all three kinds of hosts ---
    *[
        ("OTHER", f"https://r.{host}{path}", seen, cause)
        for host in ("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com")
        for path in ("", "/openai/v1", "/openai")
        for seen, cause in (
            (answer(200, LIST), "accepted"),
            (answer(401, error("401", AZURE_KEY)), "wrong_resource"),
        )
    ],
    ("OTHER", AZURE, answer(401, {"statusCode": 401, "message": AZURE_AUDIENCE}), "token_refused"),
    ("OTHER", AZURE, answer(401, error("PermissionDenied", AZURE_ROLE)), "scope_missing"),
    ("OTHER", AZURE, answer(403, error("PermissionDenied", AZURE_ROLE)), "scope_missing"),
    ("OTHER", AZURE, answer(404, error("404", "Resource not found")), "path_not_found"),
    ("OTHER", AZURE, answer(429, error("429", "Requests have exceeded the call rate limit")), "busy"),
    ("OTHER", AZURE, answer(429, error("insufficient_quota", "You exceeded your quota")), "quota_spent"),
    # --- Gemini in OpenAI's form, under all three types that can lead there ---
    *[
        (type_, f"{GEMINI}/openai", seen, cause)
        for type_ in ("GOOGLE", "OPENAI", "OTHER")
        for seen, cause in (
            (answer(200, LIST), "accepted"),
            (answer(400, google(400, "INVALID_ARGUMENT", "", "API_KEY_INVALID")), "key_rejected"),
            (answer(400, [google(400, "FAILED_PRECONDITION", "location is not supported")]), "region_not_supported"),
            (answer(401, [google(401, "UNAUTHENTICATED", "", UNSUPPORTED)]), "key_kind_unsupported"),
            (answer(403, [google(403, "PERMISSION_DENIED", "", "SERVICE_DISABLED")]), "service_disabled"),
            (answer(429, [google(429, "RESOURCE_EXHAUSTED", "check your plan and billing")]), "busy"),
        )
    ],
    ("GOOGLE", GEMINI, answer(400, google(400, "INVALID_ARGUMENT", "", "API_KEY_EXPIRED")), "key_expired"),
    ("GOOGLE", GEMINI, answer(403, google(403, "PERMISSION_DENIED", "", "API_KEY_IP_ADDRESS_BLOCKED")),
     "address_not_authorized"),
    ("GOOGLE", GEMINI, answer(403, google(403, "PERMISSION_DENIED", "", "API_KEY_HTTP_REFERRER_BLOCKED")),
     "key_restricted"),
    ("GOOGLE", GEMINI, answer(403, google(403, "PERMISSION_DENIED", "", "BILLING_DISABLED")), "billing_off"),
    ("GOOGLE", GEMINI, answer(503, google(503, "UNAVAILABLE", "The model is overloaded.")), "provider_unavailable"),
    # --- Mistral, Groq, Together ---
    ("OTHER", "https://api.mistral.ai/v1", answer(200, LIST), "accepted"),
    ("OTHER", "https://api.mistral.ai/v1", answer(401, {"message": "Unauthorized"}), "key_rejected"),
    ("OTHER", "https://api.mistral.ai/v1", answer(401, {"detail": "Invalid API Key"}), "key_rejected"),
    ("OTHER", "https://api.mistral.ai/v1", answer(402, {"message": "Payment required"}), "no_credit"),
    ("OTHER", "https://api.mistral.ai/v1", answer(429, {"message": "Requests rate limit exceeded"}), "busy"),
    ("OTHER", "https://api.mistral.ai/v1", answer(429, {"message": "Service tier capacity exceeded"}), "busy"),
    ("OTHER", "https://api.groq.com/openai/v1", answer(200, LIST), "accepted"),
    ("OTHER", "https://api.groq.com/openai/v1", answer(403, error("", "Access denied. Check your settings.")),
     "forbidden"),
    ("OTHER", "https://api.groq.com/openai/v1", answer(429, error("rate_limit_exceeded")), "busy"),
    ("OTHER", "https://api.groq.com/openai/v1", answer(503, error("", "over capacity")), "provider_unavailable"),
    ("OTHER", "https://api.together.ai/v1", answer(200, [{"id": "a"}]), "accepted"),
    ("OTHER", "https://api.together.ai/v1", answer(200, []), "unexpected_form"),
    ("OTHER", "https://api.together.ai/v1", answer(400, error("", "Invalid API key")), "key_rejected"),
    ("OTHER", "https://api.together.ai/v1", answer(401, error("invalid_api_key")), "key_rejected"),
    ("OTHER", "https://api.together.ai/v1", answer(402, error("", "monthly spending limit")), "no_credit"),
    ("OTHER", "https://api.together.ai/v1", answer(404, error("", "no such route")), "path_not_found"),
    ("OTHER", "https://api.together.ai/v1", answer(404, error("model_not_found")), "model_unknown"),
    ("OTHER", "https://api.together.ai/v1", answer(529, error("", "overloaded")), "provider_unavailable"),
    # --- OpenRouter ---
    ("OTHER", "https://openrouter.ai/api/v1", answer(401, {"error": {"code": 401, "message": "User not found."}}),
     "key_rejected"),
    ("OTHER", "https://openrouter.ai/api/v1", answer(403, {"error": {"code": 403, "message": "Key limit exceeded"}}),
     "forbidden"),
    ("OTHER", "https://openrouter.ai/api/v1", answer(429, {"error": {"code": 429, "message": "Rate limited"}}), "busy"),
    ("OTHER", "https://openrouter.ai/api/v1", answer(200, {"data": {"label": "k", "limit_remaining": None}}),
     "accepted"),
    # --- DeepSeek ---
    ("OTHER", DEEPSEEK, answer(200, {"is_available": True, "balance_infos": []}), "accepted"),
    ("OTHER", DEEPSEEK, answer(200, {"is_available": False, "balance_infos": []}), "no_credit"),
    ("OTHER", DEEPSEEK, answer(200, {"balance_infos": []}), "unexpected_form"),
    ("OTHER", DEEPSEEK, answer(401, error("invalid_request_error", "Authentication Fails")), "key_rejected"),
    ("OTHER", DEEPSEEK, answer(402, error("unknown_error", "Insufficient Balance")), "no_credit"),
    ("OTHER", DEEPSEEK, answer(422, error("invalid_request_error", "Invalid Parameters")), "bad_request"),
    ("OTHER", DEEPSEEK, answer(429, error("", "Rate Limit Reached")), "busy"),
    ("OTHER", DEEPSEEK, answer(500, error("", "Server Error")), "provider_fault"),
    ("OTHER", DEEPSEEK, answer(503, error("", "Server Overloaded")), "provider_unavailable"),
    # --- xAI ---
    ("OTHER", XAI, answer(200, XAI_KEY), "accepted"),
    ("OTHER", XAI, answer(200, {**XAI_KEY, "api_key_blocked": True}), "key_disabled"),
    ("OTHER", XAI, answer(200, {**XAI_KEY, "api_key_disabled": True}), "key_disabled"),
    ("OTHER", XAI, answer(200, {**XAI_KEY, "team_blocked": True}), "account_blocked"),
    ("OTHER", XAI, answer(200, {**XAI_KEY, "acls": []}), "scope_missing"),
    ("OTHER", XAI, answer(401, {"error": "Unauthorized"}), "key_rejected"),
    ("OTHER", XAI, answer(403, {"error": "Your team is blocked."}), "account_blocked"),
    ("OTHER", XAI, answer(403, {"error": "The key lacks the permission."}), "forbidden"),
    ("OTHER", XAI, answer(403, {"error": "Your newly created team doesn't have any credits yet."}), "no_credit"),
    ("OTHER", XAI, answer(429, {"error": "Your team has reached its monthly spending limit."}), "no_credit"),
    ("OTHER", XAI, answer(429, {"error": "Too many requests"}), "busy"),
    # --- Cohere ---
    ("OTHER", COHERE, answer(200, {"valid": True, "organization_id": "o"}), "accepted"),
    ("OTHER", COHERE, answer(200, {"valid": False}), "key_rejected"),
    ("OTHER", COHERE, answer(200, {"valid": "yes"}), "key_rejected"),
    ("OTHER", COHERE, answer(200, {"organization_id": "o"}), "unexpected_form"),
    ("OTHER", COHERE, answer(400, {"message": "invalid request"}), "bad_request"),
    ("OTHER", COHERE, answer(401, {"message": "invalid api token"}), "key_rejected"),
    ("OTHER", COHERE, answer(402, {"message": "your account has reached its billing limit"}), "no_credit"),
    ("OTHER", COHERE, answer(429, {"message": "You are using a Trial key"}), "busy"),
    # --- Hugging Face ---
    ("OTHER", HUGGING_FACE, answer(200, token("write")), "accepted"),
    ("OTHER", HUGGING_FACE, answer(200, token("read")), "accepted"),
    ("OTHER", HUGGING_FACE, answer(200, token("fineGrained", {"global": ["inference.serverless.write"]})), "accepted"),
    ("OTHER", HUGGING_FACE,
     answer(200, token("fineGrained", {"scoped": [{"permissions": ["inference.serverless.write"]}]})), "accepted"),
    ("OTHER", HUGGING_FACE, answer(200, token("fineGrained", {"global": ["post.write"], "scoped": []})),
     "calls_not_permitted"),
    ("OTHER", HUGGING_FACE, answer(200, token("fineGrained", {"global": None, "scoped": "x"})), "calls_not_permitted"),
    ("OTHER", HUGGING_FACE, answer(401, {"error": "Invalid credentials in Authorization header"}), "key_rejected"),
    ("OTHER", HUGGING_FACE, answer(402, {"error": "You have depleted your monthly included credits"}), "no_credit"),
    ("OTHER", HUGGING_FACE, answer(429, {"error": "Too many requests"}), "busy"),
    # --- NVIDIA, Vercel, Pollinations ---
    ("OTHER", NVIDIA, answer(401, {"status": 401, "title": "Unauthorized"}), "key_rejected"),
    ("OTHER", NVIDIA, answer(403, {"detail": "Forbidden"}), "forbidden"),
    ("OTHER", VERCEL, answer(200, {"balance": "95.50", "total_used": "4.50"}), "accepted"),
    ("OTHER", VERCEL, answer(200, {"balance": "0", "total_used": "4.50"}), "no_credit"),
    ("OTHER", VERCEL, answer(200, {"balance": "-1.2"}), "no_credit"),
    ("OTHER", VERCEL, answer(200, {"balance": "plenty"}), "accepted"),
    ("OTHER", VERCEL, answer(200, LIST), "unexpected_form"),
    ("OTHER", VERCEL, answer(401, error("", "Invalid API key")), "key_rejected"),
    ("OTHER", VERCEL, answer(402, error("", "Insufficient funds")), "no_credit"),
    ("OTHER", POLLINATIONS, answer(200, {"valid": True}), "accepted"),
    ("OTHER", POLLINATIONS, answer(200, {"valid": True, "pollenBudget": 0}), "no_credit"),
    ("OTHER", POLLINATIONS, answer(200, {"valid": False}), "key_rejected"),
    ("OTHER", POLLINATIONS, answer(401, error("UNAUTHORIZED", "Invalid key")), "key_rejected"),
    # --- lists that may be public: the made-up secret was refused here, so they count ---
    *[
        ("OTHER", endpoint, answer(200, LIST), "accepted")
        for endpoint in (
            "https://api-inference.modelscope.cn/v1",
            "https://opencode.ai/zen/v1",
            "https://api.kilo.ai/api/gateway",
            "https://ollama.com/v1",
            "https://api.fireworks.ai/inference/v1",
            "https://api.cerebras.ai/v1",
        )
    ],
    ("OTHER", "https://models.github.ai/inference", answer(200, [{"id": "openai/gpt-4.1"}]), "accepted"),
    ("OTHER", "https://models.github.ai/inference", answer(401, {"message": "Bad credentials"}), "key_rejected"),
    ("OTHER", "https://ollama.com/v1", answer(401, {"error": "unauthorized"}), "key_rejected"),
    ("OTHER", "https://ollama.com/v1", answer(403, {"error": "this model requires a subscription"}),
     "subscription_needed"),
    # --- servers of one's own ---
    ("OTHER", "http://localhost:11434/v1", answer(200, {"data": [{"id": "llama3", "owned_by": "library"}]}),
     "accepted"),
    ("OTHER", "http://localhost:11434/api", answer(200, {"models": [{"name": "llama3"}]}), "accepted"),
    ("OTHER", "http://localhost:11434/v1", answer(401, b"Unauthorized"), "key_rejected"),
    ("OTHER", "http://localhost:8000/v1", answer(401, {"error": "Unauthorized"}), "key_rejected"),
    ("OTHER", "http://localhost:1234/v1", answer(401, error("invalid_api_key", "Malformed LM Studio API token")),
     "key_rejected"),
    ("OTHER", "http://localhost:8080/v1", answer(503, error("unavailable_error", "Loading model")),
     "provider_unavailable"),
]  # fmt: skip


# cause: verdict, what to do, what to do without a link or a corrected endpoint
MEANING = {
    "accepted": ("accepted", "retry", ""),
    "busy": ("accepted", "retry", ""),
    "accepted_without_list": ("accepted", "retry", ""),
    "no_key_needed": ("accepted", "retry", ""),
    "message_answered": ("accepted", "retry", ""),
    "message_answered_openly": ("accepted", "retry", ""),
    "message_unfinished": ("accepted", "retry", ""),
    "model_not_there": ("limited", "message", ""),
    "model_not_allowed": ("limited", "link", "message"),
    "model_absent": ("undecided", "message", ""),
    "message_refused": ("undecided", "message", ""),
    "profile_needed": ("undecided", "message", ""),
    "no_models_served": ("limited", "retry", ""),
    "account_blocked": ("limited", "link", "retry"),
    "billing_off": ("limited", "link", "retry"),
    "calls_not_permitted": ("limited", "link", "replace-secret"),
    "no_models": ("limited", "retry", ""),
    "no_credit": ("limited", "link", "retry"),
    "quota_spent": ("limited", "link", "retry"),
    "scope_missing": ("limited", "link", "message"),
    "forbidden": ("limited", "link", "edit-endpoint"),
    "address_not_authorized": ("limited", "link", "ask-operator"),
    "organization_required": ("limited", "link", "replace-secret"),
    "service_disabled": ("limited", "link", "retry"),
    "key_restricted": ("limited", "link", "replace-secret"),
    "key_kind_unsupported": ("limited", "link", "replace-secret"),
    "model_unknown": ("limited", "edit-endpoint", ""),
    "model_forbidden": ("limited", "link", "retry"),
    "subscription_needed": ("limited", "link", "retry"),
    "key_rejected": ("rejected", "replace-secret", ""),
    "key_rejected_here": ("rejected", "edit-endpoint", ""),
    "key_id_unknown": ("rejected", "replace-secret", ""),
    "signature_wrong": ("rejected", "replace-secret", ""),
    "key_expired": ("rejected", "link", "replace-secret"),
    "key_disabled": ("rejected", "link", "replace-secret"),
    "wrong_resource": ("rejected", "edit-endpoint", ""),
    "token_refused": ("rejected", "link", "replace-secret"),
    "service_account_refused": ("rejected", "link", "replace-secret"),
    "no_key_unproven": ("undecided", "message", ""),
    "secret_needed": ("undecided", "replace-secret", ""),
    "clock_off": ("undecided", "ask-operator", ""),
    "token_exchange_failed": ("undecided", "retry", ""),
    "location_unknown": ("undecided", "edit-endpoint", ""),
    "public_list": ("undecided", "message", ""),
    "keys_not_checked": ("undecided", "retry", ""),
    "refused_alike": ("undecided", "edit-endpoint", ""),
    "control_unclear": ("undecided", "retry", ""),
    "no_list": ("undecided", "message", ""),
    "path_not_found": ("undecided", "url-fix", "edit-endpoint"),
    "redirected": ("undecided", "url-fix", "edit-endpoint"),
    "web_page": ("undecided", "edit-endpoint", ""),
    "unexpected_form": ("undecided", "edit-endpoint", ""),
    "bad_request": ("undecided", "edit-endpoint", ""),
    "slow_down": ("undecided", "retry", ""),
    "region_refused": ("undecided", "ask-operator", ""),
    "region_not_supported": ("limited", "ask-operator", ""),
    "network_not_admitted": ("undecided", "ask-operator", ""),
    "forbidden_unjudged": ("undecided", "ask-operator", ""),
    "shielded": ("undecided", "ask-operator", ""),
    "proxy_login": ("undecided", "ask-operator", ""),
    "request_timeout": ("undecided", "retry", ""),
    "provider_conflict": ("undecided", "retry", ""),
    "provider_fault": ("undecided", "link", "retry"),
    "provider_unavailable": ("undecided", "link", "retry"),
    "unexpected_status": ("undecided", "edit-endpoint", ""),
    "address_not_allowed": ("undecided", "ask-operator", ""),
    "connection_refused": ("undecided", "edit-endpoint", ""),
    "connect_timeout": ("undecided", "retry", ""),
    "read_timeout": ("undecided", "retry", ""),
    "connection_closed": ("undecided", "retry", ""),
    "certificate_untrusted": ("undecided", "ask-operator", ""),
    "certificate_expired": ("undecided", "retry", ""),
    "certificate_name": ("undecided", "edit-endpoint", ""),
    "https_on_plain_port": ("undecided", "url-fix", "edit-endpoint"),
    "http_on_tls_port": ("undecided", "url-fix", "edit-endpoint"),
    "tls_failed": ("undecided", "ask-operator", ""),
    "not_http": ("undecided", "edit-endpoint", ""),
    "answer_too_large": ("undecided", "edit-endpoint", ""),
    "answer_encoded": ("undecided", "ask-operator", ""),
    "too_many_checks": ("undecided", "retry", ""),
    "endpoint_unusable": ("undecided", "url-fix", "edit-endpoint"),
    "secret_missing": ("undecided", "replace-secret", ""),
    "secret_in_endpoint": ("undecided", "replace-secret", ""),
    "secret_unsendable": ("undecided", "replace-secret", ""),
    "secret_unavailable": ("undecided", "replace-secret", ""),
    "secret_bound_elsewhere": ("undecided", "replace-secret", ""),
    "temporary_key": ("undecided", "replace-secret", ""),
    "region_unknown": ("undecided", "edit-endpoint", ""),
    "service_account_unreadable": ("undecided", "replace-secret", ""),
    "service_account_other": ("undecided", "replace-secret", ""),
    "service_account_elsewhere": ("undecided", "url-fix", "edit-endpoint"),
    "token_address_foreign": ("undecided", "replace-secret", ""),
}
SECRET = "secret-of-somebody-0123456789abcdef"
# A made-up secret is refused like this wherever it is tried.
REFUSED = answer(401, error("invalid_api_key", "Incorrect API key provided"))


def run_with(monkeypatch: pytest.MonkeyPatch, type_: str, endpoint: str, *replies: Answer | Failure) -> Result:
    """Run the whole check of a host that answers with `replies` in turn, then lists where it proved, or refuses."""
    given, recipe = iter(replies), PROVIDERS[type_].recipe(endpoint)

    def send(request: Request, **_: Any) -> Answer:
        lists = recipe is not None and recipe.proof not in {"", request.url}
        reply = next(given, answer(200, LIST) if lists else REFUSED)
        if isinstance(reply, Failure):
            raise reply
        return reply

    monkeypatch.setattr(probing.outbound, "send", send)
    return probing.run(type_, endpoint, SECRET, "", slot="w")


def said(result: Result) -> tuple[str, str, str]:
    return result.verdict, result.cause, causes.action(result.cause, result.facts).kind.value


def expected(cause: str, *, linked: bool = False) -> tuple[str, str, str]:
    verdict, *actions = MEANING[cause]
    return verdict, cause, actions[0] if linked or not actions[1] else actions[1]


@pytest.mark.parametrize(
    ("type_", "endpoint", "seen", "cause"),
    TABLE,
    ids=[f"{row[0]}-{row[2].status}-{row[3]}-{n}" for n, row in enumerate(TABLE)],
)
def test_an_answer_has_one_verdict_one_cause_and_one_action(
    monkeypatch: pytest.MonkeyPatch, type_: str, endpoint: str, seen: Answer, cause: str
) -> None:
    result = run_with(monkeypatch, type_, endpoint, seen)
    action = causes.action(cause, result.facts)
    assert said(result) == expected(cause, linked=bool(action.url or action.endpoint))
    assert outcomes.present(result)["sentence"].endswith(".")


ACTIONS = [
    (OPENAI, answer(429, error("insufficient_quota")), "https://platform.openai.com/settings/organization/billing"),
    (DEEPSEEK, answer(402, error("", "Insufficient Balance")), "https://platform.deepseek.com/top_up"),
    (VERCEL, answer(200, {"balance": "0"}), "https://vercel.com/dashboard"),
    (XAI, answer(200, {**XAI_KEY, "api_key_disabled": True}), "https://console.x.ai"),
    (OPENAI, answer(401, error("account_deactivated")), "https://platform.openai.com/api-keys"),
    (HUGGING_FACE, answer(200, token("fineGrained", {"global": []})), "https://huggingface.co/settings/tokens"),
    (OPENAI, answer(500, error("", "server error")), "https://status.openai.com"),
    ("https://api.groq.com/openai/v1", answer(503, error("", "over capacity")), "https://groqstatus.com"),
    ("https://api.groq.com/v1", answer(404, error("", "Unknown request URL")), "https://api.groq.com/openai/v1"),
    (OWN, answer(404, error("", "Not found")), ""),
    (f"{OWN}/team/v1", answer(404, error("", "Not found")), f"{OWN}/team"),
    ("https://llm.example.com/team", answer(404, error("", "Not found")), "https://llm.example.com/team/v1"),
    (OWN, answer(308, Location="https://llm.example.com/api/v1/models"), "https://llm.example.com/api/v1"),
    (OWN, Failure(Fault.PLAIN_TLS), ""),
]


@pytest.mark.parametrize(("endpoint", "seen", "leads_to"), ACTIONS)
def test_an_action_leads_to_the_place_where_it_can_be_done(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, seen: Answer | Failure, leads_to: str
) -> None:
    result = run_with(monkeypatch, "OTHER", endpoint, seen)
    action = causes.action(result.cause, result.facts)
    assert (action.url or action.endpoint) == leads_to


def test_a_wait_is_as_long_as_the_provider_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_with(monkeypatch, "OPENAI", OPENAI, answer(429, error("rate_limit_exceeded"), Retry_After="42"))
    shown = outcomes.present(result)
    assert (shown["action"]["kind"], shown["action"]["after"]) == ("retry", 42)
    assert "try again in 42 seconds" in shown["sentence"]


def test_there_are_well_over_150_rows() -> None:
    assert len(TABLE) > 250
    assert len({row[3] for row in TABLE}) > 40


# Causes that no single answer has: said before anything is sent, by the made-up secret, without a secret, or by a key
# file. Each is reached in the test named.
ELSEWHERE = {
    "test_validation": {"secret_missing", "secret_in_endpoint", "secret_unsendable", "secret_unavailable",
                        "region_unknown", "secret_bound_elsewhere", "temporary_key", "endpoint_unusable"},
    "made-up secret": {"public_list", "keys_not_checked", "refused_alike", "control_unclear", "region_refused"},
    "test_recipes": {"accepted_without_list", "no_key_needed", "no_key_unproven", "no_models_served", "secret_needed",
                     "no_list"},
    "test_vertex": {"service_account_refused", "service_account_unreadable", "service_account_other", "clock_off",
                    "service_account_elsewhere", "token_address_foreign", "token_exchange_failed",
                    "location_unknown"},
}  # fmt: skip


def test_every_cause_is_reached() -> None:
    reached = {row[3] for row in TABLE} | set(causes.OF_FAULT.values()) | set().union(*ELSEWHERE.values())
    by_message = {code for code in CAUSES if code.startswith(("message_", "model_")) or code == "profile_needed"}
    assert CAUSES.keys() - reached - by_message == set()
    assert reached - CAUSES.keys() == set()


def test_every_cause_means_one_verdict_and_one_thing_to_do() -> None:
    found = {
        code: (row.verdict.value, row.action.kind.value, row.otherwise.kind.value if row.otherwise else "")
        for code, row in CAUSES.items()
    }
    assert found == MEANING


@pytest.mark.parametrize("fault", Fault)
def test_no_answer_is_no_word_about_the_secret(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    result = run_with(monkeypatch, "OTHER", OWN, Failure(fault, (Stage("address", True, 1.0),)))
    cause = causes.OF_FAULT[fault]
    assert said(result) == expected(cause, linked=bool(causes.action(cause, result.facts).endpoint))
    assert result.verdict == Verdict.UNDECIDED


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
        "wrong_resource",
        "token_refused",
        "service_account_refused",
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


@pytest.mark.parametrize(
    ("endpoint", "owner", "cause"),
    [
        ("http://localhost:8000/v1", "vllm", "keys_not_checked"),
        ("http://localhost:8000/v1", "openai", "public_list"),
        ("http://localhost:8080/v1", "llamacpp", "public_list"),
        ("http://localhost:11434/v1", "somebody", "keys_not_checked"),
        ("http://10.1.2.3:11434/v1", "somebody", "keys_not_checked"),
        (OWN, "library", "keys_not_checked"),
        (OWN, "openai", "public_list"),
    ],
)
def test_only_what_says_so_or_has_its_own_port_is_said_to_check_no_keys(endpoint: str, owner: str, cause: str) -> None:
    listed = answer(200, {"data": [{"id": "x", "owned_by": owner}]})
    assert after_control(ACCEPTED, 200, listed, endpoint=endpoint) == cause


@pytest.mark.parametrize(
    ("endpoint", "body", "cause"),
    [
        (OWN, LIST, "no_key_unproven"),
        (OWN, {"data": [{"id": "x", "owned_by": "vllm"}]}, "no_key_needed"),
        ("http://10.1.2.3:8000/v1", LIST, "no_key_needed"),
        ("http://10.1.2.3:8000/v1", {"data": [{"id": "x", "owned_by": "llamacpp"}]}, "no_key_unproven"),
        ("http://localhost:11434/v1", {"data": None, "object": "list"}, "no_models_served"),
        ("https://api.mistral.ai/v1", LIST, "secret_needed"),
        ("https://api.kilo.ai/api/gateway", LIST, "no_key_unproven"),
    ],
)
def test_a_list_without_a_secret_says_as_much_as_it_can(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, body: Any, cause: str
) -> None:
    monkeypatch.setattr(probing.outbound, "send", lambda request, **_: answer(200, body))
    result = probing.run("OTHER", endpoint, "", "", slot="w")
    assert said(result) == expected(cause)
    assert "credential" not in outcomes.present(result)["sentence"]


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
