"""Multiply-adds of a layer, counted from shapes."""

import math
from collections.abc import Mapping

import onnx


def macs(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return the multiply-adds of one run of Conv, ConvTranspose, Gemm or MatMul.

    Args:
        node: any node.
        shapes: of values and initializers, 0 for an unknown length.

    Returns:
        0 for other ops, and where a shape is not known.
    """
    if node.op_type not in {"Conv", "ConvTranspose", "Gemm", "MatMul"}:
        return 0
    taken, weights, given = (shapes.get(name, ()) for name in (node.input[0], node.input[1], node.output[0]))
    if not (taken and weights and given) or 0 in (*taken, *weights, *given):
        return 0
    if node.op_type == "Conv":
        return math.prod(given) * math.prod(weights[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(taken) * math.prod(weights[1:])
    if node.op_type == "MatMul":
        return math.prod(given) * taken[-1]
    return math.prod(given) * math.prod(weights) // given[-1]
