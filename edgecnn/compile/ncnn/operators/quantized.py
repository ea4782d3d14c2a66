"""QuantizeLinear and DequantizeLinear: taken in by the layer behind them, or computed in float where none can."""

from dataclasses import replace

import numpy as np

from edgecnn.compile.ncnn.builder import Builder, Rounding
from edgecnn.compile.ncnn.source import Node

MUL, SUB = 2, 1


def quantize(b: Builder, node: Node) -> None:
    """Note how an activation is rounded; what reads it sees a DequantizeLinear next."""
    x = b.value(node)
    scale, zero, dtype = _format(b, node)
    ends = np.iinfo(dtype)
    b.alias(node.outputs[0], replace(x, rounding=Rounding(scale, int(ends.min) - zero, int(ends.max) - zero)))


def dequantize(b: Builder, node: Node) -> None:
    """Take what was noted; of integers that come in from outside make real numbers."""
    x = b.raw(node)
    scale, zero, _ = _format(b, node)
    if x.rounding is None:
        [less] = b.emit("BinaryOp", [x.blob], {0: SUB, 1: 1, 2: float(zero)}, name=node.outputs[0])
        [real] = b.emit("BinaryOp", [less], {0: MUL, 1: 1, 2: scale}, name=node.outputs[0])
        b.put(node.outputs[0], real, x.dims)
    elif np.float32(x.rounding.scale) != np.float32(scale):
        raise node.refuse("its scale is another than that of the QuantizeLinear before it")
    else:
        b.alias(node.outputs[0], x)


def _format(b: Builder, node: Node) -> tuple[float, int, np.dtype[np.integer]]:
    scale = b.source.constant(node, 1, "scale")
    zero = b.source.constant(node, 2, "zero point") if node.input(2) else np.zeros((), np.uint8)
    if scale.size != 1 or zero.size != 1:
        raise node.refuse("activations have one scale a tensor")
    if not np.issubdtype(zero.dtype, np.integer):
        raise node.refuse(f"ncnn rounds to no {zero.dtype.name}")
    return float(scale.reshape(-1)[0]), int(zero.reshape(-1)[0]), zero.dtype
