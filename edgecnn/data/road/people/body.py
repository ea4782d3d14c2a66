"""The bare body's surfaces, and the tables of its breadth that clothes follow."""

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.measures import Measures
from edgecnn.data.road.people.skeleton import Limb, Skeleton
from edgecnn.data.road.people.tubes import ball, bend, hull, rod, tube
from edgecnn.data.road.people.turns import cross, unit

Floats = NDArray[np.float64]

LEG_RINGS = 15
_LEVEL = np.array([-0.17, -0.12, -0.04, 0.06, 0.2, 0.38, 0.55, 0.7, 0.84, 0.94, 1.01, 1.06, 1.1, 1.16])


def trunk(
    skeleton: Skeleton,
    measures: Measures,
    span: tuple[float, float],
    bulk: Floats | float,
    *,
    hangs: bool,
    rings: int = 14,
) -> Floats:
    """Return the trunk over `span` (0 hips, 1 shoulders, 1.15 neck), `bulk` metres thicker; `hangs` for loose cloth."""
    level = np.linspace(*span, rings)
    knots = np.array([-0.2, 0.0, 0.36, 0.68, 1.0, 1.16])
    below = skeleton.hips - 0.2 * measures.trunk * skeleton.pelvis_axes[:, 2]
    shoulders = skeleton.neck - 0.024 * measures.stature * skeleton.chest_axes[:, 2]
    top = shoulders + 0.16 * measures.trunk * skeleton.chest_axes[:, 2]
    places = np.stack([below, skeleton.hips, skeleton.waist, skeleton.chest, shoulders, top])
    centres = np.stack([np.interp(level, knots, places[:, i]) for i in range(3)], axis=1)
    turn = np.clip((level - 0.1) / 0.5, 0, 1)[:, None]
    fronts = unit((1 - turn) * skeleton.pelvis_axes[:, 0] + turn * skeleton.chest_axes[:, 0])
    rights = unit((1 - turn) * skeleton.pelvis_axes[:, 1] + turn * skeleton.chest_axes[:, 1])
    breadth, front, back = breadths(measures)
    # Cloth hangs from the hips and does not follow the body down between the legs.
    girth = np.maximum(level, -0.02) if hangs else level
    bulk = bulk + (0.13 * measures.stature * np.clip(0.06 - level, 0, 0.18) if hangs else 0.0)
    across, ahead, behind = (np.interp(girth, _LEVEL, table) + bulk for table in (breadth, front, back))
    return tube(centres, fronts, rights, ahead, across, half_back=behind, power=2.3)


def breadths(m: Measures) -> tuple[Floats, Floats, Floats]:
    """Return the trunk's half breadth, front and back at _LEVEL, metres."""
    h, neck = m.stature, 0.032 * m.stature * m.limb**0.4
    p, w, c, s = m.pelvis, m.waist, m.chest, m.shoulder
    breadth = [0.35 * p, 0.8 * p, 0.99 * p, 0.98 * p, 0.5 * (p + w), w, 0.5 * (w + c), c, 0.5 * (c + s) + 0.006 * h]
    breadth += [1.02 * s + 0.006 * h, 0.94 * s, 0.68 * s, 1.4 * neck, neck]
    d = m.depth
    front = [0.2 * d, 0.55 * d, 0.85 * d, d, d + 0.7 * m.belly, 0.98 * d + m.belly, 1.02 * d + 0.7 * m.belly]
    front += [1.1 * d + m.bust, 1.05 * d + 0.6 * m.bust, 0.8 * d, 0.6 * d, 0.55 * d, neck, neck]
    back = [0.35 * d, 0.9 * d, 1.3 * d, 1.25 * d, 0.95 * d, 0.9 * d, d, 1.12 * d, 1.1 * d, 0.92 * d, 0.75 * d, 0.66 * d]
    return np.array(breadth), np.array(front), np.array([*back, neck, neck])


def leg(measures: Measures, limb: Limb, span: tuple[float, float], bulk: Floats | float) -> Floats:
    """Return the leg over `span` (0 hip, 0.5 knee, 1 ankle), `bulk` metres thicker than its skin."""
    at = np.linspace(*span, LEG_RINGS)
    path = bend((limb.root, limb.middle, limb.end), at)
    knots = [0.0, 0.15, 0.3, 0.45, 0.5, 0.56, 0.68, 0.8, 0.92, 1.0]
    girth = np.array([0.049, 0.051, 0.044, 0.034, 0.033, 0.032, 0.035, 0.029, 0.022, 0.023])
    radius = np.interp(at, knots, girth * measures.stature * measures.limb) + bulk
    if span[0] == 0.0:
        top = unit(limb.root - limb.middle) * radius[0]
        path = np.concatenate([limb.root + np.outer([0.55, 0.35], top), path])
        radius = np.concatenate([radius[0] * np.array([0.1, 0.8]), radius])
    return rod(path, radius, limb.axes[:, 0] + 0.5 * limb.axes[:, 2])


def arm(measures: Measures, skeleton: Skeleton, side: int, span: tuple[float, float], bulk: float) -> Floats:
    """Return arm 0 or 1 over `span` (0 shoulder, 0.5 elbow, 1 wrist), `bulk` metres thicker.

    From the shoulder the surface runs on into the trunk, below the slope of the neck's muscles.
    """
    limb, h = skeleton.arms[side], measures.stature
    at = np.linspace(*span, 12)
    path = bend((limb.root, limb.middle, limb.end), at)
    knots = [0.0, 0.1, 0.25, 0.42, 0.5, 0.6, 0.8, 1.0]
    girth = np.array([0.029, 0.03, 0.027, 0.0235, 0.0225, 0.0235, 0.02, 0.0155])
    radius = np.interp(at, knots, girth * h * measures.limb) + bulk
    if span[0] == 0.0:
        inner = skeleton.neck - 0.036 * h * skeleton.chest_axes[:, 2]
        into = inner - limb.root
        path = np.concatenate([limb.root + np.outer([0.5, 0.1], into), path])
        path[1] += 0.004 * h * skeleton.chest_axes[:, 2]
        radius = np.concatenate([radius[0] * np.array([0.62, 0.9]), radius])
    return rod(path, radius, limb.axes[:, 0])


def hand(measures: Measures, limb: Limb) -> Floats:
    """Return a hand whose fingers lie together, half closed."""
    long = measures.hand
    at = np.linspace(-0.05, 0.8, 8)
    down = -limb.axes[:, 2]
    path = limb.end + long * np.outer(at, down) + np.outer(0.12 * long * at**2, limb.axes[:, 0])
    wide = long * np.interp(at, [-0.05, 0.1, 0.3, 0.5, 0.7, 0.8], [0.14, 0.18, 0.23, 0.22, 0.17, 0.06])
    return rod(path, wide, limb.axes[:, 0], flat=0.62)


def shoe(measures: Measures, limb: Limb, *, high: float = 1.0) -> Floats:
    """Return a foot in its shoe; around the ring, the seam is the sole."""
    long, ankle = measures.foot, measures.ankle
    at = np.array([-0.27, -0.25, -0.15, 0.0, 0.15, 0.32, 0.5, 0.64, 0.72, 0.75])
    tall = np.array([0.12, 0.55, 0.66, 0.68, 0.6, 0.42, 0.32, 0.28, 0.2, 0.06]) * ankle * high
    wide = np.array([0.03, 0.11, 0.15, 0.155, 0.15, 0.18, 0.205, 0.18, 0.12, 0.04]) * long
    axes = limb.axes
    path = limb.end + np.outer(at * long, axes[:, 0]) + np.outer(tall - ankle, axes[:, 2])
    return tube(path, axes[:, 2], axes[:, 1], tall, wide, power=2.6)


def skirt(skeleton: Skeleton, measures: Measures, hem: float, flare: float, bulk: float) -> Floats:
    """Return cloth over both legs from the hips down to `hem` (0.5 knees, 1 ankles), `flare` metres wider there."""
    at = np.linspace(0, hem, 12)
    paths = [bend((limb.root, limb.middle, limb.end), at) for limb in skeleton.legs]
    deep = 1.2 * measures.depth
    inset = np.interp(at, [0.0, 0.25], [max(0.2, 1 - deep / measures.pelvis) / 0.5, 1.0])[:, None]
    middle = (paths[0] + paths[1]) / 2
    left, right = middle + (paths[0] - middle) * inset, middle + (paths[1] - middle) * inset
    slim = np.interp(at, [0.0, 0.25, 0.5, 1.0], [deep, 0.058 * measures.stature, 0.046 * measures.stature, 0.04])
    radius = slim * np.where(at > 0.3, measures.limb**0.5, 1.0) + bulk + flare * at / max(hem, 0.1)
    down = unit(middle[-1] - middle[0])
    # Cloth hangs: its rings turn from the hips' level toward the mean of the legs.
    axis_right = skeleton.pelvis_axes[:, 1]
    return hull(left, right, radius, unit(cross(axis_right, -down)), axis_right)


def neck(skeleton: Skeleton, measures: Measures) -> Floats:
    """Return the neck."""
    h = measures.stature
    thick = 0.0305 * h * measures.limb**0.4
    low = skeleton.neck - 0.03 * h * skeleton.chest_axes[:, 2]
    high = (
        skeleton.head
        + 0.35 * measures.head * skeleton.head_axes[:, 2]
        - 0.06 * measures.head * skeleton.head_axes[:, 0]
    )
    path = low + np.linspace(0, 1, 6)[:, None] * (high - low)
    return rod(
        path, np.interp(np.linspace(0, 1, 6), [0, 0.4, 1], [0.042 * h, thick, 0.97 * thick]), skeleton.chest_axes[:, 0]
    )


def knob(centre: Floats, axes: Floats, size: float) -> Floats:
    """Return a small ball."""
    return ball(centre, axes, (size, size, size), rings=6)
