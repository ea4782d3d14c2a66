"""Log-average miss rate of pedestrian detection (MR^-2), as Caltech and CityPersons judge it.

Dollar et al., Pedestrian Detection: An Evaluation of the State of the Art, PAMI 2012; Zhang et al., CityPersons,
CVPR 2017. Kept of the published evaluators: objects outside the range of heights or visibilities are ignored, limits
included; an ignored object is matched by intersection over the found box's area, any number of times, and only by what
matches none that counts; found objects count from 1/1.25 of the least height to below 1.25 times the greatest; the
miss rate is averaged in logarithms, unclamped, so that one miss rate of 0 makes the average 0.

Below the first false positive per image that a detector has, CityPersons' Python port reads the recall at the far end
of the curve. This follows the Matlab original: nothing is found there, the miss rate is 1. The two differ only where
the best scored of all detections are false.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import numpy as np

from edgecnn.core.results import Detections
from edgecnn.metrics.boxes import Float, overlaps, xywh
from edgecnn.metrics.matching import Bool, Matched, by_class, greedy
from edgecnn.metrics.metric import Totals, Weights
from edgecnn.metrics.pool import Pool

FPPI: Final = np.array([0.01, 0.0178, 0.0316, 0.0562, 0.1, 0.1778, 0.3162, 0.5623, 1.0])
"""False positives per image at which the miss rate is read: 10^-2 to 1 in steps of 10^0.25, as CityPersons rounds."""
MOST: Final = 1000
EXPANDED: Final = 1.25
IOU: Final = 0.5


class Range(NamedTuple):
    """Which objects count: heights in pixels and visible shares of the box's area, limits included."""

    height: tuple[float, float]
    visibility: tuple[float, float]


RANGES: Final = {
    "reasonable": Range((50.0, 1e10), (0.65, 1e10)),
    "small": Range((50.0, 75.0), (0.65, 1e10)),
    "heavy": Range((50.0, 1e10), (0.2, 0.65)),
    "all": Range((20.0, 1e10), (0.2, 1e10)),
}


class MissRate:
    """`Detections` judged by MR^-2 in the four ranges of CityPersons; classes are matched among themselves."""

    name = "miss_rate"
    higher_is_better = dict.fromkeys((f"mr_{name}" for name in RANGES), False)

    def score(self, prediction: Detections, truth: Detections) -> Matched:
        """Return what of one frame was found, in the order of `RANGES`."""
        return match_ranges(prediction, truth)

    def totals(self, scores: Sequence[Matched]) -> dict[str, float]:
        """Return mr_reasonable, mr_small, mr_heavy, mr_all; NaN where no object is in the range (published: -1)."""
        return self.weighted(scores)(np.ones(len(scores), np.int64))

    def weighted(self, scores: Sequence[Matched], only: Collection[str] = ()) -> Totals:  # noqa: ARG002 - all are cheap
        """Return what gives the totals when frame i counts `weights[i]` times."""
        pool = Pool(scores)
        return lambda weights: miss_rates(pool, weights)


def match_ranges(found: Detections, true: Detections) -> Matched:
    """Return what was found of all classes together, one setting for each of `RANGES`."""
    boxes, true_boxes, seen = xywh(found), xywh(true), visibility(true)
    parts = [
        _match(boxes[places], found.scores[places].astype(np.float64), true_boxes[own], seen[own], true.ignored[own])
        for _, places, own in by_class(found, true)
    ]
    none = np.zeros((len(RANGES), 0), bool)
    scores = np.concatenate([part.scores for part in parts] or [np.zeros(0)])
    order = np.argsort(-scores, kind="stable")
    return Matched(
        scores[order],
        np.concatenate([part.hit for part in parts] or [none], axis=1)[:, order],
        np.concatenate([part.out for part in parts] or [none], axis=1)[:, order],
        np.asarray(sum((part.wanted for part in parts), np.zeros(len(RANGES), np.int64))),
    )


def visibility(true: Detections) -> Float:
    """Return float64 [N]: visible share of each object, from its visible box or as the label states it (vis_ratio)."""
    seen = true.visibility.copy()
    if not len(true.visible):
        for i, told in enumerate(true.attributes):
            if "vis_ratio" in told:
                seen[i] = float(told["vis_ratio"])
    return seen


def miss_rates(pool: Pool, weights: Weights) -> dict[str, float]:
    """Return MR^-2 of each range over the frames of a pool made of `match_ranges`."""
    wanted, images = pool.wanted(weights), int(weights.sum())
    right, wrong = pool.counts(weights)
    found = {}
    for s, name in enumerate(RANGES):
        recall = np.append(0.0, right[s] / max(int(wanted[s]), 1))
        # The last place at which no more than the given false positives per image have come up; before all: nothing.
        at = np.searchsorted(wrong[s] / images, FPPI, side="right")
        found[f"mr_{name}"] = log_average(1.0 - recall[at]) if wanted[s] else float("nan")
    return found


def log_average(misses: Float) -> float:
    """Return exp of the mean logarithm; 0 where one value is 0."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(misses).mean()))


def _match(boxes: Float, scores: Float, true: Float, seen: Float, ignore: Bool) -> Matched:
    boxes, scores = boxes[:MOST], scores[:MOST]
    height, true_height = boxes[:, 3], true[:, 3]
    low, high = np.array([one.height for one in RANGES.values()]).T[:, :, None]
    least, most = np.array([one.visibility for one in RANGES.values()]).T[:, :, None]
    ignored = ignore | (true_height < low) | (true_height > high) | (seen < least) | (seen > most)
    active = (height >= low / EXPANDED) & (height < high * EXPANDED)
    taken = greedy(overlaps(boxes, true, ignored), ignored, ignored, (IOU,), active)[:, 0]
    hit = taken >= 0
    on_ignored = ignored[np.arange(len(ignored))[:, None], taken] if len(true) else np.zeros(taken.shape, bool)
    return Matched(scores, hit, ~active | (hit & on_ignored), (~ignored).sum(axis=1))
