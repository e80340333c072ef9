"""The notes that people keep with an AI LLM: plain text of several lines."""

import re

from flashback.errors import Invalid
from flashback.redaction import mask

LONGEST = 2000
SHOWN_IN_EVENT = 200
UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def clean(text: str) -> str:
    """Return notes as they are stored: line breaks as \\n, no blanks at the ends. Raises `Invalid` (field notes)."""
    lines = re.split(r"\r\n|[\r\n\u2028\u2029]", text)
    cleaned = "\n".join(line.rstrip() for line in lines).strip()
    if UNREADABLE.search(cleaned):
        raise Invalid({"notes": "The notes hold a character that cannot be shown. Type them, or paste plain text."})
    if len(cleaned) > LONGEST:
        raise Invalid({"notes": f"The notes have {len(cleaned):,} characters; at most {LONGEST:,} are possible."})
    return cleaned


def for_event(text: str) -> str:
    """Return the beginning of notes for the audit log. What looks like a credential is hidden before it is cut."""
    return mask(text)[:SHOWN_IN_EVENT]
