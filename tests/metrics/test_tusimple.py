"""TuSimple's figures against the published evaluator's arithmetic, written out as plainly as it stands there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.core.results import Lanes
from edgecnn.metrics.tusimple import TuSimple, frame_score

ROWS = np.arange(160, 720, 10).astype(float)


def plain_bench(pred, gt, rows):
    """Return (accuracy, fp, fn) by the rules of the published evaluator, in plain Python."""
    thresholds = []
    for lane in gt:
        xs = [x for x in lane if x >= 0]
        ys = [y for x, y in zip(lane, rows, strict=True) if x >= 0]
        slope = np.polyfit(ys, xs, 1)[0] if len(xs) > 1 else 0.0
        thresholds.append(20 / np.cos(np.arctan(slope)))
    if len(gt) + 2 < len(pred):
        return 0.0, 0.0, 1.0
    best, fp, fn, matched = [], 0.0, 0.0, 0.0
    for lane, threshold in zip(gt, thresholds, strict=True):
        accuracies = []
        for other in pred:
            hits = 0
            for a, b in zip(other, lane, strict=True):
                hits += abs((a if a >= 0 else -100) - (b if b >= 0 else -100)) < threshold
            accuracies.append(hits / len(lane))
        top = max(accuracies) if accuracies else 0.0
        if top < 0.85:
            fn += 1
        else:
            matched += 1
        best.append(top)
    fp = len(pred) - matched
    if len(gt) > 4 and fn > 0:
        fn -= 1
    total = sum(best)
    if len(gt) > 4:
        total -= min(best)
    return total / max(min(4.0, len(gt)), 1.0), fp / len(pred) if pred else 0.0, fn / max(min(len(gt), 4.0), 1.0)


@st.composite
def frames(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def lanes(count):
        out = []
        for _ in range(count):
            x = rng.uniform(0, 1280) + rng.uniform(-2, 2) * (ROWS - 400)
            x[: rng.integers(0, 40)] = -2
            x[(x < 0) | (x > 1279)] = -2
            out.append(np.round(x))
        return out

    gt = lanes(draw(st.integers(0, 6)))
    near = [
        np.where(lane >= 0, lane + rng.normal(0, draw(st.sampled_from([1, 12, 40])), len(lane)), lane) for lane in gt
    ]
    keep = draw(st.integers(0, len(near)))
    return near[:keep] + lanes(draw(st.integers(0, 4))), gt


@given(frames())
def test_scores_are_the_published_evaluators(case):
    pred, gt = case
    np.testing.assert_allclose(frame_score(pred, gt, ROWS), plain_bench(pred, gt, ROWS), atol=1e-9)


def test_the_evaluators_peculiarities_are_kept():
    lane = np.where(ROWS > 300, 600.0, -2.0)
    absent = np.full_like(ROWS, -2.0)
    assert frame_score([absent], [absent], ROWS).accuracy == 1  # absent rows match absent rows
    assert frame_score([lane], [lane, lane + 1], ROWS).fp == -1  # one prediction serves two truths
    assert frame_score([lane] * 4, [lane], ROWS) == (0, 0, 1)  # too many lines: fp is 0
    assert frame_score([lane], [lane], ROWS, run_time_ms=201) == (0, 0, 1)
    assert frame_score([], [lane], ROWS) == (0, 0, 1)


def test_frames_of_another_size_are_judged_as_if_1280_wide():
    rows = np.arange(80, 360, 5).astype(np.float32)
    truth = Lanes((np.stack([np.full(56, 300.0), rows], 1).astype(np.float32),), 640, 360, (1,), rows=rows)
    near = Lanes((truth.lines[0] + np.float32([9.9, 0]),), 640, 360, (1,))
    far = Lanes((truth.lines[0] + np.float32([10.1, 0]),), 640, 360, (1,))
    metric = TuSimple()
    assert metric.score(near, truth).accuracy == 1
    assert metric.score(far, truth).accuracy == 0
    assert metric.totals([metric.score(near, truth), metric.score(far, truth)])["accuracy"] == 0.5
