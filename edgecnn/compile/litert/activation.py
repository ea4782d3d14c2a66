"""Functions of one operand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgecnn.compile.litert.fusion import integers_of, bounds_of, cut, quant_behind
from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.source import call
from edgecnn.compile.litert.value import Value
from edgecnn.compile.litert.writer import Quant, Tensor
from edgecnn.core.errors import EngineError

FIXED = {"LOGISTIC": Quant((1 / 256,), (-128,)), "TANH": Quant((1 / 128,), (0,)), "SOFTMAX": Quant((1 / 256,), (-128,))}
"""The one scale at which the LiteRT 8-bit specification lets these give int8."""


def unary(kind: str, options: type | None = None, *, int8: bool = False) -> Callable[[Lowering, ir.Node], None]:
    """Return the lowering of a function that one operator computes, in float or in int8 too."""

    def lower(low: Lowering, node: ir.Node) -> None:
        apply(low, node, kind, options() if options is not None else None, int8=int8)

    return lower


def apply(low: Lowering, node: ir.Node, kind: str, options: Any, *, int8: bool) -> None:
    """Compute the node's first input with one operator that keeps the order of its axes."""
    value = node.outputs[0]
    quant = quant_behind(low, value) if int8 and low.is_rounded(node.inputs[0]) else None
    given = low.rounded(node.inputs[0]) if quant is not None else low.floating(node.inputs[0])
    give(low, value, kind, given, options, quant)


def give(low: Lowering, value: ir.Value, kind: str, given: Value, options: Any, quant: Quant | None) -> None:
    """Bind `value` to what an operator makes of `given`, rounded anew where the operator's own scale is fixed."""
    own = FIXED.get(kind, quant) if quant is not None else None
    made = low.result(value, given.order, own)
    low.operator(kind, [given.tensor], [made.tensor], options)
    low.bind(value, low.as_int8(made, quant) if quant is not None else made)


def softmax(low: Lowering, node: ir.Node) -> None:
    """SOFTMAX over the axis that lies last."""
    value = node.outputs[0]
    quant = quant_behind(low, value) if low.is_rounded(node.inputs[0]) else None
    given = low.rounded(node.inputs[0]) if quant is not None else low.floating(node.inputs[0])
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    give(low, value, "SOFTMAX", low.last(given, node.attributes.get_int("axis", -1)), options, quant)


def leaky_relu(low: Lowering, node: ir.Node) -> None:
    """LEAKY_RELU."""
    options = schema.LeakyReluOptionsT()
    options.alpha = node.attributes.get_float("alpha", 0.01)
    apply(low, node, "LEAKY_RELU", options, int8=True)


def elu(low: Lowering, node: ir.Node) -> None:
    """ELU, which knows one steepness."""
    if node.attributes.get_float("alpha", 1.0) != 1:
        raise EngineError(f"litert: {call(node)} has an alpha other than 1; ELU takes no other")
    apply(low, node, "ELU", None, int8=True)


def gelu(low: Lowering, node: ir.Node) -> None:
    """GELU, exact or by tanh."""
    options = schema.GeluOptionsT()
    options.approximate = node.attributes.get_string("approximate", "none") == "tanh"
    apply(low, node, "GELU", options, int8=False)


def clip(low: Lowering, node: ir.Node) -> None:
    """RELU and its kin where one has these bounds, or MAXIMUM and MINIMUM; of int8, as whole numbers."""
    bounds = bounds_of(low, node)
    assert bounds is not None  # noqa: S101 - Relu and Clip have
    value = node.outputs[0]
    if low.is_rounded(node.inputs[0]) and low.rounded(node.inputs[0]).quant is not None:
        given = low.rounded(node.inputs[0])
        assert given.quant is not None  # noqa: S101 - it is rounded
        low.bind(value, cut(low, given, *integers_of(bounds, given.quant)))
        return
    given = low.get(node.inputs[0])
    kind = {(0.0, np.inf): "RELU", (0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1", (0.0, 1.0): "RELU_0_TO_1"}.get(
        bounds
    )
    if kind is not None and given.tensor.dtype == "float32":
        made = low.result(value, given.order)
        low.operator(kind, [given.tensor], [made.tensor])
    else:
        made = _limited(low, given, bounds)
    low.bind(value, made)


def hard_sigmoid(low: Lowering, node: ir.Node) -> None:
    """A line, cut to 0 and 1."""
    given = low.floating(node.inputs[0])
    steepness, middle = node.attributes.get_float("alpha", 0.2), node.attributes.get_float("beta", 0.5)
    scaled = _with_number(low, given, "MUL", steepness, schema.MulOptionsT())
    moved = _with_number(low, scaled, "ADD", middle, schema.AddOptionsT())
    low.bind(node.outputs[0], _limited(low, moved, (0.0, 1.0)))


def reciprocal(low: Lowering, node: ir.Node) -> None:
    """One divided by the operand."""
    given = low.floating(node.inputs[0])
    made = low.result(node.outputs[0], given.order)
    one = low.real("one", np.ones(1))
    low.operator("DIV", [one, given.tensor], [made.tensor], schema.DivOptionsT())
    low.bind(node.outputs[0], made)


def _limited(low: Lowering, given: Value, bounds: tuple[float, float]) -> Value:
    for kind, bound in zip(("MAXIMUM", "MINIMUM"), bounds, strict=True):
        if np.isfinite(bound):
            limit = low.writer.constant("limit", np.full(1, bound, given.tensor.dtype))
            given = _with(low, given, kind, limit, schema.MaximumMinimumOptionsT())
    return given


def _with_number(low: Lowering, given: Value, kind: str, number: float, options: Any) -> Value:
    return _with(low, given, kind, low.real("number", np.full(1, number)), options)


def _with(low: Lowering, given: Value, kind: str, other: Tensor, options: Any) -> Value:
    tensor = given.tensor
    made = low.writer.tensor(f"{tensor.name}.{kind.lower()}", tensor.shape, tensor.dtype)
    low.operator(kind, [tensor, other], [made], options)
    return Value(made, given.order)
