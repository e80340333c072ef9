"""The Makefile: what a newcomer types first, in two terminals at the same time."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh checkout, as far as installing goes."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def installing(checkout: Path, stamp: str, python: str = sys.executable) -> "subprocess.Popen[str]":
    """Start to install, with a notebook in the place of pip."""
    install = "INSTALL=sleep 0.5; echo installed >> log; true"
    command = ["make", "--no-print-directory", f".venv/{stamp}.stamp", f"PYTHON={python}", install]
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment = {**outside, "LC_ALL": "C.UTF-8"}
    return subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_two_terminals_at_once_install_one_after_the_other(checkout: Path) -> None:
    both = [installing(checkout, "run") for _ in range(2)]
    said = sorted(child.communicate(timeout=120)[0] for child in both)
    assert [child.returncode for child in both] == [0, 0], said
    assert said[0] == "Another terminal is installing; this one goes on when that is done.\n"
    assert said[1].startswith("Making .venv")
    assert (checkout / "log").read_text() == "installed\n"
    assert installing(checkout, "dev").wait(timeout=120) == 0
    assert installing(checkout, "run").communicate()[0] == "make: '.venv/run.stamp' is up to date.\n"


def test_a_machine_without_python_is_told_what_is_needed(checkout: Path) -> None:
    child = installing(checkout, "run", "/no/python3.11")
    said, _ = child.communicate(timeout=60)
    assert child.returncode != 0
    assert "Python 3.11 or newer is needed" in said
