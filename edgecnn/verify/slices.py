"""Slices: the frames and objects that a gate or a table speaks of.

Objects outside a slice are ignored: they need not be found, and finding them is no error. As in CityPersons' evaluation
a found object counts when its own height, width or area is within the slice's range stretched by 1.25 (1.25^2 for
areas) at both ends. It has no visibility and no attributes: in a slice by those every one counts that no label excuses.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.gate_rule import Condition, ObjectCondition, TagCondition
from edgecnn.core.registry import nearest
from edgecnn.core.results import Detections, Result, Scene
from edgecnn.data.sample import Sample
from edgecnn.metrics.boxes import xywh
from edgecnn.metrics.miss_rate import EXPANDED, visibility

Bool = NDArray[np.bool_]

SIZES: Final[Mapping[str, int]] = {"height": 1, "width": 1, "area": 2}
"""What of a found object is seen as well, with its dimension."""
KNOWN: Final = (*SIZES, "visibility", "label")
_COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Sliced:
    """The frames of a slice.

    Attributes:
        frames: their places among all frames.
        pairs: (result, truth) of each, as far as they belong to the slice.
        objects: labelled objects that count in them.
        why_empty: where there is no frame or object: why, in words.
    """

    frames: tuple[int, ...]
    pairs: tuple[tuple[Any, Any], ...]
    objects: int
    why_empty: str = ""


def cut(conditions: Sequence[Condition], results: Sequence[Result], samples: Sequence[Sample]) -> Sliced:
    """Return the slice of the frames that meets all `conditions`."""
    tags = [one for one in conditions if isinstance(one, TagCondition)]
    objects = [one for one in conditions if isinstance(one, ObjectCondition)]
    frames = [i for i, sample in enumerate(samples) if all((one.tag in sample.tags) == one.there for one in tags)]
    if not frames:
        return Sliced((), (), 0, _no_frame(tags, samples))
    pairs = tuple(_pair(objects, results[i], samples[i].truth) for i in frames)
    counted = sum(_counted(truth) for _, truth in pairs)
    why = _no_object(objects, [samples[i].truth for i in frames]) if objects and not counted else ""
    return Sliced(tuple(frames), pairs, counted, why)


def matches(condition: ObjectCondition, objects: Detections) -> Bool:
    """Return bool [N]: which labelled objects meet a condition; one that says nothing of it does not."""
    compare = _COMPARE[condition.comparison]
    values = _values(condition.name, objects)
    return np.array([value is not None and _fits(compare, value, condition.value) for value in values], np.bool_)


def _pair(conditions: Sequence[ObjectCondition], found: Any, true: Any) -> tuple[Any, Any]:
    if not conditions:
        return found, true
    if isinstance(true, Scene):
        objects = _objects(conditions, found.objects, true.objects)
        return replace(found, objects=objects[0]), replace(true, objects=objects[1])
    return _objects(conditions, found, true) if isinstance(true, Detections) else (found, true)


def _objects(
    conditions: Sequence[ObjectCondition], found: Detections, true: Detections
) -> tuple[Detections, Detections]:
    outside = np.zeros(len(true), bool)
    kept = np.ones(len(found), bool)
    for one in conditions:
        outside |= ~matches(one, true)
        if one.name in SIZES and isinstance(one.value, float):
            kept &= _within(one, xywh(found), EXPANDED ** SIZES[one.name])
        elif one.name == "label":
            kept &= matches(one, found)
    return found.take(kept), replace(true, ignore=true.ignored | outside)


def _within(condition: ObjectCondition, boxes: NDArray[np.float64], stretch: float) -> Bool:
    """Return bool [N]: which found boxes lie within the condition's stretched range."""
    size = _size(condition.name, boxes)
    value = float(condition.value)
    if condition.comparison in {">=", ">"}:
        return np.asarray(size >= value / stretch)
    if condition.comparison in {"<=", "<"}:
        return np.asarray(size < value * stretch)
    if condition.comparison == "=":
        return np.asarray((size >= value / stretch) & (size < value * stretch))
    return np.ones(len(size), np.bool_)


def _size(name: str, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray({"height": boxes[:, 3], "width": boxes[:, 2], "area": boxes[:, 2] * boxes[:, 3]}[name])


def _values(name: str, objects: Detections) -> list[Any]:
    if name in SIZES:
        return list(_size(name, xywh(objects)).tolist())
    if name == "visibility":
        return list(visibility(objects).tolist())
    if name == "label":
        return [objects.names[i] if 0 <= i < len(objects.names) else i for i in objects.labels.tolist()]
    return [told.get(name) for told in objects.attributes] or [None] * len(objects)


def _fits(compare: Callable[[Any, Any], Any], value: Any, wanted: float | str) -> bool:
    if isinstance(wanted, str):
        return bool(compare(str(value).lower(), wanted.lower()))
    try:
        return bool(compare(float(value), wanted))
    except (TypeError, ValueError):
        return False


def _counted(truth: Any) -> int:
    objects = truth.objects if isinstance(truth, Scene) else truth
    return int((~objects.ignored).sum()) if isinstance(objects, Detections) else 0


def _no_frame(tags: Sequence[TagCondition], samples: Sequence[Sample]) -> str:
    known = sorted({tag for sample in samples for tag in sample.tags})
    if not known:
        return "the labels tag no frame with anything"
    unknown = [one.tag for one in tags if one.there and one.tag not in known]
    if unknown:
        return f"no frame is tagged '{unknown[0]}'{nearest(unknown[0], known)}"
    return f"no frame is {' and '.join(one.text() for one in tags)}"


def _no_object(conditions: Sequence[ObjectCondition], truths: Sequence[Any]) -> str:
    objects = [truth.objects if isinstance(truth, Scene) else truth for truth in truths]
    told = {key for one in objects if isinstance(one, Detections) for each in one.attributes for key in each}
    if not any(isinstance(one, Detections) for one in objects):
        return f"'{conditions[0].text()}' speaks of objects, and the labels hold none"
    known = {*KNOWN, *told}
    unknown = [one.name for one in conditions if one.name not in known]
    if unknown:
        return f"no object says anything of '{unknown[0]}'{nearest(unknown[0], known)}"
    return f"no object meets {', '.join(one.text() for one in conditions)}"
