"""Augmentation moves labels with pixels."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.results import Lanes
from edgecnn.core.tensor import Crop, FrameSpec
from edgecnn.models.build import Normalise
from edgecnn.runtime.preprocess import Geometry, prepare
from edgecnn.train.augment import augment
from edgecnn.train.dataset import normalised


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_a_bright_line_stays_under_its_label(seed):
    rng = np.random.default_rng(seed)
    spec = FrameSpec(320, 160, crop=Crop(top=0.2))
    frame = np.full((360, 640, 3), 60, np.uint8)
    top, bottom = rng.uniform(200, 440), rng.uniform(100, 540)
    y = np.arange(100, 350, 5, dtype=np.float32)
    line = np.stack([np.interp(y, [100, 350], [top, bottom]), y], 1).astype(np.float32)
    cv2.line(frame, (round(top * 16), 1600), (round(bottom * 16), 5600), (255, 255, 255), 9, cv2.LINE_AA, 4)
    image, truth = augment(prepare(frame, spec), Lanes((line,), 640, 360, (1,)), Geometry(spec, 640, 360), rng)
    assert image.shape == (160, 320, 3)
    assert image.dtype == np.uint8
    if not truth.lines:
        return
    points = Geometry(spec, 640, 360).to_network(truth.lines[0])
    inside = (points[:, 0] > 8) & (points[:, 0] < 312) & (points[:, 1] > 4) & (points[:, 1] < 156)
    grey = image.astype(float).mean(-1)
    hits = [
        np.median(grey[int(y), int(x)] - [grey[int(y), int(x) - 7], grey[int(y), int(x) + 7]]) > 10
        for x, y in points[inside]
    ]
    assert np.mean(hits or [1]) > 0.7  # a covered patch or noise may hide a part


def test_mirroring_swaps_the_sides():
    spec = FrameSpec(320, 160)
    y = np.arange(150, 350, 5, dtype=np.float32)
    lines = tuple(np.stack([np.full_like(y, x), y], 1) for x in (250.0, 390.0))
    seen = set()
    for seed in range(40):
        _, truth = augment(
            np.zeros((160, 320, 3), np.uint8),
            Lanes(lines, 640, 360, (-1, 1)),
            Geometry(spec, 640, 360),
            np.random.default_rng(seed),
        )
        if len(truth.lines) == 2:
            left, right = truth.line(-1), truth.line(1)
            if left is not None and right is not None:
                assert left[-1, 0] < right[-1, 0]
                seen.add(seed)
    assert len(seen) > 20


@pytest.mark.parametrize(("frame", "flipped"), [("bgr", False), ("rgb", True)])
def test_the_network_sees_its_own_colour_order_whatever_the_frame_s(frame, flipped):
    image = torch.zeros(1, 2, 2, 3, dtype=torch.uint8)
    image[..., 0] = 255
    seen = normalised(image, Normalise((0.0,) * 3, (1.0,) * 3, "bgr"), frame)
    assert seen[0, :, 0, 0].tolist() == ([0, 0, 1] if flipped else [1, 0, 0])
