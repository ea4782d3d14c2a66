"""Textures for what lines the road, made once a process: uint8 [rows, 512, 4], BGR albedo and opacity."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.noise import TILE, fractal

Float32 = NDArray[np.float32]


def _blank(rows: int, color: tuple[float, float, float]) -> Float32:
    texture = np.empty((rows, TILE, 4), np.float32)
    texture[..., :3] = color
    texture[..., 3] = 1
    return texture


def _bytes(texture: Float32) -> Frame:
    """Return a finished texture as bytes, opacity 1 as 255."""
    return np.asarray(np.clip(texture * np.array([1, 1, 1, 255], np.float32) + 0.5, 0, 255), np.uint8)


def _down(rows: int) -> Float32:
    return np.linspace(0, 1, rows, dtype=np.float32)[:, None]


@lru_cache(maxsize=16)
def concrete(variant: int) -> Frame:
    """A concrete safety barrier, 5 cm a column: stepped profile, joints, stains running down."""
    rows = 64
    texture = _blank(rows, (148, 156, 160))
    down = _down(rows)
    step = np.where(down < 0.1, 1.15, np.where(down < 0.6, 0.93, np.where(down < 0.85, 1.06, 0.82)))
    stains = fractal(variant % 6, 1.0, 3.0)[:rows] * 0.10 + fractal(variant % 6, 0.9)[100:101, :] * 0.10 * (1 - down)
    joints = np.ones(TILE, np.float32)
    joints[:: (64, 128, 80)[variant % 3]] = 0.6
    tone = (0.62, 0.85, 1.1, 1.3)[variant % 4]
    texture[..., :3] *= (tone * step * (1 + stains) * joints)[..., None]
    return _bytes(texture)


@lru_cache(maxsize=4)
def rail(variant: int) -> Frame:
    """A steel guard rail on posts, 4 cm a column: the beam's two waves above, grass to be seen below."""
    rows = 48
    texture = _blank(rows, (150, 150, 146))
    down = _down(rows)
    wave = 0.85 + 0.35 * np.sin(down * 2 * np.pi / 0.24 + 0.6)
    beam = (down < 0.48).astype(np.float32)
    post = (np.arange(TILE) % (100 if variant % 2 else 50) < 4).astype(np.float32)[None, :]
    texture[..., :3] *= (np.where(down < 0.48, wave, 0.55) * (1 + 0.05 * fractal(variant, 1.0)[:rows]))[..., None]
    texture[..., 3] = np.maximum(beam, post * (down > 0.2))
    return _bytes(texture)


@lru_cache(maxsize=4)
def fence(variant: int) -> Frame:
    """A fence of boards or wire, 4 cm a column."""
    rows = 48
    texture = _blank(rows, (98, 116, 128) if variant % 2 else (120, 122, 120))
    boards = fractal(variant, 0.4)[7][None, :] * 0.16 + fractal(variant, 0.9)[:rows] * 0.06
    texture[..., :3] *= (1 + boards)[..., None]
    post = (np.arange(TILE) % 64 < 3).astype(np.float32)
    gaps = (np.arange(TILE) % 8 < (7 if variant % 2 else 2)).astype(np.float32)
    texture[..., 3] = np.maximum(post, gaps * (0.95 if variant % 2 else 0.45))[None, :]
    return _bytes(texture)


@lru_cache(maxsize=12)
def bank(variant: int) -> Frame:
    """A grassy or bare slope with a ragged top and bushes, 25 cm a column."""
    rows = 128
    dry, green, rock = (112, 165, 198), (52, 104, 92), (100, 125, 140)
    texture = _blank(rows, (dry, dry, green, rock)[variant % 4])
    down = _down(rows)
    field = fractal(variant % 6, 1.1)[:rows] * 0.10 + fractal(3 + variant % 3, 0.6)[:rows] * 0.08
    texture[..., :3] *= (1.0 + field - 0.12 * down + 0.06 * fractal(7, 1.3)[:rows])[..., None]
    _bushes(texture, variant)
    top = 0.10 + 0.05 * fractal(variant % 6, 1.2)[200]
    texture[..., 3] = np.clip((down - top[None, :]) * 24, 0, 1)
    return _bytes(texture)


def _bushes(texture: Float32, variant: int) -> None:
    """Grow dark bushes, lit from above, where a noise field is high."""
    rows = texture.shape[0]
    field = fractal((variant + 2) % 6, 1.25)[:rows] + 0.35 * fractal(4, 0.7)[:rows]
    share = np.clip((field - (1.3 if variant % 4 != 2 else 0.8)) * 3, 0, 1)[..., None]
    light = np.clip(1.0 + 0.9 * (field - np.roll(field, -3, axis=0)), 0.4, 1.7)[..., None]
    texture[..., :3] += share * (np.array([40, 66, 58], np.float32) * light - texture[..., :3])


@lru_cache(maxsize=12)
def wood(variant: int) -> Frame:
    """The edge of a wood, 12 cm a column: crowns above, shade and trunks below, sky through the rim."""
    rows = 192
    base = ((40, 74, 62), (44, 82, 60), (38, 58, 50), (58, 92, 88))[variant % 4]
    texture = _blank(rows, base)
    down = _down(rows)
    clumps = fractal(variant % 6, 1.15)[:rows]
    leaves = fractal(3 + variant % 3, 0.55)[:rows]
    # Light from above: a clump's upper rim is bright, its underside dark.
    relief = clumps - np.roll(clumps, -5, axis=0)
    shade = 1.0 + 1.1 * relief + 0.28 * leaves + 0.12 * clumps - 0.55 * np.clip(down - 0.35, 0, 1)
    texture[..., :3] *= np.clip(shade, 0.12, 2.0)[..., None]
    # Three of four woods are broad-leaved, with a round rim.
    rough, ragged = (1.25, 0.05) if variant % 4 == 2 else (1.7, 0.025)
    crown = 0.32 + 0.15 * fractal((variant + 1) % 6, rough)[300][None, :] + ragged * leaves + 0.1 * clumps
    texture[..., 3] = np.clip((down - crown) * 30, 0, 1)
    return _bytes(texture)


@lru_cache(maxsize=8)
def houses(variant: int) -> Frame:
    """A row of buildings, 10 cm a column: fronts of several heights and colours with windows."""
    rows = 160
    rng = np.random.default_rng([variant, 5])
    texture = _blank(rows, (120, 120, 120))
    texture[..., 3] = 0
    at = 0
    while at < TILE - 40:
        width = min(int(rng.integers(60, 170)), TILE - at)
        top = int(rng.integers(4, 100))
        _house(rng, texture[top:, at : at + width])
        at += width + int(rng.integers(0, 30))
    texture[..., :3] *= (1 + 0.05 * fractal(variant % 6, 0.9)[:rows])[..., None]
    return _bytes(texture)


def _house(rng: np.random.Generator, front: Float32) -> None:
    # Plaster, brick, concrete: warm or grey, never violet.
    warm = np.array([rng.uniform(0.55, 1.0), rng.uniform(0.85, 1.0), rng.uniform(0.98, 1.15)])
    front[..., :3] = rng.uniform(75, 195) * warm
    front[..., 3] = 1
    front[:4, :, :3] *= 0.6
    step_y, step_x = int(rng.integers(16, 26)), int(rng.integers(14, 30))
    wide = int(step_x * rng.uniform(0.4, 0.75))
    tall = int(step_y * rng.uniform(0.45, 0.65))
    for y in range(8, front.shape[0] - tall, step_y):
        for x in range(4, front.shape[1] - wide, step_x):
            front[y : y + tall, x : x + wide, :3] = np.array([82, 72, 62]) * rng.uniform(0.5, 1.5)


@lru_cache(maxsize=4)
def kerb(variant: int) -> Frame:
    """A kerb stone, 5 cm a column."""
    texture = _blank(12, (138, 144, 146))
    joints = np.where(np.arange(TILE) % 20 == 0, 0.7, 1.0)
    shade = np.where(_down(12) < 0.35, 1.2, 0.78) * (1 + 0.07 * fractal(variant, 0.9)[:12]) * joints
    texture[..., :3] *= shade[..., None]
    return _bytes(np.asarray(cv2.GaussianBlur(texture, (3, 3), 0.6), np.float32))
