"""Puts an event into words."""

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
}


@register.simple_tag
def event_words(event: Event) -> str:
    """Return what happened to what, with the verdict where there is one."""
    words = WORDS.get(event.action, event.action.replace(".", " ").replace("_", " "))
    verdict = STATES.get(event.details.get("verdict", ""), "") if isinstance(event.details, dict) else ""
    said = f"{words}: {verdict.lower()}" if verdict else words
    return format_html("<strong>{}</strong> {}", event.object_label, said)
