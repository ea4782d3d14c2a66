"""What people sit on: benches, chairs, wheelchairs."""

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.loads import BLACK, STEEL, Load, bar, box, disc
from edgecnn.data.road.people.measures import Measures
from edgecnn.data.road.people.paints import Paint
from edgecnn.data.road.people.skeleton import Skeleton
from edgecnn.data.road.people.tubes import Part, rod
from edgecnn.data.road.people.turns import pitch

Floats = NDArray[np.float64]


def bench(load: Load, m: Measures, k: Skeleton) -> list[Part]:
    """Return a bench whose seat lies below the hips."""
    seat = float(k.hips[2]) - 0.06 * m.stature
    wood = Paint(load.color, folds=0.1)
    boards = [(at, seat - 0.02, 0.0, (0.07, 0.85, 0.02)) for at in (0.1, -0.06, -0.22)]
    boards += [(-0.33 - 0.1 * up, seat + up, 0.2, (0.015, 0.85, 0.06)) for up in (0.2, 0.36)]
    parts = [box(np.array([at, 0.0, up]), pitch(lean), half, wood, 8.0) for at, up, lean, half in boards]
    for side in (-0.72, 0.72):
        parts.append(bar(np.array([0.12, side, 0.0]), np.array([0.12, side, seat]), 0.025, BLACK))
        parts.append(bar(np.array([-0.26, side, 0.0]), np.array([-0.4, side, seat + 0.42]), 0.025, BLACK))
    return parts


def chair(load: Load, m: Measures, k: Skeleton) -> list[Part]:
    """Return a chair."""
    seat = float(k.hips[2]) - 0.06 * m.stature
    paint = Paint(load.color, gloss=0.15)
    parts = [box(np.array([-0.02, 0.0, seat - 0.02]), np.eye(3), (0.23, 0.22, 0.025), paint, 6.0)]
    parts.append(box(np.array([-0.27, 0.0, seat + 0.28]), pitch(0.12), (0.02, 0.21, 0.18), paint, 6.0))
    for side in (-0.19, 0.19):
        parts.append(bar(np.array([0.18, side, 0.0]), np.array([0.18, side, seat]), 0.014, STEEL))
        parts.append(bar(np.array([-0.24, side, 0.0]), np.array([-0.26, side, seat + 0.3]), 0.014, STEEL))
    return parts


def wheelchair(load: Load, m: Measures, k: Skeleton) -> list[Part]:
    """Return a wheelchair."""
    seat = float(k.hips[2]) - 0.06 * m.stature
    cloth = Paint(BLACK, folds=0.1)
    parts = [
        box(np.array([0.0, 0.0, seat - 0.02]), np.eye(3), (0.23, 0.22, 0.03), cloth, 5.0),
        box(np.array([-0.25, 0.0, seat + 0.2]), pitch(0.08), (0.02, 0.21, 0.24), cloth, 5.0),
    ]
    for side in (-0.27, 0.27):
        hub = np.array([-0.12, side, 0.30])
        for half in (0.0, np.pi):
            angle = half + np.linspace(0, np.pi, 12)
            path = hub + 0.285 * np.stack([np.cos(angle), 0 * angle, np.sin(angle)], axis=1)
            parts.append(Part(rod(path, 0.018, np.array([0.0, 1.0, 0.0])), Paint(BLACK)))
        parts += [disc(np.array([0.38, 0.8 * side, 0.09]), 0.09)]
        parts.append(
            bar(np.array([-0.27, side * 0.8, 0.3]), np.array([-0.3, side * 0.8, seat + 0.48]), 0.014, load.color)
        )
        parts.append(
            bar(np.array([-0.25, side * 0.85, seat + 0.2]), np.array([0.2, side * 0.85, seat + 0.2]), 0.018, load.color)
        )
        parts.append(bar(np.array([0.22, side * 0.8, seat]), np.array([0.42, side * 0.6, 0.1]), 0.014, load.color))
    return parts
