"""Layers as matrix products against ONNX Runtime, over strides, pads, dilations, groups and transposition."""

import numpy as np
import onnx
import pytest
from correction_nets import Frames, shuffle_net
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgecnn.compress.quantize.correction.unfold import unfold
from edgecnn.compress.quantize.correction.walk import Walk, live_bytes
from edgecnn.compress.quantize.simulate import Simulator, value_bytes


def one_node(kind, weights, x, **attributes):
    node = helper.make_node(kind, ["x", "w"], ["y"], name="n", **attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return node, Simulator(model, optimize=False).run({"x": x})[0]


def assert_unfolds(node, weights, x, y):
    form = unfold(node, weights.shape, x.shape, y.shape)
    rows, answers = form.sample([x, x], [y, y], 10**6, np.random.default_rng(0))
    got = rows @ np.swapaxes(form.rows(weights), 1, 2)
    np.testing.assert_allclose(got, answers, rtol=1e-3, atol=1e-3)
    assert got.size == 2 * y.size
    np.testing.assert_array_equal(form.back(form.rows(weights)), weights)


@settings(max_examples=80)
@given(
    seed=st.integers(0, 2**16),
    axes=st.integers(1, 3),
    groups=st.integers(1, 3),
    sizes=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    transposed=st.booleans(),
    pad=st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
)
def test_convolutions_are_products_of_rows(seed, axes, groups, sizes, transposed, pad):
    rng = np.random.default_rng(seed)
    ins, outs = sizes[0] * groups, sizes[1] * groups
    kernel, strides, dilations = (rng.integers(1, 4, axes).tolist() for _ in range(3))
    assume(not (transposed and pad.startswith("SAME")))
    attributes = {"strides": strides, "dilations": dilations, "group": groups}
    if pad.startswith("SAME"):
        attributes["dilations"] = [1] * axes
    if pad == "NOTSET":
        attributes["pads"] = rng.integers(0, 2, 2 * axes).tolist()
    else:
        attributes["auto_pad"] = pad
    if transposed:
        attributes["output_padding"] = [int(rng.integers(0, s)) for s in strides]
    shape = (ins, outs // groups) if transposed else (outs, ins // groups)
    weights = rng.normal(size=(*shape, *kernel)).astype(np.float32)
    x = rng.normal(size=(2, ins, *rng.integers(7, 10, axes))).astype(np.float32)
    node, y = one_node("ConvTranspose" if transposed else "Conv", weights, x, **attributes)
    assert_unfolds(node, weights, x, y)


@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_transposed_convolutions_padded_to_the_same(pad, kernel):
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(3, 2, kernel, kernel)).astype(np.float32)
    x = rng.normal(size=(1, 3, 5, 6)).astype(np.float32)
    for more in ({}, {"output_shape": [9, 11]}):
        node, y = one_node("ConvTranspose", weights, x, auto_pad=pad, strides=[2, 2], **more)
        assert_unfolds(node, weights, x, y)


@pytest.mark.parametrize(("kind", "attributes"), [("MatMul", {}), ("Gemm", {}), ("Gemm", {"transB": 1})])
def test_fully_connected_layers(kind, attributes):
    rng = np.random.default_rng(2)
    weights = rng.normal(size=(4, 6) if not attributes else (6, 4)).astype(np.float32)
    x = rng.normal(size=(5, 4) if kind == "Gemm" else (2, 3, 4)).astype(np.float32)
    node, y = one_node(kind, weights, x, **attributes)
    assert_unfolds(node, weights, x, y)


def test_what_is_no_product_of_rows_is_refused():
    gemm = helper.make_node("Gemm", ["x", "w"], ["y"], alpha=0.5)
    assert unfold(gemm, (4, 4), (1, 4), (1, 4)) is None
    assert unfold(helper.make_node("MatMul", ["x", "w"], ["y"]), (2, 4, 4), (2, 3, 4), (2, 3, 4)) is None
    assert unfold(helper.make_node("Relu", ["x"], ["y"]), (4, 4), (1, 4), (1, 4)) is None


def test_a_walk_gives_what_one_run_gives_and_forgets_what_it_passed():
    model = shuffle_net(1)
    frames = list(Frames(3))
    layers = [node for node in model.graph.node if node.op_type in {"Conv", "ConvTranspose", "Gemm"}]
    names = [name for node in layers for name in (node.input[0], node.output[0]) if name != "x"]
    whole = Simulator(model, names, optimize=False)
    walk = Walk(model, frames)
    for name in names:
        for frame, got in zip(frames, walk.reach(name), strict=True):
            np.testing.assert_array_equal(got, whole.run(frame, [name])[0])
    with pytest.raises(KeyError):
        walk.reach(layers[0].output[0])
    assert 0 < live_bytes(model, value_bytes(model)) < sum(value_bytes(model).values())
