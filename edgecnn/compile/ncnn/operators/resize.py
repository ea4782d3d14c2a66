"""Resize: ncnn's Interp, where it picks and weighs the pixels that ONNX does."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from edgecnn.compile.ncnn.builder import Builder, Dims, Value
from edgecnn.compile.ncnn.operators.windows import picture
from edgecnn.compile.ncnn.source import Node

NEAREST, LINEAR, CUBIC = 1, 2, 3
KINDS = {"linear": LINEAR, "cubic": CUBIC}
EVEN = {"half_pixel", "pytorch_half_pixel"}
USUAL_CUBIC = -0.75
LEAST = {LINEAR: 2, CUBIC: 4}
"""Pixels a side that ncnn needs: it reads as many neighbours."""
HAIR = 1e-3
"""How far from a whole number a size may be that scales give."""
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
        made = _smooth(b, node, x, (channels, sizes[0], sizes[1]), out, scales)
    b.put(node.outputs[0], made, (channels, *out))


def _to(kind: int, out: list[int]) -> dict[int, int]:
    return {0: kind, 3: out[0], 4: out[1]}


def _smooth(b: Builder, node: Node, x: Value, dims: Dims, out: list[int], scales: list[float]) -> str:
    """Emit a linear or cubic Interp. A side of one pixel is repeated first, for ncnn would read beyond it."""
    kind, where = _kind(node), _where(node)
    if where != "align_corners" and any(
        abs(new - old * scale) > HAIR for old, new, scale in zip(dims[1:], out, scales, strict=True)
    ):
        raise node.refuse(f"scales {scales} that do not give whole sizes; ncnn takes the ratio of sizes")
    blob, name = b.view(x, dims), node.outputs[0]
    if dims[1:] == (1, 1):
        return b.emit("Interp", [blob], _to(NEAREST, out), name=name)[0]
    if any(1 < size < LEAST[kind] for size in dims[1:]):
        raise node.refuse(f"a picture of {dims[1]} x {dims[2]} is too small for ncnn's cubic")
    wide = [max(LEAST[kind], new) if old == 1 else old for old, new in zip(dims[1:], out, strict=True)]
    goal = [between if old == 1 else new for old, new, between in zip(dims[1:], out, wide, strict=True)]
    if wide != list(dims[1:]):
        [blob] = b.emit("Interp", [blob], _to(NEAREST, wide), name=name)
    [blob] = b.emit("Interp", [blob], {**_to(kind, goal), 6: int(where == "align_corners")}, name=name)
    if goal != out:
        [blob] = b.emit("Crop", [blob], {9: (0, 0), 10: tuple(out), 11: (1, 2)}, name=name)
    return blob


def _kind(node: Node) -> int:
    """Return ncnn's number of the way to smooth, where it has what the node says."""
    mode, where = node.get("mode", "nearest"), _where(node)
    if mode not in KINDS or where not in {"align_corners", *EVEN}:
        raise node.refuse(f"mode {mode} with coordinates '{where}'")
    kind = KINDS[mode]
    if kind == CUBIC and (node.get("cubic_coeff_a", USUAL_CUBIC) != USUAL_CUBIC or node.get("exclude_outside", 0)):
        raise node.refuse("ncnn's cubic has the coefficient -0.75 and repeats the border")
    return kind


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
    return np.clip(ROUNDINGS[node.get("nearest_mode", rounding)](place), 0, old - 1)
