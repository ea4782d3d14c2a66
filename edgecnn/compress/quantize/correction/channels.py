"""Which channels of a network may be scaled by a number of their own, exactly: labels that flow from op to op.

Every channel that a layer gives gets a label. Ops that are linear or positively homogeneous pass labels on, moved as
they move channels; adding two tensors makes their labels one; an op that is neither pins its labels to label 0, whose
scale is 1. What is left are free labels: divide every layer's outputs by their labels' scales, multiply every layer's
weights by the scales of their inputs, and the network computes the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.compress.quantize.graph import constant

Labels = NDArray[np.int64]
MOST_EXPANDED = 1 << 22
"""Largest tensor whose labels are written out to follow a reshape through mixed axes."""


@dataclass(frozen=True, slots=True)
class Link:
    """A constant that takes part in the scaling: `labels` broadcast against it, element by element."""

    value: ir.Value
    labels: Labels


@dataclass(slots=True)
class Channels:
    """The labels of a model.

    Attributes:
        of: each value's labels, broadcastable to the value's shape.
        divided: weights and biases to divide by the scales of what they give.
        multiplied: weights to multiply by the scales of what they read.
        depthwise: names of those of `multiplied` in which each output reads one input channel alone.
    """

    of: dict[str, Labels] = field(default_factory=dict)
    divided: list[Link] = field(default_factory=list)
    multiplied: list[Link] = field(default_factory=list)
    depthwise: set[str] = field(default_factory=set)
    _parents: list[int] = field(default_factory=lambda: [0])

    def roots(self, labels: Labels) -> Labels:
        """Return the number each label goes by; 0 where it is pinned."""
        flat, inverse = np.unique(labels, return_inverse=True)
        return np.asarray([self._root(int(n)) for n in flat])[inverse].reshape(labels.shape)

    @property
    def count(self) -> int:
        """The number of labels ever given, 0 included."""
        return len(self._parents)

    def fresh(self, shape: tuple[int, ...]) -> Labels:
        """Return new labels."""
        first, size = len(self._parents), int(np.prod(shape))
        self._parents.extend(range(first, first + size))
        return np.arange(first, first + size).reshape(shape)

    def unite(self, first: Labels, second: Labels) -> Labels:
        """Make labels one, pair by pair, and return them."""
        first, second = np.broadcast_arrays(first, second)
        for a, b in {*zip(first.reshape(-1).tolist(), second.reshape(-1).tolist(), strict=True)}:
            one, other = sorted((self._root(a), self._root(b)))
            self._parents[other] = one
        return first

    def pin(self, labels: Labels) -> None:
        """Give labels the scale 1."""
        self.unite(np.unique(labels), np.zeros(1, np.int64))

    def _root(self, label: int) -> int:
        while self._parents[label] != label:
            self._parents[label] = self._parents[self._parents[label]]
            label = self._parents[label]
        return label


def find_channels(model: ir.Model) -> Channels:
    """Return the channels of a model whose shapes are static; values of unknown shape are pinned."""
    found = Channels()
    for node in model.graph:
        rule = RULES.get(node.op_type) if node.domain in {"", "ai.onnx"} else None
        shapes = [_shape(value) for value in (*node.inputs, *node.outputs) if value is not None]
        given = rule(found, node) if rule is not None and None not in shapes else None
        if given is None:
            for value in _read(node):
                found.pin(labels_of(found, value))
        for index, value in enumerate(node.outputs):
            rank = len(_shape(value) or ())
            labels = given[index] if given is not None and index < len(given) else np.zeros([1] * rank, np.int64)
            found.of[str(value.name)] = labels
            if value.is_graph_output():
                found.pin(labels)
    return found


def labels_of(found: Channels, value: ir.Value | None) -> Labels:
    """Return a value's labels; pinned ones for constants and what the graph is given."""
    known = found.of.get(str(value.name)) if value is not None else None
    return known if known is not None else np.zeros([1] * len(_shape(value) or ()), np.int64)


def _read(node: ir.Node) -> list[ir.Value]:
    inner = [v for a in node.attributes.values() for g in _graphs(a) for n in g for v in _read(n)]
    inner += [v for a in node.attributes.values() for g in _graphs(a) for v in g.outputs]
    return [value for value in node.inputs if value is not None] + inner


def _graphs(attribute: Any) -> list[ir.Graph]:
    if attribute.type == ir.AttributeType.GRAPH:
        return [attribute.value]
    return list(attribute.value) if attribute.type == ir.AttributeType.GRAPHS else []


def _shape(value: ir.Value | None) -> tuple[int, ...] | None:
    shape = value.shape if value is not None else None
    sizes = [size for size in shape if isinstance(size, int)] if shape is not None else []
    return tuple(sizes) if shape is not None and len(sizes) == len(shape) else None


Rule = Callable[[Channels, ir.Node], "list[Labels] | None"]


def _alone(value: ir.Value | None) -> bool:
    """Whether a value is a float constant that one node reads."""
    array = constant(value)
    return array is not None and array.dtype == np.float32 and value is not None and len(value.uses()) == 1


def _convolution(found: Channels, node: ir.Node) -> list[Labels] | None:
    weights, groups = constant(node.inputs[1]), node.attributes.get_int("group", 1)
    inputs = labels_of(found, node.inputs[0])
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    spread = inputs.size not in {1, inputs.shape[1]}
    if weights is None or not _alone(node.inputs[1]) or spread or (bias is not None and not _alone(bias)):
        return None
    axes, transposed = [1] * (weights.ndim - 2), node.op_type == "ConvTranspose"
    read, given = (
        (weights.shape[0], weights.shape[1] * groups) if transposed else (weights.shape[1] * groups, len(weights))
    )
    into = np.broadcast_to(inputs.reshape(-1), (read,)).reshape(groups, read // groups)
    out = found.fresh((1, given, *axes))
    of = out.reshape(groups, given // groups)
    if transposed:
        rows, columns = into.reshape(read, 1, *axes), np.repeat(of, read // groups, axis=0).reshape(read, -1, *axes)
    else:
        rows, columns = np.repeat(into, given // groups, axis=0).reshape(given, -1, *axes), of.reshape(given, 1, *axes)
    _link(found, node, rows, columns, out.reshape(-1))
    if read == groups:
        found.depthwise.add(str(node.inputs[1].name))  # type: ignore[union-attr]
    return [out]


def _link(found: Channels, node: ir.Node, read: Labels, given: Labels, bias: Labels) -> None:
    weights = node.inputs[1]
    assert weights is not None  # noqa: S101 - the rule that calls this has read them
    found.multiplied.append(Link(weights, read))
    found.divided.append(Link(weights, given))
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        found.divided.append(Link(node.inputs[2], bias))


def _product(found: Channels, node: ir.Node) -> list[Labels] | None:
    weights, inputs = constant(node.inputs[1]), labels_of(found, node.inputs[0])
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    spread = inputs.size not in {1, inputs.shape[-1]}
    if weights is None or weights.ndim != 2 or not _alone(node.inputs[1]) or spread or not inputs.ndim:
        return None
    turned = bool(node.attributes.get_int("transB", 0))
    given = weights.shape[0] if turned else weights.shape[1]
    if node.attributes.get_int("transA", 0) or (
        bias is not None and (not _alone(bias) or constant(bias).shape not in {(given,), (1, given)})  # type: ignore[union-attr]
    ):
        return None
    out = found.fresh((*[1] * (inputs.ndim - 1), given))
    rows, columns = inputs.reshape(-1)[:, None], out.reshape(-1)[None]
    _link(found, node, *((rows.T, columns.T) if turned else (rows, columns)), out.reshape(-1))
    return [out]


def _same(found: Channels, node: ir.Node) -> list[Labels] | None:
    return [labels_of(found, node.inputs[0])]


def _clip(found: Channels, node: ir.Node) -> list[Labels] | None:
    bounds = [constant(value) if value is not None else None for value in node.inputs[1:3]]
    low = bounds[0] if bounds else None
    given = [value for value in node.inputs[1:3] if value is not None]
    high_free = len(given) < 2 or (bounds[1] is not None and not np.isfinite(bounds[1]).any())
    low_zero = low is not None and not low.any()
    return _same(found, node) if low_zero and high_free else None


def _in_space(found: Channels, node: ir.Node) -> list[Labels] | None:
    """Ops that work on each channel's plane alone: labels may not differ within a plane."""
    labels, shapes = labels_of(found, node.inputs[0]), [_shape(node.inputs[0]), _shape(node.outputs[0])]
    if len(node.outputs) > 1 or any(size != 1 for size in labels.shape[2:]) or shapes[0] is None or shapes[1] is None:
        return None
    return [labels] if shapes[0][:2] == shapes[1][:2] else None


def _resize(found: Channels, node: ir.Node) -> list[Labels] | None:
    crops = node.attributes.get_string("coordinate_transformation_mode", "") == "tf_crop_and_resize"
    return None if crops else _in_space(found, node)


def _pad(found: Channels, node: ir.Node) -> list[Labels] | None:
    filler = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else np.zeros(1)
    zero = filler is not None and not filler.any() and node.attributes.get_string("mode", "constant") == "constant"
    return _in_space(found, node) if zero else None


def _reduce(found: Channels, node: ir.Node) -> list[Labels] | None:
    labels = labels_of(found, node.inputs[0])
    axes = constant(node.inputs[1]) if len(node.inputs) > 1 else node.attributes.get_ints("axes", None)
    if axes is None:
        return None
    around = {int(axis) % labels.ndim for axis in np.asarray(axes).reshape(-1)}
    if any(labels.shape[axis] != 1 for axis in around):
        return None
    return [labels if node.attributes.get_int("keepdims", 1) else labels.squeeze(tuple(around))]


def _joined(found: Channels, node: ir.Node) -> list[Labels] | None:
    labels = [_ranked(labels_of(found, value), len(_shape(node.outputs[0]) or ())) for value in node.inputs]
    whole = labels[0]
    for other in labels[1:]:
        whole = found.unite(whole, other)
    return [whole]


def _times(found: Channels, node: ir.Node) -> list[Labels] | None:
    rank = len(_shape(node.outputs[0]) or ())
    first, second = (_ranked(labels_of(found, value), rank) for value in node.inputs)
    if not found.roots(first).any() and node.op_type == "Mul":
        first, second = second, first
    found.pin(second)
    return [np.broadcast_arrays(first, second)[0]]


def _ranked(labels: Labels, rank: int) -> Labels:
    return labels.reshape([1] * (rank - labels.ndim) + list(labels.shape))


def _concat(found: Channels, node: ir.Node) -> list[Labels] | None:
    axis, parts = node.attributes.get_int("axis", 1), []
    for value in node.inputs:
        labels, shape = labels_of(found, value), _shape(value) or ()
        parts.append(_expanded(labels, shape, axis % len(shape)))
    rank = parts[0].ndim
    wide = [max(part.shape[i] for part in parts) for i in range(rank)]
    wide[axis] = 1
    whole = [np.broadcast_to(p, [p.shape[i] if i == axis % rank else wide[i] for i in range(rank)]) for p in parts]
    return [_shrunk(np.concatenate(whole, axis=axis))]


def _expanded(labels: Labels, shape: tuple[int, ...], axis: int) -> Labels:
    return np.broadcast_to(labels, [shape[i] if i == axis else size for i, size in enumerate(labels.shape)])


def _shrunk(labels: Labels) -> Labels:
    """Return labels without the axes along which they don't change."""
    for axis in range(labels.ndim):
        first = np.take(labels, [0], axis)
        if labels.shape[axis] > 1 and (labels == first).all():
            labels = first
    return labels


def _moved(found: Channels, node: ir.Node) -> list[Labels] | None:
    """Transpose, Reshape and its kin: labels move as the elements do."""
    labels, shape, out = labels_of(found, node.inputs[0]), _shape(node.inputs[0]), _shape(node.outputs[0])
    if shape is None or out is None:
        return None
    if node.op_type == "Transpose":
        return [labels.transpose(node.attributes.get_ints("perm", list(range(len(shape)))[::-1]))]
    # Trailing axes that both shapes share, and that no label tells apart, need not be written out.
    kept = 0
    while kept < min(len(shape), len(out)) and shape[-1 - kept] == out[-1 - kept] and labels.shape[-1 - kept] == 1:
        kept += 1
    head = shape[: len(shape) - kept]
    if int(np.prod(head)) > MOST_EXPANDED:
        return None
    whole = np.broadcast_to(labels.reshape(labels.shape[: len(head)]), head)
    moved = _shrunk(whole.reshape(out[: len(out) - kept]))
    return [moved.reshape(*moved.shape, *[1] * kept)]


def _cut(found: Channels, node: ir.Node) -> list[Labels] | None:
    """Split, Slice and Gather: follow the elements' positions along each axis that labels tell apart."""
    labels, shape = labels_of(found, node.inputs[0]), _shape(node.inputs[0])
    if shape is None:
        return None
    if node.op_type == "Gather":
        axis, indices = node.attributes.get_int("axis", 0) % len(shape), constant(node.inputs[1])
        return [_taken(labels, shape, axis, indices)] if indices is not None else None
    if node.op_type == "Split":
        axis = node.attributes.get_int("axis", 0) % len(shape)
        sizes = [(_shape(value) or ())[axis] for value in node.outputs]
        return [_taken(labels, shape, axis, np.arange(e - s, e)) for s, e in zip(sizes, np.cumsum(sizes), strict=True)]
    given = [constant(value) if value is not None else None for value in node.inputs[1:]]
    if any(array is None for array, value in zip(given, node.inputs[1:], strict=True) if value is not None):
        return None
    starts, ends, axes, steps = ([*given, None, None][i] for i in range(4))
    if starts is None or ends is None:
        return None
    axes = np.arange(len(starts)) if axes is None else axes
    for start, end, axis, step in zip(
        starts, ends, axes, np.ones(len(starts)) if steps is None else steps, strict=True
    ):
        at = int(axis) % len(shape)
        labels = _taken(labels, shape, at, _positions(shape[at], int(start), int(end), int(step)))
    return [labels]


def _positions(size: int, start: int, end: int, step: int) -> NDArray[np.int64]:
    # A negative end beyond the beginning means "to the beginning" here, and "from the back" in Python.
    stop = None if step < 0 and end < -size else end
    return np.arange(size)[start:stop:step]


def _taken(labels: Labels, shape: tuple[int, ...], axis: int, indices: NDArray[Any]) -> Labels:
    if labels.shape[axis] == 1:
        return np.take(labels, np.zeros([1] * indices.ndim, np.int64), axis)
    return _shrunk(np.take(_expanded(labels, shape, axis), indices.astype(np.int64), axis))


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv", "ConvTranspose"), _convolution),
    **dict.fromkeys(("Gemm", "MatMul"), _product),
    **dict.fromkeys(("Identity", "Relu", "LeakyRelu", "Abs", "Neg"), _same),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool"), _in_space),
    **dict.fromkeys(("Add", "Max", "Min", "Sub", "Sum"), _joined),
    **dict.fromkeys(("Div", "Mul", "PRelu"), _times),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), _reduce),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"), _moved),
    **dict.fromkeys(("Gather", "Slice", "Split"), _cut),
    "Clip": _clip,
    "Concat": _concat,
    "Pad": _pad,
    "Resize": _resize,
}
