"""Augmentation moves labels with pixels."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.results import Detections, Lanes, Scene
from edgecnn.core.tensor import Crop, FrameSpec
from edgecnn.models.build import Normalise
from edgecnn.runtime.preprocess import Geometry, prepare
from edgecnn.train.augment import augment, reach, warp
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


def objects(boxes, **more):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(boxes, np.zeros(0, np.float32), np.zeros(len(boxes), np.int64), 640, 360, ("pedestrian",), **more)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_bright_box_stays_where_its_label_says(seed, letterbox):
    rng = np.random.default_rng(seed)
    spec = FrameSpec(320, 176, resize="letterbox" if letterbox else "stretch", crop=Crop(top=0.2))
    frame = np.full((360, 640, 3), 60, np.uint8)
    x, y = rng.integers(150, 450), rng.integers(120, 250)
    box = (x, y, x + rng.integers(40, 90), y + rng.integers(60, 100))
    cv2.rectangle(frame, box[:2], (box[2] - 1, box[3] - 1), (255, 255, 255), -1)
    geometry = Geometry(spec, 640, 360)
    truth = objects([box])
    matrix = augment_matrix(rng, truth)
    image = cv2.warpAffine(prepare(frame, spec), matrix, (320, 176), borderValue=(60, 60, 60))
    moved = warp(truth, matrix, geometry)
    bright = np.argwhere(image[..., 0] > 160)
    if len(bright) == 0 or not len(moved):
        assert len(bright) < 300
        return
    (top, left), (bottom, right) = bright.min(0), bright.max(0) + 1
    seen = geometry.to_network(moved.visible.reshape(-1, 2, 2))[0]
    # Turned by up to 4 degrees, the bright part is a little larger than its upright box.
    np.testing.assert_allclose(seen.ravel(), [left, top, right, bottom], atol=9)


def augment_matrix(rng, truth):
    """Return the matrix that augmentation draws for a 320x176 picture."""
    seen = []

    def keep(matrix):
        seen.append(matrix)
        return matrix

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgecnn.train.augment.warp", lambda truth, matrix, _: (keep(matrix), truth)[1])
        augment(np.zeros((176, 320, 3), np.uint8), truth, Geometry(FrameSpec(320, 176), 640, 360), rng)
    return seen[0]


def test_what_leaves_the_picture_is_ignored_and_then_gone():
    geometry = Geometry(FrameSpec(320, 180), 640, 360)
    truth = objects([[20, 100, 120, 300], [300, 100, 400, 300]], ignore=np.array([False, True]))

    def shifted(x):
        return warp(truth, np.array([[1.0, 0, x], [0, 1, 0]]), geometry)

    assert shifted(0).boxes.tolist() == truth.boxes.tolist()
    assert shifted(0).ignored.tolist() == [False, True]
    near = shifted(-30)
    assert near.boxes[0].tolist() == [-40, 100, 60, 300]
    assert near.visible[0].tolist() == [0, 100, 60, 300]
    assert near.ignored.tolist() == [False, True]
    assert shifted(-52).ignored.tolist() == [True, True]
    assert len(shifted(-61)) == 1
    assert not shifted(-61).boxes[0, 0] < 0


def test_hidden_persons_stay_hidden_and_boxes_grow_with_the_zoom():
    geometry = Geometry(FrameSpec(320, 180), 640, 360)
    truth = objects([[200, 100, 240, 200]], visible=np.array([[200, 100, 240, 150]], np.float32))
    moved = warp(truth, np.array([[-2.0, 0, 319], [0, 2, -50]]), geometry)
    assert moved.visibility.tolist() == [0.5]
    box = moved.boxes[0]
    assert (box[2] - box[0], box[3] - box[1]) == (80, 200)


def test_both_parts_of_a_scene_move_together():
    geometry = Geometry(FrameSpec(320, 180), 640, 360)
    y = np.arange(150, 350, 5, dtype=np.float32)
    truth = Scene(Lanes((np.stack([np.full_like(y, 250.0), y], 1),), 640, 360, (-1,)), objects([[240, 100, 260, 200]]))
    matrix = np.array([[1.0, 0, 20], [0, 1, 0]])
    moved = warp(truth, matrix, geometry)
    assert moved.lanes.lines[0][0, 0] == 290
    assert moved.objects.boxes[0].tolist() == [280, 100, 300, 200]


def test_lanes_are_moved_less_than_objects():
    lanes, both, people = reach(Lanes((), 1, 1)), reach(Scene(Lanes((), 1, 1), objects([]))), reach(objects([]))
    assert lanes.zoom == (0.85, 1.25)
    assert lanes.shift == (0.12, 0.15)
    assert people.zoom[0] < both.zoom[0] < lanes.zoom[0]
    assert people.zoom[1] > both.zoom[1] > lanes.zoom[1]
