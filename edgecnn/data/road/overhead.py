"""What spans the road or stands by it: bridges, sign gantries, road signs and lamp posts."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.layout import Layout
from edgecnn.data.road.noise import TILE, fractal
from edgecnn.data.road.view import View

Float32 = NDArray[np.float32]
Point = tuple[float, float, float]

_SHIFT = 4
# A bridge ends out of sight.
_DECK_M = 400.0
_GREEN, _BLUE, _WHITE, _AMBER = (72.0, 92.0, 22.0), (140.0, 72.0, 24.0), (225.0, 226.0, 226.0), (28.0, 150.0, 225.0)


@dataclass(frozen=True, slots=True)
class Structure:
    """One thing at a place on the road: `kind` is bridge, gantry, sign or post."""

    kind: str
    along: float
    offset: float
    size_m: float
    color: tuple[float, float, float]


def sample_structures(rng: np.random.Generator, layout: Layout, *, bridge: bool) -> tuple[Structure, ...]:
    """Return the structures of a scene, far to near."""
    found = []
    if bridge:
        found.append(
            Structure("bridge", float(rng.uniform(18, 150)), 0.0, float(rng.uniform(7, 22)), (140.0, 146.0, 150.0))
        )
    if layout.kind == "freeway" and rng.random() < 0.12:
        color = _GREEN if rng.random() < 0.6 else _BLUE
        found.append(
            Structure("gantry", float(rng.uniform(25, 180)), float(rng.uniform(-6, 6)), float(rng.uniform(3, 7)), color)
        )
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.4 else 0):
        color = (_GREEN, _BLUE, _WHITE, _AMBER)[int(rng.integers(4))]
        away = layout.right_m + rng.uniform(1, 5) if rng.random() < 0.75 else layout.left_m - rng.uniform(1, 5)
        found.append(Structure("sign", float(rng.uniform(14, 140)), float(away), float(rng.uniform(0.6, 2.6)), color))
    if rng.random() < 0.4:
        right = rng.random() < 0.6
        away = float(layout.right_m + rng.uniform(0.8, 9) if right else layout.left_m - rng.uniform(0.8, 9))
        tall, gap = float(rng.uniform(5, 11)), float(rng.uniform(25, 55))
        found += [
            Structure("post", float(at), away, tall, (96.0, 100.0, 104.0))
            for at in np.arange(rng.uniform(6, 40), 260, gap)
        ]
    return tuple(sorted(found, key=lambda item: -item.along))


def draw_structure(rng: np.random.Generator, view: View, item: Structure, picture: Frame) -> None:
    """Draw one structure into the picture, in place."""
    target = picture[: max(view.limit(item.along), 1)]
    {"bridge": _bridge, "gantry": _gantry, "sign": _sign, "post": _post}[item.kind](rng, view, item, target)


def _quad(view: View, target: Frame, points: list[Point], albedo: tuple[float, ...], facing: float) -> None:
    place = np.array(points)
    u, v, depth = view.project(place[:, 0], place[:, 1], place[:, 2])
    if depth.min() < 0.5:
        return
    color = view.lit(np.asarray(albedo, np.float32), float(depth.mean()), facing)
    pixels = np.clip(np.stack([u - 0.5, v - 0.5], axis=1), -8000, 8000)
    cv2.fillConvexPoly(
        target, np.rint(pixels * (1 << _SHIFT)).astype(np.int32), [float(c) for c in color], cv2.LINE_AA, _SHIFT
    )


def _panel(
    view: View, target: Frame, along: float, span: tuple[float, float], rise: tuple[float, float],
    albedo: tuple[float, ...], facing: float,
) -> None:  # fmt: skip
    """A rectangle across the road."""
    (left, right), (low, high) = span, rise
    corners = [(along, left, low), (along, right, low), (along, right, high), (along, left, high)]
    _quad(view, target, corners, albedo, facing)


def _bridge(rng: np.random.Generator, view: View, item: Structure, target: Frame) -> None:
    low, high = 5.0 + float(rng.uniform(0, 1.5)), 6.8 + float(rng.uniform(0, 1.2))
    far = item.along + item.size_m
    tone = float(rng.uniform(0.7, 1.15))
    for side in (-1.0, 1.0):
        at = side * float(rng.uniform(9, 16))
        _panel(view, target, far, (at - 1, at + 1), (0, low), item.color, 0.35 * tone)
        _panel(view, target, item.along, (at - 1, at + 1), (0, low), item.color, 0.7 * tone)
    _quad(
        view,
        target,
        [(item.along, -_DECK_M, low), (item.along, _DECK_M, low), (far, _DECK_M, low), (far, -_DECK_M, low)],
        item.color,
        0.22,
    )
    before = target.copy()
    _panel(view, target, item.along, (-_DECK_M, _DECK_M), (low, high), item.color, 0.85 * tone)
    _panel(view, target, item.along, (-_DECK_M, _DECK_M), (low, low + 0.25), item.color, 0.6 * tone)
    _panel(view, target, item.along, (-_DECK_M, _DECK_M), (high, high + 0.9), item.color, 0.95 * tone)
    _, _, depth = view.project(np.array([item.along]), 0.0, low)
    _stain(rng, target, before, 0.08 * float(np.exp(-depth[0] / view.light.haze_m)))


def _stain(rng: np.random.Generator, target: Frame, before: Frame, strength: float) -> None:
    """Stain what was drawn since `before`."""
    changed = (target != before).any(axis=2)
    rows = np.flatnonzero(changed.any(axis=1))
    if not len(rows):
        return
    begin, end = int(rows[0]), int(rows[-1]) + 1
    tile = fractal(int(rng.integers(6)), 1.1)
    field = tile[(np.arange(end - begin) // 2)[:, None] % TILE, np.arange(target.shape[1])[None, :] % TILE]
    stained = target[begin:end] * (1 + strength * field * changed[begin:end])[..., None]
    target[begin:end] = np.clip(stained, 0, 255)


def _gantry(rng: np.random.Generator, view: View, item: Structure, target: Frame) -> None:
    grey = (120.0, 124.0, 128.0)
    for at in (-14.0, 12.0):
        _panel(view, target, item.along, (at, at + 0.35), (0, 7.2), grey, 0.7)
    _panel(view, target, item.along, (-14, 12), (6.6, 7.2), grey, 0.75)
    for at in (item.offset, item.offset + item.size_m + 1.0):
        _board(rng, view, target, item, at, 5.6)


def _board(rng: np.random.Generator, view: View, target: Frame, item: Structure, at: float, low: float) -> None:
    """A panel with a rim and lines of lettering."""
    tall = item.size_m * 0.55
    near = item.along - 0.1
    light = (215.0, 218.0, 218.0) if item.color != _WHITE else (40.0, 40.0, 40.0)
    _panel(view, target, near, (at, at + item.size_m), (low, low + tall), light, 0.75)
    rim = 0.03 * item.size_m
    _panel(view, target, near, (at + rim, at + item.size_m - rim), (low + rim, low + tall - rim), item.color, 0.85)
    _, _, depth = view.project(np.array([near]), at, low)
    if item.size_m * view.camera.focal_px / float(depth[0]) < 30:
        # Too far off for its letters to be told apart.
        return
    for row in range(2):
        base, begin = low + tall * (0.2 + 0.38 * row), at + item.size_m * 0.12
        for _ in range(int(rng.integers(3, 8))):
            wide = item.size_m * float(rng.uniform(0.03, 0.1))
            _panel(view, target, near, (begin, begin + wide), (base, base + tall * 0.2), light, 0.8)
            begin += wide * 1.5


def _sign(rng: np.random.Generator, view: View, item: Structure, target: Frame) -> None:
    _panel(view, target, item.along, (item.offset - 0.05, item.offset + 0.05), (0, 2.2), (110.0, 112.0, 112.0), 0.7)
    if item.color == _AMBER:
        half = item.size_m * 0.35
        middle = 2.3 + half
        corners = [(item.along, item.offset, middle - half), (item.along, item.offset + half, middle),
                   (item.along, item.offset, middle + half), (item.along, item.offset - half, middle)]  # fmt: skip
        _quad(view, target, corners, _AMBER, 0.95)
        return
    _board(rng, view, target, item, item.offset - item.size_m / 2, 2.0)


def _post(_: np.random.Generator, view: View, item: Structure, target: Frame) -> None:
    half = 0.07 + 0.004 * item.size_m
    _panel(view, target, item.along, (item.offset - half, item.offset + half), (0, item.size_m), item.color, 0.6)
    arm = 1.8 if item.offset < 0 else -1.8
    span = (min(item.offset, item.offset + arm), max(item.offset, item.offset + arm))
    if int(abs(item.offset) * 10) % 2:
        _panel(view, target, item.along, span, (item.size_m - 0.15, item.size_m), item.color, 0.6)
