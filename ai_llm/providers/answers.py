"""Reads what came back, trusting nothing: no form of body may raise, and nothing unprintable gets through."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from ai_llm.providers.facts import Error
from flashback.outbound import Answer

DEEPEST = 20
MOST_MODELS = 500
LONGEST_NAME = 200
LONGEST_CODE = 100
UNREADABLE = object()


def read(body: bytes) -> Any:
    """Return the JSON value of `body`, or UNREADABLE: not UTF-8, not JSON, duplicate names, NaN, deeper than 20."""
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse, object_pairs_hook=_strict)
    except (ValueError, RecursionError):
        return UNREADABLE
    return UNREADABLE if _too_deep(value) else value


def is_web_page(answer: Answer) -> bool:
    """Return whether the answer is HTML, by its type or its first characters."""
    start = answer.body[:200].lstrip().lower()
    kind = header(answer, "content-type").lower()
    return "html" in kind or start.startswith((b"<!doctype", b"<html"))


def header(answer: Answer, name: str) -> str:
    """Return a header of the answer without regard to the case of its name; "" when it is not there."""
    return next((value for key, value in answer.headers.items() if key.lower() == name), "")


def model_names(value: Any) -> tuple[str, ...] | None:
    """Return the names in a list of models, at most 500; None when `value` is not such a list.

    Takes the forms in use: {"data": […]} (OpenAI, Anthropic), a bare array (Together), {"models": […]} (Gemini,
    Ollama), {"modelSummaries": […]} (Bedrock), {"publisherModels": […]} (Vertex AI). An Ollama without models answers
    {"data": null}.
    """
    if isinstance(value, list):
        return _names(value) or None
    if not isinstance(value, dict):
        return None
    for name in ("data", "models", "modelSummaries", "publisherModels"):
        if isinstance(value.get(name), list):
            return _names(value[name]) or (None if value[name] else ())
    return () if value.get("object") == "list" and value.get("data", 0) is None else None


def error_of(answer: Answer) -> Error:
    """Return what an error answer says about itself, in any of the forms in use; empty when it is none of them."""
    found = _first(read(answer.body))
    inner = _first(found.get("error")) or _first(found.get("errors"))
    codes = [code for code in map(clean_code, _all_codes(answer, found, inner)) if code]
    told = (found.get(name) for name in ("error_description", "error", "errors", "message", "Message", "detail"))
    texts = (inner.get("message"), *map(_head, told))
    message = readable(next((text for text in texts if isinstance(text, str) and text.strip()), ""))[:2000]
    return Error(codes[0] if codes else "", frozenset(codes), message, bool(found) and bool(codes or message))


def clean_code(value: Any) -> str:
    """Return a provider's code when it looks like one (letters, figures and `_-.`, at most 100), else ""."""
    text = value.rsplit("#", 1)[-1] if isinstance(value, str) else ""
    plain = text.replace("_", "").replace("-", "").replace(".", "")
    return text if plain.isascii() and plain.isalnum() and len(text) <= LONGEST_CODE else ""


def readable(text: str) -> str:
    """Return `text` without control characters, direction marks and half characters; blanks folded."""
    kept = (" " if c.isspace() else c for c in text[:20_000] if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join("".join(kept).split())


def _names(items: list[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_few(items)))


def _few(items: list[Any]) -> Iterator[str]:
    found = 0
    for item in items:
        name = _name(item)
        if name and found < MOST_MODELS:
            found += 1
            yield name


def _name(item: Any) -> str:
    candidates = [item.get(field) for field in ("id", "name", "model", "modelId")] if isinstance(item, dict) else [item]
    name = next((text for text in candidates if isinstance(text, str) and text), "")
    return name if len(name) <= LONGEST_NAME and readable(name) == name else ""


def _first(value: Any) -> dict[str, Any]:
    """Return an object, or the object that a list begins with; {} for anything else."""
    value = _head(value)
    return value if isinstance(value, dict) else {}


def _head(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _all_codes(answer: Answer, found: dict[str, Any], inner: dict[str, Any]) -> Iterator[Any]:
    yield from (*_reasons(inner), *_codes(inner))
    named = found.get("error")  # OAuth: RFC 6749, section 5.2
    if isinstance(named, str) and (found.get("error_description") or re.fullmatch(r"[a-z]+(?:_[a-z]+)+", named)):
        yield named
    yield from _codes(found)
    yield header(answer, "x-amzn-errortype").split(":")[0]


def _reasons(error: dict[str, Any]) -> list[Any]:
    details = error.get("details")
    return [row.get("reason") for row in details if isinstance(row, dict)] if isinstance(details, list) else []


def _codes(holder: dict[str, Any]) -> list[Any]:
    return [holder.get(name) for name in ("code", "status", "type", "__type", "error_type", "error_code")]


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _strict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate names")
    return value


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [child for holder in level for child in _children(holder) if isinstance(child, dict | list)]
    return bool(level)


def _children(holder: Any) -> Iterable[Any]:
    if isinstance(holder, dict):
        return holder.values()
    return holder if isinstance(holder, list) else ()
