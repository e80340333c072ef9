"""`python -m tests.soak_keys`: backups, kills in the middle of a rotation, and restarts of PostgreSQL, for a long time.

The rounds of each are SOAK_ROUNDS (20). On SQLite, and on a PostgreSQL of its own where its programs are installed.
"""

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from flashback import keyring
from tests import cluster
from tests.console import EMAIL, OWNER, PASSWORD
from tests.load import twin
from tests.serverside import manage, up
from tests.soak import start
from tests.visitor import Visitor

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "20"))
LIST = "/w/main/ai/llm"
WRITER = """
from tests import build
from workspaces.models import User, Workspace
owner, workspace = User.objects.get(), Workspace.objects.get()
while True:
    print(build.ai_llm(owner, workspace, name=f"soak {build.uuid4()}").pk, flush=True)
"""


def done(*command, data, **variables):
    ended = manage(*command, data=data, **variables)
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def installation(folder, **variables):
    """A data folder with an owner, and its keyring."""
    data = folder / "var"
    with up(data, **variables) as child:
        child.end()
    done(*OWNER, data=data, FLASHBACK_OWNER_PASSWORD=PASSWORD, **variables)
    return data, (data / "keys" / "field_keys").read_text().strip()


def must_rotate_though_killed(folder, rounds, **variables):
    """kill -9 in the middle of rotations beside a writer: every secret opens at each moment; the next run ends it."""
    data, ring = installation(folder, **variables)
    for number in range(1, rounds + 1):
        old, ring = ring, f"{keyring.new_field_key()},{ring}"
        keys = {**variables, "FLASHBACK_FIELD_KEYS": ring}
        writer = start("shell", "-v", "0", "-c", WRITER, data=data, **{**variables, "FLASHBACK_FIELD_KEYS": ring})
        made = [writer.stdout.readline() for _ in range(10)]
        rotation = start("secrets", "rotate", data=data, **keys)
        time.sleep(random.uniform(0.5, 2.5))
        rotation.send_signal(signal.SIGKILL)
        rotation.communicate()
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        assert all(made), old
        done("secrets", "check", data=data, **keys)
        done("secrets", "rotate", data=data, **keys)
        ring = ring.split(",")[0]
        said = done("secrets", "check", data=data, **{**variables, "FLASHBACK_FIELD_KEYS": ring})
        done("audit", "verify", data=data, **{**variables, "FLASHBACK_FIELD_KEYS": ring})
        print(f"  rotation {number:>3} of {rounds} killed, finished, old key gone: {said.splitlines()[1]}", flush=True)


def must_back_up_under_writes(folder, rounds, **variables):
    """Backup after backup beside a writer: each restores into an empty installation whose every secret opens."""
    data, ring = installation(folder, **variables)
    writer = start("shell", "-v", "0", "-c", WRITER, data=data, **variables)
    try:
        for number in range(1, rounds + 1):
            told = {writer.stdout.readline().strip() for _ in range(5)}
            file, new = folder / f"{number}.backup", folder / f"new{number}"
            done("backup", str(file), data=data, **variables)
            done("restore", str(file), data=new)
            done("secrets", "check", data=new, FLASHBACK_FIELD_KEYS=ring)
            done("audit", "verify", data=new, FLASHBACK_FIELD_KEYS=ring)
            look = "from ai_llm.models import AiLlm; print(*AiLlm.objects.values_list('pk', flat=True))"
            there = set(done("shell", "-v", "0", "-c", look, data=new, FLASHBACK_FIELD_KEYS=ring).split())
            assert told <= there, told - there
            print(f"  backup {number:>3} of {rounds}: {len(there)} AI LLMs came back, all open", flush=True)
    finally:
        writer.kill()
        writer.communicate()


def must_outlive_restarts(own, folder, rounds):
    """PostgreSQL stops and starts under 8 readers: 200 or 503, never 500, and 200 as soon as it is back."""
    data, _ = installation(folder, DATABASE_URL=own.url)
    with up(data, log=folder / "log", DATABASE_URL=own.url) as child:
        visitor = Visitor(child.port)
        assert visitor.sign_in(EMAIL, PASSWORD).status == 303
        for number in range(1, rounds + 1):
            until = time.monotonic() + 4

            def look(tab, until=until):
                seen = Counter()
                while time.monotonic() < until:
                    seen[tab.get(LIST).status] += 1
                return seen

            with ThreadPoolExecutor(8) as pool:
                readers = [pool.submit(look, twin(visitor)) for _ in range(8)]
                time.sleep(random.uniform(0.2, 1))
                own.stop(random.choice(["fast", "immediate"]))
                time.sleep(random.uniform(0, 1))
                own.start()
                first = visitor.get(LIST).status
            seen = sum((reader.result() for reader in readers), Counter())
            assert first == 200, first
            assert set(seen) <= {200, 503}, seen
            print(f"  restart {number:>3} of {rounds}: {seen[200]} pages, {seen[503]} asked to come back", flush=True)


@contextmanager
def folders():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def main():
    with folders() as folder:
        must_rotate_though_killed(folder, ROUNDS)
    with folders() as folder:
        must_back_up_under_writes(folder, ROUNDS)
    if cluster.MISSING:
        print(f"  left out PostgreSQL: {cluster.MISSING}")
        return 0
    for check in (must_rotate_though_killed, must_back_up_under_writes):
        with folders() as folder, cluster.postgresql() as own:
            check(folder, ROUNDS, DATABASE_URL=own.url)
    with folders() as folder, cluster.postgresql() as own:
        must_outlive_restarts(own, folder, ROUNDS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
