"""How the tables of a backup relate to those of this version: the same, older, or of a version that is not known here.

Older ones are put back into tables as they were then, and brought up to date afterwards by the same migrations that
bring an installation up to date. That needs an empty database: nothing that is stored is ever taken apart for it.
"""

from collections.abc import Iterable

from django.apps.registry import Apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.loader import MigrationLoader

from flashback.archive import Manifest, Unusable

Node = tuple[str, str]


def older(told: Manifest) -> bool:
    """Return whether the backup's tables are older than ours. Raises `Unusable` when they are newer, or have gaps."""
    loader = MigrationLoader(None)
    known, theirs = set(loader.graph.nodes), set(_nodes(told))
    if unknown := sorted(".".join(node) for node in theirs - known):
        raise Unusable(
            f"it was made by Flashback {told.flashback}, which has tables that this one does not know "
            f"({', '.join(unknown[:5])}). Restore it with that version, or a later one"
        )
    if any(not set(loader.graph.forwards_plan(node)) <= theirs for node in theirs):
        raise Unusable(f"it was made by Flashback {told.flashback}, and does not say all that was done to its tables")
    return theirs != known


def registry(told: Manifest) -> Apps:
    """Return the models as they were when the backup was made."""
    return MigrationLoader(None).project_state(list(_nodes(told))).apps


def begin(told: Manifest) -> None:
    """Make the tables as they were when the backup was made. Raises `Unusable` unless the database is empty."""
    executor = MigrationExecutor(connection)
    if executor.loader.applied_migrations:
        raise Unusable(
            f"it was made by the older Flashback {told.flashback}, and goes into an empty database alone. Name one: "
            "another FLASHBACK_DATA_DIR, or another DATABASE_URL"
        )
    theirs = set(_nodes(told))
    graph = executor.loader.graph
    # Only the last of each application: one that came before would be taken for a wish to go back to it.
    executor.migrate([node for node in theirs if not _later(graph, node) & theirs])


def _later(graph: MigrationGraph, node: Node) -> set[Node]:
    """Return the migrations of the same application that come right after `node`."""
    return {child.key for child in graph.node_map[node].children if child.key[0] == node[0]}


def _nodes(told: Manifest) -> Iterable[Node]:
    for name in told.migrations:
        app, _, migration = name.partition(".")
        yield app, migration
