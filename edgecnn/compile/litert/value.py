"""A value of the ONNX graph as a tensor of the flatbuffer, whose axes may lie in another order."""

import math
from dataclasses import dataclass

from edgecnn.compile.litert.writer import Quant, Tensor


@dataclass(frozen=True, slots=True)
class Value:
    """Physical axis i of `tensor` holds ONNX axis `order[i]`.

    `pixels` says what plain uint8 or int8 integers stand for where the graph scales them: the tensor itself has no
    scale until an operator reads it so.
    """

    tensor: Tensor
    order: tuple[int, ...]
    pixels: Quant | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The ONNX shape."""
        return tuple(self.tensor.shape[self.order.index(axis)] for axis in range(len(self.order)))

    @property
    def quant(self) -> Quant | None:
        """The scale of an int8 tensor that stands for real numbers; None for pixels and for what is not rounded."""
        return self.tensor.quant if self.pixels is None and self.tensor.dtype == "int8" else None

    def axis(self, onnx_axis: int) -> int:
        """Return the physical axis of an ONNX axis, which may be negative."""
        return self.order.index(onnx_axis % len(self.order))


def plain(rank: int) -> tuple[int, ...]:
    """Return the order in which the physical axes are ONNX's."""
    return tuple(range(rank))


def channels_last(rank: int) -> tuple[int, ...]:
    """Return the order of batch, space, channels."""
    return (0, *range(2, rank), 1) if rank > 2 else plain(rank)


def physical(shape: tuple[int, ...], order: tuple[int, ...]) -> tuple[int, ...]:
    """Return an ONNX shape in physical order."""
    return tuple(shape[axis] for axis in order)


def only_units_move(value: Value, wanted: tuple[int, ...]) -> bool:
    """Whether going to `wanted` moves axes of length 1 alone, so that the numbers stay where they are."""
    shape = value.shape
    return [axis for axis in value.order if shape[axis] != 1] == [axis for axis in wanted if shape[axis] != 1]


def reshaped_orders(value: Value, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the order to bring `value` in first, and the order in which it then has ONNX shape `shape` as it lies.

    Axes of both shapes are matched in groups of equal size. Each group's axes must lie side by side and in turn; the
    groups stay where they are, so that numbers move within a group alone, or not at all.
    """
    before = value.shape
    units = [axis for axis in value.order if before[axis] == 1]
    groups = _groups(before, shape)
    if groups is None:
        return plain(len(before)), plain(len(shape))
    place = {axis: index for index, axis in enumerate(value.order)}
    groups.sort(key=lambda pair: min(place[axis] for axis in pair[0]))
    first = (*units, *(axis for pair in groups for axis in pair[0]))
    found = [axis for pair in groups for axis in pair[1]]
    for order in (channels_last(len(shape)), plain(len(shape))):
        if [axis for axis in order if shape[axis] != 1] == found:
            return first, order
    return first, (*(axis for axis in range(len(shape)) if shape[axis] == 1), *found)


def _groups(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]] | None:
    """Return the smallest groups of axes, those of length 1 left out, whose sizes multiply to the same."""
    if math.prod(before) != math.prod(after) or 0 in before:
        return None
    left = [axis for axis, size in enumerate(before) if size != 1]
    right = [axis for axis, size in enumerate(after) if size != 1]
    groups: list[tuple[list[int], list[int]]] = []
    while left:
        taken, given = [left.pop(0)], [right.pop(0)]
        first, second = before[taken[0]], after[given[0]]
        while first != second:
            if first < second:
                taken.append(left.pop(0))
                first *= before[taken[-1]]
            else:
                given.append(right.pop(0))
                second *= after[given[-1]]
        groups.append((taken, given))
    return groups
