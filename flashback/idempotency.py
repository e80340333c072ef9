"""`Idempotency-Key`: a create request that is sent again makes nothing again.

The verbs that create take the id of the row to make. A request with the header gets an id that follows from person,
kind and key, so that a second one meets the row of the first, and the verb says so. It needs no table and forgets
nothing:
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from typing import Any
from uuid import UUID, uuid5

from django.http import HttpRequest

from flashback.errors import Invalid

HEADER = "Idempotency-Key"
LONGEST = 255
REUSED = (
    "This Idempotency-Key was used before: for another request, or for something that was changed or deleted since. "
    "Send a new key to create one more."
)
NAMESPACE = UUID("0b6a7a52-3c0f-4a7e-9a51-0d5f4f1c7e38")
# For `openapi_extra={"parameters": [idempotency.PARAMETER]}`.
PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Any text of your own, new for each thing to create. Sent again with it, nothing is made twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[!-~]+$"},
    "example": "create-chat-production-1",
}


def row_id(request: HttpRequest, person: UUID, kind: str) -> UUID | None:
    """Return the id of the `kind` of row that this request is to make, None when it has no key.

    Raises `Invalid` for a key that is empty, longer than 255 characters, or holds anything but visible ASCII.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST or not all("!" <= character <= "~" for character in key):
        raise Invalid({HEADER: f"Send 1 to {LONGEST} visible ASCII characters, without blanks."})
    return uuid5(NAMESPACE, f"{person} {kind} {key}")
