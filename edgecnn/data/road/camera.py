"""A pinhole camera above the road: x to the right, y up, z ahead, metres; the car stands at the origin."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the camera is and how it sees; angles in radians, pitch positive when it looks down."""

    width: int
    height: int
    focal_px: float
    centre_x_px: float
    centre_y_px: float
    height_m: float
    pitch_rad: float
    roll_rad: float = 0.0

    def project(self, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
        """Return (u, v, depth): pixels and metres along the optical axis; points with depth <= 0 are behind it."""
        down = self.height_m - y
        cos, sin = math.cos(self.pitch_rad), math.sin(self.pitch_rad)
        depth = z * cos + down * sin
        scale = self.focal_px / np.maximum(depth, 1e-6)
        right = x * scale
        below = (down * cos - z * sin) * scale
        if self.roll_rad == 0:
            return self.centre_x_px + right, self.centre_y_px + below, depth
        cos, sin = math.cos(self.roll_rad), math.sin(self.roll_rad)
        u = self.centre_x_px + right * cos - below * sin
        v = self.centre_y_px + right * sin + below * cos
        return u, v, depth

    @property
    def horizon_px(self) -> float:
        """The row where a flat plane ends, before roll."""
        return self.centre_y_px - self.focal_px * math.tan(self.pitch_rad)

    def canvas(self, margin_px: int) -> "Camera":
        """Return the same camera without roll, seeing `margin_px` more on every side."""
        return replace(
            self,
            width=self.width + 2 * margin_px,
            height=self.height + 2 * margin_px,
            centre_x_px=self.centre_x_px + margin_px,
            centre_y_px=self.centre_y_px + margin_px,
            roll_rad=0.0,
        )

    def unrolled(self, margin_px: int) -> NDArray[np.float64]:
        """Return the 2x3 matrix from pixel indices of the frame to pixel indices of `canvas(margin_px)`."""
        cos, sin = math.cos(self.roll_rad), math.sin(self.roll_rad)
        turn = np.array([[cos, sin], [-sin, cos]])
        centre = np.array([self.centre_x_px, self.centre_y_px])
        shift = turn @ (0.5 - centre) + centre + margin_px - 0.5
        return np.column_stack([turn, shift])


def sample_camera(rng: np.random.Generator, width: int, height: int) -> Camera:
    """Return a dash camera: horizon at 0.28 to 0.65 of the height, focal length 0.55 to 1.1 widths, 1.2 to 1.8 m up."""
    focal = width * rng.uniform(0.55, 1.1)
    # Two families are common: cameras that look down (TuSimple: 0.33) and level ones (consumer dash cameras: 0.55).
    horizon = rng.normal(0.35, 0.04) if rng.random() < 0.4 else rng.normal(0.54, 0.06)
    horizon_px = height * float(np.clip(horizon, 0.28, 0.65))
    centre_y = height * rng.normal(0.5, 0.02)
    return Camera(
        width=width,
        height=height,
        focal_px=focal,
        centre_x_px=width * float(np.clip(rng.normal(0.5, 0.015), 0.46, 0.54)),
        centre_y_px=centre_y,
        height_m=float(rng.uniform(1.2, 1.8)),
        pitch_rad=math.atan((centre_y - horizon_px) / focal),
        roll_rad=float(np.clip(rng.normal(0.0, 0.008), -0.025, 0.025)),
    )


def sample_hand_camera(rng: np.random.Generator, width: int, height: int) -> Camera:
    """Return a camera on a robot, a mast or in a hand: 0.5 to 2.2 m up, from wide angle to short telephoto."""
    focal = width * float(np.exp(rng.uniform(math.log(0.55), math.log(1.6))))
    horizon_px = height * float(np.clip(rng.normal(0.42, 0.12), 0.12, 0.68))
    return Camera(
        width=width,
        height=height,
        focal_px=focal,
        centre_x_px=width * 0.5,
        centre_y_px=height * 0.5,
        height_m=float(rng.uniform(0.5, 2.2) if rng.random() < 0.4 else rng.uniform(1.2, 1.75)),
        pitch_rad=math.atan((height * 0.5 - horizon_px) / focal),
        roll_rad=float(np.clip(rng.normal(0.0, 0.012), -0.04, 0.04)),
    )
