"""What the audit log costs with 100,000 events: its pages, its proof, one more event. `python -m tests.bench_audit`."""

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.console import Console, running
from tests.timing import Figure, Tab, shown

EVENTS = 100_000
# Events as of five years, of 40 people, about 500 objects, linked and sealed as the real ones are.
FILL = f"""
from datetime import timedelta
from uuid import UUID, uuid4
from django.db import connection, transaction
from django.utils import timezone
from workspaces import chain
from workspaces.models import Event, User, Workspace
space, owner = Workspace.objects.get(), User.objects.get()
people = [(owner.pk, owner.email)] + [(uuid4(), f"person{{n}}@example.com") for n in range(39)]
actions = ["ai_llm.validated"] * 7 + ["ai_llm.updated", "ai_llm.created", "member.added"]
with transaction.atomic():
    head = chain.held(space.organization_id)
    begin, batch = timezone.now() - timedelta(days=1825), []
    for n in range({EVENTS} - head.number):
        person, label = people[n * 7 % 40]
        action = "ai_llm.deleted" if n % 20_000 == 0 else actions[n % 10]
        event = Event(
            at=begin + timedelta(minutes=26 * n), organization_id=space.organization_id, workspace_id=space.pk,
            workspace_label=space.name, actor_id=person, actor_label=label, ip=f"203.0.113.{{n % 250}}",
            agent="Firefox 128, Linux", action=action, object_kind="aillm", object_id=str(UUID(int=n % 500)),
            object_label=f"config-{{n % 500:03}}", details={{"endpoint": ["https://a.example/v1", "https://b.example/v1"]}},
            chain=space.organization_id, number=head.number + 1, previous=head.digest,
        )
        event.digest = chain.of_event(event)
        head.number, head.digest = event.number, event.digest
        batch.append(event)
    Event.objects.bulk_create(batch, batch_size=2000)
    chain.keep(head, ours=True)
if connection.vendor == "postgresql":  # what autovacuum does within a minute of so many new rows
    connection.cursor().execute("VACUUM ANALYZE workspaces_event")
print(people[3][0])
"""
RECORD = """
import time
from statistics import median
from workspaces import events
from workspaces.models import Event, User, Workspace
space, owner = Workspace.objects.select_related("organization").get(), User.objects.get()
def one():
    begin = time.perf_counter()
    events.record(owner, "workspace.renamed", space, workspace=space, details={"name": ["before", "after"]})
    return (time.perf_counter() - begin) * 1000
one()
print(median(one() for _ in range(200)))
"""


def audit_of_100_000(console: Console, tab: Tab) -> Iterator[Figure]:
    """Yield what was measured with 100,000 events in the only workspace: name, value, budget, unit.

    The console has an owner, who is signed in at `tab`. The events stay in its database.
    """
    person = console.shell(FILL)
    base = "/w/main/audit"
    page = tab.get(f"{base}?from=2020-01-01&until=2024-06-30")
    older = re.search(r'rel="next"\s+href="([^"]+)"', page)[1].replace("&amp;", "&")
    queries = {
        "first": base,
        "deep": older,
        "a day": f"{base}?from=2024-02-01&until=2024-02-01",
        "a person": f"{base}?who={person}",
        "a rare action": f"{base}?action=ai_llm.deleted",
        "an object": f"{base}?object=00000000-0000-0000-0000-000000000007",
        "searched": f"{base}?q=config-123",
        "searched, nothing": f"{base}?q=nothing-like-it",
        "commands": f"{base}?who=command",
        "organization": "/organization/audit",
    }
    for name, address in queries.items():
        yield tab.time(f"audit: {name}", address, 30)
    yield "audit: one event", float(console.shell(RECORD)), None, "ms"
    begin = time.perf_counter()
    done = console.manage("audit", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    yield "audit: verify", time.perf_counter() - begin, 10, "s"


def main() -> int:
    database = {"DATABASE_URL": os.environ["DATABASE_URL"]} if os.environ.get("DATABASE_URL") else {}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), **database) as console:
        console.add_owner()
        tab = Tab(console)
        tab.sign_in()
        return 1 if shown(audit_of_100_000(console, tab)) else 0


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flashback.settings")
    sys.exit(main())
