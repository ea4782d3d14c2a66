"""Convolutions: ncnn's Convolution, ConvolutionDepthWise (any number of groups) and Deconvolution.

In INT8 a layer rounds its input at one scale and has one scale a channel of its weights, both given as factors
(1 / step), as ncnn's own quantizing tool stores them. With groups ncnn has one scale a group: enough for a depthwise
convolution, and another is said as one convolution a group.
"""

import math

import numpy as np
from numpy.typing import NDArray

from edgecnn.compile.ncnn.builder import Builder
from edgecnn.compile.ncnn.network import Parameter, Weight
from edgecnn.compile.ncnn.operators.int8 import Int8, int8_weights
from edgecnn.compile.ncnn.operators.windows import Window, halves, picture, window
from edgecnn.compile.ncnn.source import Node

MOST_GROUPS = 32
"""Groups beyond which one convolution each costs more than INT8 saves."""


def convolve(b: Builder, node: Node) -> None:
    """Conv over one or two dimensions, constant weights."""
    x, weights = b.raw(node), np.asarray(b.source.constant(node, 1, "weights"), np.float32)
    channels, height, width = picture(node, x.shape)
    look = window(node, weights.shape[2:], height, width)
    group = node.get("group", 1)
    bias = _bias(b, node)
    ints = int8_weights(b.source, node.input(1), x, axis=0)
    alone = group in {1, channels} and (group == 1 or len(weights) == group)
    if ints is not None and not alone and group > MOST_GROUPS:
        ints = None
    if ints is None:
        x = b.real(x)
    blob = b.view(x, (channels, height, width))
    if ints is not None and not alone:
        made = _grouped(b, node, blob, ints, bias, look, group, channels)
    else:
        [made] = _layer(b, node.outputs[0], blob, weights, ints, bias, look, group)
    shape = b.source.shape(node, node.outputs[0])
    b.put(node.outputs[0], made, (shape[1], shape[2] if len(shape) == 4 else 1, shape[-1]))


def _layer(
    b: Builder,
    name: str,
    blob: str,
    weights: NDArray[np.float32],
    ints: Int8 | None,
    bias: NDArray[np.float32] | None,
    look: Window,
    group: int,
) -> list[str]:
    parameters = {**_geometry(len(weights), weights.size, bias, look), **({7: group} if group > 1 else {})}
    stored = [Weight(weights, tagged=True), *([Weight(bias)] if bias is not None else [])]
    if ints is not None:
        parameters[8] = 1
        stored = [Weight(ints.integers, tagged=True), *stored[1:], *ints.factors(len(weights))]
    return b.emit("Convolution" if group == 1 else "ConvolutionDepthWise", [blob], parameters, stored, name=name)


def _grouped(
    b: Builder,
    node: Node,
    blob: str,
    ints: Int8,
    bias: NDArray[np.float32] | None,
    look: Window,
    group: int,
    channels: int,
) -> str:
    name, size = node.outputs[0], len(ints.integers) // group
    slices = b.emit("Slice", [blob], {0: (channels // group,) * group}, name=f"{name}.groups", outputs=group)
    made = []
    for index, part in enumerate(slices):
        own = slice(index * size, (index + 1) * size)
        made += _layer(
            b,
            f"{name}.group",
            part,
            np.asarray(ints.integers[own], np.float32),
            ints.part(own),
            bias[own] if bias is not None else None,
            look,
            1,
        )
    return b.emit("Concat", made, {0: 0}, name=name)[0]


def deconvolve(b: Builder, node: Node) -> None:
    """ConvTranspose over one or two dimensions, constant weights, always in float."""
    x, weights = b.value(node), np.asarray(b.source.constant(node, 1, "weights"), np.float32)
    channels, height, width = picture(node, x.shape)
    shape = b.source.shape(node, node.outputs[0])
    out = (shape[1], shape[2] if len(shape) == 4 else 1, shape[-1])
    look = window(node, weights.shape[2:], height, width)
    extra = node.get("output_padding", [0] * (len(shape) - 2))
    extra = (0, extra[0]) if len(extra) == 1 else (extra[0], extra[1])
    look = _placed(node, look, (height, width), out[1:], extra)
    group, bias = node.get("group", 1), _bias(b, node)
    size = weights.shape[1]
    # ONNX has [in, out / group, ...], ncnn one group behind another as [out / group, in / group, ...].
    turned = weights.reshape(group, channels // group, size, *look.kernel).swapaxes(1, 2)
    parameters = {**_geometry(group * size, weights.size, bias, look), 18: extra[1], 19: extra[0]}
    if group > 1:
        parameters[7] = group
    stored = [Weight(turned, tagged=True), *([Weight(bias)] if bias is not None else [])]
    kind = "Deconvolution" if group == 1 else "DeconvolutionDepthWise"
    [made] = b.emit(kind, [b.view(x, (channels, height, width))], parameters, stored, name=node.outputs[0])
    b.put(node.outputs[0], made, out)


def _placed(node: Node, look: Window, sizes: tuple[int, int], out: tuple[int, ...], extra: tuple[int, int]) -> Window:
    """Return the window with the padding that gives the size `out`, where the node tells that size and no padding."""
    if node.get("auto_pad", "NOTSET") == "NOTSET" and node.get("output_shape", None) is None:
        return look
    totals = []
    for axis in range(2):
        reach = (look.kernel[axis] - 1) * look.dilations[axis] + 1
        total = look.strides[axis] * (sizes[axis] - 1) + extra[axis] + reach - out[axis]
        if total < 0:
            raise node.refuse(f"it fills up to its output shape {list(out)}; give output_padding instead")
        totals.append(total)
    pads = halves(totals, upper=node.get("auto_pad", "NOTSET") == "SAME_UPPER")
    return Window(look.kernel, look.strides, look.dilations, pads)


def _geometry(width: int, size: int, bias: NDArray[np.float32] | None, look: Window) -> dict[int, Parameter]:
    top, left, bottom, right = look.pads
    return {
        0: width,
        1: look.kernel[1],
        11: look.kernel[0],
        2: look.dilations[1],
        12: look.dilations[0],
        3: look.strides[1],
        13: look.strides[0],
        4: left,
        14: top,
        15: right,
        16: bottom,
        5: int(bias is not None),
        6: int(size),
    }


def _bias(b: Builder, node: Node) -> NDArray[np.float32] | None:
    if not node.input(2):
        return None
    bias = np.asarray(b.source.constant(node, 2, "bias"), np.float32).reshape(-1)
    return bias if math.prod(bias.shape) else None
