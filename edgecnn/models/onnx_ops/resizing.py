"""ONNX's Resize and GridSample in torch. Semantics: ONNX operator specification."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from edgecnn.models.onnx_ops.inputs import Inputs, Op, given, numbers, refuse
from edgecnn.models.onnx_ops.node import Node

METHODS = {("linear", 1): "linear", ("linear", 2): "bilinear", ("linear", 3): "trilinear", ("cubic", 2): "bicubic"}
ROUNDINGS: dict[str, Callable[[float], int]] = {
    "round_prefer_floor": lambda x: math.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: math.floor(x + 0.5),
    "floor": math.floor,
    "ceil": math.ceil,
}
SAMPLING = {
    "linear": "bilinear",
    "bilinear": "bilinear",
    "nearest": "nearest",
    "cubic": "bicubic",
    "bicubic": "bicubic",
}


def resize(node: Node, inputs: Inputs) -> Tensor:
    """Resize of the picture's axes to a fixed size, by the methods that torch shares with ONNX."""
    x, scales, sizes = given(inputs, 0), numbers(inputs, 2), numbers(inputs, 3)
    axes = [axis % x.ndim for axis in node.get("axes", range(x.ndim))]
    wanted = list(x.shape)
    for place, axis in enumerate(axes):
        if sizes:
            wanted[axis] = int(sizes[place])
        elif scales:
            wanted[axis] = int(x.shape[axis] * scales[place])
        else:
            raise refuse(node, "it has no size")
    if wanted[:2] != list(x.shape[:2]) or node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise refuse(node, "it resizes more than the picture's axes")
    mode, place_by = node.get("mode", "nearest"), node.get("coordinate_transformation_mode", "half_pixel")
    if wanted == list(x.shape) and place_by != "tf_crop_and_resize":
        return x
    if mode == "nearest":
        return _nearest(node, x, wanted[2:], place_by)
    method = METHODS.get((mode, x.ndim - 2))
    corners = place_by == "align_corners"
    if method is None or (not corners and place_by not in ("half_pixel", "pytorch_half_pixel")):
        raise refuse(node, f"mode {mode} with {place_by}")
    return F.interpolate(x, size=wanted[2:], mode=method, align_corners=corners)


def _nearest(node: Node, x: Tensor, wanted: Sequence[int], place: str) -> Tensor:
    rounding = ROUNDINGS.get(node.get("nearest_mode", "round_prefer_floor"))
    if rounding is None:
        raise refuse(node, "it rounds by no known rule")
    sources = []
    for old, new in zip(x.shape[2:], wanted, strict=True):
        found = [_source(node, i, old, new, place) for i in range(new)]
        sources.append([min(max(rounding(position), 0), old - 1) for position in found])
    plain = [[i * old // new for i in range(new)] for old, new in zip(x.shape[2:], wanted, strict=True)]
    # torch counts in float32: past whole multiples it might step a pixel later than the fractions say.
    whole = all(new % old == 0 for old, new in zip(x.shape[2:], wanted, strict=True))
    if sources == plain and whole and len(wanted) <= 3:
        return F.interpolate(x, size=list(wanted), mode="nearest")
    for axis, index in enumerate(sources, 2):
        if index != list(range(x.shape[axis])):
            x = x.index_select(axis, torch.tensor(index, dtype=torch.int64, device=x.device))
    return x


def _source(node: Node, i: int, old: int, new: int, place: str) -> float:
    if place == "half_pixel" or (place == "pytorch_half_pixel" and new > 1):
        return (i + 0.5) * old / new - 0.5
    if place == "pytorch_half_pixel":
        return 0.0
    if place == "asymmetric":
        return i * old / new
    if place == "align_corners":
        return i * (old - 1) / max(new - 1, 1)
    raise refuse(node, f"nearest pixels with {place}")


def grid_sample(node: Node, inputs: Inputs) -> Tensor:
    """GridSample of pictures."""
    x, grid, mode = given(inputs, 0), given(inputs, 1), node.get("mode", "linear")
    if x.ndim != 4 or mode not in SAMPLING:
        raise refuse(node, f"mode {mode} in {x.ndim - 2} dimensions")
    corners = bool(node.get("align_corners", 0))
    return F.grid_sample(x, grid, SAMPLING[mode], node.get("padding_mode", "zeros"), align_corners=corners)


RESIZING: dict[str, Op] = {"Resize": resize, "GridSample": grid_sample}
