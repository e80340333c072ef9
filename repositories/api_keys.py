"""The part of the API about AI API keys. A secret leaves in the answer that made it, and nowhere else."""

from uuid import UUID

from django.http import HttpRequest
from ninja import Router

from flashback import idempotency
from flashback.schemas import Success, naming
from repositories import api_schemas as shapes
from repositories import api_shown, keys, repos
from repositories.models import AiApiKey
from workspaces import bearer

router = Router(tags=["AI API keys"])

FIELDS = {"type": "aiType", "expires_at": "expiresAt", "patterns": "modelPatterns", "until": "keepUntil"}
REPEATABLE = {"parameters": [idempotency.PARAMETER]}
ONCE = "Store the secret now: it is never shown again."


@router.post("/repo/{uuid:id}/ai/apikey", response=shapes.KeyIssued, auth=bearer.write, openapi_extra=REPEATABLE)
def create_ai_api_key(request: HttpRequest, id: UUID, body: shapes.NewKey) -> shapes.KeyIssued:
    """Create an AI API key of a repository.

    The answer has its secret, which applications send as their bearer token. It is never shown again: the same request
    with the same `Idempotency-Key` makes no second key, and is refused (409).
    """
    actor = bearer.caller(request).person
    row = repos.get(actor, id)
    with naming(**FIELDS):
        made = keys.create(
            actor,
            row,
            name=body.name,
            type=body.ai_type,
            expires_at=body.expires_at,
            patterns=body.model_patterns,
            id=idempotency.row_id(request, actor.pk, "ai_api_key"),
        )
    return _issued(request, made)


@router.get("/repo/{uuid:id}/ai/apikey", response=shapes.KeyList, auth=bearer.read)
def list_ai_api_keys(request: HttpRequest, id: UUID) -> shapes.KeyList:
    """List the AI API keys of a repository, the newest first.

    Deleted ones are left out, and no secret is in it.
    """
    row = repos.get(bearer.caller(request).person, id)
    rows = AiApiKey.objects.filter(repository=row, revoked_at=None).order_by("-created_at", "-pk")
    return shapes.KeyList(api_keys=api_shown.keys(rows))


@router.get("/repo/{uuid:id}/ai/apikey/{uuid:key}", response=shapes.KeyShown, auth=bearer.read)
def show_ai_api_key(request: HttpRequest, id: UUID, key: UUID) -> shapes.KeyShown:
    """Show one AI API key.

    Its secret is not in it.
    """
    row = _key(request, id, key)
    return shapes.KeyShown(api_key=api_shown.keys([row])[0])


@router.put("/repo/{uuid:id}/ai/apikey/{uuid:key}", response=Success, auth=bearer.write)
def update_ai_api_key(request: HttpRequest, id: UUID, key: UUID, body: shapes.KeyChange) -> Success:
    """Rename an AI API key, or change when it ends and which models it may use.

    What is absent stays. The type and the secret cannot be changed; rotate the key for another secret.
    """
    row = _key(request, id, key)
    given = body.given()
    name = row.name if body.name is None else body.name
    expires_at = given.get("expires_at", row.expires_at)
    patterns = row.patterns if body.model_patterns is None else body.model_patterns
    with naming(**FIELDS):
        keys.update(bearer.caller(request).person, row, name=name, expires_at=expires_at, patterns=patterns)
    return Success(message="Saved.")


@router.delete("/repo/{uuid:id}/ai/apikey/{uuid:key}", response=Success, auth=bearer.write)
def delete_ai_api_key(request: HttpRequest, id: UUID, key: UUID) -> Success:
    """Delete an AI API key.

    It is refused from now on, for good. What happened with it stays in the audit log.
    """
    row = _key(request, id, key)
    keys.revoke(bearer.caller(request).person, row)
    return Success(message=f"The key {row.name} is deleted, and refused from now on.")


@router.post(
    "/repo/{uuid:id}/ai/apikey/{uuid:key}/rotate",
    response=shapes.KeyIssued,
    auth=bearer.write,
    openapi_extra=REPEATABLE,
)
def rotate_ai_api_key(request: HttpRequest, id: UUID, key: UUID, body: shapes.KeyRotation) -> shapes.KeyIssued:
    """Give an AI API key a new secret.

    The former one ends now, or at the time given. The answer has the new secret, which is never shown again.
    """
    row, actor = _key(request, id, key), bearer.caller(request).person
    with naming(**FIELDS):
        made = keys.rotate(
            actor, row, until=body.keep_until, id=idempotency.row_id(request, actor.pk, f"secret of {row.pk}")
        )
    return _issued(request, made)


@router.delete("/repo/{uuid:id}/ai/apikey/{uuid:key}/former", response=Success, auth=bearer.write)
def end_former_secret(request: HttpRequest, id: UUID, key: UUID) -> Success:
    """End the former secret of an AI API key now.

    Where there is none, nothing happens.
    """
    ended = keys.end_former(bearer.caller(request).person, _key(request, id, key))
    return Success(message="The former secret has ended." if ended else "There was no former secret any more.")


def _key(request: HttpRequest, repository: UUID, id: UUID) -> AiApiKey:
    return keys.get(repos.get(bearer.caller(request).person, repository), id)


def _issued(request: HttpRequest, made: keys.Made) -> shapes.KeyIssued:
    return shapes.KeyIssued(id=made.key.pk, key=made.secret.public_id, secret=made.bearer, message=ONCE)
