import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.errors import TensorError
from edgecnn.core.registry import DRAWINGS, resolve
from edgecnn.core.results import Lanes
from edgecnn.runtime.drawing.lanes import OTHER, OWN, draw

GREY = 90


def frame(width: int = 640, height: int = 360) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def line(x_top: float, x_bottom: float, top: float = 200, bottom: float = 350, points: int = 16) -> np.ndarray:
    y = np.linspace(top, bottom, points)
    return np.stack([np.interp(y, (top, bottom), (x_top, x_bottom)), y], 1).astype(np.float32)


def road(width: int = 640, height: int = 360) -> Lanes:
    lines = (line(250, 20), line(300, 150), line(340, 500), line(390, 630))
    factor = np.array([width / 640, height / 360], np.float32)
    return Lanes(tuple(one * factor for one in lines), width, height, (-2, -1, 1, 2))


def colour_distance(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(picture.astype(int) - np.array(colour)).max(axis=-1)


def test_the_registry_names_it():
    assert "lanes" in DRAWINGS
    assert resolve("drawing", "lanes") is draw


def test_the_frame_given_is_left_as_it_is():
    before = frame()
    after = draw(before, road(), label="int8", truth=road())
    assert (before == GREY).all()
    assert after.shape == before.shape
    assert after.dtype == np.uint8
    assert not np.shares_memory(before, after)


@pytest.mark.parametrize("size", [(640, 360), (1280, 720), (160, 90), (1920, 1080)])
def test_every_line_lies_where_its_points_are(size):
    lanes = road(*size)
    picture = draw(frame(*size), lanes)
    for position, colour in ((-2, OTHER), (-1, OWN), (1, OWN), (2, OTHER)):
        points = lanes.line(position)[2:-2]
        for x, y in points:
            near = picture[max(int(y) - 2, 0) : int(y) + 3, max(int(x) - 2, 0) : int(x) + 3]
            assert colour_distance(near, colour).min() < 60


def test_own_lines_are_wider_than_the_others():
    lanes = Lanes((line(100, 100), line(200, 200), line(400, 400)), 640, 360, (-2, -1, 1))
    row = draw(frame(), lanes)[275]
    assert (colour_distance(row[190:211], OWN) < 30).sum() > (colour_distance(row[90:111], OTHER) < 30).sum()


def test_the_own_lane_is_tinted_between_its_lines_and_nowhere_else():
    picture = draw(frame(), road())
    assert np.ptp(picture[300, 320].astype(int)) > 0
    for x, y in ((320, 100), (60, 250), (600, 220), (320, 358)):
        assert (picture[y, x] == GREY).all()


def test_a_lane_with_one_line_missing_has_no_tint():
    lanes = Lanes((line(300, 150),), 640, 360, (-1,))
    assert (draw(frame(), lanes)[300, 320] == GREY).all()


def test_lines_without_positions_are_drawn_without_a_lane():
    lanes = Lanes((line(300, 150), line(340, 500)), 640, 360)
    picture = draw(frame(), lanes)
    assert (picture[300, 320] == GREY).all()
    assert (picture != GREY).any()


def test_a_thumbnail_gets_the_points_scaled_to_it():
    small = draw(frame(320, 180), road())
    assert colour_distance(small[135:141, 108:125], OWN).min() < 60


def test_truth_is_dotted_over_the_result():
    lanes = road()
    assert (draw(frame(), lanes, truth=lanes) != draw(frame(), lanes)).any()
    empty = Lanes((), 640, 360)
    white = colour_distance(draw(frame(), empty, truth=lanes), (255, 255, 255)) < 40
    assert 20 < white.sum() < 2000


def test_no_lines_leave_the_frame_untouched():
    assert (draw(frame(), Lanes((), 640, 360)) == GREY).all()


def test_a_label_longer_than_the_frame_is_made_to_fit():
    picture = draw(frame(200, 120), Lanes((), 200, 120), label="openvino-int8 of a network with a long name " * 3)
    assert (picture[:, -2:] == GREY).all()


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_a_wrong_frame_is_refused_by_name(bad):
    with pytest.raises(TensorError, match=r"uint8 \[H, W, 3\]"):
        draw(bad, road())


coordinate = st.floats(-1e7, 1e7, allow_nan=False, width=32)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=6), max_size=4),
    st.integers(8, 200),
    st.integers(8, 200),
)
def test_no_points_can_make_it_fail(lines, width, height):
    arrays = tuple(np.array(sorted(points, key=lambda p: p[1]), np.float32) for points in lines)
    lanes = Lanes(arrays, width, height, (-1, 1, 2, -2)[: len(arrays)])
    assert draw(frame(width, height), lanes, label="x", truth=lanes).shape == (height, width, 3)
