"""One contract for all schemes: what they make of each pattern keeps their rules, runs, and is near the float model."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from scheme_graphs import GRAPHS, feeds_of, graph, quantized, run, spans_of

from edgecnn.compress.quantize.check import advice, violations
from edgecnn.compress.quantize.plan import make_plan
from edgecnn.compress.quantize.uneven import uneven
from edgecnn.core.registry import SCHEMES, resolve

ALL = {name: resolve("scheme", name) for name in SCHEMES}
CONTRACT = {
    "coreml",
    "executorch",
    "litert",
    "ncnn",
    "onnxruntime_arm",
    "onnxruntime_avx2",
    "onnxruntime_x86",
    "openvino_cpu",
    "openvino_gpu",
    "openvino_npu",
    "qnn",
    "tensorrt_10",
    "tensorrt_11",
    "tensorrt_8",
    "xnnpack",
}


def test_every_scheme_is_in_the_contract():
    assert set(SCHEMES) == CONTRACT
    assert all(scheme.name == name for name, scheme in ALL.items())


def difference(first, second):
    """||first - second|| / ||second|| over all frames, of the worst output."""
    pairs = [
        (np.stack(a), np.stack(b)) for a, b in zip(zip(*first, strict=True), zip(*second, strict=True), strict=True)
    ]
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in pairs)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("scheme", ALL.values(), ids=list(ALL))
def test_contract(scheme, name):
    model = graph(name, opset=max(17, scheme.min_opset))
    work = ir.from_proto(model)
    plan = make_plan(work, scheme)
    if not plan.nodes:
        assert (name, scheme.ranks >= {3}) == ("one_dimension", False)
        return
    apart = uneven(work, scheme, plan, spans_of(model, plan))
    result, _ = quantized(model, scheme, apart)
    onnx.checker.check_model(result, full_check=True)
    assert violations(result, scheme) == []
    assert not [hint for hint in advice(result, scheme) if "take it out" in hint or "rounds again" in hint]
    feeds = feeds_of(model)
    want, got, plain = run(model, feeds), run(result, feeds), run(result, feeds, optimized=False)
    assert difference(got, plain) < 0.03
    assert difference(plain, want) < 0.08
    assert [value.name for value in result.graph.output] == [value.name for value in model.graph.output]
    assert [value.type.tensor_type.elem_type for value in result.graph.output] == [1] * len(model.graph.output)
