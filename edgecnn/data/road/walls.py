"""Things that line the road at a steady distance: barriers, rails, fences, banks, woods, rows of houses.

A wall is a textured curtain that follows the road. Seen without roll each column of the picture meets it at one place,
so its texture is looked up in true perspective from a few numbers a column.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.alignment import Alignment
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.view import View

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

_NEAR_M, _FAR_M = 0.6, 420.0
_SAMPLES = 260
_HIDING_M, _CLOSE_M = 2.2, 25.0


@dataclass(frozen=True, slots=True)
class Wall:
    """A curtain along the road.

    Attributes:
        offset_m: to the right of the reference line.
        texture: uint8 [rows, 512, 4]: BGR albedo and opacity, tileable along its columns, top row first.
        texel_m: metres along the road a column of the texture covers.
        height: metres at each of `along`; `along` in metres.
        facing: share of daylight that falls on it.
        shines: whether it is lit from within, so that its texture is what is seen whatever light falls on it.
    """

    offset_m: float
    texture: Frame
    texel_m: float
    along: Floats
    height: Floats
    facing: float = 1.0
    shift: float = 0.0
    shines: bool = False

    @property
    def hides(self) -> bool:
        """Whether it stands close to the road and too high to be looked over."""
        return bool(self.height.max() > _HIDING_M and abs(self.offset_m) < _CLOSE_M)


def even(offset_m: float, texture: Frame, texel_m: float, height_m: float, facing: float, shift: float) -> Wall:
    """Return a wall of one height."""
    return Wall(offset_m, texture, texel_m, np.array([0.0, 1e4]), np.array([height_m, height_m]), facing, shift)


def draw_wall(view: View, wall: Wall, picture: Frame) -> None:
    """Draw the wall on the canvas picture, in place."""
    along = _NEAR_M + (_FAR_M - _NEAR_M) * np.linspace(0, 1, _SAMPLES) ** 2.2
    x, y, z = view.alignment.point(along, wall.offset_m)
    u, foot, depth = view.camera.project(x, y, z)
    _, head, _ = view.camera.project(x, y + np.interp(along, wall.along, wall.height), z)
    ahead = depth > 0.3
    u, foot, head, depth, along = (np.asarray(values[ahead]) for values in (u, foot, head, depth, along))
    side = 1.0 if wall.offset_m > 0 else -1.0
    # A bend turns the far wall behind the near one: keep what comes closer to the middle than all before it.
    reach = np.minimum.accumulate(u * side)
    seen = np.concatenate([[True], u[1:] * side < reach[:-1] - 1e-9])
    shown = np.flatnonzero(seen)[np.argsort(u[seen])]
    if len(shown) < 2:
        return
    u = u[shown]
    first, last = max(0, int(np.ceil(u[0] - 0.5))), min(view.camera.width, int(np.floor(u[-1] - 0.5)) + 1)
    if last - first < 1:
        return
    middles = np.arange(first, last) + 0.5
    curtain = (_above_crest(view, along, foot), head, depth, along)
    columns = tuple(np.interp(middles, u, values[shown]).astype(np.float32) for values in curtain)
    _fill(view, wall, picture, first, columns)


def behind(
    camera: Camera, alignment: Alignment, wall: Wall, along: Floats, offset: Floats | float
) -> NDArray[np.bool_]:
    """Return which ground points, at `along` (near to far) and `offset`, a high wall hides round a bend.

    `camera` has no roll. A point is hidden when the wall, nearer than the point, reaches across its column.
    """
    side = 1.0 if wall.offset_m > 0 else -1.0
    reach, _, _ = camera.project(*alignment.point(along, wall.offset_m))
    high = np.interp(along, wall.along, wall.height) > _HIDING_M
    nearest = np.minimum.accumulate(np.where(high, reach * side, np.inf))
    u, _, _ = camera.project(*alignment.point(along, offset))
    return np.asarray(u * side > nearest)


def sight_m(camera: Camera, alignment: Alignment, wall: Wall) -> float:
    """Return how far along its middle the road can be seen before a bend takes it behind this wall."""
    along = np.linspace(4.0, _FAR_M, 160)
    hidden = np.flatnonzero(behind(camera, alignment, wall, along, 0.0))
    return float(along[hidden[0]]) if len(hidden) else math.inf


def _above_crest(view: View, along: Floats, foot: Floats) -> Floats:
    """Lift the wall's foot to the road that hides it."""
    hiding = np.interp(along, view.sightline.along, view.sightline.crest)
    return np.asarray(np.minimum(foot, np.maximum(hiding, 0) + 2.0), np.float64)


def _fill(view: View, wall: Wall, picture: Frame, first: int, columns: tuple[Float32, ...]) -> None:
    foot, head, depth, along = columns
    top, bottom = max(0, int(head.min())), min(picture.shape[0], int(np.ceil(foot.max())) + 1)
    if bottom <= top:
        return
    rows = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5)
    tall = np.maximum(foot - head, 0.5)
    down = (rows - head) / tall
    map_y = np.clip(down, 0, 1) * np.float32(wall.texture.shape[0] - 1)
    map_x = np.broadcast_to((along / wall.texel_m + wall.shift) % wall.texture.shape[1], map_y.shape)
    looked = cv2.remap(
        wall.texture, np.ascontiguousarray(map_x, np.float32), map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    share = np.minimum(rows - head + 0.5, foot - rows + 0.5)
    np.clip(share, 0, 1, out=share)
    *colors, opacity = cv2.split(looked)
    share *= opacity * np.float32(1 / 255)
    lamps = np.float32(0 if wall.shines else view.light.headlights * 0.7) * np.exp(-((depth / 38) ** 2))
    seen = np.exp(-depth / np.float32(view.light.haze_m))
    falling = np.ones(3, np.float32) if wall.shines else view.light.ambient
    lit = [
        plane * ((ambient * np.float32(wall.facing) + lamps) * seen) + haze * (1 - seen)
        for plane, ambient, haze in zip(colors, falling, view.light.haze, strict=True)
    ]
    area = picture[top:bottom, first : first + len(foot)]
    area[...] = cv2.blendLinear(cv2.convertScaleAbs(cv2.merge(lit)), area.copy(), share, 1 - share)
