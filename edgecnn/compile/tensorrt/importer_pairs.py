"""What TensorRT's importer asks of QuantizeLinear and DequantizeLinear."""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

Q, DQ = "QuantizeLinear", "DequantizeLinear"
_STORED = frozenset({ir.DataType.INT8})
_WEIGHT_AXES = {"Conv": 0, "ConvTranspose": 1}
HALF_SCALES = 19
"""Since this opset Q and DQ may have scales in FP16; a Q's scale is of its input's type from then on."""


def pairs(node: ir.Node, opset: int, *, weak: bool) -> Iterator[str]:
    """Yield what the importer refuses in a Q or DQ, as the rest of a sentence that names it."""
    if node.op_type not in {Q, DQ} or node.domain not in {"", "ai.onnx"}:
        return
    if len(node.inputs) != 3 or node.inputs[2] is None:
        yield "says no zero point; older importers want one, of zeros"
        return
    data, scale, zero = node.inputs
    yield from _stored(node)
    if scale is None or scale.const_value is None or zero is None or zero.const_value is None:
        yield "has a scale or a zero point that is computed; store both as initializers"
        return
    scales, zeros = scale.const_value.numpy(), zero.const_value.numpy()
    if zeros.any():
        yield "has a zero point that is not 0; quantize symmetrically"
    if not (np.isfinite(scales.astype(np.float64)).all() and (scales > 0).all()):
        yield "has a scale that is not positive"
    if scales.shape != zeros.shape:
        yield "has a zero point of another shape than its scale"
    if data is not None and data.shape is not None and len(data.shape) == 0:
        yield "reads a scalar, which TensorRT does not quantize; leave it in float"
    yield from _channels(node, scales.size)
    yield from _scale_type(node, opset, weak=weak)


def _stored(node: ir.Node) -> Iterator[str]:
    stored, zero = node.outputs[0] if node.op_type == Q else node.inputs[0], node.inputs[2]
    types = {value.dtype for value in (stored, zero) if value is not None and value.dtype is not None}
    if strange := types - _STORED:
        kind = str(next(iter(strange))).lower()
        cure = "leave biases in float" if kind == "int32" else "quantize to int8"
        yield f"is of {kind}, and TensorRT's GPU takes int8 alone; {cure}"


def _channels(node: ir.Node, count: int) -> Iterator[str]:
    """Check that only constants have a scale a channel, along the axis of their output channels."""
    if count == 1:
        return
    source = node.inputs[0]
    before = source.producer() if source is not None else None
    root = before.inputs[0] if node.op_type == DQ and before is not None and before.op_type == Q else source
    if root is None or root.const_value is None:
        yield "has a scale a channel and is no constant; activations have one scale in all"
        return
    if "axis" not in node.attributes:
        yield "has a scale a channel and names no axis; importers take 0 for it, ONNX 1"
        return
    axis = node.attributes.get_int("axis", 1)
    readers = [use.node for out in node.outputs for use in out.uses() if use.idx == 1]
    for reader in readers:
        if reader.op_type in _WEIGHT_AXES and axis % len(root.shape or (1,)) != _WEIGHT_AXES[reader.op_type]:
            yield f"scales the weights of a {reader.op_type} along axis {axis}, not {_WEIGHT_AXES[reader.op_type]}"


def _scale_type(node: ir.Node, opset: int, *, weak: bool) -> Iterator[str]:
    data, scale = node.inputs[0], node.inputs[1]
    kind = scale.dtype if scale is not None else None
    if kind is None:
        return
    if kind == ir.DataType.FLOAT16 and (weak or opset < HALF_SCALES):
        yield f"has a scale in float16, which opset {opset} or this TensorRT does not take; use float32"
    if node.op_type == Q and opset >= HALF_SCALES and data is not None and data.dtype not in {None, kind}:
        yield f"has a scale of {str(kind).lower()} and an input of {str(data.dtype).lower()}; give both one type"
