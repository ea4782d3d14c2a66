"""Curves of a detector: miss rate over false positives per image, precision over recall."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from edgecnn.core.eval_evidence import Curve
from edgecnn.metrics.average_precision import IOU_THRESHOLDS
from edgecnn.metrics.boxes import Float
from edgecnn.metrics.metric import Weights
from edgecnn.metrics.miss_rate import RANGES
from edgecnn.metrics.people import FrameScore
from edgecnn.metrics.pool import Pool
from edgecnn.verify.evaluation.fitting import Judged

POINTS: Final = 120
MISS_RATE, PRECISION = "miss_rate", "precision"
_FEWEST_FPPI, _MOST_FPPI = 1e-3, 10.0
_MOST_CLASSES: Final = 4


def curves(judged: Sequence[Judged]) -> tuple[Curve, ...]:
    """Return the curves of what `people` judged: a range each, and at IoU 0.5 and 0.75 a class each."""
    people = next((one for one in judged if one.metric.name == "people"), None)
    if people is None:
        return ()
    scores: list[FrameScore] = list(people.scores)
    weights = np.ones(len(scores), np.int64)
    return (*_miss_rates(scores, weights), *_precisions(scores, weights))


def _miss_rates(scores: Sequence[FrameScore], weights: Weights) -> list[Curve]:
    pool = Pool([score.ranges for score in scores])
    wanted = pool.wanted(weights)
    right, wrong = pool.counts(weights)
    grid = np.geomspace(_FEWEST_FPPI, _MOST_FPPI, POINTS)
    found = []
    for s, name in enumerate(RANGES):
        if not wanted[s]:
            continue
        recall = np.append(0.0, right[s] / wanted[s])
        at = np.searchsorted(wrong[s] / len(scores), grid, side="right")
        # A curve ends where the detector has no more to say.
        end = int(np.searchsorted(grid, (wrong[s, -1] if wrong.shape[1] else 0) / len(scores), side="right")) + 1
        found.append(_curve(MISS_RATE, name, grid[:end], 1.0 - recall[at[:end]]))
    return found


def _precisions(scores: Sequence[FrameScore], weights: Weights) -> list[Curve]:
    names = dict.fromkeys(name for score in scores for name in score.classes)
    pools = {name: Pool([score.classes.get(name) for score in scores]) for name in names}
    counted = {name: int(pool.wanted(weights)[0]) for name, pool in pools.items()}
    shown = sorted((name for name in counted if counted[name]), key=lambda name: -counted[name])[:_MOST_CLASSES]
    found = []
    for name in shown:
        for setting in (0, 5) if len(shown) == 1 else (0,):
            right, wrong = pools[name].counts(weights)
            places = np.flatnonzero(pools[name].hit[setting])
            tp, fp = right[setting, places], wrong[setting, places]
            envelope = np.maximum.accumulate((tp / np.maximum(tp + fp, 1))[::-1])[::-1]
            kept = np.unique(np.linspace(0, len(places) - 1, min(POINTS, len(places))).astype(int))
            title = f"{name}, IoU {IOU_THRESHOLDS[setting]:g}"
            found.append(_curve(PRECISION, title, tp[kept] / counted[name], envelope[kept]))
    return found


def _curve(kind: str, name: str, x: Float, y: Float) -> Curve:
    return Curve(kind, name, tuple(np.round(x, 6).tolist()), tuple(np.round(y, 6).tolist()))
