"""CULane's F1 of lane lines, as its published evaluator counts (XingangPan/SCNN, tools/lane_evaluation).

Both lines of a pair are drawn 30 pixels wide on a picture of 1640 x 590 along a natural cubic spline over the chord
length (50 samples a segment, and the last point); lines of two points are straight. Pairs are assigned for the greatest
sum of their IoU, and those above 0.5 are right. Kept of it: single precision points, rounding to whole pixels before
drawing, and the assignment's tolerance of 0.01, which now and then prefers a worse sum. A line of fewer than two points
matches nothing and still counts. Where two neighbouring points are one and the same the published evaluator divides by
zero; here they count once.

What its own defaults are (10 pixels, 0.4, 1920 x 1080) is not what figures are published with: those above are.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Lanes
from edgecnn.metrics.assignment import assign
from edgecnn.metrics.boxes import Float, decimals
from edgecnn.metrics.metric import Totals, Weights
from edgecnn.metrics.people import shares

SAMPLES: Final = 50
TOLERANCE: Final = 0.01

Points = NDArray[np.float32]


class FrameScore(NamedTuple):
    """Lines of one frame that were found, found where none is, and missed."""

    right: int
    wrong: int
    missed: int


class CULane:
    """`Lanes` judged as CULane does, in pixels of its frames (other sizes are scaled to them).

    Args:
        line_width: of the drawn lines in pixels.
        threshold: IoU above which a pair is right.
        width, height: of the picture that is drawn on.
    """

    name = "culane"
    higher_is_better = {  # noqa: RUF012 - a constant
        "f1": True,
        "precision": True,
        "recall": True,
        "false_lines": False,
    }

    def __init__(self, line_width: int = 30, threshold: float = 0.5, width: int = 1640, height: int = 590) -> None:
        self.line_width, self.threshold = line_width, threshold
        self.width, self.height = width, height

    def score(self, prediction: Lanes, truth: Lanes) -> FrameScore:
        """Return the lines of one frame that are right, wrong and missed."""
        found, true = self._points(prediction), self._points(truth)
        if not found or not true:
            return FrameScore(0, len(found), len(true))
        similarity = self._similarity(true, found)
        pairs = assign(similarity, TOLERANCE)
        right = sum(int(similarity[i, j] > self.threshold) for i, j in enumerate(pairs) if j >= 0)
        return FrameScore(right, len(found) - right, len(true) - right)

    def totals(self, scores: Sequence[FrameScore]) -> dict[str, float]:
        """Return f1, precision and recall over all frames' lines together, and false_lines: how many a frame are wrong.

        Those with nothing to divide are NaN. Frames of a crossroad have no lines: there the published figure is the
        number of wrong ones, false_lines times the number of frames.
        """
        return self.weighted(scores)(np.ones(len(scores), np.int64))

    def weighted(self, scores: Sequence[FrameScore], only: Collection[str] = ()) -> Totals:  # noqa: ARG002 - all are cheap
        """Return what gives the totals when frame i counts `weights[i]` times."""
        counts = np.array(scores, np.int64).reshape(-1, 3)

        def totals(weights: Weights) -> dict[str, float]:
            right, wrong, missed = (weights @ counts).tolist()
            found = shares(right, wrong, missed)
            return {name: found[name] for name in ("f1", "precision", "recall")} | {
                "false_lines": wrong / int(weights.sum())
            }

        return totals

    def _points(self, lanes: Lanes) -> list[Points]:
        """Return the lines in pixels of the drawing, from the bottom up as CULane lists them."""
        scale = np.array([self.width / lanes.width, self.height / lanes.height])
        return [(decimals(line)[::-1] * scale).astype(np.float32) for line in lanes.lines]

    def _similarity(self, true: Sequence[Points], found: Sequence[Points]) -> Float:
        drawn = [[self._drawn(line) for line in lines] for lines in (true, found)]
        area = [[int(np.count_nonzero(one)) for one in lines] for lines in drawn]
        similarity = np.zeros((len(true), len(found)))
        for i, one in enumerate(drawn[0]):
            for j, other in enumerate(drawn[1]):
                shared = int(np.count_nonzero(one & other))
                if shared:
                    similarity[i, j] = shared / (area[0][i] + area[1][j] - shared)
        return similarity

    def _drawn(self, line: Points) -> NDArray[np.uint8]:
        canvas = np.zeros((self.height, self.width), np.uint8)
        if len(line) < 2:
            return canvas
        # Far beyond the frame nothing is seen, and OpenCV's own arithmetic would overflow.
        corners = np.clip(np.rint(spline(line)), -(2**15), 2**15).astype(np.int32)
        cv2.polylines(canvas, [corners], isClosed=False, color=1, thickness=self.line_width)
        return canvas


def spline(line: Points) -> Points:
    """Return a line's natural cubic spline over the chord length, `SAMPLES` points a segment and the last one."""
    kept = np.append(True, (np.diff(line, axis=0) != 0).any(axis=1))
    line = line[kept]
    if len(line) < 3:
        return line
    step = np.diff(line, axis=0).astype(np.float64)
    length = np.sqrt((step**2).sum(axis=1))[:, None]
    slope = step / length
    bend = np.zeros(line.shape)
    bend[1:-1] = _tridiagonal(
        length[:-1, 0], 2 * (length[:-1] + length[1:])[:, 0], length[1:, 0], 6 * np.diff(slope, axis=0)
    )
    linear = slope - length * (2 * bend[:-1] + bend[1:]) / 6
    cubic = np.diff(bend, axis=0) / (6 * length)
    along = (length / SAMPLES)[:, None] * np.arange(SAMPLES)[None, :, None]
    points = line[:-1, None] + linear[:, None] * along + bend[:-1, None] / 2 * along**2 + cubic[:, None] * along**3
    return np.concatenate([points.reshape(-1, 2).astype(np.float32), line[-1:]])


def _tridiagonal(below: Float, middle: Float, above: Float, right: Float) -> Float:
    """Return the solution [n, k] of a system with three diagonals, by Thomas' elimination."""
    count = len(middle)
    above, right = above.copy(), right.copy()
    for i in range(count):
        pivot = middle[i] - (below[i] * above[i - 1] if i else 0.0)
        above[i] /= pivot
        right[i] = (right[i] - (below[i] * right[i - 1] if i else 0.0)) / pivot
    for i in range(count - 2, -1, -1):
        right[i] -= above[i] * right[i + 1]
    return right


def printed(right: int, wrong: int, missed: int) -> tuple[float, float, float]:
    """Return (precision, recall, F) as the published program prints them.

    Precision is -1 without found lines and recall -1 without true ones; F follows from both, so that it is NaN where
    nothing is right though both are there, and 0 or -1 where one or both are missing.
    """
    precision = right / (right + wrong) if right + wrong else -1.0
    recall = right / (right + missed) if right + missed else -1.0
    together = precision + recall
    return precision, recall, 2 * precision * recall / together if together else float("nan")
