"""Starts the real Flashback as a child process, as `make run` does, with its own data folder."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EMAIL = "olivia.owner@example.com"
PASSWORD = "a long enough passphrase"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Console:
    """A running installation: where it is, its data, and its command line."""

    url: str
    data: Path
    environment: dict[str, str]
    log: Path

    def manage(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self.environment, **extra},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def setup_link(self) -> str:
        found = re.search(r"http://\S+/setup/\S+", self.log.read_text())
        assert found, self.log.read_text()
        return found.group()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def running(folder: Path, **extra: str) -> Iterator[Console]:
    """Run `manage.py up` in `folder` until the block ends."""
    port = free_port()
    passed = {
        k: v for k, v in os.environ.items() if not k.startswith(("FLASHBACK_", "DATABASE_URL", "DJANGO_", "PYTEST"))
    }
    environment = {
        **passed,
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "FLASHBACK_DATA_DIR": str(folder / "data"),
        "PYTHONUNBUFFERED": "1",
        **extra,
    }
    log = folder / "server.log"
    with log.open("w") as output:
        child = subprocess.Popen(
            [sys.executable, "manage.py", "up"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
        console = Console(f"http://127.0.0.1:{port}", folder / "data", environment, log)
        try:
            deadline = time.monotonic() + 60
            while not answers(f"{console.url}/healthz/ready"):
                assert child.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield console
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(timeout=20)
