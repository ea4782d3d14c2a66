"""A brush for solid things: boxes, round posts and plates, seen through the camera and lit."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.view import View

Color = tuple[float, float, float]
Floats = NDArray[np.float64]

_SHIFT = 4
_NEAR_M = 0.5
_FLAT_M = 0.005


@dataclass(frozen=True, slots=True)
class Brush:
    """Paints about one place of the scene: sizes are metres from `along`, `offset` and the ground."""

    view: View
    picture: Frame
    along: float
    offset: float
    depth_m: float

    @property
    def pixels(self) -> float:
        """Return pixels a metre."""
        return self.view.camera.focal_px / max(self.depth_m, _NEAR_M)

    def face(
        self, points: list[tuple[float, float, float]], color: Color, facing: float, *, shines: bool = False
    ) -> None:
        """Fill a convex face with corners (along, right, up)."""
        place = np.array(points)
        u, v, depth = self.view.project(self.along + place[:, 0], self.offset + place[:, 1], place[:, 2])
        if depth.min() < _NEAR_M:
            return
        albedo = np.asarray(color, np.float32)
        lit = albedo if shines else self.view.lit(albedo, self.depth_m, facing)
        at = np.rint(np.clip(np.stack([u - 0.5, v - 0.5], axis=1), -4000, 4000) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillConvexPoly(self.picture, at, lit.tolist(), cv2.LINE_AA, _SHIFT)

    def box(
        self, near: float, far: float, left: float, right: float, low: float, high: float, color: Color
    ) -> None:  # fmt: skip
        """Fill the faces of a box that the camera sees."""
        deep = far - near > _FLAT_M
        if deep and self.view.camera.height_m > high:
            top = [(near, left, high), (near, right, high), (far, right, high), (far, left, high)]
            self.face(top, color, 1.12)
        edge = right if self.offset + right < 0 else left
        if deep and (self.offset + right < 0 or self.offset + left > 0):
            flank = [(near, edge, low), (far, edge, low), (far, edge, high), (near, edge, high)]
            self.face(flank, color, 0.6)
        self.face([(near, left, low), (near, right, low), (near, right, high), (near, left, high)], color, 0.82)

    def post(self, right: float, radius: float, low: float, high: float, color: Color, *, top: float = 1.0) -> None:
        """Fill a round post, `top` times as wide at its upper end."""
        for begin, end, facing in ((-1.0, -0.4, 0.62), (-0.4, 0.35, 0.95), (0.35, 1.0, 0.72)):
            lower = right + begin * radius, right + end * radius
            upper = right + begin * radius * top, right + end * radius * top
            self.face([(0, lower[0], low), (0, lower[1], low), (0, upper[1], high), (0, upper[0], high)], color, facing)

    def disc(
        self, right: float, up: float, radius: float, color: Color, *, corners: int = 14, turn: float = 0.0,
        ahead: float = 0.0, shines: bool = False,
    ) -> None:  # fmt: skip
        """Fill a round or cornered plate that faces the camera, `ahead` metres before the place."""
        angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + turn
        ring = [(-ahead, right + radius * float(np.sin(a)), up + radius * float(np.cos(a))) for a in angles]
        self.face(ring, color, 0.9, shines=shines)
