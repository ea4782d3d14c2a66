import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgecnn.core.errors import TensorError
from edgecnn.core.tensor import Crop, FrameSpec, TensorSpec, check_feeds

SPEC = TensorSpec(name="image", shape=(1, 4, 6, 3), dtype="float32", layout="NHWC")


@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(max_dims=4, max_side=6)))
def test_any_other_array_is_refused_and_told_what_is_expected(array):
    fits = array.shape == SPEC.shape and array.dtype == np.float32 and np.isfinite(array).all()
    if not fits:
        with pytest.raises(TensorError, match=r"input 'image' .*float32 of shape \[1, 4, 6, 3\] \(NHWC\)"):
            SPEC.check(array)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@given(place=st.integers(0, 71))
def test_one_number_that_is_none_is_found_wherever_it_is(bad, place):
    array = np.zeros(SPEC.shape, np.float32)
    SPEC.check(array)
    array.flat[place] = bad
    with pytest.raises(TensorError, match="NaN or infinity"):
        SPEC.check(array)


def test_a_strided_view_is_as_good_as_its_copy():
    SPEC.check(np.zeros((1, 8, 12, 3), np.float32)[:, ::2, ::-2])


def test_feeds_must_be_named_exactly():
    good = {"image": np.zeros(SPEC.shape, np.float32)}
    check_feeds((SPEC,), good)
    for feeds in ({}, {"img": good["image"]}, good | {"more": good["image"]}):
        with pytest.raises(TensorError, match=r"inputs must be named \['image'\]"):
            check_feeds((SPEC,), feeds)
    with pytest.raises(TensorError, match="must be a NumPy array, not list"):
        check_feeds((SPEC,), {"image": [1, 2]})


@given(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5))
def test_a_crop_leaves_something_of_the_frame(low, high):
    if low >= 0 and high >= 0 and low + high < 1:
        assert Crop(top=low, bottom=high) == Crop(low, high)
    else:
        with pytest.raises(ValueError, match="leave something"):
            Crop(top=low, bottom=high)


def test_a_frame_has_pixels():
    with pytest.raises(ValueError, match="at least 1 pixel"):
        FrameSpec(width=0, height=3)
