"""Light on the ground: daylight, the car's own lamps, lamps along the road, and the air in between."""

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.ground import Ground
from edgecnn.data.road.light import Light

Float32 = NDArray[np.float32]


def light_ground(light: Light, ground: Ground, albedo: Float32) -> Float32:
    """Return the lit ground as seen through the air, BGR float32 [R, W, 3]; `albedo` is used up."""
    albedo *= light.ambient if not light.headlights else light.ambient + _lamps(light, ground)
    seen = np.exp(-ground.depth / light.haze_m).astype(np.float32)[:, None, None]
    albedo *= seen
    albedo += light.haze * (1 - seen)
    return albedo


def _lamps(light: Light, ground: Ground) -> Float32:
    """Return the light of low-beam headlamps, float32 [R, W, 3]: a broad flat cone that ends some 60 m ahead."""
    depth = ground.depth.astype(np.float32)
    near = np.clip((depth - 2) / 6, 0.25, 1)
    reach = near * np.exp(-((depth / 42) ** 2)) + 0.18 * np.exp(-depth / 60)
    spread = 2.2 + 0.16 * depth
    beam = reach[:, None] * np.exp(-((ground.across / spread[:, None]) ** 2))
    warm = np.array([0.88, 0.98, 1.05], np.float32) * np.float32(light.headlights)
    return np.asarray(beam[..., None] * warm, np.float32)
