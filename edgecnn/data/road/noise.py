"""Tileable random textures, made once a process and looked up by every scene after that."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame

TILE = 512
_ASSET_SEED = 20_240_917


@lru_cache(maxsize=128)
def fractal(variant: int, slope: float, stretch: float = 1.0) -> NDArray[np.float32]:
    """Return a tileable field, float32 [512, 512], mean 0, deviation 1, whose amplitude falls as frequency^-slope.

    Natural textures lie between slope 0.7 (grain) and 1.6 (clouds). `stretch` > 1 makes the field that many times
    longer along its rows axis (y) than along x.
    """
    rng = np.random.default_rng([_ASSET_SEED, variant])
    fy = np.fft.fftfreq(TILE)[:, None] * stretch
    fx = np.fft.rfftfreq(TILE)[None, :]
    radius = np.hypot(fy, fx)
    radius[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE))) * radius**-slope
    field = np.fft.irfft2(spectrum, s=(TILE, TILE))
    return np.asarray((field - field.mean()) / field.std(), np.float32)


@lru_cache(maxsize=64)
def tile(variant: int, slope: float, stretch: float = 1.0) -> Frame:
    """Return `fractal` as bytes, 128 for the mean and 32 for the deviation: a quarter of the memory to look up."""
    return np.asarray(np.clip(fractal(variant, slope, stretch) * 32 + 128.5, 0, 255), np.uint8)


@lru_cache(maxsize=4)
def sensor_grain(blur_px: float) -> NDArray[np.uint8]:
    """Return normal noise around 128 with deviation 32, uint8 [1024, 1536, 3], blurred as demosaicing blurs it."""
    rng = np.random.default_rng([_ASSET_SEED, 99])
    luma = rng.standard_normal((1024, 1536, 1), np.float32)
    # Demosaicing leaves colour noise at half the picture's detail.
    chroma = rng.standard_normal((512, 768, 3), np.float32)
    grain = 0.8 * luma + 0.6 * cv2.resize(chroma, (1536, 1024), interpolation=cv2.INTER_LINEAR)
    if blur_px > 0:
        grain = cv2.GaussianBlur(grain, (0, 0), blur_px)
    return np.asarray(np.clip(grain / grain.std() * 32 + 128, 0, 255), np.uint8)


def wave(rng: np.random.Generator, count: int, slope: float = 1.0) -> NDArray[np.float32]:
    """Return one row of a fractal field, float32 [count], from a random place: a skyline, a wobbling edge."""
    field = fractal(int(rng.integers(4)), slope)
    row = field[int(rng.integers(TILE))]
    start = int(rng.integers(TILE))
    return np.asarray(row[(start + np.arange(count)) % TILE], np.float32)
