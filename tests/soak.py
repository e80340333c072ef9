"""`make soak`: kill a process that writes, again and again; nothing that it had acknowledged may be lost.

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
from tests.serverside import ROOT, environment, manage, up

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "20"))
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


def main():
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
