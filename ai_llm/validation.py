"""The verbs validate and test. Test before saving and validate after saving are the same check."""

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db.models import QuerySet
from django.views.decorators.debug import sensitive_variables

from ai_llm import credentials, history
from ai_llm.models import AiLlm, Check, ModelList, Verdict
from ai_llm.outcomes import Result, present
from ai_llm.probing import Probe, run
from ai_llm.providers import Judgement
from flashback.errors import Conflict, NotFound
from flashback.prepared import prepared
from flashback.sealed import Unsealable
from workspaces import access
from workspaces.access import Access
from workspaces.models import User, Workspace

__all__ = ["Busy", "Result", "models_of", "present", "run", "run_stored", "test", "validate"]

CHECKS_A_MINUTE = 30
BUSY_SECONDS = 5


class Busy(Conflict):
    """Too many checks at once, or of one person; `retry_after` says in how many seconds to try again (429)."""

    status = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@sensitive_variables("secret", "key")
def test(
    actor: User,
    workspace: Workspace,
    *,
    type: str,
    endpoint: str,
    secret: str,
    key: str = "",
) -> Result:
    """Run the check with values that are not saved. Stores and records nothing. Blocks for up to 10 seconds.

    Expects cleaned values. Raises `Denied` and `Busy`, and RuntimeError inside a transaction.
    """
    access.require(actor, workspace, Access.WRITE)
    counted = count(actor)
    return not_busy(run(type, endpoint, secret, key, slot=str(workspace.pk)), counted)


def validate(actor: User, ai_llm: AiLlm) -> Check:
    """Check a stored AI LLM, store the result as its last check, record `ai_llm.validated`. Blocks for up to 10 s.

    A secret that cannot be opened gives a check with the cause secret_unavailable; nothing is sent then. Raises
    `Denied`, `Busy`, `NotFound` when the AI LLM was deleted before, `Conflict` when it was changed or deleted while
    the check ran (nothing is stored then), and RuntimeError inside a transaction.
    """
    access.require(actor, ai_llm.workspace, Access.WRITE, support="ai_llm.validate_aillm")
    counted = count(actor)
    tested: AiLlm | None = next(iter(_stored(ai_llm.pk)), None)
    if tested is None:
        raise NotFound
    return history.keep(actor, tested, not_busy(run_stored(tested), counted))


@prepared
def _stored(id: UUID) -> "QuerySet[AiLlm]":
    return AiLlm.objects.select_related("workspace", "credential").filter(pk=id, deleted_at=None)


def models_of(ai_llm: AiLlm) -> list[str]:
    """Return the last good list of models of the present endpoint; a failed check or an empty list never erases it."""
    kept = ModelList.objects.filter(ai_llm=ai_llm, endpoint=ai_llm.endpoint)
    return next(iter(kept.values_list("names", flat=True)), [])


@sensitive_variables("opened")
def run_stored(
    tested: AiLlm, *, ask: Callable[[Probe], Judgement] | None = None, origins: Collection[str] = ()
) -> Result:
    """Run the check of a stored AI LLM as it was read, and return what came of it. Asks no permission, stores nothing.

    Blocks for up to 10 seconds. A secret that cannot be opened gives the cause secret_unavailable; nothing is sent
    then. `ask` and `origins` are those of `probing.run`. Raises RuntimeError inside a transaction.
    """
    how: Any = {"slot": str(tested.workspace_id)} | ({"ask": ask, "origins": origins} if ask else {})
    facts = {"endpoint": tested.endpoint}
    if tested.keyless and tested.credential is None:
        return run(tested.type, tested.endpoint, "", "", **how)
    if tested.credential is None:
        return Result(Verdict.UNDECIDED.value, "secret_missing", facts)
    try:
        opened = credentials.open_secret(tested.credential)
    except Unsealable:
        return Result(Verdict.UNDECIDED.value, "secret_unavailable", facts)
    return run(tested.type, tested.endpoint, opened.secret, opened.key, bound_to=tested.credential.origin, **how)


def not_busy(result: Result, counted: str) -> Result:
    """Return the result of a check that ran. Raises `Busy` for one that others kept from running: it does not count."""
    if result.cause == "too_many_checks":
        with suppress(ValueError):  # dropped by the cache in between
            cache.decr(counted)
        raise Busy("Two checks of this provider are running in this workspace. Wait for one to end.", BUSY_SECONDS)
    return result


def count(actor: User) -> str:
    """Count one check of this person, under the name returned. Raises `Busy` for the 31st in a minute of the clock."""
    now = time.time()
    name = f"checks:{actor.pk}:{int(now // 60)}"
    cache.add(name, 0, timeout=120)
    try:
        number = cache.incr(name)
    except ValueError:  # dropped by the cache in between: count again from here
        number = 1
    if number > CHECKS_A_MINUTE:
        wait = 60 - int(now % 60)
        message = f"You have run {CHECKS_A_MINUTE} checks within a minute. Wait {wait} seconds, then validate again."
        raise Busy(message, wait)
    return name
