"""How many calls may run at once: a call holds a thread for up to ten seconds, and pages need threads too."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

PER_SLOT = 2


class Full(Exception):
    """No lane is free; the text says which limit it was."""


class Lanes:
    """Counts the running calls of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._by_slot: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def hold(self, slot: str, host: str) -> Iterator[None]:
        """Count one call of `slot` to `host` while it runs. Raises Full at once; an empty `slot` has no own limit."""
        self._enter(slot, host)
        try:
            yield
        finally:
            self._leave(slot, host)

    def _enter(self, slot: str, host: str) -> None:
        with self._lock:
            if self._running >= settings.WEB_THREADS // 2:
                raise Full("all calls of this process")
            if slot and self._by_slot[slot, host] >= PER_SLOT:
                raise Full("calls of this slot to this host")
            self._running += 1
            self._by_slot[slot, host] += 1

    def _leave(self, slot: str, host: str) -> None:
        with self._lock:
            self._running -= 1
            self._by_slot[slot, host] -= 1
            self._by_slot += Counter()  # drops what came to zero
