"""Zeros around an image right before max pooling, kept zeros.

ONNX Runtime (seen in 1.31) folds such a Pad into MaxPool's own padding, which is minus infinity: a border of negative
numbers then gives other maxima. Where all numbers are known to be at least 0 that is the same, and folded here.
Elsewhere the padding becomes the largest negative float32: zero to rounding, and no engine takes it for one.
"""

import numpy as np
import onnx_ir as ir

from edgecnn.export.passes.editing import add_constant, attribute, constant, nodes, set_attribute, set_input
from edgecnn.export.passes.fold_pad import zeros_around

NEARLY_ZERO = -np.finfo(np.float32).tiny
NOT_NEGATIVE = frozenset({"Relu", "Sigmoid", "HardSigmoid", "Softplus", "Softmax", "Abs", "Exp", "Sqrt"})


class PadBeforeMaxPool:
    """Fold a Pad of zeros into the MaxPool behind it where that is exact, else make its zeros nearly zero."""

    name = "pad_before_maxpool"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; constants should be folded first."""

    def call(self, model: ir.Model) -> bool:
        """Go through the poolings one by one."""
        modified = False
        for pool in nodes(model, "MaxPool"):
            pad = pool.inputs[0].producer() if pool.inputs[0] is not None else None
            amounts = None if pad is None or pad.op_type != "Pad" else zeros_around(pad)
            if pad is None or amounts is None:
                continue
            padded = [
                mine + more for mine, more in zip(attribute(pool, "pads", (0,) * len(amounts)), amounts, strict=True)
            ]
            if _not_negative(pad.inputs[0]) and _fits(pool, padded):
                set_attribute(pool, "pads", padded)
                set_input(pool, 0, pad.inputs[0])
                modified = True
            elif _value(pad) == 0:
                set_input(pad, 2, add_constant(model, f"{pad.outputs[0].name}.value", np.float32(NEARLY_ZERO)))
                modified = True
        return modified

    def ensures(self, model: ir.Model) -> None:
        """Nothing: a Pad that other nodes read too stays beside the folded one."""


def _value(pad: ir.Node) -> float:
    known = constant(pad.inputs[2]) if len(pad.inputs) > 2 and pad.inputs[2] is not None else np.zeros(1)
    return float("nan") if known is None else float(known.reshape(-1)[0])


def _not_negative(value: ir.Value | None) -> bool:
    node = None if value is None else value.producer()
    if node is None:
        return False
    if node.op_type == "Clip":
        low = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        return low is not None and bool((low >= 0).all())
    return node.op_type in NOT_NEGATIVE and not node.domain


def _fits(pool: ir.Node, pads: list[int]) -> bool:
    """Whether every window still holds a pixel, and nothing but the pads decides where windows lie."""
    kernel = attribute(pool, "kernel_shape")
    explicit = attribute(pool, "auto_pad", "NOTSET") in {"NOTSET", "VALID"} and not attribute(pool, "ceil_mode", 0)
    return (
        explicit
        and len(pool.outputs) == 1
        and all(pad < size for pad, size in zip(pads, (*kernel, *kernel), strict=True))
    )
