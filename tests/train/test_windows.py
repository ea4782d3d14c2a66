"""Windows of frames: what is cut out lies where the boxes say, and what can't be cut is refused."""

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.errors import DataError
from edgecnn.core.recipe import Window
from edgecnn.core.results import Detections, Lanes
from edgecnn.core.tensor import FrameSpec
from edgecnn.data.sample import Sample
from edgecnn.runtime.codecs.centres import CentresCodec
from edgecnn.train.dataset import EncodedSamples
from edgecnn.train.windows import Windows

FRAME = FrameSpec(96, 64)
PATCH = (40, 24, 56, 48)


class Shown:
    """A codec that keeps what it is asked to encode."""

    def __init__(self):
        self.truths = []

    def encode(self, truth):
        self.truths.append(truth)
        return {}


def whole(tmp_path, truth, strength=None):
    picture = np.zeros((64, 96, 3), np.uint8)
    x1, y1, x2, y2 = PATCH
    picture[y1:y2, x1:x2] = 255
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), picture)
    return EncodedSamples([Sample(path, truth)], None, FRAME, CentresCodec({}, FRAME), seed=3, strength=strength)


def person(**given):
    return Detections(
        np.array([PATCH], np.float32), np.zeros(0, np.float32), np.zeros(1, np.int64), 96, 64, ("pedestrian",), **given
    )


@settings(max_examples=25, deadline=None)
@given(width=st.integers(16, 96), height=st.integers(16, 64), near=st.floats(0, 0.99), epoch=st.integers(0, 50))
def test_boxes_lie_around_what_they_name(tmp_path_factory, width, height, near, epoch):
    data, shown = whole(tmp_path_factory.mktemp("w"), person()), Shown()
    cut = Windows(data, shown, Window(width=width, height=height, near=near))
    cut.epoch = epoch
    picture = cut[0][0].numpy()
    assert picture.shape == (height, width, 3)
    truth = shown.truths[0]
    bright = np.argwhere(picture[..., 0] > 0)
    assert len(truth) == (1 if len(bright) else 0)
    if len(truth):
        top, left = bright.min(0)
        bottom, right = bright.max(0) + 1
        np.testing.assert_array_equal(truth.visible[0], [left, top, right, bottom])
        np.testing.assert_array_equal(truth.boxes[0, 2:] - truth.boxes[0, :2], [16, 24])
        assert truth.ignored[0] == (len(bright) < 0.2 * 16 * 24)


def test_the_same_epoch_and_index_give_the_same_window_and_others_another(tmp_path):
    windows = Windows(whole(tmp_path, person(), 1.0), CentresCodec({}, FrameSpec(32, 32)), Window(width=32, height=32))
    one, two = windows[0], windows[0]
    assert all((one[1][name] == two[1][name]).all() for name in one[1])
    assert (one[0] == two[0]).all()
    windows.epoch = 1
    assert (windows[0][0] != one[0]).any()


def test_windows_lie_around_objects(tmp_path):
    shown = Shown()
    windows = Windows(whole(tmp_path, person()), shown, Window(width=32, height=32, near=0.99))
    for epoch in range(40):
        windows.epoch = epoch
        windows[0]
    assert np.mean([len(truth) > 0 and not truth.ignored[0] for truth in shown.truths]) > 0.9
    shown.truths.clear()
    ignored = Windows(whole(tmp_path, person(ignore=np.array([True]))), shown, Window(width=16, height=16, near=0.99))
    for epoch in range(40):
        ignored.epoch = epoch
        ignored[0]
    assert np.mean([len(truth) for truth in shown.truths]) < 0.7


def test_lanes_and_windows_beyond_the_frame_are_refused(tmp_path):
    codec = CentresCodec({}, FRAME)
    with pytest.raises(DataError, match=r"larger than model\.frame, 96x64"):
        Windows(whole(tmp_path, person()), codec, Window(width=97, height=32))
    with pytest.raises(DataError, match="only objects"):
        Windows(whole(tmp_path, Lanes((), 96, 64)), codec, Window(width=32, height=32))


def test_a_section_names_its_window():
    assert msgspec.convert({"width": 32, "height": 16}, Window) == Window(width=32, height=16, near=0.8)
