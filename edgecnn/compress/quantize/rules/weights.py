"""Rules of weights and biases."""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from edgecnn.compress.quantize.graph import constant
from edgecnn.compress.quantize.operands import channel_axis
from edgecnn.compress.quantize.roles import moved, role
from edgecnn.compress.quantize.rules.activations import name
from edgecnn.compress.quantize.rules.reading import (
    Rounding,
    call,
    dequantizer,
    is_activation,
    real_source,
    rounding,
    scale_input,
    weights_of,
)
from edgecnn.compress.quantize.scheme import Scheme


def weights(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Check every node that has quantized weights."""
    for node in model.graph:
        found, direct = weights_of(node) if node.op_type in scheme.channel_axis else (None, True)
        if found is not None:
            told = rounding(found)
            yield from _format(node, told, scheme)
            if direct:
                yield from _axis(node, told, scheme)
            yield from _bias(node, told, scheme)
            if not _reads_int8(node.inputs[0], scheme):
                yield f"{call(node)}: its weights are quantized and its input is not; quantize both or neither"
        elif _has_quantized_weights_unrooted(node, scheme):
            yield f"{call(node)}: its weights come from no constant; fold what computes them"


def _format(node: ir.Node, told: Rounding, scheme: Scheme) -> Iterator[str]:
    if told.scale is None or told.zero is None:
        return
    if told.dtype != scheme.weight.dtype or (scheme.weight.symmetric and told.zero.any()):
        yield f"{call(node)}: its weights are not {name(scheme.weight)}; quantize them so, with zero points of 0"
        return
    stored, form = constant(told.node.inputs[0]), scheme.weight
    if stored is not None and stored.size and (int(stored.min()) < form.low or int(stored.max()) > form.high):
        span = f"{stored.min()} to {stored.max()}"
        yield f"{call(node)}: its weights span {span}; {scheme.name} takes {form.low} to {form.high}"
    if stored is not None and scheme.weight_form == "simulated":
        yield f"{call(node)}: its weights must be simulated: float behind Q and DQ, not stored integers"


def _axis(node: ir.Node, told: Rounding, scheme: Scheme) -> Iterator[str]:
    axis, stored = channel_axis(node, scheme), told.node.inputs[0]
    if told.scale is None or told.single:
        return
    if axis is None:
        yield f"{call(node)}: its weights need one scale in all, and they have {told.scale.size}"
        return
    rank = len(stored.shape) if stored is not None and stored.shape is not None else None
    # ONNX counts from 1 where nothing is said.
    given = told.axis if told.axis is not None else 1
    given = given + rank if given < 0 and rank is not None else given
    wanted = rank - 1 if node.op_type == "MatMul" and rank is not None else axis
    if given != wanted:
        yield f"{call(node)}: its weights are scaled along axis {given}, not {wanted}"


def _bias(node: ir.Node, told: Rounding, scheme: Scheme) -> Iterator[str]:
    value = scale_input(node, 2)
    if value is None:
        return
    bias = dequantizer(value)
    if scheme.bias == "float":
        if bias is not None:
            yield f"{call(node)}: its bias is quantized, and the scheme wants it in float"
        return
    if bias is None or rounding(bias).dtype != "int32":
        yield f"{call(node)}: its bias is not int32; store it at the scale of input times weight"
        return
    inner, scale = dequantizer(node.inputs[0]), rounding(bias).scale
    before = rounding(inner).scale if inner is not None else None
    if before is None or scale is None or told.scale is None or before.size != 1:
        return
    if scale.size not in {1, told.scale.size} or not np.allclose(scale, before * told.scale, rtol=1e-5, atol=0):
        yield f"{call(node)}: its bias is not at the scale of input times weight"


def _reads_int8(value: ir.Value | None, scheme: Scheme) -> bool:
    """Whether `value` is rounded, or moved from what is."""
    found, node = dequantizer(value), value.producer() if value is not None else None
    if found is not None:
        return is_activation(found)
    if node is None or role(node, scheme) != "commuting":
        return False
    return any(_reads_int8(before, scheme) for _, before in moved(node))


def _has_quantized_weights_unrooted(node: ir.Node, scheme: Scheme) -> bool:
    """Whether a convolution's weights are rounded but computed."""
    found = dequantizer(scale_input(node, 1)) if node.op_type in scheme.channel_axis.keys() - {"MatMul"} else None
    return found is not None and constant(real_source(found)) is None
