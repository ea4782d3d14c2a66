"""KITTI's object layout: `label_2/000000.txt` with 15 columns an object, beside `image_2/000000.png`.

The columns are those of the object development kit's readme: type, truncated, occluded, alpha, left, top, right,
bottom, height, width, length, x, y, z, rotation_y; in results a score comes last. They lie in `training/` or in the
root itself. Boxes count pixels from 0, and the kit's evaluation takes right - left as the width, without the 1 of
boxes that include their last pixel: the numbers are centres of pixels, half a pixel from the corners they are counted
from here. A box keeps its width and height so, and with them every overlap.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, final

from edgecnn.core import atomic
from edgecnn.core.errors import DataError
from edgecnn.data.formats.format import Fault, fault_of
from edgecnn.data.formats.object_labels import (
    LabelledObject,
    detections,
    inside,
    is_number,
    labelled,
    objects_of,
    picture_beside,
    quad,
)
from edgecnn.data.formats.pictures import place
from edgecnn.data.formats.writing import writing
from edgecnn.data.sample import Sample, image_size

NAMES: Final = {
    "Pedestrian": "pedestrian",
    "Cyclist": "rider",
    "Person_sitting": "sitting person",
    "Car": "car",
    "Van": "van",
    "Truck": "truck",
    "Tram": "tram",
    "Misc": "misc",
    "DontCare": "ignore",
}
_TYPES: Final = {name: kind for kind, name in NAMES.items()}
_IGNORED: Final = "DontCare"
_LABELS: Final = "label_2"
_IMAGES: Final = "image_2"
_COLUMNS: Final = 15
_HALF: Final = 0.5
# What the kit writes where it knows nothing, as in every line of DontCare.
_UNKNOWN: Final[dict[str, Any]] = {
    "truncated": -1,
    "occluded": -1,
    "alpha": -10,
    "dimensions": [-1, -1, -1],
    "location": [-1000, -1000, -1000],
    "rotation_y": -10,
}
_UNKNOWN_OCCLUSION: Final = 3
# KITTI calls its steps fully visible, partly and largely occluded, and leaves the shares to the eye; these are ours.
_PARTLY_BELOW, _LARGELY_BELOW = 0.9, 0.5
_MOST_BYTES: Final = 1 << 22


@final
class Kitti:
    """Objects of driving scenes, one text file a picture."""

    name = "kitti"
    holds = frozenset({"objects"})

    def recognise(self, root: Path) -> bool:
        """Return whether `label_2` of `root` or of `root/training` begins with a line of KITTI's."""
        folder = _label_folder(root)
        return folder is not None and any(_is_label_file(path) for path in sorted(folder.glob("*.txt"))[:10])

    def label_files(self, root: Path) -> list[Path]:
        """Return the label files by name.

        Raises:
            DataError: there is none.
        """
        folder = _label_folder(Path(root))
        if folder is None:
            raise DataError(f"{root}: no training/{_LABELS}/*.txt or {_LABELS}/*.txt; give the folder that holds them")
        return sorted(folder.glob("*.txt"))

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield a sample for each label file.

        Args:
            root: the folder of the data set.
            labels: label files, folders of them, or lists of frame numbers such as `ImageSets/train.txt`.
        """
        root = Path(root)
        for path in _chosen(self, root, labels):
            yield _entry(path) if isinstance(path, Path) else path

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Write `training/image_2` and, once every picture is there, `training/label_2` at once.

        Pictures keep numbers they are called by as long as those rise.
        """
        base, count, number = Path(folder) / "training", 0, -1
        with writing(base), atomic.new_folder(base / _LABELS) as made:
            for sample in samples:
                lines = [line_of(one, sample) for one in labelled(objects_of(sample, self.name))]
                number = max(number + 1, _number_of(sample.image))
                place(sample.image, base / _IMAGES / f"{number:06d}")
                (made / f"{number:06d}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
                count += 1
        return count


FORMAT = Kitti()


def object_of(line: str) -> LabelledObject:
    """Return the object of one line of 15 columns, or of 16 with a score.

    Raises:
        DataError: it is no such line.
    """
    words = line.split()
    if len(words) not in {_COLUMNS, _COLUMNS + 1}:
        raise DataError(f"{len(words)} columns; a KITTI label has {_COLUMNS}, and a 16th for a score")
    kind, (truncated, occluded, alpha, *numbers) = words[0], [_number(word) for word in words[1:]]
    left, top, right, bottom = quad(numbers[:4], "the box (columns 5 to 8)")
    attributes = {
        "truncated": truncated,
        "occluded": occluded,
        "alpha": alpha,
        "dimensions": numbers[4:7],
        "location": numbers[7:10],
        "rotation_y": numbers[10],
    }
    return LabelledObject(
        (left + _HALF, top + _HALF, right + _HALF, bottom + _HALF),
        NAMES.get(kind, kind.replace("_", " ").lower()),
        kind == _IGNORED,
        None,
        float(numbers[11]) if len(numbers) > 11 else None,
        attributes,
    )


def line_of(one: LabelledObject, sample: Sample) -> str:
    """Return the line that says what `one` is; what it does not know is written as KITTI writes the unknown.

    What is to be ignored becomes DontCare, as there is no other word for it.
    """
    kind = _IGNORED if one.ignore else _TYPES.get(one.name) or one.name.replace(" ", "_").capitalize()
    told = _UNKNOWN | ({} if one.ignore else _guessed(one, sample))
    told |= {key: value for key, value in one.attributes.items() if key in _UNKNOWN and _fits(value, _UNKNOWN[key])}
    words = [told["truncated"], told["occluded"], told["alpha"], *(round(side - _HALF, 2) for side in one.box)]
    words += [*told["dimensions"], *told["location"], told["rotation_y"]]
    if one.score is not None:
        words.append(round(one.score, 6))
    return " ".join([kind, *(_text(word) for word in words)])


def _number_of(image: Path) -> int:
    """Return the number a picture is called by in KITTI, -1 for none."""
    return int(image.stem) if re.fullmatch(r"[0-9]{6}", image.stem) else -1


def _guessed(one: LabelledObject, sample: Sample) -> dict[str, Any]:
    """Return what the boxes themselves tell of how much of an object is out of the frame or hidden."""
    width, height = sample.truth.width, sample.truth.height
    left, top, right, bottom = one.box
    area = max(right - left, 0) * max(bottom - top, 0)
    within = max(min(right, width) - max(left, 0), 0) * max(min(bottom, height) - max(top, 0), 0)
    if one.visible is None or not area:
        occluded = _UNKNOWN_OCCLUSION
    else:
        seen = (one.visible[2] - one.visible[0]) * (one.visible[3] - one.visible[1]) / max(within, 1e-9)
        occluded = (seen < _PARTLY_BELOW) + (seen < _LARGELY_BELOW)
    return {"truncated": round(1 - within / area, 2) if area else 0.0, "occluded": int(occluded)}


def _fits(value: Any, example: Any) -> bool:
    if isinstance(example, list):
        return isinstance(value, list | tuple) and len(value) == len(example) and all(map(is_number, value))
    return is_number(value)


def _text(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    short = f"{value:.2f}"
    return short if float(short) == value else repr(value)


def _number(word: str) -> int | float:
    try:
        value = int(word) if word.lstrip("-").isdecimal() else float(word)
    except (ValueError, OverflowError):
        value = float("nan")
    if not is_number(value) or abs(value) > 1e9:
        raise DataError(f"{word[:40]!r} is no number; every column but the first is one")
    return value


def _label_folder(root: Path) -> Path | None:
    for folder in (root / "training" / _LABELS, root / _LABELS):
        if folder.is_dir() and next(folder.glob("*.txt"), None) is not None:
            return folder
    return None


def _is_label_file(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(4096)
    try:
        object_of(first.decode("ascii"))
    except (DataError, UnicodeDecodeError):
        # A line that is damaged must be reported, not make the folder another's.
        return first.split(b" ")[0].decode("latin-1") in NAMES
    return True


def _chosen(form: Kitti, root: Path, labels: tuple[str, ...]) -> Iterator[Path | Fault]:
    """Yield the label files that `labels` name, and a fault for each line of a list that names none."""
    if not labels:
        yield from form.label_files(root)
    for name in labels:
        path = root / name
        if path.is_dir():
            yield from sorted(path.glob("*.txt"))
        elif path.parent.name == _LABELS:
            yield path
        else:
            yield from _listed(root, path)


def _listed(root: Path, path: Path) -> Iterator[Path | Fault]:
    folder = _label_folder(root)
    if folder is None:
        raise DataError(f"{root}: no training/{_LABELS}/*.txt for the frames of {path}")
    try:
        file = path.open(encoding="ascii", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the name of the list") from error
    with file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield inside(folder, f"{line.strip()}.txt", "frame")
                except DataError as error:
                    yield fault_of(f"{path}:{number}", error)


def _entry(path: Path) -> Sample | Fault:
    where = f"{path}:1"
    try:
        if path.stat().st_size > _MOST_BYTES:
            return Fault(where, f"more than {_MOST_BYTES >> 20} MiB for one picture; not a KITTI label file")
        found = []
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            where = f"{path}:{number}"
            if line.strip():
                found.append(object_of(line))
        where = f"{path}:1"
        image = picture_beside(path.parent.parent / _IMAGES / path.stem)
        return Sample(image, detections(found, *image_size(image), tuple(NAMES.values())), (), where)
    except OSError as error:
        return Fault(where, f"can't be read ({error.strerror}); check the label files")
    except DataError as error:
        return fault_of(where, error)
