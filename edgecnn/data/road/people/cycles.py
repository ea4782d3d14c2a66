"""Bicycles and motor scooters with their riders: where hips, hands and feet go, and the machine's surfaces."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.measures import Measures
from edgecnn.data.road.people.paints import Color, Paint
from edgecnn.data.road.people.reach import reach_arm, reach_leg
from edgecnn.data.road.people.skeleton import Skeleton
from edgecnn.data.road.people.tubes import Part, ball, rod
from edgecnn.data.road.people.turns import pitch

Floats = NDArray[np.float64]

_BLACK: Color = (26.0, 26.0, 27.0)
_STEEL: Color = (150.0, 150.0, 150.0)


@dataclass(frozen=True, slots=True)
class Cycle:
    """A two-wheeled machine; metres in (forward, right, up) from the ground below the hips.

    Attributes:
        name: "bicycle" or "scooter".
        paint: BGR albedo of frame or fairing.
        wheel_m: wheel radius.
        low_m: how far the hands are below the shoulders' natural reach: upright city bicycles have the least.
        crank: turn of the pedals, radians.
    """

    name: str
    paint: Color
    wheel_m: float
    low_m: float
    crank: float


def _at(forward: float, right: float, up: float) -> Floats:
    return np.array([forward, right, up])


def sit_on(cycle: Cycle, measures: Measures, skeleton: Skeleton) -> Skeleton:
    """Return the rider's skeleton on the machine, hips over the origin."""
    hips = np.array([0.0, 0.0, _hip_height(cycle, measures)])
    shift = hips - skeleton.hips
    moved = _moved(skeleton, shift)
    feet, hands = _pedals(cycle, measures), _grips(cycle, measures)
    legs = tuple(
        reach_leg(leg, foot, measures.thigh, measures.shin, pitch(-0.15 if cycle.name == "bicycle" else 0.1))
        for leg, foot in zip(moved.legs, feet, strict=True)
    )
    arms = tuple(
        reach_arm(arm, grip, measures.upper_arm, measures.forearm, np.array([-0.2, 0.8 * side, -1.0]))
        for arm, grip, side in zip(moved.arms, hands, (-1.0, 1.0), strict=True)
    )
    return replace(moved, legs=(legs[0], legs[1]), arms=(arms[0], arms[1]))


def _moved(skeleton: Skeleton, shift: Floats) -> Skeleton:
    legs = [replace(limb, root=limb.root + shift) for limb in skeleton.legs]
    arms = [replace(limb, root=limb.root + shift) for limb in skeleton.arms]
    return replace(
        skeleton,
        hips=skeleton.hips + shift,
        waist=skeleton.waist + shift,
        chest=skeleton.chest + shift,
        neck=skeleton.neck + shift,
        head=skeleton.head + shift,
        legs=(legs[0], legs[1]),
        arms=(arms[0], arms[1]),
    )


def _bracket(cycle: Cycle) -> Floats:
    return np.array([0.24, 0.0, 0.82 * cycle.wheel_m])


def _hip_height(cycle: Cycle, measures: Measures) -> float:
    leg = measures.thigh + measures.shin
    if cycle.name == "scooter":
        return 0.82 * leg + 0.12
    return float(_bracket(cycle)[2] + np.sqrt(max(0.05, (0.93 * leg - 0.06) ** 2 - 0.24**2)))


def _pedals(cycle: Cycle, measures: Measures) -> list[Floats]:
    ankle = np.array([-0.06, 0.0, measures.ankle + 0.02])
    if cycle.name == "scooter":
        return [np.array([0.42, side * 0.13, 0.26]) + ankle for side in (-1, 1)]
    centre = _bracket(cycle)
    found = []
    for side, turn in ((-1, cycle.crank), (1, cycle.crank + np.pi)):
        found.append(centre + np.array([0.17 * np.cos(turn), side * 0.11, 0.17 * np.sin(turn)]) + ankle)
    return found


def _grips(cycle: Cycle, measures: Measures) -> list[Floats]:
    """Return where the wrists are, a little behind and above the handlebar's ends."""
    bar = _bar(cycle, measures)
    return [bar + np.array([-0.06, side * 0.26, 0.05]) for side in (-1, 1)]


def _bar(cycle: Cycle, measures: Measures) -> Floats:
    hip = _hip_height(cycle, measures)
    return np.array([0.32 * measures.stature, 0.0, hip + 0.10 * measures.stature - cycle.low_m])


def cycle_parts(cycle: Cycle, measures: Measures) -> list[Part]:
    """Return the machine's surfaces; none of them belongs to the person."""
    bar = _bar(cycle, measures)
    back, front = np.array([-0.32, 0.0, cycle.wheel_m]), np.array([bar[0] + 0.24, 0.0, cycle.wheel_m])
    parts = [*_wheel(back, cycle), *_wheel(front, cycle)]
    parts += (
        _frame(cycle, measures, back, front, bar)
        if cycle.name == "bicycle"
        else _fairing(cycle, measures, back, front, bar)
    )
    parts.append(
        _rod(
            [
                bar + _at(-0.05, -0.31, 0.02),
                bar + _at(0, -0.12, 0),
                bar + _at(0, 0.12, 0),
                bar + _at(-0.05, 0.31, 0.02),
            ],
            0.014,
            _BLACK,
        )
    )
    return [replace(part, body=False) for part in parts]


def _rod(points: list[Floats], radius: float, color: Color) -> Part:
    knots = np.linspace(0, 1, len(points))
    at = np.linspace(0, 1, max(6, 2 * len(points) - 1))
    path = np.stack([np.interp(at, knots, np.array(points)[:, i]) for i in range(3)], axis=1)
    return Part(rod(path, radius, np.array([0.13, 0.31, 0.94])), Paint(color, gloss=0.3))


def _wheel(hub: Floats, cycle: Cycle) -> list[Part]:
    """Return a tyre in two halves, a few spokes and the hub."""
    thick = 0.022 if cycle.name == "bicycle" else 0.055
    radius = cycle.wheel_m - thick
    parts = []
    for half in (0.0, np.pi):
        angle = half + np.linspace(0, np.pi, 14)
        path = hub + radius * np.stack([np.cos(angle), 0 * angle, np.sin(angle)], axis=1)
        parts.append(Part(rod(path, thick, np.array([0.0, 1.0, 0.0])), Paint(_BLACK)))
    spokes = 3 if cycle.name == "bicycle" else 0
    for angle in np.pi * np.arange(spokes) / max(spokes, 1) + 0.3:
        way = radius * np.array([np.cos(angle), 0.0, np.sin(angle)])
        parts.append(_rod([hub - way, hub + way], 0.004, _STEEL))
    size = 0.03 if cycle.name == "bicycle" else 0.13
    parts.append(Part(ball(hub, np.eye(3), (size, 0.04, size), rings=6), Paint(_STEEL, gloss=0.3)))
    return parts


def _frame(cycle: Cycle, measures: Measures, back: Floats, front: Floats, bar: Floats) -> list[Part]:
    centre = _bracket(cycle)
    saddle = np.array([-0.02, 0.0, _hip_height(cycle, measures) - 0.07])
    cluster = centre + 0.72 * (saddle - centre)
    head = bar + np.array([0.03, 0.0, -0.14])
    parts = [
        _rod([centre, saddle], 0.016, cycle.paint),
        _rod([cluster, head], 0.017, cycle.paint),
        _rod([centre, head + _at(0.02, 0.0, -0.08)], 0.02, cycle.paint),
        _rod([back, centre], 0.012, cycle.paint),
        _rod([back, cluster], 0.010, cycle.paint),
        _rod([bar, head, front], 0.016, cycle.paint),
        Part(ball(saddle + _at(-0.02, 0, 0.0), np.eye(3), (0.14, 0.075, 0.035)), Paint(_BLACK)),
    ]
    for side, turn in ((-1, cycle.crank), (1, cycle.crank + np.pi)):
        pedal = centre + np.array([0.17 * np.cos(turn), side * 0.10, 0.17 * np.sin(turn)])
        parts.append(_rod([centre + _at(0, side * 0.05, 0), pedal, pedal + _at(0, side * 0.06, 0)], 0.012, _BLACK))
    return parts


def _fairing(cycle: Cycle, measures: Measures, back: Floats, front: Floats, bar: Floats) -> list[Part]:
    seat = _hip_height(cycle, measures) - 0.11
    shell, eye = Paint(cycle.paint, gloss=0.4), np.eye(3)
    shield = pitch(0.28)
    return [
        Part(ball(np.array([-0.2, 0.0, 0.72 * seat]), eye, (0.42, 0.17, 0.30 * seat), power=3.0), shell),
        Part(ball(np.array([-0.08, 0.0, seat]), eye, (0.38, 0.15, 0.06), power=3.0), Paint(_BLACK, gloss=0.2)),
        Part(ball(np.array([0.38, 0.0, 0.22]), eye, (0.38, 0.15, 0.06), power=4.0), shell),
        Part(ball(np.array([bar[0] + 0.02, 0.0, 0.62]), shield, (0.05, 0.2, 0.36), power=3.0), shell),
        Part(ball(front + _at(-0.02, 0, 0.1), eye, (0.24, 0.09, 0.14), power=2.5), shell),
        Part(ball(bar + _at(0.06, 0, -0.02), eye, (0.1, 0.11, 0.1)), shell),
        Part(ball(bar + _at(0.14, 0, -0.02), eye, (0.03, 0.07, 0.06)), Paint((215.0, 222.0, 225.0), gloss=0.4)),
        _rod([bar, front], 0.025, _STEEL),
        Part(ball(back + _at(-0.26, 0, 0.2), eye, (0.04, 0.06, 0.05)), Paint((30.0, 26.0, 150.0))),
    ]
