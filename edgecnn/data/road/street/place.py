"""Where people can be in a scene, and what is in the way."""

import math
from dataclasses import dataclass, field

import numpy as np

from edgecnn.data.road.alignment import Alignment
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.street.furniture import Item
from edgecnn.data.road.street.section import Section
from edgecnn.data.road.traffic import Vehicle

Spot = tuple[float, float]

_APART_M = 0.42
_STATURE_M, _HALF_M = 1.7, 0.32
# Whoever covers more of another than that, a map of centres can hardly tell from them.
_MOST_OVERLAP = 0.5
# How often people are on each part of a street that is in sight.
_RATES = {"left": 0.30, "right": 0.36, "road": 0.15, "parking": 0.19}


@dataclass
class Place:
    """A scene's ground, what stands on it, and who was put there; all ends at `end_m`."""

    camera: Camera
    alignment: Alignment
    section: Section
    vehicles: tuple[Vehicle, ...]
    items: tuple[Item, ...]
    end_m: float
    taken: list[Spot] = field(default_factory=list)

    def seen(self, along: float, beyond: float = 0.0) -> Spot:
        """Return the lowest and highest offset that the frame, wider by `beyond` metres, shows at `along`."""
        x, _, z, stretch = (float(value) for value in self.alignment.frame(np.array(along)))
        metre = max(z, 0.1) / self.camera.focal_px
        left = -self.camera.centre_x_px * metre - beyond
        right = (self.camera.width - self.camera.centre_x_px) * metre + beyond
        return (left - x) / stretch, (right - x) / stretch

    def free(self, along: float, offset: float, apart: float = _APART_M, *, merged: bool = False) -> bool:
        """Whether there is ground, and neither a vehicle nor a thing nor another person stands on it.

        Unless people may be `merged`, they don't cover one another in the picture as a whole, either.
        """
        if not 1.2 < along < self.end_m - 0.4 or not self._paved(along, offset):
            return False
        if any(math.hypot(along - a, offset - o) < apart for a, o in self.taken):
            return False
        if not merged and any(self._overlap((along, offset), one) > _MOST_OVERLAP for one in self.taken):
            return False
        if any(math.hypot(along - item.along, offset - item.offset) < item.half_m + 0.2 for item in self.items):
            return False
        return not any(
            vehicle.along - 0.35 < along < vehicle.along + vehicle.body.length_m + 0.35
            and abs(offset - vehicle.offset) < vehicle.body.width_m / 2 + 0.3
            for vehicle in self.vehicles
        )

    def _overlap(self, one: Spot, other: Spot) -> float:
        """Return the IoU of the boxes that two upright people have in the picture."""
        (left, top, right, foot), (begin, upper, end, lower) = self._box(one), self._box(other)
        shared = max(min(right, end) - max(left, begin), 0.0) * max(min(foot, lower) - max(top, upper), 0.0)
        return shared / ((right - left) * (foot - top) + (end - begin) * (lower - upper) - shared)

    def _box(self, at: Spot) -> tuple[float, float, float, float]:
        """Return about where a grown person at `at` is seen: left, top, right and foot in parts of the focal length."""
        x, _, z, stretch = (float(value) for value in self.alignment.frame(np.array(at[0])))
        depth, middle = max(z, 0.1), x + at[1] * stretch
        left, right, down = middle - _HALF_M, middle + _HALF_M, self.camera.height_m
        return left / depth, (down - _STATURE_M) / depth, right / depth, down / depth

    def part(self, rng: np.random.Generator, along: float) -> str:
        """Return a part of the ground that can be seen at `along`."""
        if self.section.kind != "street":
            return "anywhere" if self.section.kind in {"square", "plain"} else "verge"
        open_ = [name for name in _RATES if self.span(name, along) is not None]
        if not open_:
            return "road"
        share = np.array([_RATES[name] for name in open_])
        return open_[int(rng.choice(len(open_), p=share / share.sum()))]

    def span(self, part: str, along: float, beyond: float = 0.15) -> Spot | None:
        """Return the offsets of a part of the ground that are in sight at `along`, or None."""
        low, high = self.seen(along, beyond)
        within = self._within(part, along)
        low, high = max(low, within[0]), min(high, within[1])
        return (low, high) if high - low > 0.3 else None

    def _within(self, part: str, along: float) -> Spot:
        section = self.section
        if part == "verge":
            return section.layout.right_m + 0.4, section.layout.right_m + 3.0
        if not section.sides:
            return -60.0, 60.0
        left, right = section.sides
        if part in {"left", "right"}:
            low, high = (left if part == "left" else right).walk
            return low + 0.25, high - 0.3
        if part == "parking":
            side = (left, right)[int(along * 10) % 2]
            other = side.kerb_m - side.sign * side.parking_m
            return (min(side.kerb_m, other), max(side.kerb_m, other)) if side.parking_m else (0.0, 0.0)
        if part in {"road", "crossing"}:
            return left.kerb_m, right.kerb_m
        return left.wall_m + 0.3, right.wall_m - 0.3

    def _paved(self, along: float, offset: float) -> bool:
        low, high = self._within("anywhere", along)
        return low <= offset <= high or not self.section.sides
