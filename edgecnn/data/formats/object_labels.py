"""One labelled object, and what every object format does with a list of them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from edgecnn.core.errors import DataError
from edgecnn.core.results import Detections, Scene
from edgecnn.data.sample import PictureError, Sample

Quad: TypeAlias = tuple[float, float, float, float]

# Pixels; float32 holds 1/100 of a pixel this far out, and no picture is as large.
FARTHEST = 1e5
MOST_PIXELS = 1 << 20
"""The longest side of a picture that a label may claim."""


@dataclass(frozen=True, slots=True)
class LabelledObject:
    """One object as a data set speaks of it.

    Attributes:
        box: (x1, y1, x2, y2) in pixels from the top-left corner of the top-left pixel, the whole object.
        name: its class in edgecnn's words.
        ignore: whether it need not be found.
        visible: the box around what is seen of it; None when unknown.
        score: of a prediction; None for ground truth.
        attributes: what else the data set says, under its own keys.
    """

    box: Quad
    name: str
    ignore: bool = False
    visible: Quad | None = None
    score: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def detections(objects: Sequence[LabelledObject], width: int, height: int, names: Sequence[str] = ()) -> Detections:
    """Return `objects` as `Detections`; `names` are the data set's classes, and any other name comes behind them.

    Where only some objects have a visible box, the others count as seen whole.

    Raises:
        DataError: only some objects have a score.
    """
    known = {name: place for place, name in enumerate(dict.fromkeys([*names, *(one.name for one in objects)]))}
    scores = [one.score for one in objects if one.score is not None]
    if scores and len(scores) < len(objects):
        raise DataError(f"{len(scores)} of {len(objects)} objects have a score; all of them must, or none")
    seen = any(one.visible is not None for one in objects)
    ignored = [one.ignore for one in objects]
    return Detections(
        np.array([one.box for one in objects], np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array([known[one.name] for one in objects], np.int64),
        width,
        height,
        tuple(known),
        np.array([one.visible or one.box for one in objects] if seen else [], np.float32).reshape(-1, 4),
        np.array(ignored if any(ignored) else [], np.bool_),
        tuple(one.attributes for one in objects) if any(one.attributes for one in objects) else (),
    )


def objects_of(sample: Sample, form: str) -> Detections:
    """Return the objects of `sample`.

    Raises:
        DataError: it has none; `form` is the format that needs them.
    """
    objects = sample.truth.objects if isinstance(sample.truth, Scene) else sample.truth
    if not isinstance(objects, Detections):
        raise DataError(f"{sample.where}: this label holds no objects; the format {form} can hold nothing else")
    return objects


def labelled(found: Detections) -> list[LabelledObject]:
    """Return the objects of `found` one by one; what has no name is called by its number."""
    ignored = found.ignored
    return [
        LabelledObject(
            _quad(found.boxes[place]),
            found.names[label] if found.names else str(label),
            bool(ignored[place]),
            _quad(found.visible[place]) if len(found.visible) else None,
            float(found.scores[place]) if len(found.scores) else None,
            found.attributes[place] if found.attributes else {},
        )
        for place, label in enumerate(found.labels.tolist())
    ]


def quad(values: Iterable[Any], what: str) -> Quad:
    """Return four finite numbers.

    Raises:
        DataError: they are not; `what` names them.
    """
    found = list(values) if isinstance(values, Iterable) else []
    if len(found) != 4 or not all(is_number(value) and abs(value) <= FARTHEST for value in found):
        raise DataError(f"{what} must be four numbers of pixels within +-{FARTHEST:.0f}; mend or remove it")
    left, top, third, fourth = (float(value) for value in found)
    return left, top, third, fourth


def is_number(value: object) -> bool:
    """Return whether `value` is a finite number, and not merely true or false."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def from_corner(values: Quad) -> Quad:
    """Return the box of (x1, y1, width, height)."""
    left, top, width, height = values
    return left, top, left + width, top + height


def to_corner(box: Quad) -> Quad:
    """Return a box as (x1, y1, width, height)."""
    return box[0], box[1], box[2] - box[0], box[3] - box[1]


def inside(root: Path, name: str, what: str) -> Path:
    """Return the path `name` below `root`.

    Raises:
        DataError: it is empty, absolute or leads out of `root`; `what` names it.
    """
    path = Path(name)
    if not name or "\0" in name or path.is_absolute() or ".." in path.parts:
        raise DataError(f"{what} {name!r} must be a path below {root}; mend it")
    return root / path


def picture_beside(stem: Path) -> Path:
    """Return the picture called `stem` with any suffix of a picture.

    Raises:
        PictureError: there is none.
    """
    for suffix in (".png", ".jpg", ".jpeg", ".JPG", ".PNG", ".bmp"):
        path = stem.with_name(stem.name + suffix)
        if path.is_file():
            return path
    text = f"{stem}: no picture of that name (.png or .jpg); put it there or remove the label"
    raise PictureError(text) from FileNotFoundError(str(stem))


def neat(value: float, digits: int = 3) -> float:
    """Return `value` rounded, as a whole number where it is one."""
    short = round(float(value), digits)
    return int(short) if short.is_integer() else short


def _quad(values: Any) -> Quad:
    left, top, right, bottom = (float(value) for value in values)
    return left, top, right, bottom
