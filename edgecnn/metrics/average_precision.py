"""Average precision at 101 recalls, as COCO defines it."""

from typing import Final

import numpy as np

from edgecnn.metrics.boxes import Float
from edgecnn.metrics.metric import Weights
from edgecnn.metrics.pool import Pool

IOU_THRESHOLDS: Final = tuple(np.linspace(0.5, 0.95, 10).tolist())
RECALLS: Final = np.linspace(0.0, 1.0, 101)


def average_precision(pool: Pool, weights: Weights, settings: slice = slice(None)) -> Float:
    """Return float64 [S]: the mean precision at recalls 0, 0.01, ... 1; NaN where no true object counts.

    The precision at a recall is the best one at that recall or beyond, and 0 at recalls that are never reached.
    """
    wanted = pool.wanted(weights)[settings]
    right, wrong = pool.counts(weights, settings)
    found = np.full(len(wanted), np.nan)
    for s, count in enumerate(wanted.tolist()):
        if count == 0:
            continue
        # Precision rises only where a true object is found, so that nothing lies between these places.
        places = np.flatnonzero(pool.hit[settings][s])
        tp, fp = right[s, places], wrong[s, places]
        precision = tp / (fp + tp + np.spacing(1.0))
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(tp / count, RECALLS, side="left")
        found[s] = np.where(at < len(places), np.append(envelope, 0.0)[at], 0.0).mean()
    return found
