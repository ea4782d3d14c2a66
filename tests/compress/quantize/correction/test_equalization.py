"""Scaled channels change nothing in float, whatever the scales; what they bring in INT8."""

import numpy as np
import onnx_ir as ir
import pytest
from correction_nets import SIZE, Frames, Net, shuffle_net
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.compress.quantize.correction.channels import find_channels
from edgecnn.compress.quantize.correction.equalization import apply_scales, equalize
from edgecnn.compress.quantize.simulate import Simulator, output_error, outputs


def scaled(model, seed=0, spread=1.0):
    """The model with a random scale for every free label, and how many there were."""
    work = ir.from_proto(model)
    channels = find_channels(work)
    scales = np.exp(np.random.default_rng(seed).normal(0, spread, channels.count))
    roots = channels.roots(np.arange(channels.count))
    scales[0] = 1
    apply_scales(channels, scales)
    return ir.to_proto(work), len(np.unique(roots[roots != 0]))


def assert_same(model, other):
    frames = list(Frames(2, seed=9))
    assert output_error(outputs(model, frames), outputs(other, frames)) < 1e-4


@given(st.integers(0, 2**16))
def test_any_scales_leave_the_network_as_it_was(seed):
    model = shuffle_net(seed)
    other, free = scaled(model, seed)
    assert free == 40
    assert_same(model, other)
    names = [node.output[0] for node in model.graph.node if node.op_type == "Conv"]
    feeds = next(iter(Frames(1)))
    before, after = (Simulator(m, names).run(feeds) for m in (model, other))
    moved = [not np.allclose(a, b, rtol=1e-2) for a, b in zip(before, after, strict=True)]
    assert moved == [True] * 5 + [False]


OPS = {
    "gather": (lambda n, x: n.add("Gather", x, np.array([5, 0, 3, 3]), axis=1), 6),
    "gather a plane": (lambda n, x: n.add("Gather", x, np.array([2, 1]), axis=2), 6),
    "slice": (lambda n, x: n.add("Slice", x, np.array([-1]), np.array([-100]), np.array([1]), np.array([-2])), 6),
    "resize": (lambda n, x: n.add("Resize", x, "", np.float32([1, 1, 2, 2]), mode="linear"), 6),
    "pad": (lambda n, x: n.add("Pad", x, np.array([0, 0, 1, 2, 0, 0, 0, 1])), 6),
    "pad with ones": (lambda n, x: n.add("Pad", x, np.array([0, 0, 1, 2, 0, 0, 0, 1]), np.float32(1)), 0),
    "pad channels": (lambda n, x: n.add("Pad", x, np.array([0, 1, 0, 0, 0, 1, 0, 0])), 0),
    "mean": (lambda n, x: n.add("ReduceMean", x, axes=[2, 3], keepdims=1), 6),
    "mean of channels": (lambda n, x: n.add("ReduceMean", x, axes=[1], keepdims=1), 0),
    "clip from zero": (lambda n, x: n.add("Clip", x, np.float32(0)), 6),
    "relu6": (lambda n, x: n.add("Clip", x, np.float32(0), np.float32(6)), 0),
    "hard swish": (lambda n, x: n.add("HardSwish", x), 0),
    "constant added": (lambda n, x: n.add("Add", x, np.float32([[[[1]]]])), 0),
    "constant factor": (lambda n, x: n.add("Mul", x, np.float32(3)), 6),
    "gated by another": (lambda n, x: n.add("Mul", x, n.add("Sigmoid", n.conv("x", 3, 6))), 6),
    "gate of itself": (lambda n, x: n.add("Mul", x, x), 0),
    "gate of a free one": (lambda n, x: n.add("Mul", n.conv("x", 3, 6), x), 6),
    "divided": (lambda n, x: n.add("Div", x, np.float32(3)), 6),
    "constant over it": (lambda n, x: n.add("Div", np.float32(3), n.add("Exp", n.add("Tanh", x))), 0),
    "maximum": (lambda n, x: n.add("Max", x, n.conv("x", 3, 6)), 6),
    "shuffle": (
        lambda n, x: n.add(
            "Reshape",
            n.add("Transpose", n.add("Reshape", x, np.array([1, 2, 3, -1])), perm=[0, 2, 1, 3]),
            np.array([1, 6, SIZE, SIZE]),
        ),
        6,
    ),
    "mixed axes": (lambda n, x: n.add("Reshape", x, np.array([1, 9, 8, SIZE])), 0),
    "space to depth": (lambda n, x: n.add("SpaceToDepth", x, blocksize=2), 0),
    "concatenated in a plane": (lambda n, x: n.add("Concat", x, n.conv("x", 3, 6), axis=2), 0),
    "softmax": (lambda n, x: n.add("Softmax", x, axis=1), 0),
    "pooled": (lambda n, x: n.add("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4), 6),
}


@pytest.mark.parametrize("name", OPS)
def test_each_op_passes_labels_on_only_where_that_is_exact(name):
    op, free = OPS[name]
    net = Net(3)
    x = op(net, net.conv("x", 3, 6))
    probe = net.finish(net.add("Identity", x))
    channels = [d.dim_value for d in probe.graph.output[0].type.tensor_type.shape.dim][1]
    net = Net(3)
    x = op(net, net.conv("x", 3, 6))
    model = net.finish(net.conv(x, channels, 4, kernel=1))
    other, found = scaled(model, 4)
    assert found == free
    assert_same(model, other)


@given(st.integers(0, 2**16), st.integers(1, 3), st.booleans(), st.booleans())
def test_grouped_and_transposed_layers(seed, groups, first, second):
    net = Net(seed)
    wide = 4 * groups
    x = net.conv("x", 3, wide, groups=1)
    for transposed in (first, second):
        x = net.add("Relu", net.conv(x, wide, wide, groups=groups, kind="ConvTranspose" if transposed else "Conv"))
    model = net.finish(net.conv(x, wide, 2))
    other, free = scaled(model, seed)
    assert free == 3 * wide
    assert_same(model, other)


def test_flattened_planes_reach_the_fully_connected_layer():
    net = Net(0)
    x = net.add("Flatten", net.conv("x", 3, 4, strides=[3, 3]))
    x = net.add("Relu", net.add("Gemm", x, net.weights(64, 7), np.zeros((1, 7), np.float32)))
    x = net.add("MatMul", x, net.weights(7, 5))
    other, free = scaled(net.finish(x))
    assert free == 11
    assert_same(net.finish(x), other)


def test_shared_or_computed_weights_and_inner_graphs_hold_their_channels():
    net = Net(0)
    weights = net.constant(net.weights(3, 3, 1, 1))
    x = net.add("Conv", net.add("Relu", net.add("Conv", "x", weights)), weights)
    other, free = scaled(net.finish(x))
    assert free == 0
    assert_same(net.finish(x), other)


def test_channels_of_one_reach_after_equalizing_with_frames():
    model = shuffle_net(5)
    names = [node.output[0] for node in model.graph.node if node.op_type == "Conv"]
    even, done = equalize(model, Frames(4), balance=1.0)
    assert done.channels > 30
    assert done.constants > 8
    feeds = next(iter(Frames(1)))

    def unevenness(one):
        peaks = np.abs(Simulator(one, [names[2]]).run(feeds)[0]).max(axis=(0, 2, 3))
        return peaks.max() / peaks.min()

    assert unevenness(even) < 3 < unevenness(model) / 3
    assert_same(model, even)


def test_weights_alone_settle_and_stay_equal_in_float():
    model = shuffle_net(6)
    even, done = equalize(model)
    again, more = equalize(even)
    assert done.channels > 30
    assert more.largest < done.largest / 2
    assert_same(model, even)
    assert_same(model, again)


def test_a_dead_channel_is_left_in_bounds():
    net = Net(1)
    weights = net.weights(4, 3, 1, 1)
    weights[1] = 0
    x = net.add("Relu", net.add("Conv", "x", weights, np.float32([1, 1e-12, -50, 1])))
    model = net.finish(net.conv(x, 4, 2))
    for calibration in (None, Frames(3)):
        even, done = equalize(model, calibration)
        assert done.largest <= 64.001
        assert_same(model, even)
