"""Scenario: how a system is asked, and what one row of its samples says."""

from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn.bench.clock import Clock
from edgecnn.bench.system import System

Rows: TypeAlias = NDArray[np.int64]

LEAD_IN = 3
MIN_QUERIES = LEAD_IN + 3


class Scenario(Protocol):
    """One way of asking. A block's first `LEAD_IN` rows meet caches that another system left and are not counted.

    Attributes:
        name: the scenario's name in results.
        columns: what each column of a block's rows is; times in ns.
        block_seconds: the shortest block that still makes sense.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def columns(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def block_seconds(self) -> float: ...  # noqa: D102

    def block(self, system: System, clock: Clock, seconds: float) -> Rows:
        """Ask `system` for `seconds` (at least `MIN_QUERIES` times) and return int64 [queries, columns]."""
        ...

    def latency_ns(self, rows: Rows) -> NDArray[np.int64]:
        """Return the latency that this scenario's percentiles speak of, int64 [queries]."""
        ...
