"""Every page of the console, found by following links through the sample: server time, Chromium, Lighthouse.

`python -m tests.bench_pages` runs it alone. Lighthouse loads one page of each route twice, which makes it the longest
part by far. Of it and of Chromium the worst page in each respect is printed, and every one that is over its budget.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import django

from tests import bench_chromium, bench_lighthouse, crawl
from tests.console import Console, running
from tests.timing import Figure, Tab, shown, text

PERSON = "olivia@sample.example"
FRESH = 300  # seconds after which she signs in again: some pages ask for it after ten minutes
REVIEW = "/w/production-sample/ai/llm/new?type=OPENAI&name=bench&endpoint=https%3A%2F%2Fapi.openai.com%2Fv1"


def figures(console: Console) -> Iterator[Figure]:
    """Yield what was measured of an empty installation that gets the sample for it."""
    django.setup()  # the routes are asked for the names of the pages
    made = console.manage("demo")
    assert made.returncode == 0, made.stderr
    person = Person(console)
    paths = person.pages()
    for name, path in paths.items():
        yield person.tab().time(f"page: {name}", path, 15)
    if bench_chromium.PROGRAM:
        yield from bench_chromium.worst(console.url, paths, person.tab())
        if not bench_lighthouse.missing():
            one_each = {name: path for name, path in paths.items() if " " not in name}  # of each route
            yield from bench_lighthouse.worst(console.url, one_each, lambda: person.tab().cookie)


class Person:
    """The owner of the sample, whose sign-in stays fresh."""

    def __init__(self, console: Console) -> None:
        self.console, self.until = console, 0.0
        self.password = console.shell("from repositories import demo; print(demo.password())")

    def tab(self) -> Tab:
        """Return a connection that is signed in."""
        if time.monotonic() > self.until:
            self._tab, self.until = Tab(self.console), time.monotonic() + FRESH
            self._tab.sign_in(PERSON, self.password)
        return self._tab

    def pages(self) -> dict[str, str]:
        """Return the path of every page that is there for her, by the name of its route and a number."""
        tab, there = self.tab(), dict[str, str]()

        found = crawl.pages(lambda path: text(*tab.ask("GET", path)))
        for name, paths in {**found, "review": [REVIEW]}.items():
            if name.startswith("api:"):  # the page of the API's description loads all of it
                continue
            good = [path for path in paths if tab.ask("GET", path)[0].status == 200]
            there.update({f"{name} {number}" if number else name: path for number, path in enumerate(good)})
        return there


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as console:
        return 1 if shown(figures(console)) else 0


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flashback.settings")
    sys.exit(main())
