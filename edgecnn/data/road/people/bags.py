"""What people carry on the back, over the shoulder and in their hands."""

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.loads import BLACK, STEEL, Load, at_metres, bar, box, palm_of
from edgecnn.data.road.people.measures import Measures
from edgecnn.data.road.people.paints import Mark, Paint
from edgecnn.data.road.people.skeleton import Skeleton
from edgecnn.data.road.people.tubes import Part, ball, rod
from edgecnn.data.road.people.turns import pitch, yaw

Floats = NDArray[np.float64]

_UP = np.array([0.0, 0.0, 1.0])


def rucksack(load: Load, m: Measures, k: Skeleton) -> list[Part]:
    """Return a rucksack on the back and its straps."""
    axes, h, z = k.chest_axes, m.stature, load.size
    half = (0.045 * h * z, 0.085 * h * z, 0.13 * h * z)
    centre = k.chest - (1.1 * m.depth + half[0] + 0.015) * axes[:, 0] + 0.01 * h * axes[:, 2]
    dark = (load.color[0] * 0.6, load.color[1] * 0.6, load.color[2] * 0.6)
    paint = Paint(load.color, (Mark(dark, (0.25, 0.55), (0.0, 0.12)), Mark(dark, (0.25, 0.55), (0.88, 1.0))), folds=0.1)
    parts = [box(centre, axes, half, paint, 3.0)]
    for side in (-1, 1):
        top = k.arms[0 if side < 0 else 1].root * 0.75 + k.neck * 0.25
        ahead = k.chest + (m.depth * 1.1 + m.bust * 0.7 + 0.035) * axes[:, 0] + side * 0.8 * m.shoulder * axes[:, 1]
        rear = k.chest - m.depth * axes[:, 0] + side * 0.8 * m.shoulder * axes[:, 1]
        knots = np.stack([rear, top + 0.045 * h * axes[:, 2], ahead, k.waist + side * 1.02 * m.waist * axes[:, 1]])
        at = np.linspace(0, 3, 9)
        path = np.stack([np.interp(at, [0, 1, 2, 3], knots[:, i]) for i in range(3)], axis=1)
        parts.append(Part(rod(path, 0.018, axes[:, 1], flat=1.2), Paint(dark)))
    return parts


def shoulder_bag(load: Load, m: Measures, k: Skeleton) -> list[Part]:
    """Return a bag at the hip and its strap; the larger ones hang across the chest."""
    out = 1 if load.side else -1
    h, z = m.stature, load.size
    centre = k.hips + np.array([0.02 * h, out * (m.pelvis + 0.05), 0.07 * h])
    parts = [
        box(centre, k.pelvis_axes, (0.075 * h * z, 0.03 * h, 0.06 * h * z), Paint(load.color, folds=0.06, gloss=0.15))
    ]
    across = load.size > 1.0
    top = k.neck + np.array([0.0, (-out if across else out) * 0.55 * m.shoulder, 0.005 * h])
    for ahead in (-1, 1):
        middle = 0.5 * (top + centre) + ahead * (1.25 * m.depth + 0.6 * m.bust) * k.chest_axes[:, 0]
        at = np.linspace(0, 2, 7)
        knots = np.stack([top, middle, centre + at_metres(0, 0, 0.04 * h)])
        path = np.stack([np.interp(at, [0, 1, 2], knots[:, i]) for i in range(3)], axis=1)
        parts.append(Part(rod(path, 0.011, _UP + 0.1), Paint(load.color)))
    return parts


def hand_bag(load: Load, m: Measures, k: Skeleton) -> list[Part]:
    """Return a bag that hangs from the hand."""
    grip, z = palm_of(m, k.arms[load.side]), load.size
    half = (0.16 * z, 0.06 * z, 0.17 * z)
    centre = grip - _UP * (half[2] + 0.12)
    logo = Mark((230.0, 230.0, 230.0), (0.4, 0.7), (0.15, 0.35), "round", strength=0.8)
    parts = [box(centre, np.eye(3), half, Paint(load.color, (logo,), folds=0.2), 3.5)]
    return [
        *parts,
        bar(grip, centre + at_metres(0.09 * z, 0, half[2]), 0.007, load.color),
        bar(grip, centre + at_metres(-0.09 * z, 0, half[2]), 0.007, load.color),
    ]


def case(load: Load, m: Measures, k: Skeleton) -> list[Part]:
    """Return a briefcase."""
    grip, z = palm_of(m, k.arms[load.side]), load.size
    return [
        box(
            grip - _UP * (0.17 * z + 0.03), np.eye(3), (0.21 * z, 0.05 * z, 0.15 * z), Paint(load.color, gloss=0.2), 8.0
        )
    ]


def trolley(load: Load, m: Measures, k: Skeleton) -> list[Part]:
    """Return a suitcase on wheels, drawn behind."""
    grip, z = palm_of(m, k.arms[load.side]), load.size
    foot = np.array([grip[0] - 0.42 * z, grip[1], 0.05])
    lean = pitch(-float(np.arctan2(grip[0] - foot[0], grip[2] - foot[2])))
    half = (0.11 * z, 0.18 * z, 0.28 * z)
    centre = foot + lean @ np.array([-half[0], 0.0, half[2] + 0.02])
    ribs = Mark((load.color[0] * 0.7, load.color[1] * 0.7, load.color[2] * 0.7), shape="bars", count=24.0, share=0.3)
    parts = [box(centre, lean, half, Paint(load.color, (ribs,), gloss=0.3), 6.0)]
    for side in (-0.1 * z, 0.1 * z):
        parts.append(bar(foot + at_metres(0, side, 0.1), grip + at_metres(0, 0.5 * side, 0), 0.009, STEEL))
        parts.append(
            Part(ball(foot + at_metres(0, 1.5 * side, 0), np.eye(3), (0.05, 0.025, 0.05), rings=6), Paint(BLACK))
        )
    return parts


def phone(load: Load, m: Measures, k: Skeleton) -> list[Part]:
    """Return a phone in the hand."""
    arm = k.arms[load.side]
    centre = arm.end - 0.75 * m.hand * arm.axes[:, 2] + 0.03 * arm.axes[:, 0]
    return [box(centre, arm.axes, (0.006, 0.036, 0.07), Paint(load.color, gloss=0.4), 8.0)]


def crate(load: Load, m: Measures, k: Skeleton) -> list[Part]:
    """Return a box held before the chest."""
    centre = k.chest + np.array([0.22 * m.stature, 0.0, -0.02])
    return [box(centre, yaw(0.0), (0.14 * load.size, 0.19 * load.size, 0.12 * load.size), Paint(load.color), 10.0)]
