"""Models in other float types become float32: what is quantized, measured and compared is one type."""

import numpy as np
import onnx_ir as ir

from edgecnn.export.passes.editing import all_nodes

OTHER = frozenset({ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE})


def to_float32(model: ir.Model) -> tuple[str, ...]:
    """Turn every float16, bfloat16 and float64 tensor of `model` into float32, in place, inputs and outputs included.

    Returns which types there were; float64 numbers are rounded.
    """
    found: set[ir.DataType] = set()
    for graph in model.graphs():
        for value in (*graph.inputs, *graph.initializers.values()):
            _value(value, found)
    for node in all_nodes(model):
        for value in node.outputs:
            _value(value, found)
        for name, entry in list(node.attributes.items()):
            _attribute(node, name, entry, found)
    return tuple(f"{kind.name.lower()} turned into float32" for kind in sorted(found, key=lambda kind: kind.name))


def _value(value: ir.Value, found: set[ir.DataType]) -> None:
    if value.const_value is not None and value.const_value.dtype in OTHER:
        found.add(value.const_value.dtype)
        value.const_value = _tensor(value.const_value)
    if value.dtype in OTHER and isinstance(value.type, ir.TensorType):
        found.add(value.dtype)
        value.type = ir.TensorType(ir.DataType.FLOAT)


def _attribute(node: ir.Node, name: str, entry: ir.Attr, found: set[ir.DataType]) -> None:
    if entry.type == ir.AttributeType.TENSOR and entry.value.dtype in OTHER:
        found.add(entry.value.dtype)
        node.attributes[name] = ir.AttrTensor(name, _tensor(entry.value))
    if name in {"to", "dtype", "output_dtype"} and entry.type == ir.AttributeType.INT and entry.value in OTHER:
        found.add(ir.DataType(entry.value))
        node.attributes[name] = ir.AttrInt64(name, int(ir.DataType.FLOAT))


def _tensor(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    with np.errstate(over="ignore"):
        return ir.Tensor(np.asarray(tensor.numpy()).astype(np.float32), name=tensor.name)
