"""`python -m tests.soak_api`: Schemathesis against the real server, as an owner, as a reader and as nobody.

Examples, coverage and fuzzing of every operation that neither changes who is signed in nor calls a provider, and
SOAK_EXAMPLES (100) generated requests for each. A fault of the server, or an answer that the API's description of
itself does not have, is an error.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from tests import console
from tests.console import EMAIL, PASSWORD

EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "100"))
READER = "rita.reader@example.com"
# What ends one's own sign-in or takes one's own role away, or goes out to a provider.
LEFT_OUT = r"/user/|/mfa/|/token|/organization/users|validate|/ai/llm/test|rotate|/role"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method"
)
ADD_READER = f"""
from workspaces.models import Membership, User, Workspace
owner, workspace = User.objects.get(), Workspace.objects.get()
reader = User.objects.create_user({READER!r}, {PASSWORD!r}, organization=owner.organization)
Membership.objects.create(workspace=workspace, user=reader, role="READ")
"""


def token(url: str, email: str) -> str:
    body = json.dumps({"email": email, "password": PASSWORD}).encode()
    request = urllib.request.Request(f"{url}/api/user/login", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["accessToken"])


def run(
    url: str, who: str, *, examples: int, phases: str = "examples,coverage,fuzzing"
) -> "subprocess.CompletedProcess[str]":
    """Run Schemathesis as the person with the e-mail address `who`, "" for nobody."""
    program = Path(sys.executable).parent / "schemathesis"
    command = [program, "run", f"{url}/api/openapi.json", "--no-color", "--max-examples", str(examples)]
    command += ["--phases", phases, "--exclude-path-regex", LEFT_OUT, "--checks", CHECKS]
    if who:
        command += ["--header", f"Authorization: Bearer {token(url, who)}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, console.running(Path(folder)) as place:
        place.add_owner()
        place.shell(ADD_READER)
        for who in (EMAIL, READER, ""):
            done = run(place.url, who, examples=EXAMPLES)
            print(f"{who or 'nobody'}: {'fine' if done.returncode == 0 else done.stdout}")
            if done.returncode:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
