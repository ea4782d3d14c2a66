"""ONNX's elementwise, reducing and moving operators in torch. Semantics: ONNX operator specification."""

import math
from collections.abc import Callable
from functools import reduce
from itertools import chain

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from edgecnn.compress.quantize.qat.layer_ops import Inputs, Op, given, maybe, refuse
from edgecnn.compress.quantize.qat.node import Node

FLOATS = frozenset({1, 10, 11, 16})
"""ONNX's codes of float, float16, double and bfloat16; all train in float32."""
WHOLE = {2: torch.uint8, 3: torch.int8, 6: torch.int32, 7: torch.int64, 9: torch.bool}


def numbers(value: Tensor | None) -> list[int]:
    """Return a constant's whole numbers."""
    return [] if value is None else [int(number) for number in value.reshape(-1).tolist()]


def _clip(_: Node, inputs: Inputs) -> Tensor:
    low, high = maybe(inputs, 1), maybe(inputs, 2)
    x = given(inputs, 0)
    x = x if low is None else torch.maximum(x, low)
    return x if high is None else torch.minimum(x, high)


def _gelu(node: Node, inputs: Inputs) -> Tensor:
    return F.gelu(given(inputs, 0), approximate=node.get("approximate", "none"))


def _prelu(_: Node, inputs: Inputs) -> Tensor:
    x, slope = given(inputs, 0), given(inputs, 1)
    return torch.where(x >= 0, x, x * slope)


def _cast(node: Node, inputs: Inputs) -> Tensor:
    kind = node.get("to")
    if kind in FLOATS:
        return given(inputs, 0).to(torch.float32)
    if kind not in WHOLE:
        raise refuse(node, f"it casts to type {kind}")
    return given(inputs, 0).to(WHOLE[kind])


def _concat(node: Node, inputs: Inputs) -> Tensor:
    return torch.cat([given(inputs, i) for i in range(len(inputs))], node.get("axis"))


def _split(node: Node, inputs: Inputs) -> tuple[Tensor, ...]:
    x, axis = given(inputs, 0), node.get("axis", 0)
    sizes = numbers(maybe(inputs, 1)) or list(node.get("split", []))
    if not sizes:
        each = math.ceil(x.shape[axis] / len(node.outputs))
        return torch.split(x, each, axis)
    return torch.split(x, sizes, axis)


def _slice(_: Node, inputs: Inputs) -> Tensor:
    x, starts, ends = given(inputs, 0), numbers(given(inputs, 1)), numbers(given(inputs, 2))
    axes = numbers(maybe(inputs, 3)) or list(range(len(starts)))
    steps = numbers(maybe(inputs, 4)) or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # A stop before the first element can't be written as a Python slice: its minus means the far end.
        least = -x.shape[axis] - 1
        places = range(x.shape[axis])[slice(start, None if step < 0 and end <= least else end, step)]
        x = x.index_select(axis, torch.tensor(list(places), dtype=torch.int64, device=x.device))
    return x


def _gather(node: Node, inputs: Inputs) -> Tensor:
    x, index = given(inputs, 0), given(inputs, 1).long()
    axis = node.get("axis", 0) % x.ndim
    index = torch.where(index < 0, index + x.shape[axis], index)
    taken = x.index_select(axis, index.reshape(-1))
    return taken.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


def reshape(node: Node, inputs: Inputs, frames: int) -> Tensor:
    """Return the first input in the shape of the second; the graph is written for one frame, `frames` ride in front."""
    x, shape = given(inputs, 0), numbers(given(inputs, 1))
    if not node.get("allowzero", 0):
        shape = [x.shape[i] if size == 0 else size for i, size in enumerate(shape)]
    if frames > 1 and shape and x.ndim and shape[0] == 1 and x.shape[0] == frames:
        shape[0] = frames
    return x.reshape(shape)


def _flatten(node: Node, inputs: Inputs) -> Tensor:
    x = given(inputs, 0)
    axis = node.get("axis", 1) % (x.ndim + 1)
    return x.reshape(math.prod(x.shape[:axis]), -1)


def _axes(node: Node, inputs: Inputs) -> list[int]:
    return numbers(maybe(inputs, 1)) or list(node.get("axes", []))


def _squeeze(node: Node, inputs: Inputs) -> Tensor:
    x, axes = given(inputs, 0), _axes(node, inputs)
    return x.squeeze(tuple(axes)) if axes else x.squeeze()


def _unsqueeze(node: Node, inputs: Inputs) -> Tensor:
    x, axes = given(inputs, 0), _axes(node, inputs)
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _pad(node: Node, inputs: Inputs) -> Tensor:
    x, pads = given(inputs, 0), numbers(maybe(inputs, 1)) or list(node.get("pads", []))
    axes = numbers(maybe(inputs, 3)) or list(range(x.ndim))
    before, after = [0] * x.ndim, [0] * x.ndim
    for place, axis in enumerate(axes):
        before[axis], after[axis] = pads[place], pads[len(axes) + place]
    sides = list(chain.from_iterable((before[i], after[i]) for i in reversed(range(x.ndim))))
    mode, value = node.get("mode", "constant"), maybe(inputs, 2)
    if mode == "constant":
        return F.pad(x, sides, value=float(value.reshape(-1)[0]) if value is not None and value.numel() else 0.0)
    if mode not in ("reflect", "edge") or any(sides[2 * (x.ndim - 2) :]):
        raise refuse(node, f"mode {mode} along these axes")
    return F.pad(x, sides[: 2 * (x.ndim - 2)], mode="replicate" if mode == "edge" else mode)


def _depth_to_space(node: Node, inputs: Inputs) -> Tensor:
    x, size = given(inputs, 0), node.get("blocksize")
    n, c, h, w = x.shape
    inner = c // (size * size)
    if node.get("mode", "DCR") == "CRD":
        moved = x.reshape(n, inner, size, size, h, w).permute(0, 1, 4, 2, 5, 3)
    else:
        moved = x.reshape(n, size, size, inner, h, w).permute(0, 3, 4, 1, 5, 2)
    return moved.reshape(n, inner, h * size, w * size)


def _space_to_depth(node: Node, inputs: Inputs) -> Tensor:
    x, size = given(inputs, 0), node.get("blocksize")
    n, c, h, w = x.shape
    moved = x.reshape(n, c, h // size, size, w // size, size).permute(0, 3, 5, 1, 2, 4)
    return moved.reshape(n, c * size * size, h // size, w // size)


def _reducing(name: str) -> Op:
    call: Callable[..., Tensor] = getattr(torch, name)

    def op(node: Node, inputs: Inputs) -> Tensor:
        x, axes = given(inputs, 0), _axes(node, inputs)
        keep = bool(node.get("keepdims", 1))
        if not axes and node.get("noop_with_empty_axes", 0):
            return x
        return call(x, tuple(axes) or tuple(range(x.ndim)), keepdim=keep)

    return op


def _argmax(node: Node, inputs: Inputs) -> Tensor:
    x, axis = given(inputs, 0), node.get("axis", 0)
    if node.get("select_last_index", 0):
        raise refuse(node, "it takes the last of equals")
    return x.argmax(axis, keepdim=bool(node.get("keepdims", 1)))


def _one(call: Callable[..., Tensor]) -> Op:
    return lambda _, inputs: call(given(inputs, 0))


def _two(call: Callable[..., Tensor]) -> Op:
    return lambda _, inputs: call(given(inputs, 0), given(inputs, 1))


def _many(call: Callable[[Tensor, Tensor], Tensor]) -> Op:
    return lambda _, inputs: reduce(call, [given(inputs, i) for i in range(len(inputs))])


PLAIN: dict[str, Op] = {
    "Relu": _one(F.relu),
    "Sigmoid": _one(torch.sigmoid),
    "Tanh": _one(torch.tanh),
    "Softplus": _one(F.softplus),
    "Softsign": _one(F.softsign),
    "HardSwish": _one(F.hardswish),
    "Mish": _one(F.mish),
    "Exp": _one(torch.exp),
    "Log": _one(torch.log),
    "Sqrt": _one(torch.sqrt),
    "Reciprocal": _one(torch.reciprocal),
    "Erf": _one(torch.erf),
    "Abs": _one(torch.abs),
    "Neg": _one(torch.neg),
    "Floor": _one(torch.floor),
    "Ceil": _one(torch.ceil),
    "Identity": _one(lambda x: x),
    "Dropout": _one(lambda x: x),
    "Elu": lambda n, x: F.elu(given(x, 0), n.get("alpha", 1.0)),
    "Selu": _one(F.selu),
    "Gelu": _gelu,
    "LeakyRelu": lambda n, x: F.leaky_relu(given(x, 0), n.get("alpha", 0.01)),
    "HardSigmoid": lambda n, x: (n.get("alpha", 0.2) * given(x, 0) + n.get("beta", 0.5)).clamp(0, 1),
    "PRelu": _prelu,
    "Clip": _clip,
    "Softmax": lambda n, x: torch.softmax(given(x, 0), n.get("axis", -1)),
    "LogSoftmax": lambda n, x: torch.log_softmax(given(x, 0), n.get("axis", -1)),
    "Add": _two(torch.add),
    "Sub": _two(torch.sub),
    "Mul": _two(torch.mul),
    "Div": _two(torch.div),
    "Pow": _two(torch.pow),
    "Max": _many(torch.maximum),
    "Min": _many(torch.minimum),
    "Sum": _many(torch.add),
    "ReduceMean": _reducing("mean"),
    "ReduceSum": _reducing("sum"),
    "ReduceMax": _reducing("amax"),
    "ReduceMin": _reducing("amin"),
    "Cast": _cast,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": lambda n, x: given(x, 0).permute(n.get("perm") or list(range(given(x, 0).ndim))[::-1]),
    "Expand": lambda _, x: given(x, 0) * torch.ones(numbers(given(x, 1)), device=given(x, 0).device),
    "Pad": _pad,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "ArgMax": _argmax,
    "Greater": _two(torch.gt),
    "GreaterOrEqual": _two(torch.ge),
    "Less": _two(torch.lt),
    "LessOrEqual": _two(torch.le),
    "Equal": _two(torch.eq),
    "Where": lambda _, x: torch.where(given(x, 0).bool(), given(x, 1), given(x, 2)),
}
