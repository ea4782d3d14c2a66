"""Where the joints are: a pose's angles along a body's measures, in metres from the point below the pelvis."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.measures import Measures
from edgecnn.data.road.people.pose import Arm, Leg, Pose
from edgecnn.data.road.people.turns import pitch, roll, yaw

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limb:
    """Joints of an arm or leg from the trunk outward, float64 [3] each, and the end's axes as columns of a 3x3."""

    root: Floats
    middle: Floats
    end: Floats
    axes: Floats


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Joints in (forward, right, up) metres and the axes (columns forward, right, up) of trunk and head."""

    hips: Floats
    waist: Floats
    chest: Floats
    neck: Floats
    head: Floats
    pelvis_axes: Floats
    chest_axes: Floats
    head_axes: Floats
    legs: tuple[Limb, Limb]
    arms: tuple[Limb, Limb]


def build_skeleton(measures: Measures, pose: Pose) -> Skeleton:
    """Return the skeleton with its lowest point `pose.lift_m` above the ground and its hips over the origin."""
    free = _hang(measures, pose, np.zeros(3))
    low = min(_lowest(measures, leg) for leg in free.legs)
    if not pose.seat:
        low = min(low, float(free.hips[2]) - 0.055 * measures.stature)
    return _hang(measures, pose, np.array([0.0, 0.0, pose.lift_m - low]))


def _lowest(measures: Measures, leg: Limb) -> float:
    """Return the height of the lowest of heel, toe and knee."""
    sole = leg.end - leg.axes[:, 2] * measures.ankle
    heel, toe = sole - leg.axes[:, 0] * 0.25 * measures.foot, sole + leg.axes[:, 0] * 0.72 * measures.foot
    return float(min(heel[2], toe[2], leg.middle[2] - 0.032 * measures.stature))


def _hang(measures: Measures, pose: Pose, hips: Floats) -> Skeleton:
    pelvis = pitch(pose.pelvis_tilt)
    chest = yaw(pose.twist) @ roll(-pose.side) @ pitch(-pose.lean)
    middle = (pelvis + chest) / 2
    trunk = measures.trunk
    waist = hips + pelvis @ np.array([0.0, 0.0, 0.36 * trunk])
    breast = waist + middle @ np.array([0.0, 0.0, 0.32 * trunk])
    shoulders = breast + chest @ np.array([0.0, 0.0, 0.32 * trunk])
    neck = shoulders + chest @ np.array([0.0, 0.0, 0.024 * measures.stature])
    head_axes = yaw(pose.look) @ roll(-pose.tilt) @ pitch(-pose.nod)
    # The neck bends halfway between trunk and head.
    rise = 0.5 * (chest + head_axes) @ np.array([0.012 * measures.stature, 0.0, 0.028 * measures.stature])
    head = neck + rise
    legs = [_leg(measures, hips, pelvis, leg, side) for leg, side in zip(pose.legs, (-1, 1), strict=True)]
    arms = [_arm(measures, shoulders, chest, arm, side) for arm, side in zip(pose.arms, (-1, 1), strict=True)]
    return Skeleton(hips, waist, breast, neck, head, pelvis, chest, head_axes, (legs[0], legs[1]), (arms[0], arms[1]))


def _leg(measures: Measures, hips: Floats, pelvis: Floats, leg: Leg, side: int) -> Limb:
    root = hips + pelvis @ np.array([0.0, side * 0.5 * measures.pelvis, 0.0])
    turn = yaw(side * leg.out) @ roll(side * leg.spread) @ pitch(leg.hip)
    knee = root + turn @ np.array([0.0, 0.0, -measures.thigh])
    end = knee + turn @ pitch(-leg.knee) @ np.array([0.0, 0.0, -measures.shin])
    return Limb(root, knee, end, yaw(side * leg.out) @ pitch(leg.foot))


def _arm(measures: Measures, shoulders: Floats, chest: Floats, arm: Arm, side: int) -> Limb:
    root = shoulders + chest @ np.array([0.0, side * measures.shoulder, -0.018 * measures.stature])
    # The upper arm hangs from the vertical rather than from the leaning trunk.
    turn = chest @ roll(side * arm.spread) @ pitch(arm.flex) @ yaw(-side * arm.twist)
    elbow = root + turn @ np.array([0.0, 0.0, -measures.upper_arm])
    bent = turn @ pitch(arm.elbow)
    return Limb(root, elbow, elbow + bent @ np.array([0.0, 0.0, -measures.forearm]), bent)
