"""What `manage.py tidy` purges beyond the core: applications that nothing below may import add their step here."""

from collections.abc import Callable, Iterator
from typing import NamedTuple


class Step(NamedTuple):
    """`run` purges, yielding what and how many of it one by one; `left` counts what it would purge now."""

    run: Callable[[], Iterator[tuple[str, int]]]
    left: Callable[[], int]


steps: list[Step] = []
