"""What stands beside the road: which walls, woods, banks, houses, trees and poles, and where."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road import wall_textures
from edgecnn.data.road.layout import Layout
from edgecnn.data.road.noise import TILE, wave
from edgecnn.data.road.trees import SPECIES, Tree
from edgecnn.data.road.walls import Wall, even

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Roadside:
    """Walls from the far to the near, and trees from the far to the near."""

    walls: tuple[Wall, ...]
    trees: tuple[Tree, ...]


def sample_roadside(rng: np.random.Generator, layout: Layout) -> Roadside:
    """Return random surroundings that suit the kind of road."""
    walls: list[Wall] = []
    for side, edge in ((-1.0, layout.left_m), (1.0, layout.right_m)):
        if side < 0 and layout.opposite:
            walls += _far_side(rng, side, layout.opposite[0], layout.kind)
            walls += _median(rng, edge, layout.opposite[1])
        else:
            walls += _far_side(rng, side, edge, layout.kind)
            walls += _near_side(rng, side, edge, layout.kind)
    return Roadside(tuple(walls), _trees(rng, layout))


def _far_side(rng: np.random.Generator, side: float, edge: float, kind: str) -> list[Wall]:
    """Woods, banks, houses: metres away from the pavement."""
    walls = []
    shift = float(rng.uniform(0, TILE))
    if kind == "urban":
        if rng.random() < 0.8:
            away = edge + side * rng.uniform(3, 14)
            walls.append(_rough(rng, away, wall_textures.houses(int(rng.integers(8))), 0.1, rng.uniform(6, 16), 0.2))
    elif rng.random() < 0.5:
        away = edge + side * rng.uniform(14, 55)
        walls.append(_rough(rng, away, wall_textures.wood(int(rng.integers(12))), 0.12, rng.uniform(6, 17), 0.5))
    if rng.random() < (0.1 if kind == "urban" else 0.42):
        away = edge + side * rng.uniform(3.5, 16)
        tall = np.exp(rng.uniform(np.log(0.8), np.log(13)))
        walls.append(_rough(rng, away, wall_textures.bank(int(rng.integers(12))), 0.25, tall, 0.6))
    if rng.random() < 0.22:
        away = edge + side * rng.uniform(2.5, 9)
        walls.append(even(away, wall_textures.fence(int(rng.integers(4))), 0.04, rng.uniform(1.1, 2.2), 0.9, shift))
    return sorted(walls, key=lambda wall: -abs(wall.offset_m))


def _near_side(rng: np.random.Generator, side: float, edge: float, kind: str) -> list[Wall]:
    """Kerb, rail or barrier: right at the pavement's edge."""
    shift, facing = float(rng.uniform(0, TILE)), float(rng.uniform(0.55, 1.05))
    away = edge + side * float(rng.uniform(0.05, 0.7))
    draw = rng.random()
    if kind == "urban" or draw < 0.1:
        return [
            even(
                edge + side * 0.05, wall_textures.kerb(int(rng.integers(4))), 0.05, rng.uniform(0.1, 0.2), facing, shift
            )
        ]
    if draw < 0.34:
        return [even(away, wall_textures.rail(int(rng.integers(4))), 0.04, rng.uniform(0.65, 0.85), facing, shift)]
    if draw < 0.48:
        return [even(away, wall_textures.concrete(int(rng.integers(16))), 0.05, rng.uniform(0.75, 1.1), facing, shift)]
    if draw < 0.54:
        return [
            even(away + side, wall_textures.concrete(int(rng.integers(16))), 0.06, rng.uniform(2.5, 5), facing, shift)
        ]
    return []


def _median(rng: np.random.Generator, near: float, far: float) -> list[Wall]:
    shift, facing = float(rng.uniform(0, TILE)), float(rng.uniform(0.5, 1.0))
    away = float(rng.uniform(max(far, near - 2.0), near)) - 0.1
    draw = rng.random()
    if draw < 0.42:
        return [even(away, wall_textures.concrete(int(rng.integers(16))), 0.05, rng.uniform(0.75, 1.3), facing, shift)]
    if draw < 0.66:
        return [even(away, wall_textures.rail(int(rng.integers(4))), 0.04, rng.uniform(0.65, 0.85), facing, shift)]
    if draw < 0.8:
        return [
            _rough(
                rng, (near + far) / 2 - 0.2, wall_textures.bank(int(rng.integers(12))), 0.12, rng.uniform(0.5, 1.6), 0.4
            )
        ]
    return []


def _rough(
    rng: np.random.Generator, offset: float, texture: Frame, texel_m: float, height_m: float, sway: float
) -> Wall:
    """Return a wall whose height sways along the road, by `sway` of it, and may come to an end."""
    along = np.linspace(0, 420, 64)
    height = height_m * np.clip(1 + sway * wave(rng, 64, 1.3), 0.15, 2.2)
    if rng.random() < 0.35:
        begin, length = rng.uniform(-60, 120), rng.uniform(60, 300)
        height = height * np.clip((along - begin) / 20, 0, 1) * np.clip((begin + length - along) / 25, 0, 1)
    return Wall(offset, texture, texel_m, along, height, float(rng.uniform(0.65, 1.1)), float(rng.uniform(0, TILE)))


def _trees(rng: np.random.Generator, layout: Layout) -> tuple[Tree, ...]:
    count = int(rng.integers(0, 22)) if rng.random() < 0.7 else 0
    kinds = rng.integers(SPECIES, size=3)
    left = layout.opposite[0] if layout.opposite else layout.left_m
    trees = []
    for _ in range(count):
        side = rng.random() < 0.5
        away = float(rng.uniform(3, 12) if rng.random() < 0.4 else rng.uniform(8, 45))
        offset = left - away if side else layout.right_m + away
        variant = int(kinds[int(rng.integers(3))])
        size = float(rng.uniform(1, 3) if variant % 4 == 3 else rng.uniform(4, 13))
        trees.append(Tree(variant, float(12 + 240 * rng.random() ** 1.5), offset, size, bool(rng.random() < 0.5)))
    return tuple(sorted(trees, key=lambda tree: -tree.along))
