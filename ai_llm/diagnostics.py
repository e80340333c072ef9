"""What a ticket needs to know about one AI LLM, and nothing that must not be in one: as data, and as plain text.

By construction no secret is here: nothing sealed is read, what a provider answered is left out, and a credential is
told by its age and state alone, not even by the end of its secret.
"""

import platform
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from ai_llm import doctor, outcomes
from ai_llm.causes import CAUSES
from ai_llm.models import STATES, AiLlm, Check, Credential
from flashback import __version__
from workspaces.models import Event

CHECKS, EVENTS = 10, 20


def bundle(ai_llm: AiLlm) -> dict[str, Any]:
    """Return everything about `ai_llm` that helps to help: plain values, ready for JSON. Four queries."""
    checks = Check.objects.filter(ai_llm=ai_llm).defer("excerpt").order_by("-at")[:CHECKS]
    events = Event.objects.filter(object_id=str(ai_llm.pk)).order_by("-id")[:EVENTS]
    examined = doctor.examine(ai_llm.endpoint, ai_llm.type)
    return {
        "made_at": _time(timezone.now()),
        "flashback": _installation(),
        "ai_llm": {
            "id": str(ai_llm.pk),
            "name": ai_llm.name,
            "workspace": ai_llm.workspace.name,
            "type": ai_llm.type,
            "endpoint": ai_llm.endpoint,
            "url_asked": examined.final_url,
            "state": STATES[ai_llm.state],
            "version": ai_llm.version,
            "created_at": _time(ai_llm.created_at),
            "changed_at": _time(ai_llm.changed_at),
            "disabled_at": _time(ai_llm.disabled_at),
            "scheduled_checks": ai_llm.scheduled,
            "due_at": _time(ai_llm.due_at),
        },
        "credential": _credential(ai_llm.credential, keyless=ai_llm.keyless),
        "former_secret_kept_until": _time(ai_llm.fallback_until),
        "new_secret_waits_until": _time(ai_llm.candidate_until),
        "checks": [_check(check) for check in checks],
        "events": [{"at": _time(event.at), "action": event.action} for event in events],
    }


def text(ai_llm: AiLlm) -> str:
    """Return the bundle as lines that a person reads and pastes."""
    found = bundle(ai_llm)
    lines = [f"Diagnostics of {found['ai_llm']['name']}", "=" * (15 + len(found["ai_llm"]["name"])), ""]
    for title in ("flashback", "ai_llm", "credential"):
        lines += [title, *(f"  {name:<22}{_word(value)}" for name, value in found[title].items()), ""]
    lines += [f"{name:<26}{_word(found[name])}" for name in ("former_secret_kept_until", "new_secret_waits_until")]
    lines += ["", "checks, the newest first"]
    for check in found["checks"]:
        lines.append(f"  {check['at']}  {check['verdict']}: {check['says']} ({check['cause']}, HTTP {check['status']})")
        lines.append(f"    asked {check['asked']}, {check['milliseconds']} ms")
        lines.append("    " + ", ".join(f"{stage['name']} {stage['state']}" for stage in check["stages"]))
    lines += ["", "events, the newest first", *(f"  {event['at']}  {event['action']}" for event in found["events"])]
    return "\n".join([*lines, "", f"made at {found['made_at']}"])


def _installation() -> dict[str, Any]:
    return {
        "version": __version__,
        "environment": "production" if settings.PRODUCTION else "embedded",
        "database": connection.vendor,
        "python": platform.python_version(),
        "outbound_mode": settings.OUTBOUND_MODE,
        "private_targets_open": len(settings.OUTBOUND_ALLOW),
    }


def _credential(held: Credential | None, *, keyless: bool) -> dict[str, Any]:
    if held is None:
        return {"state": "none needed" if keyless else "none stored"}
    return {
        "state": "can be opened" if held.available else "no key of this installation opens it",
        "bound_to": held.origin,
        "set_at": _time(held.set_at),
        "expires_at": _time(held.expires_at),
        "api_key": "stored" if held.key_fingerprint else "none",
    }


def _check(check: Check) -> dict[str, Any]:
    cause = CAUSES.get(check.cause)
    return {
        "at": _time(check.at),
        "kind": check.kind,
        "verdict": check.verdict,
        "cause": check.cause,
        "says": cause.headline if cause else "",
        "status": check.status,
        "provider_code": check.provider_code,
        "asked": check.url,
        "stages": [{**stage, "name": outcomes.STAGES.get(stage["name"], stage["name"])} for stage in check.stages],
        "models": check.model_count,
        "milliseconds": check.milliseconds,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


def _word(value: object) -> object:
    if value is None:
        return "-"
    return ("yes" if value else "no") if isinstance(value, bool) else value
