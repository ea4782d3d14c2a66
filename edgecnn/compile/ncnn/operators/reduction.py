"""Sums, means and extremes over axes, and softmax."""

import math

from edgecnn.compile.ncnn.builder import Builder, natural
from edgecnn.compile.ncnn.source import Node

OPERATIONS = {
    "ReduceSum": 0,
    "ReduceSumSquare": 2,
    "ReduceMean": 3,
    "ReduceMax": 4,
    "ReduceMin": 5,
    "ReduceProd": 6,
    "ReduceL1": 7,
    "ReduceL2": 8,
    "ReduceLogSum": 9,
    "ReduceLogSumExp": 10,
}
MEAN, MAX = 3, 4
PER_AXIS = 13
"""The opset from which on softmax works along one axis; before, on all axes from that one on."""


def reduce(b: Builder, node: Node) -> None:
    """Reduce over any axes; over rows and columns by pooling, which ncnn runs faster."""
    x = b.value(node)
    rank = len(x.shape)
    given = b.source.constant(node, 1, "axes") if node.input(1) else node.get("axes", [])
    axes = sorted(int(axis) % rank for axis in given)
    if not axes and node.get("noop_with_empty_axes", 0):
        b.alias(node.outputs[0], x)
        return
    axes = [axis for axis in axes or range(rank) if x.shape[axis] != 1]
    dims, operation = natural(x.shape), OPERATIONS[node.kind]
    if dims is None:
        raise node.refuse(f"its input of shape {list(x.shape)} has too many dimensions")
    if rank == 4 and len(dims) == 3 and operation in {MEAN, MAX} and set(axes) == {2, 3}:
        whole = {0: int(operation == MEAN), 4: 1}
        [made] = b.emit("Pooling", [b.view(x, dims)], whole, name=node.outputs[0])
        b.put(node.outputs[0], made, dims[:1])
        return
    places = tuple(axis - (rank - len(dims)) for axis in axes)
    # Axes of size 1 need no sum, but a norm or a square all the same.
    places = places or (0,) * (x.shape[0] == 1)
    parameters: dict[int, int | tuple[int, ...]] = {0: operation, 1: 0, 3: places, 4: 1, 5: 1}
    [made] = b.emit("Reduction", [b.view(x, dims)], parameters, name=node.outputs[0])
    b.put(node.outputs[0], made, tuple(1 if place in places else size for place, size in enumerate(dims)))


def softmax(b: Builder, node: Node) -> None:
    """Softmax and LogSoftmax along an axis."""
    x = b.value(node)
    axis = node.get("axis", -1 if b.source.opset >= PER_AXIS else 1) % len(x.shape)
    dims = natural(x.shape)
    if b.source.opset < PER_AXIS:
        dims, place = (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])), 1
    elif dims is not None and (axis > 0 or len(dims) == len(x.shape)):
        place = axis - (len(x.shape) - len(dims))
    else:
        dims, place = (math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])), 1
    [made] = b.emit("Softmax", [b.view(x, dims)], {0: place, 1: 1}, name=node.outputs[0])
    if node.kind == "LogSoftmax":
        [made] = b.emit("UnaryOp", [made], {0: 8}, name=node.outputs[0])
    b.put(node.outputs[0], made, dims)
