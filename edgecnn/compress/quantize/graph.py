"""Small questions about an onnx_ir graph that planning, placement and checking ask."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray


def constant(value: ir.Value | None) -> NDArray[Any] | None:
    """Return the array behind an initializer, or None for anything that is computed or given."""
    if value is None or value.const_value is None or value.producer() is not None or value.is_graph_input():
        return None
    return np.asarray(value.const_value.numpy())


def activations(node: ir.Node) -> list[ir.Value]:
    """Return the node's inputs that are float and not constant."""
    return [value for value in node.inputs if value is not None and constant(value) is None and is_float(value)]


def is_float(value: ir.Value) -> bool:
    """Whether a value is float32, as far as the graph says; one without a type counts as float."""
    return value.dtype in {None, ir.DataType.FLOAT}


def only_reader(value: ir.Value) -> ir.Node | None:
    """Return the one node that reads `value`, or None if there are more, none, or the outside reads it too."""
    uses = list(value.uses())
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() else None


def after_fusion(value: ir.Value, fused: frozenset[str]) -> ir.Value:
    """Return what an engine writes for `value`: the result of the activation functions that only it feeds."""
    reader = only_reader(value)
    while reader is not None and reader.op_type in fused and reader.inputs[0] is value:
        value = reader.outputs[0]
        reader = only_reader(value)
    return value


def before_fusion(value: ir.Value, fused: frozenset[str]) -> ir.Node | None:
    """Return the node whose result, after fused activation functions, is `value`."""
    node = value.producer()
    while node is not None and node.op_type in fused:
        source = node.inputs[0]
        if source is None or only_reader(source) is not node:
            return node
        node = source.producer()
    return node


def reaches_output(value: ir.Value, commuting: frozenset[str]) -> bool:
    """Whether `value` is an output of the graph, as it is or through nodes that only commute."""
    if value.is_graph_output():
        return True
    return any(
        use.node.op_type in commuting and any(reaches_output(out, commuting) for out in use.node.outputs)
        for use in value.uses()
    )


def values(model: ir.Model) -> Iterator[ir.Value]:
    """Yield the graph's inputs and every value that a node computes."""
    yield from model.graph.inputs
    for node in model.graph:
        yield from node.outputs
