"""The drive codec: both parts of a scene, each as its own codec would have it."""

import numpy as np
import pytest

from edgecnn.core.errors import DataError, InputError
from edgecnn.core.results import Detections, Lanes, Scene
from edgecnn.core.tensor import FrameSpec
from edgecnn.runtime.codecs.centres import CentresCodec
from edgecnn.runtime.codecs.drive import DriveCodec
from edgecnn.runtime.codecs.lane_rows import LaneRowsCodec

LANES, OBJECTS, FRAME = {"cells": 20, "rows": 12, "lanes": 2}, {"classes": ["pedestrian"]}, FrameSpec(64, 64)


def scene():
    line = np.stack([np.linspace(200, 500, 30), np.linspace(100, 350, 30)], 1).astype(np.float32)
    objects = Detections(
        np.array([[100, 80, 180, 300], [10, 10, 20, 40]], np.float32),
        np.zeros(0, np.float32),
        np.array([0, 1]),
        640,
        360,
        ("pedestrian", "car"),
    )
    return Scene(Lanes((line,), 640, 360, (-1,)), objects)


def test_it_encodes_and_decodes_what_its_parts_do():
    lanes, objects, both = (
        LaneRowsCodec(LANES),
        CentresCodec(OBJECTS, FRAME),
        DriveCodec({"lanes": LANES, "objects": OBJECTS}, FRAME),
    )
    truth = both.truth(scene())
    assert truth.objects.names == ("pedestrian",)
    assert len(truth.objects) == 1
    targets = both.encode(truth)
    alone = {**lanes.encode(truth.lanes), **objects.encode(truth.objects)}
    assert set(targets) == set(alone)
    assert all((targets[name] == alone[name]).all() for name in alone)
    rng = np.random.default_rng(0)
    outputs = {spec.name: rng.random(spec.shape).astype(np.float32) for spec in both.outputs}
    found = both.decode(outputs, 640, 360)
    assert found.lanes.to_json() == lanes.decode(outputs, 640, 360).to_json()
    assert found.objects.to_json() == objects.decode(outputs, 640, 360).to_json()
    assert both.logits == lanes.logits
    assert both.told_by == objects.told_by


def test_half_a_scene_and_bad_parameters_are_refused():
    codec = DriveCodec({"lanes": LANES, "objects": OBJECTS}, FRAME)
    for half in (scene().lanes, scene().objects):
        with pytest.raises(DataError, match="lane lines and objects are needed"):
            codec.truth(half)
    with pytest.raises(InputError, match="of drive"):
        DriveCodec({"lane": {}})
    with pytest.raises(InputError, match="of centres"):
        DriveCodec({"objects": {"stride": 3}})
