"""The colours of what is seen of a figure: paint, marks, folds, light."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.light import Light
from edgecnn.data.road.noise import TILE, tile
from edgecnn.data.road.people.paints import Mark, Paint
from edgecnn.data.road.people.splat import Visible
from edgecnn.data.road.people.tubes import Part

Float32 = NDArray[np.float32]
Bools = NDArray[np.bool_]


def color_of(light: Light, parts: tuple[Part, ...], seen: Visible, *, fine: bool) -> Float32:
    """Return BGR float32 [V, 3] as it looks before the air dims it; `fine` figures show their smallest marks."""
    color = np.array([part.paint.color for part in parts], np.float32)[seen.part]
    shade = seen.shade.copy()
    for number, begin, end in seen.spans:
        paint = parts[number].paint
        s, t = seen.s[begin:end], seen.t[begin:end]
        if paint.marks:
            _mark(paint, color[begin:end], s, t, fine=fine)
        if paint.folds:
            shade[begin:end] *= 1 + np.float32(paint.folds) * _folds(paint, s, t)
        if paint.gloss:
            shade[begin:end] *= 1 + np.float32(paint.gloss) * (np.maximum(seen.facing[begin:end], 0) ** 6 - 0.5)
    # The inside of open cloth lies in its own shade.
    shade *= np.where(seen.facing < -0.15, 0.5, 0.85 + 0.15 * np.clip(seen.facing, 0, 1))
    shade *= _crevices(seen)
    return np.asarray(color * light.ambient * shade[:, None])


def _mark(paint: Paint, color: Float32, s: Float32, t: Float32, *, fine: bool) -> None:
    for mark in paint.marks:
        if mark.fine and not fine:
            continue
        inside = _inside(mark, s, t)
        color[inside] += np.float32(mark.strength) * (np.array(mark.color, np.float32) - color[inside])


def _inside(mark: Mark, s: Float32, t: Float32) -> Bools:
    if mark.shape == "round":
        ds = (s - (mark.s[0] + mark.s[1]) / 2) / max((mark.s[1] - mark.s[0]) / 2, 1e-6)
        dt = (t - (mark.t[0] + mark.t[1]) / 2) / max((mark.t[1] - mark.t[0]) / 2, 1e-6)
        return np.asarray(ds * ds + dt * dt < 1)
    if mark.shape == "vee":
        ds = (s - mark.s[0]) / (mark.s[1] - mark.s[0])
        half, middle = (mark.t[1] - mark.t[0]) / 2, (mark.t[1] + mark.t[0]) / 2
        return np.asarray(np.abs(t - middle) < half * ds)
    inside = (s >= mark.s[0]) & (s <= mark.s[1]) & (t >= mark.t[0]) & (t <= mark.t[1])
    if mark.shape == "rings":
        inside &= (s * mark.count) % 1 < mark.share
    elif mark.shape == "bars":
        inside &= (t * mark.count) % 1 < mark.share
    elif mark.shape == "dots":
        row = np.floor(s * mark.count)
        ds, dt = s * mark.count - row - 0.5, (t * mark.count * 1.6 + 0.5 * (row % 2)) % 1 - 0.5
        inside &= ds * ds + dt * dt < mark.share**2 / 4
    return inside


def _folds(paint: Paint, s: Float32, t: Float32) -> Float32:
    """Return how much folds lighten and darken cloth, about -1 to 1: creases that run more around than along."""
    relief = tile(paint.grain % 5, 1.5, 2.0)
    rows = (s * 110).astype(np.int64) + paint.grain * 37
    columns = (np.abs(t - 0.5) * 190).astype(np.int64) + paint.grain * 91
    here = relief[columns % TILE, rows % TILE].astype(np.float32)
    # A crease shows its slope: light above, dark below.
    above = relief[columns % TILE, (rows + 5) % TILE]
    return np.asarray((here - above) / 34 + (here - 128) / 120)


def _crevices(seen: Visible) -> Float32:
    """Return how much light reaches each point: what lies behind something near it gets less."""
    image = np.zeros(seen.shape, np.float32)
    covered = np.zeros(seen.shape, np.float32)
    image.reshape(-1)[seen.place] = seen.depth
    covered.reshape(-1)[seen.place] = 1
    width = max(3, seen.shape[0] // 16) | 1
    total, count = cv2.blur(image, (width, width)), cv2.blur(covered, (width, width))
    mean = (total.reshape(-1)[seen.place]) / np.maximum(count.reshape(-1)[seen.place], 1e-3)
    return np.asarray(1 - np.clip((seen.depth - mean) * 3.5, 0, 0.45), np.float32)
