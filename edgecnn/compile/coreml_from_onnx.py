"""A Core ML program for iOS 17 and macOS 14, made operator by operator with coremltools, its specification checked.

Nothing but macOS runs it. INT8 comes from the Q/DQ in the file: activations by Core ML's own quantize and dequantize,
weights as integers. What is not quantized is float16 then, the one float type of Apple's Neural Engine.
"""

import contextlib
import io
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import onnx as onnx_package

from edgecnn.compile.compiled import CompiledFiles
from edgecnn.compile.coreml.check import check_spec
from edgecnn.compile.coreml.package import package_parts, zipped
from edgecnn.compile.coreml.program import TARGET, features, program_of
from edgecnn.compile.coreml.sdk import coremltools
from edgecnn.compile.specs import opset_of, tensor_specs
from edgecnn.core import atomic
from edgecnn.core.bundle import Precision
from edgecnn.core.errors import EngineError, line_of

FILE, NAMES = "model.mlpackage.zip", "coreml.json"
_LAYERS = {"Conv": "conv", "ConvTranspose": "conv_transpose"}


def compile_model(onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
    """Write `out`/model.mlpackage.zip and, in coreml.json, what Core ML calls its inputs and outputs.

    Bytes such as pixels go in as float32, which the engine makes of them.

    Raises:
        EngineError: an operator that Core ML has not, or coremltools refused the model.
    """
    model = onnx_package.load(onnx)
    inputs, outputs = tensor_specs(model)
    names = features((*inputs, *outputs))
    program = program_of(model, inputs, names, opset_of(model))
    spec, weights = package_parts(_converted(program, precision, onnx.name))
    _check_layers(model, check_spec(spec, weights, inputs, outputs, names))
    atomic.write_bytes(out / FILE, zipped(spec, weights))
    told = {"names": names, "float": "float32" if precision == "fp32" else "float16"}
    atomic.write_bytes(out / NAMES, msgspec.json.encode(told))
    return CompiledFiles((out / FILE, out / NAMES), {"coremltools": coremltools.__version__})


def _converted(program: Any, precision: Precision, name: str) -> Any:
    kept = coremltools.precision.FLOAT32 if precision == "fp32" else coremltools.precision.FLOAT16
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        # It draws a bar for each of its pipelines.
        warnings.simplefilter("ignore")
        try:
            return coremltools.convert(
                program,
                convert_to="mlprogram",
                minimum_deployment_target=TARGET,
                compute_precision=kept,
                skip_model_load=True,
            )
        except Exception as error:  # coremltools' errors share no base with a name
            raise EngineError(f"Core ML refused {name}: {line_of(error)}") from error


def _check_layers(model: Any, found: Counter[str]) -> None:
    """Raise `EngineError` unless every convolution is still there: a pass may fold much, but never those."""
    wanted = Counter(_LAYERS[node.op_type] for node in model.graph.node if node.op_type in _LAYERS)
    if any(found[op] != count for op, count in wanted.items()):
        raise EngineError(
            f"Core ML: of {dict(wanted)} the converted program holds { ({op: found[op] for op in wanted}) }"
        )
