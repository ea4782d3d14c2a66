"""Normalisation by stored or by the input's own statistics."""

import math

import numpy as np

from edgecnn.compile.ncnn.builder import Builder, Dims, Value, natural
from edgecnn.compile.ncnn.network import Weight
from edgecnn.compile.ncnn.source import Node


def batch_norm(b: Builder, node: Node) -> None:
    """BatchNormalization in inference."""
    x = b.value(node)
    given = [np.asarray(b.source.constant(node, index, "statistics"), np.float32) for index in range(1, 5)]
    slope, bias, mean, variance = given
    weights = [Weight(slope), Weight(mean), Weight(variance), Weight(bias)]
    _emit(b, node, x, "BatchNorm", {0: len(slope), 1: float(node.get("epsilon", 1e-5))}, weights)


def instance_norm(b: Builder, node: Node) -> None:
    """InstanceNormalization."""
    x, weights = b.value(node), _pair(b, node)
    parameters = {0: len(weights[0].array), 1: float(node.get("epsilon", 1e-5)), 2: 1}
    _emit(b, node, x, "InstanceNorm", parameters, weights)


def group_norm(b: Builder, node: Node) -> None:
    """GroupNormalization, one scale a channel as from opset 21 on."""
    x, weights = b.value(node), _pair(b, node)
    channels, groups = x.shape[1], node.get("num_groups", 1)
    if len(weights[0].array) != channels:
        weights = [Weight(np.repeat(weight.array, channels // groups)) for weight in weights]
    parameters = {0: groups, 1: channels, 2: float(node.get("epsilon", 1e-5)), 3: 1}
    _emit(b, node, x, "GroupNorm", parameters, weights)


def layer_norm(b: Builder, node: Node) -> None:
    """LayerNormalization over the last axes."""
    x = b.value(node)
    axis = node.get("axis", -1) % len(x.shape)
    size = math.prod(x.shape[axis:])
    scale = np.asarray(b.source.constant(node, 1, "scale"), np.float32)
    bias = np.asarray(b.source.constant(node, 2, "bias"), np.float32) if node.input(2) else np.zeros_like(scale)
    weights = [Weight(np.broadcast_to(part, x.shape[axis:]).reshape(-1)) for part in (scale, bias)]
    parameters = {0: size, 1: float(node.get("epsilon", 1e-5)), 2: 1}
    rows = math.prod(x.shape[:axis])
    dims: Dims = (size,) if rows == 1 else (rows, size)
    _emit(b, node, x, "LayerNorm", parameters, weights, dims)


def _pair(b: Builder, node: Node) -> list[Weight]:
    return [Weight(np.asarray(b.source.constant(node, index, "scale and bias"), np.float32)) for index in (1, 2)]


def _emit(
    b: Builder,
    node: Node,
    x: Value,
    kind: str,
    parameters: dict[int, int | float],
    weights: list[Weight],
    dims: Dims | None = None,
) -> None:
    dims = dims or natural(x.shape)
    if dims is None or len(node.outputs) > 1:
        raise node.refuse(f"its input of shape {list(x.shape)}, or its statistics as outputs")
    [made] = b.emit(kind, [b.view(x, dims)], dict(parameters), weights, name=node.outputs[0])
    b.put(node.outputs[0], made, dims)
