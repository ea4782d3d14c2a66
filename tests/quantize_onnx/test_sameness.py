"""Calibration frames that say nothing are noticed, others are not."""

import numpy as np
import pytest

from edgecnn.core.errors import DataError
from edgecnn.data.spool import write_spool
from edgecnn.quantize_onnx.sameness import told_alike


def spool(folder, *frames, **more):
    return write_spool(folder / "frames", [{"x": frame, **more} for frame in frames])


def test_different_frames_say_nothing(tmp_path):
    first, last = np.zeros((1, 3, 4), np.float32), np.zeros((1, 3, 4), np.float32)
    last[0, 2, 3] = 1
    assert told_alike(spool(tmp_path / "last", first, first, last), "a.npz") == ()
    assert told_alike(spool(tmp_path / "middle", first, last, first), "a.npz") == ()


def test_one_frame_and_again(tmp_path):
    frame = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    assert told_alike(spool(tmp_path / "one", frame), "a.npz") == ()
    (text,) = told_alike(spool(tmp_path / "three", frame, frame, frame), "a.npz")
    assert text.startswith("the 3 calibration frames are all the same")


@pytest.mark.parametrize("count", [1, 5])
def test_frames_of_one_value_are_refused(tmp_path, count):
    frames = spool(tmp_path, *[np.full((1, 3, 4), 0.5, np.float32)] * count, threshold=np.float32([0.3]))
    with pytest.raises(DataError, match=r"^a\.npz: every frame holds one value only"):
        told_alike(frames, "a.npz")


def test_an_input_that_never_changes_is_no_reason_beside_one_that_has_values(tmp_path):
    frames = [np.random.default_rng(i).normal(size=(1, 3, 4)).astype(np.float32) for i in range(3)]
    assert told_alike(spool(tmp_path, *frames, mask=np.ones((1, 4), np.float32)), "a.npz") == ()
