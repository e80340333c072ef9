"""How static files are stored for a run: hashed, and compressed where that is worth the time of the first start."""

from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

# The pages of /api/docs: a megabyte and a half that would take seconds to compress, for a page that few open.
AS_IT_IS = "ninja/"


class Selective(Compressor):  # type: ignore[misc]  # whitenoise ships no types
    """Leaves out what is not worth it."""

    def should_compress(self, filename: str) -> bool:
        """Return whether this file gets compressed copies."""
        return not filename.startswith(AS_IT_IS) and bool(super().should_compress(filename))


class Storage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise ships no types
    """Whitenoise's storage with that choice."""

    def create_compressor(self, **options: Any) -> Compressor:
        """Return what compresses."""
        return Selective(**options)
