"""Prams."""

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.loads import BLACK, STEEL, Load, at_metres, bar, box, disc
from edgecnn.data.road.people.measures import Measures
from edgecnn.data.road.people.paints import Paint
from edgecnn.data.road.people.skeleton import Skeleton
from edgecnn.data.road.people.tubes import Part, ball
from edgecnn.data.road.people.turns import pitch

Floats = NDArray[np.float64]


def pram(load: Load, m: Measures, _: Skeleton) -> list[Part]:
    """Return a pram ahead of its handle."""
    handle = np.array([0.30 * m.stature, 0.0, max(0.9, 0.56 * m.stature)])
    paint = Paint(load.color, folds=0.2)
    ahead = handle[0] + 0.45
    dark = Paint((load.color[0] * 0.45, load.color[1] * 0.45, load.color[2] * 0.45))
    parts = [
        box(np.array([ahead, 0.0, 0.60]), pitch(0.15), (0.36, 0.22, 0.13), dark, 3.0),
        Part(ball(np.array([ahead - 0.12, 0.0, 0.80]), pitch(0.5), (0.26, 0.235, 0.24), power=2.4), paint),
        Part(ball(np.array([ahead + 0.18, 0.0, 0.66]), pitch(0.2), (0.26, 0.2, 0.10), power=2.6), paint),
        bar(handle + at_metres(0, -0.22, 0), handle + at_metres(0, 0.22, 0), 0.016, BLACK),
    ]
    for side in (-0.22, 0.22):
        parts.append(bar(handle + at_metres(0, side, 0), np.array([ahead + 0.22, side, 0.16]), 0.012, STEEL))
        parts.append(bar(np.array([ahead - 0.32, side, 0.16]), np.array([ahead + 0.15, side, 0.55]), 0.012, STEEL))
        parts += [disc(np.array([ahead + at, 1.15 * side, size]), size) for at, size in ((-0.32, 0.15), (0.28, 0.11))]
    return parts
