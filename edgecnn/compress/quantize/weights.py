"""Weights and biases as integers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.compress.quantize.scheme import Format

LEAST_SCALE = 1e-9
BIAS_LIMIT = 2.0**30
"""Largest stored bias: half of int32, so that the accumulator has room for the products."""
SHRINKS = np.linspace(1.0, 0.7, 31)


@dataclass(frozen=True, slots=True)
class Weights:
    """`stored` integers, and `scale` float32: [channels] along `axis`, or a scalar array where `axis` is None."""

    stored: NDArray[Any]
    scale: NDArray[np.float32]
    axis: int | None


def quantize_weights(
    weights: NDArray[np.float32], form: Format, axis: int | None, least: NDArray[np.float64] | float = 0.0
) -> Weights:
    """Return `weights` in a symmetric format, one scale a channel along `axis` (None: one in all).

    The scale of a channel is the one of least squared error among shrunken magnitudes, at least `least`.
    """
    rows = (
        np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1) if axis is not None else weights.reshape(1, -1)
    )
    full = np.maximum(np.abs(rows).max(axis=1, initial=0).astype(np.float64) / form.high, LEAST_SCALE)
    scale = np.maximum(full * _best_shrinks(rows, full, form), least).astype(np.float32)
    shape = [1] * weights.ndim
    if axis is not None:
        shape[axis] = -1
    stored = np.clip(np.round(weights / scale.reshape(shape)), form.low, form.high).astype(form.dtype)
    return Weights(stored, scale if axis is not None else scale.reshape(()), axis)


def _best_shrinks(rows: NDArray[np.float32], full: NDArray[np.float64], form: Format) -> NDArray[np.float64]:
    """Return for each row the shrink of its `full` scale that rounds and clips it with the least squared error."""
    steps = (rows / full[:, None]).astype(np.float32)
    best, least = np.ones(len(rows)), np.full(len(rows), np.inf)
    stored = np.empty_like(steps)
    for shrink in SHRINKS:
        # In steps of the full scale, so that rows of any size are exact enough in float32; buffers are used again.
        np.multiply(steps, np.float32(1 / shrink), out=stored)
        np.rint(stored, out=stored)
        np.clip(stored, form.low, form.high, out=stored)
        np.multiply(stored, np.float32(shrink), out=stored)
        np.subtract(stored, steps, out=stored)
        error = np.einsum("ij,ij->i", stored, stored)
        best, least = np.where(error < least, shrink, best), np.minimum(error, least)
    return best


def least_scale(bias: NDArray[np.float32], input_scale: float) -> NDArray[np.float64]:
    """Return per channel the least weight scale at which the bias fits int32; a channel of tiny weights needs it."""
    return np.asarray(np.abs(bias.astype(np.float64)) / (input_scale * BIAS_LIMIT), np.float64)


def quantize_bias(
    bias: NDArray[np.float32], input_scale: np.float32, weight_scale: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the bias as int32 and its scale, input scale times weight scale: the scale of the accumulator."""
    scale = np.asarray(input_scale * weight_scale, np.float32)
    return np.round(bias.astype(np.float64) / scale.astype(np.float64)).astype(np.int32), scale
