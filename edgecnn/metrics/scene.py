"""Lane lines and objects of one frame: TuSimple's figures of the former, those of people of the latter.

`figure` is the mean of the two that each task is judged by alone, accuracy and ap50, so that one point lost in either
counts the same. Where frames hold nobody, it is the accuracy, where they hold no lane lines, ap50.

TuSimple's evaluator gives a frame without labelled lines, of which its data set has none, an accuracy of 0 whatever is
found. Here such frames (squares, junctions) are left out of the lanes' figures.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from edgecnn.core.results import Scene
from edgecnn.metrics import people, tusimple
from edgecnn.metrics.metric import Totals, Weights


def _lane(name: str) -> str:
    return name if name == "accuracy" else f"lane_{name}"


class FrameScore(NamedTuple):
    """One frame's lanes and objects, and whether its label has lane lines."""

    lanes: tusimple.FrameScore
    objects: people.FrameScore
    lined: bool


class SceneMetric:
    """`Scene` judged by both tasks' metrics; figures keep their names, the lanes' fp, fn and f1 with `lane_` before."""

    name = "scene"
    higher_is_better = {  # noqa: RUF012 - a constant
        "figure": True,
        **{_lane(name): better for name, better in tusimple.TuSimple.higher_is_better.items()},
        **people.People.higher_is_better,
    }

    def __init__(self, min_score: float = people.MIN_SCORE) -> None:
        self._lanes, self._objects = tusimple.TuSimple(), people.People(min_score)

    def score(self, prediction: Scene, truth: Scene) -> FrameScore:
        """Return both scores of one frame."""
        return FrameScore(
            self._lanes.score(prediction.lanes, truth.lanes),
            self._objects.score(prediction.objects, truth.objects),
            bool(truth.lanes.lines),
        )

    def totals(self, scores: Sequence[FrameScore]) -> dict[str, float]:
        """Return figure, accuracy, lane_fp, lane_fn, lane_f1 and every figure of `people`."""
        return self.weighted(scores)(np.ones(len(scores), np.int64))

    def weighted(self, scores: Sequence[FrameScore], only: Collection[str] = ()) -> Totals:
        """Return what gives the totals when frame i counts `weights[i]` times."""
        lanes = self._lanes.weighted([score.lanes for score in scores])
        of_people = {*only, "ap50"} if only else ()
        objects = self._objects.weighted([score.objects for score in scores], of_people)

        lined = np.array([score.lined for score in scores], np.int64)

        def totals(weights: Weights) -> dict[str, float]:
            of_lanes, of_objects = lanes(weights * lined), objects(weights)
            known = [value for value in (of_lanes["accuracy"], of_objects["ap50"]) if not np.isnan(value)]
            figure = float(np.mean(known)) if known else float("nan")
            return {"figure": figure, **{_lane(name): value for name, value in of_lanes.items()}, **of_objects}

        return totals
