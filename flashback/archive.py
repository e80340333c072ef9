"""The file that a backup is: the rows of every table in a form that no database owns, and a manifest that proves them.

A zip file. `manifest.json` says which version wrote it, which migrations the tables had, which keys its sealed values
need, and for each table its columns, number of rows and SHA-256; `tables/<name>.jsonl` holds one row per line, a JSON
array in the order of the columns. Sealed values are there as they are stored, so the file is worth nothing without the
keyring, and no key is ever in it.
"""

import hashlib
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID

FORMAT = "flashback backup v1"
MANIFEST = "manifest.json"
LONGEST_MANIFEST = 16 * 1024 * 1024  # bytes


class Unusable(Exception):
    """The file cannot be read or written; the text is one sentence that says why."""


@dataclass(frozen=True)
class Manifest:
    """What a backup says about itself. `keys` maps key ids to numbers of sealed rows, `tables` names to contents."""

    flashback: str
    made_at: str
    database: str
    migrations: list[str]
    keys: dict[str, int]
    tables: dict[str, dict[str, Any]]

    @property
    def rows(self) -> int:
        """How many rows there are in all tables."""
        return sum(table["rows"] for table in self.tables.values())

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Return what `text` (JSON) says. Raises `Unusable` when it is no manifest of this format."""
        try:
            values = json.loads(text)
            kind = values.pop("format")
            found = cls(**values)
            sums = [
                (str(table["sha256"]), int(table["rows"]), list(table["columns"])) for table in found.tables.values()
            ]
        except (ValueError, AttributeError, KeyError, TypeError):
            raise Unusable("its manifest cannot be read") from None
        if kind != FORMAT or not sums:
            raise Unusable(f"it is not a backup of the kind “{FORMAT}”")
        return found


class Writer:
    """Writes tables one after the other into an open zip file."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self.tables: dict[str, dict[str, Any]] = {}

    @property
    def rows(self) -> int:
        """How many rows were written so far, in the tables that are finished."""
        return sum(table["rows"] for table in self.tables.values())

    def table(self, name: str, columns: list[str], rows: Iterable[Iterable[Any]]) -> None:
        """Write one table. Values are what JSON knows, ids, days and moments; anything else raises TypeError."""
        seen, count = hashlib.sha256(), 0
        with self._file.open(_entry(name), "w", force_zip64=True) as entry:
            for row in rows:
                line = json.dumps(list(row), separators=(",", ":"), default=_as_text).encode() + b"\n"
                entry.write(line)
                seen.update(line)
                count += 1
        self.tables[name] = {"columns": columns, "rows": count, "sha256": seen.hexdigest()}

    def finish(self, **values: Any) -> Manifest:
        """Write the manifest, whose other values are given, and return it."""
        manifest = Manifest(tables=self.tables, **values)
        text = json.dumps({"format": FORMAT, **vars(manifest)}, indent=1)
        self._file.writestr(MANIFEST, text)
        return manifest


class Reader:
    """Reads a backup; `manifest` is what it says about itself."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        with _sound():
            if file.getinfo(MANIFEST).file_size > LONGEST_MANIFEST:
                raise Unusable("its manifest is too long")
            self.manifest = Manifest.read(file.read(MANIFEST))

    def rows(self, name: str) -> Iterator[list[Any]]:
        """Yield the rows of one table. At its end raises `Unusable` when they are not what the manifest says."""
        told, seen, count = self.manifest.tables[name], hashlib.sha256(), 0
        with _sound(), self._file.open(_entry(name)) as entry:
            for line in entry:
                seen.update(line)
                count += 1
                yield json.loads(line)
        if (seen.hexdigest(), count) != (told["sha256"], told["rows"]):
            raise Unusable(f"its table {name} is damaged or was changed")

    def prove(self) -> Iterator[int]:
        """Read all of it, and yield how many rows were read so far. Raises `Unusable` when it is not whole."""
        done = 0
        for name in self.manifest.tables:
            for _ in self.rows(name):
                done += 1
                yield done


@contextmanager
def writing(target: Path) -> Iterator[Writer]:
    """Make the file `target`, for its owner alone: whole at the end of the block, or not at all.

    Raises `Unusable` when it is there already or the disk does not take it.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as raw:
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
                yield Writer(file)
            raw.flush()
            os.fsync(raw.fileno())
        target.hardlink_to(draft)  # unlike a rename, it never replaces
    except FileExistsError:
        raise Unusable(f"{target} is there already; a backup never replaces a file") from None
    except OSError as fault:
        raise Unusable(f"{target} cannot be written: {fault.strerror}") from None
    finally:
        with suppress(OSError):
            draft.unlink()


@contextmanager
def reading(source: Path) -> Iterator[Reader]:
    """Open the backup `source`. Raises `Unusable` when it is none."""
    with ExitStack() as stack:
        with _sound():
            file = stack.enter_context(zipfile.ZipFile(source))
        yield Reader(file)


@contextmanager
def _sound() -> Iterator[None]:
    """Translate what a file that is no backup, or a damaged one, makes Python raise."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError, NotImplementedError, RuntimeError):
        raise Unusable("it is no backup of Flashback, or a damaged one") from None
    except OSError as fault:
        raise Unusable(fault.strerror or "it cannot be read") from None


def _entry(name: str) -> str:
    return f"tables/{name}.jsonl"


def _as_text(value: Any) -> str:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"A backup does not know how to keep a {type(value).__name__}.")
