"""Puts an event into words."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ai_llm.models import STATES, CheckKind
from ai_llm.templatetags.ui import ago
from flashback.templatetags.drawing import filled
from workspaces.audit import Line
from workspaces.events import Told, is_change
from workspaces.models import Event

register = template.Library()

LINES, SHORT = 3, 60
FIELDS = {
    "ai_llm.secret": "fingerprint of the API Secret",
    "ai_llm.key": "fingerprint of the API Key",
    "ai_api_key.key": "public part of the key",
    "provider_key.secret": "fingerprint of the API Secret",
    "provider_key.key": "fingerprint of the API Key",
    "audit.q": "search",
}

WORDS = {
    "ai_llm.created": "created",
    "ai_llm.updated": "changed",
    "ai_llm.secret_replaced": "secret replaced",
    "ai_llm.validated": "validated",
    "ai_llm.state_changed": "state changed, found by a scheduled check",
    "ai_llm.schedule_changed": "scheduled checks changed",
    "ai_llm.rotated": "rotated to a new secret",
    "ai_llm.rotation_held": "rotation waits for a decision",
    "ai_llm.rotation_discarded": "rotation discarded",
    "ai_llm.returned": "returned to the old secret",
    "ai_llm.retired": "old secret retired",
    "ai_llm.secret_expired": "old secret purged after its time",
    "ai_llm.disabled": "disabled",
    "ai_llm.enabled": "enabled",
    "ai_llm.deleted": "deleted",
    "provider_key.created": "provider key added",
    "provider_key.updated": "provider key changed",
    "provider_key.deleted": "provider key deleted",
    "repository.created": "repository created",
    "repository.updated": "repository changed",
    "repository.disabled": "repository disabled",
    "repository.enabled": "repository enabled",
    "repository.deleted": "repository deleted",
    "repository.attached": "AI LLM attached",
    "repository.detached": "AI LLM detached",
    "repository.attachment_changed": "attachment changed",
    "repository.repointed": "moved to another AI LLM",
    "repository.reordered": "AI LLMs put into another order",
    "repository.attachments_replaced": "AI LLMs replaced",
    "ai_api_key.created": "AI API key created",
    "ai_api_key.updated": "AI API key changed",
    "ai_api_key.rotated": "AI API key rotated",
    "ai_api_key.former_ended": "former secret ended",
    "ai_api_key.revoked": "AI API key revoked",
    "workspace.created": "workspace created",
    "workspace.renamed": "workspace renamed",
    "workspace.deleted": "workspace deleted",
    "member.added": "added as a member",
    "member.role_changed": "role changed",
    "member.removed": "is no longer a member",
    "organization.created": "organization created",
    "organization.updated": "organization changed",
    "organization.ownership_transferred": "ownership transferred",
    "organization.second_factor_changed": "who needs a second factor changed",
    "person.created": "person added",
    "person.updated": "name changed",
    "person.role_changed": "role in the organization changed",
    "person.deactivated": "deactivated",
    "person.reactivated": "reactivated",
    "person.standing_changed": "standing changed",
    "invitation.created": "invited",
    "invitation.resent": "invited again, with a new link",
    "invitation.withdrawn": "invitation withdrawn",
    "invitation.accepted": "invitation accepted",
    "person.signed_in": "signed in",
    "person.sign_in_failed": "sign-in failed",
    "person.signed_out": "signed out",
    "person.session_expired": "session ended for its age",
    "login.reused": "ended: a refresh token was shown twice",
    "login.revoked": "API sign-in ended",
    "api_token.created": "API token created",
    "api_token.revoked": "API token revoked",
    "person.reauthentication_failed": "could not confirm who they are",
    "person.password_changed": "password changed",
    "person.password_reset": "password reset by mail",
    "person.mails_changed": "which mails they want changed",
    "person.email_change_requested": "another e-mail address asked for",
    "person.email_changed": "e-mail address changed",
    "person.session_ended": "session ended from the account page",
    "second_factor.enabled": "second factor turned on",
    "second_factor.replaced": "second factor moved to another app",
    "second_factor.disabled": "second factor turned off",
    "second_factor.reset": "second factor taken away, as it was lost",
    "second_factor.codes_renewed": "new recovery codes made",
    "second_factor.recovery_code_used": "recovery code used",
    "second_factor.failed": "second factor refused: the code was not right",
    "staff.looked": "looked at by staff",
    "secrets.checked": "stored secrets checked",
    "secrets.resealed": "secrets moved to another key",
    "backup.made": "backup made",
    "backup.restored": "backup restored",
    "audit.exported": "audit log exported",
    "audit.pruned": "old events deleted",
}
# What the actions are about, by the first part of their names.
SUBJECTS = {
    "ai_llm": "AI LLM",
    "provider_key": "Provider keys",
    "repository": "Repositories",
    "ai_api_key": "AI API keys",
    "workspace": "Workspace",
    "member": "Members",
    "organization": "Organization",
    "person": "People and sign-in",
    "login": "Sign-ins over the API",
    "api_token": "API tokens",
    "invitation": "Invitations",
    "second_factor": "Second factor",
    "staff": "Staff",
    "secrets": "Keys",
    "backup": "Backups",
    "audit": "Audit log",
}


@register.simple_tag
def event_lines(events: Iterable[Told]) -> SafeString:
    """Return one line for each of these events: what happened to what, who did it, and when."""
    return filled("ai_llm/_event.html", map(_texts, events))


def _texts(event: Told) -> dict[str, str]:
    return {"words": event_words(event), "actor": event.who, "at": ago(event.at, focusable=False)}


@register.simple_tag
def event_words(event: Event | Told | Line) -> str:
    """Return what happened to what, with the verdict where there is one."""
    details = _details(event)
    words = (
        _told(event.action, details)
        or _told_of_check(event.action, details)
        or _told_of_people(event.action, details)
        or _told_of_looks(event.action, details)
        or _told_of_repository(event.action, details)
        or WORDS.get(event.action, event.action.replace(".", " ").replace("_", " "))
    )
    verdict = STATES.get(str(details.get("verdict", "")), "")
    said = f"{words}: {verdict.lower()}" if verdict else words
    if not event.object_label:
        return said[:1].upper() + said[1:]
    return format_html("<strong>{}</strong> {}", event.object_label, said)


@register.simple_tag
def event_actions() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return all actions to choose from, in groups: (what they are about, [(action, words), …]); the words are few."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for action, words in WORDS.items():
        subject, few = action.partition(".")[0], words.partition(",")[0]
        groups.setdefault(SUBJECTS.get(subject, subject), []).append((action, few[:1].upper() + few[1:]))
    return list(groups.items())


@register.filter
def changed_values(event: Event | Line) -> list[tuple[str, Any, Any]]:
    """Return what an event changed: (field, old value, new value)."""
    return [(_field(event, name), *value) for name, value in _details(event).items() if is_change(name, value)]


@register.filter
def change_lines(event: Event | Line) -> list[str]:
    """Return the first changes of an event, one short line each: "Name: prod → staging"."""
    changes = changed_values(event)[:LINES]
    return [f"{field}: {_short(old)} → {_short(new)}" for field, old, new in changes]


@register.filter
def plain_values(event: Event) -> list[tuple[str, Any]]:
    """Return what else an event says: (field, value)."""
    return [(_field(event, name), value) for name, value in _details(event).items() if not is_change(name, value)]


@register.filter
def door(event: Event | Line) -> str:
    """Return through what an event came, where that says more than the actor: "Staff, admin site"; else ""."""
    kind = {"staff": "Staff", "token": "API token"}.get(event.actor_kind, "")
    return f"{kind}, {event.via}" if kind and event.via else kind or event.via


@register.filter
def shown(value: Any) -> str:
    """Return a value of an event as people read it."""
    match value:
        case None | "":
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(shown, value)) or "nothing"
        case dict():
            return ", ".join(f"{name}: {shown(one)}" for name, one in value.items()) or "nothing"
    return str(value)


def _short(value: Any) -> str:
    text = shown(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"


def _details(event: Event | Told | Line) -> dict[str, Any]:
    return event.details if isinstance(event.details, dict) else {}


def _field(event: Event | Line, name: str) -> str:
    words = FIELDS.get(f"{event.action.partition('.')[0]}.{name}", name.replace("_", " "))
    return words[:1].upper() + words[1:]


def _told(action: str, details: dict[str, Any]) -> str:
    """Return the words of an event that needs its values to be understood, or ""."""
    match action, details:
        case "member.added", {"role": role}:
            return f"added as a member with the role {role}"
        case "member.role_changed", {"role": [old, new]}:
            return f"role changed from {old} to {new}"
        case "ai_llm.schedule_changed", {"scheduled": [_, included]}:
            return "included in scheduled checks" if included else "left out of scheduled checks"
        case "workspace.renamed", {"name": [old, _]}:
            return f"is the new name of the workspace {old}"
        case "workspace.renamed", {"slug": [old, new]}:
            return f"address changed from /w/{old} to /w/{new}"
    return ""


def _told_of_check(action: str, details: dict[str, Any]) -> str:
    is_message = action == "ai_llm.validated" and details.get("kind") == CheckKind.MESSAGE
    return "tested with one tiny message" if is_message else ""


def _told_of_people(action: str, details: dict[str, Any]) -> str:
    match action, details:
        case "person.role_changed", {"role": [old, new]}:
            return f"role in the organization changed from {old} to {new}"
        case "organization.ownership_transferred", {"owner": [old, new]}:
            return f"ownership went from {old} to {new}"
        case "invitation.created", {"role": role, "workspaces": {**places}}:
            where = ", ".join(f"{name} ({access})" for name, access in list(places.items())[:3])
            return f"invited with the role {role}" + (f" and to {where}" if where else "")
    return ""


def _told_of_looks(action: str, details: dict[str, Any]) -> str:
    match action, details:
        case "staff.looked", {"page": "list", "kind": kind}:
            return f"was in a list of {kind} that staff looked at"
        case "staff.looked", {"page": "diagnostics"}:
            return "had its diagnostics looked at by staff"
        case "staff.looked", {"kind": "check"}:
            return "is a check that staff looked at"
        case "audit.exported", {"events": number, "format": kind}:
            return f"audit log exported: {number} events as {str(kind).upper()}"
    return ""


def _told_of_repository(action: str, details: dict[str, Any]) -> str:
    match action, details:
        case "repository.attached", {"ai_llms": [*names]}:
            return f"has {_few(names)} attached now"
        case "repository.detached", {"ai_llms": [*names]}:
            return f"has {_few(names)} no longer attached"
        case "repository.attachment_changed", {"ai_llm": name, **what}:
            return f"gave {name} another place" if "place" in what else f"changed the allowed models of {name}"
        case "repository.repointed", {"from": old, "to": new}:
            return f"uses {new} instead of {old}"
    return ""


def _few(names: list[Any]) -> str:
    return ", ".join(map(str, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
