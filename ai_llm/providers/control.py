"""The control probe: the same request with a made-up secret, so that a public list never counts as proof."""

import re
import secrets
import string
from typing import Any

from ai_llm.models import Verdict
from ai_llm.providers import answers
from ai_llm.providers.facts import Judgement, Recipe
from flashback.outbound import Answer

# What servers that usually run without keys call the owner of their models: vLLM, Ollama, llama.cpp, LM Studio.
# https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html, https://docs.ollama.com/api/openai-compatibility,
# https://github.com/ggml-org/llama.cpp/tree/master/tools/server, https://lmstudio.ai/docs/developer/openai-compat/models
KEYLESS_OWNERS = frozenset({"vllm", "library", "llamacpp", "organization_owner"})


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
    while True:
        wrong = secret[:start] + "".join(map(_alike, secret[start:]))
        if wrong != secret:
            return wrong
        if not any(character.isalnum() for character in secret[start:]):
            return secret + "x"


def _alike(character: str) -> str:
    for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits):
        if character in kind:
            return secrets.choice(kind)
    return character


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
    return "keys_not_checked" if (recipe is not None and recipe.keyless) or _owned_by_keyless(value) else "public_list"


def _owned_by_keyless(value: Any) -> bool:
    rows = value.get("data") if isinstance(value, dict) else None
    owners = [row.get("owned_by") for row in rows[:50] if isinstance(row, dict)] if isinstance(rows, list) else []
    return any(isinstance(owner, str) and owner in KEYLESS_OWNERS for owner in owners)


def _refuses(answer: Answer, second: Judgement) -> bool:
    """Return whether the answer is about the made-up secret: a 401, or an API's own words that name no other reason."""
    if answer.status == 401:
        return second.cause not in NO_REFUSAL
    if answer.status not in {400, 403, 422} or second.cause in NO_REFUSAL:
        return False
    error = answers.error_of(answer)
    return error.spoken and not any(RATE_LIMIT.search(text) for text in (error.message, *error.codes))
