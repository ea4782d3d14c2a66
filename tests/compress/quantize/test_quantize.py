"""Random networks under every scheme: the answer stays, every rule holds, and the checker sees a broken one."""

import dataclasses
import weakref
from collections import Counter

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from small_nets import Builder, answers, feeds, frames, relative_error, small_net

from edgecnn.compress.quantize.check import violations
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.scheme import Format
from edgecnn.core.errors import DataError, InputError
from edgecnn.core.registry import SCHEMES, resolve

ALL = {name: resolve("scheme", name) for name in SCHEMES}
OPENVINO, ONNXRUNTIME = ALL["openvino_cpu"], ALL["onnxruntime_x86"]
# Whose models others take as well: rules of one kind, or a narrower choice of the same.
ALSO = {
    "openvino_cpu": {"openvino_gpu", "openvino_npu"},
    "openvino_gpu": {"openvino_cpu", "openvino_npu"},
    "openvino_npu": {"openvino_cpu", "openvino_gpu"},
    "onnxruntime_avx2": {"onnxruntime_x86"},
    "xnnpack": {"onnxruntime_arm"},
    "qnn": {"onnxruntime_x86"},
    "tensorrt_8": {"coreml"},
    "ncnn": {"coreml"},
    "litert": {"onnxruntime_arm"},
    "tensorrt_10": {"tensorrt_11"},
    "tensorrt_11": {"tensorrt_10"},
}
# Rules no scheme of today asks for, but the engine knows: signed symmetric numbers, float residual sums, kept weights.
STRICT = dataclasses.replace(
    OPENVINO,
    name="strict",
    activation=Format("int8", symmetric=True),
    nonnegative=Format("int8", symmetric=True),
    residual="identity_only",
    weight_form="simulated",
    channel_axis={**OPENVINO.channel_axis, "Gemm": None},
    float_heads=frozenset({"Gemm"}),
)
ALL["strict"] = STRICT


def newest_opset(scheme):
    return min(20, scheme.max_opset)


BLOCKS = st.lists(st.sampled_from(["residual", "concat", "down"]), min_size=0, max_size=3)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**16),
    blocks=BLOCKS,
    pooled=st.booleans(),
    groups=st.sampled_from([1, 2, 8]),
    transposed=st.booleans(),
    mean=st.sampled_from([114.0, 128.0, 0.0, 127.5, (103.5, 116.0, 123.7)]),
    scheme=st.sampled_from(list(ALL.values())),
)
def test_error_is_small_and_every_rule_holds(seed, blocks, pooled, groups, transposed, mean, scheme):
    if blocks and blocks[0] != "residual":
        groups = 1
    groups = groups if blocks.count("concat") == 0 else 1
    blocks = [*blocks, "pool"] if pooled else blocks
    opset = newest_opset(scheme)
    model = small_net(seed, mean=mean, blocks=blocks, groups=groups, transposed=transposed, opset=opset)
    before = model.SerializeToString()
    quantized, report = quantize(model, scheme, feeds(24), Settings(threads=1))
    assert model.SerializeToString() == before
    assert violations(quantized, scheme) == []
    named = {node.name: node for node in model.graph.node}
    assert {named[name].op_type for name in report.quantized} >= {"Conv"}
    # Frames that were calibrated on: others may leave the ranges that two dozen frames have shown.
    batch = frames(24)
    assert relative_error(answers(quantized, batch), answers(model, batch)) < 0.1


@pytest.mark.parametrize("scheme", ALL.values(), ids=list(ALL))
@pytest.mark.parametrize("ranges", ["minmax", "percentile", "mse", "entropy"])
def test_every_range_method_gives_a_working_model(scheme, ranges):
    model, batch = small_net(3, opset=newest_opset(scheme)), frames(8, seed=1)
    quantized, report = quantize(model, scheme, feeds(24), Settings(ranges=ranges, threads=1))
    assert relative_error(answers(quantized, batch), answers(model, batch)) < 0.15
    for tensor in report.tensors.values():
        assert tensor.low <= 0 <= tensor.high
        assert tensor.scale > 0


def test_a_scheme_is_not_another():
    del ALL["strict"]
    try:
        for own, scheme in ALL.items():
            quantized, _ = quantize(small_net(1, opset=newest_opset(scheme)), scheme, feeds(4), Settings(threads=1))
            kept = {name for name, other in ALL.items() if not violations(quantized, other)}
            assert kept == {own} | ALSO.get(own, set())
    finally:
        ALL["strict"] = STRICT


def test_the_same_frames_give_the_same_bytes():
    first, second = (quantize(small_net(2), ONNXRUNTIME, feeds(6), Settings(threads=2))[0] for _ in range(2))
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)


def test_one_scale_across_maxpool_and_concat():
    model = small_net(4, blocks=("concat",))
    for scheme in (OPENVINO, ONNXRUNTIME):
        _, report = quantize(model, scheme, feeds(4), Settings(threads=1))
        concat = next(node for node in model.graph.node if node.op_type == "Concat")
        pool = next(node for node in model.graph.node if node.op_type == "MaxPool")
        around = [*concat.input, *concat.output, *pool.input]
        assert len({report.tensors[name].scale for name in around if name in report.tensors}) == 1


def test_residual_styles():
    model = small_net(5, blocks=("residual", "down"))
    adds = [node for node in model.graph.node if node.op_type == "Add"]
    for residual, quantized_inputs in (("every_input", 2), ("identity_only", 1)):
        scheme = dataclasses.replace(OPENVINO, residual=residual)
        result, _ = quantize(model, scheme, feeds(4), Settings(threads=1))
        placed = {node.name: node for node in result.graph.node}
        for add in adds:
            dequantized = [name for name in placed[add.name].input if name.endswith(".dequantized")]
            assert len(dequantized) == quantized_inputs


def test_heads_take_int8_and_give_float_or_stay_in_float():
    model = small_net(6)
    head = model.graph.node[-1].name
    _, report = quantize(model, ONNXRUNTIME, feeds(4), Settings(threads=1))
    assert head in report.quantized
    assert "y" not in report.tensors
    _, report = quantize(model, STRICT, feeds(4), Settings(threads=1))
    assert report.left_in_float[head] == "gives an output of the graph"


def test_whole_number_mean_leaves_pixels_as_they_are():
    scheme = ONNXRUNTIME
    exact, report = quantize(small_net(7, mean=114.0), scheme, feeds(4), Settings(threads=1))
    tensor = next(iter(report.tensors.values()))
    assert (tensor.scale, tensor.zero_point, tensor.low, tensor.high) == (1.0, 114, -114, 141)
    assert Counter(node.op_type for node in exact.graph.node)["Cast"] == 0
    rounded, report = quantize(small_net(7), scheme, feeds(4), Settings(threads=1))
    assert Counter(node.op_type for node in rounded.graph.node)["Cast"] == 1


def test_keep_float_names_its_pattern():
    model = small_net(8)
    kept = next(node.name for node in model.graph.node if node.op_type == "Conv")
    quantized, report = quantize(model, OPENVINO, feeds(4), Settings(keep_float=(kept,), threads=1))
    assert report.left_in_float[kept] == f"kept in float by '{kept}'"
    assert kept not in report.quantized
    assert violations(quantized, OPENVINO) == []


@pytest.mark.parametrize("scheme", ALL.values(), ids=list(ALL))
def test_dead_channels_and_large_biases_overflow_nothing(scheme):
    model = small_net(9, opset=newest_opset(scheme))
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor).copy()
        if array.ndim == 4 and len(array) > 1:
            array[0] = 0
            array[1] *= 1e-12
        elif array.shape == (8,):
            array[:] = 5
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    quantized, _ = quantize(model, scheme, feeds(8), Settings(threads=1))
    batch = frames(4, seed=1)
    got = answers(quantized, batch)
    assert np.isfinite(got).all()
    assert relative_error(got, answers(model, batch)) < 0.15


def test_nothing_to_quantize_old_opsets_and_missing_frames_are_told():
    b = Builder(0)
    plain = b.finish(b.node("Sigmoid", [b.pixels(0.0)]))
    with pytest.raises(InputError, match=r"finds nothing to quantize: .*quantizes no"):
        quantize(plain, OPENVINO, feeds(1), Settings(threads=1))
    old = onnx.version_converter.convert_version(small_net(1), 20)
    old.opset_import[0].version = 12
    with pytest.raises(InputError, match="needs opset 13"):
        quantize(old, OPENVINO, feeds(1), Settings(threads=1))
    with pytest.raises(DataError, match="no calibration frame"):
        quantize(small_net(1), OPENVINO, [], Settings(threads=1))


def test_nan_in_calibration_names_the_tensor():
    model = small_net(1)
    weights = next(t for t in model.graph.initializer if len(t.dims) == 4)
    array = numpy_helper.to_array(weights).copy()
    array[0, 0, 0, 0] = np.nan
    weights.CopyFrom(numpy_helper.from_array(array, weights.name))
    with pytest.raises(DataError, match="NaN or infinity"):
        quantize(model, OPENVINO, feeds(1), Settings(threads=1))


def _first(model, kind, suffix):
    return next(node for node in model.graph.node if node.op_type == kind and node.name.endswith(suffix))


def _replace(model, name, array):
    tensor = next(t for t in model.graph.initializer if t.name == name)
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(array), name))


def _array(model, name):
    return numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == name))


def break_weight_zero(model):
    name = _first(model, "DequantizeLinear", "weight.dequantize").input[2]
    _replace(model, name, _array(model, name) + 1)


def break_weight_axis(model):
    node = _first(model, "DequantizeLinear", "weight.dequantize")
    next(a for a in node.attribute if a.name == "axis").i = 1


def break_scale_sign(model):
    name = _first(model, "QuantizeLinear", ".quantize").input[1]
    _replace(model, name, -_array(model, name))


def break_bias_scale(model):
    name = _first(model, "DequantizeLinear", "bias.dequantize").input[1]
    _replace(model, name, _array(model, name) * np.float32(1.01))


def break_output(model):
    """A convolution's result goes to its readers without Q and DQ."""
    quantizer = _first(model, "QuantizeLinear", ".quantize")
    made = {node.output[0]: node for node in model.graph.node}
    while made[quantizer.input[0]].op_type not in {"Conv", "Relu"}:
        made.pop(quantizer.output[0])
        quantizer = next(n for n in made.values() if n.op_type == "QuantizeLinear" and n.input[0] in made)
    reader = next(node for node in model.graph.node if quantizer.output[0] in node.input)
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == reader.output[0]:
                node.input[index] = quantizer.input[0]
    model.graph.node.remove(quantizer)
    model.graph.node.remove(reader)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (break_weight_zero, "weights are not symmetric int8"),
        (break_weight_axis, "scaled along axis 1, not 0"),
        (break_scale_sign, "a scale is not positive"),
        (break_bias_scale, "bias is not at the scale"),
        (break_output, "output is not quantized"),
    ],
)
def test_the_checker_sees_what_is_broken(damage, said):
    quantized, _ = quantize(small_net(1, blocks=("residual",)), ONNXRUNTIME, feeds(4), Settings(threads=1))
    assert violations(quantized, ONNXRUNTIME) == []
    damage(quantized)
    assert any(said in sentence for sentence in violations(quantized, ONNXRUNTIME))


@pytest.mark.parametrize(("mean", "exact"), [(0.0, True), (114.0, True), (128.0, True), (127.5, False)])
def test_pixels_are_exact_where_their_mean_is_a_whole_number(mean, exact):
    model = small_net(7, mean=mean)
    result, report = quantize(model, OPENVINO, feeds(4), Settings(threads=1))
    tensor = next(iter(report.tensors.values()))
    assert (tensor.method == "exact pixels") == exact
    if exact:
        assert (tensor.scale, tensor.zero_point) == (1.0, mean)
        # The divisor that keeps Q in sight must not move a single pixel.
        every = np.arange(256, dtype=np.float32) - np.float32(mean)
        divisor = next(numpy_helper.to_array(t) for t in result.graph.initializer if t.name.endswith(".divisor"))
        assert (np.round(every / divisor) == every).all()


def test_calibration_frames_are_not_kept():
    references, most = [], 0

    class OneByOne:
        def __len__(self):
            return 40

        def __iter__(self):
            nonlocal most
            for frame in frames(40):
                array = frame[None].copy()
                references.append(weakref.ref(array))
                most = max(most, sum(reference() is not None for reference in references))
                yield {"image": array}

    quantize(small_net(1), OPENVINO, OneByOne(), Settings(threads=1, correct=False, ranges="mse"))
    # The few frames that a correction would be judged on, the one at hand, and the one before it.
    assert most <= 8
