"""What a request may say, read strictly: one JSON document in UTF-8, or a query string, without anything ambiguous.

A name that is given twice, half a surrogate pair, a NUL, a number that is none, and nesting without end are where two
programs read the same bytes in two ways; they are refused before a schema looks at them.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser

from flashback.errors import Problem
from flashback.web import SECRET_FIELDS

DEEPEST = 20
LONGEST_NUMBER = 40  # figures; the widest column of ours has 20
SURROGATE = re.compile("[\ud800-\udfff]")
# Whole strings, so that a bracket inside one does not count, and brackets.
TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{\]}]', re.DOTALL)
JSON_TYPES = frozenset({"application/json"})
BODY = "flashback.body"  # the key in request.META
SENSITIVE = frozenset({*SECRET_FIELDS, "newPassword", "refresh_token", "refreshToken", "code"})


class Unreadable(Problem):
    """The request cannot be read as what it says it is (400)."""

    status = 400


class WrongKind(Problem):
    """The request's body is of a kind that is not taken (415)."""

    status = 415


class StrictParser(Parser):
    """Reads bodies and query strings for django-ninja."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the JSON document of the body. Raises `WrongKind` or `Unreadable`."""
        charset = (request.content_params or {}).get("charset", "utf-8").lower()
        if request.content_type not in JSON_TYPES or charset not in {"utf-8", "utf8"}:
            raise WrongKind("Send JSON, in UTF-8, with the header Content-Type: application/json.")
        document = request.META[BODY] = document_of(request.body)
        return document

    def parse_querydict(self, data: "MultiValueDict[str, Any]", list_fields: list[str], request: HttpRequest) -> Any:
        """Return the query string's values by name. Raises `Unreadable` for a name given twice, and for a NUL."""
        for name, values in data.lists():
            if len(values) > 1:
                raise Unreadable(f"{shown(name)} is given {len(values)} times. Give it once; join lists with commas.")
            if "\0" in name or "\0" in values[0]:
                raise Unreadable(f"{shown(name)} contains a NUL character. Remove it.")
        return super().parse_querydict(data, list_fields, request)


def document_of(body: bytes) -> Any:
    """Return the JSON document in `body`. Raises `Unreadable` with what is wrong, never with what was sent."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("The body is not UTF-8.") from None
    if _depth(text) > DEEPEST:
        raise Unreadable(f"The body is nested more than {DEEPEST} levels deep.")
    try:
        document = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_int=_integer,
            parse_float=_decimal,
        )
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno}"
        raise Unreadable(f"The body is not JSON: see {where}.") from None
    for text in _texts(document):
        if "\0" in text:
            raise Unreadable("The body contains a NUL character. Remove it.")
        if SURROGATE.search(text):
            raise Unreadable("The body contains half of a surrogate pair (\\ud800 to \\udfff). Remove it.")
    return document


def secrets_in(document: Any) -> Iterator[str]:
    """Yield what stands in the fields of secrets, at any depth."""
    if isinstance(document, dict):
        for name, value in document.items():
            if isinstance(value, str):
                if name in SENSITIVE:
                    yield value
            else:
                yield from secrets_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from secrets_in(value)


def shown(name: str) -> str:
    """Return a name that somebody sent, as it may stand in a sentence: printable, and not long."""
    return "".join(character if character.isprintable() else "?" for character in name[:60]) or "(no name)"


def _depth(text: str) -> int:
    # Counted before the document is read: Python's reader calls itself for every level.
    depth = deepest = 0
    for found in TOKENS.finditer(text):
        if found[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif found[0] in "]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise Unreadable(f"{shown(twice)} is given twice in one object. Give it once.")
    return found


def _no_number(word: str) -> Any:
    raise Unreadable(f"{word} is not a number in JSON.")


def _integer(figures: str) -> int:
    if len(figures) > LONGEST_NUMBER:
        raise Unreadable("A number has too many figures.")
    return int(figures)


def _decimal(figures: str) -> float:
    number = float(figures)
    if number in {float("inf"), float("-inf")} or len(figures) > 10 * LONGEST_NUMBER:
        raise Unreadable("A number is too large.")
    return number


def _texts(document: Any) -> Iterable[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for name, value in document.items():
            yield name
            yield from _texts(value)
    elif isinstance(document, list):
        for value in document:
            yield from _texts(value)
