"""The sealed field: the only way a secret is stored.

`django-encrypted-model-fields` encrypts. Its own fields decrypt on load, return the ciphertext when the key is wrong
and encrypt that again on the next save; this subclass does none of it. What sits on a row is a `Sealed`, which is no
text; a secret goes in as `Fresh` on an instance's attribute, and comes out by `Sealed.open(context)` alone. The cipher
is Fernet (https://github.com/fernet/spec/blob/master/Spec.md); the plaintext is an envelope that names the row it is
for.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, overload
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import FieldError, ImproperlyConfigured, ValidationError
from django.db import connection, models
from django.db.models.lookups import IsNull
from encrypted_model_fields import fields as package

MASK = "[sealed]"
VERSION = 1
PADDING = 64
FERNET_LEAST, FERNET_VERSION = 73, 0x80  # bytes of the shortest token; its first byte
FINGERPRINT_LABEL = b"flashback fingerprint v1"


@dataclass(frozen=True)
class Context:
    """What a sealed value is bound to: opening it anywhere else fails. `origin` is scheme://host:port."""

    workspace: UUID
    row: UUID
    origin: str


class Unsealable(Exception):
    """A sealed value cannot be opened.

    `reason` is `undecryptable` (wrong key, damaged, or never sealed), `malformed` (opens, but holds no envelope of
    ours) or `context_mismatch` (sealed for another row, workspace, field or destination). Never carries a value.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Opaque:
    """Looks like the mask wherever somebody prints it, and refuses to be carried away."""

    __slots__ = ()

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __format__(self, spec: str) -> str:
        return MASK

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} values cannot be pickled or copied.")


class Fresh(_Opaque):
    """A secret on its way into a sealed field: `row.secret = Fresh("…")`, then `row.save()`."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        if not isinstance(secret, str):
            raise TypeError("Only text can be sealed.")
        self._secret = secret


class Sealed(_Opaque):
    """A stored secret; never text. Equal to another one that holds the same stored token."""

    __slots__ = ("_binding", "_token")

    def __init__(self, token: str, binding: str) -> None:
        self._token, self._binding = token, binding

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sealed):
            return NotImplemented
        return hmac.compare_digest(self._token.encode(), other._token.encode())

    def __hash__(self) -> int:
        return hash(self._token)

    def open(self, context: Context) -> str:
        """Return the secret. Raises `Unsealable`; the error and its traceback carry neither secret nor ciphertext."""
        try:
            text = package.decrypt_str(self._token)
        except InvalidToken:
            raise Unsealable("undecryptable") from None
        except UnicodeError:
            raise Unsealable("malformed") from None
        return _unpack(text, _address(self._binding, context))

    @property
    def is_token(self) -> bool:
        """Whether what is stored has the form of ciphertext at all; plain text in the column has not."""
        try:
            data = base64.b64decode(self._token.encode("ascii"), altchars=b"-_", validate=True)
        except ValueError:
            return False
        return len(data) >= FERNET_LEAST and data[0] == FERNET_VERSION

    @property
    def current(self) -> bool:
        """Whether the key that seals now opens it."""
        try:
            Fernet(settings.FIELD_ENCRYPTION_KEY[0]).decrypt(self._token.encode())
        except InvalidToken:
            return False
        return True

    def rotated(self) -> "Sealed":
        """Return the same value under the key that seals now. Raises `Unsealable` when no key opens it."""
        try:
            token = package.CRYPTER.rotate(self._token.encode())
        except InvalidToken:
            raise Unsealable("undecryptable") from None
        return Sealed(token.decode(), self._binding)


class _Stored:
    """What `pre_save` hands to the database: proof that the value came through an instance, and not from a query."""

    __slots__ = ("token",)

    def __init__(self, sealed: Sealed) -> None:
        self.token = sealed._token


class SealedField(package.EncryptedTextField):  # type: ignore[misc]  # the package has no types
    """A text column that holds one sealed secret, or nothing.

    Its model has UUID ids, a method `sealing_context()` that returns a `Context`, and a column `key_id` (8 characters)
    for `key_id()` at the time of sealing. Setting anything but `Fresh`, a loaded `Sealed` or None (text, an expression)
    raises TypeError on save; so do `update()` and `bulk_update()`, except that `update(secret=None)` empties the
    column. Lookups other than `isnull` raise FieldError. Forms never show it; a dump holds a mask that no load accepts.
    """

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: object) -> "SealedField": ...
        @overload
        def __get__(self, instance: models.Model, owner: object) -> Sealed | None: ...
        def __get__(self, instance: models.Model | None, owner: object) -> "SealedField | Sealed | None": ...
        def __set__(self, instance: models.Model, value: Fresh | Sealed | None) -> None: ...

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "editable": False})

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("editable", None)
        return name, path, args, kwargs

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        errors: list[checks.CheckMessage] = super().check(**kwargs)
        if self.unique or self.db_index or self.has_default():
            text = "A sealed field has no index, no unique rule and no default."
            errors.append(checks.Error(text, obj=self, id="sealed.E001"))
        if not hasattr(self.model, "sealing_context") or not _has_field(self.model, "key_id"):
            text = "A model with a sealed field needs a method sealing_context() and a column key_id."
            errors.append(checks.Error(text, obj=self, id="sealed.E002"))
        return errors

    @property
    def binding(self) -> str:
        """The field's address in the envelope, such as ai_llm.credential.secret."""
        return f"{self.model._meta.label_lower}.{self.name}"

    def from_db_value(self, value: str | None, *_: Any) -> Sealed | None:
        return None if value is None else Sealed(value, self.binding)

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, (Sealed, Fresh)):
            return value
        raise ValidationError("A sealed value cannot be loaded from text; enter the secret again.")

    def value_to_string(self, obj: models.Model) -> str:  # noqa: ARG002 - Django's signature
        return MASK

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: ARG002 - Django's signature
        value = getattr(model_instance, self.attname)
        if isinstance(value, Fresh):
            value = self._seal(value, model_instance)
            setattr(model_instance, self.attname, value)
        if value is None:
            return None
        if not isinstance(value, Sealed):
            raise TypeError(f"{self.binding} takes Fresh(secret) or None, not {type(value).__name__}.")
        return _Stored(value)

    def get_db_prep_save(self, value: Any, connection: Any) -> str | None:  # noqa: ARG002 - Django's signature
        if value is None:
            return None
        if not isinstance(value, _Stored):
            raise TypeError(f"{self.binding} is written by saving a row, never by a query.")
        return value.token

    def get_prep_value(self, value: Any) -> NoReturn:  # noqa: ARG002 - Django's signature
        raise FieldError("A sealed field cannot be searched for.")

    def get_lookup(self, lookup_name: str) -> type[IsNull]:
        if lookup_name != "isnull":
            raise FieldError("A sealed field cannot be searched for; only isnull is possible.")
        return IsNull

    def get_transform(self, lookup_name: str) -> NoReturn:  # noqa: ARG002 - Django's signature
        raise FieldError("A sealed field cannot be searched for; only isnull is possible.")

    def _seal(self, fresh: Fresh, row: models.Model) -> Sealed:
        if settings.KEYS_PENDING:
            raise ImproperlyConfigured(
                "The keys of this first run are not kept yet: nothing is sealed. Run: manage.py up"
            )
        context: Context = row.sealing_context()  # type: ignore[attr-defined]  # promised by check()
        text = _pack(fresh._secret, _address(self.binding, context))
        return Sealed(package.encrypt_str(text).decode(), self.binding)


def swap(row: models.Model, rotated: Mapping[str, Sealed | None], **plain: str) -> bool:
    """Compare and swap: write `rotated`, tokens of the same row, and `plain` columns, in one statement of its own.

    Returns False, and writes nothing, when a named sealed column holds another token than `row`'s by now, or the row is
    gone. Written without the ORM, which would take five times as long to put the statement together.
    """
    values = [_token(value) for value in rotated.values()] + list(plain.values())
    seen = [_token(getattr(row, name)) for name in rotated]
    key = row._meta.pk.get_db_prep_value(row.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            _swap_statement(type(row), tuple(rotated), tuple(plain), connection.vendor), [*values, key, *seen]
        )
        return bool(cursor.rowcount)


@lru_cache(maxsize=16)
def _swap_statement(model: type[models.Model], rotated: tuple[str, ...], plain: tuple[str, ...], vendor: str) -> str:
    columns = {field.name: str(field.column) for field in model._meta.concrete_fields}
    quoted = {name: connection.ops.quote_name(columns[name]) for name in (*rotated, *plain)}
    same = "IS NOT DISTINCT FROM" if vendor == "postgresql" else "IS"
    changes = ", ".join(f"{column} = %s" for column in quoted.values())
    held = " AND ".join(f"{quoted[name]} {same} %s" for name in rotated)
    return f"UPDATE {model._meta.db_table} SET {changes} WHERE {model._meta.pk.column} = %s AND {held}"  # noqa: S608 - our own names


def _token(value: Sealed | None) -> str | None:
    return None if value is None else value._token


def fields_of(model: type[models.Model]) -> list[SealedField]:
    """Return the sealed fields of one model."""
    return [field for field in model._meta.concrete_fields if isinstance(field, SealedField)]


def sealing_models() -> Iterator[type[models.Model]]:
    """Yield every model that stores sealed values, without those that only prove a key (`PROVES_KEY`)."""
    return (model for model in apps.get_models() if fields_of(model) and not hasattr(model, "PROVES_KEY"))


def proving_models() -> Iterator[type[models.Model]]:
    """Yield the models whose rows prove a key: each has a class attribute `PROVES_KEY` and one row per key id."""
    return (model for model in apps.get_models() if fields_of(model) and hasattr(model, "PROVES_KEY"))


def fingerprint(workspace: UUID, secret: str) -> str:
    """Return 16 hex characters that are equal for equal secrets of one workspace and tell nothing else.

    They change with the key that seals now, so a row stores `key_id()` beside them.
    """
    key = _fingerprint_key(settings.FIELD_ENCRYPTION_KEY[0])
    return hmac.new(key, workspace.bytes + secret.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]


@lru_cache(maxsize=16)
def _fingerprint_key(key: str) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=FINGERPRINT_LABEL)
    return kdf.derive(base64.urlsafe_b64decode(key))


def key_id() -> str:
    """Return the id (8 hex characters) of the key that seals now."""
    return key_ids()[0]


def key_ids() -> list[str]:
    """Return the ids of all keys that open, the one that seals first. An id is the start of the key's SHA-256."""
    return [_id_of(key) for key in settings.FIELD_ENCRYPTION_KEY]


@lru_cache(maxsize=64)
def _id_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def _address(binding: str, context: Context) -> dict[str, Any]:
    if not isinstance(context.workspace, UUID) or not isinstance(context.row, UUID):
        raise TypeError(f"{binding} is sealed for a workspace and a row; both need their id first.")
    return {
        "version": VERSION,
        "field": binding,
        "workspace": str(context.workspace),
        "row": str(context.row),
        "origin": context.origin,
    }


def _pack(secret: str, address: Mapping[str, Any]) -> str:
    """Return the envelope, padded so that its length tells the secret's length in steps of 64 bytes only."""
    padding = -len(json.dumps(secret)) % PADDING
    return json.dumps({**address, "secret": secret, "padding": " " * padding})


def _unpack(text: str, address: Mapping[str, Any]) -> str:
    try:
        envelope = json.loads(text)
        secret, version = envelope.pop("secret"), envelope["version"]
    except (ValueError, AttributeError, KeyError, TypeError):
        raise Unsealable("malformed") from None
    if version != VERSION or not isinstance(secret, str):
        raise Unsealable("malformed")
    if any(envelope.get(name) != value for name, value in address.items()):
        raise Unsealable("context_mismatch")
    return secret


def _has_field(model: type[models.Model], name: str) -> bool:
    return any(field.name == name for field in model._meta.concrete_fields)
