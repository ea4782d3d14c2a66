"""A histogram that grows with its data: one pass, fixed memory, the same result for the same frames."""

import numpy as np
from numpy.typing import NDArray

BINS = 8192
SAMPLE = 1 << 14
"""Values counted a tensor and frame. Least and greatest value are taken over all of them."""


class Histogram:
    """Counts over [-bound, bound) in `BINS` equal bins; `bound` doubles, and bins merge in pairs, when data need it."""

    def __init__(self) -> None:
        self.counts = np.zeros(BINS, np.int64)
        self.bound = 0.0
        self.seen_min, self.seen_max = np.inf, -np.inf
        self._frames = 0

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        return np.asarray((np.arange(BINS) + 0.5 - BINS / 2) * (2 * self.bound / BINS), np.float64)

    def add(self, values: NDArray[np.float32]) -> bool:
        """Count one frame's values and return True; return False, and count nothing, if they hold NaN or infinity.

        A large tensor is counted at every k-th value, from another start each frame. An odd k keeps clear of widths
        that are powers of two, so that the counted values don't all come from a few columns.
        """
        flat = values.reshape(-1)
        low, high = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 0.0)
        if not (np.isfinite(low) and np.isfinite(high)):
            return False
        self.seen_min, self.seen_max = min(self.seen_min, low), max(self.seen_max, high)
        self._grow(max(abs(low), abs(high)))
        step = -(-flat.size // SAMPLE) | 1
        flat = flat[self._frames % step :: step]
        self._frames += 1
        if self.bound > 0:
            # Truncation is the floor here: what is scaled lies in [0, BINS).
            scaled = flat * np.float32(BINS / 2 / self.bound)
            scaled += np.float32(BINS / 2)
            self.counts += np.bincount(scaled.astype(np.int32), minlength=BINS)
        return True

    def merge(self, other: "Histogram") -> None:
        """Count what `other` counted as well."""
        self.seen_min, self.seen_max = min(self.seen_min, other.seen_min), max(self.seen_max, other.seen_max)
        self._grow(other.bound / 1.001)
        if other.bound > 0:
            index = np.floor((other.centres / self.bound + 1) * (BINS / 2)).astype(np.int64)
            np.add.at(self.counts, np.clip(index, 0, BINS - 1), other.counts)

    def _grow(self, magnitude: float) -> None:
        if magnitude > 0 and self.bound == 0:
            self.bound = magnitude * 1.001
        while magnitude * 1.0005 > self.bound:
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.zeros(BINS, np.int64)
            self.counts[BINS // 4 : BINS // 4 + BINS // 2] = pairs
            self.bound *= 2
