"""A depth buffer of points: surfaces are sampled more finely than the pixels, and the nearest point of each stays."""

from dataclasses import dataclass
from functools import lru_cache

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
        part: index of the part; s, t: where on its surface, 0 to 1; float32 [V].
        shade, depth: light on it and metres from the camera, float32 [V].
    """

    shape: tuple[int, int]
    place: Ints
    part: Ints
    s: Float32
    t: Float32
    shade: Float32
    facing: Float32
    depth: Float32


@lru_cache(maxsize=512)
def _along(count: int, rings: int) -> Float32:
    """Return weights [count, rings] that interpolate rings by Catmull-Rom pieces."""
    at: Floats = np.linspace(0, rings - 1, count, dtype=np.float64)
    left = np.minimum(at.astype(np.int64), rings - 2)
    return _cubic(np.asarray(at - left, np.float64), left, rings, wrap=False)


@lru_cache(maxsize=512)
def _around(count: int) -> Float32:
    """Return weights [count, SIDES] that interpolate around a ring."""
    at = np.arange(count) * (SIDES / count)
    left = at.astype(np.int64)
    return _cubic(at - left, left, SIDES, wrap=True)


def _cubic(x: Floats, left: Ints, size: int, *, wrap: bool) -> Float32:
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


def refine(field: Floats, rows: int, columns: int) -> Float32:
    """Return grids [C, rings, SIDES] interpolated to float32 [C, rows, columns]."""
    tall = _along(rows, field.shape[1]) @ field.astype(np.float32)
    return np.asarray(tall @ _around(columns).T)


def splat(figure: Figure, shade: Floats, facing: Floats, window: tuple[int, int, int, int], scale: float) -> Visible:
    """Return what is seen of the figure in the window (x0, y0, x1, y1) of the canvas, `scale` points a pixel."""
    x0, y0, x1, y1 = window
    wide, tall = round((x1 - x0) * scale), round((y1 - y0) * scale)
    fields = np.stack([(figure.u - x0) * scale, (figure.v - y0) * scale, figure.depth, shade, facing])
    nearest = np.full(wide * tall, _FAR)
    found: list[tuple[Float32, ...]] = []
    base = 0
    for first, last in zip(figure.starts[:-1], figure.starts[1:], strict=True):
        field = fields[:, first:last]
        if field[0].max() < 0 or field[1].max() < 0 or field[0].min() > wide or field[1].min() > tall:
            found.append(())
            continue
        rows, columns = _sizes(field[0], field[1])
        dense = refine(field, rows, columns)
        x, y = dense[0].ravel(), dense[1].ravel()
        inside = (x >= 0) & (x < wide) & (y >= 0) & (y < tall) & (dense[4].ravel() > -0.15)
        chosen = np.flatnonzero(inside)
        place = y[chosen].astype(np.int64) * wide + x[chosen].astype(np.int64)
        near = (dense[2].ravel()[chosen] * 4096).astype(np.int64)
        np.minimum.at(nearest, place, (near << 32) | (chosen + base))
        found.append((dense, np.array([base, rows, columns])))
        base += rows * columns
    return _gather(nearest, found, (tall, wide))


def _sizes(x: Floats, y: Floats) -> tuple[int, int]:
    """Return how many samples along and around leave no gaps: steps of at most 0.7 places."""
    along = np.hypot(np.diff(x, axis=0), np.diff(y, axis=0)).max(axis=1).sum()
    closed = np.hypot(np.diff(x, axis=1, append=x[:, :1]), np.diff(y, axis=1, append=y[:, :1])).sum(axis=1).max()
    return _steps(along), max(6, _steps(closed))


def _steps(length: float) -> int:
    """Round up so that few different tables of weights are needed."""
    need = int(min(length, 6000.0) * 1.4) + 2
    step = 1 << max(0, need.bit_length() - 4)
    return -(-need // step) * step


def _gather(nearest: Ints, found: list[tuple[Float32, ...]], shape: tuple[int, int]) -> Visible:
    place = np.flatnonzero(nearest < _FAR)
    index = nearest[place] & 0xFFFFFFFF
    part = np.zeros(len(place), np.int64)
    s, t, shade, facing, depth = (np.zeros(len(place), np.float32) for _ in range(5))
    for number, entry in enumerate(found):
        if not entry:
            continue
        dense, sizes = entry
        base, rows, columns = (int(size) for size in sizes)
        mine = np.flatnonzero((index >= base) & (index < base + rows * columns))
        local = index[mine] - base
        part[mine] = number
        row = local // columns
        s[mine], t[mine] = row / (rows - 1), (local - row * columns) / columns
        flat = dense.reshape(5, -1)
        depth[mine], shade[mine], facing[mine] = flat[2][local], flat[3][local], flat[4][local]
    return Visible(shape, place, part, s, t, shade, facing, depth)
