"""Between the scene and the lens: wet road, rain, glare, dirt, and the car's own bonnet."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.ground import Ground
from edgecnn.data.road.light import Light
from edgecnn.data.road.noise import TILE, fractal, tile, wave

Float32 = NDArray[np.float32]


def mirror(
    rng: np.random.Generator, picture: Frame, ground: Ground, horizon: float, strength: float,
    bare: NDArray[np.bool_] | None = None,
) -> None:  # fmt: skip
    """Let a wet road mirror what stands above it: the picture upside down, smeared downward, broken by the surface.

    `bare`, bool [H, W], tells where the ground is seen; without it, all below the horizon is taken for ground.
    """
    first = max(ground.top, int(horizon) + 1)
    rows = np.arange(first, picture.shape[0])
    source = np.clip((2 * horizon - rows).astype(np.int64), 0, picture.shape[0] - 1)
    above = cv2.blur(picture, (3, 17))[source]
    puddles = ground.texture(tile(int(rng.integers(3)), 1.4), 0.05, 0.3, (float(rng.uniform(0, TILE)), 0.0))
    # Fresnel: water mirrors at a flat angle, near the horizon, far more than below the camera.
    flat = np.clip(1.2 - (rows - horizon) / (picture.shape[0] - horizon), 0.1, 1)[:, None]
    share = np.clip(strength * flat * (1 + 0.6 * puddles[first - ground.top :]), 0, 0.75)[..., None].astype(np.float32)
    if bare is not None:
        share *= bare[first:, :, None]
    area = picture[first:]
    area[...] = area + share * (above.astype(np.float32) - area)


def rain(rng: np.random.Generator, light: Light, picture: Frame) -> None:
    """Streaks of falling drops and drops on the windscreen that smear what lies behind them."""
    height, width = picture.shape[:2]
    level = float(np.clip(60 + 150 * light.brightness, 0, 235))
    veil = np.zeros((height, width), np.uint8)
    slant = rng.normal(0, 0.12)
    for _ in range(int(rng.integers(20, 220))):
        x, y, length = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.01, 0.06) * height
        end = (int(x + slant * length), int(y + length))
        cv2.line(veil, (int(x), int(y)), end, int(rng.integers(20, 70)), 1, cv2.LINE_AA)
    picture[...] = cv2.addWeighted(picture, 1.0, cv2.merge([veil] * 3), level / 255, 0)
    soft = cv2.blur(picture, (9, 9))
    drops = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(0, 30))):
        size = rng.uniform(0.003, 0.014) * width
        place = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        cv2.ellipse(
            drops,
            place,
            (max(1, int(size)), max(1, int(size * rng.uniform(0.8, 1.6)))),
            0,
            0,
            360,
            255,
            -1,
            cv2.LINE_AA,
        )
    picture[...] = np.where(drops[..., None] > 127, cv2.convertScaleAbs(soft, alpha=1.06, beta=4), picture)


def glare(rng: np.random.Generator, picture: Frame, horizon: float) -> None:
    """The low sun in the lens: a white core and a wide veil."""
    height, width = picture.shape[:2]
    x, y = rng.uniform(0.1, 0.9) * width, horizon - rng.uniform(0.0, 0.9) * horizon
    rows = (np.arange(0, height, 2, dtype=np.float32) - y)[:, None] / width
    columns = (np.arange(0, width, 2, dtype=np.float32) - x)[None, :] / width
    far = np.hypot(rows, columns)
    veil = 255 * np.exp(-((far / rng.uniform(0.02, 0.05)) ** 2)) + rng.uniform(50, 150) * np.exp(
        -far / rng.uniform(0.1, 0.35)
    )
    tint = np.array([0.86, 0.96, 1.0], np.float32)
    light = cv2.resize((veil[..., None] * tint).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    picture[...] = np.clip(picture + light, 0, 255)


def dirt(rng: np.random.Generator, light: Light, picture: Frame) -> None:
    """Smears on the windscreen, out of focus, lit by the sky."""
    height, width = picture.shape[:2]
    clouds = fractal(int(rng.integers(10, 13)), 1.55)
    x, y = int(rng.integers(TILE // 2)), int(rng.integers(TILE // 2))
    field = clouds[y : y + TILE // 2, x : x + TILE // 2]
    smear = np.clip((field - 0.4) * np.float32(rng.uniform(0.03, 0.16)), 0, 0.3)
    share = np.asarray(cv2.resize(smear, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    veil = np.full(picture.shape, np.clip(light.sky_low * 0.8, 0, 255), np.uint8)
    picture[...] = cv2.blendLinear(veil, picture, share, 1 - share)


def bonnet(rng: np.random.Generator, light: Light, picture: Frame) -> None:
    """The car's own bonnet, or the dashboard's edge, along the picture's bottom."""
    height, width = picture.shape[:2]
    x = np.linspace(-1, 1, width)
    rise = rng.uniform(0.03, 0.14) * height
    curve = rise * (1 - rng.uniform(0.05, 0.5) * np.abs(x - rng.normal(0, 0.1)) ** rng.uniform(1.6, 3.5))
    top = height - curve
    rows = np.arange(height - int(rise) - 2, height, dtype=np.float32)[:, None]
    share = np.clip(rows - top[None, :].astype(np.float32) + 0.5, 0, 1)[..., None]
    paint = np.array([rng.uniform(15, 120)] * 3) * rng.uniform(0.8, 1.2, 3)
    down = np.clip((rows - top[None, :]) / max(rise, 1), 0, 1)
    sheen = np.exp(-((down - rng.uniform(0.0, 0.3)) ** 2) / 0.03) * rng.uniform(0.0, 0.5)
    ripple = 1 + 0.12 * wave(rng, width, 1.5)[None, :]
    color = (paint * ripple[..., None]) * light.ambient + sheen[..., None] * light.sky_low * 0.6
    first = height - rows.shape[0]
    area = picture[first:]
    area[...] = np.clip(area + share * (color * (1 - 0.5 * down[..., None]) - area), 0, 255)
