"""Kernel, strides, dilations and padding of what slides over a picture, with rows for those that slide over a line."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn.compile.ncnn.source import Node


@dataclass(frozen=True, slots=True)
class Window:
    """Each pair is (vertical, horizontal); `pads` is top, left, bottom, right."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]


def picture(node: Node, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return channels, height and width of an input of shape [1, C, H, W], or [1, C, W] with a height of 1."""
    if len(shape) not in {3, 4} or shape[0] != 1:
        raise node.refuse(f"its input has shape {list(shape)}, and ncnn takes [1, C, H, W] or [1, C, W]")
    return shape[1], shape[2] if len(shape) == 4 else 1, shape[-1]


def window(node: Node, kernel: tuple[int, ...], height: int, width: int) -> Window:
    """Read the window of `node`, whose kernel has one size or two."""
    if len(kernel) not in {1, 2}:
        raise node.refuse(f"its kernel has {len(kernel)} dimensions, and only 1 and 2 are carried over")
    line = len(kernel) == 1
    strides, dilations = _pair(node, "strides", line=line), _pair(node, "dilations", line=line)
    sizes = (1, kernel[0]) if line else (kernel[0], kernel[1])
    pads = _pads(node, (height, width), sizes, strides, dilations, line=line)
    if min(pads) < 0:
        raise node.refuse(f"negative padding {list(pads)}")
    return Window(sizes, strides, dilations, pads)


def _pair(node: Node, name: str, *, line: bool) -> tuple[int, int]:
    given = node.get(name, [1] if line else [1, 1])
    return (1, given[0]) if line else (given[0], given[1])


def _pads(
    node: Node,
    sizes: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    *,
    line: bool,
) -> tuple[int, int, int, int]:
    mode = node.get("auto_pad", "NOTSET")
    if mode == "VALID":
        return 0, 0, 0, 0
    if mode == "NOTSET":
        given = node.get("pads", [0, 0] if line else [0, 0, 0, 0])
        return (0, given[0], 0, given[1]) if line else (given[0], given[1], given[2], given[3])
    totals = []
    for size, length, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        lacking = max((-(-size // stride) - 1) * stride + (length - 1) * dilation + 1 - size, 0)
        totals.append(lacking)
    return halves(totals, upper=mode == "SAME_UPPER")


def halves(totals: Sequence[int], *, upper: bool) -> tuple[int, int, int, int]:
    """Return as top, left, bottom, right what is padded down and across; an odd one more behind if `upper`."""
    small, large = [total // 2 for total in totals], [total - total // 2 for total in totals]
    begin, end = (small, large) if upper else (large, small)
    return begin[0], begin[1], end[0], end[1]
