"""`manage.py backup`: everything that is stored, in one file, without the keys."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.utils import timezone

from flashback.archive import Manifest, Unusable
from flashback.progress import Bar
from workspaces import backups, installation


class Command(BaseCommand):
    """Write a backup. Servers go on; the backup is of the moment at which it began."""

    help = "Write everything that is stored into one new file, without keys and sessions. Safe while servers run."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add where to."""
        parser.add_argument("dest", type=Path, help="a new file, or a folder in which one gets a name by the time")

    def handle(self, *_: Any, dest: Path, **__: Any) -> None:
        """Write it, and say which keys it needs. Raises CommandError with one line when that cannot be."""
        if not backups.applied():
            raise CommandError("There is nothing to back up: the database has no tables.")
        target = place(dest)
        bar = Bar(backups.size())
        try:
            manifest = backups.write(target, bar.show)
        except Unusable as fault:
            raise CommandError(f"No backup was made: {fault}.") from None
        finally:
            bar.end()
        self.stdout.write(f"{manifest.rows} rows are in {target}. Sessions and keys are not.")
        self.stdout.write(needs(manifest))
        self.note(manifest)

    def note(self, manifest: Manifest) -> None:
        """Record it; the backup is good whether that works or not."""
        try:
            installation.record("backup.made", {"rows": manifest.rows, "keys": manifest.keys})
        except Error:
            self.stderr.write("The audit log could not take a line about it.")


def place(dest: Path) -> Path:
    """Return the file to write: `dest`, or a name by the time when that is a folder."""
    return dest / f"flashback-{timezone.now():%Y%m%d-%H%M%S}.backup" if dest.is_dir() else dest


def needs(manifest: Manifest) -> str:
    """Return in one line which keys the secrets of a backup need."""
    if not manifest.keys:
        return "It holds no secrets, so it needs no key."
    ids = ", ".join(manifest.keys)
    return f"Its secrets open with the keyring alone (key id {ids}). Keep the keyring somewhere else than this file."
