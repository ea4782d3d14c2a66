"""Surfaces: closed tubes of rings around an axis, from which bodies, clothes and things are put together."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.paints import Paint
from edgecnn.data.road.people.turns import cross, unit

Floats = NDArray[np.float64]

# Points around a ring: 0 and SIDES are the seam at the back, a quarter is the left, half is the front.
SIDES = 16
_ANGLE = 2 * math.pi * np.arange(SIDES) / SIDES
_FRONT, _RIGHT = -np.cos(_ANGLE), -np.sin(_ANGLE)


@dataclass(frozen=True, slots=True)
class Part:
    """One surface.

    Attributes:
        grid: points in (forward, right, up) metres, float64 [rings, SIDES, 3].
        paint: what it looks like.
        body: whether it belongs to the person's box (clothes and hair do, what is carried or ridden doesn't).
        open: whether its inside shows where it ends.
    """

    grid: Floats
    paint: Paint
    body: bool = True
    open: bool = False


@lru_cache(maxsize=16)
def ring(power: float = 2.0) -> tuple[Floats, Floats]:
    """Return the unit ring's (front, right) coordinates; powers above two make its corners squarer."""
    scale = (np.abs(_FRONT) ** power + np.abs(_RIGHT) ** power) ** (-1 / power)
    return _FRONT * scale, _RIGHT * scale


def tube(
    centres: Floats,
    fronts: Floats,
    rights: Floats,
    half_front: Floats | float,
    half_right: Floats | float,
    *,
    half_back: Floats | float | None = None,
    power: float = 2.0,
) -> Floats:
    """Return the grid [K, SIDES, 3] of rings at `centres` [K, 3] with axes [K, 3] or [3] and half measures [K]."""
    front, right = ring(power)
    reach = _column(half_front) * front
    if half_back is not None:
        reach = np.where(front > 0, reach, _column(half_back) * front)
    across = _column(half_right) * right
    return np.asarray(centres[:, None] + reach[..., None] * _row(fronts) + across[..., None] * _row(rights))


def _column(measure: Floats | float) -> Floats:
    return np.asarray(measure, np.float64).reshape(-1, 1)


def _row(axes: Floats) -> Floats:
    return np.asarray(axes[:, None] if axes.ndim == 2 else axes)


def rod(path: Floats, radius: Floats | float, hint: Floats, *, flat: float = 1.0, power: float = 2.0) -> Floats:
    """Return the grid of a tube along `path` [K, 3]; `hint` [3] is about its front, `flat` depth over breadth."""
    tangent = np.empty_like(path)
    tangent[1:-1] = path[2:] - path[:-2]
    tangent[0], tangent[-1] = path[1] - path[0], path[-1] - path[-2]
    tangent = unit(tangent)
    rights = unit(cross(hint, tangent))
    reach = np.asarray(radius, np.float64)
    return tube(path, cross(tangent, rights), rights, reach * flat, reach, power=power)


def ball(
    centre: Floats, axes: Floats, half: tuple[float, float, float], *, power: float = 2.0, rings: int = 9
) -> Floats:
    """Return the grid of an ellipsoid with half measures (front, right, up) along the columns of `axes`."""
    angle = np.linspace(0.03, math.pi - 0.03, rings)
    if power != 2.0:
        # Rings lie closest where a box turns its corner.
        angle = np.linspace(0, math.pi, rings)
        angle = angle - 0.42 * np.sin(2 * angle) * (1 - 2 / power)
        angle = np.clip(angle, 0.02, math.pi - 0.02)
    wide, high = np.sin(angle) ** (2 / power), np.abs(np.cos(angle)) ** (2 / power) * np.sign(np.cos(angle))
    path = centre + np.outer(-high * half[2], axes[:, 2])
    return tube(path, axes[:, 0], axes[:, 1], half[0] * wide, half[1] * wide, power=power)


def bend(points: tuple[Floats, Floats, Floats], at: Floats, soft: float = 0.16) -> Floats:
    """Return the places `at` [K], 0 to 1, on the path through root, middle and end, its corner rounded, [K, 3]."""
    root, middle, end = points
    upper, lower = np.maximum(1 - 2 * at, 0), np.maximum(2 * at - 1, 0)
    near = 0.05 * np.maximum(1 - np.abs(at - 0.5) / soft, 0) ** 2
    weights = np.stack([upper + 0.5 * near, 1 - upper - lower - near, lower + 0.5 * near], axis=1)
    return np.asarray(weights @ np.stack([root, middle, end]))


def hull(left: Floats, right: Floats, radius: Floats, axis_front: Floats, axis_right: Floats) -> Floats:
    """Return rings [K, SIDES, 3] around two discs each, at `left` and `right` [K, 3]: cloth over both legs."""
    front, across = ring()
    toward = axis_front * front[:, None] + axis_right * across[:, None]
    ahead = ((right - left) @ toward.T) > 0
    centre = np.where(ahead[..., None], right[:, None], left[:, None])
    return np.asarray(centre + toward * radius[:, None, None])
