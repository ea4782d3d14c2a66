"""KITTI's average precision of boxes in the picture (cvlibs.net, evaluate_object.cpp), at 40 recalls and at 11.

Simonelli et al., arXiv 1905.12365, on why 40. Kept of the published evaluator: an overlap must exceed the threshold
(cars 0.7, pedestrians and cyclists 0.5); objects of a neighbouring class (van, sitting person), too low, too hidden or
too cut off for a difficulty are ignored; so are found boxes lower than its least height, of whatever class, which may
even take a true object out of the count; found ones whose own area lies in a DontCare region by more than the threshold
are no errors; objects choose among found ones in the order of the label file, by overlap for precision and by score for
the thresholds, of which at most 41 are taken at recalls as even as scores allow.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from edgecnn.core.results import Detections
from edgecnn.metrics.boxes import Float, decimals
from edgecnn.metrics.kitti_frame import Events, frame_events
from edgecnn.metrics.metric import Totals, Weights

STEPS: Final = 41
PIXEL_CENTRE: Final = 0.5
"""What readers of KITTI add to its coordinates, which count from the middle of pixels; taken off again, heights are
those that the published evaluator compares, to the last digit."""


class Class(NamedTuple):
    """A class that is judged: its names and its neighbour's, lower case, and the overlap that must be exceeded."""

    names: frozenset[str]
    neighbours: frozenset[str]
    overlap: float


class Difficulty(NamedTuple):
    """Which objects count: least height in pixels, greatest occlusion level, greatest truncation."""

    height: float
    occluded: int
    truncated: float


CLASSES: Final = {
    "car": Class(frozenset({"car"}), frozenset({"van"}), 0.7),
    "pedestrian": Class(frozenset({"pedestrian"}), frozenset({"person_sitting", "sitting person"}), 0.5),
    "cyclist": Class(frozenset({"cyclist", "rider"}), frozenset(), 0.5),
}
DIFFICULTIES: Final = {
    "easy": Difficulty(40.0, 0, 0.15),
    "moderate": Difficulty(25.0, 1, 0.3),
    "hard": Difficulty(25.0, 2, 0.5),
}
DONT_CARE: Final = frozenset({"dontcare", "ignore"})

FrameScore: TypeAlias = dict[tuple[str, str], Events]


class Kitti:
    """`Detections` judged as KITTI does; occlusion and truncation are read from the labels' attributes."""

    name = "kitti"
    higher_is_better = {  # noqa: RUF012 - a constant
        f"{name}_{level}_{form}": True for name in CLASSES for level in DIFFICULTIES for form in ("r40", "r11")
    }

    def score(self, prediction: Detections, truth: Detections) -> FrameScore:
        """Return by class and difficulty what changes with the score threshold in one frame."""
        boxes, true = (np.round(decimals(objects.boxes) - PIXEL_CENTRE, 4) for objects in (prediction, truth))
        names, true_names = (_names(objects) for objects in (prediction, truth))
        occluded, truncated = (_told(truth, key) for key in ("occluded", "truncated"))
        height, true_height = (np.abs(box[:, 3] - box[:, 1]) for box in (boxes, true))
        regions = np.isin(true_names, list(DONT_CARE))
        found = {}
        for name, kind in CLASSES.items():
            own = np.isin(true_names, list(kind.names)) & ~truth.ignored
            near = np.isin(true_names, list(kind.names | kind.neighbours)) & ~own
            for level, least in DIFFICULTIES.items():
                easy = (occluded <= least.occluded) & (truncated <= least.truncated) & (true_height >= least.height)
                low = height < least.height
                takes_part = np.flatnonzero(low | np.isin(names, list(kind.names)))
                wanted = np.flatnonzero(own | near)
                found[name, level] = frame_events(
                    boxes[takes_part],
                    prediction.scores[takes_part].astype(np.float64),
                    low[takes_part],
                    true[wanted],
                    (own & easy)[wanted],
                    true[regions],
                    kind.overlap,
                )
        return found

    def totals(self, scores: Sequence[FrameScore]) -> dict[str, float]:
        """Return `<class>_<difficulty>_r40` and `_r11`, 0 to 1; NaN without objects that count."""
        return self.weighted(scores)(np.ones(len(scores), np.int64))

    def weighted(self, scores: Sequence[FrameScore], only: Collection[str] = ()) -> Totals:  # noqa: ARG002 - all are cheap
        """Return what gives the totals when frame i counts `weights[i]` times."""
        pools = {
            (name, level): _Pool([score[name, level] for score in scores]) for name in CLASSES for level in DIFFICULTIES
        }

        def totals(weights: Weights) -> dict[str, float]:
            figures = {}
            for (name, level), pool in pools.items():
                precision = pool.precision(weights)
                figures[f"{name}_{level}_r40"] = float(precision[1:].mean())
                figures[f"{name}_{level}_r11"] = float(precision[::4].mean())
            return figures

        return totals


class _Pool:
    """Events of all frames in the order of falling score."""

    def __init__(self, frames: Sequence[Events]) -> None:
        self._wanted = np.array([frame.wanted for frame in frames], np.int64)
        scores = np.concatenate([frame.scores for frame in frames])
        order = np.argsort(-scores, kind="stable")
        self._scores = scores[order]
        self._frames = np.repeat(np.arange(len(frames)), [len(frame.scores) for frame in frames])[order]
        self._changes = np.concatenate([frame.changes for frame in frames])[order]
        at = np.concatenate([frame.taken for frame in frames])
        place = np.argsort(-at, kind="stable")
        self._taken = at[place]
        self._taken_frames = np.repeat(np.arange(len(frames)), [len(frame.taken) for frame in frames])[place]

    def precision(self, weights: Weights) -> Float:
        """Return float64 [41]: the best precision at each recall step or beyond."""
        wanted = int(weights @ self._wanted)
        if not wanted:
            return np.full(STEPS, np.nan)
        limits = thresholds(np.repeat(self._taken, weights[self._taken_frames]), wanted)
        counts = np.cumsum(self._changes * weights[self._frames, None], axis=0)
        counts = np.concatenate([np.zeros((1, 2), np.int64), counts])
        right, wrong = counts[np.searchsorted(-self._scores, -limits, side="right")].T
        found = np.zeros(STEPS)
        found[: len(limits)] = np.divide(right, right + wrong, out=np.zeros(len(limits)), where=right + wrong > 0)
        return np.asarray(np.maximum.accumulate(found[::-1])[::-1])


def thresholds(scores: Float, wanted: int) -> Float:
    """Return at most 41 of the falling `scores` of right finds, at which recall comes nearest to multiples of 1/40."""
    taken: list[float] = []
    recall = 0.0
    last = len(scores) - 1
    for i, score in enumerate(scores.tolist()):
        left = (i + 1) / wanted
        right = (i + 2) / wanted if i < last else left
        if right - recall < recall - left and i < last:
            continue
        taken.append(score)
        recall += 1 / (STEPS - 1)
    return np.array(taken[:STEPS])


def _names(objects: Detections) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    named = objects.names
    return np.array([named[i].lower() if 0 <= i < len(named) else "" for i in objects.labels.tolist()], np.str_)


def _told(truth: Detections, key: str) -> Float:
    """Return float64 [N]: what each label says under `key`, 0 where it says nothing."""
    told = [float(one.get(key, 0)) for one in truth.attributes] if truth.attributes else [0.0] * len(truth)
    return np.array(told, np.float64)
