"""What changed in ONNX's operators from opset 7 on and needs a hand on the way up: one small function a change.

After onnx/docs/Changelog.md. A change that only adds types, or attributes and inputs whose default is what the operator
did before, needs none.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from edgecnn.core.errors import InputError
from edgecnn.export.passes.editing import add_constant, attribute, constant, rank, set_attribute, set_input

Adapter = Callable[[ir.Model, ir.Node], None]
Make = Callable[[Any], np.ndarray]


def _whole(value: Any) -> np.ndarray:
    return np.atleast_1d(np.asarray(value, np.int64))


def _scalar(value: Any) -> np.ndarray:
    return np.asarray(value, np.float32)


def _floats(value: Any) -> np.ndarray:
    return np.asarray(value, np.float32)


def _moved(*fields: tuple[str, int, Make]) -> Adapter:
    """Return an adapter that turns attributes into constant inputs: (attribute, input's index, how to make it)."""

    def adapt(model: ir.Model, node: ir.Node) -> None:
        for name, index, make in fields:
            value = attribute(node, name)
            node.attributes.pop(name, None)
            if value is not None:
                set_input(node, index, add_constant(model, f"{node.outputs[0].name}.{name}", make(value)))

    return adapt


def _dropped(*names: str) -> Adapter:
    def adapt(_: ir.Model, node: ir.Node) -> None:
        for name in names:
            node.attributes.pop(name, None)

    return adapt


def _default(name: str, value: Any) -> Adapter:
    """Return an adapter that writes down what an absent attribute meant."""

    def adapt(_: ir.Model, node: ir.Node) -> None:
        if name not in node.attributes:
            set_attribute(node, name, value)

    return adapt


def _renamed(op_type: str) -> Adapter:
    def adapt(_: ir.Model, node: ir.Node) -> None:
        node.op_type = op_type

    return adapt


def _refused(why: str) -> Adapter:
    def adapt(_: ir.Model, node: ir.Node) -> None:
        raise InputError(f"node '{node.name}' ({node.op_type}): {why}; export the model again at opset 13 or newer")

    return adapt


def _batch_norm_9(_: ir.Model, node: ir.Node) -> None:
    if attribute(node, "spatial", 1) != 1:
        raise InputError(f"batch norm '{node.name}' has statistics per pixel (spatial=0), which opset 9 dropped")
    node.attributes.pop("spatial", None)


def _batch_norm_14(_: ir.Model, node: ir.Node) -> None:
    if any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        raise InputError(f"batch norm '{node.name}' is in training mode; call model.eval() and export again")
    node.resize_outputs(1)


def _resize_11(_: ir.Model, node: ir.Node) -> None:
    """Resize-10 and Upsample stretch from the corner; nearest takes the pixel below, or above when it shrinks."""
    scales = node.inputs[1]
    known = constant(scales)
    shrinks = known is not None and bool((known < 1).any())
    if attribute(node, "mode", "nearest") == "nearest":
        if known is None or (shrinks and (known > 1).any()):
            raise InputError(
                f"node '{node.name}' (Resize) has no fixed scales, or grows one axis and shrinks another; "
                f"export the model again at opset 11 or newer"
            )
        set_attribute(node, "nearest_mode", "ceil" if shrinks else "floor")
    else:
        set_attribute(node, "mode", "linear")
    set_attribute(node, "coordinate_transformation_mode", "asymmetric")
    set_input(node, 2, scales)
    set_input(node, 1, None)


def _resize_13(_: ir.Model, node: ir.Node) -> None:
    """What had to be an empty tensor may be left out since."""
    for index in (1, 2):
        known = constant(node.inputs[index]) if index < len(node.inputs) else None
        if known is not None and known.size == 0:
            set_input(node, index, None)


def _softmax_13(_: ir.Model, node: ir.Node) -> None:
    """Up to opset 12 softmax ran over all axes from `axis` on as if they were one."""
    source = node.inputs[0]
    axes = rank(source)
    if source is None or axes is None:
        raise InputError(
            f"node '{node.name}' ({node.op_type}): its input's rank is unknown, so opset 13 can't be reached"
        )
    axis = attribute(node, "axis", 1)
    axis += axes if axis < 0 else 0
    longer = [at for at, size in enumerate(source.shape or ()) if at >= axis and size != 1]
    if len(longer) <= 1:
        set_attribute(node, "axis", longer[0] if longer else min(axis, axes - 1))
        return
    shape = ir.node("Shape", [source])
    flat = ir.node("Flatten", [source], {"axis": axis})
    soft = ir.node(node.op_type, [flat.outputs[0]], {"axis": -1})
    back = ir.node("Reshape", [soft.outputs[0], shape.outputs[0]])
    replace_node(node, [shape, flat, soft, back])


def _grid_sample_20(_: ir.Model, node: ir.Node) -> None:
    names = {"bilinear": "linear", "bicubic": "cubic"}
    mode = attribute(node, "mode", "bilinear")
    set_attribute(node, "mode", names.get(mode, mode))


def _group_norm_21(model: ir.Model, node: ir.Node) -> None:
    """Scale and bias were one number a group and became one a channel."""
    source, groups = node.inputs[0], attribute(node, "num_groups")
    channels = None if source is None or source.shape is None else source.shape[1]
    for index in (1, 2):
        known = constant(node.inputs[index])
        if known is None or not isinstance(channels, int):
            raise InputError(
                f"node '{node.name}' (GroupNormalization) has no fixed scale or channel count; choose opset 20"
            )
        if known.size == groups != channels:
            array = np.repeat(known, channels // groups)
            set_input(node, index, add_constant(model, f"{node.outputs[0].name}.per_channel", array))


def _split_18(_: ir.Model, node: ir.Node) -> None:
    if len(node.inputs) < 2 or node.inputs[1] is None:
        set_attribute(node, "num_outputs", len(node.outputs))


def replace_node(node: ir.Node, new: list[ir.Node]) -> None:
    """Put the steps `new`, the last of which gives what `node` gave, in its place."""
    graph = node.graph
    assert graph is not None  # noqa: S101 - the nodes come from a walk over graphs
    new[-1].outputs[0].shape, new[-1].outputs[0].type = node.outputs[0].shape, node.outputs[0].type
    for step in new:
        step.name = f"{node.name}.{step.op_type}"
        if step is not new[-1]:
            step.outputs[0].name = f"{node.outputs[0].name}.{step.op_type}"
    ir.convenience.replace_nodes_and_values(graph, node, [node], new, node.outputs, new[-1].outputs)


_AXES = _moved(("axes", 1, _whole))
REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")

ADAPTERS: dict[tuple[str, int], Adapter] = {
    ("BatchNormalization", 9): _batch_norm_9,
    ("Upsample", 9): _moved(("scales", 1, _floats)),
    ("Scan", 9): _refused("its opset 8 form has no counterpart later"),
    ("Upsample", 10): _renamed("Resize"),
    ("Slice", 10): _moved(("starts", 1, _whole), ("ends", 2, _whole), ("axes", 3, _whole)),
    ("TopK", 10): _moved(("k", 1, _whole)),
    ("Clip", 11): _moved(("min", 1, _scalar), ("max", 2, _scalar)),
    ("Pad", 11): _moved(("pads", 1, _whole), ("value", 2, _scalar)),
    ("Resize", 11): _resize_11,
    ("Scatter", 11): _renamed("ScatterElements"),
    ("Dropout", 12): _dropped("ratio"),
    ("Resize", 13): _resize_13,
    ("Softmax", 13): _softmax_13,
    ("LogSoftmax", 13): _softmax_13,
    ("Hardmax", 13): _softmax_13,
    ("Split", 13): _moved(("split", 1, _whole)),
    ("Squeeze", 13): _AXES,
    ("Unsqueeze", 13): _AXES,
    ("ReduceSum", 13): _AXES,
    ("BatchNormalization", 14): _batch_norm_14,
    ("RoiAlign", 16): _default("coordinate_transformation_mode", "output_half_pixel"),
    ("Split", 18): _split_18,
    **{(f"Reduce{kind}", 18): _AXES for kind in REDUCTIONS},
    ("DFT", 20): _moved(("axis", 2, lambda value: np.asarray(value, np.int64))),
    ("GridSample", 20): _grid_sample_20,
    ("GroupNormalization", 21): _group_norm_21,
}
"""By operator and the opset in which it changed: what makes a node of the opset before mean the same in this one."""
