"""Patterns for names of models: a name in which * stands for any characters, such as `gpt-4o*`. Case counts."""

import re
from collections.abc import Iterable, Sequence

from flashback.errors import Invalid

MOST, LONGEST = 50, 200
# What names of models are made of at the providers we know: ft:gpt-4o:acme::1, meta-llama/Llama-3.3, llama3.2@q4.
_USABLE = re.compile(r"[\w.:/@+*-]+")
_BETWEEN = re.compile(r"[\s,;]+")


def split(text: str) -> list[str]:
    """Return the patterns in a text that has them one per line, or with commas or blanks between them."""
    return [part for part in _BETWEEN.split(text.replace("\0", " ")) if part]


def clean(patterns: Iterable[str]) -> list[str]:
    """Return `patterns` as they will be stored, each once. Empty means that every model is allowed.

    Raises `Invalid` for the field `patterns` when one cannot be the name of a model, or when there are too many.
    """
    found = list(dict.fromkeys(re.sub(r"\*+", "*", pattern) for pattern in patterns))
    if len(found) > MOST:
        raise Invalid({"patterns": f"These are {len(found)} patterns; at most {MOST} are possible. Join some with *."})
    for pattern in found:
        if len(pattern) > LONGEST:
            raise Invalid({"patterns": f"A pattern has {len(pattern)} characters; at most {LONGEST} are possible."})
        if not _USABLE.fullmatch(pattern):
            raise Invalid({"patterns": _unusable(pattern)})
    return found


def allows(patterns: Sequence[str], model: str) -> bool:
    """Return whether `model` may be used where `patterns` say what is allowed; without any, everything is."""
    return not patterns or any(fits(pattern, model) for pattern in patterns)


def fits(pattern: str, model: str) -> bool:
    """Return whether the whole of `model` has the form of `pattern`. Takes no longer for an odd pattern."""
    head, *rest = pattern.split("*")
    if not rest:
        return model == head
    *middle, tail = rest
    if not model.startswith(head):
        return False
    at = len(head)
    for part in middle:
        found = model.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return model.endswith(tail) and len(model) - len(tail) >= at


def _unusable(pattern: str) -> str:
    signs = sorted({character for character in pattern if not _USABLE.fullmatch(character)})
    shown = " ".join(sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in signs[:5])
    return f"“{pattern[:40]}” holds {shown}, which no model name has. Only * stands for other characters: gpt-4o*."
