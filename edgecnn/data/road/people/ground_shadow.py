"""What a figure takes from the ground's light: its shadow in the sun, and the dark below its feet."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.people.figure import Figure
from edgecnn.data.road.people.lighting import sun_direction
from edgecnn.data.road.view import View

Floats = NDArray[np.float64]

_SHIFT = 3
_NEAR_M = 0.6
_LOW_M = 0.35


def cast_shadow(view: View, figure: Figure, ground: float, picture: Frame, limit: int) -> None:
    """Darken the picture where the figure, standing at height `ground`, keeps light away."""
    light = view.light
    seen = float(np.exp(-float(figure.depth.mean()) / light.haze_m))
    if light.sun > 0:
        sun = sun_direction(light)
        height = figure.points[..., 1:2] - ground
        flat = figure.points - height * (sun / sun[1])
        _darken(view, figure, flat, picture, limit, 0.85 * light.sun * seen, high=True)
    flat = figure.points.copy()
    flat[..., 1] = ground
    _darken(view, figure, flat, picture, limit, 0.5 * seen, high=False)


def _darken(
    view: View, figure: Figure, flat: Floats, picture: Frame, limit: int, strength: float, *, high: bool
) -> None:
    """Darken below each part's convex hull on the ground; `high` for all parts, else for those near the ground."""
    u, v, depth = view.camera.project(flat[..., 0], flat[..., 1], flat[..., 2])
    if depth.min() < _NEAR_M:
        return
    bottom = figure.points[..., 1].min()
    hulls = []
    for first, last in zip(figure.starts[:-1], figure.starts[1:], strict=True):
        low = figure.points[first:last, :, 1] < bottom + _LOW_M
        if not high and low.sum() < 8:
            continue
        chosen = slice(None) if high else low.ravel()
        hulls.append(np.stack([u[first:last].ravel()[chosen], v[first:last].ravel()[chosen]], axis=1))
    if not hulls:
        return
    every = np.concatenate(hulls)
    soft = max(0.6, 0.025 * float(np.ptp(figure.v)) * (0.6 if high else 1.0))
    pad = int(2 * soft) + 2
    x0, y0 = np.maximum(np.floor(every.min(axis=0)).astype(int) - pad, 0)
    x1 = min(picture.shape[1], int(every[:, 0].max()) + pad + 1)
    y1 = min(picture.shape[0], limit, int(every[:, 1].max()) + pad + 1)
    if x0 >= x1 or y0 >= y1:
        return
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    for points in hulls:
        pixels = np.clip(points - (x0 + 0.5, y0 + 0.5), -4000, 4000) * (1 << _SHIFT)
        cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(pixels).astype(np.int32)), 255, cv2.LINE_AA, _SHIFT)
    share = cv2.GaussianBlur(mask, (0, 0), soft).astype(np.float32) * np.float32(strength / 255)
    target = picture[y0:y1, x0:x1]
    target[:] = target * (1 - share[..., None]) + 0.5
