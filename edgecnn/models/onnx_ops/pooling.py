"""ONNX's pooling in torch. Semantics: ONNX operator specification."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from edgecnn.models.onnx_ops.inputs import Inputs, Op, given, refuse
from edgecnn.models.onnx_ops.node import Node
from edgecnn.models.onnx_ops.windows import ceiled, even, padded, pads_of, window

MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE_POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def max_pool(node: Node, inputs: Inputs) -> Tensor:
    """MaxPool, its values only."""
    x = given(inputs, 0)
    kernel, strides, dilations = window(node, x.ndim - 2, node.get("kernel_shape"))
    pads = pads_of(node, x, kernel, strides, dilations)
    own = even(pads)
    call = MAX_POOLS[len(kernel)]
    if own is not None and not node.get("ceil_mode", 0) and all(2 * p <= k for p, k in zip(own, kernel, strict=True)):
        return call(x, kernel, strides, own, dilations)
    x = padded(x, pads, float("-inf"))
    if node.get("ceil_mode", 0):
        x = padded(x, ceiled(x, kernel, strides, dilations, pads), float("-inf"))
    return call(x, kernel, strides, 0, dilations)


def average_pool(node: Node, inputs: Inputs) -> Tensor:
    """AveragePool; where torch has no such padding, sums are divided by how many numbers they are of."""
    x = given(inputs, 0)
    kernel, strides, dilations = window(node, x.ndim - 2, node.get("kernel_shape"))
    if set(dilations) != {1}:
        raise refuse(node, "its windows are dilated")
    pads = pads_of(node, x, kernel, strides, dilations)
    counted, own = bool(node.get("count_include_pad", 0)), even(pads)
    call = AVERAGE_POOLS[len(kernel)]
    ceil = bool(node.get("ceil_mode", 0))
    if own is not None and not ceil and all(2 * p <= k for p, k in zip(own, kernel, strict=True)):
        return call(x, kernel, strides, own, ceil_mode=False, count_include_pad=counted)
    more = ceiled(padded(x, pads), kernel, strides, dilations, pads) if ceil else [0] * len(pads)
    means = call(padded(padded(x, pads), more), kernel, strides)
    return means / _shares(x.shape[2:], kernel, strides, pads, more, counted=counted).to(x.device)


def _shares(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int], more: Sequence[int], *,
    counted: bool,
) -> Tensor:  # fmt: skip
    """Return what part of each window counts, [1, 1, ...]."""
    rank = len(kernel)
    shares = torch.ones(())
    for axis in range(rank):
        pad, extra = float(counted), more[rank + axis]
        row = [pad] * pads[axis] + [1.0] * sizes[axis] + [pad] * pads[rank + axis] + [0.0] * extra
        starts = range(0, len(row) - kernel[axis] + 1, strides[axis])
        along = [sum(row[start : start + kernel[axis]]) / kernel[axis] for start in starts]
        shares = shares.unsqueeze(-1) * torch.tensor(along)
    return shares.reshape(1, 1, *shares.shape)


POOLING: dict[str, Op] = {
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda _, x: given(x, 0).mean(tuple(range(2, given(x, 0).ndim)), keepdim=True),
    "GlobalMaxPool": lambda _, x: given(x, 0).amax(tuple(range(2, given(x, 0).ndim)), keepdim=True),
}
