"""BatchNormalization that no convolution took in, and the normalisations over a picture's own numbers."""

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgecnn.compile.litert.fusion import target
from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.steps import shaped_step, step
from edgecnn.compile.litert.value import Value
from edgecnn.compile.litert.writer import Tensor


def batch_norm(low: Lowering, node: ir.Node) -> None:
    """One MUL and one ADD by constants."""
    parts = [low.source.constant(node, index) for index in range(1, 5)]
    scale, bias, mean, variance = (np.asarray(part, np.float64) for part in parts)
    factor = scale / np.sqrt(variance + node.attributes.get_float("epsilon", 1e-5))
    goal = target(low, node, rounded=False)
    given = low.floating(node.inputs[0])
    axis, rank = given.axis(1), len(given.order)
    shape = [-1 if index == axis else 1 for index in range(rank)]
    scaled = low.writer.tensor(f"{goal.value.name}.scaled", given.tensor.shape, "float32")
    made = low.result(goal.value, given.order)
    options = schema.AddOptionsT()
    options.fusedActivationFunction = goal.activation
    low.operator("MUL", [given.tensor, low.real("factor", factor.reshape(shape))], [scaled], schema.MulOptionsT())
    offset = low.real("offset", (bias - mean * factor).reshape(shape))
    low.operator("ADD", [scaled, offset], [made.tensor], options)
    low.bind(goal.value, made)


def layer_norm(low: Lowering, node: ir.Node) -> None:
    """LayerNormalization over the axes from `axis` on; the mean and the inverse deviation are not given."""
    given = low.floating(node.inputs[0])
    rank = len(given.order)
    first = node.attributes.get_int("axis", -1) % rank
    places = sorted(given.axis(axis) for axis in range(first, rank))
    normal = _normal(low, given.tensor, places, node.attributes.get_float("epsilon", 1e-5))
    made = _affine(low, node, normal, given.order, range(first, rank))
    low.bind(node.outputs[0], Value(made, given.order))


def instance_norm(low: Lowering, node: ir.Node) -> None:
    """InstanceNormalization over all axes of space."""
    given = low.floating(node.inputs[0])
    places = sorted(given.axis(axis) for axis in range(2, len(given.order)))
    normal = _normal(low, given.tensor, places, node.attributes.get_float("epsilon", 1e-5))
    low.bind(node.outputs[0], Value(_affine(low, node, normal, given.order, [1]), given.order))


def _normal(low: Lowering, given: Tensor, places: list[int], epsilon: float) -> Tensor:
    """Return `given` less its mean over `places`, divided by its deviation."""
    kept = schema.ReducerOptionsT()
    kept.keepDims = True
    small = [1 if index in places else size for index, size in enumerate(given.shape)]
    axes = low.integers(places)
    centred = step(low, "SUB", given, shaped_step(low, "MEAN", [given, axes], small, kept))
    variance = shaped_step(low, "MEAN", [step(low, "MUL", centred, centred), axes], small, kept)
    return step(low, "MUL", centred, step(low, "RSQRT", step(low, "ADD", variance, epsilon)))


def _affine(low: Lowering, node: ir.Node, normal: Tensor, order: tuple[int, ...], axes: range | list[int]) -> Tensor:
    """Scale and move by the node's constants, which lie along `axes`."""
    for index, (kind, options) in enumerate((("MUL", schema.MulOptionsT()), ("ADD", schema.AddOptionsT())), 1):
        array = low.source.constant(node, index)
        if array is None:
            continue
        full = [1] * len(order)
        for axis, size in zip(axes, array.shape, strict=True):
            full[axis] = size
        lifted = array.reshape(full).transpose(order)
        made = low.writer.tensor(f"{node.outputs[0].name}.{kind.lower()}", normal.shape, "float32")
        low.operator(kind, [normal, low.real("affine", lifted)], [made], options)
        normal = made
    return normal
