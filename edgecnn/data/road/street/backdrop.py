"""What stands behind people who are not on a street: walls of rooms and yards, shelves, curtains, hedges, blur."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.noise import TILE, fractal
from edgecnn.data.road.view import View

Float32 = NDArray[np.float32]

VARIANTS = 20
TEXEL_M = 0.012
_ROWS = 256


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A wall across the picture, `along` metres ahead and `height_m` high, its texture shifted and tinted."""

    variant: int
    along: float
    height_m: float
    shift: float
    tint: tuple[float, float, float]


def sample_backdrop(rng: np.random.Generator) -> Backdrop | None:
    """Return a random wall, or None for open ground under the sky."""
    if rng.random() < 0.3:
        return None
    inside = rng.random() < 0.75
    tint = np.clip(rng.uniform(0.6, 1.25) * (1 + rng.normal(0, 0.06, 3)), 0.4, 1.4)
    return Backdrop(
        int(rng.integers(VARIANTS)),
        float(np.exp(rng.uniform(np.log(4), np.log(22)))),
        60.0 if inside else float(rng.uniform(1.6, 4.5)),
        float(rng.uniform(0, TILE)),
        (float(tint[0]), float(tint[1]), float(tint[2])),
    )


def paint_backdrop(view: View, backdrop: Backdrop, picture: Frame) -> None:
    """Paint the wall over sky and ground, in place."""
    _, (foot, head), (depth, _) = view.project(
        np.array([backdrop.along, backdrop.along]), 0.0, np.array([0.0, backdrop.height_m])
    )
    first, last = max(0, int(head)), min(picture.shape[0], int(foot))
    if last <= first:
        return
    metre = view.camera.focal_px / float(depth)
    texture = wall(backdrop.variant)
    scale = 1 / (metre * TEXEL_M)
    # Seen from far off, texels average; a coarser copy does that.
    halvings = int(np.clip(np.log2(max(scale, 1.0)), 0, 4))
    for _ in range(halvings):
        texture = np.asarray(cv2.pyrDown(texture, borderType=cv2.BORDER_REFLECT_101), np.uint8)
    scale /= 2**halvings
    rows = texture.shape[0] - 1 - (float(foot) - np.arange(first, last, dtype=np.float32)) * np.float32(scale)
    columns = (np.arange(picture.shape[1], dtype=np.float32) * np.float32(scale) + backdrop.shift) % texture.shape[1]
    # Above what the texture shows, its upper part is repeated.
    rows = np.abs(rows)
    map_x = np.broadcast_to(columns, (len(rows), len(columns)))
    map_y = np.broadcast_to(rows[:, None], map_x.shape)
    looked = cv2.remap(
        texture, np.ascontiguousarray(map_x), np.ascontiguousarray(map_y), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )  # fmt: skip
    lit = looked * (view.light.ambient * np.asarray(backdrop.tint, np.float32))
    picture[first:last] = np.clip(view.light.through_air(lit, float(depth)), 0, 255)


@lru_cache(maxsize=VARIANTS)
def wall(variant: int) -> Frame:
    """Return wall number `variant`, uint8 BGR [256, 512, 3], 12 mm a texel, its foot at the last row."""
    rng = np.random.default_rng([variant, 31])
    kind = variant % 10
    makers = (_plaster, _plaster, _bricks, _shelves, _curtain, _panels, _tiles, _hedge, _blur, _windows)
    texture = makers[kind](rng)
    grain = fractal(variant % 6, 0.9)[:_ROWS, :, None]
    return np.asarray(np.clip(texture * (1 + 0.03 * grain), 0, 255), np.uint8)


def _flat(color: NDArray[np.float64]) -> Float32:
    return np.broadcast_to(color.astype(np.float32), (_ROWS, TILE, 3)).copy()


def _tone(rng: np.random.Generator, low: float, high: float) -> NDArray[np.float64]:
    return np.asarray(rng.uniform(low, high) * np.clip(1 + rng.normal(0, 0.12, 3), 0.6, 1.3))


def _plaster(rng: np.random.Generator) -> Float32:
    """A painted wall with pictures, a door, a skirting board."""
    texture = _flat(_tone(rng, 120, 215))
    if rng.random() < 0.3:
        texture[:, :: int(rng.integers(8, 24))] *= 0.85
    for _ in range(int(rng.integers(1, 6))):
        left, top = int(rng.integers(0, TILE - 70)), int(rng.integers(70, 150))
        wide, tall = int(rng.integers(20, 70)), int(rng.integers(20, 60))
        texture[top : top + tall, left : left + wide] = _tone(rng, 20, 190)
        texture[top + 4 : top + tall - 4, left + 4 : left + wide - 4] = _tone(rng, 40, 220)
        middle = top + tall // 2
        texture[middle : top + tall - 4, left + 4 : left + wide - 4] = _tone(rng, 20, 190)
    if rng.random() < 0.6:
        left = int(rng.integers(0, TILE - 90))
        texture[_ROWS - 172 :, left : left + 78] = _tone(rng, 60, 220)
        texture[_ROWS - 165 :, left + 6 : left + 72] *= 0.85
    texture[_ROWS - 10 :] = _tone(rng, 60, 220)
    return texture


def _bricks(rng: np.random.Generator) -> Float32:
    y, x = np.mgrid[0:_ROWS, 0:TILE]
    joints = (y % 8 == 0) | ((x + (y // 8) % 2 * 8) % 16 == 0)
    bricks = rng.normal(1, 0.12, (_ROWS // 8 + 1, TILE // 16 + 1)).astype(np.float32)
    tone = bricks[y // 8, ((x + (y // 8) % 2 * 8) // 16) % bricks.shape[1]]
    color = np.array([72, 88, 140]) if rng.random() < 0.6 else _tone(rng, 90, 190)
    return np.asarray(np.where(joints[..., None], 150, color * tone[..., None]), np.float32)


def _shelves(rng: np.random.Generator) -> Float32:
    """Shelves full of books or goods."""
    texture = _flat(_tone(rng, 20, 60))
    step = int(rng.integers(28, 44))
    for low in range(_ROWS - 4, step, -step):
        texture[low : low + 4] = _tone(rng, 60, 150)
        at = 2
        while at < TILE - 12:
            wide, tall = int(rng.integers(3, 12)), int(rng.integers(step // 2, step - 5))
            texture[low - tall : low, at : at + wide] = _tone(rng, 30, 190)
            at += wide + (int(rng.integers(0, 20)) if rng.random() < 0.15 else 0)
    return texture


def _curtain(rng: np.random.Generator) -> Float32:
    folds = fractal(int(rng.integers(6)), 0.9)[11] * 0.12 + 0.12 * np.sin(np.arange(TILE) / TILE * 2 * np.pi * 34)
    texture = _flat(_tone(rng, 50, 190))
    texture *= (1 + folds.astype(np.float32))[None, :, None]
    return texture


def _panels(rng: np.random.Generator) -> Float32:
    """Boards, upright."""
    color = np.array([70, 105, 150]) * rng.uniform(0.5, 1.3)
    veins = fractal(int(rng.integers(6)), 0.8, 6.0)[:_ROWS] * 0.08
    texture = _flat(color)
    texture *= (1 + veins)[..., None]
    wide = int(rng.choice([16, 32, 64]))
    for at in range(0, TILE, wide):
        texture[:, at : at + wide] *= rng.uniform(0.85, 1.12)
        texture[:, at] *= 0.5
    return texture


def _tiles(rng: np.random.Generator) -> Float32:
    step = int(rng.choice([8, 16, 32]))
    texture = _flat(_tone(rng, 140, 220))
    texture[::step] *= 0.75
    texture[:, ::step] *= 0.75
    band = int(rng.integers(40, 160))
    texture[band : band + step] *= np.asarray(_tone(rng, 60, 150) / 180, np.float32)
    return texture


def _hedge(rng: np.random.Generator) -> Float32:
    leaves, clumps = fractal(3, 0.55)[:_ROWS], fractal(int(rng.integers(6)), 1.1)[:_ROWS]
    shade = np.clip(1 + 0.35 * leaves + 0.3 * clumps, 0.15, 2.0)[..., None]
    return np.asarray(np.array([36, 66, 54]) * rng.uniform(0.5, 1.0) * shade, np.float32)


def _blur(rng: np.random.Generator) -> Float32:
    """What a lens throws out of focus."""
    fields = [fractal(int(rng.integers(6)), 1.3)[:_ROWS] for _ in range(3)]
    mean, spread = rng.uniform(60, 150), rng.uniform(20, 45)
    shared = fractal(int(rng.integers(6)), 1.5)[:_ROWS]
    return np.asarray(mean + spread * (np.stack(fields, axis=2) * 0.45 + shared[..., None]), np.float32)


def _windows(rng: np.random.Generator) -> Float32:
    """A wall with large windows, bright outside."""
    texture = _flat(_tone(rng, 70, 170))
    pitch = int(rng.choice([64, 128]))
    for left in range(10, TILE - 30, pitch):
        pane = texture[60:180, left : left + pitch - 24]
        pane[:] = np.linspace(235, 150, pane.shape[0], dtype=np.float32)[:, None, None] * np.float32(
            rng.uniform(0.8, 1)
        )
        pane[:, pane.shape[1] // 2] = 60
        if rng.random() < 0.4:
            pane[::6] *= 0.7
    return texture
