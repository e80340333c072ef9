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
CONSIDERED = 16_384

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
    spaced = "".join(" " if character in "\t\n\r\v\f\x85\u2028\u2029" else character for character in text)
    return "".join(character for character in spaced if unicodedata.category(character)[0] != "C")


def _without(text: str, secret: str) -> str:
    """Replace every run of `text` that holds a telling part of `secret`."""
    folded = text.translate(_LOWER)
    told = bytearray(len(text))
    for size, parts in _telling_parts(secret):
        for start in range(len(folded) - size + 1):
            if folded[start : start + size] in parts:
                told[start : start + size] = b"\x01" * size
    runs = re.finditer(rb"\x01+|\x00+", bytes(told))
    return "".join(MASK if told[run.start()] else text[run.start() : run.end()] for run in runs)


def _telling_parts(secret: str) -> Iterator[tuple[int, set[str]]]:
    size = TELLING_OF_DOCUMENT if len(secret) > DOCUMENT else TELLING
    by_size: dict[int, set[str]] = {}
    for form in _forms(_BLANKS.sub(" ", _readable(secret)).strip()) | _forms(secret):
        one = form.translate(_LOWER)
        length = min(size, len(one))
        by_size.setdefault(length, set()).update(one[at : at + length] for at in range(len(one) - length + 1))
    yield from ((length, parts) for length, parts in by_size.items() if length >= SHORTEST)


def _forms(secret: str) -> set[str]:
    """Return the ways in which text can carry `secret`."""
    raw = secret.encode("utf-8", "surrogatepass")
    escaped = json.dumps(secret)[1:-1]
    return {
        secret,
        secret[::-1],
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        "".join(f"%{byte:02x}" for byte in raw),
        raw.hex(),
        escaped,
        escaped.replace("/", "\\/"),
        json.dumps(secret, ensure_ascii=False)[1:-1],
        "".join(f"\\u{ord(character):04x}" for character in secret),
        html.escape(secret),
        html.escape(secret).replace("&#x27;", "&#39;"),
        "".join(f"&#{ord(character)};" for character in secret),
        "".join(f"&#x{ord(character):x};" for character in secret),
        *_base64_forms(raw),
    }


def _base64_forms(raw: bytes) -> Iterator[str]:
    """Yield what base64 makes of `raw` wherever it starts, without the characters its neighbours share."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw)
        first = (before * 8 + 5) // 6
        sharp = coded[first : (before + len(raw)) * 8 // 6].decode()
        yield sharp
        yield sharp.replace("+", "-").replace("/", "_")
