"""What can be wrong with one label, beyond what keeps it from being read."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Detections, Lanes, Result, Scene

_IDS = ("id", "instanceId")
# Labels count pixels by their centres or by their edges: a point may be this far outside and mean the frame's edge.
_EDGE = 1.0


class Finding(NamedTuple):
    """One thing that is wrong: what sort it is, where, and what."""

    kind: str
    where: str
    text: str


def parts(truth: Result) -> tuple[Lanes | None, Detections | None]:
    """Return the lanes and the objects of a truth, None where it says nothing of them."""
    if isinstance(truth, Scene):
        return truth.lanes, truth.objects
    return (truth if isinstance(truth, Lanes) else None, truth if isinstance(truth, Detections) else None)


def findings(truth: Result, where: str) -> Iterator[Finding]:
    """Yield what is wrong with a label."""
    lanes, objects = parts(truth)
    if lanes is not None:
        yield from _of_lanes(lanes, where)
    if objects is not None:
        yield from _of_boxes(objects, where)
        yield from _of_ids(objects, where)


def _of_lanes(lanes: Lanes, where: str) -> Iterator[Finding]:
    for number, line in enumerate(lanes.lines):
        name = f"lane {number}"
        if len(line) < 2:
            yield Finding("short lane", where, f"{name}: {len(line)} points; a line has two or more")
            continue
        if not np.isfinite(line).all():
            yield Finding("lane outside", where, f"{name}: a point is not a finite number")
            continue
        x, y = line[:, 0], line[:, 1]
        if not (np.diff(y) > 0).all():
            yield Finding("lane rows", where, f"{name}: rows don't rise from point to point")
        if y.min() < -_EDGE or y.max() > lanes.height + _EDGE:
            yield Finding("lane outside", where, f"{name}: rows {y.min():.0f} to {y.max():.0f} of {lanes.height}")
        elif not ((x >= -_EDGE) & (x <= lanes.width + _EDGE)).any():
            yield Finding("lane outside", where, f"{name}: no point within the frame's {lanes.width} columns")


def _of_boxes(objects: Detections, where: str) -> Iterator[Finding]:
    size = np.array([objects.width, objects.height], np.float64)
    for place, box in enumerate(objects.boxes.astype(np.float64)):
        name = f"object {place} ({_class(objects, place)})"
        told = ", ".join(f"{side:.1f}" for side in box)
        if not np.isfinite(box).all():
            yield Finding("degenerate box", where, f"{name}: ({told}) are not finite numbers")
        elif (box[2:] <= box[:2]).any():
            yield Finding("degenerate box", where, f"{name}: ({told}) has no area")
        elif (box[2:] <= 0).any() or (box[:2] >= size).any():
            yield Finding(
                "box outside", where, f"{name}: ({told}) does not touch the {size[0]:.0f}x{size[1]:.0f} frame"
            )
        elif len(objects.visible) and not _within(objects.visible[place].astype(np.float64), box):
            seen = ", ".join(f"{side:.1f}" for side in objects.visible[place])
            yield Finding("visible box", where, f"{name}: what is seen of it, ({seen}), is not within ({told})")


def _within(seen: NDArray[np.float64], box: NDArray[np.float64]) -> bool:
    return bool((seen[:2] >= box[:2] - _EDGE).all() and (seen[2:] <= box[2:] + _EDGE).all())


def _of_ids(objects: Detections, where: str) -> Iterator[Finding]:
    for key in _IDS:
        told = Counter(str(one[key]) for one in objects.attributes if one.get(key) is not None)
        for value, count in told.items():
            if count > 1:
                yield Finding("duplicate id", where, f"{count} objects of this picture have the {key} {value}")


def _class(objects: Detections, place: int) -> str:
    label = int(objects.labels[place])
    return objects.names[label] if 0 <= label < len(objects.names) else str(label)
