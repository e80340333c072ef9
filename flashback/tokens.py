"""Bearer tokens that this installation issues: their format, and how they are stored and compared.

A token reads `<prefix><public id>_<random part><checksum>`, with 8 + 43 + 6 figures and letters. The public id finds
its row; the random part holds 32 bytes; the checksum is the CRC-32 (as in zlib) of everything before it, in base 62.
So a secret scanner, and we ourselves, can tell a token from junk without asking a database; GitHub does the same:
https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/

Stored are the public id, the last four characters, and the SHA-256 digest of the whole. A slow hash would add nothing:
nobody can try 2^256 tokens.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from typing import NamedTuple

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_LENGTH, RANDOM_LENGTH, CHECKSUM_LENGTH = 8, 43, 6
RANDOM_BYTES = 32
HINT_LENGTH = 4
# What an unknown public id is compared with, so that it takes the time of a known one.
NOTHING = hashlib.sha256(b"").hexdigest()
_FORM = re.compile(rf"([0-9A-Za-z]{{{ID_LENGTH}}})_[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}")


class Issued(NamedTuple):
    """A new token. `text` is the token itself and is kept nowhere; the rest is what a row stores of it."""

    text: str
    public_id: str
    digest: str
    hint: str

    def __repr__(self) -> str:
        return f"Issued({self.public_id})"


def issue(prefix: str) -> Issued:
    """Return a new token that starts with `prefix` (figures, letters, - and _)."""
    public_id = "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))
    body = f"{prefix}{public_id}_{_base62(secrets.randbits(8 * RANDOM_BYTES), RANDOM_LENGTH)}"
    text = body + checksum(body)
    return Issued(text, public_id, digest(text), text[-HINT_LENGTH:])


def public_id(text: str, prefix: str) -> str:
    """Return the public id of a token that could have been issued with `prefix`, or "" for anything else."""
    found = _FORM.fullmatch(text, len(prefix)) if text.startswith(prefix) else None
    if found is None or checksum(text[:-CHECKSUM_LENGTH]) != text[-CHECKSUM_LENGTH:]:
        return ""
    return found[1]


def matches(text: str, stored: str) -> bool:
    """Return whether `stored` is the digest of `text`, in the same time for every wrong one."""
    return hmac.compare_digest(digest(text), stored)


def digest(text: str) -> str:
    """Return what is stored of a token: its SHA-256 digest, 64 hex characters."""
    return hashlib.sha256(text.encode()).hexdigest()


def checksum(body: str) -> str:
    """Return the checksum (6 characters) of a token without it."""
    return _base62(zlib.crc32(body.encode()), CHECKSUM_LENGTH)


def pattern(prefix: str) -> str:
    """Return the regular expression by which a secret scanner finds tokens with `prefix`."""
    return rf"\b{prefix}[0-9A-Za-z]{{{ID_LENGTH}}}_[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}\b"


def _base62(number: int, length: int) -> str:
    figures = ""
    while number:
        number, rest = divmod(number, len(ALPHABET))
        figures = ALPHABET[rest] + figures
    return figures.rjust(length, ALPHABET[0])
