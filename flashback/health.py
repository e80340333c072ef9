"""Whether this process should get requests: the database answers, its tables are current, the keys open its rows."""

from functools import cache

from django.db import DatabaseError, close_old_connections, connection
from django.db.migrations.executor import MigrationExecutor

from flashback import keyring


class NotMigratedError(Exception):
    """The database lacks migrations that this version has."""


def reasons() -> list[str]:
    """Return why this process is not ready, as words that tell nothing else: `database`, `migrations`, `keys`.

    Blocks for as long as the database takes to answer.
    """
    close_old_connections()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        _require_migrations()
        return ["keys"] if keyring.readiness() else []
    except NotMigratedError:
        return ["migrations"]
    except DatabaseError:
        return ["database"]
    finally:
        connection.close()


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
