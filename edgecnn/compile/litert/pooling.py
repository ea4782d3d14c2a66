"""MaxPool, AveragePool and the global ones."""

from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.source import call, shape_of
from edgecnn.compile.litert.windows import Window, fits_same, padded, window_of
from edgecnn.core.errors import EngineError


def max_pool(low: Lowering, node: ir.Node) -> None:
    """MAX_POOL_2D; int8 stays at its scale."""
    if len(node.outputs) > 1 and node.outputs[1].uses():
        raise EngineError(f"litert: {call(node)} is asked for indices as well; it gives the maxima alone")
    window = _window(node)
    given = low.rounded(node.inputs[0]) if low.is_rounded(node.inputs[0]) else low.get(node.inputs[0])
    picture, padding = padded(low, low.picture(given, node), window, least=True)
    made = low.picture_result(node.outputs[0], picture.quant if given.quant is not None else None)
    low.operator("MAX_POOL_2D", [picture], [made], _options(window, padding))
    low.bind(node.outputs[0], low.from_picture(node.outputs[0], made))


def average_pool(low: Lowering, node: ir.Node) -> None:
    """AVERAGE_POOL_2D, which counts no padding: padding that counts is written out, and so is a mean over the rest.

    In float also between rounding: XNNPACK has no int8 form, and LiteRT's own takes six times as long as converting.
    """
    window = _window(node)
    counts = _counts(node, window)
    same = node.attributes.get_int("count_include_pad", 0) == 0 and fits_same(node, window)
    even = same or bool((counts == window.kernel[0] * window.kernel[1]).all())
    picture, padding = padded(low, low.picture(low.floating(node.inputs[0]), node), window, same=same)
    made = low.picture_result(node.outputs[0], None)
    low.operator("AVERAGE_POOL_2D", [picture], [made], _options(window, padding))
    if not even:
        mean = low.picture_result(node.outputs[0], None)
        factors = low.real("counts", (window.kernel[0] * window.kernel[1] / counts)[:, :, None])
        low.operator("MUL", [made, factors], [mean], schema.MulOptionsT())
        made = mean
    low.bind(node.outputs[0], low.from_picture(node.outputs[0], made))


def _window(node: ir.Node) -> Window:
    if set(node.attributes.get_ints("dilations", [1])) != {1}:
        raise EngineError(f"litert: {call(node)} is dilated; pooling takes no dilation")
    return window_of(node, list(node.attributes.get_ints("kernel_shape", [])))


def _options(window: Window, padding: int) -> Any:
    options = schema.Pool2DOptionsT()
    options.padding = padding
    options.filterHeight, options.filterWidth = window.kernel
    options.strideH, options.strideW = window.strides
    return options


def _counts(node: ir.Node, window: Window) -> NDArray[np.float64]:
    """Return by how many numbers ONNX divides at each place of the result, [height, width]."""
    source = node.inputs[0]
    assert source is not None  # noqa: S101 - pooling has an input
    sizes, made = ((1, *shape_of(one)[2:])[-2:] for one in (source, node.outputs[0]))
    pads = list(node.attributes.get_ints("pads", []))
    pads, automatic = pads[len(pads) // 2 :], node.attributes.get_string("auto_pad", "NOTSET").startswith("SAME")
    told = [max(one, 0) for one in window.behind] if automatic else [0] * (2 - len(pads)) + pads
    lines = []
    for axis in range(2):
        first, last = 0, sizes[axis]
        if node.attributes.get_int("count_include_pad", 0) == 1:
            first, last = -window.before[axis], sizes[axis] + told[axis]
        starts = np.arange(made[axis]) * window.strides[axis] - window.before[axis]
        ends = starts + window.kernel[axis]
        lines.append(np.minimum(ends, last) - np.maximum(starts, first))
    return np.maximum(np.outer(lines[0], lines[1]), 1).astype(np.float64)
