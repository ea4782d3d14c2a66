"""Camera: frames come at a fixed rate whether or not the system keeps up, into one slot that holds the latest.

Latency counts from the moment a frame was *scheduled*, as LoadGen's server scenario does, so a system that falls
behind cannot hide the wait (coordinated omission).
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgecnn.bench.clock import Clock
from edgecnn.bench.scenario import MIN_QUERIES, Rows
from edgecnn.bench.system import System


@final
@dataclass(frozen=True, slots=True)
class Camera:
    """Frames at `fps`; one that is overwritten in the slot is dropped, and `dropped` counts those before each row."""

    fps: float
    name: str = "camera"
    columns: tuple[str, ...] = ("scheduled_ns", "wait_ns", "pre_ns", "engine_ns", "post_ns", "dropped")
    block_seconds: float = 2.0

    @property
    def period_ns(self) -> int:
        """The time from one frame to the next; a result later than that has missed its deadline."""
        return round(1e9 / self.fps)

    def block(self, system: System, clock: Clock, seconds: float) -> Rows:
        """Show the system `seconds` worth of frames; every frame ends up processed or counted as dropped."""
        now, pre, engine, post, frames = clock.now_ns, system.pre, system.engine, system.post, system.frames
        rows: list[tuple[int, int, int, int, int, int]] = []
        count, period = max(MIN_QUERIES, round(seconds * self.fps)), self.period_ns
        origin, expected = now() + period, 0
        while expected < count:
            clock.sleep_until_ns(origin + expected * period)
            start = now()
            latest = min((start - origin) // period, count - 1)
            scheduled = origin + latest * period
            frame = frames[latest % len(frames)]
            feeds = pre(frame)
            fed = now()
            outputs = engine(feeds)
            inferred = now()
            post(outputs, frame)
            done = now()
            rows.append((scheduled, start - scheduled, fed - start, inferred - fed, done - inferred, latest - expected))
            expected = latest + 1
        return np.array(rows, np.int64)

    def latency_ns(self, rows: Rows) -> NDArray[np.int64]:
        """Return the time from when the frame was scheduled to its result."""
        return rows[:, 1] + rows[:, 2] + rows[:, 3] + rows[:, 4]
