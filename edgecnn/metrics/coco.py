"""COCO's average precision and recall of boxes, equal to pycocotools' (github.com/cocodataset/cocoapi).

Kept of it: crowds (here: every ignored object) are matched by intersection over the found box's area and any number of
times; an object outside the size range is ignored, and so is a found one outside it that matches nothing; the size is
the area that the label states (COCO: of the mask) or the box's; of a class 100 found objects a frame count. A class
without objects has no average and is left out.
"""

from collections.abc import Collection, Sequence
from typing import Final, TypeAlias

import numpy as np

from edgecnn.core.results import Detections
from edgecnn.metrics.average_precision import IOU_THRESHOLDS, PrecisionPool
from edgecnn.metrics.boxes import Float, overlaps, xywh
from edgecnn.metrics.matching import Bool, Int, Matched, by_class, greedy
from edgecnn.metrics.metric import Totals, Weights

AREAS: Final = {"": (0.0, 1e10), "_small": (0.0, 32.0**2), "_medium": (32.0**2, 96.0**2), "_large": (96.0**2, 1e10)}
MOST: Final = 100
FIGURES: Final = (
    *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    *("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"),
)
_THRESHOLDS: Final = len(IOU_THRESHOLDS)
_AREA_SETTINGS: Final = tuple(slice(a * _THRESHOLDS, (a + 1) * _THRESHOLDS) for a in range(len(AREAS)))

FrameScore: TypeAlias = dict[str, Matched]


class Coco:
    """`Detections` judged as COCO does: twelve figures, means over the classes."""

    name = "coco"
    higher_is_better = dict.fromkeys(FIGURES, True)

    def score(self, prediction: Detections, truth: Detections) -> FrameScore:
        """Return by class what of one frame was found."""
        return match_classes(prediction, truth, tuple(AREAS.values()))

    def totals(self, scores: Sequence[FrameScore]) -> dict[str, float]:
        """Return ap (IoU 0.5 to 0.95), ap50, ap75, ap by size; ar1, ar10, ar100 (at most so many a frame), ar by size.

        NaN stands where pycocotools has -1: no object of the kind.
        """
        return self.weighted(scores)(np.ones(len(scores), np.int64))

    def weighted(self, scores: Sequence[FrameScore], only: Collection[str] = ()) -> Totals:  # noqa: ARG002 - rarely asked for alone
        """Return what gives the totals when frame i counts `weights[i]` times."""
        names = dict.fromkeys(name for score in scores for name in score)
        pools = [
            [PrecisionPool([score.get(name) for score in scores], area) for area in _AREA_SETTINGS] for name in names
        ]
        return lambda weights: _figures(pools, weights)


def match_classes(found: Detections, true: Detections, areas: Sequence[tuple[float, float]]) -> FrameScore:
    """Return by class what was found, settings in the order (area range, IoU threshold) with the latter the faster."""
    matched = {}
    boxes, true_boxes, stated = xywh(found), xywh(true), stated_areas(true)
    for name, places, true_places in by_class(found, true):
        kept = places[:MOST]
        matched[name] = _match(
            boxes[kept],
            found.scores[kept].astype(np.float64),
            true_boxes[true_places],
            stated[true_places],
            true.ignored[true_places],
            np.asarray(areas, np.float64),
        )
    return matched


def stated_areas(true: Detections) -> Float:
    """Return float64 [N]: the area each label states, in square pixels, or its box's."""
    area = xywh(true)[:, 2:].prod(axis=1)
    for i, told in enumerate(true.attributes):
        if "area" in told:
            area[i] = float(told["area"])
    return np.asarray(area)


def _match(boxes: Float, scores: Float, true: Float, stated: Float, crowd: Bool, areas: Float) -> Matched:
    low, high = areas[:, :1], areas[:, 1:]
    ignored = crowd | (stated < low) | (stated > high)
    many = np.broadcast_to(crowd, ignored.shape)
    overlap = np.broadcast_to(overlaps(boxes, true, crowd), (len(areas), len(boxes), len(true)))
    taken = greedy(overlap, ignored, many, IOU_THRESHOLDS, np.ones((len(areas), len(boxes)), bool))
    area = boxes[:, 2] * boxes[:, 3]
    outside = ((area < low) | (area > high))[:, None, :]
    hit = taken >= 0
    out = np.where(hit, _of(ignored, taken), outside)
    shape = (len(areas) * _THRESHOLDS, len(boxes))
    wanted = np.repeat((~ignored).sum(axis=1), _THRESHOLDS)
    return Matched(scores, hit.reshape(shape), out.reshape(shape), wanted)


def _of(ignored: Bool, taken: Int) -> Bool:
    """Return bool [A, T, D]: whether the true object that each found one takes is ignored."""
    if not ignored.shape[1]:
        return np.zeros(taken.shape, bool)
    return ignored[np.arange(len(ignored))[:, None, None], taken]


def _figures(pools: Sequence[Sequence[PrecisionPool]], weights: Weights) -> dict[str, float]:
    """Return the twelve figures from pools by class and area."""
    ap = np.array([[area.average_precision(weights) for area in areas] for areas in pools])
    ap = ap.reshape(-1, len(AREAS), _THRESHOLDS)
    figures = {"ap": _mean(ap[:, 0]), "ap50": _mean(ap[:, 0, 0]), "ap75": _mean(ap[:, 0, 5])}
    figures |= {f"ap{size}": _mean(ap[:, a]) for a, size in enumerate(AREAS) if size}
    for most in (1, 10, MOST):
        figures[f"ar{most}"] = _mean(np.array([areas[0].recall(weights, most) for areas in pools]))
    for a, size in enumerate(AREAS):
        if size:
            figures[f"ar{size}"] = _mean(np.array([areas[a].recall(weights, MOST) for areas in pools]))
    return figures


def _mean(values: Float) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
