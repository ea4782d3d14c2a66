"""Light on the ground: daylight, shadows, the car's own lamps, and the air in between."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.coat import Coat
from edgecnn.data.road.ground import Ground
from edgecnn.data.road.light import Light

Float32 = NDArray[np.float32]

# The sky still lights a shadow, and the sky is blue.
_SHADOW_TINT = (0.93, 1.0, 1.03)
_LAMP_TINT = (0.88, 0.98, 1.05)


def light_ground(light: Light, ground: Ground, coat: Coat, shade: Float32 | None = None) -> Frame:
    """Return the lit ground as seen through the air, uint8 BGR [R, W, 3].

    Args:
        light: the scene's light.
        ground: where each pixel lies.
        coat: the ground's finish.
        shade: share of the daylight that shadows take away, float32 [R, W], or None.
    """
    seen = np.exp(-ground.depth / light.haze_m).astype(np.float32)[:, None]
    tone = coat.tone * seen
    beam = _beam(light, ground) if light.headlights else None
    planes = []
    for plane, ambient, haze, shadow, lamp in zip(
        cv2.split(coat.albedo), light.ambient, light.haze, _SHADOW_TINT, _LAMP_TINT, strict=False
    ):
        falling = np.float32(ambient) if shade is None else np.float32(ambient) * (1 - np.float32(shadow) * shade)
        if beam is not None:
            falling = falling + np.float32(lamp) * beam
        lit = cv2.multiply(plane, np.asarray(tone * falling, np.float32), dtype=cv2.CV_32F) + np.float32(haze) * (
            1 - seen
        )
        planes.append(cv2.convertScaleAbs(lit))
    return np.asarray(cv2.merge(planes), np.uint8)


def _beam(light: Light, ground: Ground) -> Float32:
    """Return the light of low-beam headlamps, float32 [R, W]: a broad flat cone that ends some 60 m ahead."""
    depth = ground.depth.astype(np.float32)
    near = np.clip((depth - 2) / 6, 0.25, 1)
    reach = (near * np.exp(-((depth / 42) ** 2)) + 0.18 * np.exp(-depth / 60)) * np.float32(light.headlights)
    spread = 2.2 + 0.16 * depth
    return np.asarray(reach[:, None] * np.exp(-((ground.across / spread[:, None]) ** 2)), np.float32)
