"""Rotations in a person's own axes: (forward, right, up), radians."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def pitch(angle: float) -> Floats:
    """Return the 3x3 rotation about the right axis that swings what hangs down forward."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])


def roll(angle: float) -> Floats:
    """Return the 3x3 rotation about the forward axis that swings what hangs down to the right."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def yaw(angle: float) -> Floats:
    """Return the 3x3 rotation about the up axis that turns forward to the right."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def cross(one: Floats, other: Floats) -> Floats:
    """Return the cross products of [..., 3]."""
    a, b, c = one[..., 0], one[..., 1], one[..., 2]
    d, e, f = other[..., 0], other[..., 1], other[..., 2]
    return np.stack([b * f - c * e, c * d - a * f, a * e - b * d], axis=-1)


def unit(vector: Floats) -> Floats:
    """Return the vectors [..., 3] at length one; a zero vector stays zero."""
    return np.asarray(vector / np.maximum(np.sqrt((vector * vector).sum(-1, keepdims=True)), 1e-9), np.float64)
