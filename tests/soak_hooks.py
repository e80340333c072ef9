"""What Schemathesis loads (SCHEMATHESIS_HOOKS): real ids and bodies in the place of some of the random ones.

Random ids lead nowhere and random bodies are refused, so that nothing behind the first refusal would be tried. The file
that SOAK_PLACE names says what there is (`tests.soak_place` makes it). Every example uses it, what is generated uses it
every other time, and what is made to be wrong stays wrong. SOAK_SEEN names a file for what each operation answered.
"""

import json
import os
import random
import re
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import UseAfterFree

PLACE = json.loads(Path(os.environ["SOAK_PLACE"]).read_text())
SEEN = Path(os.environ["SOAK_SEEN"])
KEPT = {one for there in PLACE["paths"].values() for ids in there for one in ids.values()}
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
dice, numbers = random.Random(7), count(1)
answered: set[str] = set()
used: dict[str, dict[str, Any]] = {}


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Put real values into a request that is meant to be right."""
    phase = case.meta.phase.name if case.meta is not None else ""
    example = phase == "examples"
    odds = 0.9 if phase == "stateful" else 0.5  # one thing leads to the next only where it was made
    if case.meta is not None and case.meta.generation.mode.is_negative:
        return
    label = case.operation.label
    if example or dice.random() < odds:
        case.query = {}
        for name in ("If-Match", "Idempotency-Key"):
            case.headers.pop(name, None)
    linked = set(map(str, case.path_parameters.values())) & answered
    # What is used up is not taken from what the others need.
    uses_up = label in PLACE["once"]
    there = PLACE["once"][label] if uses_up else PLACE["paths"].get(case.operation.path)
    if there and (example or (not linked and dice.random() < 0.75)):
        chosen = there[0] if example else dice.choice(there)
        case.path_parameters.update(chosen)
        used[label] = chosen
    elif uses_up and KEPT & set(map(str, case.path_parameters.values())):
        case.path_parameters.update(dict.fromkeys(case.path_parameters, str(uuid4())))
    if label in PLACE["bodies"] and (example or dice.random() < odds):
        case.body = _filled(PLACE["bodies"][label])


@schemathesis.hook
def after_call(context: HookContext, case: Case, response: Response) -> None:
    """Keep what was answered, and forget what can be used no more."""
    label = case.operation.label
    with SEEN.open("a") as seen:
        led = set(map(str, case.path_parameters.values())) & answered
        seen.write(f"{response.status_code} {'led' if led else 'own'} {label}\n")
    if response.status_code < 300:
        answered.update(UUID.findall(response.text))
        there = PLACE["once"].get(label, [])
        if used.get(label) in there:
            there.remove(used[label])


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    """Let people whose account was ended by DELETE be shown: they stay, and `activate` brings them back."""
    return not (isinstance(failure, UseAfterFree) and "/organization/users/" in failure.message)


def _filled(value: Any) -> Any:
    """Return a body with {n} as a number that is new each time."""
    if isinstance(value, dict):
        return {name: _filled(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one) for one in value]
    return value.replace("{n}", str(next(numbers))) if isinstance(value, str) else value
