"""Umbrellas."""

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.loads import STEEL, Load, at_metres, bar, palm_of
from edgecnn.data.road.people.measures import Measures
from edgecnn.data.road.people.paints import Mark, Paint
from edgecnn.data.road.people.skeleton import Skeleton
from edgecnn.data.road.people.tubes import Part
from edgecnn.data.road.people.turns import pitch

Floats = NDArray[np.float64]


def umbrella(load: Load, m: Measures, k: Skeleton) -> list[Part]:
    """Return an open umbrella and its stick."""
    grip = palm_of(m, k.arms[load.side])
    lean = pitch(-0.12)
    top = grip + lean @ np.array([0.0, 0.0, 0.72])
    top = np.array([top[0], 0.5 * top[1], max(top[2], k.head[2] + 1.25 * m.head)])
    level = np.linspace(0.02, 1, 9)
    wide = 0.52 * load.size * level
    path = top - np.outer(0.24 * load.size * level**2, lean[:, 2])
    dark = (load.color[0] * 0.6, load.color[1] * 0.6, load.color[2] * 0.6)
    shade = Mark(dark, shape="bars", count=8.0, share=0.5, strength=0.35)
    # Seen from below, the same cloth: a second skin just inside.
    outer, inner = (np.array([path[0] + 0.03 * lean[:, 2], *path]), path[::-1] - 0.012 * lean[:, 2])
    radius = np.array([0.002, *wide, *wide[::-1] * 0.985])
    from_edge = _rings(np.concatenate([outer, inner]), radius, lean)
    return [Part(from_edge, Paint(load.color, (shade,))), bar(grip - at_metres(0, 0, 0.1), top, 0.008, STEEL)]


def _rings(path: Floats, radius: Floats, axes: Floats) -> Floats:
    angle = 2 * np.pi * np.arange(16) / 16
    toward = np.outer(-np.cos(angle), axes[:, 0]) + np.outer(-np.sin(angle), axes[:, 1])
    return np.asarray(path[:, None] + radius[:, None, None] * toward)
