"""edgecnn's own layout: JSON lines that hold everything a sample can say, beside folders of pictures and masks.

One line of a `labels*.jsonl` is one picture::

    {"image": "images/0000/000000.jpg", "width": 640, "height": 360, "tags": ["day"], "masks": "masks/0000/000000.png",
     "lanes": {"lines": [{"points": [[x, y], ...], "position": -1, "score": null, "attributes": {...}}],
               "rows": [160, ...]},
     "names": ["pedestrian"],
     "objects": [{"box": [x1, y1, x2, y2], "label": "pedestrian", "visible": [...], "ignore": true, "score": 0.5,
                  "attributes": {...}}]}

A line has `lanes`, `objects` or both; every other key but the picture and its size may be absent. Numbers are written
in the fewest digits that read back as the same float32. Masks are 16-bit PNG: 0 for nobody, n + 1 where object n is
seen.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError
from edgecnn.core.results import Detections, Lanes, Scene
from edgecnn.data.formats.format import Fault
from edgecnn.data.formats.pictures import place
from edgecnn.data.formats.text_lines import text_lines
from edgecnn.data.formats.tusimple import write_labels
from edgecnn.data.sample import Sample

PATTERN = "labels*.jsonl"
LABEL_FILE = "labels.jsonl"
_CLIP_SIZE = 1000
_SMALL = 1e30
_SCORES_NEED = "either every {} has a score or none"

Quad = tuple[float, float, float, float]


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    points: list[tuple[float, float]]
    position: int | None = None
    score: float | None = None
    attributes: dict[str, Any] = {}


class _Lanes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lines: list[_Line]
    rows: list[float] = []


class _Object(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    box: Quad
    label: str | int
    visible: Quad | None = None
    ignore: bool = False
    score: float | None = None
    attributes: dict[str, Any] = {}


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    image: str
    width: int
    height: int
    tags: tuple[str, ...] = ()
    masks: str = ""
    lanes: _Lanes | None = None
    names: tuple[str, ...] = ()
    objects: list[_Object] | None = None


@final
class Scenes:
    """Lanes, objects and masks, nothing lost."""

    name = "scenes"
    holds = frozenset({"lanes", "objects"})

    def recognise(self, root: Path) -> bool:
        """Return whether a `labels*.jsonl` of `root` begins with a line of this form."""
        return any(_is_label_file(path) for path in sorted(root.glob(PATTERN)))

    def label_files(self, root: Path) -> list[Path]:
        """Return every `labels*.jsonl` of `root`.

        Raises:
            DataError: there is none.
        """
        if not root.is_dir():
            raise DataError(f"{root}: no such folder; give the folder that holds {LABEL_FILE} and images/")
        found = sorted(root.glob(PATTERN))
        if not found:
            raise DataError(f"{root}: no {PATTERN}; `edgecnn data make` writes one")
        return found

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield the samples of `root`, one label line at a time."""
        root = Path(root)
        for path in [root / name for name in labels] or self.label_files(root):
            for where, line in text_lines(path):
                try:
                    yield _sample(root, line, where)
                except DataError as error:
                    yield Fault(where, str(error))

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Copy pictures and masks of `samples` below `folder` and write one label file last; return how many."""
        folder = Path(folder)
        count = 0

        def records() -> Iterator[dict[str, Any]]:
            nonlocal count
            for count, sample in enumerate(samples, 1):
                yield _copied(folder, count - 1, sample)

        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_labels(folder / LABEL_FILE, records())
        except OSError as error:
            raise DataError(f"{folder}: can't be written to ({error}); free space or choose another folder") from error
        return count


FORMAT = Scenes()


def record(
    image: str, truth: Lanes | Detections | Scene, tags: tuple[str, ...] = (), masks: str = ""
) -> dict[str, Any]:
    """Return the label line of one picture; `image` and `masks` are paths relative to the label file's folder.

    Raises:
        DataError: the truth is neither lanes nor objects.
    """
    if not isinstance(truth, Lanes | Detections | Scene):
        raise DataError(f"{image}: a label of {type(truth).__name__} is neither lanes nor objects")
    told: dict[str, Any] = {"image": image, "width": truth.width, "height": truth.height}
    told |= {"tags": list(tags)} if tags else {}
    told |= {"masks": masks} if masks else {}
    lanes = truth.lanes if isinstance(truth, Scene) else truth
    if isinstance(lanes, Lanes):
        told["lanes"] = _lanes_record(lanes)
    objects = truth.objects if isinstance(truth, Scene) else truth
    if isinstance(objects, Detections):
        told |= {"names": list(objects.names), "objects": _objects_record(objects)}
    return told


def _copied(folder: Path, index: int, sample: Sample) -> dict[str, Any]:
    spot = f"{index // _CLIP_SIZE:04d}/{index:06d}"
    image = place(sample.image, folder / "images" / spot)
    masks = place(sample.masks, folder / "masks" / spot) if sample.masks else None
    names = [path.relative_to(folder).as_posix() if path else "" for path in (image, masks)]
    return record(names[0], sample.truth, sample.tags, names[1])  # type: ignore[arg-type]  # what it is not, it refuses


def _lanes_record(lanes: Lanes) -> dict[str, Any]:
    lines = []
    for number, line in enumerate(lanes.lines):
        told: dict[str, Any] = {"points": [_numbers(point) for point in line]}
        told |= {"position": lanes.positions[number]} if lanes.positions else {}
        told |= {"score": _number(lanes.scores[number])} if len(lanes.scores) else {}
        told |= {"attributes": dict(lanes.attributes[number])} if _told(lanes, number) else {}
        lines.append(told)
    return {"lines": lines, "rows": _numbers(lanes.rows)}


def _objects_record(objects: Detections) -> list[dict[str, Any]]:
    found = []
    for number, label in enumerate(objects.labels.tolist()):
        told: dict[str, Any] = {
            "box": _numbers(objects.boxes[number]),
            "label": objects.names[label] if objects.names else label,
        }
        told |= {"visible": _numbers(objects.visible[number])} if len(objects.visible) else {}
        told |= {"ignore": True} if objects.ignored[number] else {}
        told |= {"score": _number(objects.scores[number])} if len(objects.scores) else {}
        told |= {"attributes": dict(objects.attributes[number])} if _told(objects, number) else {}
        found.append(told)
    return found


def _told(truth: Lanes | Detections, number: int) -> bool:
    return bool(truth.attributes and truth.attributes[number])


def _numbers(values: NDArray[np.float32]) -> list[float]:
    return [_number(value) for value in values]


def _number(value: np.float32) -> float:
    """Return the shortest decimal that is `value` again once it is rounded to float32."""
    short = float(str(np.float32(value)))
    return int(short) if short.is_integer() and abs(short) < _SMALL else short


def _is_label_file(path: Path) -> bool:
    with path.open("rb") as file:
        first = next((line for line in file if line.strip()), b"")
    return b'"image"' in first and (b'"lanes"' in first or b'"objects"' in first)


def _sample(root: Path, line: bytes, where: str) -> Sample:
    try:
        read = msgspec.json.decode(line, type=_Record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"no label line of the format scenes ({error}); mend or remove it") from error
    if not read.image or read.width < 1 or read.height < 1:
        raise DataError("'image' must be the path of a picture, 'width' and 'height' its size in pixels; mend the line")
    lanes = _lanes(read, read.lanes) if read.lanes is not None else None
    objects = _objects(read, read.objects) if read.objects is not None else None
    truth = Scene(lanes, objects) if lanes is not None and objects is not None else lanes or objects
    if truth is None:
        raise DataError(
            "neither 'lanes' nor 'objects'; a label line holds at least one of them, empty if there is none"
        )
    return Sample(root / read.image, truth, read.tags, where, root / read.masks if read.masks else None)


def _lanes(read: _Record, told: _Lanes) -> Lanes:
    for number, line in enumerate(told.lines):
        if len(line.points) < 2:
            raise DataError(f"lane {number} has {len(line.points)} points; a lane line has two or more")
    positions = _all_or_none([line.position for line in told.lines], "either every lane line has a position or none")
    scores = _all_or_none([line.score for line in told.lines], _SCORES_NEED.format("lane line"))
    return Lanes(
        tuple(_floats(line.points, f"lane {number}") for number, line in enumerate(told.lines)),
        read.width,
        read.height,
        tuple(positions),
        _floats(scores, "'score'"),
        _floats(told.rows, "'rows'"),
        _attributes(told.lines),
    )


def _objects(read: _Record, told: list[_Object]) -> Detections:
    labels = [_label(one.label, read.names, number) for number, one in enumerate(told)]
    visible = _all_or_none([one.visible for one in told], "either every object has a visible box or none")
    scores = _all_or_none([one.score for one in told], _SCORES_NEED.format("object"))
    ignore = [one.ignore for one in told]
    empty = Detections(
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.int64),
        read.width,
        read.height,
        read.names,
    )
    return replace(
        empty,
        boxes=_floats([one.box for one in told], "'box'").reshape(-1, 4),
        scores=_floats(scores, "'score'"),
        labels=np.array(labels, np.int64),
        visible=_floats(visible, "'visible'").reshape(-1, 4),
        ignore=np.array(ignore if any(ignore) else [], np.bool_),
        attributes=_attributes(told),
    )


def _attributes(told: Sequence[_Line] | Sequence[_Object]) -> tuple[dict[str, Any], ...]:
    return tuple(one.attributes for one in told) if any(one.attributes for one in told) else ()


def _label(label: str | int, names: tuple[str, ...], number: int) -> int:
    if isinstance(label, str) and label in names:
        return names.index(label)
    if isinstance(label, int) and not names and label >= 0:
        return label
    known = ", ".join(names) or "none, so labels are whole numbers"
    raise DataError(f"object {number}: label {label!r} is not among 'names' ({known}); add it there")


def _all_or_none(values: list[Any], need: str) -> list[Any]:
    known = [value for value in values if value is not None]
    if known and len(known) < len(values):
        raise DataError(f"{need}; {len(values) - len(known)} of {len(values)} lack it")
    return known


def _floats(values: Any, what: str) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        array = np.asarray(values, np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"{what} must hold finite numbers only")
    return array
