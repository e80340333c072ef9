"""Storage that does not answer: told apart from mistakes of our own, and answered with 503 and a time to come back.

A database that is stopped, starting, locked, full or read-only, and a shared cache that is gone, mend themselves or are
mended by somebody; the same request works afterwards. A statement that the database does not understand never will, so
it stays an error of the server (500).
"""

import errno
import logging
import sys
from pathlib import Path
from tempfile import TemporaryFile

from django.db import Error, InterfaceError, OperationalError, ProgrammingError, connection
from django.http import HttpRequest, HttpResponse
from django.template.loader import get_template

log = logging.getLogger(__name__)

DATABASE, DISK, CACHE = "database", "disk", "cache"
RETRY_AFTER = 5  # seconds
LEAST_ROOM = 1024 * 1024  # bytes; SQLite writes whole pages to its log before anything else
# https://www.sqlite.org/rescode.html: BUSY, LOCKED, READONLY, CORRUPT, CANTOPEN, PROTOCOL, NOTADB; IOERR, FULL
SQLITE_AWAY, SQLITE_DISK = frozenset({5, 6, 8, 11, 14, 15, 26}), frozenset({10, 13})
# https://www.postgresql.org/docs/current/errcodes-appendix.html: connection, sign-in refused, no such database,
# read-only, idle too long, out of resources, waited too long for a lock, stopped by operator or time limit, system.
POSTGRESQL_AWAY = ("08", "28", "3D", "25006", "25P03", "53", "55P03", "57", "58")
POSTGRESQL_DISK = ("53100",)
# What Django says of each statement that follows a connection lost inside a transaction.
FOLLOW_UP = "Cannot open a new connection in an atomic block."
OUT_OF_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def reason(fault: BaseException | None) -> str:
    """Return which storage is away, "database", "disk" or "cache"; "" when neither `fault` nor its cause says so."""
    while fault is not None:
        if word := _of_database(fault) or _of_cache(fault) or _of_disk(fault):
            return word
        fault = fault.__cause__
    return ""


def unavailable(word: str, fault: BaseException, request: HttpRequest) -> HttpResponse:
    """Return the answer 503 with Retry-After, and write one line to the log. Asks no database."""
    log.error("Storage is away (%s): a %s was answered with 503. %s", word, request.method, first_line(fault))
    try:
        content = get_template("503.html").render({"seconds": RETRY_AFTER})
    except Exception:  # the disk that the page is on may be what is away
        content = f"Flashback cannot reach its storage. Try again in {RETRY_AFTER} seconds."
    response = HttpResponse(content, status=503, headers={"Retry-After": str(RETRY_AFTER)})
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django would log it once more, with its traceback
    return response


def forget_purged() -> None:
    """Let the log of SQLite, which holds pages as they were before a purge, start anew.

    Does nothing inside a transaction, and on PostgreSQL, which cleans its pages by itself.
    """
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def first_line(fault: BaseException) -> str:
    """Return the kind of `fault` and the first line of its text."""
    lines = str(fault).strip().splitlines()
    return f"{type(fault).__name__}: {lines[0][:200]}" if lines else type(fault).__name__


def short_of_space() -> bool:
    """Return whether the disk of an SQLite database refuses what a write needs: it is full, or over a quota."""
    if connection.vendor != "sqlite":
        return False
    folder = Path(str(connection.settings_dict["NAME"])).parent
    if not folder.is_dir():  # in memory
        return False
    try:
        with TemporaryFile(dir=folder) as probe:
            probe.write(bytes(LEAST_ROOM))
    except OSError:
        return True
    return False


def _of_database(fault: BaseException) -> str:
    if not isinstance(fault, Error):
        return ""
    driver = fault.__cause__
    if (code := getattr(driver, "sqlite_errorcode", None)) is not None:
        primary = code & 0xFF
        return DISK if primary in SQLITE_DISK else DATABASE if primary in SQLITE_AWAY else ""
    state = getattr(driver, "sqlstate", None)
    if state:
        return DISK if state in POSTGRESQL_DISK else DATABASE if state.startswith(POSTGRESQL_AWAY) else ""
    if isinstance(fault, ProgrammingError):
        return DATABASE if FOLLOW_UP in str(fault) else ""
    # Without a code it never came to a statement: the connection could not be made, or was lost.
    lost = isinstance(fault, InterfaceError) and "connection" in str(fault)
    unmade = isinstance(fault, OperationalError) and type(driver).__module__.startswith("psycopg")
    return DATABASE if lost or unmade else ""


def _of_cache(fault: BaseException) -> str:
    known = sys.modules.get("redis.exceptions")  # loaded as soon as Redis is asked for anything
    if known is None:
        return ""
    kinds = (known.ConnectionError, known.TimeoutError, known.ReadOnlyError, known.OutOfMemoryError)
    return CACHE if isinstance(fault, kinds) else ""


def _of_disk(fault: BaseException) -> str:
    return DISK if isinstance(fault, OSError) and fault.errno in OUT_OF_SPACE else ""
