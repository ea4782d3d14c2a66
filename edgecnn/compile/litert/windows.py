"""Sliding windows of convolution and pooling: ONNX's pads as SAME or VALID, with a PAD in front where neither fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgecnn.compile.litert.lowering import LOW, Lowering
from edgecnn.compile.litert.source import call, shape_of
from edgecnn.compile.litert.writer import Tensor
from edgecnn.core.errors import EngineError

SAME, VALID = schema.Padding.SAME, schema.Padding.VALID


@dataclass(frozen=True, slots=True)
class Window:
    """Kernel, strides, dilations, and pads before and behind, each (height, width); pads behind may be cut short."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    before: tuple[int, int]
    behind: tuple[int, int]

    @property
    def reach(self) -> tuple[int, int]:
        """How far the dilated kernel spans."""
        return _two([(size - 1) * step + 1 for size, step in zip(self.kernel, self.dilations, strict=True)])

    @property
    def padded(self) -> bool:
        """Whether anything is padded."""
        return any((*self.before, *self.behind))


def window_of(node: ir.Node, kernel: Sequence[int]) -> Window:
    """Return the window of a node with a kernel of one or two dimensions.

    Pads behind become what the last window reads: less than ONNX says where strides leave a rest, more for `ceil_mode`.
    """
    if len(kernel) not in {1, 2}:
        raise EngineError(f"litert: {call(node)} slides along {len(kernel)} dimensions; it takes 1 or 2")
    count = len(kernel)
    strides = list(node.attributes.get_ints("strides", [1] * count))
    dilations = list(node.attributes.get_ints("dilations", [1] * count))
    source = node.inputs[0]
    assert source is not None  # noqa: S101 - what slides has an input
    given, made = shape_of(source)[2:], shape_of(node.outputs[0])[2:]
    before, behind = [], []
    for axis in range(count):
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        needed = (made[axis] - 1) * strides[axis] + reach - given[axis]
        first = _first_pad(node, axis, count, needed)
        before.append(first)
        behind.append(needed - first)
    sizes = (kernel, strides, dilations, before, behind)
    filled = [list(one) if count == 2 else [idle, *one] for one, idle in zip(sizes, (1, 1, 1, 0, 0), strict=True)]
    return Window(*(_two(one) for one in filled))


def padded(
    low: Lowering, picture: Tensor, window: Window, *, least: bool = False, same: bool = True
) -> tuple[Tensor, int]:
    """Return what the operator slides over, and its padding.

    What SAME can't say, or may not, is padded first: with zeros, or with the least number for a maximum.
    """
    if not window.padded:
        return picture, VALID
    if same and _same(picture.shape[1:3], window):
        return picture, SAME
    amounts = [
        [0, 0],
        *([one, max(two, 0)] for one, two in zip(window.before, window.behind, strict=True)),
        [0, 0],
    ]
    if not np.any(amounts):
        return picture, VALID
    shape = [size + sum(amount) for size, amount in zip(picture.shape, amounts, strict=True)]
    made = low.writer.tensor(f"{picture.name}.padded", shape, picture.dtype, picture.quant)
    inputs: list[Any] = [picture, low.writer.constant("pads", np.asarray(amounts, np.int32))]
    if not least:
        low.operator("PAD", inputs, [made], schema.PadOptionsT())
    else:
        fill = np.int8(LOW) if picture.dtype == "int8" else np.finfo(np.float32).min
        inputs.append(low.writer.constant("least", np.full(1, fill), picture.quant))
        low.operator("PADV2", inputs, [made], schema.PadV2OptionsT())
    return made, VALID


def fits_same(node: ir.Node, window: Window) -> bool:
    """Whether SAME pads the input of `node`, rows or pictures, as `window` says."""
    source = node.inputs[0]
    assert source is not None  # noqa: S101 - what slides has an input
    return _same((1, *shape_of(source)[2:])[-2:], window)


def _same(given: Sequence[int], window: Window) -> bool:
    """Whether SAME pads as `window` says."""
    for axis in range(2):
        size, stride, reach = given[axis], window.strides[axis], window.reach[axis]
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        if (window.before[axis], max(window.behind[axis], 0)) != (total // 2, total - total // 2):
            return False
        if (size + window.before[axis] + window.behind[axis] - reach) // stride + 1 != -(-size // stride):
            return False
    return True


def _first_pad(node: ir.Node, axis: int, count: int, needed: int) -> int:
    mode = node.attributes.get_string("auto_pad", "NOTSET")
    if mode == "SAME_UPPER":
        return max(needed, 0) // 2
    if mode == "SAME_LOWER":
        return max(needed, 0) - max(needed, 0) // 2
    if mode == "VALID":
        return 0
    return int(list(node.attributes.get_ints("pads", [0] * 2 * count))[axis])


def _two(numbers: Sequence[int]) -> tuple[int, int]:
    first, second = numbers
    return int(first), int(second)
