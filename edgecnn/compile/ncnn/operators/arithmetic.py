"""Sums, products and the like of tensors that broadcast, and of a tensor and a number: ncnn's BinaryOp."""

import math

import numpy as np

from edgecnn.compile.ncnn.builder import MOST_DIMS, Builder, Dims, Value, natural
from edgecnn.compile.ncnn.source import Node

BINARY = {"Add": 0, "Sub": 1, "Mul": 2, "Div": 3, "Max": 4, "Min": 5, "Pow": 6}
REVERSED = {"Sub": 7, "Div": 8, "Pow": 9}
"""Operators whose sides can't change places, with the number that ncnn gives them when they have."""
STANDS_FOR = {"Sum": "Add", "Mean": "Add"}
SQUARE = 4


def combine(b: Builder, node: Node) -> None:
    """Add, Sub, Mul, Div, Pow of two tensors, and Max, Min, Sum and Mean of any number."""
    kind = STANDS_FOR.get(node.kind, node.kind)
    found = _operand(b, node, 0)
    for index in range(1, len(node.inputs)):
        found = _pair(b, node, kind, found, _operand(b, node, index))
    if node.kind == "Mean":
        found = _pair(b, node, "Mul", found, 1 / len(node.inputs))
    if isinstance(found, float):
        raise node.refuse("all its inputs are constants")
    b.alias(node.outputs[0], found)


def power(b: Builder, node: Node) -> None:
    """Pow; a square by itself, since a power of a negative number is computed through its logarithm."""
    exponent = _operand(b, node, 1)
    if exponent != 2:
        combine(b, node)
        return
    x = b.value(node)
    [made] = b.emit("UnaryOp", [x.blob], {0: SQUARE}, name=node.outputs[0])
    b.put(node.outputs[0], made, x.dims)


def _operand(b: Builder, node: Node, index: int) -> Value | float:
    """Return an input, as a number where it is a constant of one."""
    constant = b.source.constants.get(node.input(index))
    if constant is not None and constant.size == 1:
        return float(constant.reshape(-1)[0])
    return b.value(node, index)


def _pair(b: Builder, node: Node, kind: str, left: Value | float, right: Value | float) -> Value | float:
    name = node.outputs[0]
    if isinstance(left, float):
        if isinstance(right, float):
            raise node.refuse("two of its inputs are constants")
        [made] = b.emit("BinaryOp", [right.blob], {0: REVERSED.get(kind, BINARY[kind]), 1: 1, 2: left}, name=name)
        return Value(made, right.dims, right.shape)
    if isinstance(right, float):
        [made] = b.emit("BinaryOp", [left.blob], {0: BINARY[kind], 1: 1, 2: right}, name=name)
        return Value(made, left.dims, left.shape)
    shape = tuple(int(size) for size in np.broadcast_shapes(left.shape, right.shape))
    if left.shape == right.shape and left.dims == right.dims:
        sides, dims = (left.dims, right.dims), left.dims
    else:
        sides, dims = _aligned(node, left.shape, right.shape, shape)
    [made] = b.emit("BinaryOp", [b.view(left, sides[0]), b.view(right, sides[1])], {0: BINARY[kind]}, name=name)
    return Value(made, dims, shape)


def _aligned(node: Node, left: Dims, right: Dims, shape: Dims) -> tuple[tuple[Dims, Dims], Dims]:
    """Return dimensions of equal number for both sides and for the result."""
    one, other = ((1,) * (len(shape) - len(side)) + side for side in (left, right))
    dims = natural(shape)
    if dims is not None:
        cut = len(shape) - len(dims)
        return ((one[cut:] or (1,), other[cut:] or (1,)), dims)
    axes = _merged(one, other)
    if len(axes) > MOST_DIMS:
        raise node.refuse(f"ncnn has no blob of {len(axes)} dimensions to broadcast {list(left)} with {list(right)}")
    sides = tuple(a for a, _ in axes), tuple(c for _, c in axes)
    return sides, tuple(max(pair) for pair in axes)


def _merged(one: Dims, other: Dims) -> list[tuple[int, int]]:
    """Return the axes of both with neighbours taken together that broadcast alike."""
    merged: list[tuple[int, int]] = []
    for pair in zip(one, other, strict=True):
        if pair == (1, 1):
            continue
        if merged and _way(merged[-1]) == _way(pair):
            merged[-1] = merged[-1][0] * pair[0], merged[-1][1] * pair[1]
        else:
            merged.append(pair)
    return merged or [(1, 1)]


def _way(pair: tuple[int, int]) -> int:
    return int(math.copysign(1, pair[0] - pair[1])) if pair[0] != pair[1] else 0
