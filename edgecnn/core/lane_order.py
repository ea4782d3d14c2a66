"""Which lane line is which: -1 is the nearest on the car's left, +1 the nearest on its right."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# The share of a line's points, counted from its lower end, that the straight line to the frame's bottom is fitted to.
_LOWER_SHARE = 0.3
_MIN_POINTS = 4


def positions(lines: Sequence[NDArray[np.float32]], width: int, height: int) -> tuple[int, ...]:
    """Return one position a line: left lines get -1, -2, ... outward, right lines +1, +2, ...

    Each line is carried to the frame's bottom row by the straight line through its lowest part, and the place where it
    arrives is compared with the middle of the frame.

    Args:
        lines: float32 [N, 2] of (x, y) each, sorted by y, N >= 1.
        width: frame width in pixels.
        height: frame height in pixels.
    """
    feet = np.array([foot(line, height) for line in lines], np.float64)
    result = np.zeros(len(lines), np.int64)
    left, right = np.flatnonzero(feet < width / 2), np.flatnonzero(feet >= width / 2)
    result[left[np.argsort(-feet[left], kind="stable")]] = -1 - np.arange(len(left))
    result[right[np.argsort(feet[right], kind="stable")]] = 1 + np.arange(len(right))
    return tuple(int(position) for position in result)


def foot(line: NDArray[np.float32], height: int) -> float:
    """Return the x in pixels where `line` meets the frame's bottom row (y = height)."""
    count = max(_MIN_POINTS, round(len(line) * _LOWER_SHARE))
    x, y = line[-count:, 0].astype(np.float64), line[-count:, 1].astype(np.float64)
    spread = y - y.mean()
    variance = float(spread @ spread)
    slope = float(spread @ (x - x.mean())) / variance if variance > 0 else 0.0
    return float(x.mean() + slope * (height - y.mean()))
