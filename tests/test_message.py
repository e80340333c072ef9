"""One tiny message: which model takes it, what each answer means, what is kept, and that one click sends one."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client

from ai_llm import configs, message, outcomes, probing, validation
from ai_llm.models import AiLlm, Check, CheckKind, ModelList
from ai_llm.providers import PROVIDERS, sizes, talk
from ai_llm.sandbox import ACCESS_KEYS, SECRETS, Sandbox
from ai_llm.templatetags.activity import event_words
from flashback import outbound
from flashback.errors import Conflict, Denied, Invalid, NotFound
from flashback.outbound import Answer
from tests import build
from tests.api import Api
from tests.conftest import People
from workspaces.models import Event, User

CANARY = "canary-SECRET-0123456789-abcdef"
PAIR = {"secret": SECRETS.aws_secret_access_key, "key": SECRETS.aws_access_key_id}


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox, settings: object) -> Sandbox:
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{server.port}"]
    server.requests.clear()
    return server


Make = Callable[..., AiLlm]


@pytest.fixture
def make(people: People, sandbox: Sandbox) -> Make:
    """An AI LLM at a path of the sandbox provider, with a list of models if `models` are given."""

    def make(path: str = "/openai/v1", *, models: tuple[str, ...] = (), type: str = "OTHER", **values: Any) -> AiLlm:
        values = {"secret": SECRETS.openai, **values}
        row = build.ai_llm(people.writer, people.workspace, type=type, endpoint=sandbox.url(path), **values)
        if models:
            ModelList.objects.create(ai_llm=row, endpoint=row.endpoint, names=list(models))
        return row

    return make


def posts(sandbox: Sandbox) -> list[Any]:
    return [request for request in sandbox.requests if request.method == "POST"]


# --- Which model ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "models"),
    [
        ("gpt-4.1-nano", ["gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-5-nano", "o4-mini", "gpt-4o"]),
        ("gpt-4o-mini", ["gpt-4o", "gpt-4o-mini", "gpt-4o-mini-tts", "gpt-4o-mini-realtime-preview"]),
        ("claude-haiku-4-5", ["claude-opus-4-1", "claude-sonnet-4-5", "claude-haiku-4-5"]),
        ("models/gemini-2.5-flash-lite", ["models/gemini-2.5-pro", "models/gemini-2.5-flash-lite", "models/aqa"]),
        ("amazon.nova-micro-v1:0", ["amazon.nova-lite-v1:0", "amazon.nova-micro-v1:0", "amazon.nova-canvas-v1:0"]),
        ("llama3.2:3b", ["qwen2.5:7b", "llama3.2:3b", "nomic-embed-text", "mixtral:8x7b", "deepseek-r1:1.5b"]),
        ("gemma3:270m", ["gemma3:1b", "gemma3:270m"]),
        ("ministral-3b-latest", ["mistral-small-latest", "ministral-3b-latest", "mistral-ocr-latest"]),
        ("llama-3.1-8b-instant", ["llama-3.1-8b-instant", "whisper-large-v3", "meta-llama/llama-guard-4-12b"]),
        ("meta/llama-3b:free", ["meta/llama-3b", "meta/llama-3b:free", "openrouter/auto"]),
        ("deepseek-chat", ["deepseek-reasoner", "deepseek-chat"]),
        ("grok-4-fast-non-reasoning", ["grok-4", "grok-3-mini", "grok-4-fast-non-reasoning", "grok-2-image"]),
        ("gpt-5-nano", ["o3", "gpt-5-nano", "gpt-5"]),
        ("something", ["something", "something-preview"]),
    ],
)
def test_the_smallest_model_that_can_chat_is_chosen(chosen: str, models: list[str]) -> None:
    assert {choice.model for choice in (sizes.choose(models), sizes.choose(models[::-1])) if choice} == {chosen}


@pytest.mark.parametrize(
    "model",
    [
        "text-embedding-3-small", "nomic-embed-text", "rerank-v3.5", "omni-moderation-latest", "llama-guard-4-12b",
        "whisper-1", "tts-1", "gpt-4o-mini-tts", "gpt-4o-transcribe", "gpt-4o-realtime-preview", "gpt-audio-mini",
        "dall-e-3", "gpt-image-1", "imagen-4.0-fast", "gemini-2.5-flash-image", "veo-3.0", "sora-2", "flux-schnell",
        "stable-diffusion-3.5", "amazon.nova-canvas-v1:0", "amazon.nova-reel-v1:0", "amazon.nova-sonic-v1:0",
        "gemini-2.0-flash-live-001", "mistral-ocr-latest", "bge-small", "gpt-4o-mini-search-preview",
        "o3-deep-research", "computer-use-preview", "gpt-3.5-turbo-instruct", "davinci-002", "gpt-5-codex",
    ],
)  # fmt: skip
def test_what_cannot_chat_is_never_chosen(model: str) -> None:
    assert sizes.choose([model]) is None


@pytest.mark.parametrize(
    ("thinks", "models"),
    [
        (True, ["o3", "o4-mini", "openai/o1", "gpt-5-nano", "gpt-oss:20b", "deepseek-r1:7b", "deepseek-reasoner", "qwq",
                "gemini-2.5-flash", "gemini-2.5-pro", "magistral-small", "kimi-k2-thinking", "qwen3:8b", "MiniMax-M2"]),
        (False, ["gpt-4o", "gpt-4.1-nano", "gpt-5-chat-latest", "claude-haiku-4-5", "gemini-2.5-flash-lite",
                 "llama3.2:3b", "grok-4-fast-non-reasoning", "qwen3-coder", "mistral-small", "phi-4"]),
    ],
)  # fmt: skip
def test_models_that_think_first_are_known_by_name(thinks: bool, models: list[str]) -> None:
    assert [model for model in models if sizes.thinks(model) is not thinks] == []


def test_a_choice_says_why() -> None:
    assert [
        choice and (choice.reason, choice.reasons) for choice in map(sizes.choose, (["a-nano"], ["o3"], ["x"]))
    ] == [
        ("nano in its name says that it is small", False),
        ("no smaller one is known by name", True),
        ("no smaller one is known by name", False),
    ]


def test_a_long_list_is_looked_at_quickly_and_cut() -> None:
    models = [f"vendor/model-{number}-{number % 70}b" for number in range(500)]
    began = time.process_time()
    assert len(sizes.ranked(models)) == sizes.MOST
    assert time.process_time() - began < 0.1


# --- The request ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type", "endpoint", "model", "url"),
    [
        ("OPENAI", "https://api.openai.com/v1", "m", "https://api.openai.com/v1/chat/completions"),
        ("OPENAI", "https://api.openai.com", "m", "https://api.openai.com/v1/chat/completions"),
        ("OTHER", "https://api.perplexity.ai", "m", "https://api.perplexity.ai/chat/completions"),
        ("OTHER", "https://api.minimax.io/v1", "m", "https://api.minimax.io/v1/chat/completions"),
        ("OTHER", "https://r.openai.azure.com", "d", "https://r.openai.azure.com/openai/v1/chat/completions"),
        ("OTHER", "https://r.openai.azure.com/openai/v1", "d", "https://r.openai.azure.com/openai/v1/chat/completions"),
        (
            "OTHER",
            "https://r.openai.azure.com/openai",
            "d/1",
            "https://r.openai.azure.com/openai/deployments/d%2F1/chat/completions?api-version=2024-10-21",
        ),
        (
            "OTHER",
            "https://r.openai.azure.com/openai/deployments/d",
            "ignored",
            "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
        ("ANTHROPIC", "https://api.anthropic.com", "m", "https://api.anthropic.com/v1/messages"),
        ("ANTHROPIC", "https://api.anthropic.com/v1", "m", "https://api.anthropic.com/v1/messages"),
        (
            "GOOGLE",
            "https://generativelanguage.googleapis.com",
            "models/m",
            "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent",
        ),
        (
            "GOOGLE",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "models/m",
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        ),
        (
            "AWS",
            "https://bedrock-runtime.us-east-1.amazonaws.com",
            "a.b-v1:0",
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/a.b-v1%3A0/converse",
        ),
        (
            "AWS",
            "https://bedrock.eu-central-1.amazonaws.com",
            "m",
            "https://bedrock-runtime.eu-central-1.amazonaws.com/model/m/converse",
        ),
    ],
)
def test_a_message_goes_to_exactly_this_address_and_nowhere_else(
    type: str, endpoint: str, model: str, url: str
) -> None:
    request = talk.describe(type, endpoint, SECRETS.openai, "", talk.first(type, endpoint, model, thinks=False))
    allowed = {outbound.origin(endpoint), *PROVIDERS[type].origins(endpoint), *talk.origins(type, endpoint)}
    assert (request.method, request.url) == ("POST", url)
    assert outbound.origin(request.url) in allowed
    assert SECRETS.openai not in request.url + request.body.decode()


@pytest.mark.parametrize(
    "endpoint",
    ["https://bedrock-runtime.us-east-1.amazonaws.com.evil.example", "https://proxy.example/us-east-1"],
)
def test_only_an_exact_host_of_bedrock_gives_another_origin(endpoint: str) -> None:
    assert talk.origins("AWS", endpoint) == ()


def test_vertex_calls_name_project_and_region() -> None:
    account = json.dumps({"type": "service_account", "project_id": "p-1"})
    message_ = talk.Message("gemini-2.0-flash-lite", talk.ROOM)
    urls = [
        talk.describe("GOOGLE", endpoint, "token", "", message_, account=account).url
        for endpoint in (
            "https://us-central1-aiplatform.googleapis.com",
            "https://aiplatform.googleapis.com",
            "https://aiplatform.googleapis.com/v1/projects/p-2/locations/europe-west4",
        )
    ]
    path = "publishers/google/models/gemini-2.0-flash-lite:generateContent"
    assert urls == [
        f"https://us-central1-aiplatform.googleapis.com/v1/projects/p-1/locations/us-central1/{path}",
        f"https://aiplatform.googleapis.com/v1/projects/p-1/locations/global/{path}",
        f"https://europe-west4-aiplatform.googleapis.com/v1/projects/p-2/locations/europe-west4/{path}",
    ]


@pytest.mark.parametrize(
    ("type", "endpoint", "limit"),
    [
        ("OPENAI", "https://api.openai.com/v1", "max_completion_tokens"),
        ("OTHER", "https://r.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("OPENAI", "https://api.mistral.ai/v1", "max_tokens"),
        ("OTHER", "https://llm.example.com/v1", "max_tokens"),
        ("GOOGLE", "https://generativelanguage.googleapis.com/v1beta/openai", "max_tokens"),
    ],
)
@pytest.mark.parametrize("thinks", [True, False])
def test_the_room_is_small_unless_the_model_thinks_first(type: str, endpoint: str, limit: str, thinks: bool) -> None:
    asked = talk.describe(type, endpoint, "s", "", talk.first(type, endpoint, "m", thinks=thinks))
    content = json.loads(asked.body)
    assert content == {
        "model": "m",
        "messages": [{"role": "user", "content": talk.WORDS}],
        limit: 512 if thinks else 16,
    }


# --- What an answer means ---------------------------------------------------------------------------------------------


def judged(type: str, endpoint: str, status: int, body: Any) -> tuple[str, str]:
    judgement = talk.judge(type, endpoint, Answer(status, {}, json.dumps(body).encode()), "the-model")
    return judgement.verdict.value, judgement.cause


def said(message: str, code: str | None = None, type: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "code": code}}


OPENAI, GEMINI = "https://api.openai.com/v1", "https://generativelanguage.googleapis.com/v1beta"
CLAUDE, BEDROCK = "https://api.anthropic.com", "https://bedrock-runtime.us-east-1.amazonaws.com"
AZURE = "https://r.openai.azure.com/openai/v1"


@pytest.mark.parametrize(
    ("type", "endpoint", "status", "body", "verdict", "cause"),
    [
        ("OPENAI", OPENAI, 429, said("exceeded", "insufficient_quota"), "limited", "quota_spent"),
        ("OPENAI", OPENAI, 429, said("slow down", "rate_limit_exceeded"), "accepted", "busy"),
        ("OPENAI", OPENAI, 401, said("Incorrect API key", "invalid_api_key"), "rejected", "key_rejected"),
        ("OPENAI", OPENAI, 403, said("missing scopes: model.request"), "limited", "calls_not_permitted"),
        ("OPENAI", OPENAI, 404, said("The model `x` does not exist", "model_not_found"), "limited", "model_not_there"),
        ("OPENAI", OPENAI, 404, said("This is not a chat model"), "undecided", "message_refused"),
        ("OPENAI", OPENAI, 400, said("temperature is wrong"), "undecided", "message_refused"),
        ("OPENAI", OPENAI, 404, {}, "undecided", "path_not_found"),
        ("OPENAI", OPENAI, 500, said("fault"), "undecided", "provider_fault"),
        ("OTHER", "https://api.deepseek.com", 402, said("Insufficient Balance"), "limited", "no_credit"),
        ("OTHER", "https://api.deepseek.com", 400, said("Model Not Exist"), "limited", "model_not_there"),
        ("OTHER", "https://api.mistral.ai/v1", 400, said("Invalid model: x"), "limited", "model_not_there"),
        ("OTHER", "https://api.perplexity.ai", 400, said("Invalid model 'x'."), "limited", "model_not_there"),
        ("OTHER", "https://openrouter.ai/api/v1", 400, said("x is not a valid model ID"), "limited", "model_not_there"),
        ("OTHER", "http://127.0.0.1:11434/v1", 404, said('model "x" not found'), "limited", "model_not_there"),
        ("OTHER", "https://api.minimax.io/v1", 500, said("insufficient balance (1008)"), "limited", "no_credit"),
        ("OTHER", "https://api.minimax.io/v1", 429, said("insufficient balance (1008)"), "limited", "no_credit"),
        ("OTHER", AZURE, 404, said("The API deployment for this resource does not exist.", "DeploymentNotFound"),
         "limited", "model_not_there"),
        ("OTHER", AZURE, 401, said("invalid subscription key", "401"), "rejected", "wrong_resource"),
        ("ANTHROPIC", CLAUDE, 400, said("Your credit balance is too low to access the API"), "limited", "no_credit"),
        ("ANTHROPIC", CLAUDE, 402, said("Billing", None, "billing_error"), "limited", "no_credit"),
        ("ANTHROPIC", CLAUDE, 404, said("model: x", None, "not_found_error"), "limited", "model_not_there"),
        ("ANTHROPIC", CLAUDE, 404, said("Not found", None, "not_found_error"), "rejected", "key_disabled"),
        ("ANTHROPIC", CLAUDE, 529, said("Overloaded", None, "overloaded_error"), "undecided", "provider_unavailable"),
        ("GOOGLE", GEMINI, 403, {"error": {"status": "PERMISSION_DENIED", "message": "no"}}, "limited", "forbidden"),
        ("GOOGLE", GEMINI, 429, {"error": {"status": "RESOURCE_EXHAUSTED", "message": "quota"}}, "accepted", "busy"),
        ("GOOGLE", GEMINI, 404, {"error": {"status": "NOT_FOUND", "message": "models/x is not found for API version"}},
         "limited", "model_not_there"),
        ("AWS", BEDROCK, 403, {"__type": "AccessDeniedException", "message": "You don't have access to the model with"},
         "limited", "model_not_allowed"),
        ("AWS", BEDROCK, 403, {"__type": "AccessDeniedException", "message": "not authorized: bedrock:InvokeModel"},
         "limited", "calls_not_permitted"),
        ("AWS", BEDROCK, 400, {"__type": "ValidationException", "message": "The provided model identifier is invalid."},
         "limited", "model_not_there"),
        ("AWS", BEDROCK, 400, {"__type": "ValidationException", "message": "Invocation with on-demand throughput"},
         "undecided", "profile_needed"),
        ("AWS", BEDROCK, 403, {"__type": "UnrecognizedClientException", "message": "x"}, "rejected", "key_id_unknown"),
        ("OPENAI", OPENAI, 200, {"choices": [{"message": {"content": "OK"}}]}, "accepted", "message_answered"),
        ("OPENAI", OPENAI, 200, {"choices": [{"message": {"content": ""}, "finish_reason": "length"}]},
         "accepted", "message_unfinished"),
        ("OPENAI", OPENAI, 200, {"choices": []}, "undecided", "unexpected_form"),
        ("OPENAI", OPENAI, 200, {"data": [{"id": "m"}]}, "undecided", "unexpected_form"),
        ("OPENAI", OPENAI, 200, said("insufficient balance (1008)"), "limited", "no_credit"),
        ("OPENAI", OPENAI, 200, [1], "undecided", "unexpected_form"),
        ("OPENAI", OPENAI, 302, {}, "undecided", "redirected"),
        ("GOOGLE", GEMINI, 200, {"candidates": [{"finishReason": "MAX_TOKENS"}]}, "accepted", "message_unfinished"),
        ("GOOGLE", GEMINI, 200, {"promptFeedback": {"blockReason": "OTHER"}}, "accepted", "message_answered"),
        ("GOOGLE", GEMINI, 200, {"models": []}, "undecided", "unexpected_form"),
        ("AWS", BEDROCK, 200, {"output": {}}, "undecided", "unexpected_form"),
        ("ANTHROPIC", CLAUDE, 200, {"content": "x"}, "undecided", "unexpected_form"),
    ],
)  # fmt: skip
def test_what_each_answer_means(type: str, endpoint: str, status: int, body: Any, verdict: str, cause: str) -> None:
    assert judged(type, endpoint, status, body) == (verdict, cause)


@pytest.mark.parametrize(
    ("type", "endpoint", "body", "tokens"),
    [
        ("OPENAI", OPENAI, {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 1,
                                                                                  "completion_tokens": 2}}, (1, 2)),
        ("ANTHROPIC", CLAUDE, {"content": [{"text": "x"}], "usage": {"input_tokens": 1, "output_tokens": 2}}, (1, 2)),
        ("GOOGLE", GEMINI, {"candidates": [{}], "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2,
                                                                  "thoughtsTokenCount": 30}}, (1, 32)),
        ("AWS", BEDROCK, {"output": {"message": {"content": [{"text": "x"}]}},
                          "usage": {"inputTokens": 1, "outputTokens": 2}}, (1, 2)),
        ("OPENAI", OPENAI, {"choices": [{"message": {}}], "usage": {"prompt_tokens": True, "completion_tokens": -1}},
         (None, None)),
        ("OPENAI", OPENAI, {"choices": [{"message": {}}], "usage": "free"}, (None, None)),
    ],
)  # fmt: skip
def test_tokens_are_read_where_they_are_told(type: str, endpoint: str, body: Any, tokens: tuple[Any, Any]) -> None:
    facts = talk.judge(type, endpoint, Answer(200, {}, json.dumps(body).encode()), "m").facts
    assert (facts.get("tokens_in"), facts.get("tokens_out")) == tokens


# --- The verb, over a real socket -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type", "path", "values", "models", "model"),
    [
        ("OPENAI", "/openai/v1", {}, ("gpt-4o", "gpt-4o-mini", "text-embedding-3-small"), "gpt-4o-mini"),
        ("GOOGLE", "/gemini/v1beta", {"secret": SECRETS.gemini}, ("models/gemini-2.5-flash-lite",), None),
        ("GOOGLE", "/gemini/v1beta/openai", {"secret": SECRETS.gemini}, ("models/gemini-2.5-flash-lite",), None),
        ("ANTHROPIC", "/anthropic/v1", {"secret": SECRETS.anthropic}, ("claude-haiku-4-5-20251001",), None),
        ("AWS", "/bedrock/us-east-1", PAIR, ("amazon.nova-micro-v1:0",), None),
        ("AWS", "/bedrock/us-east-1", {"secret": SECRETS.bedrock}, ("amazon.nova-micro-v1:0",), None),
        ("OTHER", "/no-list/v1", {}, ("gpt-4o-mini",), None),
        ("OTHER", "/public-list/v1", {}, ("gpt-4o-mini",), None),
    ],
)
def test_an_answered_message_is_accepted_and_shows_what_it_took(
    people: People, make: Make, sandbox: Sandbox, type: str, path: str, values: Any, models: Any, model: str | None
) -> None:
    row = make(path, type=type, models=models, **values)
    check = message.send(people.writer, row)
    row.refresh_from_db()
    assert (check.verdict, check.cause, check.kind) == ("accepted", "message_answered", CheckKind.MESSAGE)
    assert (row.verdict, row.last_check) == ("accepted", check)
    assert len(sandbox.requests) == 1
    shown = outcomes.present(check)
    assert shown["message"] == {
        "model": model or models[0],
        "latency": check.facts["latency"],
        "tokens_in": 9,
        "tokens_out": 7,
    }
    assert check.facts["latency"] >= 1
    assert [stage["words"] for stage in shown["stages"]][-1] == "Message: passed"
    assert "9 tokens in and 7 out" in shown["sentence"]
    assert "The sandbox provider hears you" not in json.dumps(shown) + json.dumps(check.facts)


@pytest.mark.parametrize(
    ("type", "path", "values", "model", "verdict", "cause"),
    [
        ("OTHER", "/empty-purse/v1", {}, "gpt-4o-mini", "limited", "quota_spent"),
        ("OTHER", "/no-credit/v1", {}, "gpt-4o-mini", "limited", "no_credit"),
        ("OTHER", "/retired/v1", {}, "gpt-4o-mini", "limited", "model_not_there"),
        ("OTHER", "/openai/v1", {}, "no-such-model", "limited", "model_not_there"),
        ("ANTHROPIC", "/low-balance/v1", {"secret": SECRETS.anthropic}, "claude-haiku-4-5-20251001", "limited",
         "no_credit"),
        ("GOOGLE", "/gemini-closed/v1beta", {"secret": SECRETS.gemini}, "gemini-2.5-flash-lite", "limited",
         "forbidden"),
        ("AWS", "/no-access/us-east-1", PAIR, "amazon.nova-micro-v1:0", "limited", "model_not_allowed"),
        ("OPENAI", "/openai/v1", {"secret": "wrong-secret-of-some-length"}, "gpt-4o", "rejected", "key_rejected"),
        ("OTHER", "/html/v1", {}, "m", "undecided", "web_page"),
        ("OTHER", "/fault/v1", {}, "m", "undecided", "provider_fault"),
        ("OTHER", "/shield/v1", {}, "m", "undecided", "shielded"),
        ("OTHER", "/cut/v1", {}, "gpt-4o", "undecided", "connection_closed"),
        ("AWS", "/bedrock", PAIR, "m", "undecided", "region_unknown"),
        ("AWS", "/bedrock/us-east-1", {"secret": "x" * 40, "key": "SANDBOXACCESSKEY0002"}, "m", "rejected",
         "signature_wrong"),
        ("AWS", "/bedrock/us-east-1",
         {"secret": ACCESS_KEYS["SANDBOXACCESSKEY0002"].secret, "key": "SANDBOXACCESSKEY0002"},
         "amazon.nova-micro-v1:0", "limited", "calls_not_permitted"),
    ],
)  # fmt: skip
def test_what_only_a_message_shows(
    people: People, make: Make, type: str, path: str, values: Any, model: str, verdict: str, cause: str
) -> None:
    row = make(path, type=type, **values)
    check = message.send(people.writer, row, model=model)
    shown = outcomes.present(check)
    assert (check.verdict, check.cause) == (verdict, cause)
    assert not re.search(r"  |\{| [,.]", shown["sentence"])
    assert shown["stages"][-1]["name"] == "message"


def test_a_model_that_says_nothing_for_want_of_room_is_asked_once_more_with_room(
    people: People, make: Make, sandbox: Sandbox
) -> None:
    check = message.send(people.writer, make("/ponder/v1"), model="ponder-small")
    assert check.cause == "message_answered"
    assert [json.loads(request.body)["max_tokens"] for request in posts(sandbox)] == [16, 512]


def test_a_model_known_to_think_gets_room_at_once(people: People, make: Make, sandbox: Sandbox) -> None:
    message.send(people.writer, make(), model="o4-mini")
    assert [json.loads(request.body)["max_completion_tokens"] for request in posts(sandbox)] == [512]


def test_a_model_that_never_speaks_is_accepted_and_its_tokens_are_shown(
    people: People, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ai_llm.sandbox.talk.ROOM_TO_THINK", 10_000)
    shown = outcomes.present(message.send(people.writer, make("/ponder/v1"), model="ponder-small"))
    assert (shown["verdict"], shown["cause"], shown["message"]["tokens_out"]) == ("accepted", "message_unfinished", 512)
    assert "512 tokens" in shown["sentence"]


def test_the_other_name_of_the_limit_is_used_when_the_provider_asks_for_it(
    people: People, make: Make, sandbox: Sandbox
) -> None:
    check = message.send(people.writer, make("/new-limit/v1"), model="gpt-4o-mini")
    assert check.cause == "message_answered"
    assert [sorted(json.loads(request.body))[0] for request in posts(sandbox)] == [
        "max_tokens",
        "max_completion_tokens",
    ]


def test_a_refusal_at_an_unknown_host_counts_only_when_a_made_up_secret_gets_another(
    people: People, make: Make, sandbox: Sandbox
) -> None:
    sent = message.send(people.writer, make("/empty-purse/v1"), model="gpt-4o-mini")
    first, second = (request.headers["Authorization"] for request in sandbox.requests)
    assert sent.cause == "quota_spent"
    assert (first == second, len(first)) == (False, len(second))
    assert message.send(people.writer, make("/keyless/v1"), model="no-such-model").cause == "model_absent"


def test_a_keyless_endpoint_is_asked_without_a_secret(people: People, make: Make, sandbox: Sandbox) -> None:
    row = make("/keyless/v1", secret="", keyless=True)
    check = message.send(people.writer, row, model="llama3.2:3b")
    assert (check.verdict, check.cause) == ("accepted", "message_answered_openly")
    assert [request.header("Authorization") for request in sandbox.requests] == [""]
    assert message.send(people.writer, row, model="gone:1b").cause == "model_absent"
    closed = make("/openai/v1", secret="", keyless=True)
    assert message.send(people.writer, closed, model="gpt-4o").cause == "secret_needed"


def test_a_secret_bound_elsewhere_is_never_sent(people: People, make: Make, sandbox: Sandbox) -> None:
    row = make()
    AiLlm.objects.filter(pk=row.pk).update(endpoint=sandbox.url("/openai/v1").replace("127.0.0.1", "localhost"))
    assert message.send(people.writer, row, model="gpt-4o").cause == "secret_bound_elsewhere"
    assert sandbox.requests == []


def test_a_secret_that_cannot_be_opened_sends_nothing(people: People, make: Make, sandbox: Sandbox) -> None:
    row = make()
    type(row.credential).objects.filter(pk=row.credential_id).update(key_id="gone", secret=None)
    assert message.send(people.writer, row, model="gpt-4o").cause == "secret_unavailable"
    assert sandbox.requests == []


@pytest.mark.parametrize("model", ["two words", "a" * 201, "line\nbreak", "sk-ant-api03-abcdefghijklmnop"])
def test_what_cannot_be_the_name_of_a_model_is_refused(
    people: People, make: Make, sandbox: Sandbox, model: str
) -> None:
    with pytest.raises(Invalid) as caught:
        message.send(people.writer, make(), model=model)
    assert list(caught.value.errors) == ["model"]
    assert sandbox.requests == []


def test_the_stored_secret_in_the_place_of_a_model_is_not_sent(people: People, make: Make, sandbox: Sandbox) -> None:
    with pytest.raises(Invalid) as caught:
        message.send(people.writer, make(secret=CANARY), model=f"x{CANARY}")
    assert CANARY not in str(caught.value)
    assert (sandbox.requests, Check.objects.count()) == ([], 0)


def test_at_azure_the_deployment_must_be_named(people: People, make: Make, sandbox: Sandbox) -> None:
    row = make("/azure/openai/v1", models=("gpt-4o-mini",))
    with pytest.raises(Invalid, match="name of a model"):
        message.send(people.writer, row)
    assert message.send(people.writer, row, model="gpt-4o-mini").cause == "message_answered"
    assert [request.header("api-key") for request in sandbox.requests] == [SECRETS.openai]


@pytest.mark.parametrize("models", [(), ("text-embedding-3-small", "whisper-1")])
def test_without_a_model_that_can_chat_one_must_be_entered(
    people: People, make: Make, sandbox: Sandbox, models: tuple[str, ...]
) -> None:
    with pytest.raises(Invalid, match="name of a model"):
        message.send(people.writer, make(models=models))
    assert sandbox.requests == []


def test_needs_write_and_a_row_that_is_there(people: People, make: Make, sandbox: Sandbox) -> None:
    row = make()
    with pytest.raises(Denied):
        message.send(people.reader, row, model="gpt-4o")
    configs.delete(people.writer, row)
    with pytest.raises(NotFound):
        message.send(people.writer, row, model="gpt-4o")
    assert sandbox.requests == []


def test_keeps_one_event_and_counts_like_a_check(people: People, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "CHECKS_A_MINUTE", 1)
    monkeypatch.setattr(validation.time, "time", lambda: 1_800_000_010.0)
    row = make()
    message.send(people.writer, row, model="gpt-4o")
    with pytest.raises(validation.Busy):
        message.send(people.writer, row, model="gpt-4o")
    event = Event.objects.get(action="ai_llm.validated")
    assert (event.details["cause"], event.details["kind"]) == ("message_answered", "message")
    assert "tested with one tiny message: accepted" in event_words(event)


def test_a_message_that_decides_nothing_leaves_the_state_as_it_is(people: People, make: Make) -> None:
    row = make()
    validation.validate(people.writer, row)
    AiLlm.objects.filter(pk=row.pk).update(endpoint=row.endpoint.replace("/openai/", "/fault/"))
    check = message.send(people.writer, row, model="gpt-4o")
    row.refresh_from_db()
    assert (check.cause, row.verdict) == ("provider_fault", "accepted")


def test_a_row_that_changes_meanwhile_keeps_nothing(
    people: People, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, real = make(), probing.outbound.send

    def send(*arguments: Any, **values: Any) -> Answer:
        AiLlm.objects.filter(pk=row.pk).update(version=99)
        return real(*arguments, **values)

    monkeypatch.setattr(probing.outbound, "send", send)
    with pytest.raises(Conflict):
        message.send(people.writer, row, model="gpt-4o")
    assert Check.objects.count() == 0


@pytest.mark.parametrize("path", ["/echo/v1", "/openai/v1", "/html/v1", "/fault/v1"])
def test_nothing_of_the_result_holds_the_secret(people: People, make: Make, path: str) -> None:
    check = message.send(people.writer, make(path, secret=CANARY), model="gpt-4o")
    assert CANARY not in json.dumps(outcomes.present(check)) + json.dumps(check.facts) + check.excerpt


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_during_the_call(
    people: People, make: Make, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, real, seen = make(), probing.outbound.send, []

    def send(*arguments: Any, **values: Any) -> Answer:
        seen.append(connection.in_atomic_block)
        return real(*arguments, **values)

    monkeypatch.setattr(probing.outbound, "send", send)
    message.send(people.writer, row, model="gpt-4o")
    assert seen == [False]
    sandbox.requests.clear()
    with pytest.raises(RuntimeError, match="transaction"), transaction.atomic():
        message.send(people.writer, row, model="gpt-4o")
    assert sandbox.requests == []


# --- The page and the button ------------------------------------------------------------------------------------------

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def client(people: People, signed_in: Callable[[User], Client]) -> Client:
    return signed_in(people.writer)


def address(row: AiLlm) -> str:
    return f"/w/{row.workspace.slug}/ai/llm/{row.pk}/message"


def token(client: Client, row: AiLlm) -> str:
    found = re.search(r'name="once" value="([^"]+)"', client.get(address(row)).content.decode())
    assert found
    return found[1]


def test_a_look_at_the_page_says_what_it_costs_and_sends_nothing(client: Client, make: Make, sandbox: Sandbox) -> None:
    row = make(models=("gpt-4o", "gpt-4o-mini"))
    page = " ".join(client.get(address(row)).content.decode().split())
    assert "one request of about 20 tokens" in page
    assert '<option value="gpt-4o-mini"' in page
    assert page.index('value="gpt-4o-mini"') < page.index('value="gpt-4o"')
    assert sandbox.requests == []


def test_a_public_provider_may_charge(client: Client, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace)
    page = client.get(address(row)).content.decode()
    assert "It may cost: OpenAI charges the account for it" in page
    assert "Name of the model" in page


def test_a_model_that_thinks_costs_more_and_the_page_says_so(client: Client, make: Make) -> None:
    page = client.get(address(make(models=("o3",)))).content.decode()
    assert "up to 512 more, because this model thinks" in page


def test_azure_asks_for_the_deployment(client: Client, people: People) -> None:
    row = build.ai_llm(people.writer, people.workspace, endpoint="https://r.openai.azure.com/openai/v1")
    ModelList.objects.create(ai_llm=row, endpoint=row.endpoint, names=["gpt-4o"])
    page = client.get(address(row)).content.decode()
    assert "Deployment" in page
    assert "<select" not in page


def test_without_scripts_the_answer_is_the_page_with_the_result(client: Client, make: Make, sandbox: Sandbox) -> None:
    row = make(models=("gpt-4o", "gpt-4o-mini"))
    answer = client.post(address(row), {"once": token(client, row), "model": "gpt-4o"})
    assert (answer.status_code, answer.headers["Location"]) == (303, address(row))
    page = client.get(address(row)).content.decode()
    assert "A model answered" in page
    assert "Tokens out" in page
    assert [json.loads(request.body)["model"] for request in posts(sandbox)] == ["gpt-4o"]


def test_with_scripts_the_answer_is_the_piece_and_the_state(client: Client, make: Make) -> None:
    row = make(models=("gpt-4o", "gpt-4o-mini"))
    piece = client.post(address(row), {"once": token(client, row), "other": "gpt-4.1"}, **HTMX).content.decode()
    assert "<html" not in piece
    assert 'id="state" hx-swap-oob="innerHTML"' in piece
    assert "The state above is from this message" in piece
    assert ">gpt-4.1<" in re.sub(r"\s", "", piece)
    assert '<div id="messages" hx-swap-oob="innerHTML"></div>' in piece  # what was said of an earlier act is over


def test_a_message_that_decided_nothing_shows_its_own_strip(client: Client, make: Make) -> None:
    row = make("/keyless/v1", models=("llama3.2:3b",))
    validation_state = {"verdict": "accepted"}
    AiLlm.objects.filter(pk=row.pk).update(**validation_state)
    piece = client.post(address(row), {"once": token(client, row), "other": "gone"}, **HTMX).content.decode()
    assert "has no model gone" in piece
    assert "The state above is from this message" not in piece


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["no-scripts", "scripts"])
def test_one_form_sends_one_message_however_often_it_is_clicked(
    client: Client, make: Make, sandbox: Sandbox, headers: dict[str, str]
) -> None:
    row = make(models=("gpt-4o-mini",))
    form = {"once": token(client, row), "model": "gpt-4o-mini"}
    first, second = (client.post(address(row), form, **headers) for _ in range(2))
    assert len(posts(sandbox)) == 1
    assert first.status_code == second.status_code == (200 if headers else 303)
    assert ("was not sent again" in second.content.decode()) is bool(headers)


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_the_same_moment_send_one(
    people: People, make: Make, sandbox: Sandbox, signed_in: Callable[[User], Client]
) -> None:
    row = make(models=("gpt-4o-mini",))
    clients = [signed_in(people.writer) for _ in range(2)]
    form = {"once": token(clients[0], row), "model": "gpt-4o-mini"}
    gate = threading.Barrier(2)

    def click(client: Client) -> None:
        try:
            gate.wait()
            client.post(address(row), form)
        finally:
            connection.close()

    threads = [threading.Thread(target=click, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(posts(sandbox)) == 1
    assert Check.objects.count() == 1


@pytest.mark.parametrize("spoil", ["missing", "torn", "old", "another version", "another person"])
def test_a_form_that_was_not_made_for_this_is_refused(
    client: Client, people: People, make: Make, sandbox: Sandbox, signed_in: Callable[[User], Client], spoil: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    row = make(models=("gpt-4o-mini",))
    once = token(signed_in(people.admin) if spoil == "another person" else client, row)
    once = {"missing": "", "torn": once[:-2]}.get(spoil, once)
    if spoil == "old":
        monkeypatch.setattr("ai_llm.message_form.VALID_SECONDS", -1)
    if spoil == "another version":
        AiLlm.objects.filter(pk=row.pk).update(version=7)
    answer = client.post(address(row), {"once": once, "model": "gpt-4o-mini"})
    assert answer.status_code == 422
    assert "too old, or this AI LLM was changed" in answer.content.decode()
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Choose a model of the list"),
        ({"model": "not-in-the-list"}, "Choose a model of the list"),
        ({"other": "two words"}, "without blanks"),
        ({"other": "sk-ant-api03-abcdefghijklmnop"}, "looks like a secret"),
        ({"other": "nul\0"}, "Null characters"),
    ],
)
def test_a_refused_form_says_what_to_do(
    client: Client, make: Make, sandbox: Sandbox, fields: dict[str, str], words: str
) -> None:
    row = make(models=("gpt-4o-mini",))
    for headers in ({}, HTMX):
        answer = client.post(address(row), {"once": token(client, row), **fields}, **headers)
        assert answer.status_code == 422
        assert words in answer.content.decode()
    assert posts(sandbox) == []


def test_too_many_is_said_with_the_time_to_wait(client: Client, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "CHECKS_A_MINUTE", 0)
    row = make(models=("gpt-4o-mini",))
    plain = client.post(address(row), {"once": token(client, row), "model": "gpt-4o-mini"})
    piece = client.post(address(row), {"once": token(client, row), "model": "gpt-4o-mini"}, **HTMX)
    assert (plain.status_code, piece.status_code) == (429, 200)
    assert int(plain.headers["Retry-After"]) <= 60
    assert "You have run 0 checks" in piece.content.decode()


def test_a_message_that_had_to_wait_can_be_sent_from_the_same_form(
    client: Client, make: Make, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    row = make(models=("gpt-4o-mini",))
    sent = {"once": token(client, row), "model": "gpt-4o-mini"}
    monkeypatch.setattr(validation, "CHECKS_A_MINUTE", 0)
    assert (client.post(address(row), sent).status_code, posts(sandbox)) == (429, [])
    monkeypatch.undo()
    client.post(address(row), sent)
    assert len(posts(sandbox)) == 1


def test_a_message_under_way_is_announced(client: Client, make: Make) -> None:
    row = make(models=("gpt-4o-mini",))
    cache.set(f"message-under-way:{row.pk}", "under way")
    assert "A message is on its way" in client.get(address(row)).content.decode()


def test_the_page_of_an_ai_llm_offers_it_to_those_who_may(
    people: People, make: Make, signed_in: Callable[[User], Client]
) -> None:
    row = make(models=("gpt-4o-mini",))
    home = address(row).removesuffix("/message")
    pages = {who: signed_in(getattr(people, who)).get(home).content.decode() for who in ("writer", "reader")}
    assert {who: "Send one tiny message" in page for who, page in pages.items()} == {"writer": True, "reader": False}


def test_a_check_that_proves_nothing_points_at_the_message(client: Client, people: People, make: Make) -> None:
    row = make("/public-list/v1")
    check = validation.validate(people.writer, row)
    assert outcomes.present(check)["action"]["kind"] == "message"
    home = client.get(address(row).removesuffix("/message")).content.decode()
    assert 'href="#message-heading"' in home


def test_only_the_button_its_form_and_the_call_know_the_verb() -> None:
    files = (Path(__file__).parents[1] / "ai_llm").rglob("*.py")
    knows = re.compile(r"^from ai_llm import .*\bmessage\b|^from ai_llm\.message import", re.MULTILINE)
    assert {path.stem for path in files if knows.search(path.read_text())} == {
        "api_message", "message_form", "message_views",
    }  # fmt: skip


def test_nothing_else_sends_a_message(people: People, make: Make, sandbox: Sandbox, client: Client) -> None:
    row = make(models=("gpt-4o-mini",))
    validation.validate(people.writer, row)
    client.get(address(row))
    client.get(address(row).removesuffix("/message"))
    client.post(address(row).removesuffix("message") + "validate")
    assert posts(sandbox) == []


def test_a_message_over_the_api_is_the_consoles(people: People, sandbox: Sandbox) -> None:
    row = build.ai_llm(people.writer, people.workspace, type="OTHER", endpoint=sandbox.url("/openai/v1"))
    sent = Api(people.writer).post(f"/ai/llm/{row.pk}/message", {"model": "gpt-4o-mini"}).json()
    check = Check.objects.get(pk=sent["checkId"])
    assert (sent["success"], check.kind, check.by) == (True, CheckKind.MESSAGE, people.writer)
    before = Event.objects.latest("id")
    message.send(people.writer, row, model="gpt-4o-mini")
    assert (before.action, before.details.keys()) == (Event.objects.latest("id").action, before.details.keys())
    assert Api(people.writer).post(f"/ai/llm/{row.pk}/message", {"model": "two words"}).json()["errors"].keys() == {
        "model"
    }
    assert Api(people.reader).post(f"/ai/llm/{row.pk}/message").status_code == 403
    assert Api(people.stranger).post(f"/ai/llm/{row.pk}/message").status_code == 404
