"""Padding as numbers instead of the word SAME, which engines have read in different ways."""

import onnx_ir as ir

from edgecnn.core.errors import StageError
from edgecnn.export.passes.editing import attribute, fixed_shape, nodes, set_attribute

PADDED = ("Conv", "MaxPool", "AveragePool")


class ExplicitPadding:
    """Write the `pads` of each Conv, MaxPool and AveragePool that says `auto_pad`, where its input's shape is known."""

    name = "explicit_padding"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; shapes should be inferred first."""

    def call(self, model: ir.Model) -> bool:
        """Rewrite them one by one."""
        modified = False
        for node in nodes(model, *PADDED):
            pads = _pads(node)
            if pads is not None:
                set_attribute(node, "pads", pads)
                node.attributes.pop("auto_pad")
                modified = True
        return modified

    def ensures(self, model: ir.Model) -> None:
        """None is left whose padding could be written down."""
        if left := [node.name for node in nodes(model, *PADDED) if _pads(node) is not None]:
            raise StageError(f"pass '{self.name}' left the padding of '{left[0]}'")


def _pads(node: ir.Node) -> list[int] | None:
    """Return begin and end of every spatial axis after ONNX's rule for `auto_pad`, or None."""
    rule, shape = attribute(node, "auto_pad"), fixed_shape(node.inputs[0])
    kernel = attribute(node, "kernel_shape") or (fixed_shape(node.inputs[1]) or ())[2:]
    if rule is None or shape is None or not kernel:
        return None
    axes = len(shape) - 2
    if rule == "VALID":
        return [0] * (2 * axes)
    if rule == "NOTSET":
        return list(attribute(node, "pads", (0,) * (2 * axes)))
    strides = attribute(node, "strides", (1,) * axes)
    dilations = attribute(node, "dilations", (1,) * axes)
    begins, ends = [], []
    for size, taps, stride, dilation in zip(shape[2:], kernel, strides, dilations, strict=True):
        total = max((-(-size // stride) - 1) * stride + (taps - 1) * dilation + 1 - size, 0)
        small, large = total // 2, total - total // 2
        begins.append(small if rule == "SAME_UPPER" else large)
        ends.append(large if rule == "SAME_UPPER" else small)
    return begins + ends
