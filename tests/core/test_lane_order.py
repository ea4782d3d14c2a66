"""Positions of lane lines: the rule holds whatever order the lines come in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.core.lane_order import foot, positions

WIDTH, HEIGHT = 640, 360


def straight(foot_x: float, top_x: float, top_y: float = 150.0, end_y: float = 350.0) -> np.ndarray:
    """A straight line that meets the bottom row at `foot_x`, given only between two rows."""
    y = np.arange(top_y, end_y, 5.0)
    x = top_x + (foot_x - top_x) * (y - top_y) / (HEIGHT - top_y)
    return np.stack([x, y], axis=1).astype(np.float32)


@given(
    st.lists(st.integers(-900, 1500), min_size=1, max_size=6, unique=True).filter(
        lambda feet: all(abs(x - WIDTH / 2) > 1 for x in feet)
    ),
    st.floats(200, 440),
    st.floats(200, 340),
    st.randoms(use_true_random=False),
)
def test_lines_are_numbered_outward_from_the_middle(feet, top_x, end_y, random):
    random.shuffle(feet)
    lines = [straight(x, top_x, end_y=end_y) for x in feet]
    found = dict(zip(positions(lines, WIDTH, HEIGHT), feet, strict=True))
    left = sorted((x for x in feet if x < WIDTH / 2), reverse=True)
    right = sorted(x for x in feet if x >= WIDTH / 2)
    assert [found[-1 - i] for i in range(len(left))] == left
    assert [found[1 + i] for i in range(len(right))] == right
    assert len(found) == len(feet)


@given(st.floats(-500, 1100), st.floats(0, 640))
def test_the_foot_of_a_straight_line_is_exact_wherever_it_ends(foot_x, top_x):
    assert abs(foot(straight(foot_x, top_x, end_y=300.0), HEIGHT) - foot_x) < 0.05


def test_only_the_lowest_part_of_a_bent_line_counts():
    # It leans far to the right above, yet comes straight down on the left of the car.
    y = np.arange(150.0, 350.0, 5.0)
    x = np.where(y > 250, 200.0, 200.0 + (250 - y) * 5)
    assert positions([np.stack([x, y], axis=1).astype(np.float32)], WIDTH, HEIGHT) == (-1,)


def test_a_single_point_and_no_line_at_all_have_positions_too():
    assert positions([np.array([[500.0, 200.0]], np.float32)], WIDTH, HEIGHT) == (1,)
    assert positions([], WIDTH, HEIGHT) == ()
