"""Texture on drawn pictures: other pictures of the same things, the same for the same seed, where asked for alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.results import Detections
from edgecnn.core.tensor import FrameSpec
from edgecnn.runtime.preprocess import Geometry
from edgecnn.train.augment import augment
from edgecnn.train.texture import roughen

SPEC = FrameSpec(96, 64)
PERSON = Detections(
    np.array([(20, 10, 40, 50)], np.float32), np.zeros(0, np.float32), np.zeros(1, np.int64), 96, 64, ("pedestrian",)
)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(8, 200), width=st.integers(8, 200), seed=st.integers(0, 1000))
def test_any_frame_can_be_roughened(height, width, seed):
    frame = np.full((height, width, 3), 128, np.uint8)
    frame[: height // 2] = 200
    before = frame.copy()
    found = roughen(frame, np.random.default_rng(seed))
    assert found.shape == frame.shape
    assert found.dtype == np.uint8
    assert np.array_equal(frame, before)
    assert np.array_equal(found, roughen(frame, np.random.default_rng(seed)))


def test_what_is_there_stays_to_be_seen():
    frame = np.full((120, 160, 3), 60, np.uint8)
    frame[:, 80:] = 190
    told = [found[:, 80:].mean() - found[:, :80].mean() for found in many(frame)]
    assert min(told) > 80
    assert sum(not np.array_equal(found, frame) for found in many(frame)) > 0.9 * 50


def many(frame):
    return [roughen(frame, np.random.default_rng(seed)) for seed in range(50)]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_the_share_is_kept_and_truth_is_left_alone(share):
    picture = np.random.default_rng(1).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    geometry, changed = Geometry(SPEC, 96, 64), 0
    for seed in range(200):
        plain, truth = augment(picture, PERSON, geometry, np.random.default_rng(seed), 0.0)
        found, moved = augment(picture, PERSON, geometry, np.random.default_rng(seed), 0.0, share)
        assert np.array_equal(moved.boxes, truth.boxes)
        changed += not np.array_equal(found, plain)
    assert changed == pytest.approx(200 * share, abs=25)
