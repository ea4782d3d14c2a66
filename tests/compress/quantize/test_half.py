"""float16 for the rest of a graph: same names and ends, small error, float32 where float16 can't be."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from scheme_graphs import GRAPHS, Graph, feeds_of, graph, run

from edgecnn.compress.quantize.half import to_half


def types(model):
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    return {value.name: value.type.tensor_type.elem_type for value in inferred.graph.value_info}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_float_network_in_half_is_the_same_network(name):
    model = graph(name)
    before = model.SerializeToString()
    half = to_half(model)
    assert model.SerializeToString() == before
    onnx.checker.check_model(half, full_check=True)
    feeds = feeds_of(model)
    for want, got in zip(run(model, feeds), run(half, feeds), strict=True):
        for first, second in zip(want, got, strict=True):
            assert second.dtype == np.float32
            assert np.linalg.norm(first - second) < 0.01 * np.linalg.norm(first)
    fixed = {tensor.name for tensor in half.graph.initializer}
    assert TensorProto.FLOAT not in {kind for value, kind in types(half).items() if value not in fixed}


def test_half_of_half_changes_nothing():
    once = to_half(graph("residual"))
    assert to_half(once).graph.node == once.graph.node


def test_constants_beyond_the_range_stay_in_float32():
    g = Graph()
    x = g("Mul", [g.conv("x"), g.const(np.float32(1e6))])
    x = g("Mul", [x, g.const(np.float32(1e-6))])
    model = g.model(g.conv(g("Clip", [x, g.const(np.float32(0)), g.const(np.float32(3e38))])))
    half = to_half(model)
    onnx.checker.check_model(half, full_check=True)
    feeds = feeds_of(model)
    want, got = run(model, feeds)[0][0], run(half, feeds)[0][0]
    assert np.linalg.norm(want - got) < 0.01 * np.linalg.norm(want)
    kinds = types(half)
    assert [kinds[name] for name in ("v0", "v1", "v2", "v4.float16")] == [10, 1, 1, 10]


def test_named_nodes_stay_in_float32():
    model = graph("residual")
    half = to_half(model, ["Add5"])
    kinds = types(half)
    assert (kinds["v5"], kinds["v3"]) == (TensorProto.FLOAT, TensorProto.FLOAT16)


def test_what_a_subgraph_takes_from_outside_stays_float32():
    g = Graph()
    x = g("Relu", [g.conv("x")])
    inner = helper.make_graph(
        [helper.make_node("Exp", [x], ["inner"], name="exp")],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
    )
    yes = g.const(np.ones((), bool))
    model = g.model(g.conv(g("If", [yes], then_branch=inner, else_branch=inner)))
    half = to_half(model)
    onnx.checker.check_model(half, full_check=True)
    feeds = feeds_of(model)
    want, got = run(model, feeds)[0][0], run(half, feeds)[0][0]
    assert np.linalg.norm(want - got) < 0.02 * np.linalg.norm(want)
