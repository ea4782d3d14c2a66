"""Functions of one operand that are one operator.

They are computed in float also where rounding stands on both sides: XNNPACK runs DEQUANTIZE, function and QUANTIZE as
fast as a copy. LiteRT's own int8 kernels take 27 to 35 times as long (HARD_SWISH and RELU of 200 thousand numbers, 2.3
on AVX-512), and the scale that its specification fixes for LOGISTIC and TANH would round once more.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgecnn.compile.litert.fusion import bounds_of
from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.steps import step
from edgecnn.compile.litert.value import Value

CUTS = {(0.0, np.inf): "RELU", (0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}


def unary(kind: str, options: type | None = None) -> Callable[[Lowering, ir.Node], None]:
    """Return the lowering of a function that one operator computes."""

    def lower(low: Lowering, node: ir.Node) -> None:
        _give(low, node, kind, low.floating(node.inputs[0]), options() if options is not None else None)

    return lower


def softmax(low: Lowering, node: ir.Node) -> None:
    """SOFTMAX over the axis that lies last."""
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    given = low.last(low.floating(node.inputs[0]), node.attributes.get_int("axis", -1))
    _give(low, node, "SOFTMAX", given, options)


def leaky_relu(low: Lowering, node: ir.Node) -> None:
    """LEAKY_RELU."""
    options = schema.LeakyReluOptionsT()
    options.alpha = node.attributes.get_float("alpha", 0.01)
    _give(low, node, "LEAKY_RELU", low.floating(node.inputs[0]), options)


def gelu(low: Lowering, node: ir.Node) -> None:
    """GELU, exact or by tanh."""
    options = schema.GeluOptionsT()
    options.approximate = node.attributes.get_string("approximate", "none") == "tanh"
    _give(low, node, "GELU", low.floating(node.inputs[0]), options)


def clip(low: Lowering, node: ir.Node) -> None:
    """RELU and its kin where one has these bounds, or MAXIMUM and MINIMUM."""
    bounds = bounds_of(low, node)
    assert bounds is not None  # noqa: S101 - Relu and Clip have
    given = low.floating(node.inputs[0])
    if bounds in CUTS and given.tensor.dtype == "float32":
        _give(low, node, CUTS[bounds], given, None)
        return
    tensor = given.tensor
    for kind, bound in zip(("MAXIMUM", "MINIMUM"), bounds, strict=True):
        tensor = step(low, kind, tensor, bound) if np.isfinite(bound) else tensor
    low.bind(node.outputs[0], Value(tensor, given.order))


def _give(low: Lowering, node: ir.Node, kind: str, given: Value, options: Any) -> None:
    made = low.result(node.outputs[0], given.order)
    low.operator(kind, [given.tensor], [made.tensor], options)
    low.bind(node.outputs[0], made)
