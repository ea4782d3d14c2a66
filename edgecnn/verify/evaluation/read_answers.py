"""Anybody's predictions, in the forms that evaluators of public data sets take.

A TuSimple submission, a folder of CULane's `.lines.txt`, COCO's results file, a folder of KITTI's results, and the
`results.jsonl` of `edgecnn infer`. A picture without an answer counts as one where nothing was found.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from edgecnn.core.errors import DataError, InputError
from edgecnn.core.registry import Entry, import_entry
from edgecnn.core.results import Detections, Lanes, Result, Scene, result_from_json
from edgecnn.data.formats import culane, kitti
from edgecnn.data.formats.format import format_of
from edgecnn.data.formats.object_labels import detections
from edgecnn.data.formats.text_lines import json_lines, text_lines
from edgecnn.data.sample import Sample
from edgecnn.metrics.culane import CULane
from edgecnn.verify.evaluation.answers import LANES, OBJECTS, Answers, Names, kind_of, ordered, part
from edgecnn.verify.evaluation.tusimple_answers import tusimple_answers

LINES: Final = ".lines.txt"
_READ_RESULTS: Final = Entry("edgecnn.data.formats.coco:read_results", "formats")
_PEEK: Final = 1 << 16


class DataSet(NamedTuple):
    """What predictions are judged on."""

    root: Path
    form: str
    labels: tuple[str, ...]
    samples: Sequence[Sample]


def read_answers(path: Path, data: DataSet) -> Answers:
    """Return the predictions at `path` in the order of the data set's samples.

    Raises:
        DataError: it is no such form, is broken, or speaks of pictures that the data set has not got.
    """
    return _reader(path)(path, data)


def _reader(path: Path) -> Callable[[Path, DataSet], Answers]:
    if path.is_dir():
        if next(path.rglob("*.lines.txt"), None) is not None:
            return _culane
        if next(path.rglob("*.txt"), None) is not None:
            return _kitti
        raise DataError(f"{path}: neither a bundle nor predictions; a folder holds .lines.txt (CULane) or .txt (KITTI)")
    try:
        with path.open("rb") as file:
            start = file.read(_PEEK).lstrip()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); give a bundle or predictions") from error
    if start.startswith(b"["):
        return _coco
    line = start.split(b"\n", 1)[0]
    if b'"raw_file"' in line:
        return lambda path, data: tusimple_answers(path, data.samples)
    if b'"result"' in line:
        return _own
    raise DataError(
        f"{path}: neither a bundle nor predictions; a file is COCO's results (a JSON list), a TuSimple submission "
        "or results.jsonl of edgecnn infer"
    )


def _culane(path: Path, data: DataSet) -> Answers:
    """Return CULane's predictions; where the labels are CULane's, too, both are judged as its evaluator reads them."""
    results: list[Result] = []
    found, scores, metric = 0, [], CULane()
    for sample in data.samples:
        width, height = sample.truth.width, sample.truth.height
        file, label = _beside(path, sample.image, data.root, LINES), sample.image.with_suffix(LINES)
        found += file.is_file()
        results.append(culane.predicted(file, width, height))
        if data.form == "culane":
            scores.append(metric.score(_all_lines(file, width, height), _all_lines(label, width, height)))
    scored = {"culane": scores} if scores else {}
    notes = _missing(found, len(results), path)
    return Answers(LANES, f"CULane predictions {path}", results, scored=scored, notes=notes)


def _all_lines(path: Path, width: int, height: int) -> Lanes:
    """Return every line of a `.lines.txt`, also those of a point or none, which count though they match nothing."""
    try:
        text = path.read_text("ascii", errors="replace") if path.is_file() else ""
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the file") from error
    lines = []
    for line in text.splitlines():
        values = np.array([float(word) for word in line.split()], np.float32)
        lines.append(values[: len(values) // 2 * 2].reshape(-1, 2)[::-1])
    return Lanes(tuple(lines), width, height)


def _kitti(path: Path, data: DataSet) -> Answers:
    results: list[Result] = []
    found = 0
    for sample in data.samples:
        file = _beside(path, sample.image, data.root, ".txt")
        found += file.is_file()
        rows = []
        for where, line in text_lines(file) if file.is_file() else ():
            try:
                row = kitti.object_of(line.decode("utf-8", "replace"))
            except DataError as error:
                raise DataError(f"{where}: {error}") from error
            if row.score is None:
                raise DataError(f"{where}: no score; a result of KITTI has 16 columns")
            rows.append(row)
        results.append(detections(rows, sample.truth.width, sample.truth.height))
    notes = _missing(found, len(results), path)
    return Answers(OBJECTS, f"KITTI predictions {path}", results, _classes(results), notes=notes)


def _coco(path: Path, data: DataSet) -> Answers:
    if data.form != "coco":
        raise DataError(f"{path}: COCO results name pictures by number; their data set must be in COCO's format, too")
    files = [data.root / name for name in data.labels] or format_of("coco").label_files(data.root)
    if len(files) != 1:
        raise DataError(f"{data.root}: {len(files)} label files; say with --labels which one {path.name} speaks of")
    names, found = Names(data.samples), {}
    classes: tuple[str, ...] = ()
    for name, result in import_entry(_READ_RESULTS, "COCO results")(path, files[0]):
        place = names.place(name)
        if place is not None:
            found[place] = result
        classes = result.names
    results = ordered(found, data.samples, OBJECTS)
    return Answers(OBJECTS, f"COCO predictions {path}", results, classes, instances=files[0])


def _own(path: Path, data: DataSet) -> Answers:
    names, found = Names(data.samples), {}
    for where, tree in json_lines(path):
        name, result = tree.get("frame"), tree.get("result")
        if not isinstance(name, str) or not isinstance(result, dict):
            raise DataError(f"{where}: no line of edgecnn infer; it needs 'frame' and 'result'")
        place = _placed(names, name, where)
        if place is None:
            raise DataError(f"{where}: '{name}' is no picture of {data.root}")
        try:
            found[place] = result_from_json(result)
        except InputError as error:
            raise DataError(f"{where}: {error}") from error
    if not found:
        raise DataError(f"{path}: no line")
    kind = kind_of(next(iter(found.values())))
    results = ordered({place: part(result, kind) for place, result in found.items()}, data.samples, kind)
    objects = [one.objects if isinstance(one, Scene) else one for one in results]
    notes = _missing(len(found), len(results), path)
    return Answers(kind, f"results {path}", results, _classes(objects), notes=notes)


def _placed(names: Names, name: str, where: str) -> int | None:
    try:
        return names.place(name)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _beside(folder: Path, image: Path, root: Path, ending: str) -> Path:
    """Return the prediction of a picture: at its own path below `folder`, or else by its name alone."""
    try:
        inner = image.relative_to(root).with_suffix(ending)
    except ValueError:
        inner = Path(image.stem + ending)
    return folder / inner if (folder / inner).is_file() else folder / f"{image.stem}{ending}"


def _classes(results: Sequence[Any]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for one in results:
        if isinstance(one, Detections):
            found |= dict.fromkeys(one.names[label] for label in np.unique(one.labels).tolist() if one.names)
    return tuple(found)


def _missing(found: int, frames: int, path: Path) -> tuple[str, ...]:
    if not found:
        raise DataError(f"{path}: holds no prediction of any of the {frames} pictures; are they named alike?")
    if found == frames:
        return ()
    return (f"{frames - found} of {frames} pictures have no prediction; they count as nothing found",)
