"""From who owns which pixel to boxes, visible boxes and masks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Detections

Floats = NDArray[np.float64]
Masks = NDArray[np.uint16]

NAMES = ("pedestrian", "rider", "sitting person", "people", "car", "van", "truck", "bus")
LEAST_PX, LEAST_VISIBLE = 20.0, 0.2


@dataclass(frozen=True, slots=True)
class Found:
    """One labelled thing: its class, its whole outline (u, v) in canvas pixels, float64 [N, 2], and its attributes."""

    name: str
    outline: Floats
    attributes: dict[str, Any]


def label_objects(found: list[Found], owners: Masks, unrolled: Floats) -> tuple[Detections, Masks]:
    """Return the objects that are seen, and their masks.

    Args:
        found: thing n has the number n + 1 in `owners`.
        owners: whose each pixel of the frame is, uint16 [H, W].
        unrolled: 2x3, from pixel indices of the frame to those of the canvas.
    """
    height, width = owners.shape
    boxes, visible, labels, attributes = [], [], [], []
    numbers = np.zeros(len(found) + 1, np.uint16)
    for number, thing in enumerate(found, 1):
        seen = _extent(owners == number)
        if seen is None:
            continue
        whole = _whole_box(thing.outline, unrolled)
        boxes.append([*np.minimum(whole[:2], seen[:2]), *np.maximum(whole[2:], seen[2:])])
        visible.append(seen)
        labels.append(NAMES.index(thing.name))
        attributes.append(thing.attributes)
        numbers[number] = len(boxes)
    objects = Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.zeros(0, np.float32), np.array(labels, np.int64),
        width, height, NAMES, np.array(visible, np.float32).reshape(-1, 4),
        attributes=tuple(attributes),
    )  # fmt: skip
    return _with_ignored(objects), numbers[owners]


def _with_ignored(objects: Detections) -> Detections:
    tall = objects.boxes[:, 3] - objects.boxes[:, 1]
    crowd = objects.labels == NAMES.index("people")
    ignore = (tall < LEAST_PX) | (objects.visibility < LEAST_VISIBLE) | crowd
    told = tuple(
        {"id": number, "occlusion": round(1 - float(share), 3), **attributes}
        for number, (share, attributes) in enumerate(zip(objects.visibility, objects.attributes, strict=True), 1)
    )
    return Detections(
        objects.boxes, objects.scores, objects.labels, objects.width, objects.height, objects.names, objects.visible,
        ignore, told,
    )  # fmt: skip


def _extent(mask: NDArray[np.bool_]) -> list[float] | None:
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return [float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)]


def _whole_box(outline: Floats, unrolled: Floats) -> Floats:
    """Return the box in the frame around an outline on the canvas."""
    turned = (outline - 0.5 - unrolled[:, 2]) @ unrolled[:, :2] + 0.5
    return np.concatenate([turned.min(axis=0), turned.max(axis=0)])
