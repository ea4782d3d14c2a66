"""Drawing one person into a picture, and their exact box."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.people.figure import FINE_PX, Figure, ground_under, stand_before
from edgecnn.data.road.people.ground_shadow import cast_shadow
from edgecnn.data.road.people.lighting import normals_of, shade_of
from edgecnn.data.road.people.person import Person
from edgecnn.data.road.people.shading import color_of
from edgecnn.data.road.people.splat import Visible, refine, splat
from edgecnn.data.road.view import View

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

_NEAR_M = 0.8


class Painted(NamedTuple):
    """What was painted.

    Attributes:
        window: rows and columns of the picture that the masks cover.
        alpha: how much of each pixel shows the person (clothes and hair, no pram, bicycle or umbrella), uint8 [h, w].
        cover: how much of each pixel anything was painted over, uint8 [h, w]: what lies behind is hidden by it.
    """

    window: tuple[slice, slice]
    alpha: NDArray[np.uint8]
    cover: NDArray[np.uint8]


NOTHING = Painted((slice(0, 0), slice(0, 0)), np.zeros((0, 0), np.uint8), np.zeros((0, 0), np.uint8))


def outline(view: View, person: Person) -> tuple[float, float, float, float]:
    """Return the full body's box (x1, y1, x2, y2) in canvas pixels, which may reach beyond the canvas.

    Clothes and hair belong to it; prams, bicycles and umbrellas do not. Whoever stands nearer than 0.8 m has an empty
    box (0, 0, 0, 0).
    """
    figure = stand_before(view, person)
    if figure.depth.min() < _NEAR_M:
        return 0.0, 0.0, 0.0, 0.0
    boxes = []
    for part, first, last in zip(figure.parts, figure.starts[:-1], figure.starts[1:], strict=True):
        if part.body:
            u, v = refine(np.stack([figure.u[first:last], figure.v[first:last]]), 4 * (last - first), 64)
            boxes.append((u.min(), v.min(), u.max(), v.max()))
    left, top, right, bottom = np.array(boxes).T
    return float(left.min()), float(top.min()), float(right.max()), float(bottom.max())


def draw_person(view: View, person: Person, picture: Frame) -> Painted:
    """Paint the person into the picture, uint8 BGR [H, W, 3], in place, and return what was painted."""
    figure = stand_before(view, person)
    if figure.depth.min() < _NEAR_M:
        return NOTHING
    window = _window(figure, picture, view.limit(person.along))
    if window[0] >= window[2] or window[1] >= window[3]:
        return NOTHING
    cast_shadow(view, figure, ground_under(view, person), picture, view.limit(person.along))
    depth = float(figure.depth.mean())
    normals = normals_of(figure.points, figure.starts)
    eye = np.array([0.0, view.camera.height_m, 0.0])
    toward = eye - figure.points
    toward /= np.linalg.norm(toward, axis=-1, keepdims=True)
    shade, facing = shade_of(view.light, normals, toward, depth)
    tall = float(np.ptp(figure.v))
    scale = _scale(tall)
    seen = splat(figure, shade, facing, window, scale)
    color = view.light.through_air(color_of(view.light, figure.parts, seen, fine=tall > FINE_PX), depth)
    return _blend(picture, window, figure, seen, np.clip(color, 0, 255))


def _scale(tall_px: float) -> float:
    """Return places a pixel each way: small figures need the most to keep their edges smooth."""
    return 4.0 if tall_px < 36 else 3.0 if tall_px < 56 else 2.0 if tall_px < 400 else 1.0


def _window(figure: Figure, picture: Frame, limit: int) -> tuple[int, int, int, int]:
    high, wide = picture.shape[:2]
    return (
        max(0, int(np.floor(figure.u.min())) - 1),
        max(0, int(np.floor(figure.v.min())) - 1),
        min(wide, int(np.ceil(figure.u.max())) + 1),
        min(high, limit, int(np.ceil(figure.v.max())) + 1),
    )


def _blend(picture: Frame, window: tuple[int, int, int, int], figure: Figure, seen: Visible, color: Float32) -> Painted:
    """Average the fine grid down to pixels and lay it over the picture."""
    x0, y0, x1, y1 = window
    fine, person = np.zeros((*seen.shape, 4), np.float32), np.zeros(seen.shape, np.float32)
    flat = fine.reshape(-1, 4)
    flat[seen.place, :3], flat[seen.place, 3] = color, 1.0
    person.reshape(-1)[seen.place] = np.array([part.body for part in figure.parts], np.float32)[seen.part]
    size = (x1 - x0, y1 - y0)
    # OpenCV averages over areas for at most four channels.
    layers = cv2.resize(fine, size, interpolation=cv2.INTER_AREA)
    alpha = np.asarray(cv2.resize(person, size, interpolation=cv2.INTER_AREA) * 255 + 0.5, np.uint8)
    target = picture[y0:y1, x0:x1]
    target[:] = target * (1 - layers[..., 3:]) + layers[..., :3] + 0.5
    cover = np.asarray(layers[..., 3] * 255 + 0.5, np.uint8)
    return Painted((slice(y0, y1), slice(x0, x1)), alpha, cover)
