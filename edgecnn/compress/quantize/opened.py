"""A network that is still on the way, opened in the engine of the target that it is meant for."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from onnx import helper

from edgecnn.compress.quantize.simulate import graph_inputs
from edgecnn.core.registry import TARGETS, import_entry, resolve
from edgecnn.core.tensor import TensorSpec
from edgecnn.runtime.engine import Engine

READ_ONNX = frozenset({"openvino", "onnxruntime"})
"""Engines that load ONNX as it is, so that a candidate need not be compiled first."""


def open_in(
    target: str, model: onnx.ModelProto, threads: int, options: Mapping[str, Any] = MappingProxyType({})
) -> Engine:
    """Return `model` compiled for `target`, by the registry's name, and loaded in its engine; the caller closes it.

    Raises:
        MissingExtraError: a package of the target is not installed.
        EngineError: the target's compiler or its engine refused the model.
    """
    row = TARGETS[target]
    open_engine = resolve("engine", row.engine)
    inputs, outputs = (tuple(map(_spec, values)) for values in (graph_inputs(model), model.graph.output))
    told = {"threads": threads, **row.options, **options}
    engine: Engine = open_engine(_files(target, model), inputs, outputs, told)
    return engine


def _files(target: str, model: onnx.ModelProto) -> Mapping[str, bytes]:
    data = model.SerializeToString()
    if TARGETS[target].engine in READ_ONNX:
        return {"model.onnx": data}
    compile_model = import_entry(TARGETS[target].compiler, f"target '{target}'")
    quantized = any(node.op_type == "QuantizeLinear" for node in model.graph.node)
    with TemporaryDirectory() as folder:
        source = Path(folder) / "candidate.onnx"
        source.write_bytes(data)
        compiled = compile_model(source, Path(folder) / "compiled", "int8" if quantized else "fp32")
        return {file.name: file.read_bytes() for file in compiled.files}


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    shape = tuple(dim.dim_value for dim in tensor.shape.dim)
    return TensorSpec(value.name, shape, np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name)
