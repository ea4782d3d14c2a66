"""Who is in a scene, and where: on pavements and crossings, on the road, in groups, waiting, riding, sitting."""

import math
from dataclasses import dataclass

import numpy as np

from edgecnn.data.road.people import Person, sample_person
from edgecnn.data.road.street.place import Place, Spot

# Heights in pixels of a frame 360 rows high at these quantiles. Children are smaller, and so is whoever stands behind
# others: the 5, 25, 50, 75 and 95 % points of what is drawn come near 30, 57, 91, 151 and 298, CityPersons' own.
_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_HEIGHTS_PX = (24.0, 45.0, 78.0, 111.0, 172.0, 322.0, 390.0)
_ROWS = 360
_STATURE_M = 1.7
_NEAREST_M, _FARTHEST_M = 1.5, 80.0
_STILL = ("standing", "waiting", "phone")
_ALONG, _ACROSS = 0.0, math.pi / 2


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


def sample_crowd(rng: np.random.Generator, place: Place) -> tuple[Someone, ...]:
    """Return the people of a scene: nobody in one street of twelve and on most open roads."""
    kind = place.section.kind
    settled = kind in {"street", "square", "plain"}
    if rng.random() < (0.08 if settled else 0.85):
        return ()
    most = {"street": 6, "square": 6, "plain": 4}.get(kind, 1)
    found: list[Someone] = []
    for _ in range(int(rng.integers(1, most + 1))):
        found += _group(rng, place)
    found += _sitting(rng, place)
    # Most scenes of real streets hold somebody half hidden, by things more often than by other people.
    for _ in range(int(rng.binomial(len(found), 0.6))):
        found += _hidden(rng, place, found)
    if settled and rng.random() < 0.06:
        found += _dense(rng, place)
    return tuple(found)


def wanted_height_px(rng: np.random.Generator) -> float:
    """Draw the height of whoever stands in front, in pixels of a frame 360 rows high."""
    return float(np.exp(np.interp(rng.random(), _QUANTILES, np.log(_HEIGHTS_PX))))


def _distance_m(rng: np.random.Generator, place: Place) -> float:
    tall = wanted_height_px(rng) * place.camera.height / _ROWS
    far = min(_FARTHEST_M, place.end_m - 0.5)
    return float(np.clip(place.camera.focal_px * _STATURE_M / tall, _NEAREST_M, max(far, _NEAREST_M)))


def _group(rng: np.random.Generator, place: Place) -> list[Someone]:
    """One person or several who walk or stand together."""
    section = place.section
    if section.kind == "street" and rng.random() < 0.09:
        return _rider(rng, place)
    along, way = _distance_m(rng, place), _ALONG
    part = place.part(rng, along)
    if section.crossings and rng.random() < 0.2:
        crossing = section.crossings[int(rng.integers(len(section.crossings)))]
        along, part = crossing.along + float(rng.uniform(0.3, crossing.deep_m - 0.3)), "crossing"
    span = place.span(part, along, beyond=0.4 if rng.random() < 0.15 else 0.0)
    if span is None:
        return []
    if part in {"crossing", "road", "parking"} or rng.random() < 0.2:
        way = _ACROSS
    facing = way + math.pi * float(rng.integers(2)) + float(rng.normal(0, 0.25))
    if rng.random() < (0.6 if section.kind == "plain" else 0.12):
        facing = float(rng.uniform(-math.pi, math.pi))
    count = int(rng.choice([1, 2, 3, 4, 6], p=[0.5, 0.3, 0.11, 0.06, 0.03]))
    return _members(rng, place, (along, float(rng.uniform(*span))), facing, count)


def _members(rng: np.random.Generator, place: Place, at: Spot, facing: float, count: int) -> list[Someone]:
    """People about a spot that go the same way, side by side or one behind the other."""
    found: list[Someone] = []
    action = _STILL[int(rng.integers(3))] if rng.random() < 0.3 else None
    for number in range(count):
        for _ in range(4):
            along = at[0] + (float(rng.normal(0, 0.7)) if number else 0.0)
            offset = at[1] + (float(rng.normal(0, 0.52)) if number else 0.0)
            if place.free(along, offset):
                found.append(_someone(rng, place, (along, offset), facing + float(rng.normal(0, 0.2)), action))
                break
    return found


def _someone(
    rng: np.random.Generator, place: Place, at: Spot, facing: float, action: str | None = None, crowd: int = 0
) -> Someone:
    place.taken.append(at)
    return Someone(sample_person(rng, *at, action=action, heading_rad=facing), crowd)


def _hidden(rng: np.random.Generator, place: Place, people: list[Someone]) -> list[Someone]:
    """Put somebody into the line of sight to something nearer: a vehicle, a thing of the street, another person."""
    cars = [(car.along + car.body.length_m, car.offset, car.body.width_m / 2) for car in place.vehicles]
    things = [(item.along, item.offset, item.half_m) for item in place.items]
    others = [(one.along, one.offset, 0.25) for one in people]
    kinds = [kind for kind, share in ((cars, 6), (things, 3), (others, 1)) for _ in range(share) if kind]
    for _ in range(8):
        kind = kinds[int(rng.integers(len(kinds)))]
        back, middle, half = kind[int(rng.integers(len(kind)))]
        along = back + float(rng.uniform(0.5, 1.5) + rng.exponential(1.5))
        if back < _NEAREST_M or along > _FARTHEST_M:
            continue
        # The line of sight through that place, in metres across the road; what is nearer covers more of it.
        (low, high), (near, far) = place.seen(along), place.seen(back)
        share = (middle - near) / max(far - near, 1e-6)
        aside = float(rng.uniform(-1.0, 1.0)) * (half + 0.15) * along / back
        offset = low + share * (high - low) + aside
        if low < offset < high and place.free(along, offset):
            return [_someone(rng, place, (along, offset), float(rng.uniform(-math.pi, math.pi)))]
    return []


def _rider(rng: np.random.Generator, place: Place) -> list[Someone]:
    """Somebody on a bicycle, on the carriageway or its edge."""
    along = max(_distance_m(rng, place), 3.0)
    span = place.span("road", along)
    if span is None:
        return []
    at = along, float(rng.uniform(*span))
    lanes = place.section.layout.lanes
    facing = (0.0 if at[1] > lanes[len(lanes) // 2] else math.pi) + float(rng.normal(0, 0.12))
    if rng.random() < 0.2:
        facing = _ACROSS * float(rng.choice([-1, 1])) + float(rng.normal(0, 0.3))
    if not place.free(*at, apart=0.8):
        return []
    place.taken.append(at)
    return [Someone(sample_person(rng, *at, kind="rider", heading_rad=facing))]


def _sitting(rng: np.random.Generator, place: Place) -> list[Someone]:
    """People on the benches."""
    found = []
    for item in place.items:
        if item.kind == "bench" and item.along > 2.5 and rng.random() < 0.5:
            at = item.along - 0.02, item.offset + float(rng.uniform(-0.5, 0.5)) * item.half_m
            place.taken.append(at)
            facing = math.pi + float(rng.normal(0, 0.15))
            found.append(Someone(sample_person(rng, *at, kind="sitting person", heading_rad=facing)))
    return found


def _dense(rng: np.random.Generator, place: Place) -> list[Someone]:
    """A crowd in the distance whose members can't be told apart."""
    along = min(float(rng.uniform(18, 45)), place.end_m - 3.0)
    span = place.span(place.part(rng, along), along)
    if span is None:
        return []
    middle = float(rng.uniform(*span))
    found = []
    for _ in range(int(rng.integers(7, 15))):
        at = along + float(rng.uniform(0, 2.5)), middle + float(rng.normal(0, 0.75))
        if place.free(*at, apart=0.2, merged=True):
            found.append(_someone(rng, place, at, float(rng.uniform(-math.pi, math.pi)), "standing", crowd=1))
    return found
