"""Decisions node by node: what stays float costs no conversions, and placing again gives the same graph."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheme_graphs import CHANNELS, GRAPHS, Graph, feeds_of, graph, quantized, run, scales_for, spans_of

from edgecnn.compress.quantize.check import advice, violations
from edgecnn.compress.quantize.operands import WeightCache
from edgecnn.compress.quantize.placement import place
from edgecnn.compress.quantize.plan import make_plan
from edgecnn.compress.quantize.uneven import uneven
from edgecnn.core.registry import SCHEMES, resolve

ALL = {name: resolve("scheme", name) for name in SCHEMES}
OPENVINO, ONNXRUNTIME, NCNN, QNN = (ALL[name] for name in ("openvino_cpu", "onnxruntime_x86", "ncnn", "qnn"))


def producers(model):
    return {name: node for node in model.graph.node for name in node.output}


def readers(model, name):
    return [node for node in model.graph.node if name in node.input]


@settings(max_examples=200)
@given(st.data())
def test_any_mix_of_float_and_int8_is_valid_and_needs_no_spare_conversion(data):
    scheme = ALL[data.draw(st.sampled_from(sorted(ALL)))]
    model = graph(data.draw(st.sampled_from(sorted(GRAPHS))), opset=max(17, scheme.min_opset))
    kept = data.draw(st.sets(st.sampled_from([node.name for node in model.graph.node])))
    result, plan = quantized(model, scheme, kept)
    assert not kept & set(plan.nodes)
    if result is None:
        return
    onnx.checker.check_model(result, full_check=True)
    assert violations(result, scheme) == []
    assert not [hint for hint in advice(result, scheme) if "take it out" in hint or "rounds again" in hint]
    feeds = feeds_of(model)
    for want, got in zip(run(model, feeds), run(result, feeds, optimized=False), strict=True):
        for first, second in zip(want, got, strict=True):
            assert np.linalg.norm(first - second) < 0.3 * np.linalg.norm(first)


def test_names_and_patterns_say_which_held_a_node():
    _, plan = quantized(graph("residual"), OPENVINO, ["Conv0", "Conv[24]", "no such node"])
    assert plan.left_in_float["Conv0"] == "kept in float by 'Conv0'"
    assert plan.left_in_float["Conv4"] == "kept in float by 'Conv[24]'"


@pytest.mark.parametrize("scheme", ALL.values(), ids=list(ALL))
def test_placing_on_a_clone_leaves_the_model_and_the_cache_changes_nothing(scheme):
    model = graph("squeeze_excitation", opset=max(17, scheme.min_opset))
    base, cache = ir.from_proto(model), WeightCache()
    before = ir.to_proto(base).SerializeToString(deterministic=True)
    results = []
    for shared in (None, cache, cache):
        work = base.clone()
        plan = make_plan(work, scheme)
        place(work, scheme, plan, scales_for(spans_of(model, plan), plan, scheme), shared)
        results.append(ir.to_proto(work).SerializeToString(deterministic=True))
    assert results[0] == results[1] == results[2]
    assert ir.to_proto(base).SerializeToString(deterministic=True) == before


def test_float_ops_read_what_is_at_hand():
    """Behind an INT8 node the rounded tensor, behind a float one the exact one; under ncnn always the exact one."""
    g = Graph()
    x = g("Erf", ["x"])
    inner = g.conv(x)
    model = g.model(g("Softsign", [x]), g("Softsign", [inner]), g.conv(inner))
    for scheme, rounded in ((OPENVINO, [False, True]), (NCNN, [False, False])):
        result, _ = quantized(model, scheme)
        made = producers(result)
        ops = [node for node in result.graph.node if node.op_type == "Softsign"]
        assert [made[op.input[0]].op_type == "DequantizeLinear" for op in ops] == rounded


def test_each_reader_has_a_dequantizer_of_its_own_behind_one_quantizer():
    result, _ = quantized(graph("squeeze_excitation"), QNN)
    kinds = [node.op_type for node in readers(result, "v1")]
    assert kinds == ["QuantizeLinear"]
    behind = readers(result, "v1.stored")
    assert len(behind) == 2
    assert all(len(readers(result, node.output[0])) == 1 for node in behind)


def test_cutting_functions_vanish_into_the_rounding_before_them():
    result, plan = quantized(graph("depthwise"), QNN)
    assert plan.clamped == {"v0": "v1", "v2": "v3"}
    made = producers(result)
    before, after = made["v0.stored"], made["v1.stored"]
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in result.graph.initializer}
    assert constants[before.input[1]] == constants[after.input[1]]
    exact = run(result, feeds_of(result), optimized=False)
    for node in result.graph.node:
        if node.op_type == "Clip":
            del node.input[1:]
    for first, second in zip(exact, run(result, feeds_of(result), optimized=False), strict=True):
        np.testing.assert_array_equal(first[0], second[0])


def test_light_heads_stay_float_and_heavy_ones_give_rounded_results():
    g = Graph()
    x = g("Relu", [g.conv("x")])
    heavy = g.conv(g("Relu", [g.conv(x)]))
    light = g.conv(x, outputs=1, kernel=1)
    result, plan = quantized(g.model(heavy, light), ONNXRUNTIME)
    assert plan.left_in_float == {"Conv5": "gives an output of the graph"}
    made = producers(result)
    assert made[heavy].op_type == "DequantizeLinear"
    assert made[light].op_type == "Conv"


def test_a_sum_between_float_ops_is_not_worth_two_conversions():
    g = Graph()
    left, right = g("Erf", [g.conv("x")]), g("Erf", [g.conv("x")])
    model = g.model(g("Erf", [g("Add", [left, right])]))
    _, plan = quantized(model, ONNXRUNTIME)
    assert "Add4" not in plan.nodes
    g = Graph()
    left, right = g.conv("x"), g("Erf", [g.conv("x")])
    model = g.model(g.conv(g("Add", [left, right])))
    _, plan = quantized(model, ONNXRUNTIME)
    assert "Add3" in plan.nodes


def test_a_concat_held_back_lets_its_branches_keep_their_scales():
    model = graph("concat")
    plan = make_plan(ir.from_proto(model), OPENVINO)
    spans = spans_of(model, plan)
    assert uneven(ir.from_proto(model), OPENVINO, plan, spans) == ["Concat6"]
    assert uneven(ir.from_proto(model), OPENVINO, plan, spans, ratio=1e6) == []
    apart = make_plan(ir.from_proto(model), OPENVINO, ["Concat6"])
    assert ["v3", "v5"] in plan.groups()
    assert ["v5"] in apart.groups()
    assert "v6" in apart.tensors
    assert uneven(ir.from_proto(model), OPENVINO, apart, spans_of(model, apart)) == []


def test_scales_that_float16_can_not_hold():
    """Weights for pixels of 0 to 255 have tiny scales, and a tensor may have a scale beyond float16's range."""
    scheme = ALL["tensorrt_10"]
    g = Graph()
    x = g.conv("x", scale=1 / 256)
    model = g.model(g.conv(g("Relu", [g.conv(x, scale=256)])), opset=19)
    result, _ = quantized(model, scheme)
    assert violations(result, scheme) == []
    feeds = feeds_of(model)
    for want, got in zip(run(model, feeds), run(result, feeds, optimized=False), strict=True):
        assert np.linalg.norm(want[0] - got[0]) < 0.1 * np.linalg.norm(want[0])
    g = Graph()
    x = g("Relu", [g.conv("x", scale=1e5)])
    model = g.model(g.conv(x, inputs=CHANNELS, scale=1e-3), opset=19)
    result, _ = quantized(model, scheme)
    assert violations(result, scheme) == []
    for want, got in zip(run(model, feeds), run(result, feeds, optimized=False), strict=True):
        assert np.linalg.norm(want[0] - got[0]) < 0.1 * np.linalg.norm(want[0])


@pytest.mark.parametrize("scheme", ALL.values(), ids=list(ALL))
def test_what_a_subgraph_reads_stays_float_and_loads(scheme):
    """ONNX Runtime would move a DQ past the Reshape into the subgraph, and abort."""
    g = Graph()
    x = g.conv("x")
    flat = g("Reshape", [x, g.const(np.array([1, -1]))])
    inner = onnx.helper.make_graph(
        [onnx.helper.make_node("Abs", [flat], ["inner"], name="abs")],
        "branch",
        [],
        [onnx.helper.make_tensor_value_info("inner", onnx.TensorProto.FLOAT, None)],
    )
    picked = g("If", [g.const(np.ones((), bool))], then_branch=inner, else_branch=inner)
    back = g("Reshape", [picked, g.const(np.array([1, CHANNELS, 12, 10]))])
    model = g.model(g.conv(back), g.conv(g.conv(x)), opset=max(17, scheme.min_opset))
    result, plan = quantized(model, scheme)
    assert violations(result, scheme) == []
    if scheme.quantized_outputs:
        assert plan.left_in_float["Conv0"] == "a subgraph reads its result"
    feeds = feeds_of(model)
    for want, got in zip(run(model, feeds), run(result, feeds), strict=True):
        assert np.linalg.norm(want[0] - got[0]) < 0.1 * np.linalg.norm(want[0])


@pytest.mark.parametrize("opset", [19, 21, 23, 25])
def test_strong_typing_at_every_opset_it_reads(opset):
    scheme = ALL["tensorrt_11"]
    model = graph("residual", opset=opset)
    result, _ = quantized(model, scheme)
    onnx.checker.check_model(result, full_check=True)
    assert violations(result, scheme) == []
