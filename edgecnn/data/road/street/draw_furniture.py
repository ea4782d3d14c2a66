"""How each thing that stands about looks."""

from collections.abc import Callable

import numpy as np

from edgecnn.core.results import Frame
from edgecnn.data.road.canvas import Area
from edgecnn.data.road.street.furniture import Item
from edgecnn.data.road.street.solids import Brush, Color
from edgecnn.data.road.view import View

_STEEL, _GLASS, _DARK, _LIGHT = (128.0, 130.0, 130.0), (120.0, 116.0, 108.0), (36.0, 36.0, 36.0), (215.0, 218.0, 218.0)
_LAMPS = ((40.0, 40.0, 235.0), (40.0, 180.0, 240.0), (90.0, 220.0, 60.0))
_FINE_PX = 22.0


def item_area(view: View, item: Item, picture: Frame) -> Area:
    """Return the part of the picture that the thing may cover; an empty one when it is out of sight."""
    reach = item.half_m * 1.3 + 0.6
    deep = max(0.55, item.half_m)
    along = np.array([item.along - deep, item.along + deep + 0.5])
    # What stands on a table, and a rounded top, rise beyond the usual height.
    tops = (0.0, item.height_m * 1.35 + 0.1)
    corners = [view.project(along, item.offset + side, up) for side in (-reach, reach) for up in tops]
    u, v, depth = (np.concatenate(values) for values in zip(*corners, strict=True))
    if depth.min() < 1.0:
        return slice(0, 0), slice(0, 0)
    height, width = picture.shape[:2]
    left, right = np.clip([np.floor(u.min()) - 2, np.ceil(u.max()) + 2], 0, width).astype(int)
    top, bottom = np.clip([np.floor(v.min()) - 3, np.ceil(v.max()) + 3], 0, height).astype(int)
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def draw_item(view: View, item: Item, picture: Frame) -> None:
    """Draw one thing into the picture, in place."""
    _, _, depth = view.project(np.array([item.along]), item.offset, 0.0)
    target = picture[: max(view.limit(item.along), 1)]
    _DRAWERS[item.kind](Brush(view, target, item.along, item.offset, float(depth[0])), item)


def _bollard(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m * 0.7
    brush.post(0, wide, 0, tall, item.paint, top=0.9)
    if item.variant % 3:
        brush.post(0, wide * 1.02, tall * 0.7, tall * 0.85, item.trim)
    if item.variant % 2:
        brush.disc(0, tall, wide * 1.2, item.paint)


def _bin(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    if item.variant % 3 == 0:
        # On a post, as in parks.
        brush.post(0, 0.04, 0, tall * 1.1, _DARK)
        brush.box(-0.15, 0.15, -wide * 0.7, wide * 0.7, tall * 0.45, tall, item.paint)
        return
    brush.post(0, wide * 0.85, 0, tall, item.paint, top=1.15)
    brush.post(0, wide * 1.05, tall * 0.9, tall, item.trim if item.variant % 2 else _DARK)
    if brush.pixels * wide > _FINE_PX / 3:
        brush.box(-0.3, -0.3, -wide * 0.5, wide * 0.5, tall * 0.72, tall * 0.82, _DARK)


def _wheelie(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    brush.box(-0.3, 0.3, -wide, wide, 0.08, tall * 0.9, item.paint)
    brush.box(-0.36, 0.32, -wide * 1.08, wide * 1.08, tall * 0.9, tall, item.trim)


def _hydrant(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    brush.post(0, wide * 0.6, 0, tall * 0.8, item.paint, top=0.9)
    brush.post(0, wide * 0.75, tall * 0.78, tall * 0.86, item.paint)
    brush.post(0, wide * 0.5, tall * 0.86, tall, item.paint, top=0.4)
    for side in (-1.0, 1.0):
        brush.disc(side * wide * 0.75, tall * 0.6, wide * 0.28, item.trim)


def _postbox(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    if item.variant % 2:
        brush.post(0, wide, 0, tall * 0.93, item.paint)
        brush.post(0, wide * 1.1, tall * 0.9, tall, item.paint, top=0.7)
    else:
        brush.post(0, 0.05, 0, tall * 0.5, _STEEL)
        brush.box(-0.15, 0.15, -wide, wide, tall * 0.45, tall, item.paint)
    brush.box(-wide, -wide, -wide * 0.5, wide * 0.5, tall * 0.78, tall * 0.82, _DARK)


def _meter(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    brush.post(0, 0.035, 0, tall * 0.8, _STEEL)
    brush.box(-0.08, 0.08, -wide * 0.8, wide * 0.8, tall * 0.76, tall, item.paint)


def _sign(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    brush.post(0, 0.035, 0, tall, _STEEL)
    middle, kind = tall - wide * 0.8, item.variant % 4
    corners, turn = {0: (14, 0.0), 1: (3, 0.0), 2: (4, np.pi / 4), 3: (3, np.pi)}[kind]
    brush.disc(0, middle, wide * 0.8, item.trim, corners=corners, turn=turn, ahead=0.05)
    brush.disc(0, middle, wide * 0.58, item.paint, corners=corners, turn=turn, ahead=0.06)
    if item.variant % 5 == 0:
        brush.box(-0.05, -0.05, -wide * 0.6, wide * 0.6, middle - wide * 1.4, middle - wide, _LIGHT)


def _signal(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    brush.post(0, 0.06, 0, tall * 0.75, _STEEL if item.variant % 2 else _DARK)
    brush.box(-0.1, 0.1, -wide * 0.8, wide * 0.8, tall * 0.7, tall, _DARK)
    on = item.variant % 3
    for place, color in enumerate(_LAMPS):
        up = tall * (0.95 - 0.1 * place)
        dull = (color[0] * 0.25, color[1] * 0.25, color[2] * 0.25)
        brush.disc(0, up, wide * 0.42, color if place == on else dull, ahead=0.12, shines=place == on)


def _column(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    brush.post(0, wide, 0, tall, _STEEL)
    brush.post(0, wide * 1.02, tall * 0.15, tall * 0.55, item.paint)
    brush.post(0, wide * 1.02, tall * 0.57, tall * 0.9, item.trim)
    brush.post(0, wide * 1.15, tall * 0.92, tall, _DARK)


def _kiosk(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    brush.box(-wide, wide, -wide, wide, 0, tall, item.paint)
    for row in range(3):
        low = tall * (0.12 + 0.26 * row)
        brush.box(-wide, -wide, -wide * 0.78, wide * 0.78, low, low + tall * 0.2, _GLASS)


def _shelter(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    brush.box(0.6, 0.62, -wide, wide, tall * 0.1, tall * 0.12, item.paint)
    for at in (-wide, -wide * 0.33, wide * 0.33, wide):
        brush.post(at, 0.04, 0, tall, _DARK)
    brush.box(0.3, 0.6, -wide * 0.6, wide * 0.2, 0.42, 0.5, item.trim)
    brush.box(0.0, 0.05, wide * 0.55, wide, tall * 0.2, tall * 0.85, item.paint)
    brush.box(0.0, 0.05, wide * 0.6, wide * 0.95, tall * 0.25, tall * 0.8, _LIGHT)
    brush.box(-0.3, 0.8, -wide * 1.05, wide * 1.05, tall * 0.95, tall, item.paint)


def _bench(brush: Brush, item: Item) -> None:
    wide, seat = item.half_m, 0.45
    for at in (-0.8, 0.8):
        brush.box(-0.2, 0.2, at * wide - 0.03, at * wide + 0.03, 0, seat, _DARK)
    brush.box(-0.22, 0.22, -wide, wide, seat - 0.05, seat, item.paint)
    if item.variant % 4:
        for up in (0.58, 0.72):
            brush.box(0.2, 0.24, -wide, wide, up, up + 0.09, item.paint)


def _board(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    brush.box(-0.05, 0.05, -wide, wide, 0, tall, item.paint)
    brush.box(-0.06, -0.06, -wide * 0.85, wide * 0.85, tall * 0.15, tall * 0.92, _LIGHT)
    for row in range(3):
        up, reach = tall * (0.75 - 0.2 * row), wide * (0.7 - 0.13 * (item.variant + row) % 4)
        brush.box(-0.07, -0.07, -wide * 0.7, reach * 0.8, up, up + tall * 0.07, item.trim)


def _cone(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    brush.box(-wide, wide, -wide, wide, 0, 0.05, _DARK)
    brush.post(0, wide * 0.75, 0.05, tall, item.paint, top=0.15)
    brush.post(0, wide * 0.5, tall * 0.4, tall * 0.6, _LIGHT, top=0.75)


def _barrier(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    for at in (-0.85, 0.85):
        brush.post(at * wide, 0.04, 0, tall, _STEEL)
    for row in (0.55, 0.8):
        for piece in range(6):
            color: Color = (38.0, 36.0, 190.0) if piece % 2 else _LIGHT
            left = wide * (piece / 3 - 1)
            brush.box(-0.02, -0.02, left, left + wide / 3, tall * row, tall * (row + 0.15), color)


def _capsule(brush: Brush, item: Item) -> None:
    """A vase, a bag on a stand, a covered something: as tall as people and none."""
    tall, wide = item.height_m, item.half_m
    waist = 0.7 + 0.06 * (item.variant % 10)
    brush.post(0, wide, 0, tall * 0.6, item.paint, top=waist)
    brush.post(0, wide * waist, tall * 0.6, tall * 0.94, item.trim if item.variant % 2 else item.paint, top=0.6)
    if item.variant % 3:
        brush.disc(0, tall * 0.94, wide * 0.5, item.paint)


def _box(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    brush.box(-wide * 0.7, wide * 0.7, -wide, wide, 0, tall, item.paint)
    if item.variant % 3 == 0:
        near = -wide * 0.7
        brush.box(near, near, -wide * 0.8, wide * 0.8, tall * 0.1, tall * 0.45, item.trim)
        brush.box(near, near, -wide * 0.8, wide * 0.8, tall * 0.55, tall * 0.9, item.trim)


def _table(brush: Brush, item: Item) -> None:
    tall, wide = item.height_m, item.half_m
    for depth in (0.45, -0.45):
        for at in (-0.9, 0.9):
            brush.box(depth - 0.03, depth + 0.03, at * wide - 0.03, at * wide + 0.03, 0, tall, item.paint)
    brush.box(-0.5, 0.5, -wide, wide, tall - 0.05, tall, item.paint)
    if item.variant % 2:
        brush.box(-0.1, 0.1, -wide * 0.3, wide * 0.2, tall, tall * 1.3, item.trim)


def _rack(brush: Brush, item: Item) -> None:
    """Shelves with things on them."""
    tall, wide = item.height_m, item.half_m
    brush.box(-0.2, 0.2, -wide, wide, 0, tall, item.paint)
    rng = np.random.default_rng(item.variant)
    for row in range(4):
        low = tall * (0.04 + 0.24 * row)
        brush.box(-0.2, -0.2, -wide * 0.92, wide * 0.92, low, low + tall * 0.21, _DARK)
        at = -wide * 0.9
        while at < wide * 0.8:
            step = float(rng.uniform(0.05, 0.25)) * wide
            tone = np.clip(rng.uniform(25, 180) + rng.normal(0, 28, 3), 10, 220)
            color = (float(tone[0]), float(tone[1]), float(tone[2]))
            brush.box(-0.2, -0.2, at, at + step, low, low + tall * float(rng.uniform(0.08, 0.19)), color)
            at += step * 1.1


_DRAWERS: dict[str, Callable[[Brush, Item], None]] = {
    "bollard": _bollard,
    "bin": _bin,
    "wheelie": _wheelie,
    "hydrant": _hydrant,
    "postbox": _postbox,
    "meter": _meter,
    "sign": _sign,
    "signal": _signal,
    "column": _column,
    "kiosk": _kiosk,
    "shelter": _shelter,
    "bench": _bench,
    "board": _board,
    "cone": _cone,
    "barrier": _barrier,
    "capsule": _capsule,
    "box": _box,
    "table": _table,
    "rack": _rack,
}
