"""A running installation for the browser tests: the real server with its own data folder, and an owner."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.serverside import manage, up

EMAIL = "olivia.owner@example.com"
PASSWORD = "a long enough passphrase"
OWNER = ("createowner", f"--email={EMAIL}", "--name=Olivia Owner", "--organization=Acme", "--workspace=Main")


@dataclass(frozen=True)
class Console:
    """Where it is, its data, its command line, and the file that it prints into."""

    url: str
    data: Path
    environment: dict[str, str]
    pid: int
    log: Path

    def manage(self, *arguments: str, **extra: str) -> "subprocess.CompletedProcess[str]":
        return manage(*arguments, data=self.data, **{**self.environment, **extra})

    def shell(self, code: str) -> str:
        done = self.manage("shell", "-v", "0", "-c", code)
        assert done.returncode == 0, done.stderr
        return str(done.stdout).strip()

    def setup_link(self) -> str:
        return self.shell("from workspaces import setup; print(setup.link())")

    def add_owner(self) -> None:
        made = self.manage(*OWNER, FLASHBACK_OWNER_PASSWORD=PASSWORD)
        assert made.returncode == 0, made.stderr


@contextmanager
def running(folder: Path, **variables: str) -> Iterator[Console]:
    """Run `manage.py up` in `folder` until the block ends."""
    log = folder / "server.log"
    with up(folder / "data", log=log, **variables) as child:
        environment = {**variables, "PORT": str(child.port)}
        yield Console(f"http://127.0.0.1:{child.port}", folder / "data", environment, child.process.pid, log)
