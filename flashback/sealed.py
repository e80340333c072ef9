"""The sealed field: the only way a secret is stored."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from encrypted_model_fields import fields as package


@dataclass(frozen=True)
class Context:
    """What a sealed value is bound to: opening it anywhere else fails."""

    workspace: UUID
    row: UUID
    origin: str


class Unsealable(Exception):
    """A sealed value cannot be opened; `reason` is undecryptable, malformed or context_mismatch."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Fresh:
    """A secret on its way into a sealed field."""

    def __init__(self, secret: str) -> None:
        self._secret = secret


class Sealed:
    """A stored secret; never text."""

    def __init__(self, token: str, binding: str) -> None:
        self._token, self._binding = token, binding

    def open(self, context: Context) -> str:
        """Return the secret. Raises `Unsealable`."""
        data = json.loads(package.decrypt_str(self._token))
        if data["c"] != [str(context.workspace), str(context.row), context.origin]:
            raise Unsealable("context_mismatch")
        return str(data["s"])


class SealedField(package.EncryptedTextField):  # type: ignore[misc]
    """A text column that holds one sealed secret. The model has a method `sealing_context()` that returns a `Context`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "editable": False})

    def from_db_value(self, value: str | None, *args: Any) -> Sealed | None:
        return None if value is None else Sealed(value, self.name)

    def to_python(self, value: Any) -> Any:
        return value

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        value = getattr(model_instance, self.attname)
        if isinstance(value, Fresh):
            context = model_instance.sealing_context()
            data = {"c": [str(context.workspace), str(context.row), context.origin], "s": value._secret}
            value = Sealed(package.encrypt_str(json.dumps(data)).decode(), self.name)
            setattr(model_instance, self.attname, value)
        return value

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return value._token if isinstance(value, Sealed) else None


def fingerprint(workspace: UUID, secret: str) -> str:
    """Return 16 hex characters that are equal for equal secrets of one workspace and tell nothing else."""
    return ""


def key_id() -> str:
    """Return the id (8 hex characters) of the key that seals now."""
    return ""


def key_ids() -> list[str]:
    """Return the ids of all keys that open."""
    return [""]
