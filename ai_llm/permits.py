"""The line that somebody hands to the operator, so that an internal host may be called."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ai_llm.doctor import Finding, wants_https
from flashback.addresses import is_never
from flashback.hosts import literal

VARIABLE = "FLASHBACK_OUTBOUND_ALLOW"
# The rules of flashback.endpoints that an entry of the operator's list can lift.
LIFTED = frozenset({"local_name", "not_public", "https", "port"})
PORTS = {"http": 80, "https": 443}


def for_endpoint(endpoint: str, findings: Iterable[Finding]) -> str:
    """Return the line that would permit `endpoint`, when that is what stops it and makes sense; else ""."""
    stops = {finding.code for finding in findings} & LIFTED
    if not stops or (stops == {"https"} and wants_https(endpoint)):
        return ""
    try:
        parts = urlsplit(endpoint.strip())
        host, port = parts.hostname or "", PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
        address = literal(host) if host else None
    except ValueError:
        return ""
    if not host or not port or (address is not None and is_never(address)):
        return ""
    return f"{VARIABLE}=[{host}]:{port}" if ":" in host else f"{VARIABLE}={host}:{port}"


def for_check(cause: str, facts: Mapping[str, Any]) -> str:
    """Return the line that would permit the host of a check that ended because its address may not be called."""
    place = str(facts.get("host_port", ""))
    return f"{VARIABLE}={place}" if cause == "address_not_allowed" and place else ""
