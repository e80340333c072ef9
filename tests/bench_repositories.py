"""Figures of `make bench` about repositories and keys: who calls, and the page of a repository that is full."""

from collections.abc import Iterator

from tests.console import Console
from tests.timing import Figure, Tab

ATTACHED, EACH = 50, 100  # AI LLMs, and models of each
FILL = f"""
from ai_llm.models import AiLlm, ModelList
from repositories import attachments, keys, repos
from workspaces.models import User, Workspace
workspace, owner = Workspace.objects.get(), User.objects.get()
rows = AiLlm.objects.bulk_create(
    AiLlm(workspace=workspace, name=f"full-{{n:02}}", name_key=f"full-{{n:02}}", type="OPENAI",
          endpoint="https://api.openai.com/v1", keyless=True, verdict="accepted", created_by=owner)
    for n in range({ATTACHED})
)
ModelList.objects.bulk_create(
    ModelList(ai_llm=row, endpoint=row.endpoint, names=[f"model-{{n:02}}-{{m:03}}" for m in range({EACH})])
    for n, row in enumerate(rows)
)
full = repos.create(owner, workspace, name="full")
attachments.attach(owner, full, [row.pk for row in rows])
for n in range(10):
    keys.create(owner, full, name=f"key-{{n}}")
print(full.pk)
"""
# The one query is measured as the cursor sees it and taken away: what is left is our own work.
AUTHENTICATE = """
import time
from statistics import median
from django.db import connection
from repositories import keys
from repositories.models import Repository
from workspaces.models import User
bearer = keys.create(User.objects.get(), Repository.objects.get(name="full"), name="bench").bearer
keys.authenticate(bearer)
asked = []
def watch(execute, sql, params, many, context):
    begin = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        asked.append(time.perf_counter() - begin)
def own():
    asked.clear()
    begin = time.perf_counter()
    keys.authenticate(bearer)
    took = time.perf_counter() - begin
    assert len(asked) == 1
    return (took - asked[0]) * 1e6
def spell():
    time.sleep(0.3)
    return median(own() for _ in range(200))
with connection.execute_wrapper(watch):
    print(min(spell() for _ in range(5)))
"""


def figures(console: Console, tab: Tab) -> Iterator[Figure]:
    """Yield what was measured: one authentication without its query, and the pages of a full repository.

    `tab` is signed in as the only owner of the only workspace.
    """
    repository = console.shell(FILL)
    yield "authenticate, own time", float(console.shell(AUTHENTICATE)), 100, "µs"
    pages = {"full": f"/{repository}", "its models": f"/{repository}/models", "inventory": "/inventory"}
    for name, path in pages.items():
        yield tab.time(f"repository: {name}", f"/w/main/repositories{path}", 25)
