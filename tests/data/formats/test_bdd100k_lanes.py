"""Markings to lane lines: edges are paired by what a marking can be wide, curves follow their control points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data.formats.bdd100k_lanes import markings

HEIGHT, HORIZON = 720, 340


def marking(*vertices, category="single white", types=None, style="solid", **attributes):
    return {
        "category": category,
        "attributes": {"laneDirection": "parallel", "laneStyle": style, **attributes},
        "poly2d": [{"vertices": [list(one) for one in vertices], "types": types or "L" * len(vertices)}],
    }


def straight(offset, top=400, bottom=719, **told):
    """A line that lies `offset` camera heights beside the camera, on a flat road with its horizon at `HORIZON`."""
    return marking(*((640 + offset * (y - HORIZON), y) for y in (bottom, top)), **told)


def lane_lines(labels, height):
    return [one.points for one in markings(labels, height)]


def x_at(line, y):
    return np.interp(y, line[:, 1], line[:, 0])


def test_a_line_says_what_is_known_of_its_colour_and_style():
    labels = [
        straight(-1.0),
        straight(-0.9),
        straight(0.9, category="double yellow", style=""),
        straight(2.0, category="single other", style=""),
    ]
    found = sorted((one.points[-1, 0], one.attributes) for one in markings(labels, HEIGHT))
    assert [told for _, told in found] == [
        {"category": "single white", "laneStyle": "solid"},
        {"category": "double yellow"},
        {},
    ]


def test_both_edges_of_a_marking_become_its_centre():
    (line,) = lane_lines([straight(-1.0), straight(-0.9)], HEIGHT)
    assert x_at(line, [400, 700]) == pytest.approx([640 - 0.95 * 60, 640 - 0.95 * 360])


def test_lines_a_lane_apart_are_never_joined():
    # 2.7 m of lane before a camera 1.7 m high is as close as two lines come.
    assert len(lane_lines([straight(-0.8), straight(0.79)], HEIGHT)) == 2


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.05, 0.13)), min_size=1, max_size=5),
    st.floats(1.59, 3.5),
    st.floats(-3, 1),
    st.randoms(use_true_random=False),
)
def test_a_road_of_marked_lines_gives_one_line_a_marking(lines, lane, first, rng):
    """Whatever the lanes' width, with both edges or one, in any order: one line for each, in its middle."""
    edges, middles = [], []
    for place, (both, width) in enumerate(lines):
        middle = first + place * lane
        edges += [straight(middle - width / 2), straight(middle + width / 2)] if both else [straight(middle)]
        middles.append(middle)
    rng.shuffle(edges)
    found = sorted(float((x_at(line, 719) - 640) / (719 - HORIZON)) for line in lane_lines(edges, HEIGHT))
    assert found == pytest.approx(middles, abs=1e-3)


def test_double_markings_may_be_wider_than_single_ones():
    edges = [straight(-1.0, category="double yellow"), straight(-0.6, category="double yellow")]
    assert len(lane_lines(edges, HEIGHT)) == 1
    assert len(lane_lines([straight(-1.0), straight(-0.6)], HEIGHT)) == 2


@pytest.mark.parametrize("other", [{"category": "single yellow"}, {"style": "dashed"}])
def test_edges_of_different_markings_are_not_joined(other):
    assert len(lane_lines([straight(-1.0), straight(-0.95, **other)], HEIGHT)) == 2


def test_the_closest_edges_are_joined_first():
    found = lane_lines([straight(-1.0), straight(-0.96), straight(-0.9)], HEIGHT)
    assert len(found) == 2
    assert sorted(round(float(x_at(line, 719) - 640) / (719 - HORIZON), 3) for line in found) == [-0.98, -0.9]


def test_where_only_one_edge_goes_on_it_keeps_its_distance_from_the_middle():
    (line,) = lane_lines([straight(-1.0, top=400), straight(-0.9, top=500)], HEIGHT)
    parted = 0.1 * (500 - HORIZON) / 2
    assert x_at(line, 450) == pytest.approx(640 - 110 + parted, abs=0.01)
    assert line[[0, -1], 1].tolist() == [400, 719]


def test_edges_that_share_few_rows_are_two_lines():
    assert len(lane_lines([straight(-1.0, top=400, bottom=560), straight(-0.95, top=500)], HEIGHT)) == 2


def test_what_is_written_as_centre_is_never_joined():
    assert len(lane_lines([straight(-1.0, laneLine="centre"), straight(-0.99, laneLine="centre")], HEIGHT)) == 2


@pytest.mark.parametrize("category", ["crosswalk", "road curb", "lane/crosswalk", "car"])
def test_other_categories_are_no_lane_lines(category):
    assert lane_lines([straight(-1.0, category=category)], HEIGHT) == []


def test_markings_across_the_road_are_no_lane_lines():
    assert lane_lines([straight(-1.0, laneDirection="vertical")], HEIGHT) == []


def test_curves_follow_their_control_points():
    bezier = marking((0, 700), (0, 600), (100, 500), (100, 400), (120, 300), types="LCCCL")
    (line,) = lane_lines([bezier], HEIGHT)
    t = 0.25
    at = [
        sum(c * p for c, p in zip(((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3), axis, strict=True))
        for axis in ((0, 0, 100, 100), (700, 600, 500, 400))
    ]
    assert np.abs(line - np.array(at, np.float32)).sum(1).min() < 1e-3
    assert line[0].tolist() == [120, 300]


def test_of_a_line_that_turns_back_the_longest_part_is_kept():
    (line,) = lane_lines([marking((100, 700), (200, 500), (300, 400), (400, 450))], HEIGHT)
    assert line.tolist() == [[300, 400], [200, 500], [100, 700]]
    assert lane_lines([marking((100, 500), (900, 500.5))], HEIGHT) == []
    assert lane_lines([marking((100, 500))], HEIGHT) == []
