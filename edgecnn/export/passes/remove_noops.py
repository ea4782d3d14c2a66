"""Nodes that hand their input on as it is."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgecnn.export.passes.editing import attribute, bypass, constant, fixed_shape, nodes

SAME_SHAPE_IS_ENOUGH = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile", "CenterCropPad"})
ONE_INPUT = frozenset({"Concat", "Sum", "Max", "Min", "Mean"})


class RemoveNoops:
    """Identity, Dropout, casts to the same type, reshapes to the same shape, arithmetic with 0 or 1, and their like."""

    name = "remove_noops"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; shapes should be inferred and constants folded first."""

    def call(self, model: ir.Model) -> bool:
        """Bypass them one by one."""
        modified = False
        for node in nodes(model):
            source = _passed_on(node)
            if source is not None and not any(value.uses() for value in node.outputs[1:]):
                modified |= bypass(node, source)
        return modified

    def ensures(self, model: ir.Model) -> None:
        """Nothing: where the outside names both ends, a node stays."""


def _passed_on(node: ir.Node) -> ir.Value | None:
    """Return the input that is the node's output, or None if the node does something."""
    if not node.inputs or node.inputs[0] is None or any(value.is_graph_output() for value in node.outputs[1:]):
        return None
    test = TESTS.get(node.op_type)
    if test is not None:
        return node.inputs[0] if test(node) else None
    if node.op_type in {"Mul", "Add"}:
        return _beside_neutral(node)
    return None


def _same_shape(node: ir.Node) -> bool:
    shape = fixed_shape(node.inputs[0])
    return shape is not None and shape == fixed_shape(node.outputs[0])


def _inference(node: ir.Node) -> bool:
    mode = constant(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(1)
    return mode is not None and not mode.any()


def _same_type(node: ir.Node) -> bool:
    source = node.inputs[0]
    return source is not None and source.dtype is not None and source.dtype == attribute(node, "to")


def _no_permutation(node: ir.Node) -> bool:
    order = attribute(node, "perm")
    return order is not None and list(order) == sorted(order)


def _steps_of_one(node: ir.Node) -> bool:
    steps = constant(node.inputs[4]) if len(node.inputs) > 4 and node.inputs[4] is not None else np.ones(1)
    return steps is not None and bool((steps == 1).all()) and _same_shape(node)


def _pads_nothing(node: ir.Node) -> bool:
    pads = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    return pads is not None and not pads.any()


def _resizes_nothing(node: ir.Node) -> bool:
    return attribute(node, "coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize" and _same_shape(node)


def _beside_neutral(node: ir.Node) -> ir.Value | None:
    neutral = 1 if node.op_type == "Mul" else 0
    for one, other in (node.inputs, node.inputs[::-1]):
        known = constant(one)
        if known is not None and (known == neutral).all() and _keeps_shape(node, other):
            return other
    return None


def _second_is(neutral: int) -> Callable[[ir.Node], bool]:
    def test(node: ir.Node) -> bool:
        known = constant(node.inputs[1])
        return known is not None and bool((known == neutral).all()) and _same_shape(node)

    return test


def _keeps_shape(node: ir.Node, value: ir.Value | None) -> bool:
    shape = fixed_shape(value)
    return shape is not None and shape == fixed_shape(node.outputs[0])


TESTS: dict[str, Callable[[ir.Node], bool]] = {
    "Identity": lambda _: True,
    "Dropout": _inference,
    "Cast": _same_type,
    "Transpose": _no_permutation,
    "Slice": _steps_of_one,
    "Pad": _pads_nothing,
    "Resize": _resizes_nothing,
    "Clip": lambda node: not any(node.inputs[1:]),
    "Split": lambda node: len(node.outputs) == 1,
    "Div": _second_is(1),
    "Sub": _second_is(0),
    "Pow": _second_is(1),
    **dict.fromkeys(SAME_SHAPE_IS_ENOUGH, _same_shape),
    **dict.fromkeys(ONE_INPUT, lambda node: len(node.inputs) == 1),
}
