"""Labels against geometry that is known on paper."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.road import RoadScenes
from edgecnn.data.road.alignment import sample_alignment, straight
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.labels import MAX_LINES, label, sample_rows
from edgecnn.data.road.layout import Layout, Line
from edgecnn.data.road.walls import even

SEEDS = st.integers(0, 10_000)


def painted(*offsets):
    lines = tuple(Line(offset, "dashed", "white", 0.12) for offset in offsets)
    return Layout("freeway", lines, (), 3.6, -8, 8, tuple(offsets))


@given(st.floats(350, 700), st.floats(1.2, 1.8), st.floats(0.0, 0.15), st.floats(-0.02, 0.02), st.floats(-0.03, 0.03))
def test_a_straight_road_lies_where_the_vanishing_point_says(focal, height_m, pitch, roll, heading):
    camera = Camera(640, 360, focal, 320, 180, height_m, pitch, roll)
    offsets = np.array([-1.7, 1.9])
    lanes = label(camera, straight(heading), painted(*offsets), 220.0)
    # A straight line on a plane is a straight line in the picture: through its vanishing point and any ground point.
    for line, offset in zip(lanes.lines, offsets, strict=True):
        x = offset / np.cos(heading)
        ends = [(x + z * np.tan(heading), 0.0, z) for z in (5.0, 5e6)]
        (u0, v0), (u1, v1) = (
            [float(c) for c in camera.project(*(np.array(value) for value in end))[:2]] for end in ends
        )
        expected = u0 + (line[:, 1] - v0) * (u1 - u0) / (v1 - v0)
        assert np.abs(line[:, 0] - expected).max() < 0.5


def test_lines_run_from_the_reach_to_the_bottom_through_all_gaps():
    camera = Camera(640, 360, 500, 320, 180, 1.5, 0.05)
    lanes = label(camera, straight(), painted(-0.5), 60.0)
    line = lanes.lines[0]
    assert line[-1, 1] == lanes.rows[-1]
    assert np.array_equal(np.diff(line[:, 1]), np.diff(lanes.rows)[-len(line) + 1 :])
    _, v, _ = camera.project(np.array(0.0), np.array(0.0), np.array(60.0))
    assert 0 <= line[0, 1] - float(v) < 6


def test_a_line_stops_where_a_bend_takes_it_behind_a_high_wall():
    camera = Camera(640, 360, 500, 320, 180, 1.5, 0.03)
    rng = np.random.default_rng(0)
    bend = next(
        road
        for road in (sample_alignment(rng, curved=True, urban=True) for _ in range(99))
        if road.turn_m > 8 and road.point(np.array(60.0), 0.0)[0] < -8
    )
    texture = np.full((8, 512, 4), 255, np.uint8)
    free = label(camera, bend, painted(-1.8, 1.8), 220.0)
    high = label(camera, bend, painted(-1.8, 1.8), 220.0, (even(-3.0, texture, 0.05, 5.0, 1.0, 0.0),))
    low = label(camera, bend, painted(-1.8, 1.8), 220.0, (even(-3.0, texture, 0.05, 0.8, 1.0, 0.0),))
    assert len(low.lines[0]) == len(free.lines[0])
    # The inner line is lost first; what is left of both is unchanged.
    for position in (-1, 1):
        kept = high.line(position)
        assert 2 < len(kept) < len(free.line(position))
        assert np.abs(kept - free.line(position)[-len(kept) :]).max() < 0.5


def test_only_the_five_lines_nearest_to_the_car_are_kept():
    camera = Camera(640, 360, 400, 320, 180, 1.5, 0.05)
    lanes = label(camera, straight(), painted(-9.0, -5.4, -1.8, 1.8, 5.4, 9.0, 12.6), 220.0)
    assert lanes.positions == (-3, -2, -1, 1, 2)
    assert len(lanes.lines) == MAX_LINES


def test_rows_are_those_of_tusimple():
    assert sample_rows(720).tolist() == list(range(160, 711, 10))
    assert sample_rows(360).tolist() == list(range(80, 356, 5))
    assert np.array_equal(sample_rows(100), np.rint(sample_rows(100)))


@given(SEEDS, st.sampled_from([(640, 360), (320, 180), (1280, 720)]))
def test_labels_of_any_scene_keep_the_promises_of_their_type(index, size):
    plan = RoadScenes(11, *size).plan(index)
    lanes = plan.lanes
    assert (lanes.width, lanes.height) == size
    assert len(lanes.lines) == len(lanes.positions) <= MAX_LINES
    assert len(set(lanes.positions)) == len(lanes.positions)
    assert 0 not in lanes.positions
    for line in lanes.lines:
        assert line.dtype == np.float32
        assert len(line) >= 2
        assert (np.diff(line[:, 1]) > 0).all()
        assert ((line[:, 0] >= 0) & (line[:, 0] <= size[0] - 1)).all()
        at = np.searchsorted(lanes.rows, line[:, 1])
        assert np.array_equal(lanes.rows[at], line[:, 1])
        assert np.array_equal(np.diff(at), np.ones(len(line) - 1))


def test_most_scenes_show_both_lines_of_the_own_lane():
    plans = [RoadScenes(5).plan(i) for i in range(200)]
    found = [plan.lanes.positions for plan in plans]
    assert np.mean([-1 in p and 1 in p for p in found]) > 0.8
    assert {len(p) for p in found} >= {2, 3, 4, 5}


def test_paint_lies_under_the_labels():
    """Along solid lines in clear daylight the picture is brighter on the label than on both sides of it."""
    scenes = RoadScenes(4, conditions=("day", "clear", "freeway"))
    contrasts = []
    for index in range(60):
        plan = scenes.plan(index)
        if set(plan.conditions.features) & {"worn", "occluded", "shadow", "glare", "tunnel", "bridge"}:
            continue
        image = scenes.scene(index).image
        for line in plan.layout.lines:
            if line.style == "solid":
                only = Layout("freeway", (line,), (), plan.layout.lane_m, 0, 0, ())
                contrasts += _contrast(image, label(plan.camera, plan.alignment, only, 40.0), plan, line)
    assert len(contrasts) > 20
    assert np.mean(np.array(contrasts) > 5) > 0.85
    assert np.median(contrasts) > 25


def _contrast(image, lanes, plan, line):
    """Mean brightness on the label minus the brighter of both sides, one number a line."""
    red = image[..., 2].astype(float)
    found = []
    for points in lanes.lines:
        rows = points[points[:, 1] > plan.camera.horizon_px + 40]
        rows = rows[rows[:, 1] < 345]
        if len(rows) < 6:
            continue
        y = rows[:, 1].astype(int)
        # Two widths of the marking to either side, on the same row.
        depth = plan.camera.height_m * plan.camera.focal_px / (rows[:, 1] - plan.camera.horizon_px)
        aside = 2.2 * line.width_m * plan.camera.focal_px / depth
        x = np.stack([rows[:, 0], rows[:, 0] - aside, rows[:, 0] + aside]).astype(int)
        inside = (x >= 0).all(axis=0) & (x < image.shape[1]).all(axis=0)
        if inside.sum() < 6:
            continue
        y, x = y[inside], x[:, inside]
        on, left, right = red[y, x].mean(axis=1)
        found.append(on - max(left, right))
    return found
