"""ONNX's operators that bring many values to one, in torch. Semantics: ONNX operator specification."""

from collections.abc import Callable

import torch
from torch import Tensor

from edgecnn.models.onnx_ops.inputs import Inputs, Op, given, numbers, refuse
from edgecnn.models.onnx_ops.node import Node

Reduce = Callable[[Tensor, tuple[int, ...], bool], Tensor]


def _prod(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:  # noqa: FBT001 - as torch's own reductions
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = torch.prod(x, axis, keepdim=keep)
    return x


REDUCTIONS: dict[str, Reduce] = {
    "ReduceMean": torch.mean,
    "ReduceSum": torch.sum,
    "ReduceMax": torch.amax,
    "ReduceMin": torch.amin,
    "ReduceProd": _prod,
    "ReduceL1": lambda x, axes, keep: torch.sum(torch.abs(x), axes, keep),
    "ReduceL2": lambda x, axes, keep: torch.sqrt(torch.sum(x * x, axes, keep)),
    "ReduceSumSquare": lambda x, axes, keep: torch.sum(x * x, axes, keep),
    "ReduceLogSumExp": torch.logsumexp,
}


def _reducing(call: Reduce) -> Op:
    def op(node: Node, inputs: Inputs) -> Tensor:
        x, axes = given(inputs, 0), numbers(inputs, 1) or list(node.get("axes", []))
        if not axes and node.get("noop_with_empty_axes", 0):
            return x
        return call(x, tuple(axes) or tuple(range(x.ndim)), bool(node.get("keepdims", 1)))

    return op


def _extreme(name: str) -> Op:
    call: Callable[..., Tensor] = getattr(torch, name)

    def op(node: Node, inputs: Inputs) -> Tensor:
        if node.get("select_last_index", 0):
            raise refuse(node, "it takes the last of equals")
        return call(given(inputs, 0), node.get("axis", 0), keepdim=bool(node.get("keepdims", 1)))

    return op


def _top_k(node: Node, inputs: Inputs) -> tuple[Tensor, ...]:
    count = int(numbers(inputs, 1)[0])
    largest, ordered = bool(node.get("largest", 1)), bool(node.get("sorted", 1))
    values, index = torch.topk(given(inputs, 0), count, node.get("axis", -1), largest, ordered)
    return values, index


def _cumulated(node: Node, inputs: Inputs) -> Tensor:
    x, axis = given(inputs, 0), int(numbers(inputs, 1)[0])
    turned = x.flip(axis) if node.get("reverse", 0) else x
    total = torch.cumsum(turned, axis)
    total = total - turned if node.get("exclusive", 0) else total
    return total.flip(axis) if node.get("reverse", 0) else total


REDUCING_OPS: dict[str, Op] = {
    **{name: _reducing(call) for name, call in REDUCTIONS.items()},
    "ArgMax": _extreme("argmax"),
    "ArgMin": _extreme("argmin"),
    "TopK": _top_k,
    "CumSum": _cumulated,
}
