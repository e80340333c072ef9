"""The control probe: the same request with a made-up secret, so that a public list never counts as proof."""

import re
import secrets
import string
from typing import Any

from ai_llm.models import Verdict
from ai_llm.providers import addresses, answers
from ai_llm.providers.facts import Judgement, Recipe
from flashback.outbound import Answer

# What servers that usually run without keys call the owner of their models: vLLM, Ollama, LM Studio.
# https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html, https://docs.ollama.com/api/openai-compatibility,
# https://lmstudio.ai/docs/developer/openai-compat/models
KEYLESS_OWNERS = frozenset({"vllm", "library", "organization_owner"})
# llama.cpp shows its list to everybody, also when it checks keys: https://github.com/ggml-org/llama.cpp/pull/14352
PUBLIC_OWNERS = frozenset({"llamacpp"})

WORKS = frozenset({Verdict.ACCEPTED, Verdict.LIMITED})
# A second answer of one of these causes was not about the made-up secret.
REGION = "region_not_supported"
NO_REFUSAL = frozenset({"shielded", "busy", "quota_spent", REGION, "network_not_admitted"})
RATE_LIMIT = re.compile(r"rate.?limit|too.?many|throttl|slow.?down|quota", re.IGNORECASE)


def needed(recipe: Recipe | None, first: Judgement, status: int) -> bool:
    """Return whether the `first` answer (with `status`) proves nothing until a made-up secret was refused otherwise.

    A 403 needs the proof at known hosts too: country, address and firewall rules answer before a key is looked at.
    """
    unjudged = status == 403 or first.cause == REGION
    return first.verdict in WORKS and (recipe is None or not recipe.checks_keys or unjudged)


def made_up(secret: str) -> str:
    """Return a wrong secret of the same shape: same length, same kinds of characters, same public prefix (`sk-proj-`).

    A wrong secret and not none: some routers answer 200 without a key and 401 for a wrong one
    (https://github.com/tashfeenahmed/freellmapi/issues/987).
    """
    prefix = re.match(r"(?:[A-Za-z]{1,4}[0-9]{0,2}[-_.]){1,3}(?=[A-Za-z0-9]{16})|", secret)
    start = len(prefix.group()) if prefix else 0
    letters = "abcdef" if re.fullmatch(r"[0-9a-f-]+", secret[start:]) else string.ascii_lowercase
    kinds = (letters, string.ascii_uppercase, string.digits)
    while True:
        wrong = secret[:start] + "".join(_alike(character, kinds) for character in secret[start:])
        if wrong != secret:
            return wrong
        if not any(character.isalnum() for character in secret[start:]):
            return secret + "x"


def _alike(character: str, kinds: tuple[str, ...]) -> str:
    kind = next((kind for kind in kinds if character in kind), character)
    return secrets.choice(kind)


def cause(first: Judgement, status: int, answer: Answer, second: Judgement, recipe: Recipe | None) -> str:
    """Return the cause of a check whose `first` answer (with `status`) accepts, and whose made-up secret got `answer`.

    `second` is what the provider's own judge makes of that answer. A clear refusal of the made-up secret proves the
    real one, unless the real one was refused with the same status and in the same way.
    """
    if answer.status != status:
        return first.cause if _refuses(answer, second) else "control_unclear"
    if second.verdict is Verdict.REJECTED:
        return first.cause
    if not 200 <= status < 300:
        return "region_refused" if first.cause == REGION else "refused_alike"
    value = answers.read(answer.body)
    if answers.model_names(value) is None:
        return "control_unclear"
    return "keys_not_checked" if _runs_keyless(value, recipe) else "public_list"


def without_secret(first: Judgement, answer: Answer, recipe: Recipe | None, endpoint: str) -> str:
    """Return the cause of a check that sent no secret at all, because the endpoint is said to need none.

    A list without a secret is what a keyless server gives. At a host on the internet, or where the list is known to be
    public, it does not tell whether messages want a secret.
    """
    if first.verdict is Verdict.REJECTED or answer.status in {401, 402}:
        return "secret_needed"
    if first.cause == REGION:
        return "region_refused"
    if first.cause in {"accepted", "no_models"}:
        return _of_open_list(first, answer, recipe, endpoint)
    if first.verdict in WORKS:
        return {403: "forbidden_unjudged", 429: "slow_down"}.get(answer.status, "unexpected_status")
    return first.cause


def _of_open_list(first: Judgement, answer: Answer, recipe: Recipe | None, endpoint: str) -> str:
    if recipe is not None and not recipe.keyless:
        return "secret_needed" if recipe.checks_keys else "no_key_unproven"
    value = answers.read(answer.body)
    inside = not addresses.is_public(addresses.host_of(endpoint)) and not _owners(value) & PUBLIC_OWNERS
    if not (inside or _runs_keyless(value, recipe)):
        return "no_key_unproven"
    return "no_key_needed" if first.models else "no_models_served"


def _runs_keyless(value: Any, recipe: Recipe | None) -> bool:
    """Return whether this is a server that checks no keys when it takes a made-up one: by its words, or by its port."""
    owners = _owners(value)
    known = recipe is not None and recipe.keyless and (recipe.has_its_own_port or recipe.practice)
    return not owners & PUBLIC_OWNERS and (known or bool(owners & KEYLESS_OWNERS))


def _owners(value: Any) -> set[str]:
    rows = value.get("data") if isinstance(value, dict) else None
    owners = [row.get("owned_by") for row in rows[:50] if isinstance(row, dict)] if isinstance(rows, list) else []
    return {owner for owner in owners if isinstance(owner, str)}


def _refuses(answer: Answer, second: Judgement) -> bool:
    """Return whether the answer is about the made-up secret: a 401, or an API's own words that name no other reason."""
    if answer.status == 401:
        return second.cause not in NO_REFUSAL
    if answer.status not in {400, 403, 422} or second.cause in NO_REFUSAL:
        return False
    error = answers.error_of(answer)
    return error.spoken and not any(RATE_LIMIT.search(text) for text in (error.message, *error.codes))
