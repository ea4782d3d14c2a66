"""The two BDD100K lane figures by hand, and the official one against plain distances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.results import Lanes
from edgecnn.metrics.bdd_lane import BddBoundary, BddMask, average_byte_masks, boundary_f, byte_masks_f


def lanes(*xs, height=720):
    return Lanes(tuple(np.array([(x, 100), (x, 619)], np.float32) for x in xs), 1280, height)


def plain_f(found, true, distance):
    near = lambda a, b: sum(  # noqa: E731
        bool(len(b)) and ((b - p) ** 2).sum(axis=1).min() <= distance**2 for p in a
    )
    a, b = np.argwhere(found), np.argwhere(true)
    precision = near(a, b) / len(a) if len(a) else float(1)
    recall = near(b, a) / len(b) if len(b) else float(1)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 0.01, 0.05]), st.sampled_from([1, 2, 5]))
def test_boundary_f_counts_pixels_by_distance(seed, share, distance):
    rng = np.random.default_rng(seed)
    found, true = rng.random((2, 40, 40)) < share
    assert boundary_f(found, true, distance) == pytest.approx(plain_f(found, true, distance))


def test_the_boundary_figures_differ_by_distance():
    metric = BddBoundary()
    totals = metric.totals([metric.score(lanes(302), lanes(300)), metric.score(lanes(), lanes())])
    assert totals == {"boundary_f1px": 0.5, "boundary_f2px": 1.0, "boundary_f5px": 1.0}


def test_masks_of_the_papers():
    metric = BddMask(line_width=1)
    totals = metric.totals([metric.score(lanes(300, 600), lanes(300)), metric.score(lanes(), lanes(900))])
    assert totals["mask_iou"] == pytest.approx(1 / 3)
    assert totals["mask_accuracy"] == pytest.approx(1 / 2)
    assert totals["mask_balanced_accuracy"] == pytest.approx((0.5 + 1) / 2, abs=1e-3)


def test_masks_overlap_over_all_images_together():
    metric = BddMask(line_width=1)
    scores = [metric.score(lanes(300), lanes(300)), metric.score(lanes(), lanes(100, 200, 300))]
    assert metric.totals(scores)["mask_iou"] == pytest.approx(1 / 4)
    assert metric.weighted(scores)(np.array([3, 1]))["mask_iou"] == pytest.approx(3 / 6)


def test_byte_masks_are_judged_by_class():
    """One dashed vertical single white line: bits 0-2 category, 3 background, 4 style, 5 direction."""
    true = np.full((30, 30), 255, np.uint8)
    true[10, 5:25] = 0b110110
    found = true.copy()
    found[10, 5:25] = 0b100110  # solid instead of dashed
    scores = byte_masks_f(found, true)
    assert scores["direction"][:, 0].tolist() == [1.0, 1.0]
    assert scores["style"][:, 0].tolist() == [0.0, 0.0]
    assert scores["category"][:, 0].tolist() == [1.0] * 8
    totals = average_byte_masks([scores, byte_masks_f(true, true)])
    assert totals["style_f1px"] == 50.0
    assert totals["average_f5px"] == pytest.approx((100 + 50 + 100) / 3)
