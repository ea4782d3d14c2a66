"""Q/DQ graphs run in integer kernels and give what the graph says, to a step of rounding."""

import numpy as np
import pytest
from litert_graphs import IMAGE, Graph, engines, feeds, flatbuffer, operators
from onnx import TensorProto

STEP = 0.05


def expect_int8(model, folder, kinds, *, steps=1.0, mean=0.02):
    """Expect operators `kinds` in int8, and results that are off by `steps` at most and hardly ever."""
    found = operators(flatbuffer(model, folder))
    assert set(kinds) <= {kind for kind, dtype in found if dtype == "int8"}, found
    ours, theirs = engines(model, folder)
    for seed in range(2):
        frame = feeds(ours, seed)
        got, wanted = ours.infer(frame), theirs.infer(frame)
        for name, array in wanted.items():
            off = np.abs(got[name] - array) / STEP
            assert off.max() <= steps + 1e-3
            assert off.mean() <= mean


@pytest.mark.parametrize("group", [1, 2, 6])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_convolutions(tmp_path, group, dtype):
    g = Graph()
    zero = 10 if dtype is np.int8 else 138
    weights = g.rng.normal(0, 0.3, (12, 6 // group, 3, 3)).astype(np.float32)
    x = g.rounded("x", 0.03, zero, dtype)
    y = g.node("Conv", [x, g.int8_weights(weights), g.floats(12)], pads=[1, 1, 1, 1], strides=[2, 2], group=group)
    y = g.rounded(g.node("Relu", [y]), STEP, -128 if dtype is np.int8 else 0, dtype)
    expect_int8(g.model(y), tmp_path, {"DEPTHWISE_CONV_2D" if group == 6 else "CONV_2D"})


def test_transposed_convolution_and_join(tmp_path):
    g = Graph()
    weights = g.rng.normal(0, 0.3, (6, 4, 4, 4)).astype(np.float32)
    x = g.rounded("x", 0.03)
    y = g.node("ConvTranspose", [x, g.int8_weights(weights, 1), g.floats(4)], strides=[2, 2], pads=[1, 1, 1, 1])
    y = g.rounded(y, STEP, 3)
    small = g.node("MaxPool", [y], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    y = g.node("Concat", [small, g.node("Slice", [small, g.ints(0), g.ints(2), g.ints(1)])], axis=1)
    expect_int8(g.model(y), tmp_path, {"TRANSPOSE_CONV", "MAX_POOL_2D", "CONCATENATION", "SLICE"})


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul"])
def test_arithmetic(tmp_path, kind):
    g = Graph()
    first, second = g.rounded("x", 0.03, 4), g.rounded(g.node("Neg", ["x"]), 0.02, -7)
    y = g.rounded(g.node("Relu", [g.node(kind, [first, second])]), STEP, -128)
    y = g.rounded(g.node(kind, [y, g.floats(6, 1, 1)]), STEP)
    expect_int8(g.model(y), tmp_path, {kind.upper()}, steps=2)


def test_fully_connected_and_mean(tmp_path):
    g = Graph()
    y = g.rounded(g.node("GlobalAveragePool", [g.rounded("x", 0.03)]), 0.01)
    weights = g.rng.normal(0, 0.3, (5, 6)).astype(np.float32)
    y = g.node("Gemm", [g.node("Flatten", [y]), g.int8_weights(weights), g.floats(5)], transB=1)
    expect_int8(g.model(g.rounded(y, STEP)), tmp_path, {"MEAN", "FULLY_CONNECTED", "RESHAPE"})


@pytest.mark.parametrize("bounds", [(0.0, 6.0), (-1.0, 1.0), (0.0, 1.0), (-0.7, 2.3)])
def test_cut_results(tmp_path, bounds):
    g = Graph()
    weights = g.rng.normal(0, 0.6, (4, 6, 1, 1)).astype(np.float32)
    y = g.node("Conv", [g.rounded("x", 0.03), g.int8_weights(weights)])
    y = g.node("Clip", [y, *(g.constant(np.float32(bound)) for bound in bounds)])
    expect_int8(g.model(g.rounded(y, STEP, 5)), tmp_path, {"CONV_2D"})


@pytest.mark.parametrize("kind", ["Sigmoid", "HardSwish", "Tanh", "LeakyRelu", "Relu", "Elu"])
def test_functions_between_rounding_are_exact(tmp_path, kind):
    g = Graph()
    y = g.rounded(g.node(kind, [g.rounded("x", 0.03, 4)]), STEP, 7)
    expect_int8(g.model(y), tmp_path, set(), steps=1, mean=1e-3)


def test_pixels_go_in_as_they_are(tmp_path):
    g = Graph()
    y = g.node("Cast", [g.node("Transpose", ["frame"], perm=[0, 3, 1, 2])], to=TensorProto.FLOAT)
    y = g.rounded(g.node("Sub", [y, g.constant(np.full((1, 3, 1, 1), 117, np.float32))]), 1.0, -11)
    weights = g.rng.normal(0, 0.002, (4, 3, 3, 3)).astype(np.float32)
    y = g.rounded(g.node("Conv", [y, g.int8_weights(weights)], pads=[1, 1, 1, 1]), STEP)
    model = g.model(y, {"frame": (TensorProto.UINT8, [1, 9, 11, 3])})
    expect_int8(model, tmp_path, {"CONV_2D"})
    assert operators(flatbuffer(model, tmp_path))[:2] == [("QUANTIZE", "uint8"), ("CONV_2D", "int8")]


def test_what_has_no_integer_form_is_computed_in_float(tmp_path):
    g = Graph()
    weights = g.rng.normal(0, 0.3, (4, 6, 1, 1)).astype(np.float32)
    bare = g.node("Conv", [g.rounded("x", 0.03), g.int8_weights(weights)])
    model = g.model(bare)
    assert ("CONV_2D", "float32") in operators(flatbuffer(model, tmp_path))
    ours, theirs = engines(model, tmp_path)
    frame = feeds(ours)
    np.testing.assert_allclose(ours.infer(frame)[bare], theirs.infer(frame)[bare], atol=1e-4)


def test_bilinear_keeps_its_scale(tmp_path):
    g = Graph()
    y = g.node("Resize", [g.rounded("x", STEP), "", "", g.ints(*IMAGE[:2], 18, 22)], mode="linear")
    expect_int8(g.model(g.rounded(y, 0.04)), tmp_path, {"RESIZE_BILINEAR"}, steps=1.5, mean=0.6)
