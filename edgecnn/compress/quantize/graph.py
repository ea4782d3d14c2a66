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


def is_constant(value: ir.Value) -> bool:
    """Whether `value` is an initializer."""
    return value.const_value is not None and value.producer() is None and not value.is_graph_input()


def activations(node: ir.Node) -> list[ir.Value]:
    """Return the node's inputs that are float and not constant."""
    return [value for value in node.inputs if value is not None and not is_constant(value) and is_float(value)]


def is_float(value: ir.Value) -> bool:
    """Whether a value is float32, as far as the graph says; one without a type counts as float."""
    return value.dtype in {None, ir.DataType.FLOAT}


def only_reader(value: ir.Value) -> ir.Node | None:
    """Return the one node that reads `value`, or None if there are more, none, or the outside reads it too."""
    uses = value.uses()
    return next(iter(uses)).node if len(uses) == 1 and not value.is_graph_output() else None


def reaches_output(value: ir.Value, commuting: frozenset[str]) -> bool:
    """Whether `value` is an output of the graph, as it is or through nodes that only commute."""
    pending, seen = [value], {value}
    while pending:
        here = pending.pop()
        if here.is_graph_output():
            return True
        behind = {out for use in here.uses() if use.node.op_type in commuting for out in use.node.outputs}
        pending.extend(behind - seen)
        seen |= behind
    return False


def into_subgraphs(model: ir.Model, passing: frozenset[str]) -> set[ir.Node]:
    """Return the nodes whose results the body of an If, Loop or Scan reads, directly or behind op types `passing`."""
    if not any(
        attribute.type == ir.AttributeType.GRAPH for node in model.graph for attribute in node.attributes.values()
    ):
        return set()
    found: set[ir.Node] = set()
    for node in reversed(list(model.graph)):
        readers = [use.node for value in node.outputs for use in value.uses()]
        if any(use.graph is not model.graph or (use in found and use.op_type in passing) for use in readers):
            found.add(node)
    return found


def values(model: ir.Model) -> Iterator[ir.Value]:
    """Yield the graph's inputs and every value that a node computes."""
    yield from model.graph.inputs
    for node in model.graph:
        yield from node.outputs
