"""Parts of a tensor along an axis: Slice, Split and Gather with constant indices."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgecnn.compile.ncnn.builder import Builder, Value, around
from edgecnn.compile.ncnn.source import Node

MOST_PIECES = 64
"""Pieces beyond which a selection is refused: each is a layer of its own."""


def split(b: Builder, node: Node) -> None:
    """Split along any axis."""
    x = b.value(node)
    axis = node.get("axis", 0) % len(x.shape)
    sizes = tuple(b.source.shape(node, name)[axis] for name in node.outputs)
    dims, place = around(node, x.shape, axis)
    if len(sizes) == 1:
        b.alias(node.outputs[0], x)
        return
    made = b.emit("Slice", [b.view(x, dims)], {0: sizes, 1: place}, name=node.outputs[0], outputs=len(sizes))
    for name, blob, size in zip(node.outputs, made, sizes, strict=True):
        b.put(name, blob, (*dims[:place], size, *dims[place + 1 :]))


def cut(b: Builder, node: Node) -> None:
    """Slice with constant ends, axis by axis."""
    x = b.value(node)
    for axis, start, end, step in _cuts(b, node, len(x.shape)):
        x = _chosen(b, node, x, axis, range(x.shape[axis])[slice(start, end, step)])
    b.alias(node.outputs[0], x)


def gather(b: Builder, node: Node) -> None:
    """Gather with constant indices along an axis."""
    x, indices = b.value(node), b.source.constant(node, 1, "indices")
    axis = node.get("axis", 0) % len(x.shape)
    wanted = [int(index) % x.shape[axis] for index in indices.reshape(-1)]
    b.alias(node.outputs[0], _chosen(b, node, x, axis, wanted))


def _cuts(b: Builder, node: Node, rank: int) -> list[tuple[int, int | None, int | None, int]]:
    starts, ends, axes, steps = _read(b, node)
    found: list[tuple[int, int | None, int | None, int]] = []
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # Backwards an end below the first element means: up to and with it.
        whole = int(step) < 0 and int(end) < -(1 << 30)
        found.append((int(axis) % rank, int(start), None if whole else int(end), int(step)))
    return found


def _read(b: Builder, node: Node) -> tuple[list[int], list[int], list[int], list[int]]:
    """Return starts, ends, axes and steps, which were attributes once."""
    if not node.input(1):
        starts = list(node.get("starts", []))
        return starts, list(node.get("ends", [])), list(node.get("axes", range(len(starts)))), [1] * len(starts)
    names = enumerate(("starts", "ends", "axes", "steps"), 1)
    starts, ends, axes, steps = (
        b.source.constant(node, index, what).tolist() if node.input(index) else [] for index, what in names
    )
    return starts, ends, axes or list(range(len(starts))), steps or [1] * len(starts)


def _chosen(b: Builder, node: Node, x: Value, axis: int, wanted: Sequence[int]) -> Value:
    """Return `x` with the elements `wanted` along `axis`, in their order."""
    if not wanted:
        raise node.refuse("it gives a tensor without elements")
    pieces = _pieces(wanted)
    if len(pieces) == 1 and pieces[0] == (0, x.shape[axis]):
        return x
    strided = _strided(b, node, x, axis, wanted) if len(pieces) > 1 else None
    if strided is not None:
        return strided
    if len(pieces) > MOST_PIECES:
        raise node.refuse(f"it picks {len(pieces)} separate pieces, and each is a layer in ncnn")
    made = [_cropped(b, node, x, axis, start, size) for start, size in pieces]
    if len(made) == 1:
        return made[0]
    dims, place = around(node, x.shape, axis)
    ends = [(*dims[:place], part.shape[axis], *dims[place + 1 :]) for part in made]
    blobs = [b.view(part, own) for part, own in zip(made, ends, strict=True)]
    [blob] = b.emit("Concat", blobs, {0: place}, name=node.outputs[0])
    shape = (*x.shape[:axis], len(wanted), *x.shape[axis + 1 :])
    return Value(blob, (*dims[:place], len(wanted), *dims[place + 1 :]), shape)


def _pieces(wanted: Sequence[int]) -> list[tuple[int, int]]:
    """Return runs of neighbours as (first, how many)."""
    found: list[tuple[int, int]] = []
    for index in wanted:
        if found and index == sum(found[-1]):
            found[-1] = found[-1][0], found[-1][1] + 1
        else:
            found.append((index, 1))
    return found


def _strided(b: Builder, node: Node, x: Value, axis: int, wanted: Sequence[int]) -> Value | None:
    """Return every n-th element by making rows of n and cutting out one of each; None where they are not such."""
    step = wanted[1] - wanted[0]
    even = step > 1 and list(wanted) == list(range(wanted[0], wanted[-1] + 1, step))
    first = wanted[0] - wanted[0] % step if even else 0
    if not even or first + len(wanted) * step > x.shape[axis]:
        return None
    rows = _cropped(b, node, x, axis, first, len(wanted) * step)
    shape = (*x.shape[:axis], len(wanted), step, *x.shape[axis + 1 :])
    part = _cropped(b, node, replace(rows, shape=shape), axis + 1, wanted[0] % step, 1)
    return replace(part, shape=(*x.shape[:axis], len(wanted), *x.shape[axis + 1 :]))


def _cropped(b: Builder, node: Node, x: Value, axis: int, start: int, size: int) -> Value:
    """Return `size` elements of `x` along `axis` from `start` on."""
    if size == x.shape[axis]:
        return x
    dims, place = around(node, x.shape, axis)
    before = int(np.prod(x.shape[:axis]))
    times = 1
    if before == 1 and x.dims[0] % x.shape[axis] == 0:
        # The outermost axis of the blob holds whole elements of the one to be cut, so that it can stay as it is.
        dims, place, times = x.dims, 0, x.dims[0] // x.shape[axis]
    parameters = {9: (start * times,), 10: ((start + size) * times,), 11: (place,)}
    [blob] = b.emit("Crop", [b.view(x, dims)], parameters, name=node.outputs[0])
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    return Value(blob, (*dims[:place], size * times, *dims[place + 1 :]), shape)
