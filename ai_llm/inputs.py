"""What people and programs enter about an AI LLM: one rule for each value, and the words when it is refused."""

from enum import Enum
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from ai_llm import credentials, doctor
from ai_llm.models import AiLlm, Type
from flashback import names
from flashback.errors import Invalid
from flashback.prepared import prepared
from workspaces.models import Workspace

SAME_NAME = "This workspace already has an AI LLM with this name. Choose another one."
SECRET_AGAIN = (
    "The destination changes, so enter the API Secret again: a stored secret only goes where it was meant for."  # noqa: S105 - words
)
SECRET_OR_NONE = "Enter the API Secret, or tick that this endpoint needs no secret."  # noqa: S105 - words
NOT_BOTH = "Either enter an API Secret and API Key, or tick that this endpoint needs no secret; not both."
ONLY_OTHER = "Only endpoints of the type OTHER can do without a secret."
NO_SECRET = "Enter the API Secret: the provider's secret or token."  # noqa: S105 - words
ONE_OF_BOTH = "Either name a provider key, or enter an API Secret and API Key; not both."
KEY_OF_ANOTHER = "This AI LLM uses the provider key {name}. Change its API Key and its expiry there."
NOTHING_EXPIRES = "No secret is stored that could expire. Leave this blank, or enter the API Secret too."


class Unchanged(Enum):
    """Says that a value stays as it is, where None says that there is none."""

    STAYS = "stays"


STAYS = Unchanged.STAYS


def clean_type(type: str) -> str:
    """Return `type` when it is one of the AI LLM Types. Raises `Invalid` for the field type."""
    if type not in Type.values:
        raise Invalid({"type": f"Choose one of the AI LLM types: {', '.join(Type.values)}."})
    return type


def clean_name(workspace: Workspace, name: str, *, besides: AiLlm | None = None) -> str:
    """Return `name` as it will be stored. Raises `Invalid` when unusable, or taken by another row than `besides`."""
    cleaned = names.clean(name, label="Configuration Name")
    own = besides.pk if besides else None
    if any(pk != own for (pk,) in _named(workspace.pk, names.key(cleaned))):
        raise Invalid({"name": SAME_NAME})
    return cleaned


@prepared
def _named(workspace: UUID, key: str) -> "QuerySet[AiLlm, Any]":
    return AiLlm.objects.of(workspace).filter(name_key=key).values_list("pk")


def clean_endpoint(endpoint: str, type: str) -> str:
    """Return `endpoint` in its canonical form. Raises `Invalid` with what to do; asks the network nothing."""
    names.refuse_secret(endpoint, field="endpoint")
    examination = doctor.examine(endpoint, type)
    fault = next((finding for finding in examination.findings if finding.severity == "error"), None)
    if fault is not None:
        raise Invalid({"endpoint": fault.message})
    return examination.normal


def clean_credentials(type: str, secret: str, key: str, *, keyless: bool = False) -> tuple[str, str]:
    """Return API Secret and API Key as they will be sealed or sent; both are "" with `keyless`.

    Raises `Invalid` (fields secret, key, keyless) unless there is either a secret or the choice to go without.
    """
    if keyless:
        return _without(type, secret, key)
    errors: dict[str, str] = {}
    cleaned = {"secret": "", "key": ""}
    for field, text in (("secret", secret), ("key", key)):
        if not text.strip():
            if field == "secret":
                errors[field] = SECRET_OR_NONE if type == Type.OTHER else NO_SECRET
            continue
        try:
            cleaned[field] = credentials.clean(text, field=field)
        except Invalid as invalid:
            errors.update(invalid.errors)
    if errors:
        raise Invalid(errors)
    return cleaned["secret"], cleaned["key"]


def _without(type: str, secret: str, key: str) -> tuple[str, str]:
    if type != Type.OTHER:
        raise Invalid({"keyless": ONLY_OTHER})
    typed = next((field for field, text in (("secret", secret), ("key", key)) if text.strip()), "")
    if typed:
        raise Invalid({typed: NOT_BOTH})
    return "", ""
