"""The sandbox provider: a server of our own that answers as the providers do, asked over a real socket."""

import gzip
import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import trustme

from ai_llm.management.commands.sandbox_provider import introduction, presentable
from ai_llm.sandbox import (
    ACCESS_KEYS,
    FAULTS,
    PERSONALITIES,
    SECRETS,
    TRIALS,
    TROUBLED,
    Received,
    Sandbox,
    certificate,
    signature,
    vertex,
)
from ai_llm.sandbox.credentials import AccessKey, Standing

ROOT = Path(__file__).resolve().parent.parent
SENTENCE = "The sandbox provider hears you."
WRONG = "wrong-secret-0123456789abcdef-0123456789"
OPENAI = {"Authorization": f"Bearer {SECRETS.openai}"}
ANTHROPIC = {"x-api-key": SECRETS.anthropic, "anthropic-version": "2023-06-01"}
GEMINI = {"x-goog-api-key": SECRETS.gemini}
BEDROCK = {"Authorization": f"Bearer {SECRETS.bedrock}"}
MESSAGES = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: Sandbox) -> Sandbox:
    shared.requests.clear()
    return shared


@dataclass
class Reply:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    sandbox: Sandbox, path: str, headers: dict[str, str] | None = None, body: Any = None, method: str = ""
) -> Reply:
    connection = http.client.HTTPConnection(sandbox.host, sandbox.port, timeout=20)
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    try:
        connection.request(method or ("GET" if body is None else "POST"), path, data, headers or {})
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def wire(sandbox: Sandbox, path: str, *, headers: str = "", size: int = 1 << 20, seconds: float = 5) -> bytes:
    """Return what arrives on the plain socket, up to `size` bytes or `seconds`."""
    end = time.monotonic() + seconds
    read = b""
    with socket.create_connection((sandbox.host, sandbox.port), timeout=20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: sandbox\r\n{headers}\r\n".encode())
        while len(read) < size and time.monotonic() < end:
            connection.settimeout(max(end - time.monotonic(), 0.01))
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                break
            if not piece:
                break
            read += piece
    return read


def signed(
    path: str, *, key: AccessKey, region: str = "us-east-1", service: str = "bedrock", method: str = "GET",
    body: bytes = b"", at: datetime | None = None, canonical_path: str = "", host: str = "sandbox",
) -> dict[str, str]:  # fmt: skip
    """Return the headers of a signed request: the client's side, written apart from the verifying one."""

    stamp = (at or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-date": stamp, **({"x-amz-security-token": key.token} if key.token else {})}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"{method}\n{canonical_path or path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    derived = ("AWS4" + key.secret).encode()
    for part in (*scope.split("/"), text):
        derived = hmac.digest(derived, part.encode(), "sha256")
    value = f"AWS4-HMAC-SHA256 Credential={key.id}/{scope}, SignedHeaders={names}, Signature={derived.hex()}"
    return {**headers, "Authorization": value}


GOOD_KEY, DENIED_KEY, EXPIRED_KEY = (
    next(key for key in ACCESS_KEYS.values() if key.standing is standing)
    for standing in (Standing.GOOD, Standing.DENIED, Standing.EXPIRED)
)

# --- The well-behaved providers ---------------------------------------------------------------------------------------


def ids(reply: Reply) -> list[str]:
    found = reply.json
    rows = (
        found if isinstance(found, list) else next(found[k] for k in ("data", "models", "modelSummaries") if k in found)
    )
    return [row.get("id") or row.get("name") or row["modelId"] for row in rows]


@pytest.mark.parametrize(
    ("path", "headers", "first"),
    [
        ("/openai/v1/models", OPENAI, "gpt-4.1"),
        ("/anthropic/v1/models", ANTHROPIC, "claude-opus-4-1-20250805"),
        ("/gemini/v1beta/models?pageSize=1", GEMINI, "models/gemini-2.5-pro"),
        ("/gemini/v1beta/openai/models", {"Authorization": f"Bearer {SECRETS.gemini}"}, "models/gemini-2.5-pro"),
        ("/bedrock/foundation-models", BEDROCK, "anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("/bedrock/us-east-1/foundation-models", BEDROCK, "anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("/azure/openai/v1/models", {"api-key": SECRETS.openai}, "gpt-4.1"),
        ("/vllm/v1/models", OPENAI, "llama3.2:3b"),
        ("/bare-array/v1/models", OPENAI, "gpt-4.1"),
        ("/keyless/v1/models", {}, "llama3.2:3b"),
        ("/keyless/v1/models", {"Authorization": f"Bearer {WRONG}"}, "llama3.2:3b"),
        ("/public-list/v1/models", {}, "gpt-4.1"),
        ("/public-list/v1/models", {"Authorization": f"Bearer {WRONG}"}, "gpt-4.1"),
    ],
)
def test_the_right_credential_gets_the_list_of_models(sandbox: Sandbox, path, headers, first) -> None:
    reply = ask(sandbox, path, headers)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    assert ids(reply)[0] == first


def test_the_forms_of_the_lists_are_those_of_the_providers(sandbox: Sandbox) -> None:
    assert list(ask(sandbox, "/openai/v1/models", OPENAI).json) == ["object", "data"]
    assert list(ask(sandbox, "/anthropic/v1/models", ANTHROPIC).json) == ["data", "has_more", "first_id", "last_id"]
    assert list(ask(sandbox, "/gemini/v1beta/models", GEMINI).json) == ["models"]
    assert list(ask(sandbox, "/bedrock/foundation-models", BEDROCK).json) == ["modelSummaries"]
    assert isinstance(ask(sandbox, "/bare-array/v1/models", OPENAI).json, list)


def test_each_dialect_answers_a_message_and_says_what_it_used(sandbox: Sandbox) -> None:
    body = {"model": "gpt-4.1-mini", "messages": MESSAGES}
    openai = ask(sandbox, "/openai/v1/chat/completions", OPENAI, body).json
    assert openai["choices"][0]["message"]["content"] == SENTENCE
    assert openai["usage"] == {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}

    body = {"model": "claude-haiku-4-5-20251001", "max_tokens": 16, "messages": MESSAGES}
    anthropic = ask(sandbox, "/anthropic/v1/messages", ANTHROPIC, body).json
    assert anthropic["content"] == [{"type": "text", "text": SENTENCE}]
    assert anthropic["usage"] == {"input_tokens": 9, "output_tokens": 7}

    body = {"contents": [{"parts": [{"text": "Hello"}]}]}
    gemini = ask(sandbox, "/gemini/v1beta/models/gemini-2.5-flash:generateContent", GEMINI, body).json
    assert gemini["candidates"][0]["content"]["parts"] == [{"text": SENTENCE}]
    assert gemini["usageMetadata"] == {"promptTokenCount": 9, "candidatesTokenCount": 7, "totalTokenCount": 16}

    body = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    bedrock = ask(sandbox, "/bedrock/model/amazon.nova-lite-v1%3A0/converse", BEDROCK, body).json
    assert bedrock["output"]["message"]["content"] == [{"text": SENTENCE}]
    assert bedrock["usage"] == {"inputTokens": 9, "outputTokens": 7, "totalTokens": 16}


def list_path(row: Any) -> str:
    return row.path + ("/foundation-models" if row.type == "AWS" else "/models")


def headers_of(row: Any, secret: str) -> dict[str, str]:
    if row.key:
        key = AccessKey(row.key, secret)
        return signed(list_path(row), key=key)
    named = {
        "azure": "api-key",
        "anthropic": "x-api-key",
        "low-balance": "x-api-key",
        "/gemini-closed/v1beta": "x-goog-api-key",
        "/gemini/v1beta": "x-goog-api-key",
    }
    name = named.get(row.path) or named.get(row.name)
    return {"anthropic-version": "2023-06-01", **({name: secret} if name else {"Authorization": f"Bearer {secret}"})}


@pytest.mark.parametrize("row", PERSONALITIES, ids=lambda row: f"{row.path} {row.about}")
def test_what_is_printed_can_be_pasted(sandbox: Sandbox, row) -> None:
    right, wrong = (ask(sandbox, list_path(row), headers_of(row, secret)) for secret in (row.secret, WRONG))
    expected = {"no-list": (404, 404), "keyless": (200, 200), "public-list": (200, 200)}
    bad = {"GOOGLE": 400, "AWS": 403}.get(row.type, 401)
    assert (right.status, wrong.status) == expected.get(row.name, (200, bad))
    if right.status == 200:
        assert ids(right)


def test_a_public_list_still_wants_the_key_for_a_message(sandbox: Sandbox) -> None:
    body = {"model": "gpt-4.1", "messages": MESSAGES}
    assert ask(sandbox, "/public-list/v1/chat/completions", {"Authorization": f"Bearer {WRONG}"}, body).status == 401
    assert ask(sandbox, "/public-list/v1/chat/completions", OPENAI, body).status == 200
    assert ask(sandbox, "/no-list/v1/chat/completions", OPENAI, body).status == 200


# --- Wrong credentials, each in the provider's own words --------------------------------------------------------------

NO_OPENAI_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY). You can obtain an API key from https://platform.openai.com/account/api-keys."
)
WRONG_OPENAI_KEY = (
    f"Incorrect API key provided: wrong-se{'*' * 28}6789. You can find your API key at "
    "https://platform.openai.com/account/api-keys."
)
AZURE = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)
NO_GEMINI_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other "
    "form of API consumer identity to call this API."
)
WRONG_GEMINI_KEY = "API key not valid. Please pass a valid API key."
GEMINI_ERROR = {
    "error": {
        "code": 400,
        "message": WRONG_GEMINI_KEY,
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            },
            {
                "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
                "locale": "en-US",
                "message": WRONG_GEMINI_KEY,
            },
        ],
    }
}
GEMINI_UNKNOWN_CALLER = {"error": {"code": 403, "message": NO_GEMINI_KEY, "status": "PERMISSION_DENIED"}}
BEDROCK_ERROR = {"Message": "Authentication failed: Please make sure your API Key is valid."}


def openai_error(message: str, code: str | None = None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic_error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_sandbox"}


@pytest.mark.parametrize(
    ("path", "headers", "status", "body"),
    [
        ("/openai/v1/models", {}, 401, openai_error(NO_OPENAI_KEY)),
        ("/openai/v1/models", {"Authorization": WRONG}, 401, openai_error(NO_OPENAI_KEY)),
        ("/openai/v1/models", {"Authorization": f"Bearer {WRONG}"}, 401,
         openai_error(WRONG_OPENAI_KEY, "invalid_api_key")),
        ("/azure/openai/v1/models", {"api-key": WRONG}, 401, {"error": {"code": "401", "message": AZURE}}),
        ("/azure/openai/v1/models", OPENAI, 401, {"error": {"code": "401", "message": AZURE}}),
        ("/vllm/v1/models", {"Authorization": f"Bearer {WRONG}"}, 401, {"error": "Unauthorized"}),
        ("/anthropic/v1/models", {}, 401, anthropic_error("authentication_error", "x-api-key header is required")),
        ("/anthropic/v1/models", {"x-api-key": WRONG}, 401,
         anthropic_error("authentication_error", "invalid x-api-key")),
        ("/anthropic/v1/models", {"x-api-key": SECRETS.anthropic}, 400,
         anthropic_error("invalid_request_error", "anthropic-version: header is required")),
        ("/gemini/v1beta/models", {"x-goog-api-key": WRONG}, 400, GEMINI_ERROR),
        ("/gemini/v1beta/openai/models", {"Authorization": f"Bearer {WRONG}"}, 400, [GEMINI_ERROR]),
        ("/gemini/v1beta/models", {}, 403, GEMINI_UNKNOWN_CALLER),
        (f"/gemini/v1beta/models?key={SECRETS.gemini}", {}, 403, GEMINI_UNKNOWN_CALLER),
        ("/bedrock/foundation-models", {"Authorization": f"Bearer {WRONG}"}, 403, BEDROCK_ERROR),
        ("/bedrock/eu-central-1/foundation-models", BEDROCK, 403, BEDROCK_ERROR),
        ("/bedrock/foundation-models", {}, 403, {"message": "Missing Authentication Token"}),
    ],
)  # fmt: skip
def test_a_wrong_credential_gets_the_providers_own_refusal(sandbox: Sandbox, path, headers, status, body) -> None:
    reply = ask(sandbox, path, headers)
    assert (reply.status, reply.json) == (status, body)


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "said"),
    [
        ("/openai/models", OPENAI, None, 404, openai_error("Invalid URL (GET /models)")),
        ("/openai/v1/v1/models", OPENAI, None, 404, openai_error("Invalid URL (GET /v1/v1/models)")),
        ("/openai/v1/models", OPENAI, {}, 405,
         openai_error("Not allowed to POST on this URL.", "method_not_supported")),
        ("/openai/v1/chat/completions", OPENAI, {"model": "gpt-9", "messages": MESSAGES}, 404,
         openai_error("The model `gpt-9` does not exist or you do not have access to it.", "model_not_found")),
        ("/openai/v1/chat/completions", OPENAI, b"{", 400,
         openai_error("We could not parse the JSON body of your request, or it has no list of messages.")),
        ("/openai/v1/chat/completions", OPENAI, {"model": "gpt-4.1", "messages": MESSAGES, "stream": True}, 400,
         openai_error("The sandbox provider does not stream.", "unsupported_value")),
        ("/anthropic/v1", ANTHROPIC, None, 404, anthropic_error("not_found_error", "Not found")),
        ("/anthropic/v1/messages", ANTHROPIC, {"model": "claude-haiku-4-5-20251001", "messages": MESSAGES}, 400,
         anthropic_error("invalid_request_error", "max_tokens: Field required")),
        ("/anthropic/v1/messages", ANTHROPIC, {"model": "claude-9", "messages": MESSAGES, "max_tokens": 1}, 404,
         anthropic_error("not_found_error", "model: claude-9")),
        ("/gemini/v1/models", GEMINI, None, 404,
         {"error": {"code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND"}}),
        ("/bedrock/model/unknown/converse", BEDROCK, {"messages": MESSAGES}, 400,
         {"message": "The provided model identifier is invalid."}),
        ("/bedrock/models", BEDROCK, None, 404,
         {"message": "The requested operation is not recognized by the service."}),
    ],
)  # fmt: skip
def test_a_wrong_request_gets_the_dialects_own_error(sandbox: Sandbox, path, headers, body, status, said) -> None:
    reply = ask(sandbox, path, headers, body)
    assert (reply.status, reply.json) == (status, said)


def test_an_unknown_personality_is_told_which_ones_exist(sandbox: Sandbox) -> None:
    reply = ask(sandbox, "/v1/models", OPENAI)
    assert reply.status == 404
    assert all(f" {name}," in f" {reply.json['error']}," or f"{name}." in reply.json["error"] for name in FAULTS)


# --- Signature Version 4 ----------------------------------------------------------------------------------------------

# The key pair and the results of the public test suite of AWS, as in https://github.com/boto/botocore
# (tests/unit/auth/aws4_testsuite) and https://github.com/awslabs/aws-c-auth (tests/aws-signing-test-suite).
SUITE_SECRET = "/".join(("wJalrXUtnFEMI", "K7MDENG+bPxRfiCYEXAMPLE" + "KEY"))


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("GET", "/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ],
)
def test_signatures_are_those_of_the_public_test_suite(method: str, path: str, expected: str) -> None:
    headers = Message()
    headers["Host"], headers["X-Amz-Date"] = "example.amazonaws.com", "20150830T123600Z"
    given = signature.Authorization("AKIDEXAMPLE", "20150830", "us-east-1", "service", ("host", "x-amz-date"), expected)
    assert signature.calculate(Received(method, path, headers), given, SUITE_SECRET) == expected


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/", "/"),
        ("/a/./b/../c//d/", "/a/c/d/"),
        ("/model/amazon.nova-lite-v1%3A0/converse", "/model/amazon.nova-lite-v1%253A0/converse"),
        ("/model/amazon.nova-lite-v1:0/converse", "/model/amazon.nova-lite-v1%3A0/converse"),
        ("/m?b=2&a-b=3&a=4&a=%20+", "/m\na=%20%2B&a=4&a-b=3&b=2"),
        ("/m?empty", "/m\nempty="),
    ],
)
def test_the_canonical_request_orders_and_encodes_path_and_query(path: str, canonical: str) -> None:
    lines = signature.canonical_request(Received("GET", path), ()).split("\n")
    assert (lines[1], lines[2]) == tuple((canonical + "\n").split("\n")[:2])


PAIR_PATH = "/bedrock/foundation-models"


def test_a_signed_request_is_accepted_in_the_region_of_its_scope(sandbox: Sandbox) -> None:
    assert ask(sandbox, PAIR_PATH, signed(PAIR_PATH, key=GOOD_KEY)).status == 200
    assert ask(sandbox, PAIR_PATH, signed(PAIR_PATH, key=GOOD_KEY, region="eu-central-1")).status == 200
    path = "/bedrock/eu-central-1/foundation-models"
    models = ask(sandbox, path, signed(path, key=GOOD_KEY, region="eu-central-1")).json["modelSummaries"]
    assert models[0]["modelArn"].startswith("arn:aws:bedrock:eu-central-1::")


def test_a_signed_message_with_an_encoded_model_id_is_accepted(sandbox: Sandbox) -> None:
    path = "/bedrock/model/amazon.nova-lite-v1%3A0/converse"
    body = b'{"messages": []}'
    headers = signed(path, key=GOOD_KEY, method="POST", body=body, canonical_path=path.replace("%", "%25"))
    assert ask(sandbox, path, headers, body).status == 200
    assert ask(sandbox, path, headers, b'{"messages": [1]}').headers["x-amzn-ErrorType"] == "InvalidSignatureException"


def refusal(sandbox: Sandbox, headers: dict[str, str], path: str = PAIR_PATH) -> tuple[int, str, str]:
    reply = ask(sandbox, path, headers)
    return reply.status, reply.headers["x-amzn-ErrorType"], reply.json["message"]


def test_each_refusal_of_a_signed_request_has_its_own_code(sandbox: Sandbox) -> None:
    unknown = (403, "UnrecognizedClientException", "The security token included in the request is invalid.")
    assert refusal(sandbox, signed(PAIR_PATH, key=AccessKey("SANDBOXACCESSKEY0009", WRONG))) == unknown
    foreign = AccessKey(GOOD_KEY.id, GOOD_KEY.secret, token="a-token-of-somebody-else")
    assert refusal(sandbox, signed(PAIR_PATH, key=foreign)) == unknown
    mismatch = (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details."
    )
    wrong = AccessKey(GOOD_KEY.id, WRONG)
    assert refusal(sandbox, signed(PAIR_PATH, key=wrong)) == (403, "InvalidSignatureException", mismatch)
    expired = (403, "ExpiredTokenException", "The security token included in the request is expired")
    assert refusal(sandbox, signed(PAIR_PATH, key=EXPIRED_KEY)) == expired
    denied = (
        "User: arn:aws:iam::000000000000:user/sandbox is not authorized to perform: bedrock:ListFoundationModels "
        "because no identity-based policy allows the bedrock:ListFoundationModels action"
    )
    assert refusal(sandbox, signed(PAIR_PATH, key=DENIED_KEY)) == (403, "AccessDeniedException", denied)
    half = {"Authorization": f"AWS4-HMAC-SHA256 Credential={GOOD_KEY.id}"}
    assert refusal(sandbox, half)[:2] == (403, "IncompleteSignatureException")


def test_a_denied_identity_with_a_wrong_secret_is_told_of_the_signature(sandbox: Sandbox) -> None:
    given = signed(PAIR_PATH, key=AccessKey(DENIED_KEY.id, WRONG))
    assert refusal(sandbox, given)[1] == "InvalidSignatureException"


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_clock_that_is_off_is_an_invalid_signature(sandbox: Sandbox, minutes: int) -> None:
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    status, code, message = refusal(sandbox, signed(PAIR_PATH, key=GOOD_KEY, at=at))
    beginning = "Signature expired: " if minutes < 0 else "Signature not yet current: "
    assert (status, code) == (403, "InvalidSignatureException")
    assert message.startswith(f"{beginning}{at:%Y%m%dT%H%M%SZ} is ")


def test_a_scope_for_another_service_or_region_is_refused(sandbox: Sandbox) -> None:
    service = refusal(sandbox, signed(PAIR_PATH, key=GOOD_KEY, service="bedrock-runtime"))
    assert service[1:] == ("InvalidSignatureException", "Credential should be scoped to correct service: 'bedrock'.")
    path = "/bedrock/eu-central-1/foundation-models"
    region = refusal(sandbox, signed(path, key=GOOD_KEY), path)
    assert region[1:] == ("InvalidSignatureException", "Credential should be scoped to a valid region.")


def test_a_header_of_aws_that_nobody_signed_is_refused(sandbox: Sandbox) -> None:
    given = {**signed(PAIR_PATH, key=GOOD_KEY), "X-Amz-Target": "something"}
    message = "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."
    assert refusal(sandbox, given) == (403, "InvalidSignatureException", message)


# --- Faults -----------------------------------------------------------------------------------------------------------

SCOPE = (
    "You have insufficient permissions for this operation. Missing scopes: api.model.read. Check that you have the "
    "correct role in your organization (Reader, Writer, Owner) and project (Member, Owner), and if you're using a "
    "restricted API key, that it has the necessary scopes."
)


@pytest.mark.parametrize(
    ("name", "status", "code", "with_wrong_key"),
    [
        ("quota", 429, "insufficient_quota", 401),
        ("busy", 429, "rate_limit_exceeded", 401),
        ("no-credit", 402, "invalid_request_error", 401),
        ("scope", 403, None, 401),
        ("organization", 401, "no_organization", 401),
        ("no-model", 404, "model_not_found", 401),
        ("region", 403, "unsupported_country_region_territory", 403),
        ("fault", 500, None, 500),
        ("down", 503, None, 503),
        ("echo", 401, "invalid_api_key", 401),
        ("status-405", 405, None, 405),
        ("status-529", 529, None, 529),
    ],
)
def test_a_fault_has_its_status_and_code(sandbox: Sandbox, name, status, code, with_wrong_key) -> None:
    reply = ask(sandbox, f"/{name}/v1/models", OPENAI)
    assert (reply.status, reply.json["error"]["code"]) == (status, code)
    wrong = ask(sandbox, f"/{name}/v1/models", {"Authorization": f"Bearer {WRONG}"})
    assert wrong.status == with_wrong_key
    if name == "organization":
        assert wrong.json["error"]["code"] == "invalid_api_key"


def test_busy_says_when_to_come_back_and_scope_names_the_scope(sandbox: Sandbox) -> None:
    assert ask(sandbox, "/busy/v1/models", OPENAI).headers["Retry-After"] == "7"
    assert ask(sandbox, "/scope/v1/models", OPENAI).json == openai_error(SCOPE)


def test_a_web_page_and_the_json_of_another_service_are_no_lists(sandbox: Sandbox) -> None:
    page = ask(sandbox, "/html/v1/models", OPENAI)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert ask(sandbox, "/shield/v1/models", OPENAI).status == 403
    assert ask(sandbox, "/other-json/v1/models").json == {"service": "inventory", "status": "ok", "items": 3}


@pytest.mark.parametrize(("name", "status"), [("redirect", 308), ("redirect-301", 301), ("redirect-302", 302)])
def test_a_redirect_leads_to_a_place_that_works(sandbox: Sandbox, name: str, status: int) -> None:
    reply = ask(sandbox, f"/{name}/v1/models", OPENAI)
    assert (reply.status, reply.headers["Location"]) == (status, sandbox.url("/openai/v1/models"))
    assert ask(sandbox, reply.headers["Location"].removeprefix(sandbox.origin), OPENAI).status == 200


def test_echo_repeats_the_key_in_several_forms(sandbox: Sandbox) -> None:
    reply = ask(sandbox, "/echo/v1/models", {"Authorization": "Bearer a+key"})
    assert reply.json["error"]["message"] == "Incorrect API key provided: a+key a%2Bkey YStrZXk= yek+a."
    assert reply.headers["X-Sandbox-Echo"] == "a+key"


def test_an_encoded_answer_is_gzip_although_nobody_asked(sandbox: Sandbox) -> None:
    reply = ask(sandbox, "/encoded/v1/models", {**OPENAI, "Accept-Encoding": "identity"})
    assert reply.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(reply.body)) == ask(sandbox, "/openai/v1/models", OPENAI).json


def test_empty_closes_the_connection_without_a_byte(sandbox: Sandbox) -> None:
    assert wire(sandbox, "/empty/v1/models") == b""


def test_cut_ends_in_the_middle_of_the_announced_body(sandbox: Sandbox) -> None:
    with pytest.raises(http.client.IncompleteRead):
        ask(sandbox, "/cut/v1/models", OPENAI)


def test_endless_sends_more_than_anybody_wants(sandbox: Sandbox) -> None:
    read = wire(sandbox, "/endless/v1/models", size=2 << 20)
    assert len(read) >= 2 << 20
    assert b"Content-Length" not in read.partition(b"\r\n\r\n")[0]


def test_slow_waits_before_the_first_byte(sandbox: Sandbox) -> None:
    began = time.monotonic()
    assert ask(sandbox, "/slow-0.2/v1/models", OPENAI).status == 200
    assert time.monotonic() - began >= 0.2


def test_drip_sends_the_body_byte_by_byte_and_drip_head_everything(sandbox: Sandbox) -> None:
    key = f"Authorization: Bearer {SECRETS.openai}\r\n"
    head, _, body = wire(sandbox, "/drip-0.02/v1/models", headers=key, seconds=0.2).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert 0 < len(body) < 12
    assert len(wire(sandbox, "/drip-head-0.02/v1/models", headers=key, seconds=0.2)) < 12


def test_only_a_fault_that_takes_a_number_takes_one(sandbox: Sandbox) -> None:
    assert ask(sandbox, "/quota-3/v1/models", OPENAI).status == 404
    assert ask(sandbox, "/slow-/v1/models", OPENAI).status == 404


# --- The server -------------------------------------------------------------------------------------------------------


def test_requests_are_recorded_exactly_as_they_arrived(sandbox: Sandbox) -> None:
    ask(sandbox, "/gemini/v1beta/models?pageSize=1", {"X-Goog-Api-Key": SECRETS.gemini})
    ask(sandbox, "/openai/v1/chat/completions", OPENAI, b"{not json")
    first, second = sandbox.requests
    assert (first.method, first.path, first.body) == ("GET", "/gemini/v1beta/models?pageSize=1", b"")
    assert first.headers["x-goog-api-key"] == first.headers["X-GOOG-API-KEY"] == SECRETS.gemini
    assert (second.method, second.path, second.body) == ("POST", "/openai/v1/chat/completions", b"{not json")
    assert second.bearer() == SECRETS.openai
    assert repr(second) == "Received(method='POST', path='/openai/v1/chat/completions')"


def test_one_connection_serves_many_requests(sandbox: Sandbox) -> None:
    connection = http.client.HTTPConnection(sandbox.host, sandbox.port, timeout=20)
    for path in ("/openai/v1/models", "/quota/v1/models", "/status-204/v1/models", "/openai/v1/models"):
        connection.request("GET", path, headers=OPENAI)
        answer = connection.getresponse()
        answer.read()
        assert not answer.will_close
    connection.close()


def test_a_head_request_gets_no_body(sandbox: Sandbox) -> None:
    reply = ask(sandbox, "/openai/v1/models", OPENAI, method="HEAD")
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Content-Length: 1048577\r\n", b"413"),
        ("Content-Length: -1\r\n", b"411"),
        ("Content-Length: many\r\n", b"411"),
        ("Transfer-Encoding: chunked\r\n", b"411"),
    ],
)
def test_a_body_without_a_sensible_length_is_refused(sandbox: Sandbox, headers: str, status: bytes) -> None:
    assert wire(sandbox, "/openai/v1/models", headers=headers).split(b" ")[1] == status
    assert sandbox.requests == []


def test_it_stops_at_once_although_answers_are_under_way() -> None:
    with Sandbox() as sandbox:
        waiting = [socket.create_connection((sandbox.host, sandbox.port)) for _ in range(3)]
        for connection, name in zip(waiting, ("slow-60", "endless", "drip-60"), strict=True):
            connection.sendall(f"GET /{name}/v1/models HTTP/1.1\r\nHost: sandbox\r\n\r\n".encode())
        idle = socket.create_connection((sandbox.host, sandbox.port))
        while len(sandbox.requests) < 3:
            time.sleep(0.01)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    for connection in (*waiting, idle):
        connection.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((sandbox.host, sandbox.port))


def test_two_sandboxes_do_not_hear_each_other() -> None:
    with Sandbox() as one, Sandbox() as other:
        ask(one, "/openai/v1/models", OPENAI)
        assert (len(one.requests), other.requests) == (1, [])


def test_it_listens_on_loopback_alone(sandbox: Sandbox) -> None:
    assert sandbox.url("/openai/v1") == f"http://127.0.0.1:{sandbox.port}/openai/v1"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", sandbox.port), timeout=20)


def test_a_client_that_goes_away_leaves_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    with Sandbox() as sandbox:
        with socket.create_connection((sandbox.host, sandbox.port)) as connection:
            connection.sendall(b"POST /openai/v1/models HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
        assert len(wire(sandbox, "/endless/v1/models", size=1)) > 0
    assert [request.path for request in sandbox.requests] == ["/endless/v1/models"]
    assert capsys.readouterr() == ("", "")


def test_with_a_certificate_it_speaks_tls() -> None:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    with Sandbox(tls=server) as sandbox:
        assert sandbox.origin == f"https://127.0.0.1:{sandbox.port}"
        with pytest.raises(ssl.SSLCertVerificationError):
            http.client.HTTPSConnection(sandbox.host, sandbox.port, timeout=20).request("GET", "/openai/v1/models")
        connection = http.client.HTTPSConnection(sandbox.host, sandbox.port, timeout=20, context=client)
        connection.request("GET", "/openai/v1/models", headers=OPENAI)
        assert connection.getresponse().status == 200
        connection.close()


def test_one_port_may_speak_both() -> None:
    with Sandbox(also_tls=certificate.untrusted()) as sandbox:
        assert ask(sandbox, "/openai/v1/models", OPENAI).status == 200
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(sandbox.host, sandbox.port, timeout=20, context=unchecked)
        connection.request("GET", "/openai/v1/models", headers=OPENAI)
        assert connection.getresponse().status == 200
        connection.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            http.client.HTTPSConnection(sandbox.host, sandbox.port, timeout=20).request("GET", "/openai/v1/models")
        silent = socket.create_connection((sandbox.host, sandbox.port))
        began = time.monotonic()
    assert time.monotonic() - began < 2
    silent.close()


# --- The command ------------------------------------------------------------------------------------------------------


def command(tmp_path: Path, *arguments: str) -> "subprocess.Popen[str]":
    # A database that cannot be reached shows that none is needed.
    environment = {
        **os.environ,
        "FLASHBACK_DATA_DIR": str(tmp_path),
        "DATABASE_URL": "postgres://nobody@127.0.0.1:9/none",
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", "sandbox_provider", *arguments], cwd=ROOT, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.server
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_what_to_paste_and_one_line_per_request(tmp_path: Path, stop: signal.Signals) -> None:
    process = command(tmp_path, "--port", "0")
    try:
        assert process.stdout is not None
        printed = ""
        while "Requests:\n" not in printed:
            line = process.stdout.readline()
            assert line, process.communicate()
            printed += line
        origin = printed.split()[5]
        connection = http.client.HTTPConnection(origin.removeprefix("http://"), timeout=30)
        for path in (f"/openai/v1/models?key={WRONG}", "/empty/v1/models"):
            connection.request("GET", path, headers=OPENAI)
            if path.startswith("/openai"):
                assert connection.getresponse().read()
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
        process.send_signal(stop)
        rest, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert printed == introduction(origin) + "\n"
    assert rest == "GET /openai/v1/models 200\nGET /empty/v1/models closed\n\nThe sandbox provider has stopped.\n"
    assert (process.returncode, errors) == (0, "")


@pytest.mark.server
def test_a_taken_port_is_one_clear_line(tmp_path: Path, sandbox: Sandbox) -> None:
    process = command(tmp_path, "--port", str(sandbox.port))
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed) == (1, "")
    assert errors == (
        f"CommandError: Port {sandbox.port} on 127.0.0.1 is taken. Choose another one (SANDBOX_PORT=9210 make sandbox, "
        "or --port 9210), and start Flashback with FLASHBACK_OUTBOUND_ALLOW=127.0.0.1:9210.\n"
    )


def test_the_introduction_names_every_personality_and_fault() -> None:
    lines = introduction("http://127.0.0.1:9099").splitlines()
    openai = next(line for line in lines if line.startswith("OPENAI"))
    assert openai.split() == ["OPENAI", "http://127.0.0.1:9099/openai/v1", "-", SECRETS.openai, "OpenAI"]
    assert [line for line in lines if line.startswith("OTHER") and "/deepseek " in line and "No credit" in line]
    beginnings = [line.split()[0] for line in lines if line]
    kinds = ("OPENAI", "GOOGLE", "ANTHROPIC", "AWS", "OTHER")
    assert sum(word in kinds for word in beginnings) == len(PERSONALITIES) + len(TRIALS) + len(vertex.KEY_FILES)
    assert sum(word.startswith("http://127.0.0.1:9099/") for word in beginnings) == len(FAULTS)
    assert sum(word.startswith("https://127.0.0.1:9099/") for word in beginnings) == 1


@pytest.mark.parametrize(
    ("route", "printed"),
    [
        ("/openai/v1/models", "/openai/v1/models"),
        ("/bedrock/model/amazon.nova-lite-v1%3A0/converse", "/bedrock/model/amazon.nova-lite-v1%3A0/converse"),
        (f"/openai/{SECRETS.openai}", "/openai/(left out)"),
        (f"/openai/{'x' * 60}", "/openai/(left out)"),
        ("/openai/\x1b[31mred", "/openai/(left out)"),
        ("http://user:password@host/", "http://(left out)/"),
    ],
)
def test_a_line_shows_no_credential_and_no_control_characters(route: str, printed: str) -> None:
    assert presentable(route) == printed


def test_secrets_are_long_enough_for_a_hint_and_look_like_nobodys() -> None:
    keys = (text for key in ACCESS_KEYS.values() for text in (key.id, key.secret))
    given = {*vars(SECRETS).values(), *keys, *TROUBLED}
    assert len(given) == 14
    assert min(len(text) for text in given) == 20
    assert all(text.lower().startswith("sandbox") for text in given)
