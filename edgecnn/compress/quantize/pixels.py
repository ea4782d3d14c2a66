"""Pixels that are INT8 already: uint8 frames less one whole number need no rounding, only the right zero point."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgecnn.compress.quantize.graph import constant
from edgecnn.compress.quantize.scheme import Format

WHOLE = 1e-3
"""How far from a whole number, in grey levels of 255, a mean may lie and still count as one."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """A float tensor that is `source` (name of a uint8 tensor) less `mean`, stored exactly with scale 1.

    Where `dtype` is uint8 the stored form is `source` itself.
    """

    source: str
    mean: int
    zero_point: int
    dtype: str


def find_pixels(value: ir.Value, form: Format) -> Pixels | None:
    """Return `value` as exact pixels in `form`, or None: no pixels, a mean with fractions, or out of the form's range.

    int8 that must be symmetric holds them exactly for a mean of 128 alone, uint8 with a free zero point for any.
    """
    node, mean = value.producer(), 0
    if node is not None and node.op_type == "Sub":
        found = _whole(constant(node.inputs[1]))
        if found is None or node.inputs[0] is None:
            return None
        mean, node = found, node.inputs[0].producer()
    source = node.inputs[0] if node is not None and node.op_type == "Cast" else None
    if source is None or source.dtype != ir.DataType.UINT8:
        return None
    zero = (form.low + form.high + 1) // 2 if form.symmetric else mean + form.low
    if zero - mean < form.low or zero - mean + 255 > form.high:
        return None
    return Pixels(str(source.name), mean, zero, form.dtype)


def _whole(mean: np.ndarray | None) -> int | None:
    """Return the one whole number in 0..255 that all of `mean` is, or None."""
    if mean is None or mean.size == 0 or not np.isfinite(mean).all():
        return None
    number = round(float(mean.flat[0]))
    return number if 0 <= number <= 255 and np.abs(mean - number).max() <= WHOLE else None
