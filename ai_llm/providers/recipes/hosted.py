"""Providers that serve their own or open models under one key of theirs."""

import re
from collections.abc import Mapping
from typing import Any

from ai_llm.providers import practice
from ai_llm.providers.facts import Error, Recipe

ORDER = 2


def _openai(status: int, error: Error) -> str:
    # https://platform.openai.com/docs/guides/error-codes
    if status == 401 and error.codes & {"account_deactivated", "deactivated_account"}:
        return "key_disabled"
    return ""


def _together(status: int, error: Error) -> str:
    # https://docs.together.ai/docs/error-codes: 403 is too many tokens, not a missing right; 400 may be a bad key
    if status == 400 and "key" in error.message.lower():
        return "key_rejected"
    return "busy" if status == 403 and "too many tokens" in error.message.lower() else ""


def _xai(status: int, error: Error) -> str:
    # xAI answers 400 for a wrong key: https://docs.x.ai/docs/api-reference#get-api-key-information
    message = error.message.lower()
    if status == 400 and "api key" in message:
        return "key_rejected"
    # 403: the key or its team is blocked, or it lacks a right: https://docs.x.ai/docs/key-information/debugging
    if status == 403 and "blocked" in message:
        return "account_blocked"
    return "no_credit" if status in {403, 429} and re.search(r"credits|spending limit", message) else ""


def _xai_key(told: Mapping[str, Any]) -> str:
    if told.get("api_key_blocked") is True or told.get("api_key_disabled") is True:
        return "key_disabled"
    if told.get("team_blocked") is True:
        return "account_blocked"
    return "scope_missing" if told.get("acls") == [] else ""


def _deepseek_balance(told: Mapping[str, Any]) -> str:
    return "" if told["is_available"] is True else "no_credit"


def _cohere_key(told: Mapping[str, Any]) -> str:
    return "" if told["valid"] is True else "key_rejected"


def _ollama_cloud(status: int, error: Error) -> str:
    # https://docs.ollama.com/cloud: some models need a subscription
    return "subscription_needed" if status in {402, 403} and "subscription" in error.message.lower() else ""


RECIPES = (
    Recipe(
        "OpenAI",
        "openai",
        ("api.openai.com",),
        (
            "https://platform.openai.com/docs/api-reference/models/list",
            "https://platform.openai.com/docs/guides/error-codes",
        ),
        about="OpenAI itself.",
        note="An account without credit still lists models; only a message shows that.",
        base="https://api.openai.com/v1",
        refine=_openai,
        make_key_url="https://platform.openai.com/api-keys",
        billing_url="https://platform.openai.com/settings/organization/billing",
        status_url="https://status.openai.com",
        offered=False,
    ),
    Recipe(
        "Cerebras",
        "cerebras",
        ("api.cerebras.ai",),
        ("https://inference-docs.cerebras.ai/api-reference/models",),
        about="Open models on Cerebras hardware.",
        base="https://api.cerebras.ai/v1",
        checks_keys=False,
        make_key_url="https://cloud.cerebras.ai",
        confirmed=False,
    ),
    Recipe(
        "Cohere",
        "cohere",
        ("api.cohere.ai", "api.cohere.com"),
        (
            "https://docs.cohere.com/reference/check-api-key",
            "https://docs.cohere.com/docs/compatibility-api",
            "https://docs.cohere.com/reference/list-models",
            "https://docs.cohere.com/reference/errors",
        ),
        about="Cohere's Command models in OpenAI's form.",
        base="https://api.cohere.ai/compatibility/v1",
        listing=practice.fixed("cohere", "https://api.cohere.com/v1/models"),
        proof="https://api.cohere.com/v1/check-api-key",
        proof_method="POST",
        proof_field="valid",
        told=_cohere_key,
        make_key_url="https://dashboard.cohere.com/api-keys",
        billing_url="https://dashboard.cohere.com/billing",
        status_url="https://status.cohere.com",
    ),
    Recipe(
        "DeepSeek",
        "deepseek",
        ("api.deepseek.com",),
        (
            "https://api-docs.deepseek.com/api/get-user-balance",
            "https://api-docs.deepseek.com/api/list-models",
            "https://api-docs.deepseek.com/quick_start/error_codes",
        ),
        about="DeepSeek's own models. The check also tells whether there is credit.",
        base="https://api.deepseek.com",
        proof="https://api.deepseek.com/user/balance",
        proof_field="is_available",
        told=_deepseek_balance,
        make_key_url="https://platform.deepseek.com/api_keys",
        billing_url="https://platform.deepseek.com/top_up",
        status_url="https://status.deepseek.com",
    ),
    Recipe(
        "Fireworks",
        "fireworks",
        ("api.fireworks.ai",),
        ("https://docs.fireworks.ai/tools-sdks/openai-compatibility",),
        about="Open models at Fireworks.",
        base="https://api.fireworks.ai/inference/v1",
        checks_keys=False,
        make_key_url="https://app.fireworks.ai/settings/users/api-keys",
        status_url="https://status.fireworks.ai",
        confirmed=False,
    ),
    Recipe(
        "Groq",
        "groq",
        ("api.groq.com",),
        ("https://console.groq.com/docs/api-reference#models-list", "https://console.groq.com/docs/errors"),
        about="Open models on Groq hardware.",
        base="https://api.groq.com/openai/v1",
        make_key_url="https://console.groq.com/keys",
        billing_url="https://console.groq.com/settings/billing",
        status_url="https://groqstatus.com",
    ),
    Recipe(
        "MiniMax",
        "minimax",
        ("api.minimax.io", "api.minimaxi.com"),
        ("https://github.com/charmbracelet/crush/blob/main/internal/config/config.go",),
        about="MiniMax models. Its keys can only be checked by sending a message.",
        note="MiniMax documents no free address that checks a key.",
        base="https://api.minimax.io/v1",
        lists_models=False,
        make_key_url="https://platform.minimax.io/user-center/basic-information/interface-key",
    ),
    Recipe(
        "Mistral",
        "mistral",
        ("api.mistral.ai",),
        ("https://docs.mistral.ai/api/#tag/models", "https://github.com/cline/cline/issues/13288"),
        about="Mistral's own models.",
        note="A key for codestral.mistral.ai is another kind and is refused here.",
        base="https://api.mistral.ai/v1",
        make_key_url="https://console.mistral.ai/api-keys",
        billing_url="https://console.mistral.ai/billing",
        status_url="https://status.mistral.ai",
    ),
    Recipe(
        "NVIDIA",
        "nvidia",
        ("integrate.api.nvidia.com",),
        ("https://docs.nvidia.com/cloud-functions/user-guide/latest/cloud-function/api.html",),
        about="Models in NVIDIA's catalogue. Its list of models is public, so another address is asked.",
        note="The list of models is public; the list of functions of the account proves the key.",
        base="https://integrate.api.nvidia.com/v1",
        proof="https://api.nvcf.nvidia.com/v2/nvcf/functions",
        proof_field="functions",
        make_key_url="https://build.nvidia.com/settings/api-keys",
        confirmed=False,
    ),
    Recipe(
        "Ollama cloud",
        "ollama-cloud",
        ("ollama.com",),
        ("https://docs.ollama.com/api/authentication", "https://docs.ollama.com/cloud"),
        about="Large open models at Ollama. Its list is public, so only a message proves a key.",
        note="The list of models is public.",
        base="https://ollama.com/v1",
        checks_keys=False,  # its documentation asks for the list without a key
        refine=_ollama_cloud,
        make_key_url="https://ollama.com/settings/keys",
    ),
    Recipe(
        "Perplexity",
        "perplexity",
        ("api.perplexity.ai",),
        (
            "https://docs.perplexity.ai/api-reference/chat-completions-post",
            "https://docs.openwebui.com/getting-started/quick-start/starting-with-openai-compatible",
        ),
        about="Perplexity's Sonar models. Its keys can only be checked by sending a message.",
        note="Perplexity has no list of models.",
        base="https://api.perplexity.ai",
        lists_models=False,
        make_key_url="https://www.perplexity.ai/account/api/keys",
    ),
    Recipe(
        "Together",
        "together",
        ("api.together.xyz", "api.together.ai"),
        ("https://docs.together.ai/docs/error-codes", "https://docs.together.ai/reference/models-1"),
        about="Open models at Together.",
        base="https://api.together.xyz/v1",
        refine=_together,
        make_key_url="https://api.together.ai/settings/api-keys",
        billing_url="https://api.together.ai/settings/billing",
        status_url="https://status.together.ai",
    ),
    Recipe(
        "xAI",
        "xai",
        ("api.x.ai",),
        (
            "https://docs.x.ai/docs/api-reference#get-api-key-information",
            "https://docs.x.ai/docs/key-information/debugging",
            "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors/xai",
        ),
        about="The Grok models of xAI.",
        base="https://api.x.ai/v1",
        proof="https://api.x.ai/v1/api-key",
        proof_field="name",
        told=_xai_key,
        refine=_xai,
        make_key_url="https://console.x.ai",
        billing_url="https://console.x.ai",
        status_url="https://status.x.ai",
    ),
)
