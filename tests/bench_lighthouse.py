"""Lighthouse over the console's pages: what an outside judge says of speed, accessibility and good practice.

It runs where Node and Lighthouse are present (`npm install --global lighthouse`, or LIGHTHOUSE names the program), and
says so where they are not. Figures are the points that are missing from 100, so that less is better as everywhere in
the bench: at most 2 for desktop performance, none for accessibility and good practice, 5 for performance on a phone
(Lighthouse's own slow network and processor).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.timing import Figure

FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
DESKTOP = {"performance": 2, "accessibility": 0, "best-practices": 0}
PHONE = {"performance": 5}
SECONDS = 180


def missing():
    """Return why Lighthouse is left out, "" when it can run."""
    if program() is None:
        return "no Lighthouse here; npm install --global lighthouse, or name the program in LIGHTHOUSE"
    return "" if shutil.which("chromium") else "no Chromium here; install the package chromium"


def program():
    """Return the path of the program, None when there is none."""
    return os.environ.get("LIGHTHOUSE") or shutil.which("lighthouse")


def figures(base, paths, cookie):
    """Yield name, points that are missing, budget and unit for each page of `paths` (name: path).

    `cookie` is the Cookie header of somebody who is signed in; the page "sign-in" goes without.
    """
    for name, path in paths.items():
        headers = {} if name == "sign-in" else {"Cookie": cookie}
        for device, budgets in (("desktop", DESKTOP), ("phone", PHONE)):
            scores = judged(base + path, headers, device, budgets)
            for category, budget in budgets.items():
                yield f"{name}: {device} {category}", 100 - scores[category], budget, "points missing"


def worst(base: str, paths: dict[str, str], cookie: Callable[[], str]) -> Iterator[Figure]:
    """Yield the most points missing of `paths` in each respect, with the page's name, and what else is over a budget.

    `cookie` returns the Cookie header anew for each page. Who waits sees which page it is at.
    """
    missed: dict[tuple[str, float], list[tuple[float, str]]] = defaultdict(list)
    for number, (name, path) in enumerate(paths.items(), 1):
        if sys.stderr.isatty():
            print(f"\r  Lighthouse {number}/{len(paths)}: {name:<40}", end="", file=sys.stderr, flush=True)
        for what, points, budget, _ in figures(base, {name: path}, cookie()):
            missed[what.removeprefix(f"{name}: "), budget or 0].append((points, name))
    for (what, budget), pages in missed.items():
        pages.sort(reverse=True)
        for points, name in pages[:1] + [one for one in pages[1:] if one[0] > budget]:
            yield f"{what}: {name}", points, budget, "points missing"


def judged(url, headers, device, categories):
    """Return Lighthouse's scores of one page, 0 to 100, by category."""
    with tempfile.TemporaryDirectory() as folder:
        sent, report = Path(folder) / "headers.json", Path(folder) / "report.json"
        sent.write_text(json.dumps(headers))
        command = [
            program(), url, "--quiet", "--output=json", f"--output-path={report}", f"--extra-headers={sent}",
            f"--only-categories={','.join(categories)}", f"--chrome-flags={FLAGS}",
            *(["--preset=desktop"] if device == "desktop" else []),
        ]  # fmt: skip
        environment = {**os.environ, "CHROME_PATH": shutil.which("chromium")}
        for last in (False, True):  # now and then its browser does not come up
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
            )
            if done.returncode == 0:
                break
            assert not last, done.stderr[-2000:]
        found = json.loads(report.read_text())
    wrong = found.get("runtimeError")
    assert wrong is None, f"{url}: {wrong}"
    return {category: round(100 * found["categories"][category]["score"]) for category in categories}
