"""Test connection for a stored AI LLM, with values that are not saved: the very same check as Validate.

A stored secret is only used where it may go: at the destination that it was entered for. Nothing is stored or recorded.
"""

from django.views.decorators.debug import sensitive_variables

from ai_llm import configs, credentials, doctor, inputs, provider_keys, validation
from ai_llm.models import AiLlm, Credential
from flashback import outbound, sealed
from flashback.errors import Conflict, Invalid
from workspaces import access
from workspaces.access import Access
from workspaces.models import User, Workspace

UNREADABLE = "The stored secret cannot be opened with the keys of this installation. Enter it again to test it."
NOTHING_STORED = "There is no stored secret to test with. Enter the API Secret."


@sensitive_variables("secret", "key", "opened")
def of_edit(actor: User, ai_llm: AiLlm, *, endpoint: str, secret: str = "", key: str = "") -> validation.Result:
    """Run the check at `endpoint`, with what was typed, or with what is stored of what is blank.

    The stored secret goes to an unchanged destination only; another one demands it again. Blocks for up to 10 seconds.
    Raises `Denied`, `Invalid` (fields endpoint, secret, key), `Conflict` (deleted meanwhile) and `validation.Busy`.
    """
    stored, endpoint = _stored(actor, ai_llm), configs.clean_endpoint(endpoint, ai_llm.type)
    if secret.strip() or stored.keyless:
        return configs.test(
            actor, stored.workspace, type=stored.type, endpoint=endpoint, secret=secret, key=key,
            keyless=not secret.strip(),
        )  # fmt: skip
    if not doctor.same_destination(stored.endpoint, endpoint, stored.type):
        raise Invalid({"secret": configs.SECRET_AGAIN})
    opened = _opened(stored)
    key = credentials.clean(key, field="key") if key.strip() else opened.key
    return validation.test(actor, stored.workspace, type=stored.type, endpoint=endpoint, secret=opened.secret, key=key)


@sensitive_variables("secret", "key")
def of_new_secret(
    actor: User,
    ai_llm: AiLlm,
    *,
    secret: str = "",
    key: str = "",
    remove_key: bool = False,
    keyless: bool = False,
) -> validation.Result:
    """Run the check at the stored endpoint with the typed secret, and with the API Key that would belong to it then.

    A blank `key` stands for the stored one, unless `remove_key`. Blocks for up to 10 seconds. Raises `Denied`,
    `Invalid` (fields secret, key, keyless), `Conflict` (deleted meanwhile) and `validation.Busy`.
    """
    stored = _stored(actor, ai_llm)
    secret, key = configs.clean_credentials(stored.type, secret, key, keyless=keyless)
    if not key and not remove_key and not keyless and stored.credential is not None and stored.credential.key:
        key = _opened(stored).key
    return validation.test(actor, stored.workspace, type=stored.type, endpoint=stored.endpoint, secret=secret, key=key)


@sensitive_variables("secret", "key", "opened")
def of_provider_key(
    actor: User,
    workspace: Workspace,
    provider_key: Credential,
    *,
    type: str,
    endpoint: str = "",
    secret: str = "",
    key: str = "",
) -> validation.Result:
    """Run the check with a provider key in the place of an own secret; a blank `endpoint` is the provider key's.

    Blocks for up to 10 seconds. Raises `Denied`, `Invalid` (fields type, endpoint, secret, provider_key) and
    `validation.Busy`.
    """
    access.require(actor, workspace, Access.WRITE)
    if secret.strip() or key.strip():
        raise Invalid({"provider_key": inputs.ONE_OF_BOTH})
    endpoint = inputs.clean_endpoint(endpoint or provider_key.endpoint, inputs.clean_type(type))
    provider_keys.refuse_elsewhere(provider_key, workspace, type, endpoint)
    try:
        opened = credentials.open_secret(provider_key)
    except sealed.Unsealable:
        raise Invalid({"provider_key": UNREADABLE}) from None
    return validation.test(actor, workspace, type=type, endpoint=endpoint, secret=opened.secret, key=opened.key)


def _stored(actor: User, ai_llm: AiLlm) -> AiLlm:
    """Return the row and its credential as they are now, read at one moment."""
    access.require(actor, ai_llm.workspace, Access.WRITE)
    rows = AiLlm.objects.select_related("workspace", "credential").filter(pk=ai_llm.pk, deleted_at=None)
    found = rows.first()
    if found is None:
        raise Conflict("This AI LLM was deleted in the meantime.")
    return found


def _opened(stored: AiLlm) -> credentials.Opened:
    if stored.credential is None:
        raise Invalid({"secret": NOTHING_STORED})
    if stored.credential.origin != outbound.origin(stored.endpoint):
        raise Invalid({"secret": configs.SECRET_AGAIN})
    try:
        return credentials.open_secret(stored.credential)
    except sealed.Unsealable:
        raise Invalid({"secret": UNREADABLE}) from None
