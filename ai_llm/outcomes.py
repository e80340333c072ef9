"""What a check came to, and how it reads: the same words for pages, the API and a support ticket."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from ai_llm import causes, permits, topics
from ai_llm.models import Check, Verdict
from flashback.outbound import Stage

STAGES = {
    "address": "Address",
    "allowed": "Allowed",
    "name": "Name",
    "connection": "Connection",
    "tls": "TLS",
    "http": "HTTP",
    "credential": "Credential",
    "models": "Models",
}
# What a check by a tiny message has in the place of the models.
MESSAGE = "message"
LABELS = {**STAGES, MESSAGE: "Message"}
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
IN_A_MESSAGE = ("model", "latency", "tokens_in", "tokens_out")
MODELS_SHOWN = 20


@dataclass(frozen=True)
class Result:
    """What one check found; the columns of a Check without who and when. Times are milliseconds.

    `stages` holds {"name", "state", "ms"} for each of STAGES, `state` being passed, failed or skipped; `url` is the
    exact URL asked; `excerpt` is redacted provider text, for those who may manage the connection.
    """

    verdict: str
    cause: str
    facts: dict[str, Any] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    status: int | None = None
    provider_code: str = ""
    excerpt: str = ""
    models_found: list[str] = field(default_factory=list)
    milliseconds: int = 0

    @property
    def model_count(self) -> int:
        """How many models were found; a Check holds only the first of them."""
        return len(self.models_found)


def stages(
    reported: Iterable[Stage], cause: str, *, listed: bool, control_ms: float | None = None
) -> list[dict[str, Any]]:
    """Return the strip of a check: what the call reported, and the stages that the cause decides.

    `listed` says that models were found. The credential is skipped, not failed, when nothing was said about it.
    """
    found = causes.CAUSES[cause]
    strip: dict[str, dict[str, Any]] = {name: {"name": name, "state": SKIPPED, "ms": None} for name in STAGES}
    for stage in reported:
        strip[stage.name] = {"name": stage.name, "state": PASSED if stage.passed else FAILED, "ms": _whole(stage.ms)}
    if found.verdict is Verdict.UNDECIDED and found.stage == "http":
        strip["http"]["state"] = FAILED
    known = {Verdict.ACCEPTED: PASSED, Verdict.LIMITED: PASSED, Verdict.REJECTED: FAILED}
    strip["credential"] |= {"state": known.get(found.verdict, SKIPPED), "ms": _whole(control_ms)}
    strip["models"]["state"] = PASSED if listed else FAILED if found.verdict is Verdict.LIMITED else SKIPPED
    return list(strip.values())


def present(check: Check | Result) -> dict[str, Any]:
    """Return everything that a template, the API or a ticket says about a check.

    `verdict` and `verdict_label`, `cause`, `headline`, `sentence`, `action` {kind, label, url, endpoint, after},
    `needs_nobody`, `until` (when the provider wants to be asked again, None when now), `permit` (the line for the
    operator, or ""), `topic` (the section of Help that explains it), `stages` [{name, label, state, ms, words}] where
    state may also be limited or undecided, `url`, `status`, `provider_code`, `excerpt`, `models`, `model_count`,
    `more_models`, `milliseconds`, `message` ({} or {model, latency, tokens_in, tokens_out} of a tiny message), and
    `text`, the whole as plain text.
    """
    cause = causes.CAUSES.get(check.cause)
    if cause is None:  # stored by another version of the catalogue
        cause = causes.CAUSES["unexpected_form"]
    facts: Mapping[str, Any] = check.facts
    action = causes.action(cause.code, facts)
    shown = {
        "verdict": check.verdict,
        "verdict_label": Verdict(check.verdict).label,
        "cause": check.cause,
        "headline": cause.headline,
        "sentence": causes.sentence(cause.code, facts),
        "action": asdict(action),
        "needs_nobody": cause.needs_nobody,
        "until": _until(check, action.after),
        "permit": permits.for_check(cause.code, facts),
        "topic": topics.of(cause.code).slug,
        "stages": [_shown(stage, cause) for stage in check.stages],
        "url": check.url,
        "status": check.status,
        "provider_code": check.provider_code,
        "excerpt": check.excerpt,
        "models": check.models_found[:MODELS_SHOWN],
        "model_count": check.model_count,
        "more_models": max(0, check.model_count - MODELS_SHOWN),
        "milliseconds": check.milliseconds,
        "message": {name: facts[name] for name in IN_A_MESSAGE if name in facts} if "model" in facts else {},
    }
    return {**shown, "text": _text(shown)}


def _until(check: Check | Result, after: int) -> datetime | None:
    now = timezone.now()
    moment: datetime = check.at if isinstance(check, Check) else now
    wanted = moment + timedelta(seconds=after)
    return wanted if wanted > now else None


def _whole(ms: float | None) -> int | None:
    return None if ms is None else max(1, round(ms))


def _shown(stage: Mapping[str, Any], cause: causes.Cause) -> dict[str, Any]:
    state = stage["state"]
    name = "models" if stage["name"] == MESSAGE else stage["name"]
    if name == cause.stage and name in {"credential", "models"} and state != PASSED:
        state = {Verdict.LIMITED: "limited", Verdict.UNDECIDED: "undecided"}.get(cause.verdict, state)
    label = LABELS.get(stage["name"], stage["name"])
    took = f" in {stage['ms']} ms" if stage["ms"] is not None else ""
    words = {"limited": "limited", "undecided": "not decided"}.get(state, state)
    return {**stage, "state": state, "label": label, "words": f"{label}: {words}{took}"}


def _text(shown: Mapping[str, Any]) -> str:
    lines = [f"{shown['verdict_label']}: {shown['headline']}", shown["sentence"], ""]
    lines += [stage["words"] for stage in shown["stages"]]
    details = (
        ("Asked", shown["url"]),
        ("HTTP status", shown["status"]),
        ("Provider's code", shown["provider_code"]),
        ("Cause", shown["cause"]),
        ("Took", f"{shown['milliseconds']} ms"),
        ("Model", shown["message"].get("model")),
        ("Tokens in", shown["message"].get("tokens_in")),
        ("Tokens out", shown["message"].get("tokens_out")),
    )
    return "\n".join([*lines, "", *(f"{name}: {value}" for name, value in details if value)])
