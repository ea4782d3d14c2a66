"""Resize: ncnn's Interp, where it picks and weighs the pixels that ONNX does."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from edgecnn.compile.ncnn.builder import Builder, Value
from edgecnn.compile.ncnn.operators.windows import picture
from edgecnn.compile.ncnn.source import Node

NEAREST, LINEAR, CUBIC = 1, 2, 3
KINDS = {"linear": LINEAR, "cubic": CUBIC}
EVEN = {"half_pixel", "pytorch_half_pixel"}
USUAL_CUBIC = -0.75
ROUNDINGS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "round_prefer_floor": lambda place: np.ceil(place - 0.5),
    "round_prefer_ceil": lambda place: np.floor(place + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def resize(b: Builder, node: Node) -> None:
    """Resize rows and columns."""
    x, shape = b.value(node), b.source.shape(node, node.outputs[0])
    channels, *sizes = picture(node, x.shape)
    out = [shape[2] if len(shape) == 4 else 1, shape[-1]]
    if shape[:2] != x.shape[:2] or node.get("antialias", 0):
        raise node.refuse("it resizes channels, or smooths (antialias)")
    if out == sizes:
        b.alias(node.outputs[0], x)
        return
    scales = _scales(b, node, sizes, out)
    mode = node.get("mode", "nearest")
    if mode == "nearest":
        _check_nearest(node, sizes, out, scales)
        [made] = b.emit("Interp", [b.view(x, (channels, *sizes))], _to(NEAREST, out), name=node.outputs[0])
    else:
        made = _smooth(b, node, x, (channels, *sizes), out, scales)
    b.put(node.outputs[0], made, (channels, *out))


def _to(kind: int, out: list[int]) -> dict[int, int]:
    return {0: kind, 3: out[0], 4: out[1]}


def _smooth(b: Builder, node: Node, x: Value, dims: tuple[int, ...], out: list[int], scales: list[float]) -> str:
    """Emit a linear or cubic Interp; a side of one pixel is repeated first, for ncnn would read beyond it."""
    kind, where = KINDS.get(node.get("mode", "nearest")), _where(node)
    corners = where == "align_corners"
    if kind is None or not (corners or where in EVEN):
        raise node.refuse(f"mode {node.get('mode', 'nearest')} with coordinates '{where}'")
    if kind == CUBIC and (node.get("cubic_coeff_a", USUAL_CUBIC) != USUAL_CUBIC or node.get("exclude_outside", 0)):
        raise node.refuse("ncnn's cubic has the coefficient -0.75 and repeats the border")
    if not corners and any(
        abs(new - old * scale) > 1e-3 for old, new, scale in zip(dims[1:], out, scales, strict=True)
    ):
        raise node.refuse(f"scales {scales} that do not give whole sizes; ncnn takes the ratio of sizes")
    least = 2 if kind == LINEAR else 4
    if min(dims[1:]) < least:
        raise node.refuse(f"a picture of {dims[1]} x {dims[2]} is too small for ncnn's {node.get('mode', '')} resizing")
    [made] = b.emit("Interp", [b.view(x, dims)], {**_to(kind, out), 6: int(corners)}, name=node.outputs[0])
    return made


def _where(node: Node) -> str:
    # Upsample, which Resize replaced, and Resize of opset 10 know no other.
    old = node.kind == "Upsample" or len(node.inputs) < 3
    return str(node.get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel"))


def _scales(b: Builder, node: Node, sizes: list[int], out: list[int]) -> list[float]:
    """Return the factors of rows and columns that ONNX reckons with."""
    index = 2 if len(node.inputs) > 2 else 1
    found = b.source.constant(node, index, "scales").reshape(-1) if node.input(index) else node.get("scales", [])
    axes = node.get("axes", None)
    if len(found) == 0 or (node.input(3) and index == 2):
        return [new / old for old, new in zip(sizes, out, strict=True)]
    rank = len(b.source.shape(node, node.inputs[0]))
    by_axis = dict(zip(axes or range(rank), (float(scale) for scale in found), strict=True))
    by_axis = {axis % rank: scale for axis, scale in by_axis.items()}
    return [by_axis.get(2, 1.0) if rank == 4 else 1.0, by_axis.get(rank - 1, 1.0)]


def _check_nearest(node: Node, sizes: list[int], out: list[int], scales: list[float]) -> None:
    """Raise unless ncnn, which takes floor(i * in / out), picks the very pixels that ONNX says."""
    for old, new, scale in zip(sizes, out, scales, strict=True):
        own = np.minimum(np.floor(np.arange(new, dtype=np.float32) * np.float32(old / new)), old - 1)
        if not np.array_equal(own, _picked(node, old, new, scale)):
            how = f"'{_where(node)}' and '{node.get('nearest_mode', 'round_prefer_floor')}'"
            raise node.refuse(f"from {old} to {new} pixels with {how} it picks other pixels than ncnn")


def _picked(node: Node, old: int, new: int, scale: float) -> NDArray[np.float64]:
    index, where = np.arange(new, dtype=np.float64), _where(node)
    if where == "asymmetric":
        place = index / scale
    elif where == "align_corners":
        place = index * (old - 1) / max(new - 1, 1)
    elif where in EVEN or where == "half_pixel_symmetric":
        place = (index + 0.5) / scale - 0.5
        place = place * 0 if where == "pytorch_half_pixel" and new == 1 else place
    else:
        raise node.refuse(f"coordinates '{where}'")
    rounding = "floor" if node.kind == "Upsample" or len(node.inputs) < 3 else "round_prefer_floor"
    rounded = ROUNDINGS[node.get("nearest_mode", rounding)](place)
    assert math.isfinite(rounded.sum())  # noqa: S101 - scales of fixed shapes are finite
    return np.clip(rounded, 0, old - 1)
