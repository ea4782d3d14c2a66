"""A person as surfaces in their own axes, and these surfaces in the camera's world."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.carried import hold, load_parts
from edgecnn.data.road.people.clothes import dressed_parts
from edgecnn.data.road.people.cycles import cycle_parts, sit_on
from edgecnn.data.road.people.head import head_parts
from edgecnn.data.road.people.person import Person
from edgecnn.data.road.people.skeleton import build_skeleton
from edgecnn.data.road.people.tubes import Part
from edgecnn.data.road.view import View

Floats = NDArray[np.float64]


FINE_PX = 70


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


# A person's box is asked for beside their picture.
@lru_cache(maxsize=32)
def build_parts(person: Person, *, fine: bool) -> tuple[Part, ...]:
    """Return the person's surfaces in (forward, right, up) metres; only `fine` ones have ears, noses and thumbs."""
    skeleton = build_skeleton(person.measures, person.pose)
    things: list[Part] = []
    for load in person.loads:
        skeleton = hold(load, person.measures, skeleton)
    if person.cycle:
        skeleton = sit_on(person.cycle, person.measures, skeleton)
        things += cycle_parts(person.cycle, person.measures)
    for load in person.loads:
        things += load_parts(load, person.measures, skeleton)
    return (
        *things,
        *dressed_parts(skeleton, person.measures, person.outfit, fine=fine),
        *head_parts(skeleton, person.measures, person.outfit, fine=fine),
    )


def stand_before(view: View, person: Person) -> Figure:
    """Return the person's surfaces as the camera of `view` sees them."""
    x, y, z = view.alignment.point(np.array(person.along), person.offset)
    tall_px = view.camera.focal_px * person.stature_m / max(float(z), 0.1)
    parts = build_parts(person, fine=tall_px > FINE_PX)
    local = np.concatenate([part.grid for part in parts])
    heading = person.heading_rad + float(np.interp(person.along, view.alignment.along, view.alignment.heading))
    cos, sin = np.cos(heading), np.sin(heading)
    right = float(x) + local[..., 0] * sin + local[..., 1] * cos
    ahead = float(z) + local[..., 0] * cos - local[..., 1] * sin
    up = float(y) + person.up_m + local[..., 2]
    u, v, depth = view.camera.project(right, up, ahead)
    starts = (0, *np.cumsum([len(part.grid) for part in parts]).tolist())
    return Figure(parts, np.stack([right, up, ahead], axis=-1), u, v, depth, starts)


def ground_under(view: View, person: Person) -> float:
    """Return the height of the ground the person stands on, metres."""
    return float(view.alignment.point(np.array(person.along), person.offset)[1]) + person.up_m
