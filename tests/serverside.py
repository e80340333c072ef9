"""Runs the real `manage.py` as a child process, with an environment of its own."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = ("FLASHBACK_", "DATABASE_URL", "CACHE_URL", "EMAIL_URL", "HOST", "PORT", "DEBUG", "DJANGO_")


def environment(data, **variables):
    """The surrounding environment without anything that Flashback reads, then `variables`."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**outside, "FLASHBACK_DATA_DIR": str(data), **{name: str(value) for name, value in variables.items()}}


def manage(*arguments, data, **variables):
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(data, **variables),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=180,
        check=False,
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Child:
    """A running `manage.py up`."""

    process: subprocess.Popen
    port: int
    begun: float = field(default_factory=time.monotonic)

    def get(self, path, timeout=30):
        """Return status and body; raises OSError while nothing answers."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        finally:
            link.close()

    def processor_seconds(self):
        """The processor time spent so far, which other programs on the machine do not change."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=15)

    def wait(self, path="/healthz/ready", seconds=150):
        """Wait until `path` answers, and return the seconds since the start."""
        while True:
            assert self.process.poll() is None, self.process.communicate()
            try:
                if self.get(path)[0] == 200:
                    return time.monotonic() - self.begun
            except OSError:
                pass
            assert time.monotonic() - self.begun < seconds, "the server does not answer"
            time.sleep(0.02)

    def end(self, with_signal=signal.SIGTERM):
        """End it, and return exit code, standard output and standard error."""
        self.process.send_signal(with_signal)
        output, errors = self.process.communicate(timeout=30)
        return self.process.returncode, output, errors


@contextmanager
def up(data, *, wait=True, log=None, **variables):
    """Start the server on a free port; it is gone when the block ends.

    What it prints is read by `Child.end`, or goes to the file `log`: a pipe that nobody reads would fill and stop it.
    """
    target = log.open("w") if log else subprocess.PIPE
    port = variables.pop("PORT", None) or free_port()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=environment(data, PORT=port, **variables),
        stdout=target,
        stderr=target,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    child = Child(process, port)
    try:
        if wait:
            child.wait()
        yield child
    finally:
        # The whole group: worker processes that outlive their parent would hold the pipes open for ever.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if log:
            target.close()
