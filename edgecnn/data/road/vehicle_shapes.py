"""Bodies of road vehicles: side profiles and measures in metres, from which all their faces are built."""

from dataclasses import dataclass

import numpy as np

Profile = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Body:
    """One kind of vehicle.

    Attributes:
        length_m, width_m: outer measures.
        floor_m: the body's lower edge above the road.
        belt_m: where the windows begin.
        profile: (share of the length from the rear, height in metres, share of the width) along the top, rear to front.
        glass: indices i of profile pieces i .. i+1 that are glass.
        box: whether the rear is one closed box (a van, a truck).
        wheel_m: wheel diameter.
    """

    name: str
    length_m: float
    width_m: float
    floor_m: float
    belt_m: float
    profile: Profile
    glass: tuple[int, ...]
    box: bool
    wheel_m: float


BODIES = (
    Body(
        "sedan", 4.7, 1.82, 0.24, 0.92,
        ((0.0, 0.62, 0.97), (0.005, 0.98, 0.93), (0.13, 1.04, 0.92), (0.27, 1.42, 0.70), (0.52, 1.44, 0.70),
         (0.72, 1.00, 0.92), (0.97, 0.82, 0.90), (1.0, 0.60, 0.94)),
        (2, 4), box=False, wheel_m=0.64,
    ),
    Body(
        "hatchback", 4.1, 1.78, 0.24, 0.95,
        ((0.0, 0.64, 0.98), (0.01, 1.0, 0.95), (0.09, 1.46, 0.74), (0.15, 1.50, 0.72), (0.52, 1.50, 0.73),
         (0.73, 1.04, 0.92), (0.97, 0.84, 0.90), (1.0, 0.60, 0.94)),
        (1, 4), box=False, wheel_m=0.62,
    ),
    Body(
        "suv", 4.7, 1.92, 0.32, 1.12,
        ((0.0, 0.78, 0.98), (0.005, 1.14, 0.97), (0.06, 1.66, 0.80), (0.12, 1.74, 0.78), (0.55, 1.74, 0.79),
         (0.73, 1.22, 0.94), (0.97, 1.06, 0.92), (1.0, 0.72, 0.95)),
        (1, 4), box=False, wheel_m=0.74,
    ),
    Body(
        "pickup", 5.5, 1.98, 0.42, 1.15,
        ((0.0, 0.75, 0.98), (0.0, 1.16, 0.98), (0.36, 1.16, 0.97), (0.39, 1.78, 0.80), (0.58, 1.80, 0.80),
         (0.72, 1.24, 0.95), (0.97, 1.12, 0.94), (1.0, 0.75, 0.96)),
        (2, 4), box=False, wheel_m=0.8,
    ),
    Body(
        "van", 5.6, 2.02, 0.34, 1.25,
        ((0.0, 0.70, 1.0), (0.0, 2.30, 0.94), (0.02, 2.42, 0.90), (0.74, 2.42, 0.90), (0.84, 1.45, 0.96),
         (0.98, 1.15, 0.95), (1.0, 0.70, 0.97)),
        (3,), box=True, wheel_m=0.7,
    ),
    Body(
        "truck", 11.0, 2.5, 0.95, 2.2,
        ((0.0, 1.0, 1.0), (0.0, 3.75, 1.0), (0.8, 3.75, 1.0), (0.8, 3.0, 0.98), (0.985, 3.0, 0.98),
         (1.0, 1.9, 0.98), (1.0, 0.9, 0.98)),
        (4,), box=True, wheel_m=1.0,
    ),
    Body(
        "bus", 11.5, 2.55, 0.38, 1.3,
        ((0.0, 0.9, 1.0), (0.0, 3.0, 0.98), (0.02, 3.1, 0.96), (0.97, 3.1, 0.96), (1.0, 1.2, 0.98), (1.0, 0.7, 0.98)),
        (3,), box=True, wheel_m=1.0,
    ),
)  # fmt: skip

CLASSES = {body.name: body.name if body.box else "car" for body in BODIES}
"""The class that labels call each body."""

_RATES = np.array([0.34, 0.16, 0.24, 0.1, 0.07, 0.07, 0.02])
# BGR paints with the share of cars that wear them.
_PAINTS = (
    ((225, 226, 226), 0.26), ((26, 24, 24), 0.2), ((150, 150, 148), 0.16), ((88, 86, 84), 0.14), ((96, 52, 34), 0.1),
    ((36, 30, 128), 0.07), ((130, 150, 168), 0.03), ((58, 78, 52), 0.02), ((40, 120, 190), 0.02),
)  # fmt: skip

_RATES_BELOW = np.cumsum(_RATES) / _RATES.sum()
_PAINTS_BELOW = np.cumsum([share for _, share in _PAINTS]) / sum(share for _, share in _PAINTS)


def sample_body(rng: np.random.Generator) -> Body:
    """Return a kind of vehicle as often as traffic has it."""
    return BODIES[int(np.searchsorted(_RATES_BELOW, rng.random()))]


def sample_paint(rng: np.random.Generator, body: Body) -> tuple[float, float, float]:
    """Return a BGR body colour as often as such vehicles have it: most vans, trucks and buses are white."""
    pick = 0 if body.box and rng.random() < 0.65 else int(np.searchsorted(_PAINTS_BELOW, rng.random()))
    (blue, green, red), tone = _PAINTS[pick][0], float(rng.uniform(0.85, 1.12))
    return blue * tone, green * tone, red * tone
