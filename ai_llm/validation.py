"""The verbs validate and test. Test before saving and validate after saving are the same check."""

import time
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from ai_llm import credentials
from ai_llm.models import AiLlm, Check, Verdict
from ai_llm.outcomes import Result, present
from ai_llm.probing import run
from flashback.errors import Conflict, NotFound
from flashback.sealed import Unsealable
from workspaces import access, events
from workspaces.access import Access
from workspaces.models import User, Workspace

__all__ = ["Busy", "Result", "models_of", "present", "run", "test", "validate"]

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
    _count(actor)
    return _not_busy(run(type, endpoint, secret, key, slot=str(workspace.pk)))


def validate(actor: User, ai_llm: AiLlm) -> Check:
    """Check a stored AI LLM, store the result as its last check, record `ai_llm.validated`. Blocks for up to 10 s.

    A secret that cannot be opened gives a check with the cause secret_unavailable; nothing is sent then. Raises
    `Denied`, `Busy`, `NotFound` when the AI LLM was deleted before, `Conflict` when it was changed or deleted while
    the check ran (nothing is stored then), and RuntimeError inside a transaction.
    """
    access.require(actor, ai_llm.workspace, Access.WRITE)
    _count(actor)
    tested = AiLlm.objects.select_related("workspace", "credential").filter(pk=ai_llm.pk, deleted_at=None).first()
    if tested is None:
        raise NotFound
    return _store(actor, tested, _not_busy(_run_stored(tested)))


def models_of(ai_llm: AiLlm) -> list[str]:
    """Return the newest list of models that a check of the present endpoint found; a failed check never erases it."""
    checks = Check.objects.filter(ai_llm=ai_llm, facts__endpoint=ai_llm.endpoint).exclude(models_found=[])
    return next(iter(checks.order_by("-at").values_list("models_found", flat=True)[:1]), [])


@sensitive_variables("opened")
def _run_stored(tested: AiLlm) -> Result:
    facts = {"endpoint": tested.endpoint}
    if tested.credential is None:
        return Result(Verdict.UNDECIDED.value, "secret_missing", facts)
    try:
        opened = credentials.open_secret(tested.credential)
    except Unsealable:
        return Result(Verdict.UNDECIDED.value, "secret_unavailable", facts)
    slot, origin = str(tested.workspace_id), tested.credential.origin
    return run(tested.type, tested.endpoint, opened.secret, opened.key, slot=slot, bound_to=origin)


def _store(actor: User, tested: AiLlm, result: Result) -> Check:
    """Keep the result with the row it is about: only if version and credential are still those that were tested."""
    with transaction.atomic():
        rows = AiLlm.objects.select_for_update(of=("self",)).filter(pk=tested.pk, deleted_at=None)
        row = rows.filter(version=tested.version, credential=tested.credential).first()
        if row is None:
            raise Conflict("This AI LLM was changed or deleted while the check ran. Validate it again.")
        check = Check.objects.create(ai_llm=row, by=actor, **_columns(result))
        row.verdict, row.last_check = check.verdict, check
        row.save(update_fields=["verdict", "last_check"])
        details = {"verdict": check.verdict, "cause": check.cause}
        events.record(actor, "ai_llm.validated", row, workspace=tested.workspace, details=details)
    return check


def _columns(result: Result) -> dict[str, Any]:
    return {**vars(result), "url": result.url[:2100]}


def _not_busy(result: Result) -> Result:
    if result.cause == "too_many_checks":
        raise Busy("Two checks of this provider are running in this workspace. Wait for one to end.", BUSY_SECONDS)
    return result


def _count(actor: User) -> None:
    """Count one check of this person. Raises `Busy` for the 31st within a minute of the clock."""
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
