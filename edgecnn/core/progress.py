"""One progress bar for all long work: on stderr, with time left; plain lines where stderr is no terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_INTERVAL_S = 20.0


class Bar:
    """Advances a bar and shows a short text of live figures beside it."""

    def __init__(self, label: str, total: int, progress: Progress | None) -> None:
        self._label, self._total, self._done = label, total, 0
        self._progress = progress
        self._task = progress.add_task(label, total=total, figures="") if progress else None
        self._started = self._told = time.monotonic()

    def reach(self, done: int) -> None:
        """Count up to `done` steps in all."""
        self.advance(done - self._done)

    def advance(self, steps: int = 1, figures: str = "") -> None:
        """Count `steps` as done; `figures` replaces the text beside the bar unless empty."""
        self._done += steps
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, steps)
            if figures:
                self._progress.update(self._task, figures=figures)
        elif (now := time.monotonic()) - self._told >= PLAIN_INTERVAL_S:
            left_s = (now - self._started) / self._done * max(self._total - self._done, 0)
            sys.stderr.write(f"  {self._label} {self._done}/{self._total}, {left_s:.0f} s left {figures}\n")
            self._told = now


@contextmanager
def bar(label: str, total: int) -> Iterator[Bar]:
    """Show a bar for `total` steps while the block runs."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Bar(label, total, None)
        return
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(label, total, progress)
