"""What the REST API costs: a list of 50 AI LLMs, creating one, and signing in beside the password's hash.

Over one connection that stays open, as a program uses it; medians in milliseconds.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from ai_llm.sandbox import SECRETS
from tests.console import EMAIL, PASSWORD, Console
from tests.timing import SPELLS, Figure, Tab, text

CREATED = 15
SIGN_INS = 6  # ten a minute are let in from one address
HASH = f"""
import time
from statistics import median
from workspaces.models import User
owner = User.objects.get(email="{EMAIL}")
def took():
    begin = time.perf_counter(); assert owner.check_password("{PASSWORD}"); return (time.perf_counter() - begin) * 1000
print(median(took() for _ in range(10)))
"""


def figures(console: Console) -> Iterator[Figure]:
    """Yield name, milliseconds, budget and unit. The workspace holds far more than 50 AI LLMs."""
    program = Tab(console)
    credentials = {"email": EMAIL, "password": PASSWORD}
    signed_in = ask(program, "POST", "/api/user/login", credentials)
    bearer = {"Authorization": f"Bearer {signed_in['accessToken']}"}
    workspace = ask(program, "GET", "/api/workspace", **bearer)["workspaces"][0]["id"]
    listed = f"/api/ai/llm?workspaceId={workspace}&take=50"
    assert len(ask(program, "GET", listed, **bearer)["aiLlms"]) == 50
    yield program.time("api: list of 50", listed, 10, **bearer)
    given = {"workspaceId": workspace, "aiType": "OPENAI", "endpoint": "https://api.openai.com/v1"}
    given["secret"] = SECRETS.openai

    def create(number: int) -> None:
        ask(program, "POST", "/api/ai/llm", {**given, "name": f"bench over the api {number}"}, **bearer)

    numbers = count()
    yield "api: create", min(median(lambda _: create(next(numbers)), CREATED) for _ in range(SPELLS)), 20, "ms"
    whole = median(lambda _: ask(program, "POST", "/api/user/login", credentials), SIGN_INS)
    hashing = float(console.shell(HASH))
    yield "api: sign-in, besides the hash", whole - hashing, hashing, "ms"


def ask(program: Tab, method: str, path: str, body: object = None, **headers: str) -> Any:
    """Return the answer, which has to be a success."""
    kind = {"Content-Type": "application/json"} if body is not None else {}
    answer, content = program.ask(method, path, "" if body is None else json.dumps(body), **kind, **headers)
    assert answer.status == 200, f"{method} {path}: {answer.status} {content[:300]!r}"
    return json.loads(text(answer, content))


def median(what: Callable[[int], object], rounds: int) -> float:
    """Return the median time of `what`, which gets the number of the round."""
    walls = list[float]()
    for number in range(rounds):
        begin = time.perf_counter()
        what(number)
        walls.append((time.perf_counter() - begin) * 1000)
    return statistics.median(walls)
