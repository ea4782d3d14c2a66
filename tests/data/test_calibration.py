"""Calibration frames: what is read, in which order, what is kept apart, and what does not fit."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.core.errors import DataError, InputError
from edgecnn.core.tensor import TensorSpec
from edgecnn.data.calibration import parted, spool_arrays, spool_frames, spread
from edgecnn.data.picture_input import Normalisation, PictureInput, picture_input
from edgecnn.data.spool import write_spool

X = TensorSpec("x", (1, 3, 4, 5), "float32")
POSE = TensorSpec("pose", (1, 7), "float32")


def saved(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def test_a_spool_is_read_as_often_as_asked_and_gives_what_was_laid_down(tmp_path):
    frames = [{"a": np.full((1, 2), i, np.float32), "b": np.arange(i, i + 3)} for i in range(5)]
    spool = write_spool(tmp_path / "s", iter(frames))
    for _ in range(2):
        for found, wanted in zip(spool, frames, strict=True):
            assert found.keys() == wanted.keys()
            assert all(np.array_equal(found[k], wanted[k]) and found[k].dtype == wanted[k].dtype for k in wanted)
    assert [int(f["a"][0, 0]) for f in spool.take([4, 0])] == [4, 0]
    doubled = spool.take([1, 2]).changed(lambda feeds: {"a": feeds["a"] * 2})
    assert [float(f["a"][0, 0]) for f in doubled] == [2, 4]


def test_a_spool_refuses_frames_of_another_kind_and_none(tmp_path):
    with pytest.raises(DataError, match="other tensors"):
        write_spool(tmp_path / "a", [{"a": np.zeros(2)}, {"a": np.zeros(3)}])
    with pytest.raises(DataError, match="no frame"):
        write_spool(tmp_path / "b", [])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("shape", [(6, 3, 4, 5), (6, 1, 3, 4, 5)])
def test_arrays_are_streamed_evenly_spread(tmp_path, save, shape):
    array = np.random.default_rng(0).normal(size=shape)
    save(tmp_path / "a.npz", anything=array)
    spool = spool_arrays(str(tmp_path / "a.npz"), (X,), 3, tmp_path / "s")
    assert len(spool) == 3
    for feeds, index in zip(spool, (0, 2, 5), strict=True):
        assert feeds["x"].dtype == np.float32
        assert np.array_equal(feeds["x"][0], array.reshape(6, 3, 4, 5)[index].astype(np.float32))


def test_one_frame_with_its_batch_axis_and_two_inputs(tmp_path):
    rng = np.random.default_rng(0)
    one = saved(tmp_path / "one.npz", x=rng.normal(size=(1, 3, 4, 5)))
    assert len(spool_arrays(one, (X,), 9, tmp_path / "s1")) == 1
    two = saved(tmp_path / "two.npz", pose=np.zeros((4, 7)), x=np.zeros((4, 3, 4, 5)), label=np.zeros(4))
    assert {k: v.shape for k, v in spool_arrays(two, (X, POSE), 9, tmp_path / "s2")[0].items()} == {
        "x": (1, 3, 4, 5),
        "pose": (1, 7),
    }


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"x": np.zeros((4, 3, 4, 6))}, r"has shape \[4, 3, 4, 6\]; input 'x' needs \[frames, 3, 4, 5\]"),
        ({"x": np.zeros((4, 3, 4, 5), np.uint8)}, "takes float32"),
        ({"x": np.zeros((0, 3, 4, 5))}, "holds no frame"),
        ({"x": np.full((2, 3, 4, 5), np.nan)}, "NaN or infinity"),
        ({"a": np.zeros((2, 3, 4, 5)), "b": np.zeros(2)}, "one array for each of the model's inputs, named 'x'"),
        ({"x": np.asfortranarray(np.zeros((2, 3, 4, 5)))}, "Fortran"),
        ({"x": np.array([object()])}, "has shape"),
        ({}, "it holds none"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, arrays, told):
    path = saved(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=told) as caught:
        spool_arrays(path, (X,), 9, tmp_path / "s")
    assert "\n" not in str(caught.value)


def test_files_that_are_no_arrays(tmp_path):
    whole = saved(tmp_path / "whole.npz", x=np.random.default_rng(0).normal(size=(50, 3, 4, 5)))
    cut = Path(whole).read_bytes()[:2000]
    for name, data in (("empty.npz", b""), ("text.npz", b"hello"), ("cut.npz", cut)):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(DataError, match=name):
            spool_arrays(str(path), (X,), 9, tmp_path / f"s{name}")
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as archive:
        archive.writestr("x.npy", b"no numpy at all")
    with pytest.raises(DataError, match="no NumPy array"):
        spool_arrays(str(tmp_path / "odd.npz"), (X,), 9, tmp_path / "so")
    with pytest.raises(DataError, match="no such file"):
        spool_arrays(str(tmp_path / "none.npz"), (X,), 9, tmp_path / "sn")
    path = saved(tmp_path / "n.npz", pose=np.zeros((3, 7)), x=np.zeros((4, 3, 4, 5)))
    with pytest.raises(DataError, match="differ in their number of frames"):
        spool_arrays(path, (X, POSE), 9, tmp_path / "sm")


def mean_of(frame):
    return {"m": np.array([[int(frame.mean().round())]], np.int64)}


def test_pictures_and_a_video_give_the_same_frames(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    video = cv2.VideoWriter(str(tmp_path / "v.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (64, 48))
    for i in range(10):
        picture = np.full((48, 64, 3), 20 * i, np.uint8)
        cv2.imwrite(str(folder / f"{i:02d}.png"), picture)
        video.write(picture)
    video.release()
    of_pictures = spool_frames(str(folder), mean_of, 4, tmp_path / "a")
    of_video = spool_frames(str(tmp_path / "v.mp4"), mean_of, 4, tmp_path / "b")
    wanted = [20 * i for i in (0, 3, 6, 9)]
    assert [int(f["m"][0, 0]) for f in of_pictures] == wanted
    assert [int(f["m"][0, 0]) for f in of_video] == pytest.approx(wanted, abs=3)


def test_sources_that_give_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures"):
        spool_frames(str(tmp_path / "empty"), mean_of, 4, tmp_path / "a")
    with pytest.raises(DataError, match="no such file"):
        spool_frames(str(tmp_path / "none"), mean_of, 4, tmp_path / "b")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"bad\.png"):
        spool_frames(str(tmp_path / "bad.png"), mean_of, 4, tmp_path / "c")


@given(st.integers(1, 500), st.integers(1, 500))
def test_frames_are_spread_from_first_to_last(count, limit):
    found = spread(count, limit)
    assert len(found) == min(count, limit)
    assert found == sorted(set(found))
    assert found[0] == 0
    assert found[-1] == count - 1 or limit == 1


@pytest.mark.parametrize(("count", "held"), [(1, 1), (15, 15), (31, 31), (32, 8), (300, 75)])
def test_frames_to_judge_are_none_of_those_to_fit(tmp_path, count, held):
    spool = write_spool(tmp_path / "s", ({"i": np.array([i])} for i in range(count)))
    fit, judged, apart = parted(spool)
    kept, shown = ([int(f["i"][0]) for f in part] for part in (fit, judged))
    assert len(shown) == held
    assert apart == (count >= 32)
    assert sorted({*kept, *shown}) == list(range(count))
    assert not apart or not set(kept) & set(shown)


def test_where_a_picture_goes_in():
    assert picture_input((X,)) == PictureInput("x", 4, 5, 3, channels_first=True, dtype="float32")
    last = picture_input((TensorSpec("y", (1, 6, 8, 1), "float32"),))
    assert (last.height, last.width, last.channels, last.channels_first) == (6, 8, 1, False)
    for specs in ((X, POSE), (POSE,), (TensorSpec("x", (1, 6, 4, 5), "float32"),)):
        with pytest.raises(InputError, match=r"FILE\.npz"):
            picture_input(specs)


@pytest.mark.parametrize("first", [True, False])
def test_pixels_become_the_input(first):
    frame = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    picture = PictureInput("x", 4, 5, 3, channels_first=first, dtype="float32")
    found = Normalisation(255, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)).apply(frame, picture)
    wanted = (frame / 255 - np.array([0.4, 0.5, 0.6])) / np.array([0.2, 0.3, 0.4])
    assert found.dtype == np.float32
    assert np.allclose(found[0].transpose(1, 2, 0) if first else found[0], wanted, atol=1e-5)


def test_a_grey_input_gets_luma_whatever_the_order():
    frame = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    picture = PictureInput("x", 4, 5, 1, channels_first=True, dtype="float32")
    rgb = Normalisation(1.0, color="rgb").apply(frame, picture)
    bgr = Normalisation(1.0, color="bgr").apply(np.ascontiguousarray(frame[..., ::-1]), picture)
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    assert rgb.shape == (1, 1, 4, 5)
    assert np.array_equal(rgb, bgr)
    assert np.abs(rgb[0, 0] - grey).max() <= 1
