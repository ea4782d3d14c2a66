"""The TuSimple lane layout: JSON lines of `lanes`, `h_samples` and `raw_file` beside a folder of clips.

The format is described at https://github.com/TuSimple/tusimple-benchmark; `tags` is our own, which its readers skip.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError
from edgecnn.core.lane_order import positions
from edgecnn.core.results import Lanes
from edgecnn.data.formats.format import Fault, fault_of
from edgecnn.data.formats.lane_labels import clip_name, even_rows, lanes_of, numbers, tidy
from edgecnn.data.formats.pictures import folder_sizes, place
from edgecnn.data.formats.text_lines import text_lines
from edgecnn.data.formats.writing import writing
from edgecnn.data.sample import Remark, Sample

ABSENT = -2
LABEL_FILE = "label_data.json"
_KEYS = ("lanes", "h_samples", "raw_file")
# A label line is a few thousand characters; a first line far beyond that is some other JSON.
_LONGEST_LINE = 1 << 20


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
        size_of = folder_sizes()
        for path in [root / name for name in labels] or self.label_files(root):
            for where, line in text_lines(path):
                try:
                    yield _sample(root, _record(line), size_of, where)
                except DataError as error:
                    yield fault_of(where, error)

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Write `samples` to `folder`: pictures below clips/, label lines in label_data.json.

        A line is read at the rows its label names, else at every tenth one, in whole pixels as TuSimple's are.
        """
        folder = Path(folder)
        count = 0

        def records() -> Iterator[dict[str, Any]]:
            nonlocal count
            for number, sample in enumerate(samples):
                lanes = lanes_of(sample, self.name)
                picture = place(sample.image, folder / clip_name("clips", number))
                yield label_record(lanes, picture.relative_to(folder).as_posix(), sample.tags)
                count += 1

        with writing(folder):
            write_labels(folder / LABEL_FILE, records())
        return count


FORMAT = TuSimple()


def _sample(root: Path, record: dict[str, Any], size_of: Callable[[Path], tuple[int, int]], where: str) -> Sample:
    image = root / record["raw_file"]
    width, height = size_of(image)
    rows = numbers(record["h_samples"], "'h_samples'")
    lines, remarks = _lines_of(record, rows)
    lanes = Lanes(tuple(lines), width, height, positions(lines, width, height), rows=rows)
    return Sample(image, lanes, _tags(record), where, remarks=tuple(remarks))


def _lines_of(record: dict[str, Any], rows: NDArray[np.float32]) -> tuple[list[NDArray[np.float32]], list[Remark]]:
    if not isinstance(record["lanes"], list):
        raise DataError("'lanes' must be a list of lists of numbers")
    lines, remarks = [], []
    for number, lane in enumerate(record["lanes"]):
        xs = numbers(lane, f"lane {number}")
        if len(xs) != len(rows):
            raise DataError(f"lane {number} has {len(xs)} values for {len(rows)} h_samples; they must match")
        seen = xs >= 0
        if seen.any():
            line, odd = tidy(np.stack([xs[seen], rows[seen]], axis=1), f"lane {number}")
            remarks += odd
            lines += [] if line is None else [line]
    return lines, remarks


def label_record(lanes: Lanes, raw_file: str, tags: Sequence[str] = ()) -> dict[str, Any]:
    """Return one label line: whole pixels as TuSimple's are, -2 where a row has no line or it has left the frame."""
    rows = np.rint(even_rows(lanes))
    record: dict[str, Any] = {
        "lanes": [_row_values(line, rows, lanes.width) for line in lanes.lines],
        "h_samples": [int(row) for row in rows],
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
        first = next((line for line in iter(lambda: file.readline(_LONGEST_LINE), b"") if line.strip()), b"")
    try:
        record = json.loads(first)
    except ValueError:
        # A damaged first line must be reported, not skipped: the keys are still to be seen in it.
        return all(f'"{key}"'.encode() in first for key in _KEYS[:2])
    return isinstance(record, dict) and "lanes" in record and "run_time" not in record


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


def _tags(record: dict[str, Any]) -> tuple[str, ...]:
    tags = record.get("tags", [])
    if not isinstance(tags, list) or any(not isinstance(tag, str) for tag in tags):
        raise DataError("'tags' must be a list of words")
    return tuple(tags)
