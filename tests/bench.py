"""`make bench`: start, pages, lists, Chromium, sealing, checks, the API, audit, repositories and keys, with budgets.

Runs on SQLite, and where PostgreSQL's programs are installed on a PostgreSQL of its own; with Lighthouse where that is
present. Exit code 1 when a figure is over its budget.
"""

import os
import re
import sys
import tempfile
import time
from pathlib import Path

from ai_llm.sandbox import SECRETS, Sandbox
from tests import (
    bench_api,
    bench_audit,
    bench_checks,
    bench_chromium,
    bench_keys,
    bench_lighthouse,
    bench_pages,
    bench_repositories,
    cluster,
)
from tests.console import running
from tests.timing import Tab, shown

ROWS = 10_000
# After so many new rows PostgreSQL cleans up and counts anew by itself within a minute; that is not waited for here.
FILL = f"""
from uuid import uuid4
from django.db import connection
from ai_llm import credentials
from ai_llm.models import AiLlm, Credential
from flashback import names, outbound, sealed
from workspaces.models import User, Workspace
workspace, owner = Workspace.objects.get(), User.objects.get()
credentials.prove_key()
verdicts = ["accepted", "accepted", "limited", "rejected", "undecided", ""]
for start in range(0, {ROWS}, 1000):
    made = []
    for n in range(start, start + 1000):
        held = Credential(workspace=workspace, origin="https://api.openai.com:443", hint="cdef", set_by=owner)
        held.secret, held.key_id = sealed.Fresh("sandbox-openai-secret-0123456789abcdef"), sealed.key_id()
        made.append(held)
    Credential.objects.bulk_create(made)
    AiLlm.objects.bulk_create([
        AiLlm(workspace=workspace, name=f"config-{{start + i:05}}", name_key=f"config-{{start + i:05}}", type="OPENAI",
              endpoint="https://api.openai.com/v1", credential=held, created_by=owner, verdict=verdicts[i % 6])
        for i, held in enumerate(made)
    ])
if connection.vendor == "postgresql":
    connection.cursor().execute("VACUUM (ANALYZE)")
"""
SEAL = """
import time
from statistics import median
from uuid import uuid4
from ai_llm.models import Credential
from flashback.sealed import Fresh
from workspaces.models import Workspace
def took(what):
    begin = time.perf_counter(); what(); return (time.perf_counter() - begin) * 1e6
workspace = Workspace.objects.get()
def fresh():
    held = Credential(workspace=workspace, origin="https://api.openai.com:443")
    held.secret = Fresh("sandbox-openai-secret-0123456789abcdef")
    field = Credential._meta.get_field("secret")
    return took(lambda: field.pre_save(held, True)), held
sealing = [fresh() for _ in range(500)]
print(median(t for t, _ in sealing), median(took(lambda h=h: h.secret.open(h.sealing_context())) for _, h in sealing))
"""
CHECK = """
from statistics import median
from uuid import uuid4
from ai_llm import configs, validation
from workspaces.models import User, Workspace
owner, workspace = User.objects.get(), Workspace.objects.get()
typed = {"type": "OPENAI", "endpoint": "{endpoint}", "secret": "{secret}"}
made = configs.create(owner, workspace, id=uuid4(), name="bench", **typed)
import time
def own():
    begin = time.perf_counter(); check = validation.validate(owner, made)
    waited = sum(stage["ms"] or 0 for stage in check.stages if stage["name"] in ("connection", "http", "credential"))
    assert check.verdict == "accepted", check.cause
    return (time.perf_counter() - begin) * 1000 - waited
own()
def spell():
    time.sleep(0.5)
    return median(own() for _ in range(8))
print(min(spell() for _ in range(3)))
"""


def megabytes(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def figures(folder, sandbox, **database):
    """Yield what was measured: name, value, budget, unit. `database` names another one than SQLite."""
    variables = {**database, "FLASHBACK_OUTBOUND_ALLOW": f"127.0.0.1:{sandbox.port}"}
    begin = time.monotonic()
    with running(folder, **variables):
        yield "first start", time.monotonic() - begin, None, "s"
    begin = time.monotonic()
    with running(folder, **variables) as console:
        yield "second start", time.monotonic() - begin, 3, "s"
        console.add_owner()
        seal, opened = map(float, console.shell(SEAL).split())
        yield "seal a secret", seal, 300, "µs"
        yield "open a secret", opened, 200, "µs"
        check = CHECK.replace("{endpoint}", sandbox.url("/openai/v1")).replace("{secret}", SECRETS.openai)
        yield "a check, own time", float(console.shell(check)), 15, "ms"
        console.shell(FILL)
        visitor, tab = Tab(console), Tab(console)
        overview = tab.sign_in()
        listed = f"{overview}/llm"
        row = re.search(rf'href="({re.escape(listed)}/[0-9a-f-]{{36}})"', tab.get(listed))[1]
        pages = {
            "overview": overview,
            "type": f"{listed}/new",
            "configuration": f"{listed}/new?type=OPENAI",
            "one": row,
        }
        for name, path in {"live": "/healthz/live", "sign-in": "/account/login"}.items():
            yield visitor.time(name, path, 15)
        for name, path in pages.items():
            yield tab.time(name, path, 15)
        last = ROWS // 50
        for name, query, budget in (("first", "", 25), ("middle", f"?page={last // 2}", 25),
                                    ("last", f"?page={last}", 25),
                                    ("searched", "?q=777", 35), ("by state", "?state=rejected", 35)):  # fmt: skip
            yield tab.time(f"10,000: {name}", listed + query, budget)
        if bench_chromium.PROGRAM:
            seen = {"sign-in": "/account/login", **pages, "list": listed}
            yield from bench_chromium.figures(console.url, seen, tab)
            if missing := bench_lighthouse.missing():
                print(f"  Lighthouse is left out: {missing}")
            else:
                yield from bench_lighthouse.figures(console.url, seen, tab.cookie)
        yield "memory", megabytes(console.pid), 150, "MB"
        yield from bench_api.figures(console)
        yield from bench_repositories.figures(console, tab)
        yield from bench_audit.audit_of_100_000(console, tab)


def main():
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        print("SQLite")
        pages, checks, sample, elsewhere = (Path(folder, name) for name in ("pages", "checks", "sample", "elsewhere"))
        for place in (pages, checks, sample, elsewhere):
            place.mkdir()
        over = shown(figures(pages, sandbox))
        over += shown(bench_checks.figures(checks, sandbox))
        print("Every page, in the sample")
        with running(sample) as console:
            over += shown(bench_pages.figures(console))
        if cluster.MISSING:
            print(f"PostgreSQL is left out: {cluster.MISSING}")
        else:
            print("PostgreSQL")
            with cluster.postgresql() as own:
                over += shown(figures(elsewhere, sandbox, DATABASE_URL=own.url))
    print("Changing the key")
    over += ["changing the key"] if bench_keys.main() else []
    print(f"  over budget: {', '.join(over)}" if over else "  everything is within its budget")
    return 1 if over else 0


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flashback.settings")
    sys.exit(main())
