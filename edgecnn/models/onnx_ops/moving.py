"""ONNX's operators that move values and compute nothing, in torch. Semantics: ONNX operator specification."""

import math
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from edgecnn.models.onnx_ops.inputs import Inputs, Op, constant, given, numbers, refuse
from edgecnn.models.onnx_ops.node import Node


def _concat(node: Node, inputs: Inputs) -> Tensor:
    return torch.cat([given(inputs, i) for i in range(len(inputs))], node.get("axis"))


def _split(node: Node, inputs: Inputs) -> tuple[Tensor, ...]:
    x, axis = given(inputs, 0), node.get("axis", 0)
    sizes = numbers(inputs, 1)
    if not sizes:
        each = math.ceil(x.shape[axis] / node.get("num_outputs", len(node.outputs)))
        return torch.split(x, each, axis)
    return torch.split(x, sizes, axis)


def _slice(_: Node, inputs: Inputs) -> Tensor:
    x, starts, ends = given(inputs, 0), numbers(inputs, 1), numbers(inputs, 2)
    axes = numbers(inputs, 3) or list(range(len(starts)))
    steps = numbers(inputs, 4) or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # A stop before the first element can't be written as a Python slice: its minus means the far end.
        least = -x.shape[axis] - 1
        places = range(x.shape[axis])[slice(start, None if step < 0 and end <= least else end, step)]
        x = _taken(x, axis % x.ndim, places)
    return x


def _taken(x: Tensor, axis: int, places: range) -> Tensor:
    """Return the slices of `x` at `places` along an axis."""
    if places == range(x.shape[axis]):
        return x
    if places.step > 0 and len(places):
        return x[(slice(None),) * axis + (slice(places.start, places.stop, places.step),)]
    return x.index_select(axis, torch.tensor(list(places), dtype=torch.int64, device=x.device))


def _gather(node: Node, inputs: Inputs) -> Tensor:
    x, fixed = given(inputs, 0), constant(inputs, 1)
    axis = node.get("axis", 0) % x.ndim
    if fixed is not None:
        places = [int(place) % x.shape[axis] for place in fixed.reshape(-1)]
        if fixed.ndim == 0:
            # What lowers torch graphs knows slices and reshapes better than selections.
            one = _taken(x, axis, range(places[0], places[0] + 1))
            return one.reshape(*x.shape[:axis], *x.shape[axis + 1 :])
        run = range(places[0], places[-1] + 1) if places else range(0)
        if fixed.ndim == 1 and places == list(run):
            return _taken(x, axis, run)
    index = given(inputs, 1).long().to(x.device)
    index = torch.where(index < 0, index + x.shape[axis], index)
    taken = x.index_select(axis, index.reshape(-1))
    return taken.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


def _gather_elements(node: Node, inputs: Inputs) -> Tensor:
    x, index = given(inputs, 0), given(inputs, 1).long()
    axis = node.get("axis", 0) % x.ndim
    index = torch.where(index < 0, index + x.shape[axis], index)
    if index.shape[:axis] != x.shape[:axis] or index.shape[axis + 1 :] != x.shape[axis + 1 :]:
        x = x[tuple(slice(None) if i == axis else slice(size) for i, size in enumerate(index.shape))]
    return torch.gather(x, axis, index)


def reshape(node: Node, inputs: Inputs, frames: int = 1) -> Tensor:
    """Return the first input in the shape of the second; the graph is written for one frame, `frames` ride in front."""
    x, shape = given(inputs, 0), [int(size) for size in numbers(inputs, 1)]
    if not node.get("allowzero", 0):
        shape = [x.shape[i] if size == 0 else size for i, size in enumerate(shape)]
    if frames > 1 and shape and x.ndim and shape[0] == 1 and x.shape[0] == frames:
        shape[0] = frames
    return x.reshape(shape)


def _flatten(node: Node, inputs: Inputs) -> Tensor:
    x = given(inputs, 0)
    axis = node.get("axis", 1)
    return x.reshape(math.prod(x.shape[: axis + x.ndim if axis < 0 else axis]), -1)


def _squeeze(_: Node, inputs: Inputs) -> Tensor:
    x, axes = given(inputs, 0), numbers(inputs, 1)
    return x.squeeze(tuple(axes)) if axes else x.squeeze()


def _unsqueeze(_: Node, inputs: Inputs) -> Tensor:
    x, axes = given(inputs, 0), numbers(inputs, 1)
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _expand(_: Node, inputs: Inputs) -> Tensor:
    x = given(inputs, 0)
    return x.expand(np.broadcast_shapes(x.shape, tuple(numbers(inputs, 1))))


def _pad(node: Node, inputs: Inputs) -> Tensor:
    x, pads, value = given(inputs, 0), numbers(inputs, 1), numbers(inputs, 2)
    axes = numbers(inputs, 3) or list(range(x.ndim))
    before, after = [0] * x.ndim, [0] * x.ndim
    for place, axis in enumerate(axes):
        before[axis], after[axis] = pads[place], pads[len(axes) + place]
    sides = list(chain.from_iterable((before[i], after[i]) for i in reversed(range(x.ndim))))
    while len(sides) > 2 and not any(sides[-2:]):
        sides = sides[:-2]
    mode = node.get("mode", "constant")
    if mode == "constant":
        return F.pad(x, sides, value=value[0] if value else 0.0)
    if mode not in ("reflect", "edge") or len(sides) > 2 * (x.ndim - 2):
        raise refuse(node, f"mode {mode} along these axes")
    sides += [0] * (2 * (x.ndim - 2) - len(sides))
    return F.pad(x, sides, mode="replicate" if mode == "edge" else mode)


def _depth_to_space(node: Node, inputs: Inputs) -> Tensor:
    x, size = given(inputs, 0), node.get("blocksize")
    n, c, h, w = x.shape
    inner = c // (size * size)
    if node.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, size)
    moved = x.reshape(n, size, size, inner, h, w).permute(0, 3, 4, 1, 5, 2)
    return moved.reshape(n, inner, h * size, w * size)


def _space_to_depth(node: Node, inputs: Inputs) -> Tensor:
    x, size = given(inputs, 0), node.get("blocksize")
    n, c, h, w = x.shape
    moved = x.reshape(n, c, h // size, size, w // size, size).permute(0, 3, 5, 1, 2, 4)
    return moved.reshape(n, c * size * size, h // size, w // size)


MOVING: dict[str, Op] = {
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Reshape": reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": lambda n, x: given(x, 0).permute(n.get("perm") or list(range(given(x, 0).ndim))[::-1]),
    "Expand": _expand,
    "Tile": lambda _, x: given(x, 0).repeat(numbers(x, 1)),
    "Pad": _pad,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
