"""Each operator against ONNX Runtime, in float, on odd shapes and in whatever order the axes lie."""

import numpy as np
import pytest
from litert_graphs import IMAGE, Graph, expect_the_same, flatbuffer, operators
from onnx import TensorProto

CONVOLUTIONS = {
    "plain": ((5, 6, 3, 3), {"pads": [1, 1, 1, 1]}),
    "strided": ((5, 6, 3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    "one side padded": ((5, 6, 3, 2), {"pads": [2, 0, 0, 1]}),
    "dilated": ((5, 6, 3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
    "same upper": ((5, 6, 4, 4), {"auto_pad": "SAME_UPPER", "strides": [2, 1]}),
    "same lower": ((5, 6, 4, 4), {"auto_pad": "SAME_LOWER", "strides": [2, 1]}),
    "depthwise": ((6, 1, 3, 3), {"pads": [1, 1, 1, 1], "group": 6}),
    "depthwise doubled": ((12, 1, 3, 3), {"pads": [1, 1, 1, 1], "group": 6}),
    "grouped": ((4, 3, 3, 3), {"pads": [1, 1, 1, 1], "group": 2}),
}
TRANSPOSED = {
    "doubling": ((6, 4, 2, 2), {"strides": [2, 2]}),
    "same": ((6, 4, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "more behind": ((6, 4, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    "more than all": ((6, 4, 2, 3), {"strides": [3, 2], "output_padding": [2, 1]}),
    "grouped": ((6, 2, 3, 3), {"strides": [2, 1], "group": 3, "pads": [1, 0, 0, 2]}),
    "dilated": ((6, 4, 2, 2), {"dilations": [2, 3]}),
}


@pytest.mark.parametrize(("shape", "settings"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_convolutions(tmp_path, shape, settings):
    g = Graph()
    y = g.node("Relu", [g.node("Conv", ["x", g.floats(*shape), g.floats(shape[0])], **settings)])
    expect_the_same(g.model(y), tmp_path)


@pytest.mark.parametrize(("shape", "settings"), TRANSPOSED.values(), ids=TRANSPOSED)
def test_transposed_convolutions(tmp_path, shape, settings):
    g = Graph()
    channels = shape[1] * settings.get("group", 1)
    expect_the_same(g.model(g.node("ConvTranspose", ["x", g.floats(*shape), g.floats(channels)], **settings)), tmp_path)


def test_rows(tmp_path):
    g = Graph()
    y = g.node("Conv", ["x", g.floats(4, 3, 3)], pads=[1, 1], strides=[2], group=2)
    y = g.node("MaxPool", [g.node("Clip", [y, g.constant(np.float32(0)), g.constant(np.float32(6))])], kernel_shape=[2])
    expect_the_same(g.model(y, {"x": (TensorProto.FLOAT, [2, 6, 13])}), tmp_path)


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [2, 3], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [3, 2], "strides": [1, 2], "pads": [0, 1, 2, 1]},
    ],
)
def test_pools(tmp_path, kind, settings):
    g = Graph()
    expect_the_same(g.model(g.node(kind, ["x"], **settings)), tmp_path)
    if kind == "AveragePool":
        g = Graph()
        expect_the_same(g.model(g.node(kind, ["x"], count_include_pad=1, **settings)), tmp_path)


@pytest.mark.parametrize("mode", ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
@pytest.mark.parametrize("size", [(18, 22), (5, 17), (27, 6)])
def test_resizing(tmp_path, mode, size):
    for kind, rounding in (
        ("linear", "floor"),
        ("nearest", "floor"),
        ("nearest", "round_prefer_floor"),
        ("nearest", "ceil"),
    ):
        g = Graph()
        sizes = g.ints(*IMAGE[:2], *size)
        settings = {"mode": kind, "coordinate_transformation_mode": mode, "nearest_mode": rounding}
        expect_the_same(g.model(g.node("Resize", ["x", "", "", sizes], **settings)), tmp_path)


UNARY = {
    **{
        kind: {}
        for kind in ("Abs", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Neg")
    },
    **{kind: {} for kind in ("Reciprocal", "Relu", "Sigmoid", "Sin", "Softplus", "Softsign", "Tanh", "Selu")},
    "Softmax": {"axis": 1},
    "LogSoftmax": {"axis": 1},
    "Elu": {"alpha": 0.5},
}


@pytest.mark.parametrize("kind", UNARY)
def test_functions_of_one_tensor(tmp_path, kind):
    g = Graph()
    y = g.node("Conv", ["x", g.floats(6, 6, 1, 1)])
    expect_the_same(g.model(g.node(kind, [y], **UNARY[kind])), tmp_path)


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
@pytest.mark.parametrize("other", [(), (6, 1, 1), (1, 6, 9, 1), (11,)])
def test_operands_of_another_shape_broadcast(tmp_path, kind, other):
    g = Graph()
    y = g.node("Conv", ["x", g.floats(6, 6, 1, 1)])
    gain = g.node("Relu", ["gain"])
    y = g.node(kind, [y, g.constant(np.full(other, 1.5, np.float32))])
    y = g.node(kind, [y, g.node("Add", [gain, g.constant(np.float32(2))])])
    inputs = {"x": (TensorProto.FLOAT, IMAGE), "gain": (TensorProto.FLOAT, [6, 1, 1])}
    expect_the_same(g.model(y, inputs), tmp_path)


def test_moving_operators(tmp_path):
    g = Graph()
    y = g.node("Conv", ["x", g.floats(8, 6, 1, 1)])
    first, second = g.node("Split", [y, g.ints(3, 5)], outputs=2, axis=1)
    y = g.node("Concat", [second, first], axis=1)
    back = g.node("Slice", [y, g.ints(-1, 1), g.ints(-100, 9), g.ints(1, 3), g.ints(-1, 2)])
    picked = g.node("Gather", [y, g.ints(4, 0, 2)], axis=1)
    alone = g.node("Gather", [y, g.constant(np.int64(2))], axis=2)
    around = g.node("Pad", [y, g.ints(0, 0, 1, 2, 0, 0, 0, 1)])
    mirrored = g.node("Pad", [y, g.ints(0, 0, 1, 2, 0, 0, 0, 1)], mode="reflect")
    filled = g.node("Pad", [y, g.ints(0, 0, 1, 2, 0, 0, 0, 1), g.constant(np.float32(0.5))])
    tiled = g.node("Tile", [y, g.ints(1, 2, 1, 1)])
    wide = g.node("Expand", [g.node("ReduceMean", [y, g.ints(1)]), g.ints(1, 4, 9, 11)])
    outputs = [back, picked, alone, around, mirrored, filled, tiled, wide]
    expect_the_same(g.model(outputs), tmp_path)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_and_space(tmp_path, mode):
    g = Graph()
    y = g.node("DepthToSpace", [g.node("Conv", ["x", g.floats(12, 6, 1, 1)])], blocksize=2, mode=mode)
    expect_the_same(g.model(g.node("SpaceToDepth", [y], blocksize=2)), tmp_path)


@pytest.mark.parametrize("kind", ["ReduceMean", "ReduceSum", "ReduceMax"])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reductions(tmp_path, kind, keepdims):
    g = Graph()
    y = g.node("Conv", ["x", g.floats(6, 6, 1, 1)])
    outputs = [g.node(kind, [y, g.ints(*axes)], keepdims=keepdims) for axes in ((2, 3), (1,), (-1,))]
    expect_the_same(g.model([*outputs, g.node("ArgMax", [y], axis=1, keepdims=keepdims)]), tmp_path)


def test_products(tmp_path):
    g = Graph()
    y = g.node("Flatten", [g.node("Conv", ["x", g.floats(3, 6, 1, 1)])])
    y = g.node("Gemm", [y, g.floats(8, 297, spread=0.1), g.floats(8)], transB=1)
    rows = g.node("Reshape", ["x", g.ints(1, 6, 99)])
    square = g.node("MatMul", [rows, g.node("Transpose", [rows], perm=[0, 2, 1])])
    last = g.node("MatMul", [g.node("Transpose", ["x"], perm=[0, 2, 3, 1]), g.floats(6, 4)])
    expect_the_same(g.model([y, square, last]), tmp_path)


def test_norms(tmp_path):
    g = Graph()
    y = g.node("Conv", ["x", g.floats(6, 6, 1, 1)])
    vectors = [g.floats(6), g.floats(6), g.floats(6), g.constant(np.linspace(0.5, 2, 6).astype(np.float32))]
    batch = g.node("Relu", [g.node("BatchNormalization", [y, *vectors])])
    instance = g.node("InstanceNormalization", [y, *vectors[:2]])
    turned = g.node("LayerNormalization", [g.node("Transpose", [y], perm=[0, 2, 3, 1]), *vectors[:2]])
    expect_the_same(g.model([batch, instance, turned]), tmp_path)


def test_a_network_of_convolutions_is_not_transposed_inside(tmp_path):
    g = Graph()
    y = g.node("Transpose", [g.node("Cast", ["frame"], to=TensorProto.FLOAT)], perm=[0, 3, 1, 2])
    y = g.node("Relu", [g.node("Conv", [y, g.floats(8, 3, 3, 3)], pads=[1, 1, 1, 1])])
    gate = g.node("Sigmoid", [g.node("Conv", [g.node("GlobalAveragePool", [y]), g.floats(8, 8, 1, 1)])])
    y = g.node("Concat", [g.node("Mul", [y, gate]), y], axis=1)
    y = g.node("Reshape", [y, g.ints(1, 2, 8, 63)])
    y = g.node("Reshape", [g.node("Transpose", [y], perm=[0, 2, 1, 3]), g.ints(1, 16, 7, 9)])
    y = g.node("Flatten", [g.node("GlobalAveragePool", [g.node("Conv", [y, g.floats(4, 16, 1, 1)])])])
    model = g.model(y, {"frame": (TensorProto.UINT8, [1, 7, 9, 3])})
    kinds = [kind for kind, _ in operators(flatbuffer(model, tmp_path))]
    # The shuffle of channels moves numbers; nothing else does.
    assert kinds.count("TRANSPOSE") == 1
    expect_the_same(model, tmp_path, atol=2e-3)
