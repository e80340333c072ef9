"""`make soak`: many people at once on SQLite, then a writing process that is killed again and again.

Under the mixed load of 32 people on 4 processes, nothing fails and no write is slow.

The writer creates AI LLMs with sealed secrets and says each id after its transaction. After every kill all of them must
be there and open, the database must be sound, and moving secrets to a new key must survive being killed as well.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flashback import keyring
from tests.console import EMAIL, PASSWORD, running
from tests.load import mixed, warm
from tests.serverside import ROOT, environment, manage, up
from tests.visitor import Visitor

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "20"))
LOAD_SECONDS = int(os.environ.get("SOAK_SECONDS", "60"))
PAUSE, WRITE_SECONDS = 1.0, 1.0
OWNER = ("createowner", "--email", "olivia@example.com", "--organization", "Acme", "--workspace", "Main")
WRITER = """
from tests import build
from workspaces.models import User, Workspace
owner, workspace = User.objects.get(), Workspace.objects.get()
while True:
    print(build.ai_llm(owner, workspace, name=f"soak {build.uuid4()}").pk, flush=True)
"""


def start(*command, data, **variables):
    return subprocess.Popen(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=environment(data, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def kill_while_it_writes(data, **keys):
    """Return the ids that a writer acknowledged before it was killed."""
    writer = start("shell", "-v", "0", "-c", WRITER, data=data, **keys)
    first = writer.stdout.readline()
    time.sleep(random.uniform(0.05, 1))
    writer.send_signal(signal.SIGKILL)
    return {line.strip() for line in [first, *writer.communicate()[0].splitlines(keepends=True)] if line.endswith("\n")}


def kill_while_it_rotates(data, **keys):
    rotation = start("secrets", "rotate", data=data, **keys)
    time.sleep(random.uniform(0.3, 1.5))
    rotation.send_signal(signal.SIGKILL)
    rotation.communicate()


def must_be_well(data, acknowledged, **keys):
    with sqlite3.connect(data / "flashback.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        there = {row[0] for row in database.execute("SELECT replace(id, '-', '') FROM ai_llm_aillm")}
    missing = {number.replace("-", "") for number in acknowledged} - there
    assert not missing, f"lost: {missing}"
    check = manage("secrets", "check", data=data, **keys)
    assert check.returncode == 0, check.stdout + check.stderr


def must_serve_many_at_once(seconds):
    """4 processes on one SQLite file, 32 people at once: no error, no lock, and no write that is felt."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), FLASHBACK_WORKERS="4") as console:
        console.add_owner()
        owner = Visitor(int(console.environment["PORT"]))
        assert owner.sign_in(EMAIL, PASSWORD).status == 303
        warm(owner, 32)
        load = mixed(owner, threads=32, seconds=seconds, pause=PAUSE)
        assert not load.complaints, load.complaints[:20]
        assert "locked" not in console.log.read_text(), "a request waited for the database in vain"
    # Reads wait for no lock: where they take as long as writes, it is the processor that all of them wait for.
    print(
        f"  {seconds} s of mixed load: {len(load.reads)} reads, {len(load.writes)} writes, no error, no lock; "
        f"99 of 100 writes took less than {load.slowest(load.writes):.2f} s (budget {WRITE_SECONDS} s), "
        f"99 of 100 reads less than {load.slowest(load.reads):.2f} s; "
        f"{os.getloadavg()[0]:.1f} processes wanted one of {os.cpu_count()} processors",
        flush=True,
    )
    assert load.slowest(load.writes) < WRITE_SECONDS


def main():
    must_serve_many_at_once(LOAD_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        data, acknowledged = Path(folder) / "var", set()
        with up(data) as child:
            child.end()
        made = manage(*OWNER, data=data, FLASHBACK_OWNER_PASSWORD="a long enough passphrase")
        assert made.returncode == 0, made.stderr
        ring = (data / "keys" / "field_keys").read_text().strip()
        for number in range(1, ROUNDS + 1):
            acknowledged |= kill_while_it_writes(data, FLASHBACK_FIELD_KEYS=ring)
            ring = f"{keyring.new_field_key()},{ring}"
            kill_while_it_rotates(data, FLASHBACK_FIELD_KEYS=ring)
            must_be_well(data, acknowledged, FLASHBACK_FIELD_KEYS=ring)
            finished = manage("secrets", "rotate", data=data, FLASHBACK_FIELD_KEYS=ring)
            assert finished.returncode == 0, finished.stderr
            ring = ring.split(",")[0]
            must_be_well(data, acknowledged, FLASHBACK_FIELD_KEYS=ring)
            print(f"  kill {number:>3} of {ROUNDS}: {len(acknowledged)} acknowledged, none lost, all open", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
