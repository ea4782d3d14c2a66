"""What people walk on: pavements with slabs and kerbs, crossings, squares, and floors of any kind."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.coat import Coat
from edgecnn.data.road.ground import Ground
from edgecnn.data.road.paint import COLORS, strip
from edgecnn.data.road.street.section import Crossing, Section, Side
from edgecnn.data.road.surface import Surface, table_index

Float32 = NDArray[np.float32]

_STONE, _DARK = (150.0, 155.0, 158.0), (62.0, 62.0, 62.0)
_KERB_M = 0.14


@dataclass(frozen=True, slots=True)
class Finish:
    """One kind of floor: BGR albedo, strength of its texture, and the length of its slabs in metres (0: none)."""

    color: tuple[float, float, float]
    rough: float
    slab_m: tuple[float, float]
    joint: float


def sample_finish(rng: np.random.Generator, kind: str) -> Finish:
    """Return a random floor that suits the kind of scene."""
    if kind == "plain":
        pick = int(rng.choice(7, p=[0.26, 0.14, 0.14, 0.12, 0.12, 0.12, 0.1]))
    else:
        pick = int(rng.choice([7, 7, 8, 9]))
    color, rough, slab, joint = (
        ((44, 100, 76), 2.6, 0.0, 0.0),  # lawn
        ((95, 135, 165), 1.2, 0.0, 0.0),  # sand, earth
        ((70, 110, 160), 0.5, 0.12, 0.7),  # boards
        ((165, 170, 175), 0.15, 0.45, 0.8),  # tiles
        ((110, 112, 125), 1.0, 0.0, 0.0),  # carpet
        ((125, 125, 125), 0.8, 0.0, 0.0),  # concrete, asphalt
        ((60, 60, 150), 0.8, 0.0, 0.0),  # a running track
        ((138, 142, 146), 0.7, 0.5, 0.75),  # slabs
        ((88, 98, 120), 0.8, 0.22, 0.7),  # bricks
        ((92, 92, 92), 0.9, 0.0, 0.0),  # asphalt
    )[pick]
    tone = rng.uniform(0.6, 1.25)
    tint = 1 + rng.normal(0, 0.05, 3)
    wide = slab * float(rng.uniform(0.7, 1.8))
    shown = tuple(float(np.clip(c * tone * t, 12, 225)) for c, t in zip(color, tint, strict=True))
    return Finish((shown[0], shown[1], shown[2]), rough, (wide, wide * float(rng.choice([1.0, 1.0, 2.0, 4.0]))), joint)


def lay(section: Section, finish: Finish, beyond: Finish, surface: Surface) -> Surface:
    """Return the surface with `finish` on its pavements, or everywhere where there is no road, and `beyond` behind."""
    table = surface.table.copy()
    cover = np.array([*finish.color, min(255, finish.rough * 64)], np.float32)
    if section.kind in {"street", "square"}:
        behind = np.array([*beyond.color, min(255, beyond.rough * 64)], np.float32)
        for side in section.sides:
            table[_rows(side.wall_m, side.sign * 60.0)] = behind
            table[_rows(side.kerb_m, side.wall_m)] = cover
    else:
        table[:] = cover
    return replace(surface, table=table, beyond=table, seam_m=float("inf"))


def _rows(one: float, other: float) -> slice:
    return slice(table_index(min(one, other)), table_index(max(one, other)) + 1)


def paint_floor(rng: np.random.Generator, section: Section, finish: Finish, ground: Ground, coat: Coat) -> None:
    """Paint joints, kerbs and crossings, in place."""
    if finish.slab_m[0] and section.kind in {"street", "square", "plain"}:
        spans = [side.walk for side in section.sides] if section.sides else [(-60.0, 60.0)]
        spans = [(min(low for low, _ in spans), max(high for _, high in spans))] if section.kind == "square" else spans
        for span in spans:
            _joints(finish, span, ground, coat)
    if section.kind == "street":
        kerb = _STONE if rng.random() < 0.7 else finish.color
        tone = float(rng.uniform(0.75, 1.3))
        for side in section.sides:
            _kerb(side, (kerb[0] * tone, kerb[1] * tone, kerb[2] * tone), ground, coat)
        for crossing in section.crossings:
            _crossing(rng, section, crossing, ground, coat)


def _joints(finish: Finish, span: tuple[float, float], ground: Ground, coat: Coat) -> None:
    """Dark joints between slabs as far as they can be told apart."""
    across_m, along_m = finish.slab_m
    rows = np.flatnonzero((ground.length < 0.6 * along_m) & (ground.scale < 0.3 * across_m))
    if not len(rows):
        return
    rows = np.arange(rows[0], len(ground.along))
    across, pixel = ground.across[rows], ground.scale[rows, None].astype(np.float32)
    length = ground.length[rows, None].astype(np.float32)
    course = np.floor(ground.along[rows] / along_m)
    shifted = across + (course % 2 * across_m / 2).astype(np.float32)[:, None]
    within = (across > span[0]) & (across < span[1])
    fades = np.clip(1.6 - 2.2 * length / along_m, 0, 1)
    wide = np.float32(0.012)
    side = np.abs(shifted % np.float32(across_m) - np.float32(across_m / 2))
    lines = np.clip((side - (across_m / 2 - wide)) / pixel + 0.5, 0, 1) * np.minimum(1, wide * 2 / pixel)
    place = np.abs(ground.along[rows] % along_m - along_m / 2)[:, None].astype(np.float32)
    bars = np.clip((place - (along_m / 2 - wide)) / length + 0.5, 0, 1) * np.minimum(1, wide * 2 / length)
    dark = np.maximum(lines, bars) * within * fades
    coat.tone[rows] *= 1 - np.float32(1 - finish.joint * 0.7) * dark


def _kerb(side: Side, color: tuple[float, float, float], ground: Ground, coat: Coat) -> None:
    middle = side.kerb_m + side.sign * _KERB_M / 2
    pixels = strip(ground, middle, _KERB_M)
    coat.blend(pixels, pixels.cover * np.float32(0.9), color)
    pixels = strip(ground, side.kerb_m - side.sign * 0.05, 0.1)
    coat.blend(pixels, pixels.cover * np.float32(0.75), _DARK)


def _crossing(rng: np.random.Generator, section: Section, crossing: Crossing, ground: Ground, coat: Coat) -> None:
    """Stripes along the road, or two rows of studs, and the stop line before them."""
    left, right = (side.kerb_m for side in section.sides)
    worn = np.float32(rng.uniform(0.45, 0.95))
    spans = [(crossing.along, crossing.deep_m)] if crossing.kind == "zebra" else []
    if crossing.kind == "studs":
        spans = [(crossing.along, 0.2), (crossing.along + crossing.deep_m - 0.2, 0.2)]
    period = float(rng.uniform(0.9, 1.2))
    for begin, deep in spans:
        touched, share = _band(ground, begin, deep)
        across, pixel = ground.across[touched], ground.scale[touched, None].astype(np.float32)
        place = np.abs((across - left) % np.float32(period) - np.float32(period / 2))
        bars = np.clip((period / 4 - place) / pixel + 0.5, 0, 1)
        inside = (across > left + 0.3) & (across < right - 0.3)
        coat.blend_rows(touched, np.asarray(bars * inside * share * worn, np.float32), COLORS["white"])
    if rng.random() < 0.6:
        touched, share = _band(ground, crossing.along - 1.6, 0.35)
        across = ground.across[touched]
        middle = section.layout.lanes[len(section.layout.lanes) // 2]
        inside = (across > middle) & (across < section.layout.lanes[-1])
        coat.blend_rows(touched, np.asarray(inside * share * worn, np.float32), COLORS["white"])


def _band(ground: Ground, begin: float, deep: float) -> tuple[NDArray[np.int64], Float32]:
    """Return the rows that a band across the road touches, and the share of each that it covers."""
    low, high = ground.along - ground.length / 2, ground.along + ground.length / 2
    share = np.clip((np.minimum(high, begin + deep) - np.maximum(low, begin)) / ground.length, 0, 1)
    touched = np.flatnonzero(share > 0)
    return touched, np.asarray(share[touched, None], np.float32)
