"""Units: the nodes that may run in INT8 or in float, and the tensors that flow between them."""

import math
from dataclasses import dataclass

import numpy as np
import onnx  # noqa: TC002 - macs takes its nodes
import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.compress.quantize.macs import macs

FLOAT_BYTES = 4
MACS_A_BYTE = 8.0
"""Multiply-adds that an engine does in the time it moves a byte; what a prediction weighs traffic with."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A float tensor of `elements` numbers from unit `source` to unit `reader`; None is what always stays in float."""

    source: int | None
    reader: int | None
    elements: int

    def crosses(self, choice: NDArray[np.bool_]) -> bool:
        """Whether the tensor passes between INT8 and float where `choice` [units] says which units run in INT8."""
        first = self.source is not None and bool(choice[self.source])
        second = self.reader is not None and bool(choice[self.reader])
        return first != second


@dataclass(frozen=True, slots=True)
class Units:
    """The units of a network, in the graph's order.

    Attributes:
        names: node names.
        macs: multiply-adds of each.
        elements: numbers that each reads and writes, weights included.
        flows: what runs between them.
    """

    names: tuple[str, ...]
    macs: tuple[int, ...]
    elements: tuple[int, ...]
    flows: tuple[Flow, ...]

    def work(self) -> np.ndarray:
        """Return each unit's time in float as far as counts tell, float64 [units], in multiply-adds."""
        moved = FLOAT_BYTES * MACS_A_BYTE * np.asarray(self.elements, np.float64)
        return np.asarray(np.asarray(self.macs, np.float64) + moved, np.float64)


def find_units(model: ir.Model, names: tuple[str, ...]) -> Units:
    """Return the nodes `names` of `model` as units; shapes must have been inferred."""
    number = {name: index for index, name in enumerate(names)}
    shapes = {
        str(value.name): _shape(value) for node in model.graph for value in (*node.inputs, *node.outputs) if value
    }
    protos: dict[str, onnx.NodeProto] = {}
    elements = []
    flows: dict[tuple[str, int | None], Flow] = {}
    sources = _sources(model, number)
    for node in model.graph:
        here = number.get(str(node.name))
        if here is not None:
            protos[str(node.name)] = ir.to_proto(node)
        for value in node.inputs:
            if value is None or value.const_value is not None or value.dtype not in {None, ir.DataType.FLOAT}:
                continue
            if here is not None or not _passes_on(node, sources):
                flows[str(value.name), here] = Flow(sources.get(value), here, _size(shapes[str(value.name)]))
    by_name = {str(node.name): node for node in model.graph}
    for name in names:
        node = by_name[name]
        touched = {str(value.name): value for value in (*node.inputs, *node.outputs) if value is not None}
        elements.append(sum(_size(shapes[key]) for key in touched))
    counted = tuple(macs(protos[name], shapes) for name in names)
    crossing = tuple(flow for flow in flows.values() if flow.source != flow.reader)
    return Units(names, counted, tuple(elements), crossing)


def _passes_on(node: ir.Node, sources: dict[ir.Value, int | None]) -> bool:
    """Whether a node that is no unit lies between units, so that its precision is theirs."""
    first = node.inputs[0] if node.inputs else None
    return first is not None and sources.get(first) is not None and bool(node.outputs[0].uses())


def _sources(model: ir.Model, number: dict[str, int]) -> dict[ir.Value, int | None]:
    """Return the unit that each computed value comes from, through nodes that are no units; None where there is none.

    A node that is no unit stands for what it reads first. The graph's order lets each look at its neighbour only.
    """
    found: dict[ir.Value, int | None] = {}
    for node in model.graph:
        here = number.get(str(node.name))
        if here is None:
            taken = (value for value in node.inputs if value is not None and value.const_value is None)
            first = next(taken, None)
            here = None if first is None else found.get(first)
        found |= dict.fromkeys(node.outputs, here)
    return found


def _shape(value: ir.Value) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else 0 for size in value.shape) if value.shape is not None else ()


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(shape) if shape else 0
