"""Whether a secret that is being typed is already in use here. Compares keyed digests; nothing stored is opened."""

from django.views.decorators.debug import sensitive_variables

from ai_llm import credentials
from ai_llm.models import AiLlm
from flashback import sealed
from flashback.errors import Invalid
from workspaces.models import Workspace


@sensitive_variables("secret", "cleaned")
def warnings(workspace: Workspace, secret: str) -> list[str]:
    """Return a sentence when an AI LLM of `workspace` already holds `secret`; [] otherwise.

    `secret` is as typed. Rows that were sealed under an earlier key of the keyring are not found. Reads one row.
    """
    try:
        cleaned = credentials.clean(secret, field="secret")
    except Invalid:
        return []
    mark = sealed.fingerprint(workspace.pk, cleaned)
    rows = AiLlm.objects.of(workspace).filter(credential__fingerprint=mark, credential__key_id=sealed.key_id())
    name = rows.order_by("name_key").values_list("name", flat=True).first()
    return [f"The AI LLM {name} already uses this API Secret."] if name else []
