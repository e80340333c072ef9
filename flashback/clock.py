"""Tells whether somebody put the clock forward between two runs of a command that purges what has had its time.

A clock that is a day ahead would end a day early what was promised to be kept. The time since the machine started runs
on whatever is done to the clock, so a mark holds both, and the two differ by as much as the clock was put. After a
restart nothing can be told, and nothing is refused.
"""

import json
import os
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")


def put_forward(mark: Path) -> timedelta:
    """Return how far the clock was put forward since `note` made `mark`; zero when nothing can be told."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        then, now = json.loads(mark.read_text()), _moment()
        if then["boot"] == now["boot"] != "":
            return timedelta(seconds=(now["clock"] - then["clock"]) - (now["running"] - then["running"]))
    return timedelta(0)


def note(mark: Path) -> None:
    """Keep this moment in the file `mark`; where it cannot be written, nothing is told next time."""
    with suppress(OSError):
        draft = mark.with_name(f".{mark.name}.{os.getpid()}")
        draft.write_text(json.dumps(_moment()))
        draft.replace(mark)


def _moment() -> dict[str, float | str]:
    boot = BOOT.read_text().strip() if BOOT.exists() else ""
    # With the time spent asleep; systems that do not count it also have no boot id, and are told nothing.
    running = time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    return {"clock": time.time(), "running": running, "boot": boot}
