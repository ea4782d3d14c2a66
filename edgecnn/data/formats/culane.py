"""The CULane layout: lists of pictures, each with a `.lines.txt` beside it.

Described at https://xingangpan.github.io/projects/CULane.html and by XingangPan/seg_label_generate. Paths in lists
begin with a slash that stands for the data set's folder; a line of `train_gt.txt` adds the segmentation mask and
whether each of four lines is there, from left to right. A `.lines.txt` has one lane line a line, `x y x y ...` from
the bottom up; x may lie outside the picture. The lists of `test_split/` name the condition of each test picture.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import final

import cv2
import numpy as np

from edgecnn.core.errors import DataError
from edgecnn.core.lane_order import positions
from edgecnn.core.results import Lanes
from edgecnn.data.formats.culane_lists import MASKS, open_lists
from edgecnn.data.formats.format import Fault, fault_of
from edgecnn.data.formats.lane_labels import Points, clip_name, lanes_of, ordered, tidy
from edgecnn.data.formats.object_labels import inside
from edgecnn.data.formats.pictures import JPEG_OR_PNG, folder_sizes, place
from edgecnn.data.formats.table import Table, temporary_table
from edgecnn.data.formats.text_lines import text_lines
from edgecnn.data.formats.writing import writing
from edgecnn.data.sample import Remark, Sample

SPLITS = (("train_gt.txt", "train.txt"), ("val_gt.txt", "val.txt"), ("test.txt",))
"""Lists of the same pictures; the first one there is read."""
_CATEGORY = re.compile(r"test\d*_(\w+)")
_MASK_WIDTH = 16
_FLAGS = 4
_LINE_MARKS = (-2, -1, 1, 2)


@final
class CULane:
    """Up to four lane lines beside each picture."""

    name = "culane"
    holds = frozenset({"lanes"})

    def recognise(self, root: Path) -> bool:
        """Return whether a list of `root` begins with a picture, or with a picture, a mask and four flags."""
        return any(_is_list(path) for path in _lists(root))

    def label_files(self, root: Path) -> list[Path]:
        """Return the lists of train, val and test, each once; without any of them those of test_split/.

        Raises:
            DataError: there is none.
        """
        found = _lists(root)
        if not found:
            raise DataError(f"{root}: no list/train_gt.txt, list/train.txt, list/val.txt or list/test.txt of CULane")
        return found

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield the samples that the lists name, one at a time; a picture's tags are its lists of test_split/.

        Picture sizes come from the header of the first picture of each folder.
        """
        root = Path(root)
        size_of = folder_sizes()
        with temporary_table() as tags:
            _index_categories(root, tags)
            for path in [root / name for name in labels] or self.label_files(root):
                for where, line in text_lines(path):
                    try:
                        yield _sample(root, line, where, size_of, tags)
                    except DataError as error:
                        yield fault_of(where, error)

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Write pictures with their lines, masks 16 pixels wide and the list of them all as train_gt and train.

        Pictures of CULane's own conditions (normal, crowd, hlight, ...) are listed in test_split/, too.
        """
        folder = Path(folder)
        count = 0
        with writing(folder), open_lists(folder / "list") as lists:
            for number, sample in enumerate(samples):
                lines = ordered(lanes_of(sample, self.name))
                picture = place(sample.image, folder / clip_name("clips", number))
                _lines_file(picture).write_text(lines_text(line for _, line in lines), encoding="ascii")
                name = picture.relative_to(folder)
                _write_mask(folder / MASKS / name.with_suffix(".png"), lines, sample)
                there = {position for position, _ in lines}
                lists.add(name.as_posix(), [mark in there for mark in _LINE_MARKS], sample.tags)
                count += 1
        return count


FORMAT = CULane()


def read_lines(path: Path) -> tuple[list[Points], list[Remark]]:
    """Return the lines of a `.lines.txt`, float32 [N, 2] from the top down, and what was odd in them.

    Raises:
        DataError: the file is missing or broken; the message names the line.
    """
    lines: list[Points] = []
    remarks: list[Remark] = []
    for where, text in text_lines(path):
        line, odd = tidy(_points(text, where), where)
        lines += [] if line is None else [line]
        remarks += odd
    return lines, remarks


def predicted(path: Path, width: int, height: int) -> Lanes:
    """Return a network's lines from a `.lines.txt`; as for CULane's evaluation, a missing file means none.

    Raises:
        DataError: the file is broken.
    """
    lines = read_lines(path)[0] if path.exists() else []
    return Lanes(tuple(lines), width, height, positions(lines, width, height))


def lines_text(lines: Iterable[Points]) -> str:
    """Return the content of a `.lines.txt`: from the bottom up, in the fewest digits that read back the same."""
    return "".join("".join(f"{_shortest(x)} {_shortest(y)} " for x, y in line[::-1]) + "\n" for line in lines)


def _shortest(value: np.float32) -> str:
    return np.format_float_positional(value, unique=True, trim="-")


def _lists(root: Path) -> list[Path]:
    folder = root / "list"
    found = [next((folder / name for name in names if (folder / name).is_file()), None) for names in SPLITS]
    return [path for path in found if path] or sorted((folder / "test_split").glob("test*_*.txt"))


def _is_list(path: Path) -> bool:
    try:
        _, line = next(text_lines(path))
        name, *others = line.decode().split()
    except (ValueError, StopIteration, DataError):
        return False
    return len(others) in (0, 1 + _FLAGS) and Path(name).suffix.lower() in JPEG_OR_PNG


def _index_categories(root: Path, tags: Table) -> None:
    for path in sorted((root / "list" / "test_split").glob("*.txt")):
        match = _CATEGORY.fullmatch(path.stem)
        if match:
            tags.put((line.strip().lstrip(b"/"), match[1].encode()) for _, line in text_lines(path))


def _sample(root: Path, line: bytes, where: str, size_of: Callable[[Path], tuple[int, int]], tags: Table) -> Sample:
    try:
        name, *others = line.decode().split()
    except UnicodeDecodeError as error:
        raise DataError("not text; a list names one picture a line") from error
    if others and (len(others) != 1 + _FLAGS or not set(others[1:]) <= {"0", "1"}):
        raise DataError("a line is a picture, or a picture, its mask and four flags of 0 or 1; mend it")
    name = name.lstrip("/")
    picture = inside(root, name, "the picture's path")
    label = _lines_file(picture)
    if not label.is_file():
        raise DataError(f"{label}: no such file; a picture without lane lines has an empty one")
    lines, remarks = read_lines(label)
    width, height = size_of(picture)
    lanes = Lanes(tuple(lines), width, height, positions(lines, width, height))
    told = tuple(tag.decode() for tag in tags.get(name.encode()))
    return Sample(picture, lanes, told, where, remarks=tuple(remarks))


def _points(text: bytes, where: str) -> Points:
    try:
        with np.errstate(over="ignore"):
            values = np.array(text.split(), np.float32)
    except ValueError as error:
        raise DataError(f"{where}: not a list of numbers; a lane line is `x y x y ...`") from error
    if len(values) % 2:
        raise DataError(f"{where}: {len(values)} numbers; a lane line is `x y x y ...`, so their count is even")
    if not np.isfinite(values).all():
        raise DataError(f"{where}: only finite numbers can be points")
    return values.reshape(-1, 2)


def _lines_file(picture: Path) -> Path:
    return picture.with_name(f"{picture.stem}.lines.txt")


def _write_mask(path: Path, lines: list[tuple[int, Points]], sample: Sample) -> None:
    """Draw the four lines next to the car as 1 to 4 from left to right, as `laneseg_label_w16` has them."""
    lanes = lanes_of(sample, CULane.name)
    mask = np.zeros((lanes.height, lanes.width), np.uint8)
    for position, line in lines:
        if position in _LINE_MARKS:
            # cv2 has (0, 0) at the centre of a pixel, and lines far outside overflow its fixed-point numbers.
            points = np.clip(np.rint(line - 0.5), -(1 << 14), 1 << 14).astype(np.int32)
            cv2.polylines(mask, [points], False, _LINE_MARKS.index(position) + 1, _MASK_WIDTH)  # noqa: FBT003 - cv2's
    path.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(".png", mask)
    path.write_bytes(data.tobytes())
