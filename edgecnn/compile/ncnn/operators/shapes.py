"""What moves numbers or only says their shape anew: reshaping, transposing, joining, padding, pixel shuffles."""

import math
from dataclasses import replace

import numpy as np

from edgecnn.compile.ncnn.builder import MOST_DIMS, Builder, Dims, Value, around, natural
from edgecnn.compile.ncnn.source import Node

PAD_KINDS = {"constant": 0, "edge": 1, "reflect": 2}
ORDERS = (
    ("W", "H"),
    ("WH", "HW"),
    ("WHC", "HWC", "WCH", "CWH", "HCW", "CHW"),
    (
        *("WHDC", "HWDC", "WDHC", "DWHC", "HDWC", "DHWC", "WHCD", "HWCD", "WCHD", "CWHD", "HCWD", "CHWD"),
        *("WDCH", "DWCH", "WCDH", "CWDH", "DCWH", "CDWH", "HDCW", "DHCW", "HCDW", "CHDW", "DCHW", "CDHW"),
    ),
)
"""What ncnn's Permute calls its orders, by dimensions: the axes of the input that become width, height, ... ."""


def reshape(b: Builder, node: Node) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout: the numbers stay, and their order."""
    b.alias(node.outputs[0], b.raw(node))


def cast(b: Builder, node: Node) -> None:
    """Cast between types that ncnn holds as float32 anyhow."""
    x = b.value(node)
    source, result = b.source.dtypes.get(node.inputs[0]), b.source.dtypes.get(node.outputs[0])
    if result != "float32" or source not in {"uint8", "int8", "float32"}:
        raise node.refuse(f"it makes {result} of {source}, and ncnn computes in float32")
    b.alias(node.outputs[0], x)


def expand(b: Builder, node: Node) -> None:
    """Expand, as one Tile an axis that grows."""
    x, shape = b.value(node), b.source.shape(node, node.outputs[0])
    given = (1,) * (len(shape) - len(x.shape)) + x.shape
    _tile(b, node, replace(x, shape=given), [new // old for old, new in zip(given, shape, strict=True)])


def tile(b: Builder, node: Node) -> None:
    """Tile with constant repeats."""
    _tile(b, node, b.value(node), [int(count) for count in b.source.constant(node, 1, "repeats")])


def _tile(b: Builder, node: Node, x: Value, repeats: list[int]) -> None:
    for axis, count in enumerate(repeats):
        if count == 1:
            continue
        dims, place = around(node, x.shape, axis)
        [made] = b.emit("Tile", [b.view(x, dims)], {0: place, 1: count}, name=node.outputs[0])
        shape = (*x.shape[:axis], x.shape[axis] * count, *x.shape[axis + 1 :])
        x = replace(x, blob=made, dims=(*dims[:place], dims[place] * count, *dims[place + 1 :]), shape=shape)
    b.alias(node.outputs[0], x)


def transpose(b: Builder, node: Node) -> None:
    """Transpose: nothing where only axes of size 1 move, ShuffleChannel or Permute elsewhere."""
    x = b.value(node)
    order = tuple(node.get("perm", range(len(x.shape))[::-1]))
    if b.is_planar(x):
        b.put(node.outputs[0], x.blob, x.dims)
        return
    sizes, moved = _essence(x.shape, order)
    if moved == tuple(range(len(moved))):
        b.alias(node.outputs[0], x)
        return
    if moved == (1, 0, 2) and len(x.dims) == 3 and x.dims[0] == sizes[0] * sizes[1]:
        [made] = b.emit("ShuffleChannel", [x.blob], {0: sizes[0]}, name=node.outputs[0])
        b.put(node.outputs[0], made, x.dims)
        return
    dims, kept = natural(x.shape), len(x.shape)
    if order[0] == 0 and dims is not None and len(dims) == kept - 1:
        sizes, moved = dims, tuple(axis - 1 for axis in order[1:])
    if len(sizes) > MOST_DIMS:
        raise node.refuse(f"it moves {len(sizes)} dimensions of {list(x.shape)}, and ncnn has blobs of {MOST_DIMS}")
    [made] = b.emit("Permute", [b.view(x, sizes)], {0: _order(moved)}, name=node.outputs[0])
    b.put(node.outputs[0], made, tuple(sizes[axis] for axis in moved))


def _essence(shape: Dims, order: Dims) -> tuple[Dims, Dims]:
    """Return sizes and order of the axes that matter: without those of size 1, neighbours that stay so as one."""
    axes = [axis for axis in order if shape[axis] != 1]
    runs: list[list[int]] = []
    rank = {axis: place for place, axis in enumerate(sorted(axes))}
    for axis in axes:
        if runs and rank[axis] == rank[runs[-1][-1]] + 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    firsts = sorted(run[0] for run in runs)
    sizes = {run[0]: math.prod(shape[axis] for axis in run) for run in runs}
    return tuple(sizes[axis] for axis in firsts) or (1,), tuple(firsts.index(run[0]) for run in runs) or (0,)


def _order(moved: Dims) -> int:
    """Return ncnn's number of the order in which the result's axes, outermost first, are `moved` from the input's."""
    letters = ("W", "HW", "CHW", "CDHW")[len(moved) - 1]
    wanted = "".join(letters[axis] for axis in reversed(moved))
    return ORDERS[len(moved) - 1].index(wanted)


def concat(b: Builder, node: Node) -> None:
    """Concat along any axis."""
    shape = b.source.shape(node, node.outputs[0])
    axis = node.get("axis", 0) % len(shape)
    values = [
        b.value(node, index) for index in range(len(node.inputs)) if math.prod(b.source.shape(node, node.inputs[index]))
    ]
    if len(values) == 1:
        b.alias(node.outputs[0], values[0])
        return
    dims, place = around(node, shape, axis)
    blobs = [b.view(value, (*dims[:place], value.shape[axis], *dims[place + 1 :])) for value in values]
    [made] = b.emit("Concat", blobs, {0: place}, name=node.outputs[0])
    b.put(node.outputs[0], made, dims)


def pad(b: Builder, node: Node) -> None:
    """Pad a picture: rows and columns in every way, channels with a constant."""
    x = b.value(node)
    amounts = [int(count) for count in _pads(b, node, len(x.shape))]
    value = float(b.source.constant(node, 2, "fill").reshape(-1)[0]) if node.input(2) else node.get("value", 0.0)
    mode, dims, rank = node.get("mode", "constant"), natural(x.shape), len(x.shape)
    begin, end = amounts[:rank], amounts[rank:]
    if not any(amounts):
        b.alias(node.outputs[0], x)
        return
    if mode not in PAD_KINDS or min(amounts) < 0:
        raise node.refuse(f"mode {mode} with amounts {amounts}")
    if dims is None or rank not in {2, 3, 4} or len(dims) != rank - 1 or begin[0] or end[0]:
        raise node.refuse(f"it pads {list(x.shape)} by {amounts}")
    if len(dims) == 3 and (begin[1] or end[1]) and mode != "constant":
        raise node.refuse(f"mode {mode} over channels")
    begin, end = [0] * (4 - rank) + begin[1:], [0] * (4 - rank) + end[1:]
    parameters = {0: begin[1], 1: end[1], 2: begin[2], 3: end[2], 4: PAD_KINDS[mode], 5: value, 7: begin[0], 8: end[0]}
    shape = b.source.shape(node, node.outputs[0])
    [made] = b.emit("Padding", [b.view(x, dims)], parameters, name=node.outputs[0])
    b.put(node.outputs[0], made, shape[1:])


def _pads(b: Builder, node: Node, rank: int) -> list[int]:
    if not node.input(1):
        return list(node.get("pads", [0] * 2 * rank))
    amounts = b.source.constant(node, 1, "amounts")
    if not node.input(3):
        return list(amounts)
    axes = [int(axis) % rank for axis in b.source.constant(node, 3, "axes")]
    full = np.zeros(2 * rank, np.int64)
    full[[*axes, *(axis + rank for axis in axes)]] = amounts
    return list(full)


def depth_to_space(b: Builder, node: Node) -> None:
    """DepthToSpace: ncnn's PixelShuffle, whose modes are ONNX's CRD and DCR."""
    size, mode = node.get("blocksize", 1), int(node.get("mode", "DCR") == "DCR")
    _shuffled(b, node, "PixelShuffle", size, mode)


def space_to_depth(b: Builder, node: Node) -> None:
    """SpaceToDepth: ncnn's Reorg, in the order of ONNX."""
    _shuffled(b, node, "Reorg", node.get("blocksize", 1), 1)


def _shuffled(b: Builder, node: Node, kind: str, size: int, mode: int) -> None:
    x, shape = b.value(node), b.source.shape(node, node.outputs[0])
    [made] = b.emit(kind, [b.view(x, x.shape[1:])], {0: size, 1: mode}, name=node.outputs[0])
    b.put(node.outputs[0], made, shape[1:])
