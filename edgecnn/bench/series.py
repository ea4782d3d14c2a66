"""Series: every sample of one system under one scenario, warm-up included; nothing measured is thrown away."""

from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgecnn.bench.scenario import LEAD_IN, Rows, Scenario
from edgecnn.bench.warmup import steady_from

WARMUP = -1


@final
@dataclass(slots=True)
class Series:
    """Blocks in the order they were taken. Round `WARMUP` is the warm-up, 0 and up are the interleaved rounds."""

    scenario: Scenario
    blocks: list[Rows] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)

    def add(self, number: int, rows: Rows) -> None:
        """Append the block of round `number`."""
        self.blocks.append(rows)
        self.rounds.append(number)

    def rows(self) -> Rows:
        """Return all rows, int64 [N, columns]."""
        return np.concatenate(self.blocks)

    def round_of_row(self) -> NDArray[np.int64]:
        """Return the round of every row, int64 [N]."""
        return np.repeat(np.array(self.rounds, np.int64), [len(block) for block in self.blocks])

    def lead_in(self) -> NDArray[np.bool_]:
        """Return which rows are a block's lead-in, bool [N]."""
        return np.concatenate([np.arange(len(block)) < LEAD_IN for block in self.blocks])

    def steady_from(self) -> int | None:
        """Return the index in `rows` of the first sample after warm-up, or None without a steady state."""
        counted = np.nonzero(~self.lead_in())[0]
        start = steady_from(self.scenario.latency_ns(self.rows()[counted]))
        return None if start is None else int(counted[start])

    def judged(self, steady: int | None) -> NDArray[np.bool_]:
        """Return which rows the figures are made of, bool [N]: of the rounds, steady, and no lead-in."""
        keep: NDArray[np.bool_] = (self.round_of_row() != WARMUP) & ~self.lead_in()
        keep[: steady or 0] = False
        return keep

    def columns(self) -> dict[str, NDArray[np.int64]]:
        """Return every column by name, with `round`, `lead_in` and `latency_ns`: what `samples.npz` keeps."""
        rows = self.rows()
        named = {name: rows[:, i] for i, name in enumerate(self.scenario.columns)}
        return {
            **named,
            "latency_ns": self.scenario.latency_ns(rows),
            "round": self.round_of_row(),
            "lead_in": self.lead_in().astype(np.int64),
        }
