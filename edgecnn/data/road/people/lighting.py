"""How light falls on a figure: a sky dome, the sun, light from the ground, the car's lamps."""

import math

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.light import Light
from edgecnn.data.road.people.turns import cross

Floats = NDArray[np.float64]


def sun_direction(light: Light) -> Floats:
    """Return the unit vector (right, up, ahead) toward the sun, which stands on `sun_side`."""
    side = light.sun_side
    vector = np.array([0.95 * side, 0.9, -0.35 * math.copysign(1.0, 0.6 - abs(side)) * (1 - 0.5 * abs(side))])
    return np.asarray(vector / np.linalg.norm(vector))


def normals_of(points: Floats, starts: tuple[int, ...]) -> Floats:
    """Return outward unit normals [N, SIDES, 3] of grids that lie one after the other."""
    count = len(points)
    before, after = np.arange(count) - 1, np.arange(count) + 1
    first, last = np.array(starts[:-1]), np.array(starts[1:]) - 1
    before[first], after[last] = first, last
    along = points[after] - points[before]
    around = np.roll(points, -1, axis=1) - np.roll(points, 1, axis=1)
    normal = cross(along, around)
    out = points - points.mean(axis=1, keepdims=True)
    sign = np.add.reduceat((normal * out).sum(axis=(1, 2)), first)
    normal *= np.repeat(np.where(sign < 0, -1.0, 1.0), last - first + 1)[:, None, None]
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12))


def shade_of(light: Light, normals: Floats, toward: Floats, depth_m: float) -> tuple[Floats, Floats]:
    """Return light on surfaces as a factor of the ambient light, and facing: cosines toward the camera [N, SIDES]."""
    facing = (normals * toward).sum(axis=-1)
    up = normals[..., 1]
    sky = 0.78 + 0.22 * up
    direct = 0.0
    if light.sun > 0:
        sun = sun_direction(light)
        direct = np.maximum(normals @ sun, 0) / max(sun[1], 0.35)
    shade = (1 - 0.85 * light.sun) * sky + light.sun * 0.9 * direct + 0.06
    lamps = light.headlights * math.exp(-((depth_m / 38.0) ** 2)) * 0.7
    glow = lamps * np.clip(0.35 + 0.65 * facing, 0, 1) / max(light.brightness, 0.02)
    return np.asarray(shade + glow), np.asarray(facing)
