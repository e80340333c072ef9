"""A progress bar for commands that take their time."""

import sys

CELLS = 40


class Bar:
    """A progress bar on standard error; silent when that is not a terminal. `total` is what `show` counts up to."""

    def __init__(self, total: int) -> None:
        self.total = max(total, 1)
        self.shown = -1
        self.visible = sys.stderr.isatty()

    def show(self, done: int) -> None:
        """Draw the bar when it looks different from before."""
        cells = min(done, self.total) * CELLS // self.total
        if self.visible and cells != self.shown:
            self.shown = cells
            sys.stderr.write(f"\r[{'#' * cells}{' ' * (CELLS - cells)}] {done}/{self.total}")
            sys.stderr.flush()

    def end(self) -> None:
        """Leave the line."""
        if self.visible:
            sys.stderr.write("\n")
