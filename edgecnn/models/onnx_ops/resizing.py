"""ONNX's Resize and GridSample in torch. Semantics: ONNX operator specification."""

import math
from collections.abc import Callable, Sequence

import numpy as np
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
    x = given(inputs, 0)
    wanted, scales = _target(node, inputs)
    mode, place = node.get("mode", "nearest"), node.get("coordinate_transformation_mode", "half_pixel")
    if wanted == list(x.shape[2:]) and place != "tf_crop_and_resize":
        return x
    if mode == "nearest":
        return _nearest(node, x, wanted, scales)
    method = METHODS.get((mode, x.ndim - 2))
    corners = place == "align_corners"
    if (
        method is None
        or (not corners and place not in ("half_pixel", "pytorch_half_pixel"))
        or node.get("antialias", 0)
    ):
        raise refuse(node, f"mode {mode} with {place}")
    if corners or all(size * scale == new for size, scale, new in zip(x.shape[2:], scales, wanted, strict=True)):
        return F.interpolate(x, size=wanted, mode=method, align_corners=corners)
    return F.interpolate(x, scale_factor=scales, mode=method, align_corners=False)


def _target(node: Node, inputs: Inputs) -> tuple[list[int], list[float]]:
    """Return the picture's new size and by what each of its axes is scaled."""
    x, scales, sizes = given(inputs, 0), numbers(inputs, 2), numbers(inputs, 3)
    axes = [axis % x.ndim for axis in node.get("axes", range(x.ndim))]
    if not (scales or sizes):
        raise refuse(node, "it has no size")
    wanted, by = list(x.shape), [1.0] * x.ndim
    for place, axis in enumerate(axes):
        wanted[axis] = int(sizes[place]) if sizes else int(x.shape[axis] * scales[place])
        by[axis] = wanted[axis] / x.shape[axis] if sizes else float(scales[place])
    if wanted[:2] != list(x.shape[:2]) or node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise refuse(node, "it resizes more than the picture's axes")
    return wanted[2:], by[2:]


def _nearest(node: Node, x: Tensor, wanted: Sequence[int], scales: Sequence[float]) -> Tensor:
    rounding = ROUNDINGS.get(node.get("nearest_mode", "round_prefer_floor"))
    if rounding is None:
        raise refuse(node, "it rounds by no known rule")
    whole, sources = True, []
    for old, new, scale in zip(x.shape[2:], wanted, scales, strict=True):
        found = [rounding(_source(node, i, old, new, scale)) for i in range(new)]
        sources.append([min(max(place, 0), old - 1) for place in found])
        whole = whole and new % old == 0 and sources[-1] == [i * old // new for i in range(new)]
    # torch counts in float32: only at whole multiples it surely steps where the fractions say.
    if whole and len(wanted) <= 3:
        return F.interpolate(x, size=list(wanted), mode="nearest")
    for axis, index in enumerate(sources, 2):
        if index != list(range(x.shape[axis])):
            x = x.index_select(axis, torch.tensor(index, dtype=torch.int64, device=x.device))
    return x


def _source(node: Node, index: int, old: int, new: int, by: float) -> float:
    place = node.get("coordinate_transformation_mode", "half_pixel")
    # In float32, as engines count: which of two pixels is nearest may hang on the last bit.
    i, scale = np.float32(index), np.float32(by)
    if place == "half_pixel" or (place == "pytorch_half_pixel" and new > 1):
        return float((i + np.float32(0.5)) / scale - np.float32(0.5))
    if place == "pytorch_half_pixel":
        return 0.0
    if place == "asymmetric":
        return float(i / scale)
    if place == "align_corners":
        return float(i * np.float32(old - 1) / np.float32(max(new - 1, 1)))
    raise refuse(node, f"nearest pixels with {place}")


def grid_sample(node: Node, inputs: Inputs) -> Tensor:
    """GridSample of pictures."""
    x, grid, mode = given(inputs, 0), given(inputs, 1), node.get("mode", "linear")
    if x.ndim != 4 or mode not in SAMPLING:
        raise refuse(node, f"mode {mode} in {x.ndim - 2} dimensions")
    corners = bool(node.get("align_corners", 0))
    return F.grid_sample(x, grid, SAMPLING[mode], node.get("padding_mode", "zeros"), align_corners=corners)


RESIZING: dict[str, Op] = {"Resize": resize, "GridSample": grid_sample}
