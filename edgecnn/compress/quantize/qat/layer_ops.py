"""ONNX's layers in torch: convolutions, products, pooling, norms, resizing; semantics of ONNX's specification."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from edgecnn.compress.quantize.qat.node import Node
from edgecnn.core.errors import InputError

Inputs: TypeAlias = Sequence[Tensor | None]
Op: TypeAlias = Callable[[Node, Inputs], Tensor | tuple[Tensor, ...]]

CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE_POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
RESIZES = {("linear", 1): "linear", ("linear", 2): "bilinear", ("linear", 3): "trilinear", ("cubic", 2): "bicubic"}
ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "round_prefer_floor": lambda x: torch.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: torch.floor(x + 0.5),
    "floor": torch.floor,
    "ceil": torch.ceil,
}


def given(inputs: Inputs, index: int) -> Tensor:
    """Return an input that must be there."""
    value = inputs[index]
    assert value is not None  # noqa: S101 - a valid model gives every input that its operator demands
    return value


def maybe(inputs: Inputs, index: int) -> Tensor | None:
    """Return an optional input."""
    return inputs[index] if index < len(inputs) else None


def refuse(node: Node, what: str) -> InputError:
    """Return the error for what torch can't compute as the node says it."""
    return InputError(f"training can't run {node.op} '{node.name}': {what}; keep it out or quantize without training")


def _pads(node: Node, x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """Return ONNX's pads [begin..., end...] of a window that slides over `x`."""
    rank, auto = len(kernel), node.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        return list(node.get("pads", [0] * 2 * rank))
    if auto == "VALID":
        return [0] * 2 * rank
    begins, ends = [], []
    for size, k, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True):
        total = max((-(-size // stride) - 1) * stride + dilation * (k - 1) + 1 - size, 0)
        begins.append(total - total // 2 if auto == "SAME_LOWER" else total // 2)
        ends.append(total - begins[-1])
    return begins + ends


def _padded(x: Tensor, pads: Sequence[int], value: float = 0.0) -> Tensor:
    """Return `x` padded along its last axes; pads are ONNX's."""
    rank = len(pads) // 2
    if not any(pads):
        return x
    return F.pad(x, list(chain.from_iterable((pads[i], pads[rank + i]) for i in reversed(range(rank)))), value=value)


def _window(node: Node, rank: int, kernel: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    ones = [1] * rank
    return list(kernel), list(node.get("strides", ones)), list(node.get("dilations", ones))


def conv(node: Node, inputs: Inputs) -> Tensor:
    """Conv."""
    x, weight = given(inputs, 0), given(inputs, 1)
    kernel, strides, dilations = _window(node, weight.ndim - 2, weight.shape[2:])
    x = _padded(x, _pads(node, x, kernel, strides, dilations))
    call = CONVOLUTIONS[len(kernel)]
    if max(strides) > 1:
        # The gradient of a strided 1x1 convolution of channels-last pixels ends the process (torch 2.13 on x86).
        x = x.contiguous()
    return call(x, weight, maybe(inputs, 2), strides, 0, dilations, node.get("group", 1))


def conv_transpose(node: Node, inputs: Inputs) -> Tensor:
    """ConvTranspose with pads given; the whole of it is computed and its border cut."""
    x, weight = given(inputs, 0), given(inputs, 1)
    kernel, strides, dilations = _window(node, weight.ndim - 2, weight.shape[2:])
    if node.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or node.get("output_shape"):
        raise refuse(node, "its padding is left to the engine")
    pads, extra = node.get("pads", [0] * 2 * len(kernel)), node.get("output_padding", [0] * len(kernel))
    call = TRANSPOSED[len(kernel)]
    whole: Tensor = call(x, weight, None, strides, 0, 0, node.get("group", 1), dilations)
    grown = _padded(whole, [0] * len(kernel) + list(extra))
    for axis in range(len(kernel)):
        length = grown.shape[2 + axis] - pads[axis] - pads[len(kernel) + axis]
        grown = grown.narrow(2 + axis, pads[axis], length)
    bias = maybe(inputs, 2)
    return grown if bias is None else grown + bias.reshape(1, -1, *[1] * len(kernel))


def gemm(node: Node, inputs: Inputs) -> Tensor:
    """Gemm."""
    a, b = given(inputs, 0), given(inputs, 1)
    product = (a.T if node.get("transA", 0) else a) @ (b.T if node.get("transB", 0) else b)
    product = float(node.get("alpha", 1.0)) * product
    bias = maybe(inputs, 2)
    return product if bias is None else product + float(node.get("beta", 1.0)) * bias


def max_pool(node: Node, inputs: Inputs) -> Tensor:
    """MaxPool, its values only."""
    x = given(inputs, 0)
    kernel, strides, dilations = _window(node, x.ndim - 2, node.get("kernel_shape"))
    pads = _pads(node, x, kernel, strides, dilations)
    x = _padded(x, pads, float("-inf"))
    if node.get("ceil_mode", 0):
        x = _padded(x, _ceiled(x, kernel, strides, dilations, pads), float("-inf"))
    return MAX_POOLS[len(kernel)](x, kernel, strides, 0, dilations)


def average_pool(node: Node, inputs: Inputs) -> Tensor:
    """AveragePool; where padding does not count, sums are divided by how many numbers they are of."""
    x = given(inputs, 0)
    kernel, strides, dilations = _window(node, x.ndim - 2, node.get("kernel_shape"))
    if set(dilations) != {1}:
        raise refuse(node, "its windows are dilated")
    pads = _pads(node, x, kernel, strides, dilations)
    counted = bool(node.get("count_include_pad", 0))
    more = _ceiled(_padded(x, pads), kernel, strides, dilations, pads) if node.get("ceil_mode", 0) else [0] * len(pads)
    pool = AVERAGE_POOLS[len(kernel)]
    ones = torch.ones_like(x[:1, :1])
    ones = _padded(_padded(ones, pads, float(counted)), more)
    return pool(_padded(_padded(x, pads), more), kernel, strides) / pool(ones, kernel, strides)


def _ceiled(
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


def batch_norm(node: Node, inputs: Inputs) -> Tensor:
    """BatchNormalization with the statistics it carries."""
    x, scale, bias, mean, var = (given(inputs, i) for i in range(5))
    return F.batch_norm(x, mean, var, scale, bias, training=False, eps=node.get("epsilon", 1e-5))


def instance_norm(node: Node, inputs: Inputs) -> Tensor:
    """InstanceNormalization."""
    return F.instance_norm(
        given(inputs, 0), weight=given(inputs, 1), bias=given(inputs, 2), eps=node.get("epsilon", 1e-5)
    )


def layer_norm(node: Node, inputs: Inputs) -> Tensor:
    """LayerNormalization, its values only."""
    x = given(inputs, 0)
    shape = x.shape[node.get("axis", -1) % x.ndim :]
    weight, bias = given(inputs, 1), maybe(inputs, 2)
    return F.layer_norm(x, shape, weight.reshape(shape), bias.reshape(shape) if bias is not None else None,
                        node.get("epsilon", 1e-5))  # fmt: skip


def resize(node: Node, inputs: Inputs) -> Tensor:
    """Resize of the picture's axes to a fixed size, by the methods that torch shares with ONNX."""
    x, scales, sizes = given(inputs, 0), maybe(inputs, 2), maybe(inputs, 3)
    if sizes is not None and sizes.numel():
        wanted = [int(size) for size in sizes.tolist()][2:]
    elif scales is not None:
        wanted = [int(size * scale) for size, scale in zip(x.shape[2:], scales.tolist()[2:], strict=True)]
    else:
        raise refuse(node, "it has no size")
    mode, place = node.get("mode", "nearest"), node.get("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        return _nearest(node, x, wanted, place)
    method = RESIZES.get((mode, len(wanted)))
    corners = place == "align_corners"
    if method is None or (not corners and place not in ("half_pixel", "pytorch_half_pixel")):
        raise refuse(node, f"mode {mode} with {place}")
    return F.interpolate(x, size=wanted, mode=method, align_corners=corners)


def _nearest(node: Node, x: Tensor, wanted: Sequence[int], place: str) -> Tensor:
    rounding = ROUNDINGS.get(node.get("nearest_mode", "round_prefer_floor"))
    for axis, new in enumerate(wanted, 2):
        old, i = x.shape[axis], torch.arange(new, dtype=torch.float64, device=x.device)
        if place in ("half_pixel", "pytorch_half_pixel"):
            source = (i + 0.5) * old / new - 0.5
        elif place == "asymmetric":
            source = i * old / new
        elif place == "align_corners":
            source = i * (old - 1) / max(new - 1, 1)
        else:
            source = None
        if source is None or rounding is None:
            raise refuse(node, f"nearest pixels with {place}")
        x = x.index_select(axis, rounding(source).clamp(0, old - 1).long())
    return x


LAYERS: dict[str, Op] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Gemm": gemm,
    "MatMul": lambda _, x: given(x, 0) @ given(x, 1),
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda _, x: given(x, 0).mean(tuple(range(2, given(x, 0).ndim)), keepdim=True),
    "GlobalMaxPool": lambda _, x: given(x, 0).amax(tuple(range(2, given(x, 0).ndim)), keepdim=True),
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "Resize": resize,
}
