"""An AI LLM that is attached to a repository cannot be deleted, unless another one takes its place in the same step."""

from typing import Any

from django.dispatch import receiver

from ai_llm.models import AiLlm
from ai_llm.signals import deleting, moving
from flashback.errors import Conflict
from repositories import attachments
from workspaces.models import User

NAMED = 5


@receiver(moving)
def move_attachments(ai_llm: AiLlm, target: AiLlm, actor: User, **_: Any) -> None:
    """Attach `target` in the place of `ai_llm`, in every repository."""
    attachments.move_all(actor, ai_llm, target)


@receiver(deleting)
def refuse_while_attached(ai_llm: AiLlm, **_: Any) -> None:
    """Raise `Conflict` with the names of the repositories that use it, behind the lock that `attach` waits for."""
    names = list(ai_llm.attachments.in_use().values_list("repository__name", flat=True))
    if not names:
        return
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    raise Conflict(
        f"{ai_llm.name} is attached to {', '.join(names[:NAMED])}{more}. Move its attachments to another AI LLM, or "
        "detach it there, and delete it then."
    )
