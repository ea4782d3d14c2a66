"""What passes ask of an onnx_ir graph and do to it, one small step each."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

Array = NDArray[Any]
WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators that multiply with weights; each owns its own."""


def opened(model: onnx.ModelProto) -> ir.Model:
    """Return a copy of `model` to work on. Without the copy, a renamed initializer would be renamed in `model` too."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return ir.from_proto(copy)


def constant(value: ir.Value | None) -> Array | None:
    """Return the array behind an initializer, or None for anything that is computed or given."""
    if value is None or value.const_value is None or not value.is_initializer():
        return None
    return np.asarray(value.const_value.numpy())


def fixed_shape(value: ir.Value | None) -> tuple[int, ...] | None:
    """Return the shape if every dimension is a known number, else None."""
    if value is None or value.shape is None:
        return None
    sizes = tuple(size for size in value.shape if isinstance(size, int))
    return sizes if len(sizes) == len(value.shape) else None


def rank(value: ir.Value | None) -> int | None:
    """Return how many axes the value has, or None if nobody knows."""
    return None if value is None or value.shape is None else len(value.shape)


def is_standard(node: ir.Node, *op_types: str) -> bool:
    """Whether `node` is one of ONNX's own operators, of one of `op_types` if there are any."""
    return node.domain in {"", "ai.onnx"} and (not op_types or node.op_type in op_types)


def nodes(model: ir.Model, *op_types: str) -> list[ir.Node]:
    """Return the main graph's nodes of ONNX's own `op_types`, as they stand now."""
    return [node for node in model.graph if is_standard(node, *op_types)]


def all_nodes(model: ir.Model) -> Iterator[ir.Node]:
    """Yield every node of the main graph and of the graphs inside it."""
    yield from ir.traversal.RecursiveGraphIterator(model.graph)


def only_reader(value: ir.Value) -> ir.Node | None:
    """Return the one node that reads `value`, once and in the same graph; None if there is no such node or others."""
    uses = list(value.uses())
    if len(uses) != 1 or value.is_graph_output():
        return None
    reader, producer = uses[0].node, value.producer()
    return reader if producer is None or reader.graph is producer.graph else None


def add_constant(model: ir.Model, name: str, array: Array | np.generic) -> ir.Value:
    """Register `array` as an initializer of the main graph under `name`, or `name.2`, ... if that is taken."""
    taken = {value.name for value in _values(model)}
    unique = next(choice for choice in _choices(name) if choice not in taken)
    tensor = ir.Tensor(np.array(array, order="C"), name=unique)
    value = ir.Value(name=unique, type=ir.TensorType(tensor.dtype), shape=ir.Shape(np.shape(array)), const_value=tensor)
    model.graph.register_initializer(value)
    return value


def attribute(node: ir.Node, name: str, default: Any = None) -> Any:
    """Return an attribute's plain value (int, float, text, tuple, tensor), or `default`."""
    found = node.attributes.get(name)
    if found is None:
        return default
    if found.type == ir.AttributeType.STRING:
        return found.as_string()
    return tuple(found.value) if isinstance(found.value, (list, tuple)) else found.value


def set_attribute(node: ir.Node, name: str, value: Any) -> None:
    """Give the node an attribute of the type that `value` has."""
    node.attributes[name] = ir.convenience.convert_attribute(name, value)


def set_input(node: ir.Node, index: int, value: ir.Value | None) -> None:
    """Replace the input at `index`; missing ones before it stay empty."""
    if index >= len(node.inputs):
        node.resize_inputs(index + 1)
    node.replace_input_with(index, value)


def bypass(node: ir.Node, source: ir.Value) -> bool:
    """Let all that reads the node's one output read `source`, drop the node, and return whether that could be done.

    It can't where the output is the graph's and `source` has a name of its own to keep.
    """
    output, graph = node.outputs[0], node.graph
    if graph is None:
        return False
    outside = output.is_graph_output()
    if outside:
        producer = source.producer()
        if source.is_graph_output() or producer is None or producer.graph is not graph:
            return False
    ir.convenience.replace_all_uses_with(output, source, replace_graph_outputs=True)
    name, shape = output.name, output.shape
    graph.remove(node, safe=True)
    if outside:
        source.name = name
        source.shape = shape if source.shape is None else source.shape
    return True


def _values(model: ir.Model) -> Iterator[ir.Value]:
    yield from model.graph.inputs
    for graph in model.graphs():
        yield from graph.inputs
        yield from graph.initializers.values()
    for node in all_nodes(model):
        yield from node.outputs


def _choices(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}.{number}"
        number += 1
