"""Operators of two or more operands that broadcast: arithmetic, comparison, selection."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgecnn.compile.litert.fusion import finish, quant_behind, target
from edgecnn.compile.litert.lowering import HIGH, LOW, RANGES, Lowering
from edgecnn.compile.litert.source import shape_of
from edgecnn.compile.litert.value import Value, plain
from edgecnn.compile.litert.writer import Quant, Tensor

Array = NDArray[Any]
WHOLE = 1e-4
"""How far from a whole number an offset of pixels may lie, in their own steps, and still count as one."""


def arithmetic(kind: str, options: type) -> Callable[[Lowering, ir.Node], None]:
    """Return the lowering of a sum, difference, product or quotient, which run activations; all but DIV in int8."""

    def lower(low: Lowering, node: ir.Node) -> None:
        if _of_pixels(low, node):
            return
        rounded = kind != "DIV" and _can_round(low, node)
        goal = target(low, node, rounded=rounded)
        made = options()
        made.fusedActivationFunction = goal.activation
        tensors, order = _operands(low, node, goal.value, rounded=goal.quant is not None)
        result = low.result(goal.value, order, goal.quant)
        low.operator(kind, tensors, [result.tensor], made)
        finish(low, goal, result)

    return lower


def extreme(kind: str) -> Callable[[Lowering, ir.Node], None]:
    """Return the lowering of Max or Min of any number of operands; in int8 they all take the scale of the result."""

    def lower(low: Lowering, node: ir.Node) -> None:
        value = node.outputs[0]
        quant = quant_behind(low, value) if _can_round(low, node) else None
        tensors, order = _operands(low, node, value, rounded=quant is not None, scale=quant)
        held = tensors[0]
        for tensor in tensors[1:]:
            made = low.result(value, order, quant).tensor
            low.operator(kind, [held, tensor], [made], schema.MaximumMinimumOptionsT())
            held = made
        low.bind(value, Value(held, order))

    return lower


def compare(kind: str, options: type | None) -> Callable[[Lowering, ir.Node], None]:
    """Return the lowering of an operator that takes float or whole numbers only, and runs no activation."""

    def lower(low: Lowering, node: ir.Node) -> None:
        tensors, order = _operands(low, node, node.outputs[0], rounded=False)
        result = low.result(node.outputs[0], order)
        low.operator(kind, tensors, [result.tensor], options() if options is not None else None)
        low.bind(node.outputs[0], result)

    return lower


def prelu(low: Lowering, node: ir.Node) -> None:
    """PRELU with slopes as a constant."""
    tensors, order = _operands(low, node, node.outputs[0], rounded=False)
    result = low.result(node.outputs[0], order)
    low.operator("PRELU", tensors, [result.tensor])
    low.bind(node.outputs[0], result)


def _of_pixels(low: Lowering, node: ir.Node) -> bool:
    """Take arithmetic with one number on pixels into their scale, if that says the same; return whether it does."""
    first, second = node.inputs[:2]
    for index, (value, other) in enumerate(((first, second), (second, first))):
        array = low.source.constants.get(other) if other is not None else None
        if (
            value is None
            or array is None
            or not array.size
            or (array != array.flat[0]).any()
            or not low.is_rounded(value)
        ):
            continue
        held, number = low.get(value), float(array.flat[0])
        scaled = _scaled(node.op_type, held.pixels, number) if held.pixels is not None and index == 0 else None
        if held.pixels is not None and index == 1 and node.op_type in {"Add", "Mul"}:
            scaled = _scaled(node.op_type, held.pixels, number)
        if scaled is not None and held.shape == shape_of(node.outputs[0]):
            low.bind(node.outputs[0], Value(held.tensor, held.order, scaled))
            return True
    return False


def _scaled(kind: str, pixels: Quant, number: float) -> Quant | None:
    scale, zero = pixels.scale[0], pixels.zero[0]
    if not math.isfinite(number):
        return None
    if kind in {"Mul", "Div"}:
        factor = number if kind == "Mul" else (1 / number if number else 0.0)
        return Quant((float(np.float32(scale * factor)),), (zero,)) if factor > 0 else None
    offset = (number if kind == "Sub" else -number) / scale
    moved = zero + round(offset)
    fits = RANGES["uint8"][0] <= moved <= RANGES["uint8"][1]
    return Quant((scale,), (moved,)) if fits and abs(offset - round(offset)) < WHOLE else None


def _can_round(low: Lowering, node: ir.Node) -> bool:
    """Whether every operand is there as int8 or constant, and one at least is no constant.

    Pixels less a mean between two whole numbers are ties all over, which int8 kernels round otherwise than float ones.
    """
    computed = [value for value in node.inputs if value is not None and value not in low.source.constants]
    return bool(computed) and all(low.get(value).quant is not None for value in computed)


def _operands(
    low: Lowering, node: ir.Node, value: ir.Value, *, rounded: bool, scale: Quant | None = None
) -> tuple[list[Tensor], tuple[int, ...]]:
    """Return the operands in one physical order, that of the largest of them, and this order of the result."""
    rank = len(shape_of(value))
    inputs = [one for one in node.inputs if one is not None]
    lifted: dict[ir.Value, Value] = {}
    for one in inputs:
        if one not in low.source.constants:
            held = low.rounded(one) if rounded else low.floating(one)
            held = low.as_int8(held, scale) if scale is not None else held
            lifted[one] = low.reshaped(held, (1,) * (rank - len(held.order)) + held.shape) if rank else held
    largest = max(lifted.values(), key=lambda one: math.prod(one.shape), default=None)
    order = largest.order if largest is not None else plain(rank)
    return [
        low.ordered(lifted[one], order).tensor if one in lifted else _constant(low, one, order, rounded, scale)
        for one in inputs
    ], order


def _constant(low: Lowering, value: ir.Value, order: tuple[int, ...], rounded: bool, scale: Quant | None) -> Tensor:  # noqa: FBT001
    array = low.source.constants[value]
    lifted = array.reshape((1,) * (len(order) - array.ndim) + array.shape).transpose(order)
    while lifted.ndim > 1 and lifted.shape[0] == 1:
        lifted = lifted[0]
    if not rounded:
        return low.writer.constant(str(value.name), lifted)
    quant = scale or _range(low, value, array)
    stored = np.round(lifted.astype(np.float64) / quant.scale[0]) + quant.zero[0]
    return low.writer.constant(str(value.name), np.clip(stored, LOW, HIGH).astype(np.int8), quant)


def _range(low: Lowering, value: ir.Value, array: Array) -> Quant:
    """Return the scale a constant is stored at in the graph, or one that covers it."""
    held = low.source.stored.get(value)
    if held is not None and held.scale.size == 1 and held.integers.dtype in {np.dtype(np.int8), np.dtype(np.uint8)}:
        above = 128 if held.integers.dtype == np.uint8 else 0
        return Quant((float(held.scale[0]),), (int(held.zero[0]) - above,))
    least, most = min(float(array.min()), 0.0), max(float(array.max()), 0.0)
    scale = float(np.float32(max((most - least) / (HIGH - LOW), 1e-9)))
    return Quant((scale,), (round(LOW - least / scale),))
