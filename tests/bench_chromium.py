"""What pages cost in a real Chromium, cold: bytes, requests, largest paint, layout shift, blocking time."""

import shutil
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.timing import SPELLS, Figure, Tab

PROGRAM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
BUDGETS = (("bytes", 60, "KB"), ("requests", 8, ""), ("LCP", 500, "ms"), ("CLS", 0.01, ""), ("TBT", 50, "ms"))
# Blocking time is what long tasks of the main thread take beyond 50 ms, from the first paint until the page is idle
# (https://web.dev/articles/tbt).
WATCH = (
    "window.lcp = 0; window.cls = 0; window.tbt = 0;"
    "new PerformanceObserver(l => l.getEntries().forEach(e => window.lcp = e.startTime))"
    ".observe({type: 'largest-contentful-paint', buffered: true});"
    "new PerformanceObserver(l => l.getEntries().forEach(e => window.cls += e.value))"
    ".observe({type: 'layout-shift', buffered: true});"
    "new PerformanceObserver(l => l.getEntries().forEach(e => window.tbt += Math.max(0, e.duration - 50)))"
    ".observe({type: 'longtask', buffered: true});"
)


def figures(base: str, paths: dict[str, str], tab: Tab) -> Iterator[Figure]:
    """Yield every figure of each page of `paths` (name: path); "sign-in" is seen by nobody, the others by `tab`."""
    for name, found in costs(base, paths, tab):
        for what, budget, unit in BUDGETS:
            yield f"{name}: {what}", found[what], budget, unit


def worst(base: str, paths: dict[str, str], tab: Tab) -> Iterator[Figure]:
    """Yield the worst of `paths` in each respect, with its name, and whatever else is over a budget."""
    found = list(costs(base, paths, tab))
    for what, budget, unit in BUDGETS:
        name, most = max(found, key=lambda one: one[1][what])
        yield f"most {what}: {name}", most[what], budget, unit
        for other, cost in found:
            if other != name and cost[what] > budget:
                yield f"{what}: {other}", cost[what], budget, unit


def costs(base: str, paths: dict[str, str], tab: Tab) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the name of each page and what it costs: the best of SPELLS visits, fewer once all is within budget."""
    cookies: Any = [{"name": name, "value": value, "url": base} for name, value in tab.cookies.items()]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        for name, path in paths.items():
            best = visited(browser, base + path, [] if name == "sign-in" else cookies)
            for _ in range(1, SPELLS):
                if all(best[what] <= budget for what, budget, _ in BUDGETS):
                    break
                again = visited(browser, base + path, [] if name == "sign-in" else cookies)
                best = {what: min(value, again[what]) for what, value in best.items()}
            yield name, best
        browser.close()


def visited(browser: Browser, url: str, cookies: Any) -> dict[str, float]:
    """Return what one cold visit of a page costs, by the names of BUDGETS."""
    cold = browser.new_context()
    cold.add_cookies(cookies)
    page = cold.new_page()
    wire = cold.new_cdp_session(page)
    wire.send("Network.enable")
    sizes = list[float]()
    wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.add_init_script(WATCH)
    page.goto(url)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(200)
    times = page.evaluate("[window.lcp, window.cls, window.tbt]")
    cold.close()
    return {"bytes": sum(sizes) / 1024, "requests": len(sizes), **dict(zip(("LCP", "CLS", "TBT"), times, strict=True))}
