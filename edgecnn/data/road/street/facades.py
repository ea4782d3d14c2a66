"""Fronts of houses and shops, made once a process: textures for walls, and what of them shines at night."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.noise import TILE, fractal

Float32 = NDArray[np.float32]
Color = tuple[float, float, float]

VARIANTS = 12
TEXEL_M = 0.06
_ROWS, _COLUMNS = 240, 1024
_GLASS, _FRAME = (78.0, 72.0, 64.0), (205.0, 208.0, 208.0)
_WARM = ((120.0, 190.0, 240.0), (150.0, 215.0, 250.0), (215.0, 225.0, 225.0))
_SIGNS = ((40, 40, 180), (120, 60, 30), (50, 120, 40), (30, 160, 220), (40, 40, 40), (200, 205, 205), (140, 40, 120))
_LETTERS = "ABCDEFGHIKLMNOPRSTUVXYZ"


class Facades(NamedTuple):
    """A row of fronts, uint8 [240, 1024, 4] BGR albedo and opacity, 6 cm a texel, and its lit windows alike."""

    front: Frame
    glow: Frame


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What a front is painted on: albedo and light given, float32 [rows, columns, 3], and opacity [rows, columns]."""

    albedo: Float32
    glow: Float32
    solid: NDArray[np.uint8]

    def fill(self, box: tuple[int, int, int, int], color: Color | Float32, glow: Color = (0.0, 0.0, 0.0)) -> None:
        """Fill the box (left, top, right, bottom) in texels, cut to the sheet."""
        left, top, right, bottom = box
        area = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
        self.albedo[area] = color
        self.glow[area] = glow


@lru_cache(maxsize=2 * VARIANTS)
def facades(variant: int, *, right: bool) -> Facades:
    """Return the row of fronts number `variant`, which repeats after 61 m.

    Columns run away from the camera, so what can be read on one side of a street is turned for the `right` one.
    """
    if right:
        made = facades(variant, right=False)
        return Facades(np.ascontiguousarray(made.front[:, ::-1]), np.ascontiguousarray(made.glow[:, ::-1]))
    rng = np.random.default_rng([variant, 17])
    sheet = _Sheet(
        np.zeros((_ROWS, _COLUMNS, 3), np.float32),
        np.zeros((_ROWS, _COLUMNS, 3), np.float32),
        np.zeros((_ROWS, _COLUMNS), np.uint8),
    )
    village = variant % 4 == 3
    at = 0
    while at < _COLUMNS - 60:
        wide = min(int(rng.integers(80, 240)), _COLUMNS - at)
        if _COLUMNS - at - wide < 60:
            wide = _COLUMNS - at
        tall = int(rng.integers(80, 125) if village else rng.integers(120, _ROWS))
        _building(rng, sheet, at, at + wide, _ROWS - tall, shop=rng.random() < (0.2 if village else 0.6))
        # Gaps are side streets, yards, gardens.
        at += wide + (int(rng.integers(30, 120)) if rng.random() < (0.6 if village else 0.12) else 0)
    grain = np.tile(fractal(variant % 6, 0.9), (1, _COLUMNS // TILE))[:_ROWS, :, None]
    stains = np.tile(fractal(7, 1.4, 0.4), (1, _COLUMNS // TILE))[:_ROWS, :, None]
    albedo = cv2.GaussianBlur(sheet.albedo * (1 + 0.035 * grain + 0.03 * stains), (3, 3), 0.6)
    lit = (sheet.glow.max(axis=2) > 0).astype(np.uint8) * 255
    front = np.dstack([np.clip(albedo, 0, 255), sheet.solid])
    return Facades(np.asarray(front, np.uint8), np.asarray(np.dstack([np.clip(sheet.glow, 0, 255), lit]), np.uint8))


def _building(rng: np.random.Generator, sheet: _Sheet, left: int, right: int, top: int, *, shop: bool) -> None:
    color = _plaster(rng)
    sheet.fill((left, top, right, _ROWS), color)
    sheet.solid[top:, left:right] = 255
    if rng.random() < 0.4:
        _bricks(rng, sheet, (left, top, right, _ROWS), color)
    roof = rng.random()
    if roof < 0.55:
        tall = int(rng.integers(10, 30))
        sheet.fill((left, top, right, top + tall), _roof_color(rng))
        for at in range(left + 12, right - 16, int(rng.integers(30, 60))):
            if rng.random() < 0.4:
                sheet.fill((at, top + 4, at + 11, top + tall - 2), _FRAME)
                sheet.fill((at + 2, top + 6, at + 9, top + tall - 2), _GLASS)
        top += tall
    sheet.fill((left, top, right, top + 4), np.array(color, np.float32) * np.float32(0.75 if roof < 0.5 else 1.2))
    ground = _ROWS - int(rng.integers(54, 66))
    _upper(rng, sheet, (left, top + 4, right, ground - 4), color)
    if shop:
        _shop(rng, sheet, left, right, ground)
    else:
        _entrance(rng, sheet, left, right, ground, color)
    # A rain pipe or a joint between neighbours.
    sheet.albedo[top:, left : left + 2] *= 0.55


def _plaster(rng: np.random.Generator) -> Color:
    tone = float(rng.uniform(70, 200))
    pick = rng.random()
    if pick < 0.25:
        tone, tint = min(tone, 135.0), (0.52, 0.66, 1.0)  # brick
    elif pick < 0.5:
        tint = (1.0, 1.0, 1.0)  # concrete, stone
    elif pick < 0.8:
        tint = (0.78, 0.95, 1.05)  # ochre
    else:
        tint = (float(rng.uniform(0.8, 1.1)), float(rng.uniform(0.9, 1.05)), float(rng.uniform(0.75, 1.0)))
    return tone * tint[0], tone * tint[1], tone * tint[2]


def _roof_color(rng: np.random.Generator) -> Color:
    tone = float(rng.uniform(0.6, 1.2))
    red = rng.random() < 0.45
    return (55 * tone, 70 * tone, 125 * tone) if red else (80 * tone, 78 * tone, 76 * tone)


def _bricks(rng: np.random.Generator, sheet: _Sheet, box: tuple[int, int, int, int], color: Color) -> None:
    left, top, right, bottom = box
    rows, columns = np.arange(top, bottom)[:, None], np.arange(left, right)[None, :]
    courses = (rows % 3 == 0) | ((columns + (rows // 3) % 2 * 3) % 6 == 0)
    tone = 1 + rng.normal(0, 0.08, (bottom - top, right - left)).astype(np.float32)
    area = np.asarray(color, np.float32) * np.where(courses, np.float32(1.12), tone)[..., None]
    sheet.albedo[top:bottom, left:right] = area


def _upper(rng: np.random.Generator, sheet: _Sheet, box: tuple[int, int, int, int], color: Color) -> None:
    """Floors of windows, each with its own curtain, light or dark."""
    left, top, right, bottom = box
    storey, pitch = int(rng.integers(46, 58)), int(rng.integers(24, 48))
    wide, tall = int(pitch * rng.uniform(0.4, 0.75)), int(storey * rng.uniform(0.45, 0.7))
    band = rng.random() < 0.15
    margin = max(4, ((right - left) % pitch) // 2 + (pitch - wide) // 2)
    balconies = rng.random() < 0.25
    frame = _FRAME if rng.random() < 0.7 else (52.0, 56.0, 60.0)
    for sill in range(bottom - 8, top + tall, -storey):
        if band:
            sheet.fill((left + 3, sill - tall, right - 3, sill), _GLASS)
        for at in range(left + margin, right - wide - 2, pitch):
            _window(rng, sheet, (at, sill - tall, at + wide, sill), frame)
            if balconies and rng.random() < 0.8:
                sheet.fill((at - 4, sill + 2, at + wide + 4, sill + 4), np.array(color, np.float32) * np.float32(0.6))
                sheet.albedo[sill - 12 : sill + 2 : 1, at - 3 : at + wide + 3 : 3] = 60
        sheet.fill((left + 2, sill + 4, right - 1, sill + 6), np.array(color, np.float32) * np.float32(1.12))


def _window(rng: np.random.Generator, sheet: _Sheet, box: tuple[int, int, int, int], frame: Color) -> None:
    left, top, right, bottom = box
    sheet.fill((left - 1, top - 1, right + 1, bottom + 1), frame)
    sheet.fill((left - 2, bottom + 1, right + 2, bottom + 3), (178.0, 180.0, 182.0))
    lit = _WARM[int(rng.integers(3))] if rng.random() < 0.3 else None
    glass = np.array(_GLASS, np.float32) * np.float32(rng.uniform(0.5, 1.7))
    sheet.fill((left + 1, top + 1, right - 1, bottom - 1), glass, lit or (0.0, 0.0, 0.0))
    if rng.random() < 0.35:
        # Curtains or a blind.
        drop = int((bottom - top) * rng.uniform(0.2, 1.0))
        sheet.fill((left + 1, top + 1, right - 1, top + drop - 1), (170.0, 180.0, 185.0), _dim(lit))
    middle = (left + right) // 2
    sheet.fill((middle, top, middle + 1, bottom), frame)
    if rng.random() < 0.5:
        cross = top + (bottom - top) // 3
        sheet.fill((left, cross, right, cross + 1), frame)


def _dim(lit: Color | None) -> Color:
    return (lit[0] * 0.6, lit[1] * 0.6, lit[2] * 0.6) if lit else (0.0, 0.0, 0.0)


def _shop(rng: np.random.Generator, sheet: _Sheet, left: int, right: int, ground: int) -> None:
    """Show windows with goods behind them, a door, a sign with letters, an awning."""
    surround = tuple(float(c) for c in np.array(_SIGNS[int(rng.integers(len(_SIGNS)))]) * rng.uniform(0.4, 1.1))
    sheet.fill((left + 2, ground, right - 1, _ROWS), (surround[0], surround[1], surround[2]))
    lit = _WARM[int(rng.integers(3))] if rng.random() < 0.75 else None
    door = int(rng.integers(left + 8, max(left + 9, right - 30)))
    pane = int(rng.integers(30, 60))
    for at in range(left + 6, right - 12, pane):
        _show_window(
            rng, sheet, (at, ground + 16, min(at + pane - 3, right - 4), _ROWS - int(rng.integers(4, 14))), lit
        )
    sheet.fill((door, ground + 18, door + 17, _ROWS), (60.0, 58.0, 56.0), _dim(lit))
    sheet.fill((door + 2, ground + 21, door + 15, _ROWS - 6), np.array(_GLASS, np.float32) * np.float32(1.3), _dim(lit))
    _sign(rng, sheet, (left + 4, ground + 1, right - 3, ground + 14))
    if rng.random() < 0.4:
        stripes = np.array(_SIGNS[int(rng.integers(len(_SIGNS)))], np.float32)
        for at in range(left + 4, right - 4, 8):
            color = stripes if (at - left) % 16 < 8 else np.full(3, 215, np.float32)
            sheet.fill((at, ground + 14, min(at + 8, right - 3), ground + 25), color)
        sheet.albedo[ground + 25 : ground + 34, left + 4 : right - 4] *= 0.6


def _show_window(rng: np.random.Generator, sheet: _Sheet, box: tuple[int, int, int, int], lit: Color | None) -> None:
    left, top, right, bottom = box
    if right - left < 8:
        return
    sheet.fill((left, top, right, bottom), np.array(_GLASS, np.float32) * np.float32(rng.uniform(0.5, 1.2)), _dim(lit))
    for _ in range(int(rng.integers(0, 9))):
        # Goods: boxes, rails, posters.
        wide, tall = int(rng.integers(3, 14)), int(rng.integers(3, 16))
        at, foot = int(rng.integers(left, max(left + 1, right - wide))), bottom - int(rng.integers(0, 12))
        goods = (float(rng.uniform(20, 190)) + rng.normal(0, 22, 3)).clip(8, 220).astype(np.float32)
        color = tuple(float(c) for c in goods)
        box = (at, max(foot - tall, top), min(at + wide, right), foot)
        sheet.fill(box, goods, (color[0], color[1], color[2]) if lit else (0.0, 0.0, 0.0))
    sheet.albedo[top:bottom, left:right] += np.linspace(26, 0, bottom - top, dtype=np.float32)[:, None, None]


def _sign(rng: np.random.Generator, sheet: _Sheet, box: tuple[int, int, int, int]) -> None:
    """A board with a made-up name."""
    left, top, right, bottom = box
    if right - left < 24:
        return
    board = np.full((bottom - top, right - left, 3), _SIGNS[int(rng.integers(len(_SIGNS)))], np.uint8)
    ink = (225.0, 228.0, 228.0) if board.mean() < 120 else (30.0, 30.0, 30.0)
    word = "".join(_LETTERS[int(i)] for i in rng.integers(len(_LETTERS), size=int(rng.integers(3, 10))))
    font = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)[int(rng.integers(3))]
    cv2.putText(board, word, (int(rng.integers(3, 16)), bottom - top - 3), font, 0.34, ink, 1, cv2.LINE_AA)
    shines = rng.random() < 0.5
    area = slice(top, bottom), slice(left, right)
    sheet.albedo[area] = board
    sheet.glow[area] = board.astype(np.float32) * np.float32(shines)


def _entrance(rng: np.random.Generator, sheet: _Sheet, left: int, right: int, ground: int, color: Color) -> None:
    """A ground floor to live in: a plinth, a door, windows, now and then a garage."""
    sheet.fill((left, _ROWS - 8, right, _ROWS), np.array(color, np.float32) * np.float32(0.6))
    door = int(rng.integers(left + 6, max(left + 7, right - 24)))
    for at in range(left + 10, right - 20, int(rng.integers(26, 44))):
        if abs(at - door) > 20:
            _window(rng, sheet, (at, ground + 12, at + 16, ground + 36), _FRAME)
    if rng.random() < 0.2 and right - left > 90:
        sheet.fill((left + 6, ground + 18, left + 48, _ROWS), (150.0, 152.0, 154.0))
        sheet.albedo[ground + 18 : _ROWS : 6, left + 6 : left + 48] *= 0.8
    paint = tuple(float(c) for c in rng.uniform(25, 130, 3))
    sheet.fill((door - 2, ground + 16, door + 17, _ROWS), (190.0, 192.0, 194.0))
    sheet.fill((door, ground + 18, door + 15, _ROWS - 2), (paint[0], paint[1], paint[2]))
    sheet.fill((door + 4, ground + 22, door + 11, ground + 32), _GLASS, _WARM[0] if rng.random() < 0.4 else (0, 0, 0))
