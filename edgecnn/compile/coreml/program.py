"""An ONNX graph as a MIL program: node after node, constants folded on the way."""

import re
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from edgecnn.compile.coreml.call import Call, Table, Value
from edgecnn.compile.coreml.elementwise import ELEMENTWISE
from edgecnn.compile.coreml.layers import LAYERS
from edgecnn.compile.coreml.moving import MOVING
from edgecnn.compile.coreml.quantized import QUANTIZED
from edgecnn.compile.coreml.sdk import Function, Program, coremltools, mb, types
from edgecnn.compile.coreml.windows import WINDOWS
from edgecnn.core.errors import EngineError
from edgecnn.core.registry import nearest
from edgecnn.core.tensor import TensorSpec

TABLE: Table = {**ELEMENTWISE, **LAYERS, **MOVING, **QUANTIZED, **WINDOWS}
TARGET = coremltools.target.iOS17
"""The oldest system whose models hold quantized activations."""
_MOST_RANK = 5


def features(specs: tuple[TensorSpec, ...]) -> dict[str, str]:
    """Return Core ML's name of each tensor: letters, digits and underscores, none of them twice."""
    names: dict[str, str] = {}
    for spec in specs:
        plain = re.sub(r"\W", "_", spec.name, flags=re.ASCII)
        plain = plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}"
        while plain in names.values():
            plain += "_"
        names[spec.name] = plain
    return names


def program_of(model: onnx.ModelProto, inputs: tuple[TensorSpec, ...], names: dict[str, str], opset: int) -> Program:
    """Return `model` as a MIL program for iOS 17, its tensors called by `names`. Every input is float32.

    Raises:
        EngineError: an operator, a setting of one or a rank that Core ML has not.
    """
    values: dict[str, Any] = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    placeholders = {names[spec.name]: mb.placeholder(shape=_shape(spec), dtype=types.fp32) for spec in inputs}
    with Function(placeholders, opset_version=TARGET) as function:
        values |= {spec.name: function.inputs[names[spec.name]] for spec in inputs}
        for node in model.graph.node:
            values.update(zip(node.output, _translated(node, values, opset), strict=False))
        outputs = [_output(values[value.name], names[value.name]) for value in model.graph.output]
        function.set_outputs(outputs)
    program = Program()
    program.add_function("main", function)
    return program


def _shape(spec: TensorSpec) -> tuple[int, ...]:
    if not 1 <= len(spec.shape) <= _MOST_RANK:
        raise EngineError(f"Core ML: '{spec.name}' has {len(spec.shape)} dimensions; tensors have 1 to {_MOST_RANK}")
    return spec.shape


def _output(value: Any, name: str) -> Value:
    if isinstance(value, np.ndarray):
        raise EngineError(f"Core ML: the output '{name}' is a constant; leave it out of the model")
    return mb.identity(x=value, name=name)


def _translated(node: onnx.NodeProto, values: dict[str, Any], opset: int) -> list[Any]:
    """Return the outputs of `node`: arrays where all it reads is constant, MIL's otherwise."""
    given = [values[name] if name else None for name in node.input]
    constant = all(value is None or isinstance(value, np.ndarray) for value in given)
    if constant and not _is_weight(node, given):
        feeds = {name: value for name, value in zip(node.input, given, strict=True) if name}
        return [np.asarray(made) for made in ReferenceEvaluator(node, opsets={"": opset}).run(None, feeds)]
    if node.domain not in ("", "ai.onnx") or node.op_type not in TABLE:
        raise EngineError(f"Core ML: no translation of {node.op_type} ('{node.name}'){nearest(node.op_type, TABLE)}")
    call = Call(node, [_mil(value) for value in given], opset)
    try:
        made = TABLE[node.op_type](call)
    except (ValueError, TypeError) as error:
        raise call.error(f"was refused: {' '.join(str(error).split())[:200]}") from error
    made = made if isinstance(made, list) else [made]
    if any(len(one.shape) > _MOST_RANK for one in made):
        raise call.error(f"gives more than {_MOST_RANK} dimensions, which no tensor of Core ML has")
    return made


def _mil(value: Any) -> Any:
    """Return a constant in a type that MIL has: 32 bits at most, whole numbers cut to what those hold."""
    if not isinstance(value, np.ndarray) or value.dtype.itemsize == 1:
        return value
    if value.dtype.kind == "f":
        return np.asarray(value, np.float32)
    bounds = np.iinfo(np.int32)
    return np.asarray(value.clip(bounds.min, bounds.max), np.int32)


def _is_weight(node: onnx.NodeProto, given: list[Any]) -> bool:
    """Whether `node` makes floats of stored bytes, which is to happen in the engine."""
    return node.op_type == "DequantizeLinear" and given[0].dtype.itemsize == 1 and given[0].ndim > 0
