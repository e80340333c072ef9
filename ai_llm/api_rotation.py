"""The part of the API about rotating secrets: test a new one, let it take over, return to the former one."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router

from ai_llm import api_answers as answers
from ai_llm import api_schemas as shapes
from ai_llm import api_shown, configs, rotation
from ai_llm.api_found import FIELDS, matching
from ai_llm.models import AiLlm
from flashback import etags
from flashback.schemas import naming
from workspaces import bearer

TOOK_OVER = "The new secret has taken over."
WAITS = "The test of the new secret failed, so nothing has changed. It waits for an hour: retry, take over or discard."
KEYLESS = "Nothing is stored any more: this endpoint needs no secret."

router = Router(tags=["Rotation"])


@router.post(
    "/ai/llm/{uuid:id}/rotate",
    response=answers.Rotated,
    auth=bearer.write,
    openapi_extra=etags.HONOURED,
)
def rotate_secret(request: HttpRequest, id: UUID, body: shapes.Rotation) -> answers.Rotated:
    """Rotate the secret of an AI LLM.

    The new secret is tested. When it works it takes over, and the former one is kept for a while; else it waits for an
    hour, sealed. The status is 200 in both cases; `success` tells them apart. It takes up to 10 seconds.
    """
    actor, row = bearer.caller(request).person, matching(request, id)
    typed: dict[str, Any] = {"secret": body.secret or "", "key": body.key or "", "remove_key": body.remove_key}
    with naming(**FIELDS):
        if body.keyless:
            return _keyless(request, configs.replace_secret(actor, row, **typed, keyless=True))
        found = rotation.rotate(actor, row, **typed, keep=body.keep, expires_at=body.expires_at)
    return _rotated(request, found)


@router.post(
    "/ai/llm/{uuid:id}/rotate/retry", response=answers.Rotated, auth=bearer.write, openapi_extra=etags.HONOURED
)
def retry_rotation(request: HttpRequest, id: UUID, body: shapes.Overlap | None = None) -> answers.Rotated:
    """Test the waiting secret again.

    It takes over when it works. 409 when none waits.
    """
    keep = (body or shapes.Overlap()).keep
    return _rotated(request, rotation.retry(bearer.caller(request).person, matching(request, id), keep=keep))


@router.post(
    "/ai/llm/{uuid:id}/rotate/take-over", response=answers.Rotated, auth=bearer.write, openapi_extra=etags.HONOURED
)
def take_over_secret(request: HttpRequest, id: UUID, body: shapes.Overlap | None = None) -> answers.Rotated:
    """Let the waiting secret take over, although its test failed.

    409 when none waits.
    """
    keep = (body or shapes.Overlap()).keep
    row = rotation.take_over(bearer.caller(request).person, matching(request, id), keep=keep)
    return _moved(request, row, TOOK_OVER)


@router.post(
    "/ai/llm/{uuid:id}/rotate/discard", response=answers.Rotated, auth=bearer.write, openapi_extra=etags.HONOURED
)
def discard_secret(request: HttpRequest, id: UUID) -> answers.Rotated:
    """Purge the waiting secret.

    409 when none waits.
    """
    row = rotation.discard(bearer.caller(request).person, matching(request, id))
    return _moved(request, row, "The new secret is discarded. Nothing has changed.", took_over=False)


@router.post("/ai/llm/{uuid:id}/return", response=answers.Rotated, auth=bearer.write, openapi_extra=etags.HONOURED)
def return_to_former_secret(request: HttpRequest, id: UUID) -> answers.Rotated:
    """Return to the former secret.

    The newer one is kept for as long as the former one was. 409 when none is kept.
    """
    row = rotation.return_to_former(bearer.caller(request).person, matching(request, id))
    return _moved(request, row, "The former secret is used again. The newer one is kept for as long.")


@router.post("/ai/llm/{uuid:id}/retire", response=answers.Rotated, auth=bearer.write, openapi_extra=etags.HONOURED)
def retire_former_secret(request: HttpRequest, id: UUID) -> answers.Rotated:
    """Purge the former secret now.

    409 when none is kept.
    """
    row = rotation.retire(bearer.caller(request).person, matching(request, id))
    return _moved(request, row, "The former secret is purged.", took_over=False)


def _rotated(request: HttpRequest, found: rotation.Rotation) -> answers.Rotated:
    answer = _moved(request, found.ai_llm, TOOK_OVER if found.took_over else WAITS, took_over=found.took_over)
    answer.success = found.took_over
    answer.check = answers.Finding(**api_shown.finding(found.result, excerpt=True))
    return answer


def _keyless(request: HttpRequest, row: AiLlm) -> answers.Rotated:
    return _moved(request, row, KEYLESS, took_over=False)


def _moved(request: HttpRequest, row: AiLlm, message: str, *, took_over: bool = True) -> answers.Rotated:
    etags.show(request, api_shown.tag(row))
    return answers.Rotated(
        message=message,
        ai_llm_id=row.pk,
        took_over=took_over,
        former_until=row.fallback_until if row.former else None,
        waiting_until=row.candidate_until if row.waiting else None,
        check=None,
    )
