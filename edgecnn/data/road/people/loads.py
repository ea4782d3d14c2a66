"""A carried thing, and the simple solids that things are put together from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.measures import Measures
from edgecnn.data.road.people.paints import Color, Mark, Paint
from edgecnn.data.road.people.skeleton import Limb
from edgecnn.data.road.people.tubes import Part, ball, rod

Floats = NDArray[np.float64]

BLACK: Color = (28.0, 28.0, 29.0)
STEEL: Color = (150.0, 150.0, 150.0)
WOOD: Color = (58.0, 84.0, 118.0)


@dataclass(frozen=True, slots=True)
class Load:
    """One carried thing.

    Attributes:
        name: one of LOADS.
        color: BGR albedo.
        side: 0 the left hand or shoulder, 1 the right.
        size: factor of its usual measures.
    """

    name: str
    color: Color
    side: int = 1
    size: float = 1.0


def at_metres(forward: float, right: float, up: float) -> Floats:
    """Return a place or a way in (forward, right, up) metres."""
    return np.array([forward, right, up])


def palm_of(measures: Measures, arm: Limb) -> Floats:
    """Return the middle of the palm."""
    return np.asarray(arm.end - 0.5 * measures.hand * arm.axes[:, 2])


def box(centre: Floats, axes: Floats, half: tuple[float, float, float], paint: Paint, power: float = 5.0) -> Part:
    """Return a box with rounded edges."""
    return Part(ball(centre, axes, half, power=power, rings=11), paint)


def bar(start: Floats, end: Floats, radius: float, color: Color) -> Part:
    """Return a thin straight rod."""
    path = start + np.linspace(0, 1, 5)[:, None] * (end - start)
    return Part(
        rod(path, radius, np.array([0.31, 0.13, 0.1]) + 0.9 * np.array([0.0, 1.0, 0.0])), Paint(color, gloss=0.2)
    )


def disc(hub: Floats, size: float) -> Part:
    """Return a small wheel."""
    tyre = Mark(BLACK, (0.0, 1.0), strength=1.0)
    return Part(ball(hub, np.eye(3), (size, 0.028, size), power=2.2, rings=9), Paint(STEEL, (tyre,)))
