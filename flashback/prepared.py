"""Queries that are put together once and asked many times: Django writes most SQL slower than it runs.

    @prepared
    def named(workspace: UUID) -> QuerySet[Any]:
        return Repository.objects.filter(workspace=workspace).values_list("id", "name")

    rows = named(workspace.pk)

The function is called once for each connection, with stand-ins for its arguments; after that only the arguments change.
Without `values_list` the rows are objects, as from any queryset. Nothing of an answer is kept.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import update_wrapper
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.query import ModelIterable, get_related_populators
from django.db.models.sql.compiler import SQLCompiler

ALIAS = "default"
PLANNED_AFTER = 1  # of the same statement on the same connection
MOST, LONGEST = 200, 100  # plans that a connection keeps, and arguments of one that is worth it
PLANS = "flashback_plans"  # the attribute of a connection that holds them; each thread has a connection of its own
Value = UUID | datetime | str
Reads = QuerySet[Any, Any] | Sequence[QuerySet[Any, Any]]
Converter = Callable[[Any], Any]


class Plan(NamedTuple):
    """SQL, its parameters, how its columns become values of Python, and what makes an object of them, if anything."""

    sql: str
    parameters: tuple[Any, ...]
    converters: "Sequence[tuple[int, Converter]]" = ()
    maker: "Maker | None" = None


class Maker:
    """Makes objects of rows, each with those that the query joins to it."""

    def __init__(self, compiler: SQLCompiler) -> None:
        info, select = compiler.klass_info, compiler.select
        self.model: type[Model] = info["model"]
        self.first, self.end = info["select_fields"][0], info["select_fields"][-1] + 1
        self.fields = [column.target.attname for column, _, _ in select[self.first : self.end]]
        self.joined = get_related_populators(info, select, ALIAS)  # type: ignore[call-arg]  # the stubs are ahead

    def __call__(self, row: Sequence[Any]) -> Model:
        made = self.model.from_db(ALIAS, self.fields, row[self.first : self.end])
        for one in self.joined:
            one.populate(row, made)
        return made


class Argument(NamedTuple):
    """The place of an argument among the parameters."""

    number: int


class Prepared:
    """A query with places for its arguments: ids, moments and texts that a column is compared with as a whole."""

    def __init__(self, build: Callable[..., Reads]) -> None:
        self.build = build
        update_wrapper(self, build)

    def __call__(self, *arguments: Value, **shape: Any) -> list[Any]:
        """Return all rows. `shape` changes the query itself, as the number of arguments does; there are few of each.

        With more than 100 arguments it is an ordinary query: their number is hardly ever the same again.
        """
        if len(arguments) > LONGEST:
            built = self.build(*arguments, **shape)
            assert isinstance(built, QuerySet)  # noqa: S101 - several at once take a few arguments
            return list(built)
        wrapper = connections[ALIAS]
        plans = vars(wrapper).setdefault(PLANS, {})
        key = (self.build, len(arguments), *shape.items())
        plan = plans.get(key)
        if plan is None:
            plan = self._plan(arguments, shape)
            if len(plans) < MOST:
                plans[key] = plan
        values = [_adapted(value) for value in arguments]
        with fast_cursor() as cursor:
            cursor.execute(plan.sql, [values[one.number] if type(one) is Argument else one for one in plan.parameters])
            rows = cursor.fetchall()
        if plan.converters:
            rows = list(map(list, rows))
            for place, convert in plan.converters:
                for row in rows:
                    row[place] = convert(row[place])
        return [plan.maker(row) for row in rows] if plan.maker else list(rows)

    def _plan(self, arguments: Sequence[Value], shape: dict[str, Any]) -> Plan:
        marks = [_mark(argument, number) for number, argument in enumerate(arguments)]
        built = self.build(*marks, **shape)
        compilers = [one.query.get_compiler(using=ALIAS) for one in ([built] if isinstance(built, QuerySet) else built)]
        parts = [compiler.as_sql() for compiler in compilers]
        places = {_adapted(mark): Argument(number) for number, mark in enumerate(marks)}
        found = tuple(places.get(one, one) if isinstance(one, Value) else one for _, part in parts for one in part)
        if not set(places.values()) <= set(found):
            raise TypeError(f"{self.build.__qualname__} does not compare a column with each of its arguments as it is.")
        sql, found = _spelled(_joined([sql for sql, _ in parts]), found)
        if len(parts) > 1:
            return Plan(sql, found)
        columns = [expression for expression, _, _ in compilers[0].select[: compilers[0].col_count]]
        objects = isinstance(built, QuerySet) and issubclass(built._iterable_class, ModelIterable)
        maker = Maker(compilers[0]) if objects else None
        return Plan(sql, found, _converters(compilers[0].get_converters(columns)), maker)


def prepared(build: Callable[..., Reads]) -> Prepared:
    """Return `build` as a query that is put together once. It returns a queryset of values.

    Or several with the same plain columns (texts and numbers): they are read with one statement, one after the other,
    and each row begins with the number of its queryset.
    """
    return Prepared(build)


def fast_cursor() -> Any:
    """Return a cursor; under PostgreSQL one whose statements the server plans once too, when it has seen them twice."""
    wrapper: Any = connections[ALIAS]
    if wrapper.vendor != "postgresql" or wrapper.queries_logged:  # of a planned statement a log would see no text
        return wrapper.cursor()
    from django.db.backends.postgresql.base import ServerBindingCursor  # it loads the driver

    # As `wrapper.cursor()` does it, which always takes a cursor that writes the values into the statement.
    wrapper.close_if_health_check_failed()
    wrapper.ensure_connection()
    with wrapper.wrap_database_errors:
        wrapper.connection.prepare_threshold = PLANNED_AFTER
        return wrapper._prepare_cursor(ServerBindingCursor(wrapper.connection))  # type: ignore[call-arg]  # as Django does


def padded(values: Sequence[UUID], *sizes: int) -> Sequence[UUID]:
    """Return `values` (one at least), the last one again up to the next of `sizes`: for queries with a list of ids.

    A query is put together for each number of arguments, so that there should be few of them.
    """
    size = next((size for size in sizes if len(values) <= size), len(values))
    return [*values, *[values[-1]] * (size - len(values))]


def _spelled(sql: str, parameters: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Return the statement with everything in it that is not an argument, and the arguments.

    PostgreSQL plans such a statement once for all arguments, and so sees how rare a word or a key is.
    """
    wrapper: Any = connections[ALIAS]
    if wrapper.vendor != "postgresql":
        return sql, parameters
    from psycopg import sql as spelling

    wrapper.ensure_connection()
    rest = iter(parameters)
    kept: list[Argument] = []

    def spelled(place: re.Match[str]) -> str:
        if place[0] != "%s":
            return place[0]
        value = next(rest)
        if type(value) is Argument:
            kept.append(value)
            return place[0]
        return spelling.Literal(value).as_string(wrapper.connection).replace("%", "%%")

    return re.sub(r"%.", spelled, sql), tuple(kept)


def _joined(parts: Sequence[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    selects = (f"SELECT {number}, part.* FROM ({sql}) AS part" for number, sql in enumerate(parts))  # noqa: S608 - Django's
    return " UNION ALL ".join(selects)


def _converters(found: dict[int, tuple[list[Any], Any]]) -> list[tuple[int, Converter]]:
    """Return what makes a value of Python of each column that needs it. SQLite's moments and ids are most of them."""
    wrapper = connections[ALIAS]
    quick: dict[Any, Converter] = {}
    if wrapper.vendor == "sqlite" and wrapper.timezone == UTC:
        operations: Any = wrapper.ops  # those of SQLite
        quick[operations.convert_datetimefield_value] = _moment
        quick[operations.convert_uuidfield_value] = _id

    def chained(converters: list[Any], expression: Any) -> Converter:
        if len(converters) == 1 and converters[0] in quick:
            return quick[converters[0]]

        def convert(value: Any) -> Any:
            for one in converters:
                value = one(value, expression, wrapper)
            return value

        return convert

    return [(place, chained(converters, expression)) for place, (converters, expression) in found.items()]


def _moment(value: datetime | str | None) -> datetime | None:
    if isinstance(value, str):  # of a column whose type SQLite does not know, as that of an expression
        value = datetime.fromisoformat(value)
    return None if value is None else value.replace(tzinfo=UTC)


def _id(text: str | None) -> UUID | None:
    return None if text is None else UUID(int=int(text, 16))  # Django stores 32 digits, which need no tidying first


def _mark(argument: Value, number: int) -> Value:
    """Return a value of the same kind that is nowhere else in the query."""
    match argument:
        case UUID():
            return uuid4()
        case datetime():
            return datetime(1900, 1, 1, microsecond=uuid4().int % 1_000_000, second=number, tzinfo=UTC)
        case str():
            return uuid4().hex[:30]
    raise TypeError(f"A prepared query takes ids, moments and texts, not {type(argument).__name__}.")


def _adapted(value: Value) -> Any:
    """Return `value` as Django hands it to the driver."""
    wrapper = connections[ALIAS]
    match value:
        case UUID():
            return value if wrapper.features.has_native_uuid_field else value.hex
        case datetime():
            return wrapper.ops.adapt_datetimefield_value(value)
    return value
