"""For execution providers of ONNX Runtime without INT8 kernels: the model as it is, in float alone."""

from pathlib import Path

from edgecnn.compile import onnxruntime_from_onnx
from edgecnn.compile.compiled import CompiledFiles
from edgecnn.core.bundle import Precision
from edgecnn.core.errors import EngineError


def compile_for_cuda(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
    """Check `onnx` and copy it to `out`/model.onnx; INT8 is refused, since CUDA would round and compute in float."""
    why = "CUDA provider has no INT8 kernels, so Q and DQ only cost time; compile for onnxruntime-tensorrt, or in FP16"
    return _in_float(onnx, out, precision, why)


def compile_for_coreml(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
    """Check `onnx` and copy it to `out`/model.onnx; INT8 is refused, since the provider reads no Q/DQ."""
    why = "Core ML provider reads no Q/DQ and would leave it to the CPU; compile for coreml, or in FP32"
    return _in_float(onnx, out, precision, why)


def _in_float(onnx: Path, out: Path, precision: Precision, why: str) -> CompiledFiles:
    if precision in {"int8", "mixed"}:
        raise EngineError(f"{onnx.name}: ONNX Runtime's {why}")
    return onnxruntime_from_onnx.compile_model(onnx, out, precision)
