"""Which credential an AI LLM holds after a change: its own, sealed anew or kept, a provider key, or none.

The verbs in `ai_llm.configs` call this behind their locks, inside their transactions.
"""

from dataclasses import dataclass, field
from typing import Any

from ai_llm import credentials, provider_keys, rows
from ai_llm.inputs import KEY_OF_ANOTHER, NO_SECRET, ONE_OF_BOTH, SECRET_AGAIN, Unchanged, clean_credentials
from ai_llm.models import AiLlm, Credential, Type
from flashback import outbound, sealed
from flashback.errors import Invalid
from workspaces.models import User


def holds(credential: Credential, secret: str, key: str, provider_key: Credential | None) -> bool:
    """Tell whether an AI LLM that points at `credential` was given these cleaned texts, or this provider key."""
    if credential.shared or provider_key is not None:
        return credential == provider_key
    workspace = credential.workspace_id
    marks = sealed.fingerprint(workspace, secret), sealed.fingerprint(workspace, key) if key else ""
    return marks == (credential.fingerprint, credential.key_fingerprint)


@dataclass(frozen=True)
class Given:
    """What `update` was given of credentials: cleaned texts, "" for nothing. No repr shows them."""

    secret: str = field(repr=False)
    key: str = field(repr=False)
    remove_key: bool
    provider_key: Credential | Unchanged | None


def given(type: str, secret: str, key: str, *, remove_key: bool, provider_key: Credential | Unchanged | None) -> Given:
    """Return what was typed, cleaned. Raises `Invalid` (fields secret, key, provider_key)."""
    if isinstance(provider_key, Credential) and (secret.strip() or key.strip()):
        raise Invalid({"provider_key": ONE_OF_BOTH})
    if secret.strip():
        secret, key = clean_credentials(type, secret, key)
    else:
        secret, key = "", credentials.clean(key, field="key") if key.strip() else ""
    return Given(secret, key, remove_key, provider_key)


def reconnect(actor: User, row: AiLlm, given: Given, *, moved: bool) -> tuple[list[Credential], dict[str, Any]]:
    """Give the row the credential that was asked for; return those to purge once it is saved, and what is new of it.

    `moved`: the row goes elsewhere now, or speaks another provider's language. Raises `Invalid` (fields secret, key,
    provider_key).
    """
    held, lent = row.credential, given.provider_key
    if isinstance(lent, Credential):
        if held == lent and not moved:
            return [], {}
        doomed = rows.drop(row)
        row.credential, row.keyless = provider_keys.lend(lent, row), False
        return doomed, {"provider_key": lent.name}
    if given.secret:
        pair = given.secret, given.key
        doomed = take_over(actor, row, *pair, remove_key=given.remove_key, anew=moved)
        row.keyless = False
        return doomed, fingerprint(row)
    if lent is None and held is not None and held.shared:
        raise Invalid({"secret": NO_SECRET})
    if moved:  # a secret may wait to end being keyless: it was entered for the old destination
        if not row.keyless or row.type != Type.OTHER:
            raise Invalid({"secret": SECRET_AGAIN})
        return rows.drop(row), {}
    return [], _set_key(row, given)


def _set_key(row: AiLlm, given: Given) -> dict[str, Any]:
    """Change the API Key alone, if that was asked for."""
    held = row.credential
    if not given.key and (not given.remove_key or held is None or held.key is None):
        return {}
    if held is None:
        raise Invalid({"secret": NO_SECRET})
    if held.shared:
        raise Invalid({"key": KEY_OF_ANOTHER.format(name=held.name)})
    credentials.set_key(held, given.key)
    return {"key": held.key_fingerprint}


def take_over(
    actor: User, row: AiLlm, secret: str, key: str, *, remove_key: bool = False, anew: bool = False
) -> list[Credential]:
    """Give the row its new secret; return the credentials to purge once it is saved. `anew`: it goes elsewhere now."""
    old = row.credential
    if old is not None and not old.shared and not anew and old.origin == outbound.origin(row.endpoint):
        credentials.overwrite(old, secret=secret, key=key, remove_key=remove_key, set_by=actor)
        return []
    doomed = rows.drop(row)
    row.credential = rows.seal(actor, row, secret, key)
    return doomed


def fingerprint(row: AiLlm) -> dict[str, Any]:
    """Return what an event says of the stored secret."""
    return {"secret": row.credential.fingerprint if row.credential else ""}
