"""What a data set lost on its way into another format, found by comparing what is read from either."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Detections, Lanes, x_at
from edgecnn.data.check_sample import parts
from edgecnn.data.formats.lane_labels import Points
from edgecnn.data.sample import Sample

# Less than this many pixels is what numbers in text lose, and no one's label is as exact.
_NOTHING = 0.005


class Lost:
    """Takes pairs of samples, source and target; tells in a few words what the target does not hold."""

    def __init__(self) -> None:
        self._frames = self._objects = self._lanes = 0
        self._gone: Counter[str] = Counter()
        self._moved = {"lane lines": 0.0, "boxes": 0.0}

    def add(self, source: Sample, target: Sample) -> None:
        """Compare one picture's label with what became of it."""
        self._frames += 1
        lanes, objects = parts(source.truth)
        new_lanes, new_objects = parts(target.truth)
        tags = set(source.tags) - set(target.tags)
        self._gone.update(f"tag {tag}" for tag in tags)
        self._gone["instance masks"] += source.masks is not None and target.masks is None
        if lanes is not None:
            self._lanes += len(lanes.lines)
            self._compare_lanes(lanes, new_lanes)
        if objects is not None:
            self._objects += len(objects)
            self._compare_objects(objects, new_objects)

    def told(self) -> list[str]:
        """Return what was lost, a few words each."""
        totals = {"lane": self._lanes, "object": self._objects}
        found = []
        tags = {name[4:]: count for name, count in self._gone.items() if name.startswith("tag ")}
        if tags:
            found.append(f"tags ({', '.join(sorted(tags)[:12])}{', ...' if len(tags) > 12 else ''})")
        for name, count in self._gone.items():
            if count and not name.startswith("tag "):
                total = totals.get(name.partition(" ")[0], totals["object"])
                total = self._frames if name == "instance masks" else total
                found.append(f"{name} ({count} of {total})")
        found += [f"{what} moved by up to {by:.2f} px" for what, by in self._moved.items() if by > _NOTHING]
        return found

    def _compare_lanes(self, source: Lanes, target: Lanes | None) -> None:
        lines = target.lines if target is not None else ()
        self._gone["lane lines"] += max(len(source.lines) - len(lines), 0)
        for one, other, apart in _matched(source, lines):
            gone = set(_attributes(source, one)) - set(_attributes(target, other))
            self._gone["lane attributes"] += bool(gone)
            if np.isfinite(apart).any() and _far(apart) < source.width / 10:
                self._moved["lane lines"] = max(self._moved["lane lines"], float(np.nanmax(apart)))
            self._gone["lane lines' ends"] += bool(np.isnan(apart).any())

    def _compare_objects(self, source: Detections, target: Detections | None) -> None:
        if target is None:
            self._gone["objects"] += len(source)
            return
        self._gone["objects"] += max(len(source) - len(target), 0)
        if not len(source) or not len(target):
            return
        apart = np.abs(source.boxes[:, None].astype(np.float64) - target.boxes[None]).max(2)
        # Of equal boxes the one at the same place in the list is meant.
        every, same = np.arange(len(source)), _same_place(source, target)
        nearest = np.where(apart[every, same] <= _NOTHING, same, apart.argmin(1))
        by = apart[every, nearest]
        there = by < 2
        self._moved["boxes"] = max(self._moved["boxes"], float(by[there].max(initial=0)))
        for place in np.flatnonzero(there).tolist():
            self._compare_object(source, place, target, int(nearest[place]))

    def _compare_object(self, source: Detections, place: int, target: Detections, other: int) -> None:
        self._gone["object classes"] += _name(source, place) != _name(target, other)
        self._gone["object ignore marks"] += bool(source.ignored[place]) and not bool(target.ignored[other])
        if len(source.visible):
            seen = target.visible[other] if len(target.visible) else target.boxes[other]
            self._gone["object visible boxes"] += bool(np.abs(source.visible[place] - seen).max() > 1)
        gone = set(_attributes(source, place)) - set(_attributes(target, other))
        self._gone["object attributes"] += bool(gone)


def lost(pairs: Iterable[tuple[Sample, Sample]]) -> list[str]:
    """Return what the second of each pair does not hold of the first, in a few words each."""
    found = Lost()
    for source, target in pairs:
        found.add(source, target)
    return found.told()


def _attributes(truth: Lanes | Detections | None, place: int) -> Mapping[str, Any]:
    return truth.attributes[place] if truth is not None and truth.attributes else {}


def _matched(source: Lanes, lines: Sequence[Points]) -> list[tuple[int, int, NDArray[np.float64]]]:
    """Return a line of `source`, the one of `lines` it became and how far apart their points are, the closest first.

    NaN stands for points that the new line does not reach, 0 for those outside the frame that it does.
    """
    apart = {}
    for one, line in enumerate(source.lines):
        outside = (line[:, 0] < 0) | (line[:, 0] >= source.width) | (line[:, 1] >= source.height)
        for other, new in enumerate(lines):
            by = np.abs(x_at(new, line[:, 1]) - line[:, 0])
            apart[one, other] = np.where(outside & np.isfinite(by), 0.0, by)
    found: list[tuple[int, int, NDArray[np.float64]]] = []
    taken: set[tuple[str, int]] = set()
    for one, other in sorted(apart, key=lambda pair: _far(apart[pair])):
        if not {("source", one), ("target", other)} & taken:
            taken |= {("source", one), ("target", other)}
            found.append((one, other, apart[one, other]))
    return found


def _far(apart: NDArray[np.float64]) -> float:
    known = apart[np.isfinite(apart)]
    return float(known.mean()) if len(known) else np.inf


def _same_place(source: Detections, target: Detections) -> NDArray[np.int64]:
    return np.minimum(np.arange(len(source)), len(target) - 1)


def _name(objects: Detections, place: int) -> str:
    label = int(objects.labels[place])
    return objects.names[label] if 0 <= label < len(objects.names) else str(label)
