"""The TuSimple lane layout: JSON lines of `lanes`, `h_samples` and `raw_file` beside a folder of clips.

The format is described at https://github.com/TuSimple/tusimple-benchmark; `tags` is our own, which its readers skip.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError
from edgecnn.core.lane_order import positions
from edgecnn.core.results import Lanes
from edgecnn.data.formats.format import Fault
from edgecnn.data.sample import Sample, image_size

ABSENT = -2
_KEYS = ("lanes", "h_samples", "raw_file")


@final
class TuSimple:
    """Lane lines, read at fixed rows."""

    name = "tusimple"
    holds = frozenset({"lanes"})

    def recognise(self, root: Path) -> bool:
        """Return whether a *.json of `root` is in TuSimple form."""
        return any(_is_label_file(path) for path in sorted(root.glob("*.json")))

    def label_files(self, root: Path) -> list[Path]:
        """Return every *.json of `root` that is in TuSimple form.

        Raises:
            DataError: there is none.
        """
        if not root.is_dir():
            raise DataError(f"{root}: no such folder; give the folder that holds TuSimple's label files and clips/")
        found = [path for path in sorted(root.glob("*.json")) if _is_label_file(path)]
        if not found:
            raise DataError(f"{root}: no *.json label file in TuSimple form (JSON lines with {', '.join(_KEYS)})")
        return found

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield the samples of the TuSimple folder `root`, which `raw_file` is relative to, one label line at a time.

        Picture sizes come from the header of the first picture of each folder, not from every file.
        """
        root = Path(root)
        sizes: dict[Path, tuple[int, int]] = {}
        for path in [root / name for name in labels] or self.label_files(root):
            for where, line in _lines(path):
                try:
                    yield _sample(root, _record(line), sizes, where)
                except DataError as error:
                    yield Fault(where, str(error))

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Write `samples` to `folder`: pictures below clips/, one label file."""
        raise NotImplementedError


FORMAT = TuSimple()


def _sample(root: Path, record: dict[str, Any], sizes: dict[Path, tuple[int, int]], where: str) -> Sample:
    image = root / record["raw_file"]
    if image.parent not in sizes:
        sizes[image.parent] = image_size(image)
    return Sample(image, lanes_of(record, *sizes[image.parent]), _tags(record), where)


def lanes_of(record: dict[str, Any], width: int, height: int) -> Lanes:
    """Return the `Lanes` of one parsed label line.

    Raises:
        DataError: it is no label line.
    """
    rows = _numbers(record["h_samples"], "'h_samples'")
    if not isinstance(record["lanes"], list):
        raise DataError("'lanes' must be a list of lists of numbers")
    lines = []
    for number, lane in enumerate(record["lanes"]):
        xs = _numbers(lane, f"lane {number}")
        if len(xs) != len(rows):
            raise DataError(f"lane {number} has {len(xs)} values for {len(rows)} h_samples; they must match")
        seen = xs >= 0
        if np.count_nonzero(seen) >= 2:
            line = np.stack([xs[seen], rows[seen]], axis=1)
            lines.append(line[np.argsort(line[:, 1], kind="stable")])
    return Lanes(tuple(lines), width, height, positions(lines, width, height), rows=rows)


def label_record(lanes: Lanes, raw_file: str, tags: Sequence[str] = ()) -> dict[str, Any]:
    """Return one label line: x rounded to whole pixels as TuSimple's are, -2 where a row has no line."""
    record: dict[str, Any] = {
        "lanes": [_row_values(line, lanes.rows, lanes.width) for line in lanes.lines],
        "h_samples": [int(row) for row in lanes.rows],
        "raw_file": raw_file,
    }
    if tags:
        record["tags"] = list(tags)
    return record


def write_labels(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines to `path`: first under another name, synced, then renamed."""
    scratch = path.with_name(path.name + ".part")
    with scratch.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, separators=(", ", ": ")) + "\n")
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def predictions(path: Path, answers: Iterable[tuple[str, Lanes, float]], rows: Sequence[float]) -> None:
    """Write TuSimple's submission form.

    Args:
        path: file to write.
        answers: (raw_file, lanes, run time in ms) a picture.
        rows: the h_samples that the lanes are read at.
    """
    grid = np.asarray(rows, np.float32)
    write_labels(
        path,
        (
            {
                "raw_file": raw_file,
                "lanes": [_row_values(line, grid, lanes.width) for line in lanes.lines],
                "run_time": round(float(run_time_ms), 3),
            }
            for raw_file, lanes, run_time_ms in answers
        ),
    )


def _row_values(line: NDArray[np.float32], rows: NDArray[np.float32], width: int) -> list[int]:
    xs = np.rint(np.interp(rows, line[:, 1], line[:, 0], left=ABSENT, right=ABSENT)).astype(np.int64)
    return [int(x) if 0 <= x < width else ABSENT for x in xs]


def _is_label_file(path: Path) -> bool:
    with path.open("rb") as file:
        first = next((line for line in file if line.strip()), b"")
    try:
        record = json.loads(first)
    except ValueError:
        # A damaged first line must be reported, not skipped: the keys are still to be seen in it.
        return all(f'"{key}"'.encode() in first for key in _KEYS[:2])
    return isinstance(record, dict) and "lanes" in record and "run_time" not in record


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the label file's name") from error
    with file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path}:{number}", line


def _record(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError(f"not JSON ({error}); mend or remove the line") from error
    if not isinstance(record, dict):
        raise DataError(f"a label line must be a JSON object, not {type(record).__name__}")
    for key in _KEYS:
        if key not in record:
            raise DataError(f"key '{key}' is missing; a label line has {', '.join(_KEYS)}")
    if not isinstance(record["raw_file"], str) or not record["raw_file"]:
        raise DataError("'raw_file' must be the path of a picture")
    return record


def _numbers(values: object, what: str) -> NDArray[np.float32]:
    if not isinstance(values, list) or any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        raise DataError(f"{what} must be a list of numbers")
    array = np.asarray(values, np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"{what} must hold finite numbers only")
    return array


def _tags(record: dict[str, Any]) -> tuple[str, ...]:
    tags = record.get("tags", [])
    if not isinstance(tags, list) or any(not isinstance(tag, str) for tag in tags):
        raise DataError("'tags' must be a list of words")
    return tuple(tags)
