"""Augmentation of a network-size image together with its truth."""

from dataclasses import replace
from functools import singledispatch
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.lane_order import positions
from edgecnn.core.results import Detections, Float32, Frame, Lanes, Scene
from edgecnn.runtime.preprocess import Geometry
from edgecnn.train.texture import roughen

Matrix = NDArray[np.float64]
T = TypeVar("T")

LEAST_SEEN = 0.2
"""Share of an object that has to be in the picture for it to be learnt; of less there is nothing to go by."""


class Reach(NamedTuple):
    """How far pictures are moved at strength 1: zoomed between two factors, shifted by parts of width and height."""

    zoom: tuple[float, float]
    shift: tuple[float, float]


@singledispatch
def reach(truth: Any) -> Reach:  # noqa: ARG001 - the face of what is registered
    """Return how far a picture with such a truth is moved. A road's lines always start below and end far away."""
    return Reach((0.85, 1.25), (0.12, 0.15))


@reach.register
def _(truth: Detections) -> Reach:  # noqa: ARG001 - as above
    """Objects are of any size, and anywhere."""
    return Reach((0.5, 2.0), (0.25, 0.2))


@reach.register
def _(truth: Scene) -> Reach:  # noqa: ARG001 - as above
    return Reach((0.7, 1.5), (0.15, 0.15))


def augment(
    image: Frame,
    truth: T,
    geometry: Geometry,
    rng: np.random.Generator,
    strength: float = 1.0,
    texture: float = 0.0,
) -> tuple[Frame, T]:
    """Return a changed copy of a network-size image [H, W, 3] and the truth that goes with it.

    `strength` scales how far the picture is turned, zoomed, shifted and recoloured; 0 leaves the mirroring alone.
    `texture` is how likely it gets detail that drawn pictures lack.
    """
    height, width = image.shape[:2]
    matrix = _random_affine(width, height, rng, strength, reach(truth))
    fill = tuple(int(v) for v in rng.integers(0, 255, 3))
    border = cv2.BORDER_REPLICATE if rng.random() < 0.5 else cv2.BORDER_CONSTANT
    warped = cv2.warpAffine(image, matrix, (width, height), borderMode=border, borderValue=fill)
    changed = _photometric(warped.astype(np.uint8, copy=False), rng, strength)
    if texture and rng.random() < texture:
        changed = roughen(changed, rng)
    return changed, warp(truth, matrix, geometry)


@singledispatch
def warp(truth: Any, matrix: Matrix, geometry: Geometry) -> Any:  # noqa: ARG001 - the face of what is registered
    """Return `truth` (frame coordinates) after the network-size image went through `matrix` [2, 3].

    `matrix` maps pixel centres counted in whole numbers, as OpenCV's `warpAffine` does.
    """
    raise TypeError(f"no augmentation is known for {type(truth).__name__}")


@warp.register
def _(truth: Lanes, matrix: Matrix, geometry: Geometry) -> Lanes:
    lines = []
    for line in truth.lines:
        moved = geometry.to_frame((geometry.to_network(line) - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5).astype(
            np.float32
        )
        moved = moved[np.argsort(moved[:, 1], kind="stable")]
        inside = (moved[:, 0] >= 0) & (moved[:, 0] < truth.width) & (moved[:, 1] >= 0) & (moved[:, 1] < truth.height)
        if inside.sum() >= 2:
            lines.append(moved[inside])
    return Lanes(
        tuple(lines), truth.width, truth.height, positions(tuple(lines), truth.width, truth.height), rows=truth.rows
    )


@warp.register
def _(truth: Detections, matrix: Matrix, geometry: Geometry) -> Detections:
    """Boxes stay upright around their moved centres; what hardly is in the picture any more is ignored or gone."""
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    boxes = _moved(truth.boxes, matrix, geometry, zoom)
    seen = _moved(truth.visible, matrix, geometry, zoom) if len(truth.visible) else boxes
    # What was in the picture may now lie on the bars beside a letterboxed one.
    upper, lower = geometry.to_frame(np.array([(0, 0), np.add(geometry.size, geometry.pad) + geometry.pad]))
    seen = np.clip(seen, np.tile(upper, 2), np.tile(lower, 2)).astype(np.float32)
    moved = replace(truth, boxes=boxes, visible=seen)
    gone = moved.visibility < LEAST_SEEN
    moved = replace(moved, ignore=truth.ignored | gone)
    return moved.take(np.flatnonzero((seen[:, 2:] > seen[:, :2]).all(1)))


@warp.register
def _(truth: Scene, matrix: Matrix, geometry: Geometry) -> Scene:
    return Scene(warp(truth.lanes, matrix, geometry), warp(truth.objects, matrix, geometry))


def _moved(boxes: Float32, matrix: Matrix, geometry: Geometry, zoom: float) -> Float32:
    centre = geometry.to_network((boxes[:, :2] + boxes[:, 2:]) / 2) - 0.5
    centre = geometry.to_frame(centre @ matrix[:, :2].T + matrix[:, 2] + 0.5)
    half = zoom * (boxes[:, 2:] - boxes[:, :2]) / 2
    return np.concatenate([centre - half, centre + half], 1).astype(np.float32)


def _random_affine(width: int, height: int, rng: np.random.Generator, strength: float, reach: Reach) -> Matrix:
    """Mirror, turn by up to 4 degrees, zoom and shift as far as `reach` allows."""
    angle, zoom = np.deg2rad(strength * rng.uniform(-4, 4)), np.exp(strength * rng.uniform(*np.log(reach.zoom)))
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        turn = turn @ np.diag([-1.0, 1.0])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = strength * rng.uniform(-1, 1, 2) * (reach.shift[0] * width, reach.shift[1] * height)
    return np.hstack([turn, (centre + shift - turn @ centre)[:, None]])


def _photometric(image: Frame, rng: np.random.Generator, strength: float) -> Frame:
    """Contrast, brightness, gamma and colour by lookup tables; now and then blur, noise, grey or a covered patch."""
    ramp = np.arange(256) / 255.0
    gain, lift = np.exp(strength * rng.uniform(-0.35, 0.3)), strength * rng.uniform(-0.12, 0.12)
    gamma = np.exp(strength * rng.uniform(-0.35, 0.35))
    tables = [
        np.clip(ramp**gamma * gain * np.exp(strength * rng.uniform(-0.08, 0.08)) + lift, 0, 1) * 255 for _ in range(3)
    ]
    image = np.asarray(cv2.LUT(image, np.stack(tables, -1).astype(np.uint8)[None]), np.uint8)
    if rng.random() < 0.1 * strength:
        image = np.repeat(image[..., 1:2], 3, -1)
    if rng.random() < 0.2 * strength:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2)), np.uint8)
    if rng.random() < 0.3 * strength:
        noise = rng.integers(-12, 13, image.shape, dtype=np.int16)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.2 * strength:
        height, width = image.shape[:2]
        x, y = int(rng.integers(0, width)), int(rng.integers(height // 3, height))
        w, h = int(rng.integers(8, max(width // 5, 9))), int(rng.integers(8, max(height // 4, 9)))
        image = np.ascontiguousarray(image)
        image[y : y + h, x : x + w] = rng.integers(0, 255, 3, dtype=np.uint8)
    return image
