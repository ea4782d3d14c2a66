"""A person as surfaces in their own axes, and these surfaces in the camera's world."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.clothes import dressed_parts
from edgecnn.data.road.people.head import head_parts
from edgecnn.data.road.people.person import Person
from edgecnn.data.road.people.skeleton import build_skeleton
from edgecnn.data.road.people.tubes import Part
from edgecnn.data.road.view import View

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """A person's surfaces before one camera; all parts' rings lie one after the other.

    Attributes:
        points: world coordinates (right, up, ahead), metres, float64 [N, SIDES, 3].
        u, v, depth: the same on the canvas, float64 [N, SIDES].
        starts: each part's first ring and, last, N.
    """

    parts: tuple[Part, ...]
    points: Floats
    u: Floats
    v: Floats
    depth: Floats
    starts: tuple[int, ...]


def build_parts(person: Person) -> list[Part]:
    """Return the person's surfaces in (forward, right, up) metres."""
    skeleton = build_skeleton(person.measures, person.pose)
    return [
        *dressed_parts(skeleton, person.measures, person.outfit),
        *head_parts(skeleton, person.measures, person.outfit),
    ]


def stand_before(view: View, person: Person) -> Figure:
    """Return the person's surfaces as the camera of `view` sees them."""
    parts = tuple(build_parts(person))
    local = np.concatenate([part.grid for part in parts])
    at = np.array(person.along)
    x, y, z = view.alignment.point(at, person.offset)
    heading = person.heading_rad + float(np.interp(person.along, view.alignment.along, view.alignment.heading))
    cos, sin = np.cos(heading), np.sin(heading)
    right = float(x) + local[..., 0] * sin + local[..., 1] * cos
    ahead = float(z) + local[..., 0] * cos - local[..., 1] * sin
    up = float(y) + person.up_m + local[..., 2]
    u, v, depth = view.camera.project(right, up, ahead)
    starts = (0, *np.cumsum([len(part.grid) for part in parts]).tolist())
    return Figure(parts, np.stack([right, up, ahead], axis=-1), u, v, depth, starts)
