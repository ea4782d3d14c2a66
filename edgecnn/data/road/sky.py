"""What lies above the road: sky, clouds, far hills and the line of trees on the horizon."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.light import Light
from edgecnn.data.road.noise import TILE, fractal, wave

Float32 = NDArray[np.float32]


def paint_sky(rng: np.random.Generator, light: Light, width: int, height: int, horizon: float) -> Frame:
    """Return the backdrop down to `height` rows as uint8 BGR [height, width, 3]; `horizon` is the level row."""
    # Nothing up here has an edge finer than two pixels, so it is painted at half the size.
    half_h, half_w = (height + 1) // 2, (width + 1) // 2
    level = max(horizon / 2, 1.0)
    up = np.clip(1 - np.arange(half_h, dtype=np.float32) / level, 0, 1)[:, None, None]
    image = light.sky_low + (light.sky_top - light.sky_low) * up ** np.float32(rng.uniform(0.55, 1.1))
    image = np.broadcast_to(image, (half_h, half_w, 3)).astype(np.float32)
    _clouds(rng, light, image, level)
    for distance, size in ((6000.0, rng.uniform(0, 22)), (2500.0, rng.uniform(0, 12))):
        if rng.random() < 0.6:
            _ridge(rng, light, image, level, size * half_w / 320, distance)
    for distance in (500.0, 220.0):
        if rng.random() < 0.75:
            _trees(rng, light, image, level, rng.uniform(3, 20) * half_w / 320 * (300 / distance) ** 0.3, distance)
    image = cv2.convertScaleAbs(image)
    whole = cv2.resize(image, (2 * half_w, 2 * half_h), interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole[:height, :width], np.uint8)


def _clouds(rng: np.random.Generator, light: Light, image: Float32, level: float) -> None:
    cover = {"clear": rng.uniform(-1.0, 0.9), "overcast": rng.uniform(0.5, 2.0)}.get(light.weather, rng.uniform(0, 1.5))
    if light.time == "night" or light.weather == "fog" or cover < -0.4:
        return
    height, width = image.shape[:2]
    away = level / np.maximum(level - np.arange(height, dtype=np.float32) + 4, 4)
    map_y = np.repeat((away * rng.uniform(20, 60) + rng.uniform(0, TILE))[:, None], width, axis=1).astype(np.float32)
    columns = np.arange(width, dtype=np.float32) - width / 2
    map_x = (away[:, None] * columns * rng.uniform(0.25, 0.6) + rng.uniform(0, TILE)).astype(np.float32)
    field = cv2.remap(
        fractal(int(rng.integers(10, 13)), 1.55), map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    share = np.clip((field + cover - 0.6) * 0.7, 0, 1) * np.float32(rng.uniform(0.4, 0.95))
    bright = light.sky_low * np.float32(1.08) + np.float32(14 * light.brightness)
    shade = np.clip(1.0 - 0.12 * (field - 0.5), 0.7, 1.1)
    image += share[..., None] * (bright * shade[..., None] - image)


def _ridge(rng: np.random.Generator, light: Light, image: Float32, level: float, size: float, away_m: float) -> None:
    """Far hills: forest or dry grass, blue with distance."""
    height, width = image.shape[:2]
    top = level - size * (0.9 + 0.5 * wave(rng, width, 1.7))
    color = [(66, 80, 62), (110, 145, 165), (75, 95, 88)][int(rng.integers(3))]
    lit = light.through_air(
        np.array(color, np.float32) * light.ambient,
        away_m * (rng.uniform(0.1, 0.35) if light.weather == "clear" else 1.0),
    )
    field = _patch(rng, 1.0, height, width) * np.float32(0.05)
    _fill(image, top, lit, field * np.float32(np.exp(-away_m * 0.35 / light.haze_m)))


def _trees(rng: np.random.Generator, light: Light, image: Float32, level: float, size: float, away_m: float) -> None:
    """A line of trees and bushes with ragged crowns and gaps."""
    height, width = image.shape[:2]
    # Broad-leaved crowns are round, conifers are pointed.
    rough, spikes = (1.5, 0.06) if rng.random() < 0.65 else (1.3, 0.26)
    crowns = 0.5 * wave(rng, width, rough) + spikes * np.abs(wave(rng, width, 0.7)) + rng.uniform(-0.2, 0.6)
    top = level - size * crowns
    color = np.array([42, 62, 52], np.float32) * np.float32(rng.uniform(0.6, 1.25))
    lit = light.through_air(color * light.ambient, away_m)
    # The air that hides a thing hides its texture with it.
    seen = np.float32(0.3 * np.exp(-away_m / light.haze_m))
    _fill(image, np.asarray(top, np.float32), lit, _patch(rng, 0.75, height, width) * seen)


def _patch(rng: np.random.Generator, slope: float, height: int, width: int) -> Float32:
    tile = fractal(int(rng.integers(6)), slope)
    rows = (np.arange(height) + int(rng.integers(TILE))) % TILE
    columns = (np.arange(width) + int(rng.integers(TILE))) % TILE
    return np.asarray(tile[rows][:, columns], np.float32)


def _fill(image: Float32, top: Float32, color: Float32, field: Float32) -> None:
    """Paint everything below the skyline `top` (rows, float32 [W]) with a textured colour."""
    first = max(0, int(np.floor(top.min())))
    last = image.shape[0]
    if first >= last:
        return
    rows = np.arange(first, last, dtype=np.float32)[:, None]
    share = np.clip(rows - top[None, :] + 0.5, 0, 1)[..., None]
    band = image[first:last]
    band += share * (color * np.clip(1 + field[first:last, :, None], 0.3, 1.8) - band)
