"""The part of the API that asks providers: test before saving, validate after saving, and what was kept of it."""

from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router

from ai_llm import api_answers as answers
from ai_llm import api_schemas as shapes
from ai_llm import api_shown, configs, diagnostics, trials, validation
from ai_llm.api_found import FIELDS, ai_llm, ai_llm_of, provider_key, workspace
from ai_llm.models import AiLlm, Check, Credential
from flashback.errors import Invalid
from flashback.schemas import naming
from workspaces import access, bearer
from workspaces.access import Access
from workspaces.models import User

WHERE = "Name the workspace, or the AI LLM to begin with."
WHICH = "Name the AI LLM Type."

router = Router(tags=["Checks"])


@router.post("/ai/llm/test", response=answers.Outcome, auth=bearer.validate)
def test_ai_llm(request: HttpRequest, body: shapes.Trial) -> answers.Outcome:
    """Test a connection before it is saved.

    It is the same check as validate. Nothing is stored. It takes up to 10 seconds; 429 says when to try again.
    """
    actor = bearer.caller(request).person
    with naming(**FIELDS):
        return answers.Outcome(**api_shown.outcome(_tried(actor, body)))


@router.post("/ai/llm/{uuid:id}/validate", response=answers.Validated, auth=bearer.validate)
def validate_ai_llm(request: HttpRequest, id: UUID) -> answers.Validated:
    """Validate an AI LLM.

    Calls the provider once or twice, at no cost, and keeps the result. The status is 200 for every verdict; `success`
    says whether the credential works. It takes up to 10 seconds; 429 says when to try again.
    """
    row = ai_llm(request, id)
    check = validation.validate(bearer.caller(request).person, row)
    row = ai_llm(request, id)
    return answers.Validated(ai_llm_id=row.pk, check_id=check.pk, state=row.state, **api_shown.outcome(check))


@router.get("/ai/llm/{uuid:id}/diagnostics", response=answers.DiagnosticsShown, auth=bearer.read)
def show_diagnostics(request: HttpRequest, id: UUID) -> answers.DiagnosticsShown:
    """Show what a ticket about an AI LLM needs to know.

    Versions, settings, the latest checks and changes. It holds no secret, no part of one, and nothing that a provider
    said. What exactly is in it may change with any version.
    """
    return answers.DiagnosticsShown(diagnostics=diagnostics.bundle(ai_llm(request, id)))


@router.get("/ai/llm/{uuid:id}/checks", response=answers.CheckList, auth=bearer.read)
def list_checks(request: HttpRequest, id: UUID, query: Query[shapes.Paged]) -> answers.CheckList:
    """List the checks of an AI LLM, the newest first.

    The newest 50 are kept, and of the older ones the last of each day for 400 days.
    """
    row = ai_llm(request, id)
    may_write = (access.of(bearer.caller(request).person, row.workspace) or 0) >= Access.WRITE
    rows = Check.objects.filter(ai_llm=row).order_by("-at", "-pk")
    page = rows[query.skip : query.skip + query.take]
    return answers.CheckList(checks=[api_shown.check(one, excerpt=may_write) for one in page], total=rows.count())


def _tried(actor: User, body: shapes.Trial) -> validation.Result:
    key = provider_key(actor, body.api_key_uuid)
    if body.ai_llm_id is not None:
        return _tried_change(actor, ai_llm_of(actor, body.ai_llm_id), body, key)
    if body.workspace_id is None:
        raise Invalid({"workspaceId": WHERE})
    into = workspace(actor, body.workspace_id)
    if body.ai_type is None:
        raise Invalid({"aiType": WHICH})
    values = {"type": body.ai_type, "endpoint": body.endpoint or "", "secret": body.secret or "", "key": body.key or ""}
    if key is not None:
        return trials.of_provider_key(actor, into, key, **values)
    return configs.test(actor, into, **values, keyless=body.keyless)


def _tried_change(actor: User, row: AiLlm, body: shapes.Trial, key: Credential | None) -> validation.Result:
    """Test what the row would be after a change: what is left out stays as it is stored."""
    values = {"endpoint": body.endpoint or row.endpoint, "secret": body.secret or "", "key": body.key or ""}
    kind = body.ai_type or row.type
    if key is not None:
        return trials.of_provider_key(actor, row.workspace, key, type=kind, **values)
    if kind == row.type and not body.keyless:
        return trials.of_edit(actor, row, **values)
    return configs.test(actor, row.workspace, type=kind, **values, keyless=body.keyless)
