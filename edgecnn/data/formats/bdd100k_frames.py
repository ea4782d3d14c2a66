"""One frame of BDD100K's labels, a Scalabel frame, to and from what edgecnn says of a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from edgecnn.core.errors import DataError
from edgecnn.core.lane_order import positions
from edgecnn.core.results import Detections, Lanes
from edgecnn.data.formats.bdd100k_lanes import CATEGORIES, CENTRE, UNKNOWN, markings
from edgecnn.data.formats.object_labels import LabelledObject, detections, labelled, quad

WIDTH, HEIGHT = 1280, 720
NAMES = (
    "pedestrian",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
    "traffic light",
    "traffic sign",
)
"""The classes that are judged; `other person`, `other vehicle` and `trailer` are labelled beside them."""
_RENAMED = {"person": "pedestrian", "bike": "bicycle", "motor": "motorcycle"}
_TAGS = {
    "weather": {"rainy": "rain", "snowy": "snow", "foggy": "fog"},
    "scene": {"highway": "freeway", "city street": "street"},
    "timeofday": {"daytime": "day", "dawn/dusk": "dusk"},
}
"""Words of BDD100K that edgecnn's scenes have others for; any word that is not here stays as it is."""
_ALSO = {"urban": "city street"}
"""What else edgecnn's scenes call a word of BDD100K."""
_WORDS = {
    "weather": ("rainy", "snowy", "clear", "overcast", "partly cloudy", "foggy"),
    "scene": ("tunnel", "residential", "parking lot", "city street", "gas stations", "highway"),
    "timeofday": ("daytime", "night", "dawn/dusk"),
}
UNDEFINED = "undefined"

Frame = Mapping[str, Any]


def decoded(text: bytes) -> dict[str, Any]:
    """Return one frame's JSON.

    Raises:
        DataError: it is no frame.
    """
    try:
        frame = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"not JSON ({error}); mend or remove the entry") from error
    if not isinstance(frame, dict) or not isinstance(frame.get("name"), str) or not frame["name"]:
        raise DataError("a frame is an object with the 'name' of its picture; mend or remove it")
    return frame


def labels_of(frame: Frame) -> list[dict[str, Any]]:
    """Return the frame's labels; without any, or null, there are none. In files of 2018 they are below `frames`.

    Raises:
        DataError: they are no list of objects.
    """
    if "frames" in frame:
        inner = frame["frames"]
        if not isinstance(inner, list) or len(inner) != 1 or not isinstance(inner[0], dict):
            raise DataError("'frames' must hold the one frame of the picture; videos are not read")
        found = inner[0].get("objects")
    else:
        found = frame.get("labels")
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(label, dict) for label in found):
        raise DataError("'labels' must be a list of objects; mend or remove the frame")
    for place, label in enumerate(found):
        if not isinstance(label.get("category"), str) or not isinstance(label.get("attributes") or {}, dict):
            raise DataError(f"label {place} needs a 'category' and, where it has any, an object of 'attributes'")
    return found


def objects_in(frame: Frame, width: int, height: int) -> Detections:
    """Return the frame's boxes.

    `box2d` counts whole pixels, so x2 and y2 lie inside the box: its width is x2 - x1 + 1 (Scalabel's `box2d_to_bbox`),
    and edgecnn's x2 is one more. What is labelled crowd or ignored is to be ignored.

    Raises:
        DataError: a box is broken.
    """
    return detections(
        [_object(label, place) for place, label in enumerate(labels_of(frame)) if label.get("box2d") is not None],
        width,
        height,
        NAMES,
    )


def lanes_in(frame: Frame, width: int, height: int) -> Lanes:
    """Return the frame's lane lines, see `bdd100k_lanes`.

    Raises:
        DataError: a marking is broken.
    """
    found = markings(labels_of(frame), height)
    lines, told = [one.points for one in found], tuple(one.attributes for one in found)
    return Lanes(tuple(lines), width, height, positions(lines, width, height), attributes=told if any(told) else ())


def size_in(frame: Frame) -> tuple[int, int] | None:
    """Return the picture's (width, height) where the frame tells it.

    Raises:
        DataError: it does, and it is no size.
    """
    size = frame.get("size")
    if size is None:
        return None
    width, height = (size.get(key) if isinstance(size, dict) else None for key in ("width", "height"))
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
        raise DataError("'size' must hold 'width' and 'height' in pixels; mend or remove it")
    return width, height


def tags_in(frame: Frame) -> tuple[str, ...]:
    """Return time of day, weather and scene in edgecnn's words; what is undefined is left out."""
    attributes = frame.get("attributes")
    told = attributes if isinstance(attributes, dict) else {}
    words = [(kind, told.get(kind)) for kind in ("timeofday", "weather", "scene")]
    return tuple(
        _TAGS[kind].get(word, word) for kind, word in words if isinstance(word, str) and word not in ("", UNDEFINED)
    )


def frame_of(name: str, tags: Sequence[str], width: int, height: int, labels: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a frame; its size is told where it is not BDD100K's own."""
    attributes = {}
    for kind, words in _WORDS.items():
        known = {_TAGS[kind].get(word, word): word for word in words}
        known |= {tag: word for tag, word in _ALSO.items() if word in words}
        attributes[kind] = next((known[tag] for tag in tags if tag in known), UNDEFINED)
    frame: dict[str, Any] = {"name": name, "attributes": attributes, "timestamp": 10000}
    if (width, height) != (WIDTH, HEIGHT):
        frame["size"] = {"width": width, "height": height}
    return {**frame, "labels": labels}


def box_labels(objects: Detections) -> list[dict[str, Any]]:
    """Return the boxes as labels; what is to be ignored and is no crowd is labelled `ignored`."""
    labels = []
    for place, one in enumerate(labelled(objects)):
        attributes = {key: value for key, value in one.attributes.items() if key != "id"}
        if one.ignore and not (attributes.get("crowd") or attributes.get("ignored")):
            attributes["ignored"] = True
        x1, y1, x2, y2 = (_shortest(value) for value in one.box)
        labels.append(
            {
                "id": str(one.attributes.get("id", place)),
                "attributes": attributes,
                "category": one.name,
                "box2d": {"x1": x1, "y1": y1, "x2": round(x2 - 1, 6), "y2": round(y2 - 1, 6)},
            }
        )
    return labels


def lane_labels(lanes: Lanes) -> list[dict[str, Any]]:
    """Return each lane line as one drawn centre line, of unknown colour and style where nothing is told of them."""
    labels = []
    for place, line in enumerate(lanes.lines):
        told = lanes.attributes[place] if lanes.attributes else {}
        style = {"laneStyle": told["laneStyle"]} if "laneStyle" in told else {}
        labels.append(
            {
                "id": str(place),
                "attributes": {"laneDirection": "parallel", **style, CENTRE: "centre"},
                "category": told["category"] if told.get("category") in CATEGORIES else UNKNOWN,
                "poly2d": [
                    {
                        "vertices": [[_shortest(x), _shortest(y)] for x, y in line[::-1]],
                        "types": "L" * len(line),
                        "closed": False,
                    }
                ],
            }
        )
    return labels


def _object(label: Mapping[str, Any], place: int) -> LabelledObject:
    box = label["box2d"]
    sides = [box.get(key) for key in ("x1", "y1", "x2", "y2")] if isinstance(box, dict) else []
    x1, y1, x2, y2 = quad(sides, f"label {place}: 'box2d'")
    attributes = dict(label.get("attributes") or {})
    ignore = bool(attributes.get("crowd") or attributes.get("ignored"))
    category = label["category"].lower()
    told = {"id": label["id"], **attributes} if "id" in label else attributes
    return LabelledObject((x1, y1, x2 + 1, y2 + 1), _RENAMED.get(category, category), ignore, attributes=told)


def _shortest(value: float) -> float:
    """Return the shortest decimal that is `value` again as float32."""
    return float(str(np.float32(value)))
