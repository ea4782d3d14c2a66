"""Where warm-up ends: found in the trace by change points, never assumed; "no steady state" is an answer too.

After Barrett et al., "Virtual Machine Warmup Blows Hot and Cold" (OOPSLA 2017): cut the trace into segments of
constant level, join to the last segment every one before it whose level is equivalent, and call that the steady
state if it is long enough. Levels here are medians of bins, so that a few stalls make no segment.
"""

import numpy as np
from numpy.typing import NDArray

MAX_BINS = 160
MIN_BINS = 10
MIN_BIN_SAMPLES = 5
PENALTY = 5.0
EQUIVALENT = 0.03
MIN_STEADY_SHARE = 0.5
MAX_REFINED = 1000


def steady_from(latency_ns: NDArray[np.int64]) -> int | None:
    """Return the index of the first sample of the steady state of `latency_ns` [N], or None if there is none.

    None too for fewer than 50 samples: too few to tell. Steady means that at least half of the trace, up to its
    end, stays within 3 % (or three times the noise of a bin, if that is more) of its last level, without a trend.
    """
    size = max(MIN_BIN_SAMPLES, -(-len(latency_ns) // MAX_BINS))
    bins = len(latency_ns) // size
    if bins < MIN_BINS:
        return None
    # The remainder is cut from the front: the end of the trace decides.
    offset = len(latency_ns) - bins * size
    levels = np.median(latency_ns[offset:].reshape(bins, size), axis=1)
    noise = _noise(levels)
    starts = change_points(levels, noise)
    last_level = float(np.median(levels[starts[-1] :]))
    tolerance = max(EQUIVALENT * last_level, 3.0 * noise)
    first = bins
    for start, stop in reversed(list(zip(starts, [*starts[1:], bins], strict=True))):
        if abs(float(np.median(levels[start:stop])) - last_level) > tolerance:
            break
        first = start
    if bins - first < MIN_STEADY_SHARE * bins or abs(_trend(levels[first:])) > tolerance:
        return None
    return _refined(latency_ns, 0 if first == 0 else offset + first * size, last_level, tolerance)


def change_points(levels: NDArray[np.float64], noise: float) -> list[int]:
    """Return where each segment of constant mean starts in `levels` [B], the first being 0.

    Optimal partitioning (Jackson et al. 2005) of the squared error at `PENALTY * ln B * noise^2` a segment; exact,
    O(B^2). Levels are clipped at eight times the noise around their running median so that an outlier costs little.
    """
    count = len(levels)
    centre = np.array([np.median(levels[max(0, i - 3) : i + 4]) for i in range(count)])
    clipped = np.clip(levels, centre - 8 * noise, centre + 8 * noise)
    sums = np.concatenate([[0.0], np.cumsum(clipped - clipped.mean())])
    squares = np.concatenate([[0.0], np.cumsum((clipped - clipped.mean()) ** 2)])
    penalty = PENALTY * np.log(count) * noise**2
    best, previous = np.zeros(count + 1), np.zeros(count + 1, np.int64)
    best[0] = -penalty
    for stop in range(1, count + 1):
        start = np.arange(stop)
        length = stop - start
        cost = squares[stop] - squares[start] - (sums[stop] - sums[start]) ** 2 / length
        total = best[start] + cost + penalty
        previous[stop] = int(np.argmin(total))
        best[stop] = total[previous[stop]]
    starts = [int(previous[count])]
    while starts[0] > 0:
        starts.insert(0, int(previous[starts[0]]))
    return starts


def _refined(latency_ns: NDArray[np.int64], start: int, level: float, tolerance: float) -> int:
    # A few slow first queries are fewer than half a bin and vanish in its median: move on, sample by sample, until
    # the median of the next five lies within the spread of single samples.
    steady = latency_ns[start : start + MAX_REFINED]
    spread = 1.4826 * float(np.median(np.abs(steady - level)))
    bound = tolerance + 3 * spread
    ahead = np.median(np.lib.stride_tricks.sliding_window_view(steady, MIN_BIN_SAMPLES), axis=1)
    settled = np.nonzero(np.abs(ahead - level) <= bound)[0]
    return start + int(settled[0]) if len(settled) else start


def _noise(levels: NDArray[np.float64]) -> float:
    # From differences of neighbours, which a change of level hardly touches; never 0, so that a clock of coarse
    # resolution makes no segments of its own.
    spread = float(np.median(np.abs(np.diff(levels)))) / (0.6745 * np.sqrt(2))
    return float(max(spread, 1e-4 * float(np.median(levels)), 1e-9))


def _trend(levels: NDArray[np.float64]) -> float:
    # Theil-Sen slope times length: how far the level moves over the whole of the steady part.
    count = len(levels)
    i, j = np.triu_indices(count, k=max(1, count // 4))
    return float(np.median((levels[j] - levels[i]) / (j - i))) * count
