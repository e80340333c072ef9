"""`manage.py restore`: put a backup in the place of what is stored."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from flashback import archive, sealed
from flashback.archive import Manifest, Reader, Unusable
from flashback.keyring import FIELD_KEYS
from flashback.progress import Bar
from workspaces import backups, installation, versions
from workspaces.management.commands import up
from workspaces.models import User

WORD = "replace"


class Command(BaseCommand):
    """Restore a backup, into an empty installation unless told otherwise."""

    help = "Put a backup in the place of what is stored, in one transaction. Stop the servers first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add where from, and the consent to lose what is there."""
        parser.add_argument("source", type=Path, help="a file that manage.py backup made")
        parser.add_argument("--replace", action="store_true", help="also when people are stored here; asks first")
        parser.add_argument("--yes", action="store_true", help="with --replace: do not ask")

    def handle(self, *_: Any, source: Path, **options: Any) -> None:
        """Restore it, and say what is left to do. Raises CommandError with one line; nothing was changed then."""
        up.make_data_folder(settings.DATA_DIR)
        with up.alone(settings.DATA_DIR / "up.lock"):
            try:
                with archive.reading(source) as reader:
                    self.put_back(reader, **options)
            except Unusable as fault:
                raise CommandError(f"{source} cannot be restored: {fault}. Nothing was changed.") from None
        self.conclude(reader.manifest)

    def put_back(self, reader: Reader, *, replace: bool, yes: bool, **_: Any) -> None:
        """Check everything that can be checked, then replace what is stored, and bring it up to date."""
        older = versions.older(reader.manifest)
        if not older:
            up.migrate()
        checking = Bar(reader.manifest.rows)
        backups.prove(reader, checking.show)
        checking.end()
        if older:
            versions.begin(reader.manifest)
        else:
            consent(User.objects.count(), replace=replace, yes=yes)
        writing = Bar(reader.manifest.rows)
        backups.restore(reader, writing.show)
        writing.end()
        up.migrate()

    def conclude(self, manifest: Manifest) -> None:
        """Say what was restored, whether the keys at hand open it, and what comes next."""
        self.stdout.write(f"{manifest.rows} rows of {manifest.made_at} are restored. Everybody has to sign in again.")
        held = [] if settings.KEYS_PENDING else sealed.key_ids()
        missing = [key_id for key_id in manifest.keys if key_id not in held]
        if missing:
            where = settings.DATA_DIR / "keys" / "field_keys"
            self.stdout.write(
                f"The keys at hand do not open all of it: the key {', '.join(missing)} is missing. Put the keyring "
                f"back as {where} (mode 0600) or set {FIELD_KEYS}."
            )
        else:
            installation.record("backup.restored", {"rows": manifest.rows, "made_at": manifest.made_at})
            self.stdout.write("The keys at hand are those that it needs.")
        self.stdout.write("Then prove it: manage.py secrets check; manage.py audit verify")


def consent(people: int, *, replace: bool, yes: bool) -> None:
    """Raise CommandError unless nobody is stored here, or the operator says that all of it may be lost."""
    if not people:
        return
    stored = f"{people} {'person is' if people == 1 else 'people are'} stored here"
    if not replace:
        raise CommandError(f"{stored}. Restore into an empty installation, or add --replace to lose them.")
    if yes:
        return
    sys.stderr.write(f"{stored}. All of this installation will be replaced. Type {WORD} to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != WORD:
        raise CommandError("Nothing was changed.")
