"""A scene's figures are those of its two tasks, and their mean."""

import numpy as np
import pytest
from made_detections import made_frame

from edgecnn.core.results import Lanes, Scene
from edgecnn.metrics.people import People
from edgecnn.metrics.scene import SceneMetric
from edgecnn.metrics.tusimple import TuSimple

ROWS = np.arange(200, 480, 10, dtype=np.float32)


def lines(rng, shift=0.0):
    xs = rng.uniform(0, 640, rng.integers(0, 4))
    return Lanes(tuple(np.stack([x + shift + 0.2 * ROWS, ROWS], 1).astype(np.float32) for x in xs), 640, 480, rows=ROWS)


def scenes(seed, count=12):
    rng = np.random.default_rng(seed)
    for i in range(count):
        found, true = made_frame(rng)
        yield (
            Scene(lines(np.random.default_rng(i), rng.uniform(0, 30)), found),
            Scene(lines(np.random.default_rng(i)), true),
        )


def test_every_figure_is_its_own_tasks():
    metric, lane, people = SceneMetric(), TuSimple(), People()
    frames = list(scenes(0))
    totals = metric.totals([metric.score(*frame) for frame in frames])
    of_lanes = lane.totals([lane.score(found.lanes, true.lanes) for found, true in frames if true.lanes.lines])
    of_people = people.totals([people.score(found.objects, true.objects) for found, true in frames])
    assert set(totals) == set(metric.higher_is_better)
    assert totals["accuracy"] == pytest.approx(of_lanes["accuracy"])
    assert totals["lane_f1"] == pytest.approx(of_lanes["f1"])
    assert totals["f1"] == pytest.approx(of_people["f1"])
    assert totals["mr_all"] == pytest.approx(of_people["mr_all"])
    assert totals["figure"] == pytest.approx((of_lanes["accuracy"] + of_people["ap50"]) / 2)


def test_without_people_the_lanes_are_the_figure():
    metric = SceneMetric()
    frames = [(Scene(a.lanes, a.objects.take([])), Scene(b.lanes, b.objects.take([]))) for a, b in scenes(1, 3)]
    totals = metric.totals([metric.score(*frame) for frame in frames])
    assert totals["figure"] == totals["accuracy"]
    assert np.isnan(totals["ap50"])


def test_frames_without_lines_are_no_fault_of_the_lanes():
    metric = SceneMetric()
    empty, (found, true) = Lanes((), 640, 480, rows=ROWS), next(scenes(2, 1))
    line = np.stack([100 + 0.2 * ROWS, ROWS], 1).astype(np.float32)
    lined = Lanes((line,), 640, 480, rows=ROWS)
    scores = [metric.score(Scene(one, found.objects), Scene(one, true.objects)) for one in (lined, empty)]
    assert metric.totals(scores)["accuracy"] == 1.0
    alone = metric.totals(scores[1:])
    assert np.isnan(alone["accuracy"])
    assert np.isnan(alone["lane_f1"])
    assert alone["figure"] == alone["ap50"]
