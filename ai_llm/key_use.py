"""Which keys this installation has and needs, for whoever runs it: ids and counts, and never a key or a secret."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from ai_llm import resealing
from ai_llm.models import AiLlm, Credential
from flashback import sealed
from workspaces import installation
from workspaces.models import AuditHead, Event

SHOWN = 200


@dataclass(frozen=True)
class KeyUse:
    """One key: whether it is at hand, whether it seals now, and how much was sealed with it."""

    id: str
    held: bool
    first: bool
    secrets: int
    chains: int

    @property
    def advice(self) -> str:
        """What to do about it, in one sentence."""
        if self.first:
            return "It seals now. Keep it."
        if not self.held:
            return "It is missing. Put it back, or enter the secrets again that need it."
        if self.secrets or self.chains:
            return "It is still needed. Run manage.py secrets rotate."
        return "Nothing needs it any more. It can be removed, once manage.py secrets check is clean."


@dataclass(frozen=True)
class Needing:
    """One AI LLM whose secret has to be entered again, and why."""

    ai_llm: AiLlm
    why: str


def of_each() -> list[KeyUse]:
    """Return every key that is at hand or needed: first the one that seals, then in the order of the keyring."""
    held = sealed.key_ids()
    secrets, chains = _by_key(*resealing.filled()), _by_key(AuditHead.objects.exclude(key_id=""))
    others = sorted((secrets.keys() | chains.keys()) - set(held))
    return [
        KeyUse(
            key_id or resealing.UNKNOWN,
            held=key_id in held,
            first=key_id == held[0],
            secrets=secrets.get(key_id, 0),
            chains=chains.get(key_id, 0),
        )
        for key_id in (*held, *others)
    ]


def needing() -> tuple[int, list[Needing]]:
    """Return how many AI LLMs need their secret again, and the first of them by workspace and name.

    Those without a stored secret, those whose key is missing, and those that the last check could not open.
    """
    damaged = _last_failed()
    without = Q(credential=None) | Q(credential__secret__isnull=True)
    lost = ~Q(credential__key_id__in=sealed.key_ids())
    rows = AiLlm.objects.filter(without | lost | Q(credential_id__in=damaged), deleted_at=None, keyless=False)
    some = rows.select_related("workspace__organization", "credential").defer("credential__key")
    listed = some.order_by("workspace__name_key", "name_key")[:SHOWN]
    return rows.count(), [Needing(row, why(row.credential, damaged)) for row in listed]


def why(credential: Credential | None, damaged: dict[str, str] | None = None) -> str:
    """Return what keeps a credential from being used, in one sentence; "" when nothing is known to."""
    if credential is None or credential.secret is None:
        return "No secret is stored."
    if credential.key_id not in sealed.key_ids():
        return f"The key {credential.key_id or 'that sealed it'} is missing from the keyring."
    found = (damaged or {}).get(str(credential.pk))
    return f"What is stored does not open ({found})." if found else ""


def last_check() -> Event | None:
    """Return the line of the audit log about the last `manage.py secrets check`."""
    return installation.last("secrets.checked")


def last_rotation() -> Event | None:
    """Return the line of the audit log about the last `manage.py secrets rotate` that moved something."""
    return installation.last("secrets.resealed")


def _last_failed() -> dict[str, str]:
    """Return id and state of what the last check could not open and nobody has written since."""
    checked = last_check()
    if checked is None:
        return {}
    failed = checked.details.get("failed", {})
    unchanged = Credential.objects.filter(pk__in=list(failed), set_at__lte=checked.at).values_list("pk", flat=True)
    return {str(key): failed[str(key)] for key in unchanged}


def _by_key(*tables: "QuerySet[Any]") -> Counter[str]:
    found: Counter[str] = Counter()
    for rows in tables:
        found.update(dict(rows.order_by().values_list("key_id").annotate(number=Count("pk"))))
    return found
