"""Histograms, range methods and integer weights against naive twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.compress.quantize.histogram import BINS, Histogram
from edgecnn.compress.quantize.ranges import METHODS, find_range, rounded, scale_and_zero, widen
from edgecnn.compress.quantize.scheme import Format
from edgecnn.compress.quantize.weights import least_scale, quantize_bias, quantize_weights

UNSIGNED, SIGNED = Format("uint8", symmetric=False), Format("int8", symmetric=True)
FORMATS = (UNSIGNED, SIGNED, Format("int8", symmetric=False), Format("uint8", symmetric=True))
WEIGHT = Format("int8", symmetric=True, narrow=True)
ENDS = st.floats(-1e4, 1e4, width=32)


def filled(arrays):
    histogram = Histogram()
    for array in arrays:
        histogram.add(np.asarray(array, np.float32))
    return histogram


@given(st.integers(0, 2**16), st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6))
def test_growing_histogram_counts_everything_where_it_is(seed, widths):
    rng = np.random.default_rng(seed)
    arrays = [(rng.normal(size=500) * width).astype(np.float32) for width in widths]
    histogram = filled(arrays)
    values = np.concatenate(arrays)
    assert histogram.counts.sum() == values.size
    assert (histogram.seen_min, histogram.seen_max) == (values.min(), values.max())
    half = 2 * histogram.bound / BINS
    for share in (0.1, 0.5, 0.9):
        at = histogram.centres[np.searchsorted(np.cumsum(histogram.counts), share * values.size)]
        below = np.count_nonzero(values <= at + half) / values.size
        above = np.count_nonzero(values >= at - half) / values.size
        assert below >= share - 1 / values.size
        assert above >= 1 - share - 1 / values.size


def test_large_tensors_are_sampled_evenly_and_extremes_are_exact():
    values = np.zeros(1_000_001, np.float32)
    values[777_777] = 9
    histogram = filled([values] * 3)
    assert histogram.seen_max == 9
    assert histogram.counts.sum() < 250_000


def test_all_zero_tensor_has_a_positive_scale():
    for form in FORMATS:
        for method in METHODS:
            low, high = find_range(filled([np.zeros(10)]), method, form)
            scale, zero = scale_and_zero(low, high, form)
            assert scale > 0
            assert rounded(np.zeros(1), low, high, form)[0] == 0
            assert form.low <= zero <= form.high


@given(ENDS, ENDS, st.sampled_from(FORMATS))
def test_zero_is_exact_and_inside_values_move_by_half_a_step(first, second, form):
    low, high = widen(min(first, second), max(first, second), form)
    scale, zero = scale_and_zero(low, high, form)
    assert form.low <= zero <= form.high
    assert rounded(np.zeros(1), low, high, form)[0] == 0
    values = np.linspace(low, high, 50)
    # The zero point is rounded too, so that either end may lose up to half a step more.
    assert np.abs(rounded(values, low, high, form) - values).max() <= scale * 1.001


@given(st.integers(0, 2**16), st.sampled_from(["normal", "laplace", "relu"]), st.sampled_from(FORMATS))
def test_mse_is_never_worse_than_minmax(seed, kind, form):
    rng = np.random.default_rng(seed)
    values = rng.laplace(size=4000) if kind == "laplace" else rng.normal(size=4000)
    values = (np.maximum(values, 0) if kind == "relu" else values).astype(np.float32)
    values[0] *= 20
    errors = {
        method: np.mean((rounded(values, *find_range(filled([values]), method, form), form) - values) ** 2)
        for method in ("minmax", "mse")
    }
    assert errors["mse"] <= errors["minmax"] * 1.02


@pytest.mark.parametrize(("method", "bound"), [("percentile", 10), ("mse", 700), ("entropy", 250)])
def test_one_outlier_in_a_million_is_clipped(method, bound):
    rng = np.random.default_rng(0)
    frames = [np.maximum(rng.normal(size=65_536), 0) for _ in range(16)]
    frames[3][5] = 1000
    assert find_range(filled(frames), method, UNSIGNED)[1] < bound


@given(st.integers(0, 2**16), st.sampled_from([0, 1, None]))
def test_weights_come_back_within_half_a_step_unless_clipped(seed, axis):
    rng = np.random.default_rng(seed)
    weights = (rng.normal(size=(5, 4, 3, 3)) * rng.uniform(0.01, 10, (5, 1, 1, 1))).astype(np.float32)
    result = quantize_weights(weights, WEIGHT, axis)
    assert result.stored.dtype == np.int8
    assert result.stored.min() >= -127
    shape = [1] * 4
    if axis is not None:
        shape[axis] = -1
    back = result.stored * result.scale.reshape(shape)
    full = np.abs(weights).max(axis=tuple(i for i in range(4) if i != axis), keepdims=True) / 127
    naive = np.clip(np.round(weights / full), -127, 127) * full
    assert ((back - weights) ** 2).sum() <= ((naive - weights) ** 2).sum() * 1.0001


@given(st.floats(1e-6, 10), st.floats(1e-12, 10), st.floats(-1e6, 1e6))
def test_bias_never_overflows_and_comes_back(input_scale, magnitude, value):
    bias = np.array([value], np.float32)
    weights = np.full((1, 2), magnitude, np.float32)
    result = quantize_weights(weights, WEIGHT, 0, least_scale(bias, input_scale))
    stored, scale = quantize_bias(bias, np.float32(input_scale), result.scale)
    assert abs(int(stored[0])) <= 2**30 + 128
    assert abs(stored[0] * float(scale[0]) - value) <= scale[0] * 0.51 + abs(value) * 1e-6
