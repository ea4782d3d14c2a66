"""Rules of each Q and DQ by itself: constant, positive, well-formed scales and zero points."""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from edgecnn.compress.quantize.rules.reading import DQ, Q, Rounding, call, of_type, rounding
from edgecnn.compress.quantize.scheme import Scheme


def parameters(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Check every Q and DQ of the graph."""
    for node in of_type(model.graph, Q, DQ):
        found = rounding(node)
        if found.scale is None or found.zero is None:
            yield f"{call(node)}: scale and zero point must be constants; store them as initializers"
            continue
        yield from _numbers(found)
        yield from _shape(found)
        yield from _types(found, scheme)


def _numbers(found: Rounding) -> Iterator[str]:
    assert found.scale is not None  # noqa: S101 - the caller told it apart
    scale = found.scale.astype(np.float64)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        yield f"{call(found.node)}: a scale is not positive; use the least positive one for a tensor of zeros"


def _shape(found: Rounding) -> Iterator[str]:
    assert found.scale is not None and found.zero is not None  # noqa: S101, PT018 - the caller told them apart
    node, given = found.node, found.node.inputs[0]
    if found.scale.shape != found.zero.shape:
        yield f"{call(node)}: scale and zero point differ in shape; give each scale its zero point"
    if node.attributes.get_int("block_size", 0) != 0 or found.scale.ndim > 1:
        yield f"{call(node)}: it has a scale a block; use one a tensor or a channel"
        return
    shape = given.shape if given is not None else None
    if shape is not None and len(shape) == 0:
        yield f"{call(node)}: it quantizes a scalar; leave that in float"
    elif not found.single or (found.scale.ndim == 1 and found.axis is not None):
        if found.axis is None:
            yield f"{call(node)}: it has a scale a channel and says no axis; name it, for engines differ in the default"
        elif shape is not None and not _fits_axis(found, shape):
            yield f"{call(node)}: it has {found.scale.size} scales for axis {found.axis} of shape {shape}"


def _fits_axis(found: Rounding, shape: ir.Shape) -> bool:
    axis = found.axis if found.axis is not None else 1
    if not -len(shape) <= axis < len(shape):
        return False
    length = shape[axis]
    return not isinstance(length, int) or (found.scale is not None and found.scale.size in {1, length})


def _types(found: Rounding, scheme: Scheme) -> Iterator[str]:
    """Check that a Q's scale has its input's type, where types are taken as they are written."""
    given, scale = found.node.inputs[0], found.node.inputs[1]
    if scheme.float_type == "float32" or found.node.op_type != Q or given is None or scale is None:
        return
    if given.dtype is not None and scale.dtype is not None and given.dtype != scale.dtype:
        yield f"{call(found.node)}: its scale is {scale.dtype} and its input {given.dtype}; give both one type"
