"""A street's cross-section: carriageway, parked cars, kerbs, pavements, and where the buildings begin."""

from dataclasses import dataclass, replace

import numpy as np

from edgecnn.data.road.layout import Layout, sample_layout


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a street; offsets in metres to the right of the reference line, so negative on the left.

    Attributes:
        sign: -1 for the left, +1 for the right.
        kerb_m: where the carriageway ends.
        wall_m: where gardens or buildings begin; the pavement lies between.
        parking_m: width of the parking strip before the kerb, 0 for none.
    """

    sign: float
    kerb_m: float
    wall_m: float
    parking_m: float

    @property
    def walk(self) -> tuple[float, float]:
        """Return the offsets (lower, upper) of the pavement."""
        return min(self.kerb_m, self.wall_m), max(self.kerb_m, self.wall_m)


@dataclass(frozen=True, slots=True)
class Crossing:
    """A pedestrian crossing from `along` on, `deep_m` wide; `kind` is zebra or studs (two lines)."""

    along: float
    deep_m: float
    kind: str


@dataclass(frozen=True, slots=True)
class Section:
    """What lies on the ground of a scene with people.

    Attributes:
        kind: street, square, plain, or a kind of road.
        layout: its lanes; a square or a plain scene has none.
        sides: left and right side; none of an open road.
        crossings: from near to far.
    """

    kind: str
    layout: Layout
    sides: tuple[Side, ...]
    crossings: tuple[Crossing, ...]


def sample_street(rng: np.random.Generator, *, worn: bool) -> Section:
    """Return a random street of one to four lanes, the car on the right."""
    layout = sample_layout(rng, kind="urban", worn=worn)
    quiet = rng.random() < 0.25
    if quiet:
        # A side street, without paint.
        layout = replace(layout, lines=())
    parking = [float(rng.uniform(2.0, 2.4)) if rng.random() < 0.6 else 0.0 for _ in range(2)]
    kerbs = [
        layout.lanes[0] - parking[0] - float(rng.uniform(0.1, 0.5)),
        layout.lanes[-1] + parking[1] + float(rng.uniform(0.1, 0.5)),
    ]
    sides = tuple(
        Side(sign, kerb, kerb + sign * float(rng.uniform(1.6, 5.5)), strip)
        for sign, kerb, strip in zip((-1.0, 1.0), kerbs, parking, strict=True)
    )
    layout = replace(layout, left_m=kerbs[0], right_m=kerbs[1])
    return Section("street", layout, sides, _crossings(rng))


def sample_square(rng: np.random.Generator) -> Section:
    """Return a paved place or a pavement that the camera itself stands on; beyond it, buildings or lawns."""
    left = -float(rng.uniform(1.5, 14))
    right = float(rng.uniform(1.5, 14))
    layout = _bare("urban", left - 1.0, right + 1.0)
    sides = (Side(-1.0, 0.0, left, 0.0), Side(1.0, 0.0, right, 0.0))
    return Section("square", layout, sides, ())


def sample_plain(rng: np.random.Generator) -> Section:
    """Return open ground of one kind."""
    reach = float(rng.uniform(40, 59))
    return Section("plain", _bare("urban", -reach, reach), (), ())


def _bare(kind: str, left: float, right: float) -> Layout:
    return Layout(kind, (), (), 3.0, left, right, (left, right))


def _crossings(rng: np.random.Generator) -> tuple[Crossing, ...]:
    if rng.random() < 0.35:
        return ()
    first = float(rng.uniform(3.5, 28))
    found = [first] if rng.random() < 0.7 else [first, first + float(rng.uniform(14, 60))]
    kind = "zebra" if rng.random() < 0.75 else "studs"
    return tuple(Crossing(at, float(rng.uniform(2.5, 4.5)), kind) for at in found)
