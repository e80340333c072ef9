"""Gemini, in its native form and in its OpenAI form; Vertex AI is in `vertex`.

Sources: https://ai.google.dev/api/models#method:-models.list, https://ai.google.dev/gemini-api/docs/troubleshooting,
https://ai.google.dev/gemini-api/docs/openai. The key travels in the header x-goog-api-key, never as ?key=, because an
address is written to logs (https://github.com/BerriAI/litellm/issues/39964).
"""

from ai_llm.providers import addresses, openai_form, practice, recipes, verdicts, vertex
from ai_llm.providers.facts import Exchange, Judgement, Recipe, UnprovableError
from ai_llm.providers.recipes import clouds
from flashback.outbound import Answer, Request

NATIVE = Recipe(
    "Gemini",
    "gemini",
    ("generativelanguage.googleapis.com",),
    ("https://ai.google.dev/api/models#method:-models.list",),
    base="https://generativelanguage.googleapis.com/v1beta",
    about="Gemini models with an API key from Google AI Studio.",
    note="A key that lists models may still be refused for messages when the project may not use the model.",
    refine=clouds.google,
    make_key_url="https://aistudio.google.com/apikey",
    billing_url="https://aistudio.google.com/billing",
    status_url="https://aistudio.google.com/status",
    owners=("Google",),
)


def recipe(endpoint: str) -> Recipe | None:
    """Return the row of Google's own hosts, or of the sandbox provider that plays them; any other host is unknown."""
    if addresses.host_of(endpoint) == NATIVE.hosts[0]:
        return recipes.pick(endpoint) if _speaks_openai(endpoint) else NATIVE
    if practice.slug_of(endpoint) == NATIVE.slug:
        return recipes.pick(endpoint) if _speaks_openai(endpoint) else practice.moved(NATIVE, endpoint)
    return vertex.recipe(endpoint)


def address(endpoint: str) -> str:
    """Return the URL of the list of models in the form that the path asks for."""
    if vertex.recipe(endpoint):
        return vertex.address(endpoint)
    if _speaks_openai(endpoint):
        return openai_form.list_address(endpoint)
    path = addresses.once(addresses.path_of(endpoint))
    if not addresses.has_version(path):
        path = f"{path}/v1beta"
    return f"{addresses.with_path(endpoint, path)}/models?pageSize=200"


def exchange(endpoint: str, secret: str) -> Exchange | None:
    """Return how a service account gets its token at Vertex AI, None elsewhere."""
    if vertex.recipe(endpoint):
        return vertex.exchange(endpoint, secret)
    if secret.lstrip().startswith("{"):
        raise UnprovableError("service_account_elsewhere")
    return None


def describe(endpoint: str, secret: str, key: str) -> tuple[Request, ...]:
    """Return the one request of a check; at Vertex AI `secret` is the token of `exchange`."""
    del key
    if _speaks_openai(endpoint) or vertex.recipe(endpoint):
        return (Request("GET", address(endpoint), openai_form.authorization(secret)),)
    return (Request("GET", address(endpoint), openai_form.authorization(secret, "x-goog-api-key")),)


def judge(answer: Answer, endpoint: str) -> Judgement:
    """Return what the answer means; Google says 400 for a bad key and for a region."""
    if vertex.recipe(endpoint):
        return vertex.judge(answer, endpoint)
    return verdicts.judge(answer, address(endpoint), clouds.google)


def _speaks_openai(endpoint: str) -> bool:
    return addresses.path_of(endpoint).endswith("/openai")
