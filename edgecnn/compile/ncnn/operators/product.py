"""Gemm and MatMul: ncnn's InnerProduct where one side is constant, its MatMul where none is."""

import math

import numpy as np
from numpy.typing import NDArray

from edgecnn.compile.ncnn.builder import Builder, Dims, natural
from edgecnn.compile.ncnn.network import Weight
from edgecnn.compile.ncnn.operators.int8 import Int8, int8_weights
from edgecnn.compile.ncnn.source import Node


def gemm(b: Builder, node: Node) -> None:
    """Gemm with constant weights and bias."""
    if node.get("transA", 0):
        raise node.refuse("it transposes its input")
    turned = bool(node.get("transB", 0))
    weights = np.asarray(b.source.constant(node, 1, "weights"), np.float32)
    alpha, beta = np.float32(node.get("alpha", 1.0)), np.float32(node.get("beta", 1.0))
    rows = weights if turned else weights.T
    bias = None
    if node.input(2):
        given = np.asarray(b.source.constant(node, 2, "bias"), np.float32)
        if given.size not in {1, len(rows)}:
            raise node.refuse(f"its bias of shape {list(given.shape)} is not one number a channel")
        bias = np.broadcast_to(given.reshape(-1) * beta, (len(rows),))
    ints = int8_weights(b.source, node.input(1), b.raw(node), axis=0 if turned else 1) if alpha == 1 else None
    _inner_product(b, node, rows * alpha, bias, ints)


def matmul(b: Builder, node: Node) -> None:
    """MatMul, by a constant matrix or of two activations."""
    name = node.input(1)
    if name in b.source.constants and math.prod(b.source.constants[name].shape[:-2]) == 1:
        constant = b.source.constants[name]
        weights = np.asarray(constant.reshape(constant.shape[-2:] if constant.ndim > 1 else (-1, 1)), np.float32)
        plain = constant.ndim == 2
        ints = int8_weights(b.source, name, b.raw(node), axis=1) if plain else None
        _inner_product(b, node, weights.T, None, ints)
        return
    left, right = b.value(node, 0), b.value(node, 1)
    shape = b.source.shape(node, node.outputs[0])
    dims = natural(shape)
    if dims is None or min(len(left.shape), len(right.shape), len(dims)) < 2:
        raise node.refuse(f"it multiplies {list(left.shape)} by {list(right.shape)}")
    # Both get the dimensions of the result: ncnn repeats a matrix over those where it has 1.
    blobs = [b.view(side, _as_many(side.shape, len(dims))) for side in (left, right)]
    [made] = b.emit("MatMul", blobs, name=node.outputs[0])
    b.put(node.outputs[0], made, dims)


def _as_many(shape: Dims, rank: int) -> Dims:
    """Return `shape` with `rank` dimensions; what is left out or put in front is 1."""
    return ((1,) * rank + shape)[-rank:]


def _inner_product(
    b: Builder, node: Node, rows: NDArray[np.float32], bias: NDArray[np.float32] | None, ints: Int8 | None
) -> None:
    x = b.raw(node) if ints is not None else b.value(node)
    width = rows.shape[1]
    count = math.prod(x.shape) // width
    parameters = {0: len(rows), 1: int(bias is not None), 2: int(rows.size)}
    stored = [Weight(rows, tagged=True), *([Weight(np.ascontiguousarray(bias))] if bias is not None else [])]
    if ints is not None:
        parameters[8] = 1
        stored = [Weight(ints.integers, tagged=True), *stored[1:], *ints.factors(len(rows))]
    blob = b.view(x, (width,) if count == 1 else (count, width))
    [made] = b.emit("InnerProduct", [blob], parameters, stored, name=node.outputs[0])
    b.put(node.outputs[0], made, (len(rows),) if count == 1 else (count, len(rows)))
