"""Drawing one vehicle: its faces through the camera, coloured by material and light."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.traffic import Vehicle
from edgecnn.data.road.vehicle_faces import GLASS, LAMP, PAINT, PLATE, SKY_GLASS, TRIM, TYRE, UNDER, Faces, build_faces
from edgecnn.data.road.view import View

Float32 = NDArray[np.float32]

_SHIFT = 4
_COARSE_PX = 16
_DOT_PX = 5
_OWN_COLORS = {
    GLASS: (40.0, 36.0, 33.0),
    SKY_GLASS: (64.0, 58.0, 52.0),
    TYRE: (24.0, 23.0, 22.0),
    UNDER: (17.0, 16.0, 16.0),
    PLATE: (165.0, 170.0, 172.0),
    TRIM: (110.0, 110.0, 108.0),
}


def draw_vehicle(view: View, vehicle: Vehicle, picture: Frame) -> None:
    """Draw one vehicle into the picture, in place."""
    _, _, depth = view.project(np.array([vehicle.along]), vehicle.offset, 0.0)
    near = float(depth[0])
    limit = min(view.limit(vehicle.along), picture.shape[0])
    wide = vehicle.body.width_m * view.camera.focal_px / max(near, 0.1)
    if near < 2.0 or limit < 1 or wide < 1.5:
        return
    faces = build_faces(vehicle.body, -1 if vehicle.offset > 0 else 1, oncoming=vehicle.oncoming)
    points = faces.points
    u, v, far = view.project(vehicle.along + points[:, 0], vehicle.offset + points[:, 1], points[:, 2])
    if far.min() < 0.5 or u.max() < 0 or u.min() > picture.shape[1]:
        return
    pixels = np.rint(np.clip(np.stack([u - 0.5, v - 0.5], axis=1), -4000, 4000) * (1 << _SHIFT)).astype(np.int32)
    colors = _colors(view, vehicle, faces, near).tolist()
    target = picture[:limit]
    chosen = np.flatnonzero(faces.coarse) if wide < _COARSE_PX * view.camera.width / 640 else np.arange(len(colors))
    for i in chosen:
        polygon = pixels[faces.starts[i] : faces.starts[i + 1]]
        cv2.fillConvexPoly(target, polygon, colors[i], cv2.LINE_AA if wide > _DOT_PX else cv2.LINE_8, _SHIFT)


def _colors(view: View, vehicle: Vehicle, faces: Faces, depth_m: float) -> Float32:
    """Return the colour of every face as it looks, BGR float32 [F, 3] in 0..255."""
    light = view.light
    table = np.zeros((8, 3))
    for material, color in _OWN_COLORS.items():
        table[material] = color
    # Glass mirrors the sky above more than the road below.
    sky = light.sky_low / max(light.brightness, 0.2)
    table[GLASS] += 0.10 * sky
    table[SKY_GLASS] += 0.22 * sky
    table[PAINT], table[LAMP] = vehicle.paint, _lamp(view, vehicle)
    albedo = table[faces.material] * np.where(faces.material == PAINT, faces.scale, 1.0)[:, None]
    sunny = light.sun > 0 and light.sun_side * vehicle.offset < 0
    facing = np.where(faces.facing < 0, -faces.facing * (1.45 if sunny else 1.0), faces.facing)[:, None]
    lamps = light.headlights * float(np.exp(-((depth_m / 38.0) ** 2))) * 0.7
    seen = float(np.exp(-depth_m / light.haze_m))
    lit = albedo * (light.ambient * facing + lamps)
    return np.clip(lit * seen + light.haze * (1 - seen), 0, 255).astype(np.float32)


def _lamp(view: View, vehicle: Vehicle) -> tuple[float, float, float]:
    """Return the albedo of a lamp: dull glass by day, brighter than anything by night."""
    bright = view.light.brightness
    on = 1 / max(bright, 0.1) if bright < 0.45 and vehicle.lit else 1.0
    if vehicle.oncoming:
        return 205.0 * on, 215.0 * on, 218.0 * on
    if vehicle.braking:
        return 50.0 * on, 45.0 * on, 215.0 * on
    return 28.0 * on, 24.0 * on, (115.0 if bright >= 0.45 else 130.0) * on
