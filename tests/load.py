"""Many people at once, over real sockets: reading, creating, editing, replacing secrets and deleting, all mixed."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode
from uuid import uuid4

from ai_llm.sandbox import SECRETS
from tests.visitor import Answer, Visitor

LIST, NEW = "/w/main/ai/llm", "/w/main/ai/llm/new"
ENDPOINT = "https://api.openai.com/v1"


def twin(visitor: Visitor) -> Visitor:
    """Another tab of the same browser."""
    return replace(visitor, cookies=dict(visitor.cookies))


def all_at_once(tasks: list[Callable[[], Answer]]) -> list[Answer]:
    """Run every task in a thread of its own, all let go at the same moment."""
    gate = threading.Barrier(len(tasks))

    def run(task: Callable[[], Answer]) -> Answer:
        gate.wait(30)
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def third_step(visitor: Visitor, name: str) -> tuple[str, dict[str, str]]:
    """Walk to the last form of the wizard; return where it goes and what it sends."""
    address = f"{NEW}?{urlencode({'type': 'OPENAI', 'name': name, 'endpoint': ENDPOINT})}"
    page = visitor.get(address)
    return address, {"row": page.value("row"), "secret": SECRETS.openai, "key": "", "action": "create"}


def create(visitor: Visitor, name: str) -> Answer:
    """Create one AI LLM through the wizard."""
    return visitor.post(*third_step(visitor, name))


@dataclass
class Load:
    """What came of a mixed load: the answers that nobody should get, and the seconds of each single request."""

    complaints: list[str] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)

    @staticmethod
    def slowest(times: list[float], share: float = 0.99) -> float:
        """The seconds that all but the slowest stayed below."""
        return sorted(times)[int(len(times) * share)] if times else 0.0


def warm(visitor: Visitor, people: int) -> None:
    """Let every process serve its first pages, which take longer than any later one."""
    for path in (LIST, "/w/main/ai", f"{NEW}?type=OPENAI"):
        all_at_once([lambda tab=twin(visitor), path=path: tab.get(path) for _ in range(people)])


def mixed(visitor: Visitor, *, threads: int, seconds: float, pause: float) -> Load:
    """Let `threads` tabs of a signed-in visitor work for `seconds`, with at most `pause` seconds between two steps."""
    load, end = Load(), time.monotonic() + seconds

    def work(number: int) -> None:
        tab, rows, dice = twin(visitor), [], random.Random(number)
        while time.monotonic() < end:
            step(tab, rows, dice, load)
            time.sleep(dice.uniform(0, pause))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return load


def step(tab: Visitor, rows: list[str], dice: random.Random, load: Load) -> None:
    """Do one thing and note what came of it. `rows` are the addresses of this tab's own AI LLMs."""
    kind = dice.choice(["list", "overview", "create", "look", "edit", "secret", "delete"])
    row = dice.choice(rows) if rows else ""
    if kind == "create" or not rows:
        address, fields = third_step(tab, f"load {uuid4()}")
        made = note(load, "create", load.writes, lambda: tab.post(address, fields), 303)
        rows += [made.headers["location"]] if made.status == 303 else []
    elif kind in {"list", "overview", "look"}:
        path = {"list": LIST, "overview": "/w/main/ai", "look": row}[kind]
        note(load, kind, load.reads, lambda: tab.get(path))
    else:
        form = f"{row}/{'delete' if kind == 'delete' else 'edit'}"
        page = note(load, kind, load.reads, lambda: tab.get(form))
        note(load, kind, load.writes, lambda: tab.post(form, filled(kind, page)), 303)
        if kind == "delete":
            rows.remove(row)


def filled(kind: str, page: Answer) -> dict[str, str]:
    """What a person would send from the form on `page`."""
    if kind == "delete":
        return {"name": page.text.partition("<h1>Delete ")[2].partition("</h1>")[0].strip(" ?")}
    changed = {"name": f"load {uuid4()}", "endpoint": ENDPOINT, "version": page.value("version")}
    return {**changed, "secret": SECRETS.openai} if kind == "secret" else changed


def note(load: Load, kind: str, times: list[float], ask: Callable[[], Answer], expected: int = 200) -> Answer:
    """Ask, keep the seconds it took, and complain about any other status than `expected`."""
    begun = time.monotonic()
    answer = ask()
    times.append(time.monotonic() - begun)
    if answer.status != expected:
        load.complaints.append(f"{kind}: {answer.status}")
    return answer
