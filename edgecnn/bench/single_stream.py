"""Single stream: the next frame is asked for as soon as the last result is there (MLPerf LoadGen's SingleStream)."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgecnn.bench.clock import Clock
from edgecnn.bench.scenario import MIN_QUERIES, Rows
from edgecnn.bench.system import System

SINGLE_STREAM = "single_stream"


@final
@dataclass(frozen=True, slots=True)
class SingleStream:
    """Frame to result, split into pre-processing, engine and post-processing."""

    name: str = SINGLE_STREAM
    columns: tuple[str, ...] = ("start_ns", "pre_ns", "engine_ns", "post_ns")
    block_seconds: float = 0.25

    def block(self, system: System, clock: Clock, seconds: float) -> Rows:
        """Ask back to back for `seconds`."""
        now, pre, engine, post, frames = clock.now_ns, system.pre, system.engine, system.post, system.frames
        rows: list[tuple[int, int, int, int]] = []
        stop_ns = now() + round(seconds * 1e9)
        while True:
            frame = frames[len(rows) % len(frames)]
            start = now()
            feeds = pre(frame)
            fed = now()
            outputs = engine(feeds)
            inferred = now()
            post(outputs, frame)
            done = now()
            rows.append((start, fed - start, inferred - fed, done - inferred))
            if (done >= stop_ns and len(rows) >= MIN_QUERIES) or len(rows) == system.max_queries:
                return np.array(rows, np.int64)

    def latency_ns(self, rows: Rows) -> NDArray[np.int64]:
        """Return frame to result."""
        return rows[:, 1] + rows[:, 2] + rows[:, 3]
