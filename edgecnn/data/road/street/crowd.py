"""Who is in a scene, and where: on pavements and crossings, on the road, in groups, waiting, riding."""

import math
from dataclasses import dataclass, field

import numpy as np

from edgecnn.data.road.alignment import Alignment
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.people import Person, sample_person
from edgecnn.data.road.street.section import Section
from edgecnn.data.road.traffic import Vehicle

# Heights in pixels of a frame 360 rows high at these quantiles: the 5, 25, 50, 75 and 95 % points of the people in
# CityPersons' validation set, and tails.
_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_HEIGHTS_PX = (14.0, 30.0, 57.0, 91.0, 151.0, 298.0, 380.0)
_ROWS = 360
_STATURE_M = 1.7
_NEAREST_M, _FARTHEST_M = 1.6, 75.0
_APART_M = 0.42

ALONG, ACROSS = 0.0, math.pi / 2


@dataclass(frozen=True, slots=True)
class Someone:
    """One person of a scene; `crowd` numbers the crowd they can't be told apart in, 0 for none."""

    person: Person
    crowd: int = 0

    @property
    def along(self) -> float:
        """Return how far along the road, in metres."""
        return self.person.along

    @property
    def offset(self) -> float:
        """Return how far to the right of the reference line, in metres."""
        return self.person.offset


@dataclass
class _Ground:
    """Where people can be, and where somebody is already."""

    camera: Camera
    alignment: Alignment
    section: Section
    vehicles: tuple[Vehicle, ...]
    taken: list[tuple[float, float]] = field(default_factory=list)

    def seen(self, along: float) -> tuple[float, float]:
        """Return the lowest and highest offset that the frame shows at `along`."""
        x, _, z, stretch = (float(value) for value in self.alignment.frame(np.array(along)))
        half = z / self.camera.focal_px
        left = -self.camera.centre_x_px * half
        right = (self.camera.width - self.camera.centre_x_px) * half
        return (left - x) / stretch, (right - x) / stretch

    def free(self, along: float, offset: float, apart: float = _APART_M) -> bool:
        """Whether neither a vehicle nor another person stands there."""
        if any(math.hypot(along - a, offset - o) < apart for a, o in self.taken):
            return False
        return not any(
            vehicle.along - 0.35 < along < vehicle.along + vehicle.body.length_m + 0.35
            and abs(offset - vehicle.offset) < vehicle.body.width_m / 2 + 0.3
            for vehicle in self.vehicles
        )


def sample_crowd(
    rng: np.random.Generator, camera: Camera, alignment: Alignment, section: Section, vehicles: tuple[Vehicle, ...]
) -> tuple[Someone, ...]:
    """Return the people of a scene; about one scene in ten with a street has none, and most open roads."""
    ground = _Ground(camera, alignment, section, vehicles)
    street = bool(section.sides) or section.kind == "plain"
    if rng.random() < (0.08 if street else 0.85):
        return ()
    found: list[Someone] = []
    groups = int(rng.choice([1, 2, 3, 4, 5, 7], p=[0.16, 0.24, 0.24, 0.18, 0.12, 0.06]) if street else 1)
    for _ in range(groups):
        found += _group(rng, ground)
    if street and rng.random() < 0.06:
        found += _dense(rng, ground, 1)
    return tuple(found)


def wanted_height_px(rng: np.random.Generator) -> float:
    """Draw a height in pixels of a frame 360 rows high, as often as CityPersons shows it."""
    return float(np.exp(np.interp(rng.random(), _QUANTILES, np.log(_HEIGHTS_PX))))


def _distance_m(rng: np.random.Generator, ground: _Ground) -> float:
    tall = wanted_height_px(rng) * ground.camera.height / _ROWS
    return float(np.clip(ground.camera.focal_px * _STATURE_M / tall, _NEAREST_M, _FARTHEST_M))


def _group(rng: np.random.Generator, ground: _Ground) -> list[Someone]:
    """One person or several who walk or stand together."""
    section = ground.section
    if section.kind == "street" and rng.random() < 0.09:
        return _rider(rng, ground)
    along, way = _distance_m(rng, ground), ALONG
    place = _place(rng, ground, along)
    if section.crossings and rng.random() < 0.22:
        crossing = section.crossings[int(rng.integers(len(section.crossings)))]
        along, place = crossing.along + float(rng.uniform(0.3, crossing.deep_m - 0.3)), "crossing"
    span = _span(ground, place, along)
    if span is None:
        return []
    if place in {"crossing", "road", "parking"} or rng.random() < 0.2:
        way = ACROSS
    facing = way + math.pi * float(rng.integers(2)) + float(rng.normal(0, 0.25))
    if rng.random() < (0.6 if section.kind == "plain" else 0.12):
        facing = float(rng.uniform(-math.pi, math.pi))
    count = int(rng.choice([1, 2, 3, 4, 6], p=[0.44, 0.32, 0.13, 0.08, 0.03]))
    return _members(rng, ground, (along, float(rng.uniform(*span))), facing, count)


def _members(
    rng: np.random.Generator, ground: _Ground, at: tuple[float, float], facing: float, count: int
) -> list[Someone]:
    """People about `at` (along, offset) that go the same way, some half hidden behind the others."""
    found = []
    still = rng.random() < 0.35
    for number in range(count):
        for _ in range(4):
            behind = float(rng.uniform(0.45, 1.6)) * number if rng.random() < 0.6 else float(rng.normal(0, 0.4))
            along = at[0] + (behind if number else 0.0)
            offset = at[1] + (float(rng.normal(0, 0.5)) if number else 0.0)
            if along > _NEAREST_M and ground.free(along, offset):
                found.append(_someone(rng, ground, along, offset, facing + float(rng.normal(0, 0.2)), still=still))
                break
    return found


def _someone(
    rng: np.random.Generator,
    ground: _Ground,
    along: float,
    offset: float,
    facing: float,
    *,
    still: bool,
    crowd: int = 0,
) -> Someone:
    ground.taken.append((along, offset))
    action = ("standing", "waiting", "phone")[int(rng.choice(3, p=[0.5, 0.3, 0.2]))] if still else None
    return Someone(sample_person(rng, along, offset, action=action, heading_rad=facing), crowd)


def _rider(rng: np.random.Generator, ground: _Ground) -> list[Someone]:
    """Somebody on a bicycle, on the carriageway or its edge."""
    along = max(_distance_m(rng, ground), 3.0)
    span = _span(ground, "road", along)
    if span is None:
        return []
    offset = float(rng.uniform(*span))
    middle = ground.section.layout.lanes[len(ground.section.layout.lanes) // 2]
    facing = (0.0 if offset > middle else math.pi) + float(rng.normal(0, 0.12))
    if rng.random() < 0.2:
        facing = ACROSS * float(rng.choice([-1, 1])) + float(rng.normal(0, 0.3))
    if not ground.free(along, offset, 0.8):
        return []
    ground.taken.append((along, offset))
    return [Someone(sample_person(rng, along, offset, kind="rider", heading_rad=facing))]


def _dense(rng: np.random.Generator, ground: _Ground, number: int) -> list[Someone]:
    """A crowd in the distance whose members can't be told apart."""
    along = float(rng.uniform(18, 45))
    span = _span(ground, _place(rng, ground, along), along)
    if span is None:
        return []
    middle = float(rng.uniform(*span))
    found = []
    for _ in range(int(rng.integers(7, 15))):
        at = along + float(rng.uniform(0, 2.5)), middle + float(rng.normal(0, 0.75))
        if ground.free(*at, apart=0.2):
            found.append(_someone(rng, ground, *at, float(rng.uniform(-math.pi, math.pi)), still=True, crowd=number))
    return found


def _place(rng: np.random.Generator, ground: _Ground, along: float) -> str:
    """Return a part of the street that can be seen at `along`."""
    if ground.section.kind != "street":
        return "anywhere" if ground.section.sides or ground.section.kind == "plain" else "verge"
    rates = {"left": 0.32, "right": 0.38, "road": 0.14, "parking": 0.16}
    open_ = [name for name in rates if _span(ground, name, along) is not None]
    if not open_:
        return "road"
    share = np.array([rates[name] for name in open_])
    return open_[int(rng.choice(len(open_), p=share / share.sum()))]


def _span(ground: _Ground, place: str, along: float) -> tuple[float, float] | None:
    """Return the offsets of `place` that are in sight at `along`, or None."""
    section = ground.section
    low, high = ground.seen(along)
    # Some are cut by the frame's border.
    low, high = low - 0.15, high + 0.15
    if place in {"left", "right"} and section.sides:
        side = section.sides[0 if place == "left" else 1]
        within = side.walk[0] + 0.25, side.walk[1] - 0.35
    elif place == "parking":
        strips = [side for side in section.sides if side.parking_m and low < side.kerb_m < high]
        if not strips:
            return None
        side = strips[int(along * 10) % len(strips)]
        within = min(side.kerb_m, side.kerb_m - 2.0 * side.sign), max(side.kerb_m, side.kerb_m - 2.0 * side.sign)
    elif place == "verge":
        within = section.layout.right_m + 0.4, section.layout.right_m + 3.0
    elif section.sides:
        within = section.sides[0].wall_m + 0.4, section.sides[1].wall_m - 0.4
        if place in {"road", "crossing"}:
            within = section.sides[0].kerb_m, section.sides[1].kerb_m
    else:
        within = low, high
    low, high = max(low, within[0]), min(high, within[1])
    return (low, high) if high - low > 0.3 else None
