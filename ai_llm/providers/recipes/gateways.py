"""Gateways and routers: one key for the models of many. Most of their lists are public, so they prove nothing."""

from collections.abc import Mapping
from typing import Any

from ai_llm.providers import practice
from ai_llm.providers.facts import Recipe

ORDER = 3
CALLS = "inference.serverless.write"


def _openrouter_key(told: Mapping[str, Any]) -> str:
    # https://openrouter.ai/docs/api-reference/limits: the key's own cap is used up
    left = told.get("limit_remaining")
    return "no_credit" if isinstance(left, int | float) and left <= 0 else ""


def _huggingface_token(told: Mapping[str, Any]) -> str:
    """A fine-grained token needs one permission for calls: https://huggingface.co/docs/inference-providers."""
    token = _inside(_inside(told, "auth"), "accessToken")
    if token.get("role") != "fineGrained":
        return ""
    fine = _inside(token, "fineGrained")
    scoped = fine.get("scoped") if isinstance(fine.get("scoped"), list) else []
    lists = [fine.get("global"), *(row.get("permissions") for row in scoped or [] if isinstance(row, dict))]
    return "" if any(isinstance(names, list) and CALLS in names for names in lists) else "calls_not_permitted"


def _inside(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = holder.get(name)
    return found if isinstance(found, dict) else {}


def _vercel_credits(told: Mapping[str, Any]) -> str:
    try:
        return "no_credit" if float(told["balance"]) <= 0 else ""
    except (TypeError, ValueError):
        return ""


def _pollinations_key(told: Mapping[str, Any]) -> str:
    if told["valid"] is not True:
        return "key_rejected"
    budget = told.get("pollenBudget")
    return "no_credit" if isinstance(budget, int | float) and budget <= 0 else ""


RECIPES = (
    Recipe(
        "GitHub Models",
        "github-models",
        ("models.github.ai",),
        (
            "https://docs.github.com/en/rest/models/catalog",
            "https://docs.github.com/en/rest/models/inference",
            "https://docs.openwebui.com/getting-started/quick-start/starting-with-openai-compatible",
        ),
        about="Models at GitHub, with a token that has the permission models:read.",
        note="GitHub has a catalogue in place of a list of models; only a message proves the token.",
        base="https://models.github.ai/inference",
        listing=practice.fixed("github-models", "https://models.github.ai/catalog/models"),
        checks_keys=False,
        make_key_url="https://github.com/settings/personal-access-tokens",
        status_url="https://www.githubstatus.com",
        confirmed=False,
    ),
    Recipe(
        "Hugging Face",
        "hugging-face",
        ("router.huggingface.co",),
        (
            "https://huggingface.co/docs/inference-providers",
            "https://huggingface.co/docs/hub/security-tokens",
            "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors/huggingface",
        ),
        about="Models of many providers through Hugging Face.",
        note="The token needs the permission to make calls to Inference Providers.",
        base="https://router.huggingface.co/v1",
        proof="https://huggingface.co/api/whoami-v2",
        proof_field="name",
        told=_huggingface_token,
        make_key_url="https://huggingface.co/settings/tokens",
        billing_url="https://huggingface.co/settings/billing",
        status_url="https://status.huggingface.co",
    ),
    Recipe(
        "Kilo Gateway",
        "kilo",
        ("api.kilo.ai",),
        ("https://kilo.ai/docs/gateway", "https://github.com/tashfeenahmed/freellmapi/issues/987"),
        about="Models of many providers through Kilo. Its list is public, so only a message proves a key.",
        note="The list of models is public, and some models need no key.",
        base="https://api.kilo.ai/api/gateway",
        checks_keys=False,
        make_key_url="https://app.kilo.ai",
        confirmed=False,
    ),
    Recipe(
        "ModelScope",
        "modelscope",
        ("api-inference.modelscope.cn",),
        (
            "https://github.com/tashfeenahmed/freellmapi/blob/main/server/src/providers/modelscope.ts",
            "https://www.modelscope.cn/docs/model-service/API-Inference/intro",
        ),
        about="Open models at ModelScope. Its list is public, so only a message proves a key.",
        note="The list of models is public.",
        base="https://api-inference.modelscope.cn/v1",
        checks_keys=False,
        make_key_url="https://www.modelscope.cn/my/myaccesstoken",
    ),
    Recipe(
        "OpenCode Zen",
        "opencode-zen",
        ("opencode.ai",),
        ("https://opencode.ai/docs/zen", "https://docs.docker.com/ai/docker-agent/providers/opencode-zen"),
        about="Models for coding at OpenCode. Its list is public, so only a message proves a key.",
        note="The list of models is public.",
        base="https://opencode.ai/zen/v1",
        checks_keys=False,
        make_key_url="https://opencode.ai/auth",
    ),
    Recipe(
        "OpenRouter",
        "openrouter",
        ("openrouter.ai",),
        (
            "https://openrouter.ai/docs/api-reference/limits",
            "https://openrouter.ai/docs/api-reference/errors",
            "https://github.com/tinyhumansai/openhuman/issues/2366",
        ),
        about="Models of many providers under one key. The check also reads the key's cap.",
        note="The list of models is public; the address of the key proves it.",
        base="https://openrouter.ai/api/v1",
        proof="https://openrouter.ai/api/v1/key",
        proof_field="label",
        told=_openrouter_key,
        make_key_url="https://openrouter.ai/keys",
        billing_url="https://openrouter.ai/credits",
        status_url="https://status.openrouter.ai",
    ),
    Recipe(
        "Pollinations",
        "pollinations",
        ("gen.pollinations.ai",),
        (
            "https://github.com/pollinations/pollinations/blob/main/APIDOCS.md",
            "https://github.com/tashfeenahmed/freellmapi/blob/main/server/src/providers/index.ts",
        ),
        about="Models at Pollinations. Its list is public, so the key's own address is asked.",
        note="The list of models is public; the address of the key proves it.",
        base="https://gen.pollinations.ai/v1",
        proof="https://gen.pollinations.ai/account/key",
        proof_field="valid",
        told=_pollinations_key,
        make_key_url="https://enter.pollinations.ai",
    ),
    Recipe(
        "Vercel AI Gateway",
        "vercel",
        ("ai-gateway.vercel.sh",),
        (
            "https://vercel.com/docs/ai-gateway/usage",
            "https://vercel.com/docs/ai-gateway/openai-compat",
            "https://github.com/charmbracelet/crush/issues/997",
        ),
        about="Models of many providers through Vercel. The check also reads the credit.",
        note="The list of models is public; the address of the credit proves the key.",
        base="https://ai-gateway.vercel.sh/v1",
        proof="https://ai-gateway.vercel.sh/v1/credits",
        proof_field="balance",
        told=_vercel_credits,
        make_key_url="https://vercel.com/dashboard",
        billing_url="https://vercel.com/dashboard",
        status_url="https://www.vercel-status.com",
    ),
)
