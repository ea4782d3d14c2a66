"""Engine only: feeds prepared beforehand, the engine asked back to back. What other tools report as latency."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgecnn.bench.clock import Clock
from edgecnn.bench.scenario import MIN_QUERIES, Rows
from edgecnn.bench.system import System

ENGINE_ONLY = "engine_only"


@final
@dataclass(frozen=True, slots=True)
class EngineOnly:
    """The engine by itself: no pre-processing and no post-processing between two inferences."""

    name: str = ENGINE_ONLY
    columns: tuple[str, ...] = ("start_ns", "engine_ns")
    block_seconds: float = 0.25

    def block(self, system: System, clock: Clock, seconds: float) -> Rows:
        """Ask the engine back to back for `seconds`."""
        now, engine = clock.now_ns, system.engine
        feeds = [system.pre(frame) for frame in system.frames]
        rows: list[tuple[int, int]] = []
        stop_ns = now() + round(seconds * 1e9)
        while True:
            fed = feeds[len(rows) % len(feeds)]
            start = now()
            engine(fed)
            done = now()
            rows.append((start, done - start))
            if (done >= stop_ns and len(rows) >= MIN_QUERIES) or len(rows) == system.max_queries:
                return np.array(rows, np.int64)

    def latency_ns(self, rows: Rows) -> NDArray[np.int64]:
        """Return the engine's time."""
        return rows[:, 1]
