"""Anthropic's own form.

Sources: https://docs.claude.com/en/api/models-list, https://docs.claude.com/en/api/errors,
https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors/anthropic (404 for disabled keys),
https://github.com/anthropics/claude-code/issues/1613 (403 "forbidden" for a country, said before any key is judged).
"""

from ai_llm.providers import addresses, openai_form, practice, verdicts
from ai_llm.providers.facts import Error, Judgement, Recipe
from flashback.outbound import Answer, Request

VERSION = "2023-06-01"

NATIVE = Recipe(
    "Anthropic",
    "anthropic",
    ("api.anthropic.com",),
    ("https://docs.claude.com/en/api/models-list", "https://docs.claude.com/en/api/errors"),
    about="Claude models straight from Anthropic.",
    note="An account without credit still lists models; only a message shows that.",
    base="https://api.anthropic.com",
    make_key_url="https://console.anthropic.com/settings/keys",
    billing_url="https://console.anthropic.com/settings/billing",
    status_url="https://status.claude.com",
)


def recipe(endpoint: str) -> Recipe | None:
    """Return the row of Anthropic's own host, or of the sandbox provider that plays it; any other host is unknown."""
    if addresses.host_of(endpoint) == NATIVE.hosts[0]:
        return NATIVE
    return practice.moved(NATIVE, endpoint) if practice.slug_of(endpoint) == NATIVE.slug else None


def address(endpoint: str) -> str:
    """Return the URL of the list of models; endpoints come with and without /v1."""
    path = addresses.without_version(addresses.once(addresses.path_of(endpoint)))
    return f"{addresses.with_path(endpoint, path)}/v1/models?limit=1000"


def describe(endpoint: str, secret: str, key: str) -> tuple[Request, ...]:
    """Return the one request of a check."""
    del key
    headers = {**openai_form.authorization(secret, "x-api-key"), "anthropic-version": VERSION}
    return (Request("GET", address(endpoint), headers),)


def judge(answer: Answer, endpoint: str) -> Judgement:
    """Return what the answer means."""
    own = recipe(endpoint) is not None
    return verdicts.judge(answer, address(endpoint), _refine_own if own else _refine)


def _refine(status: int, error: Error) -> str:
    if status in {400, 402, 403} and ("billing_error" in error.codes or "credit balance" in error.message.lower()):
        return "no_credit"
    # A missing right is "permission_error"; "forbidden" is the door in front of the API.
    return "forbidden_unjudged" if status == 403 and "forbidden" in error.codes else ""


def _refine_own(status: int, error: Error) -> str:
    # The path is ours and right, so "not found" at Anthropic's own host is about the key.
    if status == 404 and "not_found_error" in error.codes:
        return "key_disabled"
    return _refine(status, error)
