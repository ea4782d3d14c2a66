"""ONNX's layers with weights in torch: convolutions, products, norms; semantics of ONNX's specification."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from edgecnn.models.onnx_ops.inputs import Inputs, Op, given, maybe, refuse
from edgecnn.models.onnx_ops.node import Node
from edgecnn.models.onnx_ops.windows import even, padded, pads_of, window
from edgecnn.models.strided import pixels_read, skips_pixels

CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def conv(node: Node, inputs: Inputs) -> Tensor:
    """Conv."""
    x, weight = given(inputs, 0), given(inputs, 1)
    kernel, strides, dilations = window(node, weight.ndim - 2, weight.shape[2:])
    pads = pads_of(node, x, kernel, strides, dilations)
    own = even(pads)
    taken_first = skips_pixels(kernel, strides)
    if own is None or taken_first:
        x, own = padded(x, pads), [0] * len(kernel)
    if taken_first:
        x, strides = pixels_read(x, strides), [1] * len(kernel)
    call = CONVOLUTIONS[len(kernel)]
    return call(x, weight, maybe(inputs, 2), strides, own, dilations, node.get("group", 1))


def conv_transpose(node: Node, inputs: Inputs) -> Tensor:
    """ConvTranspose; with uneven pads the whole of it is computed and its border cut."""
    x, weight, bias = given(inputs, 0), given(inputs, 1), maybe(inputs, 2)
    kernel, strides, dilations = window(node, weight.ndim - 2, weight.shape[2:])
    rank, groups = len(kernel), node.get("group", 1)
    extra = list(node.get("output_padding", [0] * rank))
    pads = _transposed_pads(node, x, kernel, strides, dilations, extra)
    own = even(pads)
    call = TRANSPOSED[rank]
    if own is not None and all(e < max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)):
        return call(x, weight, bias, strides, own, extra, groups, dilations)
    grown = padded(call(x, weight, None, strides, 0, 0, groups, dilations), [0] * rank + extra)
    for axis in range(rank):
        length = grown.shape[2 + axis] - pads[axis] - pads[rank + axis]
        grown = grown.narrow(2 + axis, pads[axis], length)
    return grown if bias is None else grown + bias.reshape(1, -1, *[1] * rank)


def _transposed_pads(
    node: Node, x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], extra: Sequence[int]
) -> list[int]:
    """Return the pads given, or those that make the output `strides` times as large as the input."""
    rank, auto = len(kernel), node.get("auto_pad", "NOTSET")
    if node.get("output_shape"):
        raise refuse(node, "its padding follows from the output's shape")
    if auto in ("NOTSET", "VALID"):
        return list(node.get("pads", [0] * 2 * rank)) if auto == "NOTSET" else [0] * 2 * rank
    totals = [
        strides[i] * (x.shape[2 + i] - 1) + extra[i] + (kernel[i] - 1) * dilations[i] + 1 - x.shape[2 + i] * strides[i]
        for i in range(rank)
    ]
    if min(totals) < 0:
        raise refuse(node, "its output is larger than its windows reach")
    begins = [total // 2 if auto == "SAME_UPPER" else total - total // 2 for total in totals]
    return begins + [total - begin for total, begin in zip(totals, begins, strict=True)]


def gemm(node: Node, inputs: Inputs) -> Tensor:
    """Gemm."""
    a, b, bias = given(inputs, 0), given(inputs, 1), maybe(inputs, 2)
    alpha, beta = float(node.get("alpha", 1.0)), float(node.get("beta", 1.0))
    flat = bias is None or (bias.ndim == 1 and beta == 1.0)
    if alpha == 1.0 and flat and node.get("transB", 0) and not node.get("transA", 0):
        return F.linear(a, b, bias)
    product = (a.T if node.get("transA", 0) else a) @ (b.T if node.get("transB", 0) else b)
    product = product if alpha == 1.0 else alpha * product
    return product if bias is None else product + (bias if beta == 1.0 else beta * bias)


def batch_norm(node: Node, inputs: Inputs) -> Tensor:
    """BatchNormalization with the statistics it carries."""
    x, scale, bias, mean, var = (given(inputs, i) for i in range(5))
    if node.get("training_mode", 0):
        raise refuse(node, "it is in training mode")
    return F.batch_norm(x, mean, var, scale, bias, training=False, eps=node.get("epsilon", 1e-5))


def instance_norm(node: Node, inputs: Inputs) -> Tensor:
    """InstanceNormalization."""
    return F.instance_norm(
        given(inputs, 0), weight=given(inputs, 1), bias=given(inputs, 2), eps=node.get("epsilon", 1e-5)
    )


def group_norm(node: Node, inputs: Inputs) -> Tensor:
    """GroupNormalization with one scale a channel (opset 21 and later)."""
    x, scale, bias = (given(inputs, i) for i in range(3))
    if scale.numel() != x.shape[1]:
        raise refuse(node, "its scales are a group's, as ONNX withdrew them")
    return F.group_norm(x, node.get("num_groups"), scale, bias, node.get("epsilon", 1e-5))


def layer_norm(node: Node, inputs: Inputs) -> Tensor:
    """LayerNormalization, its values only."""
    x = given(inputs, 0)
    shape = x.shape[node.get("axis", -1) % x.ndim :]
    weight, bias = given(inputs, 1), maybe(inputs, 2)
    return F.layer_norm(x, shape, weight.reshape(shape), bias.reshape(shape) if bias is not None else None,
                        node.get("epsilon", 1e-5))  # fmt: skip


def local_response(node: Node, inputs: Inputs) -> Tensor:
    """LRN over an odd number of channels."""
    size = node.get("size")
    if size % 2 == 0:
        raise refuse(node, "its number of channels is even")
    alpha, beta, bias = node.get("alpha", 1e-4), node.get("beta", 0.75), node.get("bias", 1.0)
    normalised: Tensor = F.local_response_norm(given(inputs, 0), size, alpha, beta, bias)
    return normalised


def lp_normalization(node: Node, inputs: Inputs) -> Tensor:
    """LpNormalization."""
    x = given(inputs, 0)
    size: Tensor = torch.linalg.vector_norm(x, node.get("p", 2), node.get("axis", -1), keepdim=True)
    return x / size


def einsum(node: Node, inputs: Inputs) -> Tensor:
    """Einsum."""
    return torch.einsum(node.get("equation"), *(given(inputs, i) for i in range(len(inputs))))


LAYERS: dict[str, Op] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Gemm": gemm,
    "MatMul": lambda _, x: given(x, 0) @ given(x, 1),
    "Einsum": einsum,
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    "GroupNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "LRN": local_response,
    "LpNormalization": lp_normalization,
}
