"""The flatbuffer as a file: the same bytes, aligned constants, names, and refusals in one line."""

from itertools import pairwise

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from litert_graphs import Graph, engines, expect_the_same, flatbuffer
from onnx import TensorProto, helper

from edgecnn.compile.litert.value import Value, physical, reshaped_orders
from edgecnn.compile.litert.writer import Tensor
from edgecnn.compile.litert_from_onnx import compile_model
from edgecnn.core.errors import EngineError


def network():
    g = Graph()
    y = g.node("Relu", [g.node("Conv", ["x", g.floats(5, 6, 3, 3), g.floats(5)], pads=[1, 1, 1, 1])])
    return g.model([y, g.node("GlobalAveragePool", [y])])


def test_the_same_model_gives_the_same_bytes(tmp_path):
    assert flatbuffer(network(), tmp_path) == flatbuffer(network(), tmp_path)


def test_constants_are_aligned_and_the_signature_names_the_tensors(tmp_path):
    data = flatbuffer(network(), tmp_path)
    model = schema.Model.GetRootAs(data)
    whole = np.frombuffer(data, np.uint8)
    for index in range(1, model.BuffersLength()):
        start = model.Buffers(index).DataAsNumpy().ctypes.data - whole.ctypes.data
        assert start % 16 == 0
    signature = model.SignatureDefs(0)
    assert signature.Inputs(0).Name() == b"x"
    assert {signature.Outputs(i).Name() for i in range(2)} == {b"v1", b"v2"}


def test_an_input_that_is_an_output_is_copied(tmp_path):
    ours, _ = engines(two_ways_out(), tmp_path)
    frame = {"x": np.arange(6, dtype=np.float32).reshape(1, 6)}
    got = ours.infer(frame)
    np.testing.assert_array_equal(got["first"], frame["x"])
    np.testing.assert_array_equal(got["second"], frame["x"])


def two_ways_out():
    nodes = [helper.make_node("Identity", ["x"], [name]) for name in ("first", "second")]
    value = helper.make_tensor_value_info
    outputs = [value(name, TensorProto.FLOAT, [1, 6]) for name in ("first", "second")]
    graph = helper.make_graph(nodes, "g", [value("x", TensorProto.FLOAT, [1, 6])], outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)


def test_fp16_halves_the_weights(tmp_path):
    g = Graph()
    model = g.model(g.node("Conv", ["x", g.floats(64, 6, 5, 5), g.floats(64)]))
    half, full = flatbuffer(model, tmp_path, "fp16"), flatbuffer(model, tmp_path)
    assert len(half) < 0.6 * len(full)
    expect_the_same(model, tmp_path, precision="fp16", atol=2e-2)


@pytest.mark.parametrize(
    ("kind", "attributes", "words"),
    [
        ("GridSample", {}, "GridSample 'GridSample0'"),
        ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 2]}, "MaxPool 'MaxPool0' is dilated"),
        ("LRN", {"size": 3}, "LRN 'LRN0'"),
    ],
)
def test_what_it_does_not_take_is_named_in_one_line(tmp_path, kind, attributes, words):
    g = Graph()
    more = [g.floats(1, 4, 4, 2)] if kind == "GridSample" else []
    with pytest.raises(EngineError, match=words) as caught:
        flatbuffer(g.model(g.node(kind, ["x", *more], **attributes)), tmp_path)
    assert "\n" not in str(caught.value)


def test_free_shapes_and_junk_are_refused(tmp_path):
    model = two_ways_out()
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    with pytest.raises(EngineError, match="no fixed shape"):
        flatbuffer(model, tmp_path)
    (tmp_path / "junk.onnx").write_bytes(b"junk" * 50)
    with pytest.raises(EngineError, match="junk"):
        compile_model(tmp_path / "junk.onnx", tmp_path, "fp32")


@st.composite
def reshapes(draw):
    """Return a shape, an order its axes lie in, and another shape of as many numbers."""
    factors = draw(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=5))
    shape = tuple(factors)
    order = tuple(draw(st.permutations(range(len(shape)))))
    flat = [part for size in shape for part in ({4: [2, 2]}.get(size, [size]))]
    cuts = sorted(draw(st.sets(st.integers(0, len(flat)), max_size=3)))
    edges = [0, *cuts, len(flat)]
    return shape, order, tuple(int(np.prod(flat[a:b], dtype=int)) for a, b in pairwise(edges))


@settings(max_examples=60, deadline=None)
@given(reshapes())
def test_reshaping_in_any_order_is_reshaping(case):
    shape, order, wanted = case
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    lying = Value(Tensor(0, "t", physical(shape, order), "float32", None), order)
    first, second = reshaped_orders(lying, wanted)
    assert sorted(first) == sorted(order)
    moved = array.transpose(first)
    found = moved.reshape(physical(wanted, second)).transpose(np.argsort(second))
    np.testing.assert_array_equal(found, array.reshape(wanted))
