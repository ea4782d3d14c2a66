"""From an ONNX file to a flatbuffer: inputs and outputs keep names, shapes and types."""

from pathlib import Path

import onnx_ir as ir

from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.operators import LOWERINGS, lower_all
from edgecnn.compile.litert.source import ONNX_DOMAINS, Source, expanded, read, shape_of
from edgecnn.compile.litert.value import Value, plain
from edgecnn.compile.litert.writer import TYPES, Tensor
from edgecnn.core.errors import EngineError


def flatbuffer(path: Path, *, half: bool) -> bytes:
    """Return the ONNX file `path` as a TFLite flatbuffer; `half` stores float weights as float16.

    Raises:
        EngineError: the file is no ONNX of fixed shapes, or has an operator that is not taken; the error names it.
    """
    source = read(path)
    unknown = {
        node.op_type
        for node in source.model.graph
        if node.domain in ONNX_DOMAINS and node.op_type not in LOWERINGS and not source.is_constant(node)
    }
    if unknown:
        source = _expanded(source, unknown)
    low = Lowering(source, half=half)
    inputs = {
        str(value.name): _input(low, value) for value in source.model.graph.inputs if value not in source.constants
    }
    lower_all(low)
    return low.writer.finish(inputs, _outputs(low, set(inputs.values())))


def _expanded(source: Source, unknown: set[str]) -> Source:
    """Return the model with unknown operators written out as ONNX defines them; as it is where that fails."""
    try:
        return Source(expanded(source.model, unknown))
    except Exception:  # noqa: BLE001 - onnx's inliner and inference raise what they like; the walk names the operator
        return source


def _input(low: Lowering, value: ir.Value) -> Tensor:
    dtype = str(value.dtype).lower()
    kind = "float32" if dtype == "float" else dtype
    if kind not in TYPES:
        raise EngineError(f"litert: input '{value.name}' is {kind}; it takes {', '.join(TYPES)}")
    tensor = low.writer.tensor(str(value.name), shape_of(value), kind)
    low.bind(value, low.as_single(Value(tensor, plain(len(tensor.shape)))))
    return tensor


def _outputs(low: Lowering, taken: set[Tensor]) -> dict[str, Tensor]:
    """Return the graph's outputs, each a tensor of its own in ONNX's order that bears the output's name."""
    found: dict[str, Tensor] = {}
    for value in low.source.model.graph.outputs:
        held = low.floating(value)
        tensor = low.as_typed(low.ordered(held, plain(len(held.order))), value).tensor
        if tensor in taken or tensor.constant:
            made = low.writer.tensor(str(value.name), tensor.shape, tensor.dtype, tensor.quant)
            low.reshape(tensor, made)
            tensor = made
        taken.add(tensor)
        found[str(value.name)] = tensor
    for name, tensor in found.items():
        low.writer.rename(tensor, name)
    return found
