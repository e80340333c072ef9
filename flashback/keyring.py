"""Where the keys come from: the environment, a file, or (embedded, first run only) made here."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from flashback import environment


@dataclass(frozen=True)
class Supply:
    """Key material and where it came from. `pending` keys exist only in this process until `manage.py up` has kept them."""

    text: str
    path: Path
    pending: bool


def supply(name: str, path: Path, make: Callable[[], str], *, production: bool) -> Supply:
    """Return the key material of `name`: the variable, `name`_FILE, the embedded file `path`, or a new one that is pending.

    In production nothing is made up: ImproperlyConfigured says what to set.
    """
    given = environment.secret(name)
    if given:
        return Supply(given, path, pending=False)
    if production:
        raise ImproperlyConfigured(f"{name} is not set. Production makes no keys; set {name} or {name}_FILE.")
    if path.exists():
        return Supply(environment.read_secret_file(path, name), path, pending=False)
    return Supply(make(), path, pending=True)


def new_secret_key() -> str:
    """Return a new key for Django's signing."""
    return secrets.token_urlsafe(64)


def new_field_key() -> str:
    """Return a new key for sealed fields."""
    return Fernet.generate_key().decode()


def field_keys(text: str) -> list[str]:
    """Split a keyring written comma separated or one per line."""
    return [part for part in text.replace(",", "\n").split() if part]
