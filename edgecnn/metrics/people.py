"""How well people are found: COCO's average precision, MR^-2 of CityPersons, and what the robot sees at its threshold.

`ap` and `ap50` are COCO's (`metrics/coco.py`), `mr_*` CityPersons' (`metrics/miss_rate.py`), of the very same found
objects. `recall`, `precision` and `f1` are at IoU 0.5 and count only what was found with `min_score` or more, all
classes together: curves need the many weak finds that a codec hands on, a robot acts on the sure ones.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from edgecnn.core.results import Detections
from edgecnn.metrics.average_precision import PrecisionPool
from edgecnn.metrics.coco import AREAS, match_classes
from edgecnn.metrics.matching import Matched
from edgecnn.metrics.metric import Totals, Weights
from edgecnn.metrics.miss_rate import RANGES, MissRate, match_ranges, miss_rates
from edgecnn.metrics.pool import Pool

MIN_SCORE: Final = 0.3
_ALL: Final = (AREAS[""],)


class FrameScore(NamedTuple):
    """One frame: what was found by class at each IoU threshold, in MR's ranges, and right, wrong and missed ones."""

    classes: Mapping[str, Matched]
    ranges: Matched
    counts: tuple[int, int, int]


class People:
    """`Detections` of people judged against labels.

    Args:
        min_score: least score of a found object that recall, precision and f1 count.
    """

    name = "people"
    higher_is_better = {  # noqa: RUF012 - a constant
        **dict.fromkeys(("ap50", "ap", "recall", "precision", "f1"), True),
        **dict.fromkeys((f"mr_{name}" for name in RANGES), False),
    }

    def __init__(self, min_score: float = MIN_SCORE) -> None:
        self.min_score = min_score

    def score(self, prediction: Detections, truth: Detections) -> FrameScore:
        """Return what of one frame was found."""
        classes = match_classes(prediction, truth, _ALL)
        return FrameScore(classes, match_ranges(prediction, truth), self._counts(classes))

    def totals(self, scores: Sequence[FrameScore]) -> dict[str, float]:
        """Return ap50, ap, mr_reasonable, mr_small, mr_heavy, mr_all, recall, precision and f1, all 0 to 1.

        Those of which the frames hold nothing are NaN: recalls and averages without people, precision without finds.
        """
        return self.weighted(scores)(np.ones(len(scores), np.int64))

    def weighted(self, scores: Sequence[FrameScore], only: Collection[str] = ()) -> Totals:
        """Return what gives the totals when frame i counts `weights[i]` times; averages are made where asked for."""
        wanted = set(only or self.higher_is_better)
        names = dict.fromkeys(name for score in scores for name in score.classes)
        thresholds = slice(None) if "ap" in wanted else slice(1)
        pools = [PrecisionPool([score.classes.get(name) for score in scores], thresholds) for name in names]
        ranges = Pool([score.ranges for score in scores])
        counts = np.array([score.counts for score in scores], np.int64).reshape(-1, 3)

        def totals(weights: Weights) -> dict[str, float]:
            found = shares(*(weights @ counts).tolist())
            if not wanted.isdisjoint({"ap", "ap50"}):
                found |= _averages(pools, weights)
            if not wanted.isdisjoint(MissRate.higher_is_better):
                found |= miss_rates(ranges, weights)
            return {name: found[name] for name in self.higher_is_better if name in found}

        return totals

    def _counts(self, classes: Mapping[str, Matched]) -> tuple[int, int, int]:
        right = wrong = wanted = 0
        for matched in classes.values():
            sure = (matched.scores >= self.min_score) & ~matched.out[0]
            right += int((sure & matched.hit[0]).sum())
            wrong += int((sure & ~matched.hit[0]).sum())
            wanted += int(matched.wanted[0])
        return right, wrong, wanted - right


def _averages(pools: Sequence[PrecisionPool], weights: Weights) -> dict[str, float]:
    """Return ap50, and ap where all IoU thresholds are judged: means over the classes that have objects."""
    by_class = [pool.average_precision(weights) for pool in pools]
    known = np.array([values for values in by_class if not np.isnan(values[0])])
    found = {"ap50": float(known[:, 0].mean()) if len(known) else float("nan")}
    if not by_class or len(by_class[0]) > 1:
        found["ap"] = float(known.mean()) if len(known) else float("nan")
    return found


def shares(right: int, wrong: int, missed: int) -> dict[str, float]:
    """Return recall, precision and f1 = 2 right / (2 right + wrong + missed); NaN where there is nothing to divide."""

    def share(part: int, whole: int) -> float:
        return part / whole if whole else float("nan")

    return {
        "recall": share(right, right + missed),
        "precision": share(right, right + wrong),
        "f1": share(2 * right, 2 * right + wrong + missed),
    }
