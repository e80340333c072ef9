"""The lines of docs/api.md do what they say, typed as they stand there, against a fresh installation."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_llm.sandbox import SECRETS, Sandbox
from tests.console import EMAIL, PASSWORD, Console, running
from tests.serverside import ROOT

MISSING = [program for program in ("bash", "curl", "jq") if shutil.which(program) is None]
pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(bool(MISSING), reason=f"install {', '.join(MISSING)} to run the lines of docs/api.md"),
]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/api.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Console, dict[str, str]]]:
    folder: Path = tmp_path_factory.mktemp("guide")
    with Sandbox() as sandbox, running(folder, FLASHBACK_OUTBOUND_ALLOW=f"127.0.0.1:{sandbox.port}") as console:
        console.add_owner()
        yield (
            console,
            {
                "http://127.0.0.1:8000/api": f"{console.url}/api",
                "olivia@example.com": EMAIL,
                '"password": "…"': f'"password": "{PASSWORD}"',
                "https://api.openai.com/v1": sandbox.url("/openai/v1"),
                '"secret": "sk-…"': f'"secret": "{SECRETS.openai}"',
            },
        )


def typed(text: str, own: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Type `text` with what a reader puts in the place of its examples."""
    for example, value in own.items():
        assert example in text, example
        text = text.replace(example, value)
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=60, check=False)


def test_from_the_sign_in_to_a_key_for_an_application(place: tuple[Console, dict[str, str]]) -> None:
    _, own = place
    (block,) = BLOCKS
    done = typed(block, own)
    assert done.stderr == ""
    assert '"success": true' in done.stdout
    assert done.stdout.splitlines()[-1].startswith("sk-fb-")
    again = typed(block, own)
    assert "sk-fb-" not in again.stdout
    assert "already has" in again.stderr
