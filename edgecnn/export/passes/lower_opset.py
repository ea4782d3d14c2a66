"""A newer model in the words of an older opset, for engines that read no newer one.

Most of what is new in an opset is an operator, a type or a choice, and few models use it. Where one does, either an
adapter says it in older words, or the model can't be lowered and the node is named.
"""

import numpy as np
import onnx
import onnx_ir as ir

from edgecnn.core.errors import InputError
from edgecnn.export.passes.editing import (
    add_constant,
    all_nodes,
    attribute,
    constant,
    is_standard,
    set_attribute,
    set_input,
)
from edgecnn.export.passes.opset_adapters import REDUCTIONS, Adapter, replace_node
from edgecnn.export.passes.raise_opset import mismatch, opset


class LowerOpset:
    """Bring the model, and the graphs inside it, down to opset `target`, 13 or later; an older one stays as it is."""

    name = "lower_opset"

    def __init__(self, target: int) -> None:
        self.target = target

    def requires(self, model: ir.Model) -> None:
        """The opset is known."""
        opset(model)

    def call(self, model: ir.Model) -> bool:
        """Adapt node by node, opset by opset."""
        start = opset(model)
        for version in range(start, self.target, -1):
            for node in [node for node in all_nodes(model) if is_standard(node)]:
                _drop_defaults(node, version)
                if adapter := ADAPTERS.get((node.op_type, version)):
                    adapter(model, node)
            model.graph.opset_imports[""] = version - 1
        for node in all_nodes(model):
            node.version = None
        return start > self.target

    def ensures(self, model: ir.Model) -> None:
        """Every operator exists in the opset reached and has the attributes, inputs and outputs it has there."""
        reached = opset(model)
        for node in all_nodes(model):
            if is_standard(node) and (wrong := mismatch(node, reached)):
                raise _impossible(node, reached, wrong)


def _impossible(node: ir.Node, to: int, why: str) -> InputError:
    return InputError(
        f"node '{node.name}' ({node.op_type}) can't be brought down to opset {to}: {why}; export the model again at "
        f"opset {to}"
    )


def _drop_defaults(node: ir.Node, version: int) -> None:
    """Drop attributes that came with `version` and say what the operator did before: that is what defaults are for."""
    try:
        newer, older = (onnx.defs.get_schema(node.op_type, each, "").attributes for each in (version, version - 1))
    except onnx.defs.SchemaError:
        return
    for name in [name for name in node.attributes if name in newer and name not in older]:
        default = onnx.helper.get_attribute_value(newer[name].default_value) if newer[name].default_value.name else None
        usual = default.decode() if isinstance(default, bytes) else default
        if usual is not None and attribute(node, name) == usual:
            node.attributes.pop(name)


def _axes_within(_: ir.Model, node: ir.Node) -> None:
    """Axes that are an input since become an attribute again."""
    if len(node.inputs) < 2 or node.inputs[1] is None:
        return
    axes = constant(node.inputs[1])
    if axes is None:
        raise _impossible(node, 17, "its axes are computed")
    node.resize_inputs(1)
    if axes.size:
        set_attribute(node, "axes", [int(axis) for axis in axes])


def _split_17(model: ir.Model, node: ir.Node) -> None:
    """Parts were alike unless told; since then the last may be smaller."""
    parts = attribute(node, "num_outputs")
    node.attributes.pop("num_outputs", None)
    source = node.inputs[0]
    if parts is None or source is None:
        return
    size = None if source.shape is None else source.shape[attribute(node, "axis", 0)]
    if not isinstance(size, int):
        raise _impossible(node, 17, "what it splits has no fixed size")
    if size % parts:
        each = -(-size // parts)
        sizes = np.array([each] * (parts - 1) + [size - each * (parts - 1)], np.int64)
        set_input(node, 1, add_constant(model, f"{node.outputs[0].name}.split", sizes))


def _mish_17(_: ir.Model, node: ir.Node) -> None:
    """Mish is x tanh(softplus(x)) (Misra, arXiv 1908.08681)."""
    soft = ir.node("Softplus", [node.inputs[0]])
    bent = ir.node("Tanh", [soft.outputs[0]])
    replace_node(node, [soft, bent, ir.node("Mul", [node.inputs[0], bent.outputs[0]])])


def _hard_swish_13(_: ir.Model, node: ir.Node) -> None:
    """ONNX defines hard swish as x max(0, min(1, x / 6 + 1 / 2))."""
    gate = ir.node("HardSigmoid", [node.inputs[0]], {"alpha": 1 / 6, "beta": 0.5})
    replace_node(node, [gate, ir.node("Mul", [node.inputs[0], gate.outputs[0]])])


def _grid_sample_19(_: ir.Model, node: ir.Node) -> None:
    names = {"linear": "bilinear", "cubic": "bicubic"}
    mode = attribute(node, "mode", "linear")
    set_attribute(node, "mode", names.get(mode, mode))


def _average_pool_18(_: ir.Model, node: ir.Node) -> None:
    if set(attribute(node, "dilations", ())) <= {1}:
        node.attributes.pop("dilations", None)


def _roi_align_15(_: ir.Model, node: ir.Node) -> None:
    if attribute(node, "coordinate_transformation_mode", "half_pixel") != "output_half_pixel":
        raise _impossible(node, 15, "it has no half_pixel there")
    node.attributes.pop("coordinate_transformation_mode")


def _group_norm_20(_: ir.Model, node: ir.Node) -> None:
    raise _impossible(node, 20, "ONNX withdrew the one it has there")


ADAPTERS: dict[tuple[str, int], Adapter] = {
    ("GroupNormalization", 21): _group_norm_20,
    ("GridSample", 20): _grid_sample_19,
    ("AveragePool", 19): _average_pool_18,
    ("Mish", 18): _mish_17,
    ("Split", 18): _split_17,
    **{(f"Reduce{kind}", 18): _axes_within for kind in REDUCTIONS},
    ("RoiAlign", 16): _roi_align_15,
    ("HardSwish", 14): _hard_swish_13,
}
"""By operator and the opset in which it changed: what makes a node of that opset mean the same in the one before."""
