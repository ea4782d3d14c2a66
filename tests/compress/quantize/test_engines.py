"""What a scheme is for: its engine runs the result in INT8, and what it runs is what ONNX says."""

import platform
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from small_nets import answers, feeds, frames, relative_error, small_net

from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.core.registry import resolve

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
