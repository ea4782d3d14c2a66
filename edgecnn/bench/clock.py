"""Clock: where the scenarios take the time from, so that tests can hand them a clock of their own."""

import time
from typing import Protocol, final


class Clock(Protocol):
    """A monotonic clock in whole nanoseconds."""

    def now_ns(self) -> int:
        """Return the time since some fixed moment."""
        ...

    def sleep_until_ns(self, moment_ns: int) -> None:
        """Return once `now_ns()` is at least `moment_ns`; at once if it already is."""
        ...


@final
class SystemClock:
    """The machine's monotonic clock. It sleeps as a thread that waits for a camera does, and never spins."""

    now_ns = staticmethod(time.perf_counter_ns)

    def sleep_until_ns(self, moment_ns: int) -> None:
        """Sleep until `moment_ns`; how late the thread wakes is part of what a camera scenario measures."""
        while (left_ns := moment_ns - self.now_ns()) > 0:
            time.sleep(left_ns / 1e9)
