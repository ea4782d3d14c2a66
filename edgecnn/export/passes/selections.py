"""Selections: values that are some channels of another value, however many reshapes and transposes say so.

A channel shuffle, a split in halves, every second channel: all are `source[:, channels]`. Found by moving numbered
elements through the graph's own operators, so no pattern of nodes has to be known.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.export.passes.editing import attribute, constant, fixed_shape, is_standard, only_reader

Index = NDArray[np.int32]
MOVING = frozenset({"Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"})
MOST_ELEMENTS = 1 << 22
"""Elements of the largest value that is followed; a larger one's channels are left as they are."""


@dataclass(frozen=True, slots=True)
class Selection:
    """`value` is `source[:, channels]`, both [N, C, ...]; `steps` operators lie between them."""

    value: ir.Value
    source: ir.Value
    channels: tuple[int, ...]
    steps: int


def find_selections(model: ir.Model) -> list[Selection]:
    """Return the selections that something else than a moving operator reads, in the graph's order."""
    moved: dict[ir.Value, tuple[ir.Value, Index, int]] = {}
    found = []
    for node in model.graph:
        if not is_standard(node, *MOVING) or node.inputs[0] is None:
            continue
        source, index, steps = moved.get(node.inputs[0]) or (node.inputs[0], _numbered(node.inputs[0]), 0)
        results = _apply(node, index) if index is not None else None
        for value, result in zip(node.outputs, results or (), strict=False):
            moved[value] = (source, result, steps + 1)
            channels = _channels(source, result) if _leaves(value) else None
            if channels is not None:
                found.append(Selection(value, source, channels, steps + 1))
    return found


def outside_readers(selection: Selection) -> list[tuple[ir.Node, int]]:
    """Return who reads the selection's value and moves no elements itself, with the number of the input."""
    uses = [(use.node, use.idx) for use in selection.value.uses()]
    return [(node, index) for node, index in uses if not (is_standard(node, *MOVING) and index == 0)]


def behind(value: ir.Value) -> ir.Node | None:
    """Return the convolution whose result, perhaps through activation functions that only it feeds, is `value`."""
    node = value.producer()
    while node is not None and is_standard(node, "Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSwish"):
        source = node.inputs[0]
        if source is None or only_reader(source) is not node:
            return None
        node = source.producer()
    return node if node is not None and is_standard(node, "Conv") else None


def _leaves(value: ir.Value) -> bool:
    return not value.is_graph_output() and any(not is_standard(use.node, *MOVING) for use in value.uses())


def _numbered(value: ir.Value) -> Index | None:
    shape = fixed_shape(value)
    if shape is None or len(shape) < 3 or value.dtype != ir.DataType.FLOAT:
        return None
    size = int(np.prod(shape))
    return np.arange(size, dtype=np.int32).reshape(shape) if 0 < size <= MOST_ELEMENTS else None


def _channels(source: ir.Value, index: Index) -> tuple[int, ...] | None:
    """Return which channels of `source` the elements are, or None if they are no whole channels in their places."""
    shape = fixed_shape(source)
    if shape is None or index.ndim != len(shape) or index.shape[0] != shape[0] or index.shape[2:] != shape[2:]:
        return None
    plane = int(np.prod(shape[2:]))
    chosen = index[0].reshape(index.shape[1], -1)[:, 0] // plane
    whole = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)
    return tuple(int(c) for c in chosen) if np.array_equal(whole[:, chosen], index) else None


def _apply(node: ir.Node, index: Index) -> list[Index] | None:  # noqa: PLR0911 - one answer an operator
    """Return what `node` makes of the numbered elements, one array an output; None if that hangs on more than them."""
    shapes = [fixed_shape(value) for value in node.outputs]
    if node.op_type == "Identity":
        return [index]
    if node.op_type in {"Flatten", "Reshape", "Squeeze", "Unsqueeze"}:
        return [index.reshape(shapes[0])] if shapes[0] is not None and np.prod(shapes[0]) == index.size else None
    if node.op_type == "Transpose":
        return [index.transpose(attribute(node, "perm", tuple(range(index.ndim))[::-1]))]
    if node.op_type == "Gather":
        chosen = constant(node.inputs[1])
        return [np.take(index, chosen, axis=attribute(node, "axis", 0))] if chosen is not None else None
    if node.op_type == "Split":
        axis = attribute(node, "axis", 0)
        if any(shape is None for shape in shapes):
            return None
        ends = np.cumsum([shape[axis] for shape in shapes if shape is not None])
        return list(np.split(index, ends[:-1], axis=axis))
    return _sliced(node, index)


def _sliced(node: ir.Node, index: Index) -> list[Index] | None:
    given = [constant(value) if value is not None else None for value in node.inputs[1:]]
    if len(given) < 2 or any(a is None and v is not None for a, v in zip(given, node.inputs[1:], strict=True)):
        return None
    starts, ends = given[0], given[1]
    if starts is None or ends is None:
        return None
    axes = given[2] if len(given) > 2 and given[2] is not None else np.arange(len(starts))
    steps = given[3] if len(given) > 3 and given[3] is not None else np.ones(len(starts), np.int64)
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes.tolist(), steps.tolist(), strict=True):
        # Before the first element is where a backward slice ends; Python spells that None.
        stop = None if step < 0 and end < -index.shape[axis] else end
        index = index[
            tuple(slice(None) if a != axis % index.ndim else slice(start, stop, step) for a in range(index.ndim))
        ]
    return [index]
