"""`python -m tests.soak_api`: Schemathesis against the real server, as an owner, as a reader and as nobody.

All of its phases (examples, coverage, fuzzing, and what follows from what: create, show, validate, rotate, delete),
over every operation there is, with SOAK_EXAMPLES (100) generated requests for each. A fault of the server, an answer
that the API's description of itself does not have, something that still answers after it was deleted, or an operation
that forgets to ask who is there, is an error. AI LLMs go to the sandbox provider, and to nowhere else.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ai_llm.sandbox import Sandbox
from tests import console, soak_place
from tests.console import EMAIL, PASSWORD
from tests.serverside import ROOT
from tests.typescript_client import ApiClient

EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "100"))
READER = "rita.reader@example.com"
NOBODY = ""
PHASES = "examples,coverage,fuzzing,stateful"
ADDRESSES = {EMAIL: "192.0.2.1", READER: "192.0.2.2", NOBODY: "192.0.2.3"}
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "unsupported_method,allow_header_conformance,use_after_free"
)
THOROUGH = f"{CHECKS},ignored_auth"  # asks everything again without a token and with a wrong one
ADD_READER = f"""
from workspaces.models import Membership, User, Workspace
owner, workspace = User.objects.get(email={EMAIL!r}), Workspace.objects.get()
reader = User.objects.create_user({READER!r}, {PASSWORD!r}, organization=owner.organization)
Membership.objects.create(workspace=workspace, user=reader, role="READ")
"""


@dataclass(frozen=True)
class Target:
    """A running installation with something of everything."""

    url: str
    place: dict[str, Any]
    renewals: dict[str, dict[str, Any]]

    def run(self, who: str, *, examples: int, phases: str = PHASES, small: bool = False) -> "Run":
        """Run Schemathesis as the person with the e-mail address `who`.

        A small run leaves out what is wrong on purpose, and does not ask again without a token.
        """
        with tempfile.TemporaryDirectory() as folder:
            place, seen = Path(folder, "place.json"), Path(folder, "seen")
            place.write_text(json.dumps({**self.place, "bodies": self.place["bodies"] | self.renewals[who]}))
            seen.touch()
            program = Path(sys.executable).parent / "schemathesis"
            command = [program, "run", f"{self.url}/api/openapi.json", "--no-color", "--max-examples", str(examples)]
            command += ["--phases", phases, "--checks", CHECKS if small else THOROUGH, "--generation-database", "none"]
            command += ["--mode", "positive" if small else "all"]
            # Each from its own place: the number of sign-ins from one is limited.
            command += ["--header", f"X-Forwarded-For: {ADDRESSES[who]}"]
            if who:  # anew for each run: what changes people and rights takes a fresh sign-in
                token = ApiClient(f"{self.url}/api").login(email=who, password=PASSWORD)["accessToken"]
                command += ["--header", f"Authorization: Bearer {token}"]
            environment = {"SCHEMATHESIS_HOOKS": "tests.soak_hooks", "SOAK_PLACE": str(place), "SOAK_SEEN": str(seen)}
            done = subprocess.run(
                command, cwd=ROOT, env={**os.environ, **environment, "PYTHONPATH": str(ROOT)}, capture_output=True,
                text=True, check=False,
            )  # fmt: skip
            statuses, led = defaultdict[str, set[int]](set), set[str]()
            for line in seen.read_text().splitlines():
                status, where, label = line.split(" ", 2)
                statuses[label].add(int(status))
                if where == "led" and int(status) < 300:
                    led.add(label)
            return Run(done.returncode == 0, done.stdout + done.stderr, dict(statuses), led)


@dataclass(frozen=True)
class Run:
    """How it went, what was printed, which statuses each operation answered, and which did it for a new thing."""

    fine: bool
    output: str
    statuses: dict[str, set[int]]
    led: set[str]

    def without_success(self) -> set[str]:
        """Return the operations that never did what they are for."""
        return {label for label, found in self.statuses.items() if min(found) >= 300}


@contextmanager
def target(folder: Path, *, times: int) -> Iterator[Target]:
    """Run an installation in `folder` until the block ends, with `times` of what one call uses up."""
    with (
        Sandbox() as sandbox,
        console.running(
            folder,
            FLASHBACK_OUTBOUND_ALLOW=f"127.0.0.1:{sandbox.port}",
            FLASHBACK_OUTBOUND_MODE="allow-only",
            FLASHBACK_TRUSTED_PROXIES="127.0.0.1",
        ) as running,
    ):
        running.add_owner()
        running.shell(ADD_READER)
        client = ApiClient(f"{running.url}/api")
        client.set_auth_token(client.login(email=EMAIL, password=PASSWORD)["accessToken"])
        place = soak_place.made(client, sandbox.url("/openai/v1"), times)
        renewals = {who: soak_place.renewal(client) for who in (READER, NOBODY, EMAIL)}
        yield Target(running.url, place, renewals)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, target(Path(folder), times=5) as there:
        for who in (READER, NOBODY, EMAIL):  # the owner may end the others
            done = there.run(who, examples=EXAMPLES)
            print(f"{who or 'nobody'}: {'fine' if done.fine else done.output}")
            print(f"  {len(done.statuses)} operations; {len(done.led)} did something with what was made before them")
            if not done.fine:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
