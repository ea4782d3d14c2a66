"""What a scheme is for: its engine runs the result in INT8, and what it runs is what ONNX says."""

import platform
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from small_nets import Builder, answers, feeds, frames, relative_error, small_net

from edgecnn.compile.artefact import compile_artefact
from edgecnn.compile.specs import tensor_specs
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.simulate import outputs
from edgecnn.core.registry import TARGETS, resolve
from edgecnn.runtime.here import why_not_here

x86_only = pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="INT8 kernels of x86 CPUs")
BLOCKS = ("residual", "down", "concat")


@x86_only
def test_openvino_runs_every_layer_in_int8_with_the_sums_inside():
    model = small_net(11, blocks=BLOCKS)
    quantized, _ = quantize(model, resolve("scheme", "openvino_cpu"), feeds(16), Settings(threads=1))
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(quantized.SerializeToString()), "CPU", {"PERFORMANCE_HINT": "LATENCY"}
    )
    kinds = Counter()
    for node in compiled.get_runtime_model().get_ops():
        facts = node.get_rt_info()
        kinds[facts["layerType"].astype(str), facts["runtimePrecision"].astype(str)] += 1
    layers = {precision for kind, precision in kinds if kind in {"Convolution", "FullyConnected"}}
    assert layers <= {"u8", "i8"}
    assert sum(count for (kind, _), count in kinds.items() if kind == "Convolution") == 7
    assert not any(kind in {"Eltwise", "FakeQuantize"} for kind, _ in kinds)
    batch = frames(6, seed=2)
    got = np.concatenate([np.array(compiled({"image": frame[None]})[0]) for frame in batch])
    assert relative_error(got, answers(model, batch)) < 0.12


@x86_only
def test_onnxruntime_fuses_every_layer(tmp_path):
    model = small_net(12, blocks=BLOCKS, mean=114.0)
    quantized, _ = quantize(model, resolve("scheme", "onnxruntime_x86"), feeds(16), Settings(threads=1))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    onnxruntime.InferenceSession(quantized.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node)
    assert (kinds["QLinearConv"], kinds["QLinearAdd"], kinds["QGemm"]) == (7, 2, 2)
    assert not {"Conv", "Add", "Gemm", "Relu", "QuantizeLinear", "DequantizeLinear", "Cast"} & set(kinds)


def signed_net(seed, branches, joined, opset=17):
    """A stem, branches whose values go below zero, all of them joined, a convolution that reads the joined, a head.

    `branches` names what each ends with; values are far below 1, so that a step of 1 would leave nothing of them.
    """
    b = Builder(seed)
    stem = b.node("Relu", [b.conv(b.pixels(114.0), 3, 8, kernel=5, stride=2, scale=1 / 256)])
    ends = []
    for kind in branches:
        x = stem if kind == "skip" else b.conv(stem, 8, 8, scale=0.3)
        if kind == "leaky":
            x = b.node("LeakyRelu", [x], alpha=0.1)
        elif kind == "silu":
            x = b.node("Mul", [x, b.node("Sigmoid", [x])])
        elif kind == "pooled":
            x = b.node("MaxPool", [x], kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])
        ends.append(x)
    x = b.node("Concat", ends, axis=1)
    if joined == "pooled":
        x = b.node("MaxPool", [x], kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])
    elif joined == "leaky":
        x = b.node("LeakyRelu", [x], alpha=0.1)
    elif joined.startswith("averaged"):
        counted = int(joined == "averaged, padding counted")
        x = b.node("AveragePool", [x], kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1], count_include_pad=counted)
    elif joined == "padded":
        x = b.node("Pad", [x, b.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1]))])
    elif joined == "twice":
        x = b.node("Concat", [x, b.conv(x, 8 * len(ends), 8, kernel=1, scale=0.3)], axis=1)
    channels = 8 * len(ends) + 8 * (joined == "twice")
    x = b.node("LeakyRelu", [b.conv(x, channels, 8, kernel=1)], alpha=0.1)
    return b.finish(b.conv(x, 8, 4, bias=False), opset)


SIGNED = {
    "two linear": (("linear", "linear"), ""),
    "leaky and skip": (("leaky", "skip"), ""),
    "four of all kinds": (("silu", "leaky", "pooled", "linear"), ""),
    "pooled after": (("leaky", "linear"), "pooled"),
    "activated after": (("linear", "skip"), "leaky"),
    "joined again": (("leaky", "linear"), "twice"),
    "averaged after": (("leaky", "linear"), "averaged"),
    "averaged after, padding counted": (("leaky", "linear"), "averaged, padding counted"),
    "padded after": (("leaky", "linear"), "padded"),
}


def skipping_net():
    """A sum's rectified result goes on and, at its own scale, into a concatenation with a far larger branch."""
    b = Builder(21)
    stem = b.node("Relu", [b.conv(b.pixels(114.0), 3, 8, kernel=5, stride=2, scale=1 / 256)])
    small = b.node("Relu", [b.node("Add", [b.conv(stem, 8, 8, scale=0.1), stem])])
    large = b.conv(b.conv(small, 8, 8, scale=3.0), 8, 8, scale=3.0)
    return b.finish(b.conv(b.node("Concat", [small, large], axis=1), 16, 4, bias=False), 17)


def dead_net():
    """A hidden layer that no picture wakes, as a training leaves one now and then."""
    b = Builder(22)
    stem = b.node("Relu", [b.conv(b.pixels(114.0), 3, 8, kernel=5, stride=2, scale=1 / 256)])
    down = b.constant(-np.abs(b.rng.normal(size=(8, 8, 1, 1))).astype(np.float32))
    silent = b.node("Relu", [b.node("Conv", [stem, down], kernel_shape=[1, 1])])
    x = b.node("Relu", [b.node("Add", [b.conv(silent, 8, 8), b.conv(stem, 8, 8)])])
    return b.finish(b.conv(x, 8, 4, bias=False), 17)


ENGINES_HERE = [name for name in TARGETS if TARGETS[name].scheme and not why_not_here(name)]


@x86_only
@pytest.mark.parametrize("net", [skipping_net, dead_net])
@pytest.mark.parametrize("target", ENGINES_HERE)
def test_scales_far_apart_are_what_the_graph_says(target, net, tmp_path):
    agree(net(), target, tmp_path, least=3)


@x86_only
@pytest.mark.parametrize("case", SIGNED)
@pytest.mark.parametrize("target", ENGINES_HERE)
def test_signed_branches_of_a_concatenation_are_what_the_graph_says(target, case, tmp_path):
    agree(signed_net(sorted(SIGNED).index(case), *SIGNED[case]), target, tmp_path, least=len(SIGNED[case][0]))


def agree(model, target, tmp_path, least):
    """Check that the engine computes what the Q/DQ graph says, with no less convolutions in INT8 than `least`."""
    scheme = resolve("scheme", TARGETS[target].scheme)
    quantized, report = quantize(model, scheme, feeds(16), Settings(threads=1, correct=False))
    assert sum(name.startswith("Conv") for name in report.quantized) >= least
    onnx.save(quantized, tmp_path / "int8.onnx")
    _, compiled = compile_artefact("int8", target, "int8", tmp_path / "int8.onnx", tmp_path)
    files = {file.name: file.read_bytes() for file in compiled.files}
    options = {"threads": 1, **TARGETS[target].options}
    engine = resolve("engine", TARGETS[target].engine)(files, *tensor_specs(quantized), options)
    batch = feeds(4, seed=3)
    written = np.concatenate([one[0] for one in outputs(quantized, batch, threads=1)])
    got = np.concatenate([engine.infer(fed)["y"] for fed in batch])
    engine.close()
    assert relative_error(got, written) < 0.03
