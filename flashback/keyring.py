"""Where the keys come from: the environment, a file, or (embedded, first run only) made here.

The settings import this module, so it imports nothing that needs settings before a function runs. For the same reason
`python -m flashback.keyring` prints a new key for sealed fields on a machine where nothing is configured yet, and
`python -m flashback.keyring signing` one for Django.
"""

import base64
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from flashback import environment

SECRET_KEY, FIELD_KEYS = "FLASHBACK_SECRET_KEY", "FLASHBACK_FIELD_KEYS"
ACCEPT_LOST = "FLASHBACK_ACCEPT_LOST_KEYS"
MAKE_ONE = {
    SECRET_KEY: "Make one with: python -m flashback.keyring signing",
    FIELD_KEYS: "Make one with: python -m flashback.keyring",
}
SHORTEST_SECRET_KEY = 50
KEY_LENGTH, KEY_BYTES = 44, 32
LEAST_VARIETY = 16  # 32 random bytes have 16 different values or fewer once in more than 10^12 keys
SAMPLE = 5  # rows of one key that are tried before the key counts as lost
# Keys that stand in public documents: the Fernet specification's test vectors
# (https://github.com/fernet/spec/blob/master/generate.json), which programs copy.
DOCUMENTED = {"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="}


@dataclass(frozen=True)
class Supply:
    """Key material and where it came from. A `pending` key is only in this process until `manage.py up` has kept it."""

    text: str
    path: Path
    pending: bool
    name: str = ""


def supply(name: str, path: Path, make: Callable[[], str], *, production: bool) -> Supply:
    """Return the key material of `name`: the variable, `name`_FILE, the file `path`, or a new one that is pending.

    In production nothing is made up: ImproperlyConfigured says what to set. Material that is no key, or one that others
    know, is refused the same way, each fault with its own words and none with the key in them.
    """
    if name in os.environ and not environment.text(name) and not environment.text(f"{name}_FILE"):
        raise ImproperlyConfigured(f"{name} is set but empty. Unset it or give it a key. {MAKE_ONE[name]}")
    given = environment.secret(name)
    if given:
        return _judged(Supply(given, path, pending=False, name=name))
    if production:
        raise ImproperlyConfigured(
            f"{name} is not set. Production makes no keys; set {name} or {name}_FILE. {MAKE_ONE[name]}"
        )
    if path.exists():
        return _read(name, path)
    return Supply(make(), path, pending=True, name=name)


def new_secret_key() -> str:
    """Return a new key for Django's signing."""
    return secrets.token_urlsafe(64)


def new_field_key() -> str:
    """Return a new key for sealed fields."""
    return Fernet.generate_key().decode()


def field_keys(text: str) -> list[str]:
    """Split a keyring written comma separated or one per line."""
    return [part for part in text.replace(",", "\n").split() if part]


def judge_secret_key(text: str) -> None:
    """Raise ImproperlyConfigured unless `text` can be Django's key: 50 characters or more that nobody can guess."""
    if text.startswith("django-insecure"):
        fault = "was made by a project template (django-insecure…) and is not secret"
    elif len(text) < SHORTEST_SECRET_KEY:
        fault = f"has {len(text)} characters; {SHORTEST_SECRET_KEY} are the least"
    elif text in (text * 2)[1:-1]:
        fault = "repeats itself, so it can be guessed"
    elif len(set(text)) < LEAST_VARIETY:
        fault = f"has only {len(set(text))} different characters, so it can be guessed"
    else:
        return
    raise ImproperlyConfigured(f"{SECRET_KEY} {fault}. {MAKE_ONE[SECRET_KEY]}")


def judge_field_keys(text: str) -> None:
    """Raise ImproperlyConfigured unless `text` is a keyring: different random keys, 32 bytes in base64 each."""
    keys = field_keys(text)
    fault = next(filter(None, map(_fault_of_field_key, keys)), "") if keys else "holds no key"
    if not fault and len(set(keys)) < len(keys):
        fault = "holds the same key twice"
    if fault:
        raise ImproperlyConfigured(f"{FIELD_KEYS} {fault}. {MAKE_ONE[FIELD_KEYS]}")


def keep(pending: Sequence[Supply]) -> list[Path]:
    """Write the keys that were made for this first run, and return the files that were written here.

    Folder 0700, files 0600, whole or not at all. When another process was first, its keys take the place of ours in
    this process. Raises ImproperlyConfigured, and writes nothing, when the database already holds sealed values: they
    belong to a key that is missing, and a new one would not open them.
    """
    waiting = [supply for supply in pending if not supply.path.exists()]
    if any(supply.name == FIELD_KEYS for supply in waiting) and (count := _sealed_rows()):
        path = next(supply.path for supply in waiting if supply.name == FIELD_KEYS)
        raise ImproperlyConfigured(
            f"The database holds {count} sealed secrets, but the key that opens them is missing. "
            f"Put it back as {path} or set {FIELD_KEYS}; no new key was made."
        )
    written = [supply.path for supply in pending if _write(supply)]
    for supply in pending:
        _use(_read(supply.name, supply.path))
    settings.KEYS_PENDING = []
    return written


def readiness() -> list[str]:
    """Return what keeps this installation's keys from opening what its database holds, one sentence each; [] is good.

    A key counts as held when its key check row opens, or one of a few of its rows: a single damaged row is not a lost
    key. With FLASHBACK_ACCEPT_LOST_KEYS=1 lost keys are accepted, and each affected secret has to be entered again.
    Raises DatabaseError when the database does not answer.
    """
    if settings.KEYS_PENDING:
        return ["The keys of this first run are not kept yet. Run: manage.py up"]
    if environment.flag(ACCEPT_LOST):
        return []
    return [
        f"{count} sealed secrets need the key {key_id or '(unknown)'}, which {FIELD_KEYS} does not hold. Put that key "
        f"back; if it is lost for good, start with {ACCEPT_LOST}=1 and enter those secrets again."
        for key_id, count in sorted(_lost_keys())
    ]


def _judged(supply: Supply) -> Supply:
    judges = {SECRET_KEY: judge_secret_key, FIELD_KEYS: judge_field_keys}
    judges[supply.name](supply.text)
    return supply


def _read(name: str, path: Path) -> Supply:
    return _judged(Supply(environment.read_secret_file(path, name), path, pending=False, name=name))


def _fault_of_field_key(key: str) -> str:
    """Return why `key` cannot be used, or ""."""
    try:
        data = base64.b64decode(key.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        data = b""
    steps = {(after - before) % 256 for before, after in pairwise(data)}
    faults = {
        f"holds a key of {len(key)} characters; a key has {KEY_LENGTH}": len(key) < KEY_LENGTH,
        "holds something that is not a key (32 bytes in url-safe base64)": len(data) != KEY_BYTES,
        "holds a sample key from a public document": key in DOCUMENTED,
        "holds a key of zeros": not any(data),
        "holds a key that repeats itself": len(set(data)) < LEAST_VARIETY,
        "holds a key that only counts, which can be guessed": len(steps) == 1,
        "holds a key made of readable text, which can be guessed": data.isascii() and data.decode().isprintable(),
    }
    return next((fault for fault, applies in faults.items() if applies), "")


def _write(supply: Supply) -> bool:
    """Write one key file, whole or not at all; False when another process was first."""
    folder = supply.path.parent
    draft = folder / f".{supply.path.name}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{supply.text}\n")
            file.flush()
            os.fsync(file.fileno())
        return _claim(draft, supply.path)
    except OSError as fault:
        raise ImproperlyConfigured(f"The keys cannot be kept in {folder}: {fault.strerror}.") from None
    finally:
        with suppress(OSError):
            draft.unlink()


def _claim(draft: Path, path: Path) -> bool:
    """Give the finished file its name unless the name is taken: a link, unlike a rename, never replaces."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def _use(supply: Supply) -> None:
    """Make a key that was read from its file the one that this process works with."""
    if supply.name == SECRET_KEY:
        settings.SECRET_KEY = supply.text
        return
    from encrypted_model_fields import fields as package  # needs the settings, which import this module

    settings.FIELD_ENCRYPTION_KEY = field_keys(supply.text)
    package.CRYPTER = package.get_crypter()


def _sealed_rows() -> int:
    """Count the rows that hold something sealed; tables that are not there yet hold nothing."""
    from django.db import DatabaseError, connection

    from flashback import sealed  # needs the settings, which import this module

    try:
        tables = set(connection.introspection.table_names())
        models = [model for model in sealed.sealing_models() if model._meta.db_table in tables]
        return sum(_filled(model).count() for model in models)
    except DatabaseError:
        raise ImproperlyConfigured("The database cannot be read, so it is unknown whether keys may be made.") from None


def _filled(model: Any) -> Any:
    """Return the rows of `model` in which at least one sealed field holds something."""
    from django.db.models import Q

    from flashback import sealed  # needs the settings, which import this module

    held = Q()
    for field in sealed.fields_of(model):
        held |= Q(**{f"{field.name}__isnull": False})
    return model._base_manager.filter(held)


def _lost_keys() -> Iterator[tuple[str, int]]:
    """Yield key id and number of rows for every key that rows need and that opens none of them."""
    from flashback import sealed  # needs the settings, which import this module

    proven = {row.key_id for model in sealed.proving_models() for row in _filled(model) if _opens(row)}
    for model in sealed.sealing_models():
        rows = _filled(model)
        for key_id in rows.order_by().values_list("key_id", flat=True).distinct():
            of_key = rows.filter(key_id=key_id)
            if key_id not in proven and not any(map(_opens, of_key[:SAMPLE])):
                yield key_id, of_key.count()


def _opens(row: Any) -> bool:
    """Tell whether a key at hand opens any sealed value of the row, whatever it says inside."""
    from flashback import sealed  # needs the settings, which import this module

    for field in sealed.fields_of(type(row)):
        value = getattr(row, field.name)
        with suppress(sealed.Unsealable):
            if value is not None and value.rotated():
                return True
    return False


if __name__ == "__main__":
    sys.stdout.write(f"{new_secret_key() if sys.argv[1:] == ['signing'] else new_field_key()}\n")
