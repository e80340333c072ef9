"""Gemini, in its native form and in its OpenAI form.

Sources: https://ai.google.dev/api/models#method:-models.list, https://ai.google.dev/gemini-api/docs/troubleshooting,
https://ai.google.dev/gemini-api/docs/openai. The key travels in the header x-goog-api-key, never as ?key=, because an
address is written to logs (https://github.com/BerriAI/litellm/issues/39964).
"""

from ai_llm.providers import addresses, openai_form, recipes, verdicts
from ai_llm.providers.facts import Judgement, Recipe, UnprovableError
from flashback.outbound import Answer, Request

NATIVE = Recipe(
    "Gemini",
    ("generativelanguage.googleapis.com",),
    ("https://ai.google.dev/api/models#method:-models.list",),
    base="https://generativelanguage.googleapis.com/v1beta",
    refine=recipes.google,
    make_key_url="https://aistudio.google.com/apikey",
    billing_url="https://aistudio.google.com/billing",
    status_url="https://aistudio.google.com/status",
)


def recipe(endpoint: str) -> Recipe | None:
    """Return the row of Google's own host; any other host is unknown."""
    if addresses.host_of(endpoint) != NATIVE.hosts[0]:
        return None
    return recipes.pick(endpoint) if _speaks_openai(endpoint) else NATIVE


def address(endpoint: str) -> str:
    """Return the URL of the list of models in the form that the path asks for."""
    if _speaks_openai(endpoint):
        return openai_form.list_address(endpoint)
    path = addresses.once(addresses.path_of(endpoint))
    if not addresses.has_version(path):
        path = f"{path}/v1beta"
    return f"{addresses.with_path(endpoint, path)}/models?pageSize=200"


def describe(endpoint: str, secret: str, key: str) -> tuple[Request, ...]:
    """Return the one request of a check. Vertex AI (service accounts) has no check yet."""
    del key
    if addresses.host_of(endpoint).endswith("aiplatform.googleapis.com") or secret.lstrip().startswith("{"):
        raise UnprovableError("check_not_available")
    if _speaks_openai(endpoint):
        return (Request("GET", address(endpoint), openai_form.authorization(secret)),)
    return (Request("GET", address(endpoint), openai_form.authorization(secret, "x-goog-api-key")),)


def judge(answer: Answer, endpoint: str) -> Judgement:
    """Return what the answer means; Google says 400 for a bad key and for a region."""
    return verdicts.judge(answer, address(endpoint), recipes.google)


def _speaks_openai(endpoint: str) -> bool:
    return addresses.path_of(endpoint).endswith("/openai")
