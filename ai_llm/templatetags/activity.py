"""Puts an event into words."""

from typing import Any

from django import template
from django.utils.html import format_html

from ai_llm.models import STATES
from workspaces.models import Event

register = template.Library()

WORDS = {
    "ai_llm.created": "created",
    "ai_llm.updated": "changed",
    "ai_llm.secret_replaced": "secret replaced",
    "ai_llm.validated": "validated",
    "ai_llm.deleted": "deleted",
    "workspace.created": "workspace created",
    "organization.created": "organization created",
    "person.created": "person added",
    "member.removed": "is no longer a member",
}


@register.simple_tag
def event_words(event: Event) -> str:
    """Return what happened to what, with the verdict where there is one."""
    details = event.details if isinstance(event.details, dict) else {}
    words = _told(event.action, details) or WORDS.get(event.action, event.action.replace(".", " ").replace("_", " "))
    verdict = STATES.get(details.get("verdict", ""), "")
    said = f"{words}: {verdict.lower()}" if verdict else words
    return format_html("<strong>{}</strong> {}", event.object_label, said)


def _told(action: str, details: dict[str, Any]) -> str:
    """Return the words of an event that needs its values to be understood, or ""."""
    match action, details:
        case "member.added", {"role": role}:
            return f"added as a member with the role {role}"
        case "member.role_changed", {"role": [old, new]}:
            return f"role changed from {old} to {new}"
        case "workspace.renamed", {"name": [old, _]}:
            return f"is the new name of the workspace {old}"
        case "workspace.renamed", {"slug": [old, new]}:
            return f"address changed from /w/{old} to /w/{new}"
    return ""
