"""Average precision at 101 recalls, as COCO defines it, quick enough for a thousand resamples of frames."""

from collections.abc import Sequence
from typing import Final, final

import numpy as np

from edgecnn.metrics.boxes import Float
from edgecnn.metrics.matching import Matched
from edgecnn.metrics.metric import Weights
from edgecnn.metrics.pool import Pool

IOU_THRESHOLDS: Final = tuple(np.linspace(0.5, 0.95, 10).tolist())
RECALLS: Final = np.linspace(0.0, 1.0, 101)


@final
class PrecisionPool:
    """Found objects of one class in all frames, under settings that differ by the IoU threshold alone.

    Most found objects are wrong at every threshold alike. They are counted once; the others, near a true object, by
    threshold.

    Args:
        frames: what each frame matched; None where it has neither found nor true objects of the class.
        settings: which of their settings.
    """

    def __init__(self, frames: Sequence[Matched | None], settings: slice = slice(None)) -> None:
        self.pool = Pool(frames, settings)
        hit, wrong = self.pool.hit, self.pool.wrong
        alike = ~hit.any(axis=0) & (wrong == wrong[:1]).all(axis=0)
        self._near = np.flatnonzero(~alike)
        self._alike_wrong = np.where(alike, wrong[:1], 0)[0] if len(wrong) else np.zeros(0, np.int32)
        self._hit, self._wrong = hit[:, self._near], wrong[:, self._near]
        self._places = [np.flatnonzero(row) for row in self._hit]
        self._near_frames = self.pool.frames[self._near]

    def average_precision(self, weights: Weights) -> Float:
        """Return float64 [S]: the mean precision at recalls 0, 0.01, ... 1; NaN where no true object counts.

        The precision at a recall is the best one at that recall or beyond, and 0 at recalls that are never reached.
        """
        wanted = self.pool.wanted(weights)
        found = np.full(len(wanted), np.nan)
        if not wanted.any():
            return found
        weight = weights.astype(np.int32)
        alike = np.cumsum(self._alike_wrong * weight[self.pool.frames])[self._near]
        near = weight[self._near_frames]
        right = np.cumsum(self._hit * near, axis=1)
        wrong = np.cumsum(self._wrong * near, axis=1) + alike
        for s, count in enumerate(wanted.tolist()):
            # Precision rises only where a true object is found, so that nothing lies between these places.
            tp, fp = right[s, self._places[s]], wrong[s, self._places[s]]
            precision = tp / (fp + tp + np.spacing(1.0))
            envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
            found[s] = envelope[np.searchsorted(tp / count, RECALLS, side="left")].mean() if count else np.nan
        return found

    def recall(self, weights: Weights, most: int) -> Float:
        """Return float64 [S]: the share of true objects found with at most `most` found ones a frame."""
        wanted = self.pool.wanted(weights)
        near = np.where(self.pool.ranks[self._near] < most, weights[self._near_frames], 0)
        return np.asarray(np.divide(self._hit @ near, wanted, out=np.full(len(wanted), np.nan), where=wanted > 0))
