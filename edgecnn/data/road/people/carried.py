"""What people carry, push and sit on: where their hands go for it, and its surfaces."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.bags import case, crate, hand_bag, phone, rucksack, shoulder_bag, trolley
from edgecnn.data.road.people.loads import Load
from edgecnn.data.road.people.measures import Measures
from edgecnn.data.road.people.prams import pram
from edgecnn.data.road.people.reach import reach_arm
from edgecnn.data.road.people.seats import bench, chair, wheelchair
from edgecnn.data.road.people.skeleton import Skeleton
from edgecnn.data.road.people.tubes import Part
from edgecnn.data.road.people.umbrella import umbrella

Floats = NDArray[np.float64]


def hold(load: Load, measures: Measures, skeleton: Skeleton) -> Skeleton:
    """Return the skeleton with the arms where the thing wants them."""
    h = measures.stature
    low = np.array([-0.6, 0.4 if load.side else -0.4, -1.0])
    if load.name == "pram":
        bar = np.array([0.30 * h, 0.0, max(0.9, 0.56 * h)])
        grips = [bar + np.array([-0.05, side * 0.16, 0.03]) for side in (-1, 1)]
        poles = [np.array([-0.6, side * 0.5, -1.0]) for side in (-1, 1)]
        both = [
            reach_arm(arm, grip, measures.upper_arm, measures.forearm, pole)
            for arm, grip, pole in zip(skeleton.arms, grips, poles, strict=True)
        ]
        return replace(skeleton, arms=(both[0], both[1]))
    shoulder = skeleton.arms[load.side].root
    out = 1 if load.side else -1
    if load.name == "umbrella":
        return _one(skeleton, measures, load.side, shoulder + np.array([0.15, -0.03 * out, -0.13]) * h, low)
    if load.name == "trolley":
        return _one(skeleton, measures, load.side, shoulder + np.array([-0.09, 0.035 * out, -0.305]) * h, low)
    if load.name in ("bag", "case"):
        return _one(skeleton, measures, load.side, shoulder + np.array([0.01, 0.04 * out, -0.315]) * h, low)
    if load.name == "box":
        both = [
            reach_arm(
                arm,
                skeleton.chest + np.array([0.2 * h, side * 0.13, -0.03 * h]),
                measures.upper_arm,
                measures.forearm,
                np.array([-1.0, 0.5 * side, -1.0]),
            )
            for arm, side in zip(skeleton.arms, (-1, 1), strict=True)
        ]
        return replace(skeleton, arms=(both[0], both[1]))
    return skeleton


def _one(skeleton: Skeleton, measures: Measures, side: int, target: Floats, pole: Floats) -> Skeleton:
    arm = reach_arm(skeleton.arms[side], target, measures.upper_arm, measures.forearm, pole)
    return replace(skeleton, arms=(skeleton.arms[0], arm) if side else (arm, skeleton.arms[1]))


def load_parts(load: Load, measures: Measures, skeleton: Skeleton) -> list[Part]:
    """Return the thing's surfaces."""
    return [replace(part, body=False) for part in LOADS[load.name](load, measures, skeleton)]


LOADS = {
    "rucksack": rucksack,
    "shoulder bag": shoulder_bag,
    "bag": hand_bag,
    "case": case,
    "trolley": trolley,
    "umbrella": umbrella,
    "phone": phone,
    "box": crate,
    "pram": pram,
    "bench": bench,
    "chair": chair,
    "wheelchair": wheelchair,
}
