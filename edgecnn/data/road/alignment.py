"""The road's course: a chain of clothoids in plan and of vertical curves in height, as road builders lay it out."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REACH_M = 520.0
_STEP_M = 0.5
_BEHIND_M = 4.0


@dataclass(frozen=True, slots=True)
class Alignment:
    """The reference line, sampled every half metre of its length; it passes under the camera.

    Attributes:
        along: metres along the road, float64 [N].
        x, y, z: the line in camera ground coordinates, metres; y is the height above the ground under the car.
        heading: radians to the right of the camera's axis.
        table: x, y, z and 1 / cos(heading) side by side, float64 [N, 4], for `frame`.
    """

    along: Floats
    x: Floats
    y: Floats
    z: Floats
    heading: Floats
    table: Floats

    def frame(self, along: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return x, y, z of the line at `along`, and how many metres of x one metre across the road takes there."""
        place = (along - self.along[0]) * (1 / _STEP_M)
        index = np.minimum(np.maximum(place, 0), len(self.along) - 2).astype(np.int64)
        row = self.table[index]
        row = row + (place - index)[..., None] * (self.table[index + 1] - row)
        return row[..., 0], row[..., 1], row[..., 2], row[..., 3]

    def point(self, along: Floats, offset: Floats | float) -> tuple[Floats, Floats, Floats]:
        """Return x, y, z of the point `offset` metres to the right of the line, across the road."""
        x, y, z, stretch = self.frame(along)
        return x + offset * stretch, y, z

    @property
    def turn_m(self) -> float:
        """How far the line bends away from its first direction within 60 m: what the eye calls a curve."""
        x, _, z, _ = self.frame(np.array(60.0))
        return abs(float(x) - float(z) * math.tan(float(np.interp(0.0, self.along, self.heading))))


def straight(heading_rad: float = 0.0) -> Alignment:
    """Return a flat, straight road."""
    along = np.arange(-_BEHIND_M, REACH_M, _STEP_M)
    return _integrate(along, np.zeros_like(along), np.zeros_like(along), heading_rad)


def sample_alignment(rng: np.random.Generator, *, curved: bool, urban: bool) -> Alignment:
    """Return a random course; `curved` asks for radii a person would call a curve, `urban` for tighter ones."""
    along = np.arange(-_BEHIND_M, REACH_M, _STEP_M)
    radius = rng.uniform(60, 250) if urban else np.exp(rng.uniform(math.log(170), math.log(900)))
    strength = 1.0 / radius if curved else rng.normal(0, 1.0 / 6000)
    knots = np.cumsum(np.concatenate([[-rng.uniform(5, 90)], rng.uniform(50, 130, 12)]))
    bends = rng.normal(0, 0.6, len(knots)) * abs(strength)
    if curved:
        # The sharpest bend lies where it shows: over the car or a little ahead of it.
        bends[: 2 + int(rng.integers(2))] = strength * rng.choice([-1.0, 1.0]) * rng.uniform(0.7, 1.0)
    curvature = np.interp(along, knots, bends)
    hilly = rng.random() < 0.55
    rise = rng.normal(0, 1.0 / (1100 if hilly else 12_000), len(knots))
    vertical = np.interp(along, knots, rise) * np.clip(along / 25.0, 0, 1)
    return _integrate(along, curvature, vertical, float(rng.normal(0, 0.012)))


def _integrate(along: Floats, curvature: Floats, vertical: Floats, heading_rad: float) -> Alignment:
    """Integrate curvature (1/m) to heading to position, and vertical curvature (1/m) to grade to height."""
    heading = _from_car(np.cumsum(curvature) * _STEP_M, along) + heading_rad
    heading = np.clip(heading, -1.2, 1.2)
    grade = np.clip(_from_car(np.cumsum(vertical) * _STEP_M, along), -0.07, 0.07)
    x = _from_car(np.cumsum(np.sin(heading)) * _STEP_M, along)
    z = _from_car(np.cumsum(np.cos(heading)) * _STEP_M, along)
    y = _from_car(np.cumsum(grade) * _STEP_M, along)
    return Alignment(along, x, y, z, heading, np.stack([x, y, z, 1 / np.cos(heading)], axis=1))


def flipped(alignment: Alignment) -> Alignment:
    """Return the course with its heights turned upside down, as a ceiling sees it."""
    table = alignment.table * np.array([1.0, -1.0, 1.0, 1.0])
    return replace(alignment, y=-alignment.y, table=table)


def _from_car(values: Floats, along: Floats) -> Floats:
    return np.asarray(values - np.interp(0.0, along, values), np.float64)
