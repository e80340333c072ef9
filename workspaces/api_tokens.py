"""API tokens over the API: one's own, and those of a workspace. Their verbs are those of the console's pages.

None of this takes an API token: with one, a program could hand out more of its kind.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from flashback import idempotency
from flashback.errors import NotFound
from flashback.schemas import EXAMPLE_ID, EXAMPLE_MOMENT, Answer, Input, Output, Success
from workspaces import access, bearer, tokens
from workspaces.access import Access
from workspaces.api_workspaces import seen
from workspaces.models import User, Workspace
from workspaces.token_models import ApiToken

router = Router(tags=["API tokens"])
REPEATABLE = {"parameters": [idempotency.PARAMETER]}
SCOPE = "What it may do, and never more than its person: read, validate (and read), or write (and both)."
NOTHING = "There is no token here that you can see."
SENT_BEFORE = "A request with this Idempotency-Key made the token before. It was shown once, in the answer to that."


class NewApiToken(Input):
    """A token that is not there yet."""

    name: str = Field(description="The program that uses it.", max_length=120, examples=["deploy-pipeline"])
    scope: Literal["read", "validate", "write"] = Field(default="read", description=SCOPE, examples=["validate"])
    days: int = Field(
        default=tokens.DEFAULT_DAYS,
        description=f"Days until it ends, 1 to {tokens.MOST_DAYS}.",
        examples=[tokens.DEFAULT_DAYS],
    )


class ApiTokenRow(Output):
    """An API token. What programs send is not in it."""

    id: UUID = Field(description="Id of the token.", examples=[EXAMPLE_ID])
    name: str = Field(description="The program that uses it.", examples=["deploy-pipeline"])
    scope: str = Field(description=SCOPE, examples=["validate"])
    workspace_id: UUID | None = Field(description="Its workspace; null for a personal one.", examples=[None])
    user_id: UUID = Field(description="Whose rights it acts with.", examples=[EXAMPLE_ID])
    key: str = Field(description="How the token begins, to tell it from others.", examples=["fbk_4Zq1mX9c"])
    hint: str = Field(description="Its last four characters.", examples=["9f2K"])
    created_at: datetime = Field(description="When it was made.", examples=[EXAMPLE_MOMENT])
    expires_at: datetime = Field(description="When it ends.", examples=[EXAMPLE_MOMENT])
    last_used_at: datetime | None = Field(
        description="Last use, to within 10 minutes; null for never.", examples=[EXAMPLE_MOMENT]
    )


class ApiTokens(Answer):
    """API tokens, the newest first. Revoked ones are left out; those that ended by themselves are not."""

    api_tokens: list[ApiTokenRow] = Field(description="The tokens.")


class ApiTokenMade(Success):
    """A new API token, shown this once."""

    api_token: ApiTokenRow = Field(description="The token.")
    secret: str = Field(description="What the program sends as its bearer token.", examples=["fbk_4Zq1mX9c_…"])


@router.get("/user/apitokens", response=ApiTokens)
def list_api_tokens(request: HttpRequest) -> ApiTokens:
    """List my personal API tokens, the newest first."""
    return _list(tokens.personal(bearer.caller(request).person))


@router.post("/user/apitokens", response=ApiTokenMade, openapi_extra=REPEATABLE)
def create_api_token(request: HttpRequest, body: NewApiToken) -> ApiTokenMade:
    """Create a personal API token, good wherever I may go.

    The answer holds it, this once: the same request with the same `Idempotency-Key` makes no second one, and is refused
    (409). Possible within 10 minutes of signing in.
    """
    return _create(request, body, None)


@router.delete("/user/apitokens/{uuid:id}", response=Success)
def revoke_api_token(request: HttpRequest, id: UUID) -> Success:
    """Revoke a personal API token of mine, at once and for good."""
    actor = bearer.caller(request).person
    return _revoke(actor, ApiToken.objects.filter(workspace=None, user=actor, pk=id).first())


@router.get("/workspace/{uuid:workspace_id}/apitokens", response=ApiTokens)
def list_workspace_api_tokens(request: HttpRequest, workspace_id: UUID) -> ApiTokens:
    """List the API tokens of a workspace, the newest first. Needs the role ADMIN in it."""
    return _list(tokens.of_workspace(_administered(bearer.caller(request).person, workspace_id)))


@router.post("/workspace/{uuid:workspace_id}/apitokens", response=ApiTokenMade, openapi_extra=REPEATABLE)
def create_workspace_api_token(request: HttpRequest, workspace_id: UUID, body: NewApiToken) -> ApiTokenMade:
    """Create an API token that is good in one workspace alone.

    It acts as I do, and ends with my access there. Needs the role ADMIN in the workspace, within 10 minutes of signing
    in. The answer holds the token, this once.
    """
    return _create(request, body, _administered(bearer.caller(request).person, workspace_id))


@router.delete("/workspace/{uuid:workspace_id}/apitokens/{uuid:id}", response=Success)
def revoke_workspace_api_token(request: HttpRequest, workspace_id: UUID, id: UUID) -> Success:
    """Revoke an API token of a workspace, at once and for good. Needs the role ADMIN in it."""
    actor = bearer.caller(request).person
    rows = ApiToken.objects.filter(workspace=_administered(actor, workspace_id)).select_related("user", "workspace")
    return _revoke(actor, rows.filter(pk=id).first())


def _administered(actor: User, workspace_id: UUID) -> Workspace:
    workspace = seen(actor, workspace_id)
    access.require(actor, workspace, Access.ADMIN)
    return workspace


def _create(request: HttpRequest, body: NewApiToken, workspace: Workspace | None) -> ApiTokenMade:
    caller = bearer.caller(request)
    caller.require_recent("create the API token")
    kind = f"api_token {workspace.pk}" if workspace else "api_token"
    try:
        made = tokens.create(
            caller.person,
            name=body.name,
            scope=body.scope,
            days=body.days,
            workspace=workspace,
            id=idempotency.row_id(request, caller.person.pk, kind),
        )
    except tokens.AlreadyCreated as already:
        already.message = SENT_BEFORE
        raise
    return ApiTokenMade(
        message="Copy the token now: it is not shown again.", api_token=_row(made.token), secret=made.text
    )


def _revoke(actor: User, row: ApiToken | None) -> Success:
    if row is None:
        raise NotFound(NOTHING)
    done = tokens.revoke(actor, row)
    return Success(message=f"{row.name} is revoked." if done else f"{row.name} was revoked before.")


def _list(rows: "QuerySet[ApiToken]") -> ApiTokens:
    return ApiTokens(api_tokens=[_row(row) for row in rows[: 2 * tokens.MOST_LIVE]])


def _row(row: ApiToken) -> ApiTokenRow:
    return ApiTokenRow(
        id=row.pk,
        name=row.name,
        scope=row.scope,
        workspace_id=row.workspace_id,
        user_id=row.user_id,
        key=f"{tokens.PREFIX}{row.public_id}",
        hint=row.hint,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
