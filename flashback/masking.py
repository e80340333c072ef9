"""Takes secrets out of text that somebody else wrote: a provider's error message may quote the key it was sent.

A second layer only: nothing shows a provider's text that has not been through here, and no promise rests on it.
"""

import base64
import html
import json
import re
import unicodedata
from collections.abc import Collection, Iterator
from urllib.parse import quote, quote_plus

LONGEST = 300
MASK = "[secret]"
# As many characters in a row as this give a part of a secret away: providers echo the first eight or more.
TELLING = 8
# Less than this is found in any text, and protects nothing.
SHORTEST = 4
# A document (a service account's JSON) shares short runs with every web address.
TELLING_OF_DOCUMENT = 24
DOCUMENT = 512
# The rest would be cut anyway; a provider may send a megabyte.
CONSIDERED = 3_072

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_BLANKS = re.compile(r"\s+")
_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:sk-|sk_|gsk_|xai-|hf_|nvapi-|pplx-|csk-|fw_|tgp_|vck_|r8_|bedrock-api-key-|AQ\.|ya29\.|eyJ)[\w.*•…+/=-]{5,}"
    r"|AIza[\w*•…-]{8,}"
    r"|(?:AKIA|ASIA|ABSK)[A-Za-z0-9+/=*•…]{8,}"
    r"|[\w-]*(?:\*{3,}|•{3,}|…)[\w-]+"
    r")"
)
_SCHEMES = re.compile(r"\b(Bearer|Basic)(\s+)(?=\S*[0-9*+/=]|\S{20})[\w.~+/=*•…-]{6,}", re.IGNORECASE)
_BREAKS = frozenset("\t\n\r\v\f\x85\u2028\u2029")
_MASKS = re.compile(rf"(?:{re.escape(MASK)})+")
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def redact(text: str, secrets: Collection[str]) -> str:
    """Return `text` without any of `secrets`, in any of the forms they travel in, cut to 300 characters, one line.

    Removes control characters, direction marks, what looks like a key of a known provider, and every run of eight
    characters of a secret or of its url-encoded, base64, hexadecimal, JSON, HTML or reversed form, in any case. The
    result is text, not HTML: escape it.
    """
    plain = _BLANKS.sub(" ", _readable(text[:CONSIDERED])).strip()
    for secret in sorted((one for one in secrets if len(one) >= SHORTEST), key=len, reverse=True):
        plain = _without(plain, secret)
    plain = _MASKS.sub(MASK, _SCHEMES.sub(rf"\1\2{MASK}", _KEYS.sub(MASK, plain)))
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


def _readable(text: str) -> str:
    text = _ANSI.sub("", text)
    found = set(text)
    steering = dict.fromkeys(ord(one) for one in found if unicodedata.category(one)[0] == "C")
    return text.translate({**steering, **{ord(one): " " for one in found & _BREAKS}})


def _without(text: str, secret: str) -> str:
    """Replace every run of `text` that holds a telling part of `secret`."""
    folded = text.translate(_LOWER)
    told = bytearray(len(text))
    for size, parts in _parts_found(folded, secret):
        for start in range(len(folded) - size + 1):
            if folded[start : start + size] in parts:
                told[start : start + size] = b"\x01" * size
    runs = re.finditer(rb"\x01+|\x00+", bytes(told))
    return "".join(MASK if told[run.start()] else text[run.start() : run.end()] for run in runs)


def _parts_found(text: str, secret: str) -> Iterator[tuple[int, set[str]]]:
    """Yield (size, parts): the telling parts of `secret`, of `size` characters, that `text` may hold.

    A form of the secret is read in blocks of half that size, with as many between their beginnings that every part has
    one of them whole: only parts around a block that stands in the text can stand there themselves.
    """
    size = TELLING_OF_DOCUMENT if len(secret) > DOCUMENT else TELLING
    forms = {form.translate(_LOWER) for form in _forms(secret) | _folded_forms(secret)}
    for length in {min(size, len(form)) for form in forms if len(form) >= SHORTEST}:
        block = length // 2 + 1
        step = length - block + 1
        there = {text[at : at + block] for at in range(len(text) - block + 1)}
        parts = {
            form[start : start + length]
            for form in forms
            if min(size, len(form)) == length
            for at in range(0, len(form) - block + 1, step)
            if form[at : at + block] in there
            for start in range(max(0, at - step + 1), min(at, len(form) - length) + 1)
        }
        if parts:
            yield length, parts


def _folded_forms(secret: str) -> set[str]:
    """Return the forms of `secret` as it reads once its blanks are folded and its controls are gone.

    Of a document only those in which a blank is a blank: in the others it is a sign that folding leaves alone.
    """
    look = _BLANKS.sub(" ", _readable(secret)).strip()
    if look == secret:
        return set()
    return {look, look[::-1], html.escape(look)} if len(secret) > DOCUMENT else _forms(look)


def _forms(secret: str) -> set[str]:
    """Return the ways in which text can carry `secret`."""
    raw = secret.encode("utf-8", "surrogatepass")
    escaped = json.dumps(secret)[1:-1]
    marked = html.escape(secret)
    return {
        secret,
        secret[::-1],
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        f"%{raw.hex('%')}",
        raw.hex(),
        escaped,
        escaped.replace("/", "\\/"),
        json.dumps(secret, ensure_ascii=False)[1:-1],
        _each(secret, "\\u{:04x}"),
        marked,
        marked.replace("&#x27;", "&#39;"),
        _each(secret, "&#{};"),
        _each(secret, "&#x{:x};"),
        *_base64_forms(raw),
    }


def _each(secret: str, form: str) -> str:
    """Return `secret` with every character in the `form` that takes its number."""
    return secret.translate({ord(one): form.format(ord(one)) for one in set(secret)})


def _base64_forms(raw: bytes) -> Iterator[str]:
    """Yield what base64 makes of `raw` wherever it starts, without the characters its neighbours share."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw)
        first = (before * 8 + 5) // 6
        sharp = coded[first : (before + len(raw)) * 8 // 6].decode()
        yield sharp
        yield sharp.replace("+", "-").replace("/", "_")
