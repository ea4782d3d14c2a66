"""Conv and ConvTranspose."""

from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgecnn.compile.litert.fusion import Target, finish, target
from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.source import shape_of
from edgecnn.compile.litert.weights import bias_tensor, int8_weights, weight_tensor
from edgecnn.compile.litert.windows import SAME, VALID, padded, window_of
from edgecnn.compile.litert.writer import Tensor

Array = NDArray[Any]


def conv(low: Lowering, node: ir.Node) -> None:
    """CONV_2D with filters [out, H, W, in], or DEPTHWISE_CONV_2D with [1, H, W, out] where each channel is alone."""
    array = _weights(low, node)
    goal, picture = _start(low, node, 0)
    window = window_of(node, array.shape[2:])
    picture, padding = padded(low, picture, window)
    channels, group = picture.shape[3], node.attributes.get_int("group", 1)
    alone = group == channels and group > 1
    order, axis = ((1, 2, 3, 0), 3) if alone else ((0, 2, 3, 1), 0)
    filters = weight_tensor(low, node, lambda one: _flat(one).transpose(order), axis, rounded=goal.quant is not None)
    options: Any = schema.Conv2DOptionsT()
    if alone:
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = array.shape[0] // channels
    options.padding, options.fusedActivationFunction = padding, goal.activation
    options.strideH, options.strideW = window.strides
    options.dilationHFactor, options.dilationWFactor = window.dilations
    bias = bias_tensor(low, node, 2, picture, filters, axis)
    _give(low, goal, "DEPTHWISE_CONV_2D" if alone else "CONV_2D", [picture, filters, bias], options)


def conv_transpose(low: Lowering, node: ir.Node) -> None:
    """TRANSPOSE_CONV with filters [out, H, W, in], over more than is wanted where its padding can't say what ONNX cuts.

    It knows neither groups nor dilations: weights between groups, and between the taps of a kernel, are zeros.
    """
    array = _weights(low, node)
    goal, picture = _start(low, node, 1)
    group = node.attributes.get_int("group", 1)
    count = array.ndim - 2
    strides = [1] * (2 - count) + list(node.attributes.get_ints("strides", [1] * count))
    dilations = [1] * (2 - count) + list(node.attributes.get_ints("dilations", [1] * count))

    def spread(one: Array) -> Array:
        return _dilated(_ungrouped(_flat(one), group), dilations).transpose(1, 2, 3, 0)

    filters = weight_tensor(low, node, spread, 0, rounded=goal.quant is not None)
    bias = bias_tensor(low, node, 2, picture, filters, 0)
    made = [1] * (2 - count) + list(shape_of(node.outputs[0])[2:])
    reach, given = filters.shape[1:3], picture.shape[1:3]
    whole = [(given[axis] - 1) * strides[axis] + reach[axis] for axis in range(2)]
    before = [0] * (2 - count) + _cut_before(node, count, [whole[axis] - made[axis] for axis in range(2)][-count:])
    options = schema.TransposeConvOptionsT()
    options.strideH, options.strideW = strides
    # SAME takes half of what is too much away in front, and only where the result is the stride times the input.
    same = all(
        made[axis] == given[axis] * strides[axis] and before[axis] == max(whole[axis] - made[axis], 0) // 2
        for axis in range(2)
    )
    options.padding, options.fusedActivationFunction = (SAME if same else VALID), goal.activation
    size = made if same else [max(whole[axis], before[axis] + made[axis]) for axis in range(2)]
    shape = (picture.shape[0], *size, filters.shape[0])
    dtype = "int8" if goal.quant is not None else "float32"
    full = low.writer.tensor(f"{goal.value.name}.full", shape, dtype, goal.quant)
    low.operator("TRANSPOSE_CONV", [low.integers(shape), filters, picture, bias], [full], options)
    if size != made:
        wanted = (shape[0], *made, shape[3])
        part = low.writer.tensor(f"{goal.value.name}.part", wanted, dtype, goal.quant)
        begin = low.integers((0, *before, 0))
        low.operator("SLICE", [full, begin, low.integers(wanted)], [part], schema.SliceOptionsT())
        full = part
    finish(low, goal, low.from_picture(goal.value, full))


def _start(low: Lowering, node: ir.Node, channel_axis: int) -> tuple[Target, Tensor]:
    """Return what a convolution gives, and its input as pictures in the type it computes in."""
    rounded = low.is_rounded(node.inputs[0]) and int8_weights(low, node, channel_axis)
    goal = target(low, node, rounded=rounded)
    given = low.rounded(node.inputs[0]) if goal.quant is not None else low.floating(node.inputs[0])
    return goal, low.picture(given, node)


def _give(low: Lowering, goal: Target, kind: str, inputs: list[Tensor], options: Any) -> None:
    made = low.picture_result(goal.value, goal.quant)
    low.operator(kind, inputs, [made], options)
    finish(low, goal, low.from_picture(goal.value, made))


def _weights(low: Lowering, node: ir.Node) -> Array:
    array = low.source.constant(node, 1)
    assert array is not None  # noqa: S101 - a convolution has weights
    return array


def _flat(array: Array) -> Array:
    """Return filters of rows as filters of pictures of height 1."""
    return array[:, :, None] if array.ndim == 3 else array


def _ungrouped(array: Array, group: int) -> Array:
    """Return weights [in, out / group, H, W] as [in, out, H, W]."""
    if group == 1:
        return array
    inside, width = array.shape[0] // group, array.shape[1]
    full = np.zeros((array.shape[0], width * group, *array.shape[2:]), array.dtype)
    for one in range(group):
        rows = slice(one * inside, (one + 1) * inside)
        full[rows, one * width : (one + 1) * width] = array[rows]
    return full


def _dilated(array: Array, dilations: list[int]) -> Array:
    if dilations == [1, 1]:
        return array
    sizes = [(size - 1) * step + 1 for size, step in zip(array.shape[2:], dilations, strict=True)]
    full = np.zeros((*array.shape[:2], *sizes), array.dtype)
    full[:, :, :: dilations[0], :: dilations[1]] = array
    return full


def _cut_before(node: ir.Node, count: int, excess: list[int]) -> list[int]:
    """Return how much of the whole result ONNX cuts off in front."""
    mode = node.attributes.get_string("auto_pad", "NOTSET")
    if mode == "SAME_UPPER" or (mode == "NOTSET" and "output_shape" in node.attributes):
        return [max(one, 0) // 2 for one in excess]
    if mode == "SAME_LOWER":
        return [max(one, 0) - max(one, 0) // 2 for one in excess]
    return [int(one) for one in node.attributes.get_ints("pads", [0] * 2 * count)][:count]
