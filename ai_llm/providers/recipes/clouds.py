"""Model services of the large clouds in their OpenAI form."""

import re

from ai_llm.providers import addresses
from ai_llm.providers.facts import Error, Recipe

ORDER = 4
# https://learn.microsoft.com/rest/api/azureopenai/models/list
AZURE_VERSION = "2024-10-21"


def _azure_list(endpoint: str) -> str:
    """Return the list of the address in use: /openai/v1, or the older /openai with a version as query."""
    prefix = "/azure" if addresses.is_loopback(addresses.host_of(endpoint)) else ""
    path = addresses.once(addresses.path_of(endpoint)).removeprefix(prefix)
    if re.fullmatch(r"/openai(?:/deployments/[^/]+)?", path):
        return f"{addresses.with_path(endpoint, f'{prefix}/openai/models')}?api-version={AZURE_VERSION}"
    return addresses.with_path(endpoint, f"{prefix}/openai/v1/models")


def _azure(status: int, error: Error) -> str:
    # A key of another resource gets the same 401 as a wrong one: https://learn.microsoft.com/answers/questions/5847093
    # The network rules of a resource come before its keys: https://learn.microsoft.com/azure/ai-services/cognitive-services-virtual-networks
    network = re.search(r"firewall|network|public access|private endpoint", error.message, re.IGNORECASE)
    if status == 403 and network:
        return "network_not_admitted"
    # With a token of Entra ID: https://learn.microsoft.com/azure/ai-foundry/openai/how-to/role-based-access-control
    if status in {401, 403} and re.search(r"lacks the required data action", error.message, re.IGNORECASE):
        return "scope_missing"
    if status == 401 and re.search(r"audience is incorrect", error.message, re.IGNORECASE):
        return "token_refused"
    return "wrong_resource" if status == 401 else ""


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
        (403, "BILLING_DISABLED", "requires billing to be enabled", "billing_off"),
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
        "Azure OpenAI",
        "azure",
        (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"),
        (
            "https://learn.microsoft.com/rest/api/azureopenai/models/list",
            "https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle",
            "https://github.com/Portkey-AI/gateway/blob/main/src/providers/azure-openai/api.ts",
            "https://learn.microsoft.com/answers/questions/5847093",
        ),
        about="OpenAI's models in your own Azure resource.",
        note="The resource name is part of the host, and calls name your deployment, not the model.",
        path="/openai/v1",
        preset="https://your-resource.openai.azure.com/openai/v1",
        listing=_azure_list,
        header="api-key",
        refine=_azure,
        make_key_url="https://portal.azure.com",
        status_url="https://azure.status.microsoft",
        owners=(),
    ),
    Recipe(
        "Gemini (OpenAI form)",
        "gemini",
        ("generativelanguage.googleapis.com",),
        ("https://ai.google.dev/gemini-api/docs/openai",),
        about="Gemini models with an API key from Google AI Studio, in OpenAI's form.",
        note="A key that lists models may still be refused for messages when the project may not use the model.",
        base="https://generativelanguage.googleapis.com/v1beta/openai",
        refine=google,
        make_key_url="https://aistudio.google.com/apikey",
        billing_url="https://aistudio.google.com/billing",
        status_url="https://aistudio.google.com/status",
        owners=("Google",),
        offered=False,
    ),
)
