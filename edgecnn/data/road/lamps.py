"""Lamps in the dark: headlights, tail lights and street lamps with the glow that a lens gives them."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.layout import Layout
from edgecnn.data.road.traffic import Vehicle
from edgecnn.data.road.view import View

Float32 = NDArray[np.float32]

_SIDE = 64
_WHITE, _RED, _SODIUM = (225.0, 240.0, 255.0), (40.0, 40.0, 255.0), (120.0, 190.0, 255.0)


@lru_cache(maxsize=1)
def _halo() -> Float32:
    """A lamp's image: a core and a wide skirt, float32 [64, 64]."""
    place = (np.arange(_SIDE, dtype=np.float32) + 0.5) / _SIDE * 2 - 1
    far = np.hypot(place[:, None], place[None, :])
    skirt = np.clip(1 - far, 0, 1) ** 2
    return np.asarray(np.exp(-((far / 0.12) ** 2)) + 0.32 * skirt, np.float32)


def light_lamps(
    rng: np.random.Generator, view: View, picture: Frame, layout: Layout, traffic: tuple[Vehicle, ...]
) -> None:
    """Add the lamps of the traffic and of the road to a dark picture, in place."""
    if view.light.street_lamps > 0:
        side = layout.right_m + 1.2 if rng.random() < 0.5 else layout.left_m - 1.2
        for along in np.arange(rng.uniform(8, 40), 330, rng.uniform(28, 45)):
            _glow(view, picture, (float(along), side, 8.5), 0.9, _SODIUM, 1.0)
    for vehicle in traffic:
        if not vehicle.lit:
            continue
        body = vehicle.body
        color, size = (_WHITE, 2.4) if vehicle.oncoming else (_RED, 1.3 if vehicle.braking else 0.8)
        for side in (-0.8, 0.8):
            place = (vehicle.along - 0.05, vehicle.offset + side * body.width_m / 2, min(body.belt_m * 0.82, 1.0))
            _glow(view, picture, place, size, color, 1.0 if vehicle.oncoming else 0.8)


def _glow(
    view: View, picture: Frame, place: tuple[float, float, float], size_m: float, color: tuple[float, ...], level: float
) -> None:
    along, offset, up = place
    u, v, depth = (float(value[0]) for value in view.project(np.array([along]), offset, up))
    if depth < 2 or v > view.limit(along):
        return
    # Far lamps don't shrink to nothing: the lens spreads even a point.
    half = int(np.clip(size_m * view.camera.focal_px / depth * 0.5, 3 * view.camera.width / 640, 90))
    left, top = round(u) - half, round(v) - half
    x0, x1 = max(left, 0), min(left + 2 * half, picture.shape[1])
    y0, y1 = max(top, 0), min(top + 2 * half, picture.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    halo = cv2.resize(_halo(), (2 * half, 2 * half), interpolation=cv2.INTER_AREA)[
        y0 - top : y1 - top, x0 - left : x1 - left
    ]
    seen = level * float(np.exp(-depth / (view.light.haze_m * 2)))
    area = picture[y0:y1, x0:x1]
    area[...] = np.clip(area + halo[..., None] * (np.array(color, np.float32) * np.float32(seen)), 0, 255)
