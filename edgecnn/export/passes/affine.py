"""Scale and shift per channel: what batch norm and constant arithmetic are, and how weights take them in."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.export.passes.editing import (
    Array,
    add_constant,
    attribute,
    constant,
    fixed_shape,
    is_standard,
    rank,
    set_attribute,
    set_input,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Affine:
    """`x * scale + shift` along axis 1 of `source` (the last axis if it has two), one float64 a channel."""

    source: ir.Value
    scale: Floats
    shift: Floats


@dataclass(frozen=True, slots=True)
class Layer:
    """A linear layer in float64.

    `weight` is [outputs, inputs / groups, taps]; `bias` is [outputs].
    """

    weight: Floats
    bias: Floats
    groups: int


def read_affine(node: ir.Node) -> Affine | None:
    """Return what `node` does per channel, or None if it is no batch norm, Mul, Div, Add or Sub with such constants."""
    if is_standard(node, "BatchNormalization"):
        return _batch_norm(node)
    if not is_standard(node, "Mul", "Div", "Add", "Sub"):
        return None
    known, swapped = constant(node.inputs[1]), False
    if known is None:
        known, swapped = constant(node.inputs[0]), True
    source = node.inputs[0 if not swapped else 1]
    channels = _channels(source)
    if source is None or known is None or channels is None or fixed_shape(source) != fixed_shape(node.outputs[0]):
        return None
    number = _per_channel(known, channels, rank(source) or 0)
    return None if number is None else _arithmetic(node.op_type, source, number, swapped=swapped)


def _arithmetic(op_type: str, source: ir.Value, number: Floats, *, swapped: bool) -> Affine | None:
    ones, zeros = np.ones(len(number)), np.zeros(len(number))
    if op_type == "Mul":
        return Affine(source, number, zeros)
    if op_type == "Div":
        return Affine(source, 1 / number, zeros) if np.all(number) and not swapped else None
    if op_type == "Add":
        return Affine(source, ones, number)
    return Affine(source, -ones, number) if swapped else Affine(source, ones, -number)


def read_layer(node: ir.Node) -> Layer | None:
    """Return the weights of a Conv, ConvTranspose or plain Gemm, or None if they are not constant float32."""
    if not is_standard(node, "Conv", "ConvTranspose", "Gemm") or node.inputs[0] is None:
        return None
    weight = constant(node.inputs[1])
    bias = constant(node.inputs[2]) if _has_bias(node) else np.zeros(1, np.float32)
    if weight is None or bias is None or weight.dtype != np.float32 or bias.dtype != np.float32:
        return None
    groups = attribute(node, "group", 1)
    if node.op_type == "Gemm":
        if attribute(node, "transA", 0) or attribute(node, "alpha", 1.0) != 1 or attribute(node, "beta", 1.0) != 1:
            return None
        weight = weight if attribute(node, "transB", 0) else weight.T
    taps = weight.reshape(*weight.shape[:2], -1).astype(np.float64)
    if node.op_type == "ConvTranspose":
        taps = _swap(taps, groups)
    outputs = len(taps)
    if bias.size not in {1, outputs} or (bias.ndim > 1 and bias.shape[-1] != bias.size):
        return None
    return Layer(taps, np.broadcast_to(bias.reshape(-1).astype(np.float64), (outputs,)), groups)


def write_layer(model: ir.Model, node: ir.Node, layer: Layer) -> None:
    """Give `node` the layer's weights and bias, as new initializers."""
    old = constant(node.inputs[1])
    assert old is not None  # noqa: S101 - read_layer has read it
    taps = _swap(layer.weight, layer.groups) if node.op_type == "ConvTranspose" else layer.weight
    if node.op_type == "Gemm":
        taps = taps[:, :, 0] if attribute(node, "transB", 0) else taps[:, :, 0].T
    name = str(node.inputs[1].name if node.inputs[1] is not None else node.name)
    set_input(node, 1, add_constant(model, name, taps.reshape(old.shape).astype(np.float32)))
    if _has_bias(node) or layer.bias.any():
        set_input(node, 2, add_constant(model, f"{name}.bias", layer.bias.astype(np.float32)))


def scaled_inputs(layer: Layer, scale: Floats, shift: Floats) -> Layer:
    """Return the layer that does to `x` what `layer` does to `x * scale + shift`; exact where nothing is padded."""
    size = layer.weight.shape[1]
    outputs_a_group = len(layer.weight) // layer.groups
    group = np.arange(len(layer.weight)) // outputs_a_group
    channel = group[:, None] * size + np.arange(size)
    moved = (layer.weight * shift[channel][:, :, None]).sum((1, 2))
    return Layer(layer.weight * scale[channel][:, :, None], layer.bias + moved, layer.groups)


def scaled_outputs(layer: Layer, scale: Floats, shift: Floats) -> Layer:
    """Return the layer whose output is `layer`'s times `scale` plus `shift`."""
    return Layer(layer.weight * scale[:, None, None], layer.bias * scale + shift, layer.groups)


def finite(layer: Layer) -> bool:
    """Whether the layer's numbers are all finite in float32."""
    limit = float(np.finfo(np.float32).max)
    return all(bool(np.isfinite(array).all() and (np.abs(array) < limit).all()) for array in (layer.weight, layer.bias))


def write_depthwise(node: ir.Node, model: ir.Model, affine: Affine) -> None:
    """Turn `node` into a 1x1 depthwise convolution that does what `affine` says."""
    axes = (rank(affine.source) or 2) - 2
    channels = len(affine.scale)
    name = str(node.outputs[0].name)
    weight = affine.scale.reshape(channels, *[1] * (axes + 1)).astype(np.float32)
    node.op_type = "Conv"
    node.attributes.clear()
    node.resize_inputs(1)
    set_input(node, 0, affine.source)
    set_input(node, 1, add_constant(model, f"{name}.weight", weight))
    set_input(node, 2, add_constant(model, f"{name}.bias", affine.shift.astype(np.float32)))
    set_attribute(node, "group", channels)
    set_attribute(node, "kernel_shape", [1] * axes)


def _batch_norm(node: ir.Node) -> Affine | None:
    gamma, beta, mean, variance = (constant(value) for value in node.inputs[1:5])
    source = node.inputs[0]
    if source is None or gamma is None or beta is None or mean is None or variance is None:
        return None
    if attribute(node, "training_mode", 0) or any(value.uses() for value in node.outputs[1:]):
        return None
    scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + attribute(node, "epsilon", 1e-5))
    return Affine(source, scale, beta - mean * scale)


def _channels(source: ir.Value | None) -> int | None:
    shape = fixed_shape(source)
    return shape[1] if shape is not None and len(shape) > 1 else None


def _per_channel(known: Array, channels: int, axes: int) -> Floats | None:
    shape = (*[1] * (axes - known.ndim), *known.shape)
    if (
        known.dtype != np.float32
        or len(shape) != axes
        or any(size != 1 for axis, size in enumerate(shape) if axis != 1)
    ):
        return None
    if shape[1] not in {1, channels}:
        return None
    return np.broadcast_to(known.reshape(-1).astype(np.float64), (channels,))


def _has_bias(node: ir.Node) -> bool:
    return len(node.inputs) > 2 and node.inputs[2] is not None


def _swap(taps: Floats, groups: int) -> Floats:
    """Exchange inputs and outputs within each group: [g*a, b, k] to [g*b, a, k]."""
    size, other, length = taps.shape
    return taps.reshape(groups, size // groups, other, length).swapaxes(1, 2).reshape(-1, size // groups, length)
