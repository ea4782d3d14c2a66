"""CULane's F1 against a plain rewriting with another solver for the spline and the assignment, and its traps."""

import itertools
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.results import Lanes
from edgecnn.metrics.culane import CULane, printed, spline

METRIC = CULane()


def lanes(*lines, width=1640, height=590):
    return Lanes(tuple(np.array(sorted(line, key=lambda p: p[1]), np.float32) for line in lines), width, height)


def straight(x, top=250, bottom=590, step=10, lean=0.0):
    return [(x + lean * (590 - y), y) for y in range(bottom, top - 1, -step)]


def plain_curve(points):
    """Return the spline's samples from its defining equations, all at once."""
    points = np.asarray(points, float)
    if len(points) < 3:
        return points
    n, h = len(points), np.linalg.norm(np.diff(points, axis=0), axis=1)
    matrix, right = np.eye(n), np.zeros((n, 2))
    for i in range(1, n - 1):
        matrix[i, i - 1 : i + 2] = h[i - 1], 2 * (h[i - 1] + h[i]), h[i]
        right[i] = 6 * ((points[i + 1] - points[i]) / h[i] - (points[i] - points[i - 1]) / h[i - 1])
    m = np.linalg.solve(matrix, right)
    out = []
    for i, k in itertools.product(range(n - 1), range(50)):
        t = h[i] * k / 50
        out.append(
            m[i] * (h[i] - t) ** 3 / (6 * h[i])
            + m[i + 1] * t**3 / (6 * h[i])
            + (points[i] / h[i] - m[i] * h[i] / 6) * (h[i] - t)
            + (points[i + 1] / h[i] - m[i + 1] * h[i] / 6) * t
        )
    return np.array([*out, points[-1]])


def plain_mask(points):
    canvas = np.zeros((590, 1640), np.uint8)
    curve = np.rint(plain_curve(points).astype(np.float32)).astype(int)
    for a, b in itertools.pairwise(curve.tolist()):
        cv2.line(canvas, a, b, 1, 30)
    return canvas


def plain_counts(found, true):
    masks = [[plain_mask(line[::-1]) for line in one.lines] for one in (true, found)]
    if not all(masks):
        return 0, len(found.lines), len(true.lines)
    iou = np.array([[(a & b).sum() / (a | b).sum() for b in masks[1]] for a in masks[0]]).reshape(len(masks[0]), -1)
    if len(masks[0]) > len(masks[1]):
        iou = iou.T
    picks = itertools.permutations(range(iou.shape[1]), iou.shape[0]) if iou.size else [()]
    pick = max(picks, key=lambda pick: sum(iou[i, j] for i, j in enumerate(pick)))
    right = sum(iou[i, j] > 0.5 for i, j in enumerate(pick))
    return right, len(found.lines) - right, len(true.lines) - right


@st.composite
def frames(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def line(x, shift=0.0):
        lean, bend = rng.uniform(-1.5, 1.5), rng.uniform(-0.002, 0.002)
        top = int(rng.integers(25, 50)) * 10
        return [(round(x + shift + lean * (590 - y) + bend * (590 - y) ** 2, 2), y) for y in range(590, top, -10)]

    true = [line(x) for x in rng.uniform(0, 1640, rng.integers(0, 4))]
    found = [[(x + rng.normal(0, 2) + s, y) for x, y in one] for one in true for s in rng.choice([0, 8, 14, 30], 1)]
    found += [line(x) for x in rng.uniform(0, 1640, rng.integers(0, 2))]
    return lanes(*found), lanes(*true)


@settings(max_examples=8, deadline=None)
@given(frames())
def test_plain_drawing_says_the_same(frame):
    assert tuple(METRIC.score(*frame)) == plain_counts(*frame)


def test_the_spline_is_the_natural_one():
    points = np.array([(100, 590), (140, 500), (300, 400), (310, 395), (500, 250)], np.float32)
    np.testing.assert_allclose(spline(points), plain_curve(points), atol=1e-3)
    assert len(spline(points)) == 4 * 50 + 1


def test_a_pair_must_overlap_by_more_than_a_half():
    """Drawn 30 wide, lines shifted by d overlap by about (31 - d) / (31 + d)."""
    true = lanes(straight(400))
    assert METRIC.score(lanes(straight(409)), true) == (1, 0, 0)
    assert METRIC.score(lanes(straight(412)), true) == (0, 1, 1)


def test_two_points_are_joined_straight_and_one_counts_though_it_matches_nothing():
    two = Lanes((np.array([(400, 250), (400, 590)], np.float32),), 1640, 590)
    assert METRIC.score(two, lanes(straight(400))) == (1, 0, 0)
    one = Lanes((np.array([(400, 590)], np.float32),), 1640, 590)
    assert METRIC.score(one, lanes(straight(400))) == (0, 1, 1)


def test_a_point_that_is_there_twice_counts_once():
    doubled = straight(400)[:5] + straight(400)[4:]
    assert METRIC.score(lanes(doubled), lanes(straight(400))) == (1, 0, 0)


def test_points_outside_the_frame_are_part_of_the_line():
    leaving = straight(1500, lean=1.0)
    assert METRIC.score(lanes(leaving), lanes(leaving)) == (1, 0, 0)
    far = lanes([(-1e9, 300), (1e9, 400), (0, 500)])
    assert METRIC.score(far, far) == (1, 0, 0)


def test_other_sizes_are_scaled():
    small = lanes([(x / 2, y / 2) for x, y in straight(400)], width=820, height=295)
    assert METRIC.score(small, lanes(straight(400))) == (1, 0, 0)


def test_width_and_threshold_can_be_given():
    shifted, true = lanes(straight(406)), lanes(straight(400))
    assert METRIC.score(shifted, true) == (1, 0, 0)
    assert CULane(line_width=10, threshold=0.4).score(shifted, true) == (0, 1, 1)


def test_totals_are_over_all_lines():
    nothing, one, two = lanes(), lanes(straight(400)), lanes(straight(400), straight(900))
    scores = [METRIC.score(one, two), METRIC.score(two, one), METRIC.score(one, nothing)]
    assert scores == [(1, 0, 1), (1, 1, 0), (0, 1, 0)]
    assert METRIC.totals(scores) == pytest.approx(
        {"f1": 4 / 7, "precision": 0.5, "recall": 2 / 3, "false_lines": 2 / 3}
    )


def test_a_crossroad_has_only_false_lines():
    totals = METRIC.totals([METRIC.score(lanes(straight(400), straight(900)), lanes())] * 3)
    assert totals["false_lines"] == 2.0
    assert math.isnan(totals["recall"])
    assert math.isnan(METRIC.totals([METRIC.score(lanes(), lanes())])["f1"])


def test_what_the_published_program_prints():
    assert printed(3, 1, 2) == (0.75, 0.6, pytest.approx(2 / 3))
    precision, recall, f = printed(0, 5, 0)
    assert (precision, recall, f) == (0.0, -1.0, 0.0)
    assert math.isnan(printed(0, 5, 5)[2])
    assert printed(0, 0, 0) == (-1.0, -1.0, -1.0)
