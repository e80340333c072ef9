"""What checks cost the rest: a thousand scheduled ones, and pages while eight slow ones run. Part of `make bench`.

`python -m tests.bench_checks` runs it alone. Needs an empty installation of its own, on SQLite or DATABASE_URL.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ai_llm.sandbox import SECRETS, Sandbox
from tests.console import EMAIL, PASSWORD, Console, running
from tests.load import twin
from tests.serverside import ROOT, environment
from tests.visitor import Visitor

Figure = tuple[str, float, float | None, str]
THOUSAND, WORKSPACES, SLOW = 1000, 5, 8
SETTLED = 200  # checks after which everything that is made once has been made
FILL = """
from ai_llm import credentials
from ai_llm.models import AiLlm, Credential
from flashback import outbound, sealed
from workspaces.models import Organization, User, Workspace
owner, organization = User.objects.get(), Organization.objects.get()
credentials.prove_key()
for place in range({workspaces}):
    slug = "{name}-%d" % place
    workspace, _ = Workspace.objects.get_or_create(organization=organization, slug=slug, name=slug, name_key=slug)
    held = [Credential(workspace=workspace, origin=outbound.origin("{endpoint}"), set_by=owner) for _ in range({each})]
    for credential in held:
        credential.secret, credential.key_id = sealed.Fresh("{secret}"), sealed.key_id()
    Credential.objects.bulk_create(held)
    AiLlm.objects.bulk_create([
        AiLlm(workspace=workspace, name="row %04d" % number, name_key="row %04d" % number, type="OPENAI",
              endpoint="{endpoint}", credential=credential, created_by=owner, scheduled={scheduled})
        for number, credential in enumerate(held)
    ])
    print(slug, *[str(pk) for pk in AiLlm.objects.filter(workspace=workspace).values_list("pk", flat=True)[:10]])
"""


def fill(console: Console, endpoint: str, name: str, workspaces: int, each: int, *, scheduled: bool) -> list[list[str]]:
    """Make AI LLMs; return for each workspace its slug and the ids of the first ten."""
    values = {"endpoint": endpoint, "name": name, "workspaces": workspaces, "each": each, "scheduled": scheduled}
    lines = console.shell(FILL.format(secret=SECRETS.openai, **values)).splitlines()
    return [line.split() for line in lines]


def validate_a_thousand(console: Console, sandbox: Sandbox) -> Iterator[Figure]:
    """Run `manage.py validate` over 1,000 AI LLMs, and yield its seconds and how much its memory grew meanwhile."""
    fill(console, sandbox.url("/openai/v1"), "many", WORKSPACES, THOUSAND // WORKSPACES, scheduled=True)
    sizes, begun = list[float](), time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "manage.py", "validate", "--stale=6h"], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        env=environment(console.data, **console.environment),
    )  # fmt: skip
    assert child.stdout is not None
    last = ""
    for number, line in enumerate(child.stdout):
        last = line
        if number % 50 == 0 and child.poll() is None:
            sizes.append(megabytes(child.pid))
    assert (child.wait(), last) == (0, f"{THOUSAND} checked, {THOUSAND} accepted.\n")
    yield "1,000 scheduled checks", time.monotonic() - begun, None, "s"
    yield "their memory", sizes[-1], 120, "MB"
    yield "its growth after 200", sizes[-1] - sizes[SETTLED // 50], 4, "MB"


def eight_slow_checks(console: Console, sandbox: Sandbox) -> Iterator[Figure]:
    """Validate eight AI LLMs whose provider takes seconds, and yield the p95 of other pages meanwhile."""
    made = fill(console, sandbox.url("/slow-3/v1"), "slow", SLOW // 2, 2, scheduled=False)
    rows = [f"/w/{slug}/ai/llm/{pk}" for slug, *ids in made for pk in ids]
    owner = Visitor(int(console.environment["PORT"]))
    assert owner.sign_in(EMAIL, PASSWORD).status == 303
    slug = made[0][0]
    pages = [f"/w/{slug}/ai", f"/w/{slug}/ai/llm", f"/w/{slug}/ai/llm/new", rows[0]]
    for page in pages:
        owner.get(page)
    sandbox.requests.clear()
    with ThreadPoolExecutor(SLOW + 2) as pool:
        checks = [pool.submit(timed_check, twin(owner), row) for row in rows]
        while len(sandbox.requests) < SLOW:
            time.sleep(0.01)
        over = threading.Event()
        readers = [pool.submit(read, twin(owner), pages, over) for _ in range(2)]
        seconds = [check.result() for check in checks]
        over.set()
        times = sorted(took for reader in readers for took in reader.result())
    assert min(seconds) > 3, "the checks were not slow"
    yield "eight slow checks: p95", times[int(len(times) * 0.95)] * 1000, 500, "ms"
    yield "pages meanwhile", len(times), None, ""


def timed_check(tab: Visitor, row: str) -> float:
    """Validate one AI LLM as its page does, and return the seconds."""
    tab.get(row)
    begun = time.monotonic()
    answer = tab.post(f"{row}/validate")
    assert answer.status == 303, answer.status
    return time.monotonic() - begun


def read(tab: Visitor, pages: list[str], over: threading.Event) -> list[float]:
    """Ask for the pages in turn until told to stop, as fast as a person could click; return the seconds of each."""
    times = list[float]()
    while not over.is_set():
        for page in pages:
            begun = time.monotonic()
            assert tab.get(page).status == 200
            times.append(time.monotonic() - begun)
            over.wait(0.05)
    return times


def megabytes(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def figures(folder: Path, sandbox: Sandbox) -> Iterator[Figure]:
    """Yield what was measured: name, value, budget, unit. `folder` becomes an installation."""
    with running(folder, FLASHBACK_OUTBOUND_ALLOW=f"127.0.0.1:{sandbox.port}") as console:
        console.add_owner()
        yield from eight_slow_checks(console, sandbox)
        yield from validate_a_thousand(console, sandbox)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flashback.settings")
    with tempfile.TemporaryDirectory() as place, Sandbox() as provider:
        for name, value, budget, unit in figures(Path(place), provider):
            print(f"  {name:<24}{value:>9.2f} {unit:<4}{f'budget {budget} {unit}' if budget else ''}", flush=True)
