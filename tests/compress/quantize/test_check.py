"""The checker on files that others wrote, on damaged ones, and on ones that are no graph at all."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization
from scheme_graphs import Graph, feeds_of, graph, quantized

from edgecnn.compress.quantize.check import advice, violations
from edgecnn.compress.quantize.schemes.find import scheme_for
from edgecnn.core.errors import InputError
from edgecnn.core.registry import SCHEMES, resolve

ALL = {name: resolve("scheme", name) for name in SCHEMES}
SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False}


class Reader(quantization.CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def by_onnxruntime(model, tmp_path, **options):
    onnx.save(model, tmp_path / "float.onnx")
    quantization.quantize_static(
        str(tmp_path / "float.onnx"), str(tmp_path / "int8.onnx"), Reader(feeds_of(model)), **options
    )
    return onnx.load(tmp_path / "int8.onnx")


def said(sentences, *parts):
    return any(all(part in sentence for part in parts) for sentence in sentences)


def test_defaults_of_onnxruntime_are_not_for_tensorrt(tmp_path):
    model = by_onnxruntime(graph("residual"), tmp_path)
    found = violations(model, ALL["tensorrt_8"])
    assert said(found, "zero point", "is in no activation format")
    assert said(found, "its bias is quantized")
    assert said(found, "must be simulated")
    assert said(violations(model, ALL["tensorrt_10"]), "opset 17", "19 to 20")
    # Unsigned activations and signed weights are its own kernels'.
    kinds = {"activation_type": quantization.QuantType.QUInt8, "weight_type": quantization.QuantType.QInt8}
    model = by_onnxruntime(graph("residual"), tmp_path, **kinds, per_channel=True)
    assert violations(model, ALL["onnxruntime_x86"]) == []
    assert said(violations(model, ALL["onnxruntime_avx2"]), "its weights span", "takes -63 to 63")
    assert said(violations(model, ALL["onnxruntime_arm"]), "uint8")


def test_the_recipe_for_tensorrt_keeps_its_rules_but_not_its_advice(tmp_path):
    model = by_onnxruntime(
        graph("residual"), tmp_path, per_channel=True, extra_options={**SYMMETRIC, "AddQDQPairToWeight": True}
    )
    assert violations(model, ALL["tensorrt_8"]) == []
    assert said(advice(model, ALL["tensorrt_8"]), "could add in place")
    own, _ = quantized(graph("residual"), ALL["tensorrt_8"])
    assert advice(own, ALL["tensorrt_8"]) == []


def test_integer_operators_are_told(tmp_path):
    model = by_onnxruntime(graph("gemm_head"), tmp_path, quant_format=quantization.QuantFormat.QOperator)
    for scheme in ALL.values():
        assert said(violations(model, scheme), "takes no QLinear")


def test_models_of_nncf_are_read(tmp_path):
    nncf = pytest.importorskip("nncf")
    float_model = graph("residual")
    data = nncf.Dataset(feeds_of(float_model))
    model = nncf.quantize(float_model, data, subset_size=2)
    # Signed tensors it keeps as int8, which the plugin rounds to whole numbers behind a concatenation.
    assert all("zero point 0 (int8)" in sentence for sentence in violations(model, ALL["openvino_cpu"]))
    assert said(violations(model, ALL["onnxruntime_x86"]), "its bias is not int32")
    assert said(violations(model, ALL["tensorrt_8"]), "zero point 0 (uint8)", "symmetric int8")


def pairs(g, x, scale, zero, axis=None):
    attributes = {} if axis is None else {"axis": axis}
    names = [g.const(np.asarray(scale, np.float32)), *([] if zero is None else [g.const(zero)])]
    return g("DequantizeLinear", [g("QuantizeLinear", [x, *names], **attributes), *names], **attributes)


def zeros(count, kind=np.int8):
    return np.zeros(count, kind)


def test_a_missing_zero_point_is_zero_of_uint8():
    g = Graph()
    model = g.model(g.conv(pairs(g, "x", 0.1, None)))
    assert said(violations(model, ALL["tensorrt_8"]), "zero point 0 (uint8)")
    assert not said(violations(model, ALL["openvino_cpu"]), "zero point")


def test_activations_with_a_scale_a_channel_and_without_axis():
    g = Graph()
    model = g.model(g.conv(pairs(g, "x", [0.1] * 8, zeros(8), axis=1)))
    assert said(violations(model, ALL["tensorrt_8"]), "an activation needs one scale in all, and it has 8")
    g = Graph()
    model = g.model(g.conv(pairs(g, "x", [0.1] * 8, zeros(8))))
    assert said(violations(model, ALL["tensorrt_8"]), "says no axis")


def test_axis_of_a_transposed_convolution():
    for axis, broken in ((0, True), (1, False)):
        g = Graph()
        weights = pairs(g, g.const(g.random(8, 8, 2, 2)), [0.1] * 8, zeros(8), axis=axis)
        model = g.model(g("ConvTranspose", [pairs(g, "x", 0.1, np.int8(0)), weights]))
        assert said(violations(model, ALL["tensorrt_8"]), "scaled along axis 0, not 1") == broken
        assert said(violations(model, ALL["xnnpack"]), "need one scale in all")


def test_one_tensor_at_two_scales_and_concat_of_two():
    g = Graph()
    x = g.conv("x")
    left, right = pairs(g, x, 0.1, np.int8(0)), pairs(g, x, 0.2, np.int8(0))
    both = g("Concat", [left, right], axis=1)
    weights = pairs(g, g.const(g.random(8, 16, 1, 1)), [0.1] * 8, zeros(8), axis=0)
    model = g.model(g("Conv", [both, weights]))
    found = violations(model, ALL["tensorrt_8"])
    assert said(found, "quantized at 2 scales")
    assert said(found, "Concat", "share one scale")


def test_scalars_bad_scales_and_computed_parameters():
    g = Graph()
    g.inputs["s"] = []
    scalar = pairs(g, "s", 0.1, np.int8(0))
    below = pairs(g, "x", -0.1, np.int8(0))
    computed = g("QuantizeLinear", ["x", g("Exp", ["s"]), g.const(np.int8(0))])
    model = g.model(scalar, below, g("DequantizeLinear", [computed, g("Exp", ["s"])]))
    found = violations(model, ALL["openvino_cpu"])
    assert said(found, "quantizes a scalar")
    assert said(found, "a scale is not positive")
    assert said(found, "must be constants")


def test_computed_weights_are_told():
    g = Graph()
    g.inputs["w"] = [8, 8, 3, 3]
    model = g.model(g("Conv", [pairs(g, "x", 0.1, np.int8(0)), pairs(g, "w", 0.1, np.int8(0))]))
    assert said(violations(model, ALL["tensorrt_8"]), "its weights come from no constant")


def test_float32_under_strong_typing():
    model, _ = quantized(graph("residual", opset=19), ALL["openvino_cpu"])
    found = violations(model, ALL["tensorrt_10"])
    assert said(found, "'Conv0'", "gives float32")
    strong, _ = quantized(graph("residual", opset=19), ALL["tensorrt_10"])
    assert violations(strong, ALL["tensorrt_10"]) == []
    assert said(violations(strong, ALL["openvino_cpu"]), "its scale is FLOAT16")


def test_needless_pairs_are_advised_against():
    g = Graph()
    x = pairs(g, g("Erf", ["x"]), 0.1, np.int8(0))
    y = pairs(g, pairs(g, g.conv("x"), 0.1, np.int8(0)), 0.1, np.int8(0))
    model = g.model(g("Erf", [x]), g.conv(y))
    found = advice(model, ALL["openvino_cpu"])
    assert said(found, "only float ops stand on either side")
    assert said(found, "rounds again at the scale")
    g = Graph()
    model = g.model(g.conv(g("Relu", [pairs(g, g.conv("x"), 0.1, np.int8(0))])))
    assert said(advice(model, ALL["tensorrt_8"]), "stands between Conv and Relu")


def test_names_of_targets_and_schemes():
    assert scheme_for("openvino").name == "openvino_cpu"
    assert scheme_for("tensorrt_8") is ALL["tensorrt_8"]
    with pytest.raises(InputError, match=r"tensorrt_9.*did you mean"):
        scheme_for("tensorrt_9")


@pytest.mark.parametrize("scheme", ALL.values(), ids=list(ALL))
def test_strange_files_get_sentences_not_tracebacks(scheme):
    strange = [onnx.ModelProto(), helper.make_model(helper.make_graph([], "empty", [], []))]
    bare = [
        helper.make_node("QuantizeLinear", ["x"], ["a"]),
        helper.make_node("DequantizeLinear", ["a", ""], ["b"]),
        helper.make_node("Conv", ["b"], ["c"]),
        helper.make_node("Resize", ["c", "", ""], ["d"]),
        helper.make_node("Concat", [], ["e"], axis=0),
        helper.make_node("Frobnicate", ["e"], ["f"], domain="who.knows"),
        helper.make_node("Relu", ["nowhere"], [""]),
    ]
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", None])
    strange.append(helper.make_model(helper.make_graph(bare, "bare", [value], [])))
    for model in strange:
        assert all(isinstance(sentence, str) for sentence in violations(model, scheme) + advice(model, scheme))


@settings(max_examples=40)
@given(st.data(), st.sampled_from(["residual", "concat", "gemm_head", "attention", "transposed"]))
def test_any_damage_is_survived(data, name):
    """Drop, rename and rewire nodes and constants of a quantized model at random: the checker answers."""
    scheme = ALL[data.draw(st.sampled_from(sorted(ALL)))]
    model, _ = quantized(graph(name, opset=max(17, scheme.min_opset)), scheme)
    nodes = model.graph.node
    for _ in range(data.draw(st.integers(1, 4))):
        node = nodes[data.draw(st.integers(0, len(nodes) - 1))]
        kind = data.draw(st.sampled_from(["drop", "input", "attribute", "type", "constant", "opset"]))
        if kind == "drop":
            nodes.remove(node)
        elif kind == "input" and node.input:
            node.input[data.draw(st.integers(0, len(node.input) - 1))] = data.draw(st.sampled_from(["", "x", "lost"]))
        elif kind == "attribute":
            del node.attribute[:]
        elif kind == "type":
            node.op_type = data.draw(st.sampled_from(["Relu", "Conv", "QuantizeLinear", "Concat", "MatMul", "Resize"]))
        elif kind == "constant" and model.graph.initializer:
            one = model.graph.initializer[data.draw(st.integers(0, len(model.graph.initializer) - 1))]
            other = np.zeros(data.draw(st.sampled_from([(), (0,), (3,), (2, 2)])), np.float32)
            one.CopyFrom(numpy_helper.from_array(other, one.name))
        elif kind == "opset":
            model.opset_import[0].version = data.draw(st.sampled_from([1, 9, 13, 21, 30]))
    assert all(isinstance(sentence, str) for sentence in violations(model, scheme) + advice(model, scheme))


def pooled(zero, counted, pads=(1, 1, 1, 1)):
    g = Graph()
    x = pairs(g, "x", 0.1, np.asarray(zero, np.uint8))
    x = g("AveragePool", [x], kernel_shape=[3, 3], pads=list(pads), count_include_pad=counted)
    return g.model(g.conv(pairs(g, x, 0.1, np.asarray(zero, np.uint8))))


@pytest.mark.parametrize(
    ("zero", "counted", "pads", "broken"),
    [(7, 1, (1, 1, 1, 1), True), (0, 1, (1, 1, 1, 1), False), (7, 0, (1, 1, 1, 1), False), (7, 1, (0,) * 4, False)],
)
def test_counted_padding_around_a_zero_point_is_told(zero, counted, pads, broken):
    model = pooled(zero, counted, pads)
    assert said(violations(model, ALL["openvino_cpu"]), "its padding counts", "depthwise") is broken
    assert not said(violations(model, ALL["onnxruntime_x86"]), "its padding counts")
