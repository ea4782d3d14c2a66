"""What a network's answer is to a robot: plain dataclasses in image coordinates.

Codecs make them, metrics judge them, drawings and reports show them. All coordinates are pixels of the *original*
frame, x to the right and y down, with (0, 0) the top-left corner of the top-left pixel.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import InputError

Float32: TypeAlias = NDArray[np.float32]
Frame: TypeAlias = NDArray[np.uint8]

MOST_VALUES = 4096
"""Values of one tensor that are written out; of a larger one its extent is told."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """Lane lines of one frame.

    Attributes:
        lines: one float32 array [N, 2] of (x, y) a line, sorted by y from the top of the frame down, N >= 2.
        width: frame width in pixels.
        height: frame height in pixels.
        positions: where each line lies as seen from the car: -1 is the nearest line on the left, +1 the nearest on
            the right, -2 and +2 the next ones out. Empty when unknown.
        scores: float32 [len(lines)] in [0, 1]; empty for ground truth.
        rows: the y of every row that was judged, float32 [R], also those where no line is (TuSimple's h_samples).
        attributes: what a data set says of each line beside its course, by its own words; empty when it says nothing.
    """

    lines: tuple[Float32, ...]
    width: int
    height: int
    positions: tuple[int, ...] = ()
    scores: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))
    rows: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))
    attributes: tuple[Mapping[str, Any], ...] = ()

    def line(self, position: int) -> Float32 | None:
        """Return the line at `position` (-1: left line of the car's own lane, +1: right), or None."""
        return self.lines[self.positions.index(position)] if position in self.positions else None

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and numbers, points rounded to 1/100 pixel."""
        return {
            "width": self.width,
            "height": self.height,
            "lines": [
                {
                    "position": self.positions[i] if self.positions else None,
                    "score": round(float(self.scores[i]), 4) if len(self.scores) else None,
                    "points": np.round(line.astype(float), 2).tolist(),
                }
                for i, line in enumerate(self.lines)
            ],
        }


def x_at(line: Float32, y: NDArray[Any]) -> NDArray[np.float64]:
    """Return x where a line [N, 2] crosses each height of `y`, NaN beyond its ends.

    A line of three points or more stands for half a step of its own points beyond either end, carried on straight: its
    rows are hardly ever those it is asked for, and what lies before the next row would have begun still belongs to it.
    """
    x, at = line[:, 0].astype(np.float64), line[:, 1].astype(np.float64)
    reach = 0.5 * float(np.median(np.diff(at))) if len(line) > 2 else 1e-3
    first = x[0] - reach * (x[1] - x[0]) / max(at[1] - at[0], 1e-6)
    last = x[-1] + reach * (x[-1] - x[-2]) / max(at[-1] - at[-2], 1e-6)
    at = np.concatenate([[at[0] - reach], at, [at[-1] + reach]])
    found: NDArray[np.float64] = np.interp(y, at, np.concatenate([[first], x, [last]]), left=np.nan, right=np.nan)
    return found


@dataclass(frozen=True, slots=True)
class Detections:
    """Objects of one frame: what a network found, or what a data set says is there.

    Attributes:
        boxes: float32 [N, 4] as (x1, y1, x2, y2), the whole object, also where it is hidden or leaves the frame.
        scores: float32 [N] in [0, 1]; empty for ground truth.
        labels: int64 [N], the place of each object's class in `names`.
        width: frame width in pixels.
        height: frame height in pixels.
        names: the classes.
        visible: float32 [N, 4], the box around what is seen of each object; empty when unknown.
        ignore: bool [N], objects and regions that need not be found and whose finding is no error; empty for none.
        attributes: what a data set says of each object beside that, by its own words; empty when it says nothing.
    """

    boxes: Float32
    scores: Float32
    labels: NDArray[np.int64]
    width: int
    height: int
    names: tuple[str, ...] = ()
    visible: Float32 = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    ignore: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    attributes: tuple[Mapping[str, Any], ...] = ()

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """Return bool [N]: which objects are to be ignored."""
        return self.ignore if len(self.ignore) else np.zeros(len(self.boxes), np.bool_)

    @property
    def visibility(self) -> NDArray[np.float64]:
        """Return float64 [N] in [0, 1]: the visible box's share of the whole one's area; 1 where nothing is known."""
        if not len(self.visible):
            return np.ones(len(self.boxes))
        share = _areas(self.visible) / np.maximum(_areas(self.boxes), 1e-9)
        return np.asarray(np.clip(share, 0, 1), np.float64)

    def take(self, which: NDArray[Any]) -> "Detections":
        """Return the objects of an index or mask [N], in its order."""
        places = np.arange(len(self.boxes))[which]
        return replace(
            self,
            boxes=self.boxes[places],
            labels=self.labels[places],
            scores=self.scores[places] if len(self.scores) else self.scores,
            visible=self.visible[places] if len(self.visible) else self.visible,
            ignore=self.ignore[places] if len(self.ignore) else self.ignore,
            attributes=tuple(self.attributes[place] for place in places) if self.attributes else (),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and numbers, coordinates rounded to 1/100 pixel; what is not known is left out."""
        return {
            "width": self.width,
            "height": self.height,
            "boxes": [self._object_json(place) for place in range(len(self.boxes))],
        }

    def _object_json(self, place: int) -> dict[str, Any]:
        label = int(self.labels[place])
        told: dict[str, Any] = {"box": np.round(self.boxes[place].astype(float), 2).tolist()}
        if len(self.scores):
            told["score"] = round(float(self.scores[place]), 4)
        told["label"] = self.names[label] if self.names else label
        if len(self.visible):
            told["visible"] = np.round(self.visible[place].astype(float), 2).tolist()
        if len(self.ignore) and self.ignore[place]:
            told["ignore"] = True
        if self.attributes and self.attributes[place]:
            told["attributes"] = dict(self.attributes[place])
        return told


@dataclass(frozen=True, slots=True)
class Scene:
    """Lane lines and objects of one frame."""

    lanes: Lanes
    objects: Detections

    @property
    def width(self) -> int:
        """Return the frame's width in pixels."""
        return self.lanes.width

    @property
    def height(self) -> int:
        """Return the frame's height in pixels."""
        return self.lanes.height

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and numbers."""
        return {"lanes": self.lanes.to_json(), "objects": self.objects.to_json()}


@dataclass(frozen=True, slots=True)
class Tensors:
    """What a network gave whose outputs mean nothing to edgecnn: `arrays` by output name, as the engine gave them."""

    arrays: Mapping[str, NDArray[Any]]
    width: int
    height: int

    def to_json(self) -> dict[str, Any]:
        """Return dtype, shape, least, greatest and mean of each array, and its values where they are few."""
        return {
            "width": self.width,
            "height": self.height,
            "tensors": {name: _array_json(array) for name, array in self.arrays.items()},
        }


Result: TypeAlias = Lanes | Detections | Scene | Tensors


def result_from_json(tree: dict[str, Any]) -> Lanes | Detections | Scene:
    """Return the result whose `to_json` form is `tree`; it tells by its keys which kind it is.

    Raises:
        InputError: neither the form of lanes nor of detections nor of both; that of tensors does not hold all values.
    """
    try:
        if "lanes" in tree:
            return Scene(_lanes(tree["lanes"]), _detections(tree["objects"]))
        return _lanes(tree) if "lines" in tree else _detections(tree)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"not a result in JSON form: {type(error).__name__} {error}") from error


def _areas(boxes: Float32) -> NDArray[np.float64]:
    sides = np.maximum(boxes[:, 2:].astype(np.float64) - boxes[:, :2], 0)
    return np.asarray(sides.prod(axis=1))


def _array_json(array: NDArray[Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"dtype": array.dtype.name, "shape": list(array.shape)}
    if array.size:
        told |= {"min": float(array.min()), "max": float(array.max()), "mean": float(array.mean(dtype=np.float64))}
    if array.size <= MOST_VALUES:
        told["values"] = array.tolist()
    return told


def _lanes(tree: dict[str, Any]) -> Lanes:
    lines = tree["lines"]
    known = all(line["position"] is not None for line in lines)
    scored = bool(lines) and all(line["score"] is not None for line in lines)
    return Lanes(
        tuple(np.array(line["points"], np.float32).reshape(-1, 2) for line in lines),
        int(tree["width"]),
        int(tree["height"]),
        tuple(int(line["position"]) for line in lines) if known else (),
        np.array([line["score"] for line in lines] if scored else [], np.float32),
    )


def _detections(tree: dict[str, Any]) -> Detections:
    boxes = tree["boxes"]
    names = tuple(dict.fromkeys(box["label"] for box in boxes if isinstance(box["label"], str)))
    scored = any("score" in box for box in boxes)
    seen = any("visible" in box for box in boxes)
    ignored = [bool(box.get("ignore")) for box in boxes]
    return Detections(
        np.array([box["box"] for box in boxes], np.float32).reshape(-1, 4),
        np.array([box["score"] for box in boxes] if scored else [], np.float32),
        np.array([names.index(box["label"]) if names else box["label"] for box in boxes], np.int64),
        int(tree["width"]),
        int(tree["height"]),
        names,
        np.array([box.get("visible", box["box"]) for box in boxes] if seen else [], np.float32).reshape(-1, 4),
        np.array(ignored if any(ignored) else [], np.bool_),
        tuple(box.get("attributes", {}) for box in boxes) if any("attributes" in box for box in boxes) else (),
    )
