"""Functions of one operand that LiteRT has in steps only."""

from collections.abc import Callable

import onnx_ir as ir

from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.steps import step
from edgecnn.compile.litert.value import Value
from edgecnn.compile.litert.writer import Tensor

SELU = (1.67326319217681884765625, 1.05070102214813232421875)
"""Alpha and gamma that ONNX gives where the node does not."""
ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
ERF_SLOPE = 0.3275911
"""Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: off by 1.5e-7 at most."""


def in_steps(compute: Callable[[Lowering, ir.Node, Tensor], Tensor]) -> Callable[[Lowering, ir.Node], None]:
    """Return the lowering of a function of one operand, in float and in whatever order its axes lie."""

    def lower(low: Lowering, node: ir.Node) -> None:
        given = low.floating(node.inputs[0])
        low.bind(node.outputs[0], Value(compute(low, node, given.tensor), given.order))

    return lower


def erf(low: Lowering, _: ir.Node, given: Tensor) -> Tensor:
    """The error function, by a polynomial."""
    size = step(low, "ABS", given)
    part = step(low, "DIV", 1.0, step(low, "ADD", step(low, "MUL", size, ERF_SLOPE), 1.0))
    held = step(low, "MUL", part, ERF[-1])
    for factor in ERF[-2::-1]:
        held = step(low, "MUL", step(low, "ADD", held, factor), part)
    tail = step(low, "MUL", held, step(low, "EXP", step(low, "NEG", step(low, "MUL", size, size))))
    return step(low, "MUL", step(low, "SIGN", given), step(low, "SUB", 1.0, tail))


def elu(low: Lowering, node: ir.Node, given: Tensor) -> Tensor:
    """Elu of any alpha, and Selu: ELU knows one steepness, so that its negative part is scaled."""
    own = node.op_type == "Selu"
    alpha = node.attributes.get_float("alpha", SELU[0] if own else 1.0)
    gamma = node.attributes.get_float("gamma", SELU[1]) if own else 1.0
    curve = step(low, "ELU", given)
    if alpha != 1:
        positive = step(low, "RELU", given)
        curve = step(low, "ADD", positive, step(low, "MUL", step(low, "SUB", curve, positive), alpha))
    return curve if gamma == 1 else step(low, "MUL", curve, gamma)


def softplus(low: Lowering, _: ir.Node, given: Tensor) -> Tensor:
    """log(1 + exp(x)), so that exp does not overflow."""
    small = step(low, "EXP", step(low, "NEG", step(low, "ABS", given)))
    return step(low, "ADD", step(low, "RELU", given), step(low, "LOG", step(low, "ADD", small, 1.0)))


def hard_sigmoid(low: Lowering, node: ir.Node, given: Tensor) -> Tensor:
    """A line, cut to 0 and 1; six times as high where RELU6 cuts it."""
    steepness, middle = 6 * node.attributes.get_float("alpha", 0.2), 6 * node.attributes.get_float("beta", 0.5)
    scaled = given if abs(steepness - 1) < 1e-6 else step(low, "MUL", given, steepness)
    return step(low, "MUL", step(low, "RELU6", step(low, "ADD", scaled, middle)), 1 / 6)


def reciprocal(low: Lowering, _: ir.Node, given: Tensor) -> Tensor:
    """One divided by the operand."""
    return step(low, "DIV", 1.0, given)
