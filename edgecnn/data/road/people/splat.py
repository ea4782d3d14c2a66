"""A depth buffer of points: surfaces are sampled more finely than the pixels, and the nearest point of each stays."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.figure import Figure
from edgecnn.data.road.people.tubes import SIDES

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]

_FAR = np.int64(1) << 62


@dataclass(frozen=True, slots=True)
class Visible:
    """The nearest points at the covered places of a fine grid.

    Attributes:
        shape: rows and columns of the grid.
        place: flat indices into it, int64 [V].
        part: index of the part, int64 [V]; spans: (part, begin, end) of each part's run of places.
        s, t: where on its surface, 0 to 1; float32 [V].
        shade, depth: light on it and metres from the camera, float32 [V].
    """

    shape: tuple[int, int]
    place: Ints
    part: Ints
    spans: tuple[tuple[int, int, int], ...]
    s: Float32
    t: Float32
    shade: Float32
    facing: Float32
    depth: Float32


@lru_cache(maxsize=512)
def _along(count: int, rings: int) -> Float32:
    """Return weights [count, rings] that interpolate rings by Catmull-Rom pieces."""
    at = np.linspace(0.0, rings - 1.0, count)
    left = np.minimum(at.astype(np.int64), rings - 2)
    return _cubic(at, left, rings, wrap=False)


@lru_cache(maxsize=512)
def _around(count: int) -> Float32:
    """Return weights [count, SIDES] that interpolate around a ring."""
    at = np.arange(count) * (SIDES / count)
    left = at.astype(np.int64)
    return _cubic(at, left, SIDES, wrap=True)


def _cubic(at: NDArray[np.floating[Any]], left: Ints, size: int, *, wrap: bool) -> Float32:
    x = at - left
    pieces = (
        -0.5 * x + x**2 - 0.5 * x**3,
        1 - 2.5 * x**2 + 1.5 * x**3,
        0.5 * x + 2 * x**2 - 1.5 * x**3,
        -0.5 * x**2 + 0.5 * x**3,
    )
    weights = np.zeros((len(x), size), np.float32)
    rows = np.arange(len(x))
    for step, piece in enumerate(pieces):
        index = left + step - 1
        index = index % size if wrap else np.clip(index, 0, size - 1)
        np.add.at(weights, (rows, index), piece)
    return weights


def refine(field: Floats | Float32, rows: int, columns: int) -> Float32:
    """Return grids [C, rings, SIDES] interpolated to float32 [C, rows, columns]."""
    tall = _along(rows, field.shape[1]) @ field.astype(np.float32, copy=False)
    return np.asarray(tall @ _around(columns).T)


def splat(figure: Figure, shade: Floats, facing: Floats, window: tuple[int, int, int, int], scale: float) -> Visible:
    """Return what is seen of the figure in the window (x0, y0, x1, y1) of the canvas, about `scale` places a pixel."""
    x0, y0, x1, y1 = window
    wide, tall = round((x1 - x0) * scale), round((y1 - y0) * scale)
    x, y = (figure.u - x0) * (wide / (x1 - x0)), (figure.v - y0) * (tall / (y1 - y0))
    fields = np.stack([x, y, figure.depth, shade, facing]).astype(np.float32)
    nearest = np.full(wide * tall, _FAR)
    found: list[_Dense] = []
    base = 0
    for number, (rows, columns) in enumerate(_sizes(figure, x, y, (wide, tall), 1.1 if scale > 1 else 1.5)):
        if rows == 0:
            continue
        dense = refine(fields[:, figure.starts[number] : figure.starts[number + 1]], rows, columns).reshape(5, -1)
        # Whatever is left of or above the window becomes a large unsigned number.
        column, row = dense[0].astype(np.int32).view(np.uint32), dense[1].astype(np.int32).view(np.uint32)
        back = -2.0 if figure.parts[number].open else -0.15
        chosen = np.flatnonzero((dense[4] > back) & (column < wide) & (row < tall))
        place = row[chosen].astype(np.int64) * wide + column[chosen]
        near = (dense[2, chosen] * 4096).astype(np.int64)
        np.minimum.at(nearest, place, (near << 32) | (chosen + base))
        found.append(_Dense(number, base, columns, rows, dense))
        base += rows * columns
    return _gather(nearest, found, (tall, wide))


@dataclass(frozen=True, slots=True)
class _Dense:
    """The samples of one part: those from number `base` on, float32 [5, rows * columns]."""

    part: int
    base: int
    columns: int
    rows: int
    fields: Float32


def _sizes(figure: Figure, x: Floats, y: Floats, size: tuple[int, int], dense: float) -> list[tuple[int, int]]:
    """Return for each part how many samples along and around leave no gaps, (0, 0) where it is out of the window.

    `dense` is how many samples there are to a place each way: averaging hides the few gaps that one leaves.
    """
    first = np.array(figure.starts[:-1])
    rings = np.diff(figure.starts)
    along = np.hypot(np.diff(x, axis=0, append=x[-1:]), np.diff(y, axis=0, append=y[-1:])).max(axis=1)
    # From a part's last ring there is no step to the next part.
    along[np.array(figure.starts[1:]) - 1] = 0
    around = np.hypot(x - np.roll(x, 1, axis=1), y - np.roll(y, 1, axis=1)).max(axis=1)
    longest, widest = np.maximum.reduceat(along, first), np.maximum.reduceat(around, first)
    total = np.add.reduceat(along, first)
    tall = np.minimum(longest * (rings - 1), 3.0 * total) * dense
    low_x, high_x = np.minimum.reduceat(x.min(axis=1), first), np.maximum.reduceat(x.max(axis=1), first)
    low_y, high_y = np.minimum.reduceat(y.min(axis=1), first), np.maximum.reduceat(y.max(axis=1), first)
    shown = (high_x > 0) & (high_y > 0) & (low_x < size[0]) & (low_y < size[1])
    return [
        (_steps(float(a)), max(6, _steps(float(b)))) if c else (0, 0)
        for a, b, c in zip(tall, widest * (SIDES * dense), shown, strict=True)
    ]


def _steps(length: float) -> int:
    """Return a number of samples at most 1 apart, rounded up so that few different tables of weights are needed."""
    need = int(min(length, 6000.0)) + 2
    step = 1 << max(0, need.bit_length() - 4)
    return -(-need // step) * step


def _gather(nearest: Ints, found: list[_Dense], shape: tuple[int, int]) -> Visible:
    place = np.flatnonzero(nearest < _FAR)
    index = nearest[place] & 0xFFFFFFFF
    # Sorted by sample number, each part's places lie together.
    order = np.argsort(index)
    place, index = place[order], index[order]
    ends = np.searchsorted(index, [*(entry.base for entry in found), np.iinfo(np.int64).max])
    part = np.zeros(len(place), np.int64)
    s, t, shade, facing, depth = (np.zeros(len(place), np.float32) for _ in range(5))
    spans = []
    for entry, begin, end in zip(found, ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        if begin == end:
            continue
        spans.append((entry.part, begin, end))
        local = index[begin:end] - entry.base
        row = local // entry.columns
        part[begin:end] = entry.part
        s[begin:end], t[begin:end] = row / (entry.rows - 1), (local - row * entry.columns) / entry.columns
        depth[begin:end], shade[begin:end], facing[begin:end] = entry.fields[2:5, local]
    return Visible(shape, place, part, tuple(spans), s, t, shade, facing, depth)
