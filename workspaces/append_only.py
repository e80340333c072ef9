"""The triggers that make the database itself refuse to change the audit log, whatever program asks.

SQLite drops the triggers of a table together with the table, which is how Django changes one there: a migration that
changes `workspaces_event` has to call `install` again at its end.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

TABLE = "workspaces_event"
REFUSAL = "The audit log is append-only."
# A row that takes the place of another one (INSERT OR REPLACE) fires no trigger for the one it deletes; see
# https://www.sqlite.org/lang_conflict.html. So a second row with the same id or number is refused before that.
SQLITE = {
    "audit_no_update": f"BEFORE UPDATE ON {TABLE} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
    "audit_no_delete": f"BEFORE DELETE ON {TABLE} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
    "audit_no_replace": (
        "BEFORE INSERT ON workspaces_event WHEN EXISTS (SELECT 1 FROM workspaces_event "
        "WHERE id = NEW.id OR (chain = NEW.chain AND number = NEW.number)) "
        "BEGIN SELECT RAISE(ABORT, 'The audit log is append-only.'); END"
    ),
}
REFUSE = (
    "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    f"RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
)
POSTGRESQL = {
    "audit_no_change": f"BEFORE UPDATE OR DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "audit_no_truncate": f"BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
}


def install() -> None:
    """Put the triggers in place that are missing. Afterwards an UPDATE or DELETE raises IntegrityError."""
    wanted = _wanted()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(REFUSE)
        for name in missing():
            cursor.execute(f"CREATE TRIGGER {name} {wanted[name]}")


def missing() -> list[str]:
    """Return the names of the triggers that are not in place, or not at work."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled = 'O'", [TABLE])
        else:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE])
        found = {name for (name,) in cursor.fetchall()}
    return [name for name in _wanted() if name not in found]


@contextmanager
def lifted() -> Iterator[None]:
    """Let the table be changed inside the block, in one transaction: others see the triggers as they were.

    For `manage.py audit prune`, and for tests that clear their tables. Needs the right to change the table's triggers,
    which a database user of a running console need not have.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"ALTER TABLE {TABLE} DISABLE TRIGGER USER")
            yield
            cursor.execute(f"ALTER TABLE {TABLE} ENABLE TRIGGER USER")
            return
        for name in SQLITE:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
        yield
        install()


def _wanted() -> dict[str, str]:
    return POSTGRESQL if connection.vendor == "postgresql" else SQLITE
