"""What rounding does to one tensor: an activation frame by frame, weights channel by channel."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.compress.quantize.error import ErrorSum
from edgecnn.core.evidence import TensorDrift, WeightDrift

LIMIT_DB = 120.0
"""SNR beyond which nothing is told: float32 itself rounds at 150 dB, and sums of many values lose some of that."""
OUTLIER = 4.0
"""A channel is an outlier when its greatest magnitude is this many times the median channel's: two of 8 bits lost.

Channels that are zero throughout don't count.
"""
MAX_OUTLIERS = 8
DEAD = 1e-6
SAMPLE = 1 << 18
"""Values of a tensor and frame that SNR and clipping are taken over. Least and greatest value are those of all."""


def in_db(total: ErrorSum) -> float:
    """Return the SNR between -120 and 120 dB; values that are not finite count as -120."""
    if not math.isfinite(total.noise + total.signal):
        return -LIMIT_DB
    return float(np.clip(total.snr_db, -LIMIT_DB, LIMIT_DB))


def sampled(values: NDArray[Any]) -> NDArray[Any]:
    """Return all values in one row, or every k-th of a large tensor.

    k shares no factor with the length of a line, so that all columns of a feature map have their turn.
    """
    flat = values.reshape(-1)
    step = flat.size // SAMPLE
    while step > 1 and math.gcd(step, values.shape[-1]) > 1:
        step += 1
    return flat[:: max(step, 1)]


class ActivationDrift:
    """Sums over frames for one activation stored as real = step * (stored - zero point)."""

    def __init__(self, step: float, zero_point: int, dtype: np.dtype[Any]) -> None:
        limits = np.iinfo(dtype)
        self._step = step
        self._low, self._high = ((limit - zero_point) * step for limit in (int(limits.min), int(limits.max)))
        self._error = ErrorSum()
        self._clipped = self._count = 0
        self._least: NDArray[np.float64] = np.full(1, np.inf)
        self._most: NDArray[np.float64] = np.full(1, -np.inf)

    def add(self, values: NDArray[np.float32]) -> None:
        """Count the float network's values of one frame; axis 1 holds the channels, if there are two axes or more."""
        if not values.size:
            return
        some = sampled(values)
        self._error.add(some, np.clip(np.round(some / self._step) * self._step, self._low, self._high))
        beyond = (some < self._low - self._step / 2) | (some > self._high + self._step / 2)
        self._clipped += int(np.count_nonzero(beyond))
        self._count += some.size
        rows = np.moveaxis(values, 1, 0).reshape(values.shape[1], -1) if values.ndim > 1 else values.reshape(1, -1)
        self._least = np.minimum(self._least, rows.min(axis=1))
        self._most = np.maximum(self._most, rows.max(axis=1))

    def result(self) -> TensorDrift:
        """Return what was found."""
        magnitude = np.maximum(np.abs(self._least), np.abs(self._most))
        span = np.maximum(self._most, 0) - np.minimum(self._least, 0)
        used = magnitude[magnitude > 0]
        usual = float(np.median(used)) if used.size else 0.0
        ratios = magnitude / usual if usual > 0 else np.zeros(len(magnitude))
        worst = [int(index) for index in np.argsort(-ratios, kind="stable")[:MAX_OUTLIERS] if ratios[index] >= OUTLIER]
        return TensorDrift(
            low=self._low,
            high=self._high,
            step=self._step,
            seen_min=float(self._least.min()),
            seen_max=float(self._most.max()),
            clipped=self._clipped / max(self._count, 1),
            snr_db=in_db(self._error),
            channels=len(magnitude),
            outliers={str(index): float(ratios[index]) for index in worst},
            median_levels=float(np.clip(np.median(span) / self._step + 1, 1, 256)),
        )


def weight_drift(weights: NDArray[np.float32], rounded: NDArray[np.float32], axis: int) -> WeightDrift:
    """Compare weights with what was stored of them; `axis` holds the output channels.

    Spread and worst channel leave out those whose magnitude is below a millionth of the widest's: training has
    switched them off, and rounding to zero is right for them.
    """
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1).astype(np.float64)
    off = np.moveaxis(rounded, axis, 0).reshape(rows.shape).astype(np.float64) - rows
    magnitude = np.abs(rows).max(axis=1)
    alive = magnitude > DEAD * magnitude.max()
    signal, noise = (rows**2).sum(axis=1), (off**2).sum(axis=1)
    worst = int(np.argmax(np.where(alive, noise / np.where(alive, signal, 1), 0)))
    whole, channel = ErrorSum(), ErrorSum()
    whole.add(rows, rows + off)
    channel.add(rows[worst], rows[worst] + off[worst])
    spread = float(magnitude.max() / magnitude[alive].min()) if alive.any() else 1.0
    return WeightDrift(
        snr_db=in_db(whole), channels=len(rows), spread=spread, worst_channel=worst, worst_db=in_db(channel)
    )
