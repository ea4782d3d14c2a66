"""Shadows on the ground: under vehicles, and in sunlight of trees, poles, rails and bridges across the road."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.ground import Ground
from edgecnn.data.road.layout import Layout
from edgecnn.data.road.noise import TILE, tile
from edgecnn.data.road.paint import strip
from edgecnn.data.road.traffic import Vehicle
from edgecnn.data.road.view import View

Float32 = NDArray[np.float32]

_SHIFT = 4
# Farther off, what lies under a vehicle is less than a pixel high.
_FAR_M = 90.0


def cast_shadows(
    rng: np.random.Generator, view: View, ground: Ground, layout: Layout, traffic: tuple[Vehicle, ...], *, hard: bool
) -> Float32:
    """Return the share of direct and sky light that is taken away, float32 [R, W] in 0..1.

    `hard` asks for shadows of trees, poles or rails across the road; they need sun.
    """
    shade = _under_vehicles(view, ground, traffic)
    if view.light.sun > 0 and hard:
        sun = view.light.sun
        draw = rng.random()
        if draw < 0.65:
            np.maximum(shade, _foliage(rng, ground, layout) * np.float32(sun), out=shade)
        if draw > 0.5:
            _bars(rng, ground, layout, shade, sun)
    return shade


def _under_vehicles(view: View, ground: Ground, traffic: tuple[Vehicle, ...]) -> Float32:
    """A dark patch below each body, and its shadow beside it in sunlight."""
    mask = np.zeros(ground.across.shape, np.uint8)
    toward = -view.light.sun_side
    for vehicle in traffic:
        if vehicle.along > _FAR_M:
            continue
        half, length = vehicle.body.width_m / 2, vehicle.body.length_m
        if view.light.sun > 0:
            reach = toward * vehicle.body.profile[len(vehicle.body.profile) // 2][1] * 1.1
            _patch(
                view,
                ground,
                vehicle,
                mask,
                (min(-half, -half + reach), max(half, half + reach)),
                length,
                view.light.sun,
            )
        _patch(view, ground, vehicle, mask, (-half * 1.04, half * 1.04), length, 0.78)
    if ground.across.shape[0] > 8:
        mask = np.asarray(cv2.blur(mask, (3, 3)), np.uint8)
    return mask.astype(np.float32) * np.float32(1 / 255)


def _patch(
    view: View,
    ground: Ground,
    vehicle: Vehicle,
    mask: NDArray[np.uint8],
    span: tuple[float, float],
    length: float,
    depth: float,
) -> None:
    along = vehicle.along + np.array([-0.15, -0.15, length, length])
    u, v, far = view.project(along, vehicle.offset + np.array([span[0], span[1], span[1], span[0]]), 0.0)
    if far.min() < 0.5:
        return
    points = np.clip(np.stack([u - 0.5, v - 0.5 - ground.top], axis=1), -4000, 4000) * (1 << _SHIFT)
    cv2.fillConvexPoly(mask, np.rint(points).astype(np.int32), int(255 * depth), cv2.LINE_AA, _SHIFT)


def _foliage(rng: np.random.Generator, ground: Ground, layout: Layout) -> Float32:
    """Tree crowns' shadows: blotches with holes of light, reaching in from one side or lying across."""
    shift = (float(rng.uniform(0, TILE)), float(rng.uniform(0, TILE)))
    size = float(rng.uniform(0.03, 0.12))
    blotch = ground.texture(tile(int(rng.integers(3)), 1.5), size, size * rng.uniform(0.6, 2.0), shift)
    leaves = ground.texture(tile(int(rng.integers(3)), 0.9), 0.03, 0.05, shift[::-1])
    reach = rng.uniform(0.1, 1.3) * (layout.right_m - layout.left_m)
    from_left = rng.random() < 0.5
    into = layout.left_m + reach - ground.across if from_left else ground.across - (layout.right_m - reach)
    period = rng.uniform(14, 60)
    rhythm = np.sin(ground.along / period * 2 * np.pi + rng.uniform(0, 6)).astype(np.float32)[:, None] * 0.8
    # The trees stand beside the road, not all over the fields.
    afield = np.clip((np.abs(ground.across) - 18) * 0.3, 0, 4)
    level = blotch + 0.4 * leaves + rhythm + np.clip(into * 0.35, -2.5, 0.6) - afield
    return np.asarray(np.clip(level * rng.uniform(2, 6) + 0.5, 0, 1), np.float32)


def _bars(rng: np.random.Generator, ground: Ground, layout: Layout, shade: Float32, sun: float) -> None:
    """Straight shadows: of poles and bridges across the road, of a rail or wall along it."""
    for _ in range(int(rng.integers(1, 4))):
        wide = float(rng.uniform(0.15, 0.5) if rng.random() < 0.6 else rng.uniform(3, 11))
        start, skew = float(rng.uniform(4, 60)), float(rng.normal(0, 0.6))
        middle = start + skew * ground.across
        distance = np.abs(ground.along.astype(np.float32)[:, None] - middle) - wide / 2
        soft = np.maximum(ground.length, 0.06).astype(np.float32)[:, None]
        np.maximum(shade, np.clip(0.5 - distance / soft, 0, 1) * np.float32(sun), out=shade)
    if rng.random() < 0.5:
        edge = layout.left_m + rng.uniform(-0.3, 1.6) if rng.random() < 0.5 else layout.right_m - rng.uniform(-0.3, 1.6)
        pixels = strip(ground, float(edge), float(rng.uniform(0.1, 1.4)))
        old = shade[pixels.rows, pixels.columns]
        shade[pixels.rows, pixels.columns] = np.maximum(old, pixels.cover * sun)
