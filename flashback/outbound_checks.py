"""Refuses to start with outbound settings that cannot hold, and warns of entries of which a part stays closed."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from flashback.allowlist import current_allow
from flashback.pinned import tls_context


@checks.register()
def check_outbound(**_: Any) -> list[checks.CheckMessage]:
    """Return what is wrong with FLASHBACK_OUTBOUND_ALLOW and FLASHBACK_OUTBOUND_CA_FILE."""
    return [*_check_allow(), *_check_authorities()]


def _check_allow() -> list[checks.CheckMessage]:
    try:
        closed = current_allow().overlaps_never()
    except ImproperlyConfigured as problem:
        return [checks.Error(str(problem), id="flashback.E020")]
    text = "FLASHBACK_OUTBOUND_ALLOW: part of {} is never called (link-local, metadata services, multicast)."
    return [checks.Warning(text.format(network), id="flashback.W020") for network in closed]


def _check_authorities() -> list[checks.CheckMessage]:
    try:
        tls_context(settings.OUTBOUND_CA_FILE)
    except OSError:
        text = f"FLASHBACK_OUTBOUND_CA_FILE names {settings.OUTBOUND_CA_FILE}, which holds no readable certificates."
        return [checks.Error(text, id="flashback.E021")]
    return []
