"""Whether this process should get requests: the database answers, its tables are current, the keys open its rows."""

from functools import cache

from django.db import Error, close_old_connections, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from flashback import keyring, storage


class NotMigratedError(Exception):
    """The database lacks migrations that this version has."""


def reasons() -> list[str]:
    """Return why this process is not ready, as words that tell nothing else.

    `database` (gone, locked or read-only), `disk` (no room for the next write), `migrations`, `keys`. Blocks for as
    long as the database takes to answer.
    """
    close_old_connections()
    try:
        if not _writable():
            return ["database"]
        _require_migrations()
        return _reasons()
    except NotMigratedError:
        return ["migrations"]
    except Error:
        return ["database"]
    finally:
        connection.close()


def _writable() -> bool:
    """Return whether the database takes changes. Under SQLite the transaction waits for the lock of writers."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only" if connection.vendor == "postgresql" else "SELECT 'off'")
        return bool(cursor.fetchone() == ("off",))


def _reasons() -> list[str]:
    found = {"keys": bool(keyring.readiness()), "disk": storage.short_of_space()}
    return [word for word, applies in found.items() if applies]


def unapplied() -> list[str]:
    """Return the migrations that this version has and the database has not, as `app.name`."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


@cache
def _require_migrations() -> None:
    """Raise NotMigratedError until the tables are current. Only a success is remembered: tables never go back."""
    if unapplied():
        raise NotMigratedError
