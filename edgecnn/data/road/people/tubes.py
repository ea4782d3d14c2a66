"""Surfaces: closed tubes of rings around an axis, from which bodies, clothes and things are put together."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.paints import Paint
from edgecnn.data.road.people.turns import unit

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
        body: whether it belongs to the person's box (clothes and hair do, prams and umbrellas don't).
    """

    grid: Floats
    paint: Paint
    body: bool = True


def ring(power: float = 2.0) -> tuple[Floats, Floats]:
    """Return the unit ring's (front, right) coordinates; powers above two make its corners squarer."""
    if power == 2.0:
        return _FRONT, _RIGHT
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
    """Return the grid [K, SIDES, 3] of rings at `centres` [K, 3] with axes [K, 3] and half measures [K]."""
    front, right = ring(power)
    count = len(centres)
    ahead = np.broadcast_to(np.asarray(half_front, np.float64), count)[:, None]
    behind = ahead if half_back is None else np.broadcast_to(np.asarray(half_back, np.float64), count)[:, None]
    across = np.broadcast_to(np.asarray(half_right, np.float64), count)[:, None]
    reach = np.where(front > 0, ahead, behind) * front
    fronts, rights = np.broadcast_to(fronts, centres.shape), np.broadcast_to(rights, centres.shape)
    return np.asarray(
        centres[:, None] + fronts[:, None] * reach[..., None] + rights[:, None] * (across * right)[..., None]
    )


def rod(path: Floats, radius: Floats | float, hint: Floats, *, flat: float = 1.0, power: float = 2.0) -> Floats:
    """Return the grid of a tube along `path` [K, 3]; `hint` [3] is about its front, `flat` depth over breadth."""
    tangent = unit(np.gradient(path, axis=0))
    rights = unit(np.cross(np.broadcast_to(hint, tangent.shape), tangent))
    fronts = np.cross(tangent, rights)
    radius = np.broadcast_to(np.asarray(radius, np.float64), len(path))
    return tube(path, fronts, rights, radius * flat, radius, power=power)


def ball(
    centre: Floats, axes: Floats, half: tuple[float, float, float], *, power: float = 2.0, rings: int = 9
) -> Floats:
    """Return the grid of an ellipsoid with half measures (front, right, up) along the columns of `axes`."""
    angle = np.linspace(0.03, math.pi - 0.03, rings)
    wide = np.sin(angle) if power == 2.0 else np.sin(angle) ** (2 / power)
    path = centre + np.outer(-np.cos(angle) * half[2], axes[:, 2])
    return tube(path, axes[:, 0], axes[:, 1], half[0] * wide, half[1] * wide, power=power)


def bend(points: list[Floats], steps: int, soft: float = 0.16) -> Floats:
    """Return a path [steps, 3] through root, middle and end whose corner is rounded."""
    root, middle, end = points
    at = np.linspace(0, 1, steps)[:, None]
    straight = np.where(at < 0.5, root + (middle - root) * 2 * at, middle + (end - middle) * (2 * at - 1))
    near = np.clip(1 - np.abs(at - 0.5) / soft, 0, 1) ** 2
    inner = (root + end) / 2 - middle
    return np.asarray(straight + near * inner * 0.05)


def hull(left: Floats, right: Floats, radius: Floats, axis_front: Floats, axis_right: Floats) -> Floats:
    """Return rings [K, SIDES, 3] around two discs each, at `left` and `right` [K, 3]: cloth over both legs."""
    front, across = ring()
    toward = axis_front * front[:, None] + axis_right * across[:, None]
    ahead = ((right - left) @ toward.T) > 0
    centre = np.where(ahead[..., None], right[:, None], left[:, None])
    return np.asarray(centre + toward * radius[:, None, None])
