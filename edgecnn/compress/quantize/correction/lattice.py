"""Integers near real weights that keep a layer's outputs: second-order rounding by columns, then one by one.

The cost of an error E in a row of weights is E H E^T, H being the second moment of the layer's inputs.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
BLOCK = 64
"""Columns rounded before the rest of the matrix hears of it; changes the order of sums, not what they add up to."""


def round_by_columns(weights: Array, scale: Array, moment: Array, limit: int, free: Array | None = None) -> Array:
    """Return integers for `weights` [g, o, d], each column's rounding error pushed into the columns after it.

    Where `free` [g, o, d], if given, is false the integer is 0.

    The scheme of GPTQ (Frantar et al. 2022, arXiv 2210.17323), columns of large moment first. `scale` is [g, o, 1],
    `moment` [g, d, d] and positive definite; the integers are float64 within +-limit.
    """
    order = np.argsort(-np.diagonal(moment, axis1=1, axis2=2), axis=1)
    group = np.arange(len(weights))[:, None]
    left = weights[group[:, :, None], np.arange(weights.shape[1])[None, :, None], order[:, None, :]].copy()
    may = _free(free, weights)[group[:, :, None], np.arange(weights.shape[1])[None, :, None], order[:, None]]
    sorted_moment = moment[group[:, :, None], order[:, :, None], order[:, None, :]]
    # The upper Cholesky factor of the inverse holds what every elimination of a column would need.
    factor = np.swapaxes(np.linalg.cholesky(np.linalg.inv(sorted_moment)), 1, 2)
    result = np.empty_like(left)
    d = left.shape[2]
    for first in range(0, d, BLOCK):
        last = min(first + BLOCK, d)
        errors = np.empty((*left.shape[:2], last - first))
        for j in range(first, last):
            column = left[:, :, j : j + 1]
            result[:, :, j : j + 1] = np.clip(np.round(column / scale), -limit, limit) * may[:, :, j : j + 1]
            error = (column - result[:, :, j : j + 1] * scale) / factor[:, None, j : j + 1, j]
            left[:, :, j + 1 : last] -= error * factor[:, None, j, j + 1 : last]
            errors[:, :, j - first] = error[:, :, 0]
        left[:, :, last:] -= errors @ factor[:, first:last, last:]
    back = np.empty_like(result)
    back[group[:, :, None], np.arange(weights.shape[1])[None, :, None], order[:, None, :]] = result
    return back


def descend(
    integers: Array, weights: Array, scale: Array, moment: Array, limit: int, free: Array | None = None, sweeps: int = 3
) -> Array:
    """Return the integers after moving each that is `free` to its best value, the others held, until nothing moves."""
    result, may = integers.copy(), _free(free, integers)
    pull = (result * scale - weights) @ moment
    for _ in range(sweeps):
        moved = False
        for j in range(result.shape[2]):
            old = result[:, :, j : j + 1]
            best = np.clip(
                np.round(old - pull[:, :, j : j + 1] / (scale * moment[:, None, j : j + 1, j])), -limit, limit
            )
            best = np.where(may[:, :, j : j + 1], best, old)
            change = (best - old) * scale
            if change.any():
                moved = True
                pull += change * moment[:, None, j]
                result[:, :, j : j + 1] = best
        if not moved:
            break
    return result


def cost(integers: Array, weights: Array, scale: Array, moment: Array) -> float:
    """Return the summed cost of the integers."""
    off = integers * scale - weights
    return float(np.sum((off @ moment) * off))


def is_2_4(weights: Array) -> bool:
    """Return whether of every four neighbours along axis 1 of `weights` [K, C, ...] at least two are 0."""
    if weights.ndim < 2 or weights.shape[1] % 4:
        return False
    fours = weights.reshape(weights.shape[0], weights.shape[1] // 4, 4, -1)
    return bool(((fours != 0).sum(axis=2) <= 2).all())


def _free(free: Array | None, like: Array) -> Array:
    return np.ones(like.shape, np.bool_) if free is None else free
