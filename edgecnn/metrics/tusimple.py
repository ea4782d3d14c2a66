"""TuSimple lane accuracy, FP and FN, exact to the published evaluator (TuSimple/tusimple-benchmark, lane.py).

Its peculiarities are kept: absent rows match absent rows; one prediction may match two truths, so FP can be negative;
a frame with more than two lines too many scores (0, 0, 1); with more than four true lines the worst is forgiven.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Lanes, x_at
from edgecnn.metrics.metric import Totals

PIXEL_THRESHOLD, MATCH_THRESHOLD, MAX_RUN_TIME_MS = 20.0, 0.85, 200.0
REFERENCE_WIDTH, REFERENCE_HEIGHT = 1280, 720
ABSENT = -2.0

Columns = NDArray[np.float64]


class FrameScore(NamedTuple):
    """One frame's accuracy, false positive rate and false negative rate."""

    accuracy: float
    fp: float
    fn: float


class TuSimple:
    """`Lanes` judged at the truth's own rows, in pixels of a 1280x720 frame (other sizes are scaled to it)."""

    name = "tusimple"
    higher_is_better = {"accuracy": True, "fp": False, "fn": False, "f1": True}  # noqa: RUF012 - a constant

    def score(self, prediction: Lanes, truth: Lanes) -> FrameScore:
        """Return the score of one frame; `truth.rows` are the h_samples, in pixels of the truth's frame."""
        found = [columns(line, truth.rows * (prediction.height / truth.height)) for line in prediction.lines]
        found = [np.where(x >= 0, x * (REFERENCE_WIDTH / prediction.width), ABSENT) for x in found]
        true = [columns(line, truth.rows) for line in truth.lines]
        true = [np.where(x >= 0, x * (REFERENCE_WIDTH / truth.width), ABSENT) for x in true]
        return frame_score(found, true, truth.rows.astype(np.float64) * (REFERENCE_HEIGHT / truth.height))

    def totals(self, scores: Sequence[FrameScore]) -> dict[str, float]:
        """Return means of accuracy, fp and fn over frames, and f1: the harmonic mean of 1 - fp and 1 - fn."""
        return _figures(np.mean(np.asarray(scores, np.float64), 0))

    def weighted(self, scores: Sequence[FrameScore], only: Collection[str] = ()) -> Totals:  # noqa: ARG002 - all are cheap
        """Return what gives the totals when frame i counts `weights[i]` times."""
        table = np.asarray(scores, np.float64).reshape(-1, 3)
        return lambda weights: _figures(weights @ table / (weights.sum() or np.nan))


def _figures(means: Columns) -> dict[str, float]:
    accuracy, fp, fn = means.tolist()
    precision, recall = 1 - fp, 1 - fn
    f1 = 0.0 if precision + recall <= 0 else 2 * precision * recall / (precision + recall)
    return {"accuracy": accuracy, "fp": fp, "fn": fn, "f1": f1}


def columns(line: NDArray[np.float32], rows: NDArray[np.float32]) -> Columns:
    """Return the line's x at each of `rows`, `ABSENT` beyond its ends (as `x_at` sees them)."""
    x = x_at(line, rows)
    return np.where(np.isnan(x), ABSENT, x)


def frame_score(
    found: Sequence[Columns], true: Sequence[Columns], rows: Columns, run_time_ms: float = 0.0
) -> FrameScore:
    """Return one frame's score from columns at `rows` (negative: absent), as `LaneEval.bench`."""
    if run_time_ms > MAX_RUN_TIME_MS or len(found) > len(true) + 2:
        return FrameScore(0.0, 0.0, 1.0)
    best = [
        max((line_accuracy(x, t, PIXEL_THRESHOLD / np.cos(_angle(t, rows))) for x in found), default=0.0) for t in true
    ]
    matched = sum(value >= MATCH_THRESHOLD for value in best)
    missed = len(best) - matched
    fp = len(found) - matched
    total = sum(best)
    if len(true) > 4:
        missed -= missed > 0
        total -= min(best)
    counted = max(min(4.0, len(true)), 1.0)
    return FrameScore(float(total / counted), fp / len(found) if found else 0.0, missed / counted)


def line_accuracy(found: Columns, true: Columns, threshold: float) -> float:
    """Return the share of rows at which both lie within `threshold` pixels; absent counts as x = -100 on both sides."""
    found, true = np.where(found >= 0, found, -100.0), np.where(true >= 0, true, -100.0)
    return float(np.mean(np.abs(found - true) < threshold))


def _angle(true: Columns, rows: Columns) -> float:
    """Return the angle of a line from the vertical: arctan of the least-squares slope dx/dy of its present points."""
    present = true >= 0
    if present.sum() <= 1:
        return 0.0
    y, x = rows[present], true[present]
    spread = y - y.mean()
    return float(np.arctan((spread * (x - x.mean())).sum() / (spread**2).sum()))
