"""Gemm and MatMul: FULLY_CONNECTED where one side is constant, BATCH_MATMUL where none is."""

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgecnn.compile.litert.fusion import finish, target
from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.source import call, shape_of
from edgecnn.compile.litert.value import Value, plain
from edgecnn.compile.litert.weights import bias_tensor, int8_weights, weight_tensor
from edgecnn.core.errors import EngineError


def gemm(low: Lowering, node: ir.Node) -> None:
    """FULLY_CONNECTED with weights [out, in]; alpha and beta must be in the weights, as they are in a tidy export."""
    weights, turned = low.source.constant(node, 1), node.attributes.get_int("transB", 0) == 1
    assert weights is not None  # noqa: S101 - Gemm has weights
    if node.attributes.get_int("transA", 0):
        raise EngineError(f"litert: {call(node)} transposes its input; write a Transpose in front")
    alpha = node.attributes.get_float("alpha", 1.0)
    beta = node.attributes.get_float("beta", 1.0) if len(node.inputs) > 2 else 1.0
    if (alpha, beta) != (1.0, 1.0):
        raise EngineError(f"litert: {call(node)} has alpha {alpha:g} and beta {beta:g}; fold them into its weights")
    _connected(low, node, turned=turned)


def matmul(low: Lowering, node: ir.Node) -> None:
    """FULLY_CONNECTED over the last axis, wherever the others lie; BATCH_MATMUL for two computed sides."""
    right = low.source.constants.get(_second(node))
    if right is not None and (right.ndim == 2 or right.size == right.shape[-1] * right.shape[-2] != 0):
        _connected(low, node, turned=False)
        return
    value = node.outputs[0]
    first, second = (low.floating(one) for one in node.inputs[:2])
    if len(first.order) < 2 or len(second.order) < 2:
        raise EngineError(f"litert: {call(node)} multiplies by a vector; write it as a matrix of one column")
    rank = len(shape_of(value))
    order = plain(rank)
    sides = [low.reshaped(one, (1,) * (rank - len(one.order)) + one.shape) for one in (first, second)]
    options = schema.BatchMatMulOptionsT()
    # An operand that lies transposed is read so.
    swapped = (*order[:-2], order[-1], order[-2])
    options.adjX, options.adjY = (one.order == swapped for one in sides)
    tensors = [one.tensor if one.order == swapped else low.ordered(one, order).tensor for one in sides]
    made = low.result(value, order)
    low.operator("BATCH_MATMUL", tensors, [made.tensor], options)
    low.bind(value, made)


def _connected(low: Lowering, node: ir.Node, *, turned: bool) -> None:
    """Multiply the last axis by constant weights, [out, in] if `turned`, else [in, out]."""
    right = low.source.constants[_second(node)]
    rounded = low.is_rounded(node.inputs[0]) and int8_weights(low, node, 0 if turned else right.ndim - 1)
    goal = target(low, node, rounded=rounded)
    given = low.rounded(node.inputs[0]) if goal.quant is not None else low.floating(node.inputs[0])
    given = low.last(given, -1)

    def permute(array: np.ndarray) -> np.ndarray:
        flat = array.reshape(array.shape[-2:])
        return flat if turned else flat.T

    weights = weight_tensor(low, node, permute, 0, rounded=goal.quant is not None)
    bias = bias_tensor(low, node, 2, given.tensor, weights, 0)
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = goal.activation
    options.keepNumDims = len(given.order) != 2
    width = weights.shape[0]
    dtype = "int8" if goal.quant is not None else "float32"
    made = low.writer.tensor(str(goal.value.name), (*given.tensor.shape[:-1], width), dtype, goal.quant)
    low.operator("FULLY_CONNECTED", [given.tensor, weights, bias], [made], options)
    finish(low, goal, Value(made, given.order))


def _second(node: ir.Node) -> ir.Value:
    value = node.inputs[1]
    assert value is not None  # noqa: S101 - a product has two sides
    return value
