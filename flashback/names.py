"""Names that people type: one rule for what is allowed and for when two are the same."""

import re
import unicodedata

from flashback import redaction
from flashback.errors import Invalid

LONGEST = 120
LONGEST_KEY = 400
# Letters, marks and signs that show nothing (Unicode's Default_Ignorable_Code_Point, and the blank of Braille).
UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
UNREADABLE = "\ufffd"  # what stands for bytes that are no text
# They choose between two drawings of one sign, such as text or emoji, and are no part of a name.
VARIATIONS = dict.fromkeys((*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))


def clean(text: str, *, field: str = "name", label: str = "Name") -> str:
    """Return `text` as it will be stored: NFC, blanks folded to one, none around it.

    Raises `Invalid` for `field` when nothing readable is left, when it is longer than 120 characters, when it holds
    control characters or marks that change the direction of text (a name must look like what it is), or a secret.
    """
    folded = " ".join(unicodedata.normalize("NFC", text.translate(VARIATIONS)).split())
    if not any(unicodedata.category(character)[0] in "LNPS" for character in folded):
        raise Invalid({field: f"Enter a {label.lower()}: letters, figures or signs that can be read."})
    if UNREADABLE in folded:
        raise Invalid({field: f"The {label.lower()} holds a character that could not be read. Type it again."})
    refuse_secret(folded, field=field)
    if len(folded) > LONGEST:
        raise Invalid({field: f"The {label.lower()} has {len(folded)} characters; at most {LONGEST} are possible."})
    hidden = next((c for c in folded if c in UNSEEN or unicodedata.category(c)[0] == "C"), None)
    if hidden is not None:
        raise Invalid(
            {field: f"The {label.lower()} holds an invisible character (U+{ord(hidden):04X}). Type it again."}
        )
    alphabets = next((found for found in map(_alphabets, re.split(r"[\W_]+", folded)) if len(found) > 1), ())
    if alphabets:
        mixed = " and ".join(alphabets)
        raise Invalid({field: f"The {label.lower()} mixes {mixed} letters in one word. They look alike: use one kind."})
    marks = max(map(len, _runs_of_marks(folded)), default=0)
    if marks > 3:
        raise Invalid({field: f"The {label.lower()} stacks {marks} accents on one letter; three is the most."})
    if len(key(folded)) > LONGEST_KEY:
        raise Invalid({field: f"The {label.lower()} uses signs that stand for whole words. Write them out."})
    return folded


def refuse_secret(text: str, *, field: str) -> None:
    """Raise `Invalid` for `field` when a secret was entered where everybody reads it, and the audit log keeps it."""
    if redaction.holds_credential(text):
        raise Invalid(
            {field: "This looks like a secret, and everybody here can read this field. Enter something else."}
        )


def key(text: str) -> str:
    """Return what two names share when they count as the same: no regard to case, width or Unicode form."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _alphabets(word: str) -> list[str]:
    """Return which of the alphabets that share the looks of many letters (Unicode TR 39) a word is written in."""
    found = {unicodedata.name(letter, "").partition(" ")[0] for letter in word}
    return sorted(alphabet.capitalize() for alphabet in found & {"LATIN", "GREEK", "CYRILLIC"})


def _runs_of_marks(text: str) -> list[str]:
    runs, run = [], ""
    for character in unicodedata.normalize("NFD", text):
        if unicodedata.combining(character):
            run += character
        elif run:
            runs.append(run)
            run = ""
    return [*runs, run]
