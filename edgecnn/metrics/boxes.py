"""Boxes as published evaluators see them: in double precision, read from the decimals of a label file."""

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Detections

Float = NDArray[np.float64]
DECIMALS = 4
"""Of a pixel; float32 holds coordinates below 1000 that precisely."""


def decimals(values: NDArray[np.float32]) -> Float:
    """Return float32 values in double precision, as the shortest decimal of at most 4 places that each one stands for.

    A label "40.1" is held as 40.099998; evaluators that read the file compare 40.1 with their limits.
    """
    exact = np.asarray(values, np.float64)
    found = exact.copy()
    open_ = np.ones(exact.shape, bool)
    for places in range(DECIMALS + 1):
        rounded = np.round(exact, places)
        fits = open_ & (rounded.astype(np.float32) == values)
        found[fits] = rounded[fits]
        open_ &= ~fits
    return found


def xyxy(found: Detections) -> Float:
    """Return float64 [N, 4] as (x1, y1, x2, y2)."""
    return decimals(found.boxes)


def xywh(found: Detections) -> Float:
    """Return float64 [N, 4] as (x, y, width, height), sizes to a millionth of a pixel."""
    corners = decimals(found.boxes)
    return np.concatenate([corners[:, :2], np.round(corners[:, 2:] - corners[:, :2], 6)], axis=1)


def overlaps(found: Float, true: Float, over_found: NDArray[np.bool_]) -> Float:
    """Return [..., D, G]: intersection over union of boxes [D, 4] and [G, 4] given as (x, y, width, height).

    Where `over_found` [..., G] holds, it is intersection over the area of the found box, as COCO does for crowds.
    """
    low = np.maximum(found[:, None, :2], true[None, :, :2])
    high = np.minimum(found[:, None, :2] + found[:, None, 2:], true[None, :, :2] + true[None, :, 2:])
    sides = high - low
    shared = np.where((sides > 0).all(axis=2), sides[..., 0] * sides[..., 1], 0.0)
    area, true_area = found[:, 2] * found[:, 3], true[:, 2] * true[:, 3]
    whole = np.where(over_found[..., None, :], area[:, None], area[:, None] + true_area - shared)
    return np.asarray(np.divide(shared, whole, out=np.zeros_like(whole), where=shared > 0))
