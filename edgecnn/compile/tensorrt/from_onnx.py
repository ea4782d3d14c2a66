"""ONNX as TensorRT of one major version reads it. An engine belongs to one device and is built there, not here.

The bundle holds `model.onnx`, checked against the importer's rules and changed only where pixels are moved before they
are cast (`pixels.py`), and `tensorrt.json`, which says how its types are meant: float32 with or without Q/DQ for
TensorRT 8, whose flags choose FP16 and INT8; every type as it runs, FP16 and FP16 scales included, for 10 and 11.
"""

from importlib.metadata import version
from pathlib import Path

import msgspec
import onnx as onnx_package

from edgecnn.compile.compiled import CompiledFiles
from edgecnn.compile.specs import opset_of
from edgecnn.compile.tensorrt.importer import READERS, Reader, violations
from edgecnn.compile.tensorrt.pixels import cast_first
from edgecnn.core import atomic
from edgecnn.core.bundle import Precision
from edgecnn.core.errors import EngineError, line_of
from edgecnn.runtime.engines.tensorrt_settings import MODEL, PREPARED, Prepared, Typing

_OLDEST_READ_BY_ALL, _NEWEST_READ_BY_ALL = 9, 17
_HALVES = frozenset({onnx_package.TensorProto.FLOAT16, onnx_package.TensorProto.BFLOAT16})


def compile_for_8(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
    """Prepare `onnx` for TensorRT 8: float32, with Q/DQ for `int8`; `fp16` is a flag there."""
    return _compile(READERS[8], onnx, out, precision)


def compile_for_10(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
    """Prepare `onnx` for TensorRT 10: every type as it is to run."""
    return _compile(READERS[10], onnx, out, precision)


def compile_for_11(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
    """Prepare `onnx` for TensorRT 11: every type as it is to run."""
    return _compile(READERS[11], onnx, out, precision)


def _compile(reader: Reader, onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
    """Check `onnx` and write it with what its types mean.

    Raises:
        EngineError: it is no valid ONNX, or TensorRT's importer would refuse it; the first reasons are named.
    """
    data = onnx.read_bytes()
    try:
        onnx_package.checker.check_model(data, full_check=True)
        model, changed = cast_first(onnx_package.load_from_string(data))
    except Exception as error:  # a parser's and a checker's errors share no base with a name
        raise EngineError(f"tensorrt refused {onnx.name}: {line_of(error)}") from error
    broken = [*violations(model, reader), *_unlike(model, reader, precision)]
    if broken:
        raise EngineError(f"tensorrt {reader.version} would refuse {onnx.name}: {'; '.join(broken[:3])}")
    prepared = prepared_for(model, reader, precision)
    atomic.write_bytes(out / MODEL, model.SerializeToString(deterministic=True) if changed else data)
    atomic.write_bytes(out / PREPARED, msgspec.json.format(msgspec.json.encode(prepared), indent=1))
    return CompiledFiles((out / MODEL, out / PREPARED), {"onnx": version("onnx")})


def prepared_for(model: onnx_package.ModelProto, reader: Reader, precision: Precision) -> Prepared:
    """Return what the builder on the device must know of `model`."""
    quantized, opset = _is_quantized(model), opset_of(model)
    plain = precision == "fp32" and not quantized and not _has_halves(model)
    typing: Typing = "weak" if reader.weak else "strong"
    if plain and _OLDEST_READ_BY_ALL <= opset <= _NEWEST_READ_BY_ALL:
        typing = "either"
    return Prepared(precision=precision, typing=typing, opset=opset, quantized=quantized)


def _unlike(model: onnx_package.ModelProto, reader: Reader, precision: Precision) -> list[str]:
    """Return how the file belies its precision."""
    if precision == "fp16" and not reader.weak and not _has_halves(model):
        return ["it is float32 and would run so, for types run as written; make it float16"]
    if precision == "int8" and not _is_quantized(model):
        return ["it has no QuantizeLinear and would not run in INT8; quantize it first"]
    return []


def _is_quantized(model: onnx_package.ModelProto) -> bool:
    return any(node.op_type in {"QuantizeLinear", "DequantizeLinear"} for node in model.graph.node)


def _has_halves(model: onnx_package.ModelProto) -> bool:
    casts = (attribute.i for node in model.graph.node if node.op_type == "Cast" for attribute in node.attribute)
    typed = (value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output))
    return not _HALVES.isdisjoint((*(one.data_type for one in model.graph.initializer), *casts, *typed))
