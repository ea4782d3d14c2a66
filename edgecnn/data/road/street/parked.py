"""Cars that stand along the kerb."""

from dataclasses import replace

import numpy as np

from edgecnn.data.road.street.section import Section
from edgecnn.data.road.traffic import Vehicle
from edgecnn.data.road.vehicle_shapes import BODIES, Body, sample_body, sample_paint

_REACH_M = 110.0
_LARGE = ("truck", "bus")


def sample_parked(rng: np.random.Generator, section: Section) -> tuple[Vehicle, ...]:
    """Return the vehicles parked in the strips of a street, with gaps at its crossings and here and there."""
    found: list[Vehicle] = []
    for side in section.sides:
        if not side.parking_m:
            continue
        taken = float(rng.uniform(0.15, 0.95))
        at = float(rng.uniform(1.5, 9))
        middle = side.kerb_m - side.sign * 1.15
        while at < _REACH_M:
            body = _small(rng)
            if rng.random() < taken and not _at_crossing(section, at, body):
                offset = middle + float(np.clip(rng.normal(0, 0.08), -0.2, 0.2))
                found.append(
                    Vehicle(body, sample_paint(rng, body), at, offset, side.sign < 0, braking=False, lit=False)
                )
            at += body.length_m + float(rng.uniform(0.5, 1.6))
    return tuple(sorted(found, key=lambda vehicle: -vehicle.along))


def _small(rng: np.random.Generator) -> Body:
    body = sample_body(rng)
    body = BODIES[int(rng.integers(4))] if body.name in _LARGE and rng.random() < 0.8 else body
    # No two cars of a street have just the same measures.
    return replace(body, length_m=round(body.length_m * float(rng.choice([0.93, 1.0, 1.06])), 3))


def _at_crossing(section: Section, at: float, body: Body) -> bool:
    return any(
        at - 1.5 < crossing.along + crossing.deep_m and crossing.along < at + body.length_m + 1.5
        for crossing in section.crossings
    )
