"""`manage.py up`: make ready whatever is missing, then serve."""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.checks import WARNING, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.backends.utils import CursorWrapper

from flashback import health, keyring, metrics, mounts, serving
from workspaces import setup

MIGRATION_LOCK = 0x666C6173  # a number of our own among the advisory locks of one database


class Command(BaseCommand):
    """Start Flashback: data folder, keys, tables, static files, then the server."""

    help = "Make the data folder, keys, tables and static files ready, then serve until Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Serve until a signal. Raises ImproperlyConfigured with one line when that cannot work."""
        refuse_unreachable()
        make_data_folder(settings.DATA_DIR)
        with serving.listen(settings.HOST, settings.PORT) as listener:
            with alone(settings.DATA_DIR / "up.lock"):
                keyring.keep(settings.KEYS_PENDING)
                refuse_errors()
                migrate(self.say)
                self.collect_static()
                metrics.begin()
            refuse_lost_keys()
            self.greet()
            serving.serve("flashback.asgi:application", listener, workers=settings.WORKERS)
        # A terminal shows ^C without a line break.
        self.stdout.write(f"{chr(10) if self.stdout.isatty() else ''}Flashback has stopped.")

    def collect_static(self) -> None:
        """Copy, hash and compress the static files, unless their sources are those of the last time."""
        stamp, fresh = settings.DATA_DIR / "static.stamp", fingerprint()
        if stamp.exists() and stamp.read_text() == fresh and settings.STATIC_ROOT.is_dir():
            return
        self.say("Compressing the static files; this happens once per version.")
        call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=["redoc*"])
        stamp.write_text(fresh)

    def say(self, line: str) -> None:
        """Print a line at once: what follows takes seconds."""
        self.stdout.write(line)
        self.stdout.flush()

    def greet(self) -> None:
        """Print where everything is and, until an owner exists, the link that makes one."""
        bold, link = self.style.MIGRATE_HEADING, setup.link()
        self.stdout.write(bold(f"\n  Flashback is at {settings.PUBLIC_URL}\n"))
        for label, value in places():
            self.stdout.write(f"  {label:<9}{value}")
        if link:
            self.stdout.write(bold("\n  Nobody owns this installation yet. Open this link once to become its owner:"))
            self.stdout.write(f"  {link}")
        for warning in warnings():
            self.stdout.write(self.style.WARNING(f"\n  {warning}"))
        self.stdout.write("\n  Ctrl-C ends it.\n")
        self.stdout.flush()


def refuse_unreachable() -> None:
    """Raise ImproperlyConfigured for an https address without a trusted proxy: every page would redirect to itself."""
    if settings.HTTPS and not settings.TRUSTED_PROXIES:
        raise ImproperlyConfigured(
            "FLASHBACK_PUBLIC_URL is https, which a proxy in front must serve. "
            "Set FLASHBACK_TRUSTED_PROXIES to the address of that proxy."
        )


def make_data_folder(folder: Path) -> None:
    """Make `folder` for its owner alone; all files made from now on are so too."""
    os.umask(0o077)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as fault:
        raise ImproperlyConfigured(f"FLASHBACK_DATA_DIR is {folder}, which cannot be used: {fault.strerror}.") from None


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other process makes the same data folder ready."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def refuse_errors() -> None:
    """Raise ImproperlyConfigured with the first error of the system checks, when there is one."""
    errors = [found for found in run_checks() if found.is_serious()]
    if errors:
        raise ImproperlyConfigured(f"{errors[0].msg} ({errors[0].id}). All of it: manage.py check")


def migrate(say: Callable[[str], None] = lambda _: None) -> None:
    """Bring the tables up to date, and `say` so before. Nothing is written or said when they are."""
    try:
        if health.unapplied():
            say("Making the tables; this happens once per version.")
            with one_machine():
                call_command("migrate", interactive=False, verbosity=0)
        if settings.CACHES["default"]["BACKEND"].endswith(".DatabaseCache"):
            call_command("createcachetable", verbosity=0)
    except DatabaseError as fault:
        first_line = str(fault).strip().splitlines()[0] if str(fault).strip() else type(fault).__name__
        raise ImproperlyConfigured(f"The database cannot be used: {first_line}") from None


@contextmanager
def one_machine() -> Iterator[None]:
    """Wait until no other machine changes the same PostgreSQL; SQLite has the lock in the data folder."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        # Asked again and again, because a statement that waits would run into statement_timeout.
        while not _first_of(cursor, "SELECT pg_try_advisory_lock(%s)"):
            time.sleep(0.2)
        try:
            yield
        finally:
            _first_of(cursor, "SELECT pg_advisory_unlock(%s)")


def _first_of(cursor: CursorWrapper, statement: str) -> Any:
    cursor.execute(statement, [MIGRATION_LOCK])
    return cursor.fetchone()[0]


def refuse_lost_keys() -> None:
    """Raise ImproperlyConfigured when the keys do not open what the database holds."""
    problems = keyring.readiness()
    if problems:
        raise ImproperlyConfigured(" ".join(problems))


def fingerprint() -> str:
    """Return a hash over name, size and time of every source of the static files, and over how they are stored."""
    seen = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            state = Path(storage.path(name)).stat()
            seen.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def places() -> Iterator[tuple[str, str]]:
    """Yield what to know about where things are, as label and text."""
    if connection.vendor == "sqlite":
        yield "Data", str(settings.DATA_DIR)
    else:
        yield "Data", f"PostgreSQL, database {connection.settings_dict['NAME']}"
    keys = settings.DATA_DIR / "keys"
    if keys.is_dir() and not settings.PRODUCTION:
        yield "Keys", f"{keys}  (back them up apart from the database)"
    else:
        yield "Keys", "from the environment  (back them up apart from the database)"


def warnings() -> Iterator[str]:
    """Yield what works but should be otherwise."""
    for found in run_checks():
        if found.level >= WARNING and not found.is_silenced():
            yield f"{found.msg} {found.hint or ''}".strip()
    if connection.vendor == "sqlite":
        kind = mounts.network_type(Path(connection.settings_dict["NAME"]).parent)
        if kind:
            yield f"The database is on a network file system ({kind}), where SQLite may lose data. Use a local disk."
    if settings.HOST in {"0.0.0.0", "::"} and not os.environ.get("FLASHBACK_PUBLIC_URL"):  # noqa: S104 - compared only
        yield "Set FLASHBACK_PUBLIC_URL to the address that other machines type; only this machine is answered now."
