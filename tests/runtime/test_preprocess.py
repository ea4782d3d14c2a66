import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.errors import TensorError
from edgecnn.core.tensor import Crop, FrameSpec
from edgecnn.runtime.preprocess import LETTERBOX_GREY, Geometry, prepare

fractions = st.sampled_from([0.0, 0.1, 0.25, 0.33])
specs = st.builds(
    FrameSpec,
    width=st.integers(1, 97),
    height=st.integers(1, 97),
    color=st.sampled_from(["bgr", "rgb"]),
    resize=st.sampled_from(["stretch", "letterbox"]),
    crop=st.builds(Crop, top=fractions, bottom=fractions, left=fractions, right=fractions),
)
sides = st.integers(9, 200)


@given(specs, sides, sides)
@settings(max_examples=200)
def test_any_frame_becomes_a_contiguous_input_of_the_spec(spec, width, height):
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    before = frame.copy()
    out = prepare(frame, spec)
    assert out.shape == (spec.height, spec.width, 3)
    assert out.dtype == np.uint8
    assert out.flags.c_contiguous
    assert not np.may_share_memory(out, frame)
    assert (frame == before).all()


@given(specs, sides, sides, st.lists(st.tuples(st.floats(-50, 300), st.floats(-50, 300)), min_size=1))
def test_maps_undo_each_other(spec, width, height, points):
    geometry = Geometry(spec, width, height)
    points = np.array(points)
    there = geometry.to_network(points)
    assert there.dtype == np.float64
    np.testing.assert_allclose(geometry.to_frame(there), points, atol=1e-6)
    assert geometry.to_frame(points.astype(np.float32)).dtype == np.float32


@given(specs, sides, sides)
def test_corners_of_the_crop_are_corners_of_the_picture(spec, width, height):
    geometry = Geometry(spec, width, height)
    left, top, right, bottom = geometry.crop
    ends = geometry.to_network(np.array([[left, top], [right, bottom]], np.float64))
    pad, size = np.array(geometry.pad), np.array(geometry.size)
    np.testing.assert_allclose(ends, [pad, pad + size], atol=1e-9)
    assert (pad >= 0).all()
    assert (pad + size <= (spec.width, spec.height)).all()
    if spec.resize == "letterbox":
        assert spec.width in geometry.size or spec.height in geometry.size


# The centre of mass of a soft blob tells where the picture really went, whatever the resize did inside.
@given(
    st.builds(
        FrameSpec,
        width=st.integers(48, 160),
        height=st.integers(48, 160),
        resize=st.sampled_from(["stretch", "letterbox"]),
        crop=st.builds(Crop, top=fractions, left=fractions),
    ),
    st.integers(100, 400),
    st.integers(100, 400),
    st.floats(0.55, 0.8),
    st.floats(0.55, 0.8),
)
@settings(max_examples=60, deadline=None)
def test_a_blob_lands_where_the_map_says(spec, width, height, x, y):
    centre = np.array([x * width, y * height])
    columns, rows = np.arange(width) + 0.5, np.arange(height) + 0.5
    blob = np.exp(
        -((columns - centre[0]) ** 2)[None] / (width / 12) ** 2
        - ((rows - centre[1]) ** 2)[:, None] / (height / 12) ** 2
    )
    frame = np.repeat(np.round(blob * 255).astype(np.uint8)[..., None], 3, axis=2)
    geometry = Geometry(spec, width, height)
    mass = prepare(frame, spec)[..., 0].astype(np.float64)
    if spec.resize == "letterbox":
        inside = np.zeros_like(mass)
        (px, py), (w, h) = geometry.pad, geometry.size
        inside[py : py + h, px : px + w] = 1
        mass *= inside
    found = np.array(
        [
            (mass.sum(0) * (np.arange(spec.width) + 0.5)).sum() / mass.sum(),
            (mass.sum(1) * (np.arange(spec.height) + 0.5)).sum() / mass.sum(),
        ]
    )
    # A wrong half-pixel convention errs by (1 - scale) / 2 network pixels: more than this below a scale of 0.6.
    np.testing.assert_allclose(found, geometry.to_network(centre), atol=0.2)


def test_colour_order_and_letterbox_grey():
    frame = np.zeros((40, 40, 3), np.uint8)
    frame[:] = (10, 20, 30)
    out = prepare(frame, FrameSpec(80, 40, color="rgb", resize="letterbox"))
    assert (out[:, :20] == LETTERBOX_GREY).all()
    assert (out[:, 60:] == LETTERBOX_GREY).all()
    assert (out[:, 20:60] == (30, 20, 10)).all()


def test_a_frame_of_the_right_size_is_copied_not_lent():
    frame = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    out = prepare(frame, FrameSpec(6, 4))
    assert (out == frame).all()
    assert not np.may_share_memory(out, frame)


def test_strided_views_give_the_same_as_their_copies():
    frame = np.random.default_rng(1).integers(0, 256, (120, 160, 6), np.uint8)[::2, ::-1, ::2]
    spec = FrameSpec(33, 21, crop=Crop(top=0.2))
    assert (prepare(frame, spec) == prepare(np.ascontiguousarray(frame), spec)).all()


def test_thin_lines_keep_their_brightness_when_shrunk():
    def energy(shift: float) -> float:
        frame = np.zeros((720, 1280, 3), np.uint8)
        for x in range(40, 1240, 100):
            ends = np.round(np.array([[x + shift, 0], [x + shift + 30, 719]]) * 16).astype(np.int32)
            cv2.polylines(frame, [ends], isClosed=False, color=(255,) * 3, thickness=2, lineType=cv2.LINE_AA, shift=4)
        return float(prepare(frame, FrameSpec(160, 90)).sum())

    energies = [energy(shift) for shift in np.linspace(0, 8, 9)]
    assert np.std(energies) / np.mean(energies) < 0.05


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((1, 10, 10, 3), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        [[1, 2, 3]],
    ],
)
def test_what_is_no_frame_is_refused_by_name(frame):
    with pytest.raises(TensorError, match=r"uint8 \[height, width, 3\] BGR") as caught:
        prepare(frame, FrameSpec(8, 8))
    assert "\n" not in str(caught.value)


def test_a_frame_that_the_crop_swallows_is_refused():
    with pytest.raises(TensorError, match="too small"):
        prepare(np.zeros((3, 3, 3), np.uint8), FrameSpec(8, 8, crop=Crop(top=0.5, bottom=0.49)))
