"""Heads: skull and face, hair and what is worn on it."""

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.measures import Measures
from edgecnn.data.road.people.outfit import Outfit
from edgecnn.data.road.people.paints import Color, Mark, Paint
from edgecnn.data.road.people.skeleton import Skeleton
from edgecnn.data.road.people.tubes import SIDES, Part, ball, rod, tube

Floats = NDArray[np.float64]

# Shares of the head's height: level above the chin, half breadth, front and back of the neck's axis.
_LEVEL = np.array([0.0, 0.03, 0.1, 0.2, 0.32, 0.45, 0.58, 0.7, 0.8, 0.88, 0.94, 0.98, 1.0])
_WIDE = np.array([0.05, 0.14, 0.21, 0.26, 0.295, 0.315, 0.33, 0.333, 0.315, 0.27, 0.205, 0.12, 0.03])
_FRONT = np.array([0.32, 0.37, 0.40, 0.405, 0.41, 0.41, 0.405, 0.40, 0.37, 0.31, 0.23, 0.12, 0.03])
_BACK = np.array([-0.2, -0.05, 0.12, 0.24, 0.34, 0.41, 0.45, 0.46, 0.44, 0.38, 0.29, 0.17, 0.05])


def skull(skeleton: Skeleton, measures: Measures, swell: Floats | float = 1.0, start: int = 0) -> Floats:
    """Return the head's surface from the chin up, its distance from its axis times `swell` [rings, SIDES]."""
    tall, axes = measures.head, skeleton.head_axes
    middle = 0.02
    path = skeleton.head + tall * (np.outer(_LEVEL, axes[:, 2]) + middle * axes[:, 0])
    grid = tube(path, axes[:, 0], axes[:, 1], tall * (_FRONT - middle), tall * _WIDE, half_back=tall * (_BACK + middle))
    # At the chin the axis lies in front of the neck.
    centre = path[:, None]
    grown = np.asarray(centre + (grid - centre) * np.asarray(swell)[..., None])
    return grown[start:]


def head_parts(skeleton: Skeleton, measures: Measures, outfit: Outfit, *, fine: bool) -> list[Part]:
    """Return the head's parts."""
    parts = [Part(skull(skeleton, measures), _face(outfit))]
    if fine:
        parts += _nose_and_ears(skeleton, measures, outfit)
    if outfit.hair != "bald" or outfit.hat:
        parts += hair_parts(skeleton, measures, outfit)
    return parts


def _face(outfit: Outfit) -> Paint:
    skin = outfit.skin
    dark = _scaled(skin, 0.62)
    brow = _mixed(outfit.hair_color, dark, 0.3)
    lips = (skin[0] * 0.62, skin[1] * 0.6, skin[2] * 0.85)
    marks = [
        Mark(dark, (0.48, 0.6), (0.375, 0.47), "round", strength=0.35),
        Mark(dark, (0.48, 0.6), (0.53, 0.625), "round", strength=0.35),
        Mark((222.0, 226.0, 230.0), (0.525, 0.56), (0.39, 0.455), "round", strength=0.6, fine=True),
        Mark((222.0, 226.0, 230.0), (0.525, 0.56), (0.545, 0.61), "round", strength=0.6, fine=True),
        Mark((30.0, 28.0, 28.0), (0.52, 0.567), (0.41, 0.437), "round", fine=True),
        Mark((30.0, 28.0, 28.0), (0.52, 0.567), (0.563, 0.59), "round", fine=True),
        Mark(brow, (0.6, 0.635), (0.38, 0.46), "round", strength=0.85),
        Mark(brow, (0.6, 0.635), (0.54, 0.62), "round", strength=0.85),
        Mark(lips, (0.2, 0.25), (0.43, 0.57), "round", strength=0.8),
        Mark(dark, (0.3, 0.34), (0.46, 0.54), "round", strength=0.5, fine=True),
    ]
    if outfit.beard:
        marks.insert(0, Mark(outfit.hair_color, (0.0, 0.3), (0.2, 0.8), "block", strength=outfit.beard))
        marks.append(Mark(outfit.hair_color, (0.25, 0.3), (0.42, 0.58), "round", strength=outfit.beard))
    if outfit.glasses:
        marks.append(Mark((30.0, 30.0, 30.0), (0.495, 0.58), (0.365, 0.48), "round", strength=outfit.glasses))
        marks.append(Mark((30.0, 30.0, 30.0), (0.495, 0.58), (0.52, 0.635), "round", strength=outfit.glasses))
    return Paint(skin, tuple(marks), gloss=0.12)


def _nose_and_ears(skeleton: Skeleton, measures: Measures, outfit: Outfit) -> list[Part]:
    tall, axes = measures.head, skeleton.head_axes
    at = np.array([0.56, 0.48, 0.40, 0.35, 0.325])
    out = np.array([0.40, 0.425, 0.455, 0.47, 0.42])
    path = skeleton.head + tall * (np.outer(at, axes[:, 2]) + np.outer(out - 0.02, axes[:, 0]))
    wide = tall * np.array([0.025, 0.035, 0.05, 0.055, 0.03])
    parts = [Part(rod(path, wide, axes[:, 0]), Paint(outfit.skin, gloss=0.15))]
    for side in (-1, 1):
        centre = skeleton.head + tall * (0.45 * axes[:, 2] + side * 0.325 * axes[:, 1] - 0.03 * axes[:, 0])
        parts.append(Part(ball(centre, axes, (0.06 * tall, 0.03 * tall, 0.1 * tall), rings=5), Paint(outfit.skin)))
    return parts


def hair_parts(skeleton: Skeleton, measures: Measures, outfit: Outfit) -> list[Part]:
    """Return hair as a shell that lies over the skull except before the face, and hats over it."""
    parts: list[Part] = []
    turn = np.abs(np.arange(SIDES) / SIDES - 0.5) * 2
    if outfit.hair != "bald":
        full = {"short": 1.06, "medium": 1.13, "long": 1.14, "afro": 1.45, "tied": 1.07, "cropped": 1.03}[outfit.hair]
        if outfit.hat:
            # What is worn presses the hair down.
            full = min(full, 1.06)
        # The hairline runs from the forehead down past the ears to the nape.
        line = np.interp(turn, [0.0, 0.25, 0.36, 0.5, 0.62, 1.0], [0.83, 0.8, 0.62, 0.5, 0.25, 0.08])
        if outfit.hair in ("long", "medium"):
            line = np.interp(turn, [0.0, 0.22, 0.36, 0.5, 0.7, 1.0], [0.84, 0.8, 0.4, 0.05, 0.0, 0.0])
        cover = np.clip((_LEVEL[:, None] - line + 0.03) / 0.06, 0, 1)
        grid = skull(skeleton, measures, 0.9 + (full - 0.9) * cover)
        lift = skeleton.head_axes[:, 2] * measures.head * 0.5 * (full - 1)
        parts.append(Part(grid + cover[..., None] * lift, _hair(outfit)))
        parts += _locks(skeleton, measures, outfit)
    return parts + _hat(skeleton, measures, outfit, turn)


def _hair(outfit: Outfit) -> Paint:
    return Paint(outfit.hair_color, folds=0.35, gloss=0.25, grain=outfit.grain + 7)


def _locks(skeleton: Skeleton, measures: Measures, outfit: Outfit) -> list[Part]:
    tall, axes = measures.head, skeleton.head_axes
    if outfit.hair == "long":
        drop = np.linspace(0, 1, 8)
        start = skeleton.head + tall * (0.55 * axes[:, 2] - 0.2 * axes[:, 0])
        down = 0.5 * axes[:, 2] + np.array([0.0, 0.0, 0.5])
        path = start - np.outer(drop * tall * outfit.hair_m, down)
        wide = tall * np.interp(drop, [0, 0.2, 0.6, 1.0], [0.3, 0.36, 0.33, 0.16])
        return [Part(tube(path, axes[:, 0], axes[:, 1], 0.5 * wide, wide, power=2.2), _hair(outfit))]
    if outfit.hair == "tied":
        back = skeleton.head + tall * (0.72 * axes[:, 2] - 0.5 * axes[:, 0])
        if outfit.hair_m < 1.1:
            return [Part(ball(back, axes, (0.14 * tall, 0.15 * tall, 0.14 * tall), rings=6), _hair(outfit))]
        path = back + np.outer(np.linspace(0, 1, 6) * tall, -0.75 * np.array([0.0, 0.0, 1.0]) - 0.12 * axes[:, 0])
        return [Part(rod(path, tall * np.array([0.06, 0.11, 0.11, 0.1, 0.08, 0.03]), axes[:, 0]), _hair(outfit))]
    return []


def _hat(skeleton: Skeleton, measures: Measures, outfit: Outfit, turn: Floats) -> list[Part]:
    if not outfit.hat:
        return []
    tall, axes = measures.head, skeleton.head_axes
    paint = Paint(outfit.hat_color, folds=0.15, grain=outfit.grain + 3, gloss=0.5 if outfit.hat == "helmet" else 0.0)
    if outfit.hat in ("hood", "scarf"):
        line = np.interp(turn, [0.0, 0.3, 0.42, 0.55, 1.0], [0.88, 0.75, 0.3, 0.0, -0.05])
        full = 1.2
    elif outfit.hat == "beanie":
        line, full = np.interp(turn, [0, 1], [0.7, 0.42]), 1.14
    else:
        line, full = np.interp(turn, [0, 1], [0.74, 0.58]), 1.3 if outfit.hat == "helmet" else 1.13
    cover = np.clip((_LEVEL[:, None] - line + 0.02) / 0.05, 0, 1)
    grid = skull(skeleton, measures, 0.9 + (full - 0.9) * cover)
    parts = [Part(grid + cover[..., None] * axes[:, 2] * tall * 0.5 * (full - 1), paint)]
    if outfit.hat == "cap":
        parts.append(Part(_brim(skeleton, measures, (0.25, 0.75), 0.05, outfit.hat_turn), paint))
    if outfit.hat == "hat":
        parts.append(Part(_brim(skeleton, measures, (0.62, 0.62), 0.02, 0.0), paint))
    return parts


def _brim(skeleton: Skeleton, measures: Measures, reach: tuple[float, float], dip: float, turn: float) -> Floats:
    tall, axes = measures.head, skeleton.head_axes
    back, front = reach
    ahead = axes[:, 0] * np.cos(turn) + axes[:, 1] * np.sin(turn)
    across = axes[:, 1] * np.cos(turn) - axes[:, 0] * np.sin(turn)
    scale = np.array([0.2, 0.97, 1.0, 0.97, 0.2])
    level = 0.74 + np.array([-0.01, -0.01, 0.0, 0.012, 0.012]) - dip * scale
    path = skeleton.head + tall * np.outer(level, axes[:, 2])
    wide = max(0.34, back)
    return tube(path, ahead, across, tall * front * scale, tall * wide * scale, half_back=tall * back * scale)


def _scaled(color: Color, factor: float) -> Color:
    return color[0] * factor, color[1] * factor, color[2] * factor


def _mixed(one: Color, other: Color, share: float) -> Color:
    return tuple(a + (b - a) * share for a, b in zip(one, other, strict=True))  # type: ignore[return-value]
