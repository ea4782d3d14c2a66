"""Limbs that hold on to something: the joint between two bones whose ends are known."""

import math

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.people.skeleton import Limb
from edgecnn.data.road.people.turns import cross, unit

Floats = NDArray[np.float64]


def two_bones(root: Floats, target: Floats, upper: float, lower: float, pole: Floats) -> tuple[Floats, Floats]:
    """Return the middle joint, bent toward the direction `pole`, and the end, short of a target out of reach."""
    way = target - root
    far = max(float(np.linalg.norm(way)), 1e-6)
    ahead = way / far
    far = min(max(far, abs(upper - lower) * 1.02 + 1e-3), 0.998 * (upper + lower))
    cos = (upper**2 + far**2 - lower**2) / (2 * upper * far)
    aside = unit(pole - ahead * float(pole @ ahead))
    middle = root + upper * (ahead * cos + aside * math.sqrt(max(0.0, 1 - cos**2)))
    return middle, root + ahead * far


def reach_arm(arm: Limb, target: Floats, upper: float, lower: float, pole: Floats) -> Limb:
    """Return the arm with its wrist at `target` and its elbow toward `pole`."""
    middle, end = two_bones(arm.root, target, upper, lower, pole)
    up = unit(middle - end)
    ahead = unit(arm.root + 1e-3 * pole - middle + up * float((middle - arm.root) @ up))
    ahead = unit(ahead - up * float(ahead @ up))
    return Limb(arm.root, middle, end, np.stack([ahead, cross(up, ahead), up], axis=1))


def reach_leg(leg: Limb, target: Floats, upper: float, lower: float, foot: Floats) -> Limb:
    """Return the leg with its ankle at `target`, its knee forward and the foot's axes `foot`."""
    middle, end = two_bones(leg.root, target, upper, lower, np.array([1.0, 0.0, 0.3]))
    return Limb(leg.root, middle, end, foot)
