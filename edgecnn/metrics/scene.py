"""Lane lines and objects of one frame: TuSimple's figures of the former, those of people of the latter.

`figure` is the mean of the two that each task is judged by alone, accuracy and ap50, so that one point lost in either
counts the same. Where frames hold nobody, it is the accuracy.
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
    """One frame's lanes and objects."""

    lanes: tusimple.FrameScore
    objects: people.FrameScore


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
            self._lanes.score(prediction.lanes, truth.lanes), self._objects.score(prediction.objects, truth.objects)
        )

    def totals(self, scores: Sequence[FrameScore]) -> dict[str, float]:
        """Return figure, accuracy, lane_fp, lane_fn, lane_f1 and every figure of `people`."""
        return self.weighted(scores)(np.ones(len(scores), np.int64))

    def weighted(self, scores: Sequence[FrameScore], only: Collection[str] = ()) -> Totals:
        """Return what gives the totals when frame i counts `weights[i]` times."""
        lanes = self._lanes.weighted([score.lanes for score in scores])
        of_people = {*only, "ap50"} if only else ()
        objects = self._objects.weighted([score.objects for score in scores], of_people)

        def totals(weights: Weights) -> dict[str, float]:
            of_lanes, of_objects = lanes(weights), objects(weights)
            figure = float(np.nanmean([of_lanes["accuracy"], of_objects["ap50"]]))
            return {"figure": figure, **{_lane(name): value for name, value in of_lanes.items()}, **of_objects}

        return totals
