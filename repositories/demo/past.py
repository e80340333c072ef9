"""The past of the sample: what was made a moment ago looks as if it had been there for weeks."""

import random
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from ai_llm.causes import CAUSES
from ai_llm.models import AiLlm, Check, Credential

# What one letter of `Connection.past` stands for: the cause of an earlier check.
LETTERS = {"a": "accepted", "b": "busy", "l": "no_credit", "r": "key_rejected", "u": "provider_unavailable"}
STATUS = {"a": 200, "b": 429, "l": 429, "r": 401, "u": 503}  # what the provider answered then
DAYS = 45


def age(ai_llm: AiLlm, days: int) -> None:
    """Let an AI LLM and its secret look `days` old."""
    moment = timezone.now() - timedelta(days=days)
    AiLlm.objects.filter(pk=ai_llm.pk).update(created_at=moment, changed_at=moment)
    if ai_llm.credential_id is not None:
        Credential.objects.filter(pk=ai_llm.credential_id).update(set_at=moment)


def imagine_checks(ai_llm: AiLlm, letters: str, days: int) -> None:
    """Put earlier scheduled checks before the one that really ran: one for each letter, spread over at most 45 days."""
    real = Check.objects.filter(ai_llm=ai_llm).order_by("-at").first()
    if real is None or not letters:
        return
    chance = random.Random(ai_llm.name)  # noqa: S311 - the same picture at each run, no secret
    step = timedelta(days=min(days, DAYS)) / (len(letters) + 1)
    Check.objects.bulk_create(
        Check(ai_llm=ai_llm, **_check(real, letter, real.at - step * (len(letters) - place), chance))
        for place, letter in enumerate(letters)
    )


def _check(real: Check, letter: str, at: datetime, chance: random.Random) -> dict[str, Any]:
    """Return the columns of a check that ended as `letter` says, modelled on the real one."""
    cause = CAUSES[LETTERS[letter]]
    if cause.verdict == real.verdict:
        cause = CAUSES[real.cause]
    works = cause.verdict == real.verdict
    return {
        "at": at + timedelta(minutes=chance.randrange(-90, 90)),
        "scheduled": True,
        "verdict": cause.verdict,
        "cause": cause.code,
        "facts": real.facts if works else {"provider": real.facts.get("provider", ""), "status": STATUS[letter]},
        "stages": real.stages if works else [],
        "url": real.url,
        "status": real.status if works else STATUS[letter],
        "models_found": real.models_found if works else [],
        "model_count": real.model_count if works else 0,
        "milliseconds": chance.randrange(900, 4000) if letter == "u" else chance.randrange(140, 460),
    }
