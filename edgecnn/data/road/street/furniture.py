"""What stands about on pavements, squares and floors: posts, signs, bins, benches, shelters, cones, boxes."""

import math
from dataclasses import dataclass

import numpy as np

from edgecnn.data.road.street.section import Section, Side

Color = tuple[float, float, float]

_RED, _WHITE, _BLACK, _STEEL = (38.0, 36.0, 168.0), (222.0, 224.0, 224.0), (34.0, 34.0, 34.0), (128.0, 130.0, 130.0)
_GREEN, _BLUE, _YELLOW, _ORANGE = (52.0, 84.0, 30.0), (140.0, 78.0, 30.0), (40.0, 185.0, 225.0), (30.0, 110.0, 235.0)
_PAINTS = (_RED, _WHITE, _BLACK, _STEEL, _GREEN, _BLUE, _YELLOW, _ORANGE)

# Height and half width in metres, and how often on a pavement and on any other floor.
KINDS = {
    "bollard": (0.95, 0.11, 0.16, 0.04),
    "bin": (1.0, 0.28, 0.14, 0.1),
    "wheelie": (1.1, 0.33, 0.08, 0.05),
    "hydrant": (0.8, 0.22, 0.07, 0.02),
    "postbox": (1.5, 0.3, 0.05, 0.02),
    "meter": (1.4, 0.15, 0.08, 0.02),
    "sign": (2.7, 0.4, 0.14, 0.03),
    "signal": (3.4, 0.25, 0.06, 0.01),
    "column": (2.9, 0.6, 0.02, 0.02),
    "kiosk": (2.4, 0.6, 0.03, 0.02),
    "shelter": (2.5, 1.9, 0.04, 0.01),
    "bench": (0.85, 0.85, 0.05, 0.08),
    "board": (1.05, 0.32, 0.04, 0.04),
    "cone": (0.75, 0.2, 0.03, 0.04),
    "barrier": (1.05, 0.9, 0.01, 0.02),
    "capsule": (1.5, 0.3, 0.0, 0.12),
    "box": (0.9, 0.5, 0.0, 0.16),
    "table": (0.76, 0.7, 0.0, 0.12),
    "rack": (1.8, 0.5, 0.0, 0.08),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing: its place (the middle of its foot), a factor of its usual size, two paints, and a variant."""

    kind: str
    along: float
    offset: float
    scale: float
    paint: Color
    trim: Color
    variant: int

    @property
    def height_m(self) -> float:
        """Return its height."""
        return KINDS[self.kind][0] * self.scale

    @property
    def half_m(self) -> float:
        """Return half its width."""
        return KINDS[self.kind][1] * self.scale


def sample_furniture(rng: np.random.Generator, section: Section) -> tuple[Item, ...]:
    """Return what stands about in a scene."""
    found: list[Item] = []
    for side in section.sides:
        found += _pavement(rng, section, side)
    if not section.sides and section.kind == "plain":
        for _ in range(int(rng.poisson(2.6)) if rng.random() < 0.7 else 0):
            along = float(np.exp(rng.uniform(math.log(3.2), math.log(16))))
            found.append(_item(rng, _draw(rng, 3), along, float(rng.normal(0, 0.45)) * along))
    return tuple(found)


def _pavement(rng: np.random.Generator, section: Section, side: Side) -> list[Item]:
    low, high = side.walk
    found = [
        _item(rng, _draw(rng, 2), float(2.5 + 45 * rng.random() ** 1.4), float(rng.uniform(low + 0.3, high - 0.3)))
        for _ in range(int(rng.poisson(3.0)))
    ]
    at = side.kerb_m + side.sign * 0.45 if side.kerb_m else side.wall_m - side.sign * 1.5
    if rng.random() < 0.3:
        # A row of one kind keeps cars off the pavement, or lights it.
        kind = str(rng.choice(["bollard", "bollard", "cone", "meter", "barrier"]))
        model = _item(rng, kind, 0.0, at)
        gap = float(rng.uniform(1.3, 3.5) if kind != "meter" else rng.uniform(6, 11))
        found += [
            Item(kind, float(along), at, model.scale, model.paint, model.trim, model.variant)
            for along in np.arange(rng.uniform(2, 8), 45, gap)
        ]
    for crossing in section.crossings:
        if rng.random() < 0.6:
            found.append(_item(rng, str(rng.choice(["signal", "sign"])), crossing.along - 0.4, at))
    return found


def _draw(rng: np.random.Generator, column: int) -> str:
    rates = np.array([row[column] for row in KINDS.values()])
    return str(rng.choice(list(KINDS), p=rates / rates.sum()))


def _item(rng: np.random.Generator, kind: str, along: float, offset: float) -> Item:
    usual = {"hydrant": (_RED, _YELLOW), "postbox": (_RED, _YELLOW, _BLUE), "cone": (_ORANGE,), "signal": (_BLACK,)}
    paints = usual.get(kind, _PAINTS)
    paint = np.array(paints[int(rng.integers(len(paints)))]) * rng.uniform(0.7, 1.15)
    if kind in {"box", "table", "rack", "capsule", "bench"}:
        paint = rng.uniform(25, 190) * np.array([rng.uniform(0.5, 1.1), rng.uniform(0.75, 1.0), rng.uniform(0.8, 1.15)])
    trim = _PAINTS[int(rng.integers(len(_PAINTS)))]
    spread = 0.5 if kind in {"box", "capsule", "rack"} else 0.12
    scale = float(np.clip(np.exp(rng.normal(0, spread)), 0.4, 1.8))
    shown = np.clip(paint, 8, 235)
    color = (float(shown[0]), float(shown[1]), float(shown[2]))
    return Item(kind, along, offset, scale, color, trim, int(rng.integers(1000)))
