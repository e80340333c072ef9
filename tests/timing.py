"""How long the server takes for a page, as a browser that is signed in sees it. For `make bench`.

Measured is the time from sending a request until its whole answer is read, through the real server process, over one
connection that stays open, with the answer compressed as browsers ask for it. The median of ROUNDS, after WARM_UPS that
do not count, in the best of SPELLS: a machine that is shared makes everything slower for seconds, and never faster.
Beside it stands the processor time that the server process spent for each.
"""

import gzip
import http.client
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from tests.console import EMAIL, PASSWORD, Console
from tests.visitor import TOKEN

SPELLS, ROUNDS, WARM_UPS = 3, 20, 5
PAUSE = 0.5  # seconds between two spells
Figure = tuple[str, float, float | None, str]


@dataclass
class Tab:
    """A browser's connection to a console."""

    console: Console
    cookies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.link = http.client.HTTPConnection("127.0.0.1", int(self.console.environment["PORT"]), timeout=60)

    @property
    def cookie(self) -> str:
        """The Cookie header that this browser sends."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        """Send one request, and return its answer and the bytes of its body as they came."""
        sent = {"Accept-Encoding": "gzip", **({"Cookie": self.cookie} if self.cookies else {}), **headers}
        for silent in (True, False):
            try:
                self.link.request(method, path, body or None, sent)
                answer = self.link.getresponse()
                break
            except http.client.RemoteDisconnected:  # the server hangs up on a connection that was silent for long
                self.link.close()
                if not silent:
                    raise
        content = answer.read()
        for line in answer.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer, content

    def get(self, path: str) -> str:
        """Return the text of a page, which has to be there."""
        answer, content = self.ask("GET", path)
        assert answer.status == 200, f"{path}: {answer.status} {answer.headers.get('Location', '')}"
        return text(answer, content)

    def sign_in(self, email: str = EMAIL, password: str = PASSWORD) -> str:
        """Sign in, as the owner unless somebody else is named, and return the path of the overview."""
        token = TOKEN.search(self.get("/account/login"))
        assert token
        form = urlencode({"csrfmiddlewaretoken": token[1], "login": email, "password": password})
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.console.url}
        path = "/account/login"
        answer, _ = self.ask("POST", path, form, **kind)
        while answer.status in {302, 303}:
            path = answer.headers["Location"]
            answer, _ = self.ask("GET", path)
        return path

    def time(self, name: str, path: str, budget: float, **headers: str) -> Figure:
        """Return the figure of a page: its median in milliseconds, and the processor time in its name."""
        spells = []
        for number in range(SPELLS):
            time.sleep(PAUSE if number else 0)
            spells.append(self._spell(path, headers))
        wall, spent = min(spells)
        return f"{name} (cpu {spent * 1000:.1f})", wall * 1000, budget, "ms"

    def _spell(self, path: str, headers: dict[str, str]) -> tuple[float, float]:
        """Return the median seconds of one spell, and the processor seconds of one request in it."""
        walls = list[float]()
        for number in range(-WARM_UPS, ROUNDS):
            if number == 0:
                spent = processor_seconds(self.console.pid)
            begin = time.perf_counter()
            answer, _ = self.ask("GET", path, **headers)
            walls.append(time.perf_counter() - begin)
            assert answer.status == 200, f"{path}: {answer.status}"
        return statistics.median(walls[WARM_UPS:]), (processor_seconds(self.console.pid) - spent) / ROUNDS


def shown(found: Iterable[Figure]) -> list[str]:
    """Print each figure beside its budget; return the names of those that are over."""
    over = []
    for name, value, budget, unit in found:
        verdict = "" if budget is None else f"budget {budget} {unit}{'' if value <= budget else '   OVER'}"
        print(f"  {name:<38}{value:>9.2f} {unit:<15}{verdict}", flush=True)
        over += [name] if budget is not None and value > budget else []
    return over


def text(answer: http.client.HTTPResponse, content: bytes) -> str:
    """Return the text of a body, which may have come compressed."""
    return (gzip.decompress(content) if answer.headers["Content-Encoding"] == "gzip" else content).decode()


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has spent, its ended threads left out."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
