"""Which vehicles are on the road, and where."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edgecnn.data.road.layout import Layout
from edgecnn.data.road.vehicle_shapes import Body, sample_body, sample_paint

_REACH_M = 220.0


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One vehicle: `along` is its near end, `offset` its middle across the road, both in metres.

    `lit` tells whether its lamps are on when it is dark; a parked one's are not.
    """

    body: Body
    paint: tuple[float, float, float]
    along: float
    offset: float
    oncoming: bool
    braking: bool
    lit: bool = True


def sample_traffic(rng: np.random.Generator, layout: Layout, *, occluded: bool) -> tuple[Vehicle, ...]:
    """Return the vehicles of a scene, far to near; `occluded` asks for some that hide lane lines."""
    density = float(rng.choice([0.0, 0.008, 0.02, 0.045], p=[0.16, 0.36, 0.34, 0.14]))
    if occluded:
        density = max(density, 0.02)
    vehicles: list[Vehicle] = []
    middle = layout.lanes[len(layout.lanes) // 2]
    for left, right in pairwise(layout.lanes):
        own = left < 0 < right
        oncoming = layout.kind != "freeway" and (left + right) / 2 < middle and not own
        # The car ahead keeps its distance; those in other lanes may be alongside.
        gap = float(rng.uniform(13, 60) if own else rng.uniform(1.5, 40))
        start = gap + float(rng.exponential(0.5 / density)) if density else 1e9
        if occluded and own:
            start = float(rng.uniform(8, 20))
        vehicles += _queue(rng, density, start, (left + right) / 2, oncoming=oncoming)
    if layout.opposite:
        begin, end = layout.opposite
        for offset in np.arange(end - 2.8, begin + 1.5, -layout.lane_m):
            start = float(rng.uniform(5, 60) + rng.exponential(0.5 / density)) if density else 1e9
            vehicles += _queue(rng, density, start, float(offset), oncoming=True)
    return tuple(sorted(vehicles, key=lambda vehicle: -vehicle.along))


def _queue(rng: np.random.Generator, density: float, start: float, offset: float, *, oncoming: bool) -> list[Vehicle]:
    """Vehicles one behind the other in one lane, `density` a metre, the first at `start`."""
    found = []
    at = start
    while at < _REACH_M:
        body = sample_body(rng)
        shifted = offset + float(np.clip(rng.normal(0, 0.25), -0.6, 0.6))
        found.append(Vehicle(body, sample_paint(rng, body), at, shifted, oncoming, bool(rng.random() < 0.2)))
        at += body.length_m + float(rng.uniform(6, 12) + rng.exponential(1 / max(density, 1e-3)))
    return found
