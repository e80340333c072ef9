"""A PostgreSQL of the test's own, in a folder that goes away: one that may be stopped and started at will."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.serverside import free_port

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
BIN = FOLDERS[-1] if FOLDERS else None
MISSING = "" if BIN else "no PostgreSQL programs here; install the package postgresql to run this"
QUICK = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=60"


@dataclass(frozen=True)
class Cluster:
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/flashback"

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder} {QUICK}"
        self.run("pg_ctl", "-D", "data", "-l", "log", "-w", "-t", "60", "-o", options, "start")

    def stop(self, how: str = "fast") -> None:
        """Stop it: "fast" ends the connections in good order, "immediate" is a crash."""
        self.run("pg_ctl", "-D", "data", "-m", how, "-w", "stop")

    def run(self, program: str, *arguments: str) -> None:
        # PostgreSQL refuses to run as root.
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        with (self.folder / "said").open("a") as said:
            command = [*user, str(BIN / program), *arguments]
            subprocess.run(command, cwd=self.folder, stdout=said, stderr=said, timeout=90, check=True)


def need() -> None:
    """Leave out the test that asks, with the reason; FLASHBACK_REQUIRE_ALL=1 makes it an error."""
    if MISSING and os.environ.get("FLASHBACK_REQUIRE_ALL") == "1":
        pytest.fail(MISSING)
    if MISSING:
        pytest.skip(MISSING)


@contextmanager
def postgresql() -> Iterator[Cluster]:
    """Run a new cluster with an empty database until the block ends."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    cluster = Cluster(folder, free_port())
    try:
        cluster.run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        cluster.start()
        cluster.run("createdb", "-h", "127.0.0.1", "-p", str(cluster.port), "-U", "postgres", "flashback")
        yield cluster
    finally:
        try:
            cluster.stop("immediate")
        except subprocess.CalledProcessError:
            pass  # a test may have left it stopped
        shutil.rmtree(folder, ignore_errors=True)
