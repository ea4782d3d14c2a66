"""Pixels cast before they are moved: to TensorRT uint8 is a type of inputs and outputs, which only a Cast may read.

NvInferRuntimeBase.h says so of kUINT8. Layout is turned first in what edgecnn exports, since that moves a quarter of
the bytes elsewhere; a byte is the same number in float32 and in float16, so that the order changes no result.
"""

from collections.abc import Iterator

import onnx
import onnx_ir as ir

MOVING = frozenset({"Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"})
FLOATS = frozenset({ir.DataType.FLOAT, ir.DataType.FLOAT16})


def cast_first(model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
    """Return `model` with the Cast right behind each uint8 input that is moved before it is cast, and whether any was.

    An input whose readers do not all end in a Cast to one float type stays as it is; so does `model` itself.
    """
    work = ir.from_proto(model)
    changed = [_cast_first(work, value) for value in work.graph.inputs if value.dtype == ir.DataType.UINT8]
    return (ir.to_proto(work), True) if any(changed) else (model, False)


def _cast_first(model: ir.Model, image: ir.Value) -> bool:
    moved = list(_moved(image))
    ends = [use.node for value in (image, *moved) for use in value.uses() if use.node not in _makers(moved)]
    kinds = {end.attributes.get_int("to", 0) if end.op_type == "Cast" else 0 for end in ends}
    if not moved or len(kinds) != 1 or not kinds <= {int(kind) for kind in FLOATS}:
        return False
    if any(value.is_graph_output() for value in (image, *moved)):
        return False
    kind = ir.DataType(kinds.pop())
    cast = ir.node("Cast", [image], {"to": int(kind)}, name=f"{image.name}.cast_first")
    early = cast.outputs[0]
    early.name, early.type, early.shape = f"{image.name}.cast_first", ir.TensorType(kind), image.shape
    for use in list(image.uses()):
        if use.node is not cast:
            use.node.replace_input_with(use.idx, early)
    model.graph.insert_before(model.graph[0], cast)
    for value in moved:
        value.type = ir.TensorType(kind)
    for end in ends:
        _drop(model, end)
    return True


def _moved(value: ir.Value) -> Iterator[ir.Value]:
    """Yield what nodes that only move elements give of `value`."""
    for use in value.uses():
        if use.idx == 0 and use.node.op_type in MOVING and use.node.domain in {"", "ai.onnx"}:
            yield use.node.outputs[0]
            yield from _moved(use.node.outputs[0])


def _makers(values: list[ir.Value]) -> list[ir.Node]:
    return [node for value in values if (node := value.producer()) is not None]


def _drop(model: ir.Model, cast: ir.Node) -> None:
    """Take out a Cast whose input has its type already."""
    source, result = cast.inputs[0], cast.outputs[0]
    if source is None or result.is_graph_output():
        return
    for use in list(result.uses()):
        use.node.replace_input_with(use.idx, source)
    model.graph.remove(cast, safe=True)
