import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.errors import TensorError
from edgecnn.core.registry import resolve
from edgecnn.core.results import Detections, Lanes, Scene
from edgecnn.runtime.drawing import scene
from edgecnn.runtime.drawing.objects import CLASSES, FALSE, FOUND, MISSED, REGION, draw

GREY = 90
SIZES = [(640, 360), (1280, 720), (320, 180), (1920, 1080)]


def frame(width=640, height=360):
    return np.full((height, width, 3), GREY, np.uint8)


def objects(boxes, *, scores=(), labels=None, names=("pedestrian", "rider"), visible=(), ignore=(), size=(640, 360)):
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(labels if labels is not None else [0] * len(boxes), np.int64),
        *size,
        names,
        np.array(visible, np.float32).reshape(-1, 4),
        np.array(ignore, np.bool_),
    )


def near(picture, x, y, colour, reach=3):
    part = picture[max(int(y) - reach, 0) : int(y) + reach + 1, max(int(x) - reach, 0) : int(x) + reach + 1]
    return np.abs(part.astype(int) - np.array(colour)).max(axis=-1).min() < 60


def share(picture, box, colour):
    """Return the share of points along a box's left side that show a colour."""
    left, top, _, bottom = box
    ys = np.arange(int(top) + 4, int(bottom) - 4)
    return np.mean([near(picture, left, y, colour, 1) for y in ys])


def test_the_registry_names_them():
    assert resolve("drawing", "objects") is draw
    assert resolve("drawing", "scene") is scene.draw


def test_the_frame_given_is_left_as_it_is():
    before, found = frame(), objects([[10, 50, 60, 200]], scores=[0.5])
    after = draw(before, found, label="int8", truth=found)
    assert (before == GREY).all()
    assert after.shape == before.shape
    assert after.dtype == np.uint8


@pytest.mark.parametrize("size", SIZES)
def test_every_side_lies_where_the_box_says(size):
    factor = size[0] / 640
    box = np.array([200, 100, 280, 300]) * factor
    picture = draw(frame(*size), objects([box], scores=[0.9], size=size))
    middle_x, middle_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    for x, y in ((box[0], middle_y), (box[2], middle_y), (middle_x, box[3])):
        assert near(picture, x, y, CLASSES[0])
    assert (picture[int(middle_y), int(middle_x)] == GREY).all()


def test_a_thumbnail_gets_the_boxes_scaled_to_it():
    picture = draw(frame(320, 180), objects([[200, 100, 280, 300]], scores=[0.9]))
    assert near(picture, 100, 100, CLASSES[0])
    assert near(picture, 140, 100, CLASSES[0])


def test_classes_have_colours_of_their_own():
    picture = draw(frame(), objects([[50, 100, 150, 300], [400, 100, 500, 300]], labels=[0, 1]))
    assert near(picture, 50, 200, CLASSES[0])
    assert near(picture, 400, 200, CLASSES[1])


def test_what_is_seen_is_a_thin_box_inside():
    whole, seen = [200, 60, 320, 340], [200, 60, 320, 160]
    with_seen = draw(frame(), objects([whole], visible=[seen]))
    without = draw(frame(), objects([whole], visible=[whole]))
    assert near(with_seen, 260, 160, CLASSES[0])
    assert (without[160, 230:290] == GREY).all()


def test_regions_to_be_ignored_are_hatched_and_dashed():
    box = [200, 100, 400, 300]
    picture = draw(frame(), objects([box], ignore=[True]))
    inside = picture[120:280, 220:380]
    assert 0.05 < (inside != GREY).any(axis=-1).mean() < 0.5
    assert 0.3 < share(picture, box, REGION) < 0.9
    assert (picture[:, 450:] == GREY).all()


@pytest.mark.parametrize("size", SIZES)
def test_found_missed_and_false_can_be_told_apart(size):
    factor = size[0] / 640
    hit, lost, region = ([60, 60, 120, 200], [260, 60, 320, 200], [380, 60, 440, 200])
    false, out = [520, 60, 580, 200], [385, 70, 435, 190]
    truth = objects(np.array([hit, lost, region]) * factor, ignore=[False, False, True], size=size)
    found = objects(np.array([hit, false, out]) * factor, scores=[0.9, 0.8, 0.7], size=size)
    picture = draw(frame(*size), found, truth=truth)
    assert share(picture, np.array(hit) * factor, FOUND) > 0.8
    assert share(picture, np.array(false) * factor, FALSE) > 0.9
    assert 0.3 < share(picture, np.array(lost) * factor, MISSED) < 0.9
    assert share(picture, np.array(out) * factor, FALSE) == 0
    assert share(picture, np.array(out) * factor, REGION) > 0.5


def test_each_true_object_is_found_once_by_the_best_score():
    truth = objects([[100, 60, 180, 260]])
    found = objects([[100, 60, 180, 260], [104, 62, 184, 262]], scores=[0.5, 0.9])
    picture = draw(frame(), found, truth=truth)
    assert near(picture, 184, 200, FOUND)
    assert near(picture, 140, 160, FALSE)


def test_classes_the_result_has_no_word_for_are_left_out():
    truth = objects([[100, 60, 180, 260]], labels=[1], names=("pedestrian", "car"))
    found = objects([], names=("pedestrian",))
    assert share(draw(frame(), found, truth=truth), [100, 60, 180, 260], MISSED) == 0
    other = objects([[100, 60, 180, 260]], labels=[0], names=("car",), scores=[0.9])
    both = objects([[100, 60, 180, 260]], names=("pedestrian",))
    picture = draw(
        frame(), Detections(other.boxes, other.scores, other.labels, 640, 360, ("car", "pedestrian")), truth=both
    )
    assert near(picture, 140, 160, FALSE)


def test_texts_do_not_cover_one_another():
    boxes = [[100 + 6 * n, 100, 160 + 6 * n, 220] for n in range(8)]
    picture = draw(frame(), objects(boxes, scores=np.linspace(0.1, 0.9, 8)))
    alone = draw(frame(), objects(boxes[-1:], scores=[0.9]))
    top = slice(84, 99)
    assert (picture[top, 142:202] == alone[top, 142:202]).mean() > 0.8


def test_lanes_and_objects_lie_on_one_frame():
    line = np.array([[300, 200], [150, 350]], np.float32)
    lanes = Lanes((line, line + np.float32([160, 0])), 640, 360, (-1, 1))
    found = objects([[500, 100, 560, 260]], scores=[0.5])
    picture = scene.draw(frame(), Scene(lanes, found), label="both", truth=Scene(lanes, found))
    assert near(picture, 500, 180, FOUND)
    assert (picture[280, 230:380] != GREY).any()
    assert scene.draw(frame(), Scene(lanes, found)).shape == picture.shape


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_a_wrong_frame_is_refused_by_name(bad):
    with pytest.raises(TensorError, match=r"uint8 \[H, W, 3\]"):
        draw(bad, objects([]))


def test_no_objects_leave_the_frame_untouched():
    assert (draw(frame(), objects([])) == GREY).all()


def test_time_does_not_grow_with_a_boxs_size():
    def seconds(side):
        box = [-side, -side, side, side]
        best = []
        for _ in range(5):
            start = time.perf_counter()
            draw(frame(), objects([box] * 20, ignore=[True] * 20))
            best.append(time.perf_counter() - start)
        return min(best)

    assert seconds(1e6) < 20 * seconds(1e3)


coordinate = st.floats(-1e7, 1e7, width=32) | st.sampled_from([float("nan"), float("inf"), -float("inf")])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate), max_size=5),
    st.integers(1, 200),
    st.integers(1, 200),
    st.booleans(),
)
def test_no_boxes_can_make_it_fail(boxes, width, height, ignored):
    scores = [0.5] * len(boxes)
    found = objects(boxes, scores=scores, visible=boxes, ignore=[ignored] * len(boxes), size=(width, height))
    picture = draw(frame(width, height), found, label="x", truth=found)
    assert picture.shape == (height, width, 3)
    assert draw(frame(width, height), found).shape == (height, width, 3)
