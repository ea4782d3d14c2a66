"""A dressed body as surfaces."""

from dataclasses import replace

import numpy as np

from edgecnn.data.road.people.body import LEG_RINGS, arm, hand, knob, leg, neck, shoe, skirt, trunk
from edgecnn.data.road.people.measures import Measures
from edgecnn.data.road.people.outfit import Outfit
from edgecnn.data.road.people.paints import Color, Mark, Paint
from edgecnn.data.road.people.skeleton import Skeleton
from edgecnn.data.road.people.tubes import Part

_COATS = ("coat", "dress")


def dressed_parts(skeleton: Skeleton, measures: Measures, outfit: Outfit, *, fine: bool) -> list[Part]:
    """Return everything below the head."""
    skin = Paint(outfit.skin, gloss=0.1)
    parts = [Part(neck(skeleton, measures), skin)]
    parts += _trunk(skeleton, measures, outfit)
    parts += _legs(skeleton, measures, outfit, skin)
    parts += _arms(skeleton, measures, outfit, skin, fine=fine)
    return parts


def _trunk(skeleton: Skeleton, measures: Measures, outfit: Outfit) -> list[Part]:
    cloth = Paint(
        outfit.top_color,
        (*outfit.top_marks, *_neckline(outfit), *_edges(outfit.top_color)),
        folds=0.22,
        grain=outfit.grain,
    )
    lower = Paint(outfit.leg_color, folds=0.15, grain=outfit.grain + 1)
    low = min(outfit.waist, 0.0) if outfit.top in ("jacket", "vest") else outfit.waist
    if outfit.top in _COATS:
        low = -0.02
    parts = [Part(trunk(skeleton, measures, (low, 1.11), outfit.bulk_m, hangs=True), cloth, open=True)]
    if outfit.top not in _COATS:
        parts.append(
            Part(
                trunk(
                    skeleton,
                    measures,
                    (-0.17, low + 0.06),
                    min(0.4 * outfit.wide_m, 0.7 * outfit.bulk_m),
                    hangs=False,
                    rings=9,
                ),
                lower,
            )
        )
    if outfit.top in _COATS or outfit.legs == "skirt":
        own = outfit.top in _COATS
        grid = skirt(skeleton, measures, outfit.hem, outfit.flare_m, outfit.bulk_m if own else 0.006)
        marks = tuple(m for m in outfit.top_marks if m.shape in ("rings", "bars", "dots")) if own else ()
        parts.append(Part(grid, replace(cloth, marks=marks) if own else lower, open=True))
    return parts


def _neckline(outfit: Outfit) -> tuple[Mark, ...]:
    """Return what shows at the neck: skin in a round or pointed opening, or a collar."""
    if outfit.neckline == "round":
        return (Mark(outfit.skin, (0.86, 1.1), (0.36, 0.64), "round"),)
    if outfit.neckline == "v":
        return (Mark(outfit.skin, (0.74, 1.0), (0.39, 0.61), "vee"),)
    if outfit.neckline == "collar":
        b, g, r = outfit.top_color
        shade = 0.72 if b + g + r > 240 else 1.5
        return (Mark((b * shade + 8, g * shade + 8, r * shade + 8), (0.935, 1.0)),)
    return ()


def _edges(color: Color) -> tuple[Mark, ...]:
    """Return the seam of a hem."""
    return (Mark((color[0] * 0.6, color[1] * 0.6, color[2] * 0.6), (0.0, 0.025), strength=0.7, fine=True),)


def _legs(skeleton: Skeleton, measures: Measures, outfit: Outfit, skin: Paint) -> list[Part]:
    cloth = Paint(outfit.leg_color, outfit.leg_marks, folds=0.2, grain=outfit.grain + 2)
    shoes = Paint(
        outfit.shoe_color, (Mark(outfit.sole_color, t=(0.0, 0.14)), Mark(outfit.sole_color, t=(0.86, 1.0))), gloss=0.15
    )
    bare = outfit.legs == "skirt" or (outfit.top == "dress" and outfit.legs != "tights")
    parts = []
    for limb in skeleton.legs:
        if outfit.legs == "shorts" and outfit.top != "dress":
            parts.append(Part(leg(measures, limb, (0.3, 1.0), 0.0), skin))
            parts.append(Part(leg(measures, limb, (0.0, 0.38 + 0.14 * outfit.bare), outfit.wide_m + 0.006), cloth))
        elif bare:
            parts.append(
                Part(leg(measures, limb, (0.0, 1.0), 0.0), skin if outfit.bare < 0.6 else Paint((34.0, 32.0, 34.0)))
            )
        else:
            tight = 0.004 if outfit.legs == "tights" else outfit.wide_m
            room = np.linspace(min(tight, 0.008), tight, LEG_RINGS) + 0.004
            parts.append(Part(leg(measures, limb, (0.0, 1.03), room), cloth))
        parts.append(Part(shoe(measures, limb), shoes))
    return parts


def _arms(skeleton: Skeleton, measures: Measures, outfit: Outfit, skin: Paint, *, fine: bool) -> list[Part]:
    cloth = Paint(outfit.top_color, outfit.sleeve_marks, folds=0.25, grain=outfit.grain + 5)
    parts = []
    for side, limb in enumerate(skeleton.arms):
        if outfit.sleeve < 0.9:
            parts.append(Part(arm(measures, skeleton, side, (max(0.0, outfit.sleeve - 0.1), 1.0), 0.0), skin))
        parts.append(Part(arm(measures, skeleton, side, (0.0, min(outfit.sleeve, 1.0)), 0.85 * outfit.bulk_m), cloth))
        parts.append(Part(hand(measures, limb), skin))
        if fine:
            thumb = limb.end - 0.35 * measures.hand * limb.axes[:, 2] + 0.16 * measures.hand * limb.axes[:, 0]
            parts.append(Part(knob(thumb, limb.axes, 0.11 * measures.hand), skin))
    return parts
