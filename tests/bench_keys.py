"""`python -m tests.bench_keys`: rotating the encryption key over 10,000 secrets while 50 writes a second go on.

On SQLite, and on a PostgreSQL of its own where its programs are installed. Exit code 1 when it takes too long or when
anything is lost.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flashback import keyring
from tests import cluster
from tests.serverside import ROOT, environment

ROWS, WRITES_A_SECOND, BUDGET = int(os.environ.get("BENCH_ROWS", "10000")), 50, 10.0  # the budget is in seconds
SCRIPT = """
import os, random, sys, threading, time
from django.core.management import call_command
from django.db import connection, connections, transaction
from ai_llm import credentials, resealing
from ai_llm.models import Credential
from flashback import keyring, sealed
from workspaces.models import Organization, Workspace

def use(*keys):
    keyring._use(keyring.Supply(",".join(keys), None, pending=False, name=keyring.FIELD_KEYS))

call_command("migrate", verbosity=0, skip_checks=True)
old, new = os.environ["FLASHBACK_FIELD_KEYS"], keyring.new_field_key()
organization = Organization.objects.create(name="A", name_key="a")
workspace = Workspace.objects.create(organization=organization, name="W", name_key="w", slug="w")
credentials.prove_key()
made = []
for number in range(ROWS):
    held = Credential(workspace=workspace, origin="https://a.example:443", key_id=sealed.key_id())
    held.secret = sealed.Fresh(f"sk-first-{number:06}")
    made.append(held)
Credential.objects.bulk_create(made, batch_size=500)
ids = [held.pk for held in made]
use(new, old)
connections.close_all()

said = open(SAID, "a")
if not os.fork():
    # A server: 50 writes a second until it is told to end, each said when it is stored.
    chance, begin, number, slowest, parent = random.Random(3), time.monotonic(), 0, 0.0, os.getppid()
    while os.getppid() == parent and not os.path.exists(END):
        pk, number = chance.choice(ids), number + 1
        due = begin + number / WRITES
        time.sleep(max(0, due - time.monotonic()))
        asked = time.monotonic()
        with transaction.atomic():
            credentials.overwrite(Credential.objects.get(pk=pk), secret=f"sk-written-{number:06}", set_by=None)
        slowest = max(slowest, time.monotonic() - asked)
        print(pk, f"sk-written-{number:06}", file=said, flush=True)
    print("slowest", slowest, file=said, flush=True)
    os._exit(0)
time.sleep(0.5)
begin, spent = time.monotonic(), time.process_time()
outcome = resealing.reseal()
seconds, spent = time.monotonic() - begin, time.process_time() - spent
open(END, "w").close()
os.wait()
lines = dict(line.split() for line in open(SAID).read().splitlines())
slowest = lines.pop("slowest")
use(new)
expected = {str(pk): f"sk-first-{number:06}" for number, pk in enumerate(ids)} | lines
found = {str(row.pk): credentials.open_secret(row).secret for row in Credential.objects.all()}
lost = sum(expected[pk] != secret for pk, secret in found.items()) + len(expected) - len(found)
print(seconds, spent, outcome.changed, outcome.overtaken, len(lines), slowest, lost + outcome.failed)
"""


def rotation(folder: Path, **variables: str) -> tuple[float, str, bool]:
    """Return the seconds that a rotation took, what else is worth knowing, and whether nothing was lost."""
    script = SCRIPT.replace("ROWS", str(ROWS)).replace("WRITES", str(WRITES_A_SECOND))
    script = script.replace("END", repr(str(folder / "end"))).replace("SAID", repr(str(folder / "said")))
    keys = {"FLASHBACK_FIELD_KEYS": keyring.new_field_key(), "FLASHBACK_SECRET_KEY": keyring.new_secret_key()}
    command = [sys.executable, "manage.py", "shell", "-v", "0", "--no-imports", "-c", script]
    around = environment(folder, **keys, **variables)
    done = subprocess.run(command, cwd=ROOT, env=around, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    seconds, spent, changed, overtaken, written, slowest, lost = map(float, done.stdout.split())
    text = (
        f"{spent:.1f} s of them computing, {changed:.0f} moved, {overtaken:.0f} overtaken, "
        f"{written:.0f} rows written meanwhile (slowest {slowest * 1000:.0f} ms), {lost:.0f} lost"
    )
    return seconds, text, lost == 0


def figures() -> Iterator[tuple[str, float, str, bool]]:
    """Yield name, seconds, words, and whether it is within the budget with nothing lost, for each database here."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, text, whole = rotation(Path(folder))
        yield "SQLite", seconds, text, whole and seconds < BUDGET
    if cluster.MISSING:
        print(f"  left out PostgreSQL: {cluster.MISSING}")
        return
    with tempfile.TemporaryDirectory() as folder, cluster.postgresql() as own:
        seconds, text, whole = rotation(Path(folder), DATABASE_URL=own.url)
        yield "PostgreSQL", seconds, text, whole and seconds < BUDGET


def main() -> int:
    """Print every figure beside its budget."""
    passed = True
    for name, seconds, text, good in figures():
        print(f"  rotate {ROWS} secrets on {name}: {seconds:.1f} s (budget {BUDGET:.0f} s); {text}", flush=True)
        passed = passed and good
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
