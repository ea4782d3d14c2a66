"""Which range of an activation 8 bits should hold. Each method takes a histogram and returns (low, high)."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn.compress.quantize.histogram import Histogram
from edgecnn.compress.quantize.scheme import Format

Method: TypeAlias = Literal["minmax", "percentile", "mse", "entropy"]
Range: TypeAlias = tuple[float, float]
Array: TypeAlias = NDArray[np.float64]

TAIL = 1e-4
"""Share of values that `percentile` cuts off, half at either end."""
SHRINKS = np.linspace(1.0, 0.15, 52)
LEAST_SPAN = 1e-6
SILENT_SPAN = 1.0
"""Span of a tensor that is zero everywhere, as behind a dead layer. Any scale will do for the numbers, but engines
refuse layers whose scales lie far apart: XNNPACK those where one step of the products is 256 or more of the result."""


def find_range(histogram: Histogram, method: Method, form: Format) -> Range:
    """Return the range that `method` chooses, widened to hold zero and, for a symmetric format, to be symmetric."""
    low, high = METHODS[method](histogram, form) if histogram.bound else (0.0, 0.0)
    return widen(float(low), float(high), form)


def widen(low: float, high: float, form: Format) -> Range:
    """Return the least range around [low, high] that the format can hold."""
    low, high = min(low, 0.0), max(high, 0.0)
    if high == low:
        high = SILENT_SPAN
    elif high - low < LEAST_SPAN:
        high = low + LEAST_SPAN
    if form.symmetric:
        bound = max(-low, high)
        return -bound, bound
    return low, high


def scale_and_zero(low: float, high: float, form: Format) -> tuple[np.float32, int]:
    """Return scale and zero point; real = scale * (stored - zero point). Zero is stored exactly."""
    if form.symmetric:
        zero = (form.low + form.high + 1) // 2
        return np.float32(max(-low, high) / min(form.high - zero, zero - form.low)), zero
    scale = np.float32((high - low) / (form.high - form.low))
    return scale, int(np.clip(np.round(form.low - low / scale), form.low, form.high))


def _minmax(histogram: Histogram, form: Format) -> Range:  # noqa: ARG001 - one signature for every method
    return float(histogram.seen_min), float(histogram.seen_max)


def _percentile(histogram: Histogram, form: Format) -> Range:  # noqa: ARG001
    share = np.cumsum(histogram.counts) / histogram.counts.sum()
    centres = histogram.centres
    low = float(centres[int(np.searchsorted(share, TAIL / 2))])
    high = float(centres[min(int(np.searchsorted(share, 1 - TAIL / 2)), len(centres) - 1)])
    return max(low, float(histogram.seen_min)), min(high, float(histogram.seen_max))


def _mse(histogram: Histogram, form: Format) -> Range:
    """Minimise the mean squared error of rounding and clipping, first both ends together, then each by itself."""
    used = histogram.counts > 0
    centres, counts = histogram.centres[used], histogram.counts[used].astype(np.float64)

    def cost(low: float, high: float) -> float:
        return float(np.dot(counts, (rounded(centres, *widen(low, high, form), form) - centres) ** 2))

    low, high = _minmax(histogram, form)
    shrink = min(SHRINKS, key=lambda s: cost(low * s, high * s))
    low, high = low * shrink, high * shrink
    if low < 0 < high and not form.symmetric:
        around = np.linspace(0.6, 1.4, 33)
        low = low * min(around, key=lambda s: cost(low * s, high))
        high = high * min(around, key=lambda s: cost(low, high * s))
    return max(low, float(histogram.seen_min)), min(high, float(histogram.seen_max))


def _entropy(histogram: Histogram, form: Format) -> Range:
    """Minimise KL(seen || stored) (Migacz, "8-bit inference with TensorRT", GTC 2017), both ends together."""
    low, high = _minmax(histogram, form)
    centres, counts = histogram.centres, histogram.counts.astype(np.float64)
    # The bins at zero would outweigh everything, and zero is stored exactly whatever the range.
    counts[len(counts) // 2 - 1 : len(counts) // 2 + 1] = 0
    if not counts.any():
        return low, high
    shrink = min(SHRINKS, key=lambda s: _divergence(centres, counts, widen(low * s, high * s, form), form))
    return low * shrink, high * shrink


def _divergence(centres: Array, counts: Array, span: Range, form: Format) -> float:
    inside = (centres >= span[0]) & (centres <= span[1])
    seen = np.where(inside, counts, 0)
    if not seen.any():
        return np.inf
    first, last = np.flatnonzero(inside)[[0, -1]]
    clipped = seen.copy()
    clipped[first] += counts[:first].sum()
    clipped[last] += counts[last + 1 :].sum()
    levels = np.unique(rounded(centres[inside], *span, form), return_inverse=True)[1]
    total = np.bincount(levels, seen[inside])
    width = np.bincount(levels, seen[inside] > 0)
    stored = np.where(seen[inside] > 0, (total / np.maximum(width, 1))[levels], 0)
    p, q = clipped[inside] / clipped.sum(), np.maximum(stored / stored.sum(), 1e-12)
    return float(np.sum(np.where(p > 0, p * np.log(np.maximum(p, 1e-300) / q), 0)))


def rounded(values: Array, low: float, high: float, form: Format) -> Array:
    """Return what is left of `values` after quantizing to the range and back."""
    scale, zero = scale_and_zero(low, high, form)
    stored = np.clip(np.round(values / scale) + zero, form.low, form.high)
    return np.asarray((stored - zero) * scale, np.float64)


def noise_share(histogram: Histogram, span: Range, form: Format) -> float:
    """Return the share of a tensor's energy that rounding to the range loses."""
    used = histogram.counts > 0
    centres, counts = histogram.centres[used], histogram.counts[used].astype(np.float64)
    signal = float(counts @ centres**2)
    return float(counts @ (rounded(centres, *span, form) - centres) ** 2) / signal if signal else 0.0


METHODS: dict[Method, Callable[[Histogram, Format], Range]] = {
    "minmax": _minmax,
    "percentile": _percentile,
    "mse": _mse,
    "entropy": _entropy,
}
