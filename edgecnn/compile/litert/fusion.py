"""What stands behind a node that the operator takes in: an activation that only cuts, and a rounding."""

import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgecnn.compile.litert.lowering import HIGH, LOW, Lowering
from edgecnn.compile.litert.source import quant_of
from edgecnn.compile.litert.value import Value
from edgecnn.compile.litert.writer import Quant

_FUSED = schema.ActivationFunctionType
BOUNDS = {
    (-math.inf, math.inf): _FUSED.NONE,
    (0.0, math.inf): _FUSED.RELU,
    (0.0, 6.0): _FUSED.RELU6,
    (-1.0, 1.0): _FUSED.RELU_N1_TO_1,
}
"""What operators cut their result to by themselves."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an operator gives.

    Attributes:
        value: the value of the ONNX graph it gives: the node's own result, or that of the activation behind.
        activation: the schema's number of the activation the operator runs.
        quant: its scale, where it gives int8.
        bounds: what int8 results are cut to afterwards, where the operator can't.
    """

    value: ir.Value
    activation: int
    quant: Quant | None
    bounds: tuple[float, float] | None = None


def target(low: Lowering, node: ir.Node, *, rounded: bool, cuts: bool = True) -> Target:
    """Return what the operator of `node` gives, and mark the nodes it takes in as done.

    `rounded` says whether its operands are there as int8; it then gives int8 if nothing but one rounding reads the
    result. `cuts` says whether the operator runs activations.
    """
    chain = _chain(low, node)
    if rounded:
        for value, bounds, taken in chain[::-1]:
            quant = quant_behind(low, value)
            if quant is None:
                continue
            activation = _activation(bounds, quant) if cuts else None
            low.done |= set(taken)
            if activation is None:
                inner = integers_of(bounds, quant) != (LOW, HIGH)
                return Target(value, _FUSED.NONE, quant, bounds if inner else None)
            return Target(value, activation, quant)
    value, bounds, taken = next((link for link in chain[::-1] if link[1] in BOUNDS and (cuts or not link[2])), chain[0])
    low.done |= set(taken)
    return Target(value, BOUNDS[bounds], None)


def quant_behind(low: Lowering, value: ir.Value) -> Quant | None:
    """Return the one scale at which all readers of `value` round it; None if any reads it as it is."""
    readers = [use.node for use in value.uses()]
    if value.is_graph_output() or not readers or any(node.op_type != "QuantizeLinear" for node in readers):
        return None
    found = {quant_of(low.source, node)[0] for node in readers}
    return found.pop() if len(found) == 1 else None


def finish(low: Lowering, goal: Target, made: Value) -> None:
    """Bind what an operator gave, cut first where the operator could not."""
    if goal.bounds is not None and goal.quant is not None:
        made = cut(low, made, *integers_of(goal.bounds, goal.quant))
    low.bind(goal.value, made)


def cut(low: Lowering, given: Value, least: int, most: int) -> Value:
    """Cut an int8 tensor to whole numbers."""
    for kind, bound, idle in (("MAXIMUM", least, LOW), ("MINIMUM", most, HIGH)):
        if bound != idle:
            tensor = given.tensor
            made = low.writer.tensor(f"{tensor.name}.cut", tensor.shape, "int8", tensor.quant)
            limit = low.writer.constant(f"{tensor.name}.limit", np.full(1, bound, np.int8), tensor.quant)
            low.operator(kind, [tensor, limit], [made], schema.MaximumMinimumOptionsT())
            given = Value(made, given.order)
    return given


def bounds_of(low: Lowering, node: ir.Node) -> tuple[float, float] | None:
    """Return what a node cuts its input to; None if it does anything else."""
    if node.op_type == "Relu":
        return 0.0, math.inf
    if node.op_type != "Clip":
        return None
    limits = [low.source.constant(node, index) for index in (1, 2)]
    low_end, high_end = (
        node.attributes.get_float("min", -math.inf) if limits[0] is None else float(limits[0].reshape(())),
        node.attributes.get_float("max", math.inf) if limits[1] is None else float(limits[1].reshape(())),
    )
    least, most = (
        bound if abs(bound) < np.finfo(np.float32).max else math.copysign(math.inf, bound)
        for bound in (low_end, high_end)
    )
    return least, most


def _chain(low: Lowering, node: ir.Node) -> list[tuple[ir.Value, tuple[float, float], list[ir.Node]]]:
    """Return the node's result and those of the cutting activations behind, each with all it is cut to by then."""
    value, bounds = node.outputs[0], (-math.inf, math.inf)
    taken: list[ir.Node] = []
    chain = [(value, bounds, list(taken))]
    while not value.is_graph_output() and len(value.uses()) == 1:
        reader, index = next(iter(value.uses()))
        more = bounds_of(low, reader) if index == 0 else None
        if more is None:
            break
        bounds = (max(bounds[0], more[0]), min(bounds[1], more[1]))
        taken.append(reader)
        value = reader.outputs[0]
        chain.append((value, bounds, list(taken)))
    return chain


def integers_of(bounds: tuple[float, float], quant: Quant) -> tuple[int, int]:
    """Return what int8 at `quant` is cut to by `bounds`."""
    scale, zero = quant.scale[0], quant.zero[0]
    found = [
        edge if math.isinf(bound) else min(max(round(bound / scale) + zero, LOW), HIGH)
        for bound, edge in zip(bounds, (LOW, HIGH), strict=True)
    ]
    return found[0], found[1]


def _activation(bounds: tuple[float, float], quant: Quant) -> int | None:
    """Return the fused activation that leaves of int8 at `quant` what `bounds` leave; None if there is none."""
    wanted = integers_of(bounds, quant)
    return next((number for known, number in BOUNDS.items() if integers_of(known, quant) == wanted), None)
