"""Taking a backup of everything that is stored, and putting one back.

Both go through `flashback.archive`, row by row, so that a backup of SQLite may be restored into PostgreSQL and back. A
backup reads one moment of the database, whatever is written meanwhile: a snapshot under PostgreSQL, a reading
transaction in WAL mode under SQLite; no writer waits for it. Sessions are left out, so nobody is signed in after a
restore.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import JSONField, Model, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from flashback import __version__, archive, sealed
from flashback.archive import Manifest, Reader, Unusable
from workspaces import append_only, versions
from workspaces.account_models import Session
from workspaces.models import AuditHead, Event

BATCH = 500
Progress = Callable[[int], None]
SNAPSHOT = {"postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "sqlite": "BEGIN DEFERRED"}
SESSIONS = {Session._meta.db_table, "django_session"}  # and the table that older versions had
PATIENT = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


class Table:
    """One table of the database, and how the values of its rows go into a backup and come back."""

    def __init__(self, model: type[Model]) -> None:
        self.model = model
        self.name = model._meta.db_table
        self.fields = list(model._meta.concrete_fields)
        self.columns = [str(field.column) for field in self.fields]
        self.names = [field.name for field in self.fields]
        self.key = next(position for position, field in enumerate(self.fields) if field.primary_key)
        self.sealed = [n for n, field in enumerate(self.fields) if isinstance(field, sealed.SealedField)]
        self.proves_key = hasattr(model, "PROVES_KEY")

    def read(self) -> Iterator[list[Any]]:
        """Yield the rows by id, values in the order of the columns; sealed ones as they are stored."""
        tokens = {f"{self.names[n]}_token": Cast(self.names[n], TextField()) for n in self.sealed}
        columns = [f"{f.name}_token" if n in self.sealed else f.attname for n, f in enumerate(self.fields)]
        rows = self.model._base_manager.annotate(**tokens).order_by("pk").values_list(*columns)
        last = None
        while batch := list((rows if last is None else rows.filter(pk__gt=last))[:BATCH]):
            last = batch[-1][self.key]
            for values in batch:
                row = list(values)
                for n in self.sealed:
                    row[n] = row[n] if _is_sealed(row[n]) else None
                yield row

    def key_id(self, row: list[Any]) -> str:
        """Return the id of the key that the sealed values of this row need; "" when there are none."""
        held = not self.proves_key and any(row[n] is not None for n in self.sealed)
        return str(row[self.names.index("key_id")]) if held else ""

    def instance(self, row: list[Any], columns: list[str]) -> Model:
        """Return the row, whose values are in the order of `columns`, as an instance that can be inserted as it was."""
        values = dict(zip(columns, row, strict=True))
        return self.model(**{field.attname: self._value(field, values[str(field.column)]) for field in self.fields})

    def _value(self, field: Any, value: Any) -> Any:
        if isinstance(field, sealed.SealedField):
            return field.from_db_value(value)
        return value if isinstance(field, JSONField) else field.to_python(value)


def tables(told: Manifest | None = None) -> list[Table]:
    """Return every table whose rows belong into a backup, by name; as they were in an older version, if `told` is."""
    registry = versions.registry(told) if told is not None and versions.older(told) else apps
    models = [model for model in registry.get_models(include_auto_created=True) if model._meta.managed]
    found = [Table(model) for model in models if not model._meta.proxy and model._meta.db_table not in SESSIONS]
    return sorted(found, key=lambda table: table.name)


def size() -> int:
    """Return how many rows a backup would hold now."""
    return sum(table.model._base_manager.count() for table in tables())


def write(target: Path, progress: Progress = lambda _: None) -> Manifest:
    """Write a backup into the new file `target` (mode 0600), and return what it says about itself.

    `progress` hears the number of rows written. What is in a sealed column without being sealed (somebody put it there
    behind the program's back) is left out. Raises `Unusable` when the file is there or cannot be written. Call outside
    any transaction.
    """
    keys: Counter[str] = Counter()
    with archive.writing(target) as file, _snapshot():
        for table in tables():
            file.table(table.name, table.columns, _counted(table, keys, progress, file.rows))
        keys.update({key_id: 0 for key_id in AuditHead.objects.values_list("key_id", flat=True) if key_id})
        return file.finish(
            flashback=__version__,
            made_at=timezone.now().isoformat(timespec="seconds"),
            database=connection.vendor,
            migrations=applied(),
            keys=dict(sorted(keys.items())),
        )


def prove(reader: Reader, progress: Progress = lambda _: None) -> None:
    """Raise `Unusable` unless the backup is whole and its tables are those of this or an older version.

    Changes nothing, and asks no database.
    """
    told, here = reader.manifest, {table.name: sorted(table.columns) for table in tables(reader.manifest)}
    if {name: sorted(table["columns"]) for name, table in told.tables.items()} != here:
        raise Unusable("its tables have other columns than its version has")
    for done in reader.prove():
        progress(done)


def restore(reader: Reader, progress: Progress = lambda _: None) -> None:
    """Put the rows of a backup that was proven in the place of all that is stored, in one transaction.

    The database has the tables of the backup's version. All sessions end. Lines of the audit log come back exactly as
    they were. Raises `Unusable`, and changes nothing, when the file is no longer the one that was proven.
    """
    done, theirs = 0, tables(reader.manifest)
    with transaction.atomic():
        _be_alone(theirs)
        _empty(theirs)
        for table in theirs:
            columns = reader.manifest.tables[table.name]["columns"]
            for batch in _batches(reader.rows(table.name)):
                table.model._base_manager.bulk_create([table.instance(row, columns) for row in batch])
                done += len(batch)
                progress(done)
        _continue_numbers(theirs)
    ContentType.objects.clear_cache()


def applied() -> list[str]:
    """Return the migrations that this database has, as `app.name`."""
    return sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


def _is_sealed(token: str | None) -> bool:
    return token is not None and sealed.Sealed(token, "").is_token


def _counted(table: Table, keys: Counter[str], progress: Progress, before: int) -> Iterator[list[Any]]:
    for done, row in enumerate(table.read(), start=before + 1):
        if key_id := table.key_id(row):
            keys[key_id] += 1
        yield row
        progress(done)


def _batches(rows: Iterable[list[Any]]) -> Iterator[list[list[Any]]]:
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch


@contextmanager
def _snapshot() -> Iterator[None]:
    """Let all that is read inside be of one moment. Not `atomic`, which would hold writers up under SQLite."""
    if connection.in_atomic_block:
        raise ImproperlyConfigured("A backup cannot be taken inside a transaction.")
    with connection.cursor() as cursor:
        cursor.execute(SNAPSHOT[connection.vendor])
        try:
            _be_patient()
            yield
        finally:
            cursor.execute("ROLLBACK")


def _be_patient() -> None:
    """Lift PostgreSQL's limits of time until the transaction ends: they are those of a console."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for limit in PATIENT:
                cursor.execute(f"SET LOCAL {limit} = 0")


def _be_alone(theirs: list[Table]) -> None:
    """Let nobody write until the transaction ends; under SQLite it holds the lock of writers from its beginning."""
    _be_patient()
    if connection.vendor == "postgresql":
        names = ", ".join(connection.ops.quote_name(table.name) for table in theirs)
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {names} IN EXCLUSIVE MODE")


def _empty(theirs: list[Table]) -> None:
    """Delete all rows, sessions too. Foreign keys are checked at the end of the transaction."""
    with append_only.lifted() if Event.objects.exists() else nullcontext():
        Event.objects.all()._raw_delete(connection.alias)
    for table in theirs:
        if table.name != Event._meta.db_table:
            table.model._base_manager.all()._raw_delete(connection.alias)
    for name in SESSIONS & set(connection.introspection.table_names()):
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(name)}")  # noqa: S608 - one of two names of ours


def _continue_numbers(theirs: list[Table]) -> None:
    """Let PostgreSQL give new rows the numbers after those that were put back."""
    statements = connection.ops.sequence_reset_sql(no_style(), [table.model for table in theirs])
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
