"""The camera behind the lens: blur, exposure, white balance, noise, JPEG."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.noise import sensor_grain

_MIDDLE_GREY = 122.0
_HIGHLIGHT_SHARE = 0.58


@dataclass(frozen=True, slots=True)
class Sensor:
    """How one camera takes its picture.

    Attributes:
        blur_px: deviation of the lens blur.
        motion_px: rows that vibration smears into one, 0 for none.
        gain: exposure as a BGR factor, with the white balance in it, float32 [3].
        gamma: contrast curve's exponent.
        black: level that stray light adds, in grey levels.
        noise: deviation in grey levels.
        grain_px: deviation of the blur that makes the noise coarser than a pixel.
        quality: JPEG quality, 0 for none.
    """

    blur_px: float
    motion_px: int
    gain: NDArray[np.float32]
    gamma: float
    black: float
    noise: float
    grain_px: float
    quality: int


def sample_sensor(rng: np.random.Generator, *, dark: bool, scale: float) -> Sensor:
    """Return a random camera; `dark` scenes need more gain and show more noise. `scale` is width / 640."""
    cast = float(np.clip(rng.normal(0, 0.03), -0.07, 0.07))
    gain = np.array([1 + cast, 1 + rng.normal(0, 0.008), 1 - cast]) * np.exp(rng.normal(0, 0.13))
    return Sensor(
        blur_px=float(max(0.0, rng.normal(0.45, 0.3)) * scale),
        motion_px=int(rng.integers(3, 6)) if rng.random() < 0.08 else 0,
        gain=gain.astype(np.float32),
        gamma=float(np.exp(rng.normal(0, 0.12))),
        black=float(max(0.0, rng.normal(4, 6))),
        # A frame that was scaled down from a larger sensor shows next to no noise.
        noise=float((rng.uniform(0.0, 1.0) if rng.random() < 0.45 else rng.gamma(1.8, 1.0)) * (2.2 if dark else 1.0)),
        grain_px=float(rng.choice([0.0, 0.6, 1.0])),
        quality=int(rng.integers(55, 96)) if rng.random() < 0.35 else 0,
    )


def take(rng: np.random.Generator, sensor: Sensor, scene: Frame) -> Frame:
    """Return the picture that `sensor` takes of `scene`, uint8 BGR of the same shape."""
    image: NDArray[Any] = scene
    if sensor.blur_px > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), sensor.blur_px)
    if sensor.motion_px:
        image = cv2.blur(image, (1, sensor.motion_px))
    image = cv2.LUT(image, _curve(sensor, _exposure(scene)))
    if sensor.noise > 0.3:
        weight = sensor.noise / 32
        image = cv2.addWeighted(image, 1.0, _grain(rng, sensor, *image.shape[:2]), weight, -128 * weight)
    if sensor.quality:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, sensor.quality])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(image, np.uint8)


def _grain(rng: np.random.Generator, sensor: Sensor, height: int, width: int) -> Frame:
    """Cut a window out of the noise, wrapping where a frame is larger than it."""
    grain = sensor_grain(sensor.grain_px)
    y = int(rng.integers(max(1, grain.shape[0] - height + 1)))
    x = int(rng.integers(max(1, grain.shape[1] - width + 1)))
    window = grain[y : y + height, x : x + width]
    if window.shape[:2] == (height, width):
        return window
    return np.take(np.take(grain, np.arange(height), 0, mode="wrap"), np.arange(width), 1, mode="wrap")


def _exposure(scene: Frame) -> float:
    """Return the factor that automatic exposure would choose: most of the way to a middle grey, lights kept in."""
    sample = scene[::8, ::8, 1]
    level = max(float(sample.mean()), _HIGHLIGHT_SHARE * float(np.percentile(sample, 96)))
    return float(np.clip((_MIDDLE_GREY / max(level, 1.0)) ** 0.6, 0.6, 1.4))


def _curve(sensor: Sensor, exposure: float) -> NDArray[np.uint8]:
    """Return the lookup table uint8 [1, 256, 3] of exposure, white balance, contrast and a soft white clip."""
    level = np.arange(256, dtype=np.float32)[:, None] / 255 * sensor.gain * np.float32(exposure)
    bent = np.where(level > 0.85, 0.85 + 0.15 * np.tanh((level - 0.85) / 0.15), level) ** sensor.gamma
    return np.asarray(np.clip(bent * (255 - sensor.black) + sensor.black, 0, 255)[None], np.uint8)
