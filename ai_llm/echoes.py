"""Tells whether a short text of a provider (a model's name, a code, a path) repeats a secret. Made for many texts.

Such a text is dropped whole. Longer text goes through `flashback.outbound.redact`, which is thorough and slow.
"""

import base64
import binascii
from collections.abc import Collection
from urllib.parse import quote

# As many characters in a row give a part of a secret away; a document shares short runs with any address.
RUN, RUN_OF_DOCUMENT, DOCUMENT = 8, 24, 512
# Less than this is found in any text, and protects nothing.
SHORTEST = 4


class Echoes:
    """Knows the runs of characters of some secrets, in the forms that they travel in."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._runs: dict[int, set[str]] = {}
        for secret in secrets:
            if len(secret) >= SHORTEST:
                self._learn(secret)

    def __contains__(self, text: str) -> bool:
        folded = text.lower()
        return any(
            folded[start : start + size] in runs
            for size, runs in self._runs.items()
            for start in range(len(folded) - size + 1)
        )

    def __repr__(self) -> str:
        return "<Echoes>"

    def _learn(self, secret: str) -> None:
        size = min(RUN_OF_DOCUMENT if len(secret) > DOCUMENT else RUN, len(secret))
        raw = secret.encode("utf-8", "surrogatepass")
        encoded = (base64.b64encode(raw).decode(), binascii.hexlify(raw).decode(), quote(raw, safe=""))
        for form in (secret, secret[::-1], *encoded):
            folded = form.lower()
            runs = (folded[start : start + size] for start in range(len(folded) - size + 1))
            self._runs.setdefault(size, set()).update(runs)
