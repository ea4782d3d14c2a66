"""Windows that slide over the last axes of a tensor: ONNX's pads, and which of them torch's layers take themselves."""

from collections.abc import Sequence
from itertools import chain

import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from edgecnn.models.onnx_ops.node import Node


def window(node: Node, rank: int, kernel: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """Return kernel, strides and dilations."""
    ones = [1] * rank
    return list(kernel), list(node.get("strides", ones)), list(node.get("dilations", ones))


def pads_of(
    node: Node, x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """Return ONNX's pads [begin..., end...] of a window that slides over `x`."""
    rank, auto = len(kernel), node.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        return list(node.get("pads", [0] * 2 * rank))
    if auto == "VALID":
        return [0] * 2 * rank
    totals = [
        max((-(-size // stride) - 1) * stride + dilation * (k - 1) + 1 - size, 0)
        for size, k, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True)
    ]
    begins = [total - total // 2 if auto == "SAME_LOWER" else total // 2 for total in totals]
    return begins + [total - begin for total, begin in zip(totals, begins, strict=True)]


def even(pads: Sequence[int]) -> list[int] | None:
    """Return one pad an axis where both sides have the same, as torch's layers want it."""
    half = len(pads) // 2
    return list(pads[:half]) if list(pads[:half]) == list(pads[half:]) and min(pads, default=0) >= 0 else None


def padded(x: Tensor, pads: Sequence[int], value: float = 0.0) -> Tensor:
    """Return `x` padded along its last axes; pads are ONNX's."""
    rank = len(pads) // 2
    if not any(pads):
        return x
    return F.pad(x, list(chain.from_iterable((pads[i], pads[rank + i]) for i in reversed(range(rank)))), value=value)


def ceiled(
    x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], pads: Sequence[int]
) -> list[int]:
    """Return pads that let a last window start inside the padded `x`, as ceil_mode does."""
    rank, ends = len(kernel), []
    for axis in range(rank):
        size, reach = x.shape[2 + axis], dilations[axis] * (kernel[axis] - 1) + 1
        windows = -(-(size - reach) // strides[axis]) + 1
        if (windows - 1) * strides[axis] >= size - pads[rank + axis]:
            windows -= 1
        ends.append(max((windows - 1) * strides[axis] + reach - size, 0))
    return [0] * rank + ends
