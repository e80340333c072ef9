"""Hosts that speak the OpenAI form with facts of their own. Adding one is adding a row.

A host that is not here is unknown: its list counts as proof only after the control probe. `confirmed=False` marks rows
whose behaviour nobody has documented in public.
"""

import re
from urllib.parse import urlsplit

from ai_llm.providers import addresses
from ai_llm.providers.facts import Error, Recipe


def pick(endpoint: str) -> Recipe | None:
    """Return the row of the endpoint's host: by host and port, by host, or by suffix; None when it is unknown."""
    host, located = addresses.host_of(endpoint), addresses.host_and_port(endpoint)
    return _EXACT.get(located) or _EXACT.get(host) or _of_suffix(host)


def _of_suffix(host: str) -> Recipe | None:
    return next((row for suffix, row in _SUFFIXES if host.endswith(suffix) and len(host) > len(suffix)), None)


def _openai(status: int, error: Error) -> str:
    # https://platform.openai.com/docs/guides/error-codes
    if status == 401 and error.codes & {"account_deactivated", "deactivated_account"}:
        return "key_disabled"
    return ""


def _azure(status: int, error: Error) -> str:
    # A key of another resource gets the same 401 as a wrong one: https://learn.microsoft.com/answers/questions/5847093
    # The network rules of a resource come before its keys: https://learn.microsoft.com/azure/ai-services/cognitive-services-virtual-networks
    network = re.search(r"firewall|network|public access|private endpoint", error.message, re.IGNORECASE)
    return "network_not_admitted" if status == 403 and network else ""


def _together(status: int, error: Error) -> str:
    # https://docs.together.ai/docs/error-codes: 403 is too many tokens, not a missing right; 400 may be a bad key
    if status == 400 and "key" in error.message.lower():
        return "key_rejected"
    return "busy" if status == 403 and "too many tokens" in error.message.lower() else ""


def _xai(status: int, error: Error) -> str:
    # xAI answers 400 for a wrong key: https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors/xai
    if status == 400 and "api key" in error.message.lower():
        return "key_rejected"
    return ""


def google(status: int, error: Error) -> str:
    """Google's codes (https://ai.google.dev/gemini-api/docs/troubleshooting): a bad key is 400, a region is 400 too."""
    rows = (
        (400, "API_KEY_INVALID", "API key not valid", "key_rejected"),
        (400, "API_KEY_EXPIRED", "API key expired", "key_expired"),
        (400, "FAILED_PRECONDITION", "location is not supported", "region_not_supported"),
        (401, "ACCESS_TOKEN_TYPE_UNSUPPORTED", "ACCESS_TOKEN_TYPE_UNSUPPORTED", "key_kind_unsupported"),
        (403, "API_KEY_LEAKED", "reported as leaked", "key_disabled"),
        (403, "CONSUMER_SUSPENDED", "has been suspended", "key_disabled"),
        (403, "SERVICE_DISABLED", "has not been used in project", "service_disabled"),
        (403, "API_KEY_SERVICE_BLOCKED", "are blocked", "key_restricted"),
        (403, "API_KEY_IP_ADDRESS_BLOCKED", "IP address restriction", "address_not_authorized"),
        (403, "API_KEY_HTTP_REFERRER_BLOCKED", "Requests from referer", "key_restricted"),
    )
    return next(
        (
            cause
            for wanted, code, words, cause in rows
            if status == wanted and (code in error.codes or words in error.message)
        ),
        "",
    )


RECIPES = (
    Recipe(
        "OpenAI",
        ("api.openai.com",),
        (
            "https://platform.openai.com/docs/api-reference/models/list",
            "https://platform.openai.com/docs/guides/error-codes",
        ),
        base="https://api.openai.com/v1",
        refine=_openai,
        make_key_url="https://platform.openai.com/api-keys",
        billing_url="https://platform.openai.com/settings/organization/billing",
        status_url="https://status.openai.com",
    ),
    Recipe(
        "Azure OpenAI",
        (".openai.azure.com",),
        (
            "https://github.com/Portkey-AI/gateway/blob/main/src/providers/azure-openai/api.ts",
            "https://learn.microsoft.com/azure/ai-services/openai/api-version-lifecycle",
        ),
        path="/openai/v1",
        header="api-key",
        refine=_azure,
        make_key_url="https://portal.azure.com",
        status_url="https://azure.status.microsoft",
    ),
    Recipe(
        "Gemini (OpenAI form)",
        ("generativelanguage.googleapis.com",),
        ("https://ai.google.dev/gemini-api/docs/openai",),
        base="https://generativelanguage.googleapis.com/v1beta/openai",
        refine=google,
        make_key_url="https://aistudio.google.com/apikey",
        billing_url="https://aistudio.google.com/billing",
        status_url="https://aistudio.google.com/status",
    ),
    Recipe(
        "Mistral",
        ("api.mistral.ai",),
        ("https://docs.mistral.ai/api/#tag/models", "https://github.com/cline/cline/issues/13288"),
        base="https://api.mistral.ai/v1",
        make_key_url="https://console.mistral.ai/api-keys",
        billing_url="https://console.mistral.ai/billing",
        status_url="https://status.mistral.ai",
    ),
    Recipe(
        "Groq",
        ("api.groq.com",),
        ("https://console.groq.com/docs/api-reference#models-list", "https://console.groq.com/docs/errors"),
        base="https://api.groq.com/openai/v1",
        make_key_url="https://console.groq.com/keys",
        billing_url="https://console.groq.com/settings/billing",
        status_url="https://groqstatus.com",
    ),
    Recipe(
        "Together",
        ("api.together.xyz", "api.together.ai"),
        ("https://docs.together.ai/docs/error-codes", "https://docs.together.ai/reference/models-1"),
        base="https://api.together.xyz/v1",
        refine=_together,
        make_key_url="https://api.together.ai/settings/api-keys",
        billing_url="https://api.together.ai/settings/billing",
        status_url="https://status.together.ai",
    ),
    Recipe(
        "OpenRouter",
        ("openrouter.ai",),
        ("https://openrouter.ai/docs/api-reference/limits", "https://github.com/tinyhumansai/openhuman/issues/2366"),
        base="https://openrouter.ai/api/v1",
        proof="https://openrouter.ai/api/v1/key",
        proof_field="label",
        make_key_url="https://openrouter.ai/keys",
        billing_url="https://openrouter.ai/credits",
        status_url="https://status.openrouter.ai",
    ),
    Recipe(
        "DeepSeek",
        ("api.deepseek.com",),
        ("https://api-docs.deepseek.com/api/list-models", "https://api-docs.deepseek.com/quick_start/error_codes"),
        base="https://api.deepseek.com",
        make_key_url="https://platform.deepseek.com/api_keys",
        billing_url="https://platform.deepseek.com/top_up",
        status_url="https://status.deepseek.com",
    ),
    Recipe(
        "xAI",
        ("api.x.ai",),
        (
            "https://docs.x.ai/docs/api-reference",
            "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors/xai",
        ),
        base="https://api.x.ai/v1",
        refine=_xai,
        make_key_url="https://console.x.ai",
        billing_url="https://console.x.ai",
        status_url="https://status.x.ai",
    ),
    Recipe(
        "Hugging Face",
        ("router.huggingface.co",),
        ("https://huggingface.co/docs/inference-providers", "https://huggingface.co/docs/hub/api"),
        base="https://router.huggingface.co/v1",
        proof="https://huggingface.co/api/whoami-v2",
        proof_field="name",
        make_key_url="https://huggingface.co/settings/tokens",
        billing_url="https://huggingface.co/settings/billing",
        status_url="https://status.huggingface.co",
    ),
    Recipe(
        "NVIDIA",
        ("integrate.api.nvidia.com",),
        ("https://docs.nvidia.com/cloud-functions/user-guide/latest/cloud-function/api.html",),
        base="https://integrate.api.nvidia.com/v1",
        proof="https://api.nvcf.nvidia.com/v2/nvcf/functions",
        proof_field="functions",
        make_key_url="https://build.nvidia.com/settings/api-keys",
        confirmed=False,
    ),
    Recipe(
        "Ollama cloud",
        ("ollama.com",),
        ("https://docs.ollama.com/api/authentication",),
        base="https://ollama.com/v1",
        checks_keys=False,  # nobody documents whether its list asks for the key: the control probe tells
        make_key_url="https://ollama.com/settings/keys",
    ),
    Recipe(
        "Vercel AI Gateway",
        ("ai-gateway.vercel.sh",),
        ("https://github.com/charmbracelet/crush/issues/997", "https://vercel.com/docs/ai-gateway/openai-compat"),
        base="https://ai-gateway.vercel.sh/v1",
        checks_keys=False,
        make_key_url="https://vercel.com/dashboard",
    ),
    Recipe(
        "Perplexity",
        ("api.perplexity.ai",),
        (
            "https://docs.perplexity.ai/api-reference/chat-completions-post",
            "https://docs.openwebui.com/getting-started/quick-start/starting-with-openai-compatible",
        ),
        base="https://api.perplexity.ai",
        lists_models=False,
        make_key_url="https://www.perplexity.ai/account/api/keys",
    ),
    Recipe(
        "MiniMax",
        ("api.minimax.io", "api.minimaxi.com"),
        ("https://github.com/charmbracelet/crush/issues/997",),
        lists_models=False,
        make_key_url="https://platform.minimax.io/user-center/basic-information/interface-key",
    ),
    Recipe(
        "Ollama",
        ("localhost:11434", "127.0.0.1:11434", "[::1]:11434", "host.docker.internal:11434"),
        ("https://docs.ollama.com/api/openai-compatibility", "https://docs.ollama.com/api/authentication"),
        checks_keys=False,
        keyless=True,
    ),
    Recipe(
        "LM Studio",
        ("localhost:1234", "127.0.0.1:1234", "[::1]:1234", "host.docker.internal:1234"),
        ("https://lmstudio.ai/docs/developer/core/authentication",),
        checks_keys=False,
        keyless=True,
    ),
)

_EXACT = {host: row for row in RECIPES for host in row.hosts if not host.startswith(".")}
_SUFFIXES = tuple((host, row) for row in RECIPES for host in row.hosts if host.startswith("."))


def proof_origin(recipe: Recipe) -> str:
    """Return scheme://host:port of the row's proof address, a constant that the secret may go to; else ""."""
    parts = urlsplit(recipe.proof)
    return f"https://{parts.hostname}:443" if recipe.proof else ""
