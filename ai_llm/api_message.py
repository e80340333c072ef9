"""The call that sends one tiny message: beside the console's button, the only thing in the product that does."""

from uuid import UUID

from django.http import HttpRequest
from ninja import Router

from ai_llm import api_answers as answers
from ai_llm import api_schemas as shapes
from ai_llm import api_shown, message, message_form
from ai_llm.api_found import ai_llm
from workspaces import bearer

router = Router(tags=["Checks"])


@router.post("/ai/llm/{uuid:id}/message", response=answers.Validated, auth=bearer.write)
def send_tiny_message(request: HttpRequest, id: UUID, body: shapes.TinyMessage | None = None) -> answers.Validated:
    """Send one tiny message, which the provider charges.

    About 20 tokens, to the model named or else to the smallest one of the account's own list: what proves a credential
    that may not list models, and that there is credit. Nothing but this call ever costs anything. It takes up to 10
    seconds and is kept as a check of the kind `message`. Each call sends one: do not repeat it blindly.
    """
    row, model = ai_llm(request, id), (body.model if body else None) or ""
    with message_form.sending(row):
        check = message.send(bearer.caller(request).person, row, model=model)
    row = ai_llm(request, id)
    return answers.Validated(ai_llm_id=row.pk, check_id=check.pk, state=row.state, **api_shown.outcome(check))
