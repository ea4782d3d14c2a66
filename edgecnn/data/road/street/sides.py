"""What lines a street behind its pavements: fronts, gardens behind hedges and walls, parks; and its trees."""

from functools import lru_cache

import cv2
import numpy as np

from edgecnn.core.results import Frame
from edgecnn.data.road import wall_textures
from edgecnn.data.road.noise import TILE, fractal
from edgecnn.data.road.roadside import Roadside
from edgecnn.data.road.street.facades import TEXEL_M, VARIANTS, facades
from edgecnn.data.road.street.section import Section, Side
from edgecnn.data.road.trees import Tree
from edgecnn.data.road.walls import Wall, even

_BORDERS = 8


def sample_sides(rng: np.random.Generator, section: Section, *, dark: bool, end_m: float) -> Roadside:
    """Return walls and trees of a street or a square; `dark` lights its windows, a wall at `end_m` ends it."""
    walls: list[Wall] = []
    trees: list[Tree] = []
    for side in section.sides:
        kind = str(rng.choice(["front", "garden", "park", "open"], p=[0.52, 0.24, 0.14, 0.1]))
        if kind in {"front", "garden"}:
            away = float(rng.uniform(2.5, 9)) if kind == "garden" else 0.0
            walls += _fronts(rng, side.wall_m + side.sign * away, dark=dark)
        if kind == "park":
            away = side.wall_m + side.sign * rng.uniform(8, 40)
            texture = wall_textures.wood(int(rng.integers(12)))
            walls.append(even(away, texture, 0.12, rng.uniform(6, 15), rng.uniform(0.6, 1.1), rng.uniform(0, TILE)))
        if kind != "front" and rng.random() < 0.8:
            walls.append(_border(rng, side))
        if rng.random() < 0.2:
            walls.append(_kerbside(rng, section, side))
        if kind != "front":
            trees += _garden_trees(rng, side)
        if rng.random() < 0.35:
            trees += _avenue(rng, side)
    if section.kind == "plain":
        trees = _scattered(rng)
    ordered = sorted((tree for tree in trees if tree.along < end_m), key=lambda tree: -tree.along)
    return Roadside(tuple(walls), tuple(ordered))


def _fronts(rng: np.random.Generator, offset: float, *, dark: bool) -> list[Wall]:
    made = facades(int(rng.integers(VARIANTS)), right=offset > 0)
    tall = made.front.shape[0] * TEXEL_M * float(rng.uniform(0.85, 1.25))
    facing, shift = float(rng.uniform(0.6, 1.1)), float(rng.uniform(0, made.front.shape[1]))
    found = [even(offset, made.front, TEXEL_M, tall, facing, shift)]
    if dark:
        along = found[0].along
        found.append(Wall(offset, made.glow, TEXEL_M, along, found[0].height, 1.0, shift, shines=True))
    return found


def _border(rng: np.random.Generator, side: Side) -> Wall:
    """A hedge, a fence or a low wall between pavement and garden."""
    pick = int(rng.integers(_BORDERS))
    tall = float(rng.uniform(0.6, 1.9))
    return even(side.wall_m, border(pick), 0.03, tall, rng.uniform(0.6, 1.1), float(rng.uniform(0, TILE)))


def _kerbside(rng: np.random.Generator, section: Section, side: Side) -> Wall:
    """A low hedge, wall or rail between carriageway and pavement, open at crossings; on a square, across the way."""
    at = side.kerb_m + side.sign * 0.35 if side.kerb_m else side.wall_m * float(rng.uniform(0.5, 0.8))
    tall = float(rng.uniform(0.45, 1.05))
    ends = [0.0, float(rng.uniform(0, 14)), float(rng.uniform(20, 70))]
    for crossing in section.crossings:
        ends += [crossing.along - 0.4, crossing.along + crossing.deep_m + 0.4]
    along = np.sort(np.repeat(ends, 2) + np.tile([-0.05, 0.05], len(ends)))
    begin, end = ends[1], ends[2]
    gaps = [(low, high) for low, high in zip(ends[3::2], ends[4::2], strict=True)]
    middle = (along >= begin) & (along <= end)
    for low, high in gaps:
        middle &= (along < low) | (along > high)
    texture = border(int(rng.integers(_BORDERS)))
    return Wall(
        at, texture, 0.03, along, np.where(middle, tall, 0.0), float(rng.uniform(0.6, 1.1)), float(rng.uniform(0, TILE))
    )


@lru_cache(maxsize=_BORDERS)
def border(variant: int) -> Frame:
    """Return a hedge, brick wall, railing or board fence, uint8 [64, 512, 4], 3 cm a column."""
    rows = 64
    y, x = np.mgrid[0:rows, 0:TILE]
    texture = np.empty((rows, TILE, 4), np.float32)
    texture[..., 3] = 255
    leaves, clumps = fractal(3 + variant % 3, 0.55)[:rows], fractal(variant % 6, 1.1)[:rows]
    kind = variant % 4
    if kind == 0:
        shade = 1 + 0.3 * leaves + 0.2 * clumps - 0.25 * (y / rows)
        texture[..., :3] = np.array([36, 74, 58]) * np.clip(shade, 0.2, 1.8)[..., None]
        texture[..., 3] = np.clip((y - 5 - 2.5 * clumps) * 60, 0, 255)
    elif kind == 1:
        joints = (y % 4 == 0) | ((x + (y // 4) % 2 * 5) % 10 == 0)
        color = np.array([78, 92, 150] if variant < 4 else [128, 138, 145])
        texture[..., :3] = color * np.where(joints, 1.2, 1 + 0.1 * leaves)[..., None]
        texture[:6, :, :3] = (150, 156, 158)
    elif kind == 2:
        texture[..., :3] = (48, 48, 46) if variant < 4 else (150, 152, 150)
        bars = (x % 5 < 1) | (y < 4) | ((y > 56) & (y < 60)) | (x % 80 < 3)
        texture[..., 3] = bars * 255
    else:
        boards = 1 + 0.18 * fractal(variant % 6, 0.4)[9][None, :] + 0.05 * leaves
        texture[..., :3] = np.array([82, 110, 138] if variant < 4 else [165, 168, 168]) * boards[..., None]
        texture[..., :3] *= np.where(x % 5 == 0, 0.6, 1.0)[..., None]
    texture[..., :3] = cv2.GaussianBlur(texture[..., :3], (3, 3), 0.5)
    return np.asarray(np.clip(texture, 0, 255), np.uint8)


def _garden_trees(rng: np.random.Generator, side: Side) -> list[Tree]:
    found = []
    for _ in range(int(rng.integers(0, 12))):
        variant = int(rng.integers(24))
        size = float(rng.uniform(1, 2.5) if variant % 4 == 3 else rng.uniform(4, 12))
        away = side.wall_m + side.sign * float(rng.uniform(0.5, 9))
        found.append(Tree(variant, float(4 + 110 * rng.random() ** 1.5), away, size, bool(rng.random() < 0.5)))
    return found


def _scattered(rng: np.random.Generator) -> list[Tree]:
    """Trees and bushes here and there on open ground."""
    found = []
    for _ in range(int(rng.integers(1, 14)) if rng.random() < 0.6 else 0):
        variant, along = int(rng.integers(24)), float(np.exp(rng.uniform(np.log(9), np.log(90))))
        size = float(rng.uniform(0.8, 2.2) if variant % 4 == 3 else rng.uniform(3, 10))
        found.append(Tree(variant, along, float(rng.normal(0, 0.5)) * along, size, bool(rng.random() < 0.5)))
    return found


def _avenue(rng: np.random.Generator, side: Side) -> list[Tree]:
    """Trees at a steady distance along the kerb."""
    kind = int(rng.choice([0, 1, 4, 5, 8, 9, 12, 13]))
    size, gap, trunk = float(rng.uniform(3.5, 8)), float(rng.uniform(7, 18)), float(rng.uniform(1.4, 2.8))
    at = side.kerb_m + side.sign * 0.8 if side.kerb_m else side.wall_m - side.sign * 1.2
    return [
        Tree(kind, float(along), at, size * float(rng.uniform(0.85, 1.15)), bool(rng.random() < 0.5), trunk)
        for along in np.arange(rng.uniform(3, 12), 110, gap)
    ]
