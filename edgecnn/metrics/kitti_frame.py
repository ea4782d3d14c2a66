"""One frame by KITTI's rules: what is right and wrong at every score threshold, told as changes between them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgecnn.metrics.boxes import Float

Bool = NDArray[np.bool_]


class Events(NamedTuple):
    """One class and difficulty in one frame.

    Attributes:
        scores: float64 [E], falling: scores at which something changes.
        changes: int64 [E, 2], right and wrong ones that come with each.
        taken: float64 [V], scores of the right finds that the recall steps are made of.
        wanted: true objects that count.
    """

    scores: Float
    changes: NDArray[np.int64]
    taken: Float
    wanted: int


def frame_events(
    boxes: Float, scores: Float, low: Bool, true: Float, counts: Bool, regions: Float, least: float
) -> Events:
    """Return the events of one frame.

    Args:
        boxes: found ones [D, 4] as (x1, y1, x2, y2), of the class, or lower than the difficulty allows.
        scores: theirs.
        low: bool [D], which of them are too low to be judged.
        true: boxes [G, 4] of the class or its neighbour, in the order of the label file.
        counts: bool [G], which of them have to be found.
        regions: boxes [R, 4] of DontCare regions.
        least: overlap that must be exceeded.
    """
    overlap = _overlaps(boxes, true, over_found=False)
    inside = (_overlaps(boxes, regions, over_found=True) > least).any(axis=1)
    # What overlaps no object is wrong from its score on, whatever else is found.
    beside = ~(overlap > least).any(axis=1)
    free = beside & ~low & ~inside
    excused = np.asarray(inside | beside)
    cuts = np.unique(scores[~beside])[::-1]
    counted = np.array([_counts(overlap, scores >= cut, low, counts, excused, least) for cut in cuts], np.int64)
    steps = np.diff(counted.reshape(-1, 2), axis=0, prepend=np.zeros((1, 2), np.int64))
    events = np.concatenate([cuts, scores[free]])
    changes = np.concatenate([steps, np.tile(np.array([[0, 1]]), (int(free.sum()), 1))])
    order = np.argsort(-events, kind="stable")
    return Events(events[order], changes[order], _taken(overlap, scores, low, counts, least), int(counts.sum()))


def _counts(overlap: Float, sure: Bool, low: Bool, counts: Bool, excused: Bool, least: float) -> tuple[int, int]:
    """Return (right, wrong) among the found boxes that are `sure`; `excused` ones are never wrong."""
    free = sure.copy()
    right = 0
    for g in range(overlap.shape[1]):
        near = free & (overlap[:, g] > least)
        tall = near & ~low
        if tall.any():
            d = int(np.argmax(np.where(tall, overlap[:, g], -1.0)))
        elif near.any():
            d = int(np.argmax(near))
        else:
            continue
        free[d] = False
        right += int(counts[g] and not low[d])
    return right, int((free & ~low & ~excused).sum())


def _taken(overlap: Float, scores: Float, low: Bool, counts: Bool, least: float) -> Float:
    """Return the scores of right finds where each object takes the best scored box rather than the best fitting."""
    free = np.ones(len(scores), bool)
    taken = []
    for g in range(overlap.shape[1]):
        near = free & (overlap[:, g] > least)
        if not near.any():
            continue
        d = int(np.argmax(np.where(near, scores, -np.inf)))
        free[d] = False
        if counts[g] and not low[d]:
            taken.append(scores[d])
    return np.array(taken, np.float64)


def _overlaps(found: Float, true: Float, *, over_found: bool) -> Float:
    """Return [D, G]: intersection over union of corner boxes, or over the found box's area."""
    sides = np.minimum(found[:, None, 2:], true[None, :, 2:]) - np.maximum(found[:, None, :2], true[None, :, :2])
    shared = np.where((sides > 0).all(axis=2), sides[..., 0] * sides[..., 1], 0.0)
    area, true_area = ((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) for box in (found, true))
    whole = area[:, None] + (0 * true_area if over_found else true_area - shared)
    return np.asarray(np.divide(shared, whole, out=np.zeros_like(shared), where=shared > 0))
