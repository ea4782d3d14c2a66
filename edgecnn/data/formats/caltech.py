"""Caltech Pedestrians: `annotations/set00/V000.vbb` (Matlab structs) with the videos, or with pictures taken from them.

Videos are `videos/set00/V000.seq` or `set00/V000.seq`; of these every 30th frame is read, the ones that the benchmark
judges (I00029, I00059, ...). Pictures are `images/set00_V000_I00029.jpg` or `images/set00/V000/I00029.jpg`, also below
`train/` and `test/`; all that are there are read. Frames are counted from 0 in these names and from 1 in the labels:
I00029 is the 30th entry of `objLists`.

An object has `pos` and, where `occl` is set, the visible `posv`, as (x, y, width, height) counted from pixel 1: Piotr's
toolbox cuts x to x + width - 1 out of a frame, so that here a box begins at x - 1 and ends at x - 1 + width. As in its
evaluation an object that is not occluded, or whose `posv` is all zeros, is seen whole; one whose `posv` is its `pos` is
not seen at all, which here is a visible box without area. Of the labels "person" are people to be found,
"people" and "person?" are to be ignored, "person-fa" are what looked like people and is none.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, final

from edgecnn.core.errors import DataError
from edgecnn.data.formats import matlab
from edgecnn.data.formats.caltech_writer import VideoWriter
from edgecnn.data.formats.format import Fault, fault_of
from edgecnn.data.formats.norpix import open_sequence
from edgecnn.data.formats.object_labels import (
    LabelledObject,
    Quad,
    detections,
    is_number,
    labelled,
    neat,
    objects_of,
    quad,
)
from edgecnn.data.formats.writing import writing
from edgecnn.data.sample import PictureError, Sample, image_size

NAMES: Final = {"person": "pedestrian"}
IGNORED: Final = frozenset({"people", "person?"})
STEP: Final = 30
"""Of a video every so many frames are read, the last of each stretch."""

# Pixels by which boxes that went through float32 may differ.
_SAME: Final = 1e-3
_FIELDS: Final = ("id", "pos", "occl", "lock", "posv")
_FOLDERS: Final = ("images", "Images", "train/images", "test/images", "")
_SUFFIXES: Final = (".jpg", ".png", ".jpeg")


class _Frame(NamedTuple):
    """One picture: its number from 0, and where it is."""

    number: int
    image: Path


@final
class Caltech:
    """People filmed from a car, one label file a video."""

    name = "caltech"
    holds = frozenset({"objects"})

    def recognise(self, root: Path) -> bool:
        """Return whether `root` holds annotations/set??/V???.vbb."""
        return bool(_labels(root))

    def label_files(self, root: Path) -> list[Path]:
        """Return the label files of every set; set00 to set05 are for training, set06 to set10 for tests.

        Raises:
            DataError: there is none.
        """
        found = _labels(Path(root))
        if not found:
            raise DataError(f"{root}: no annotations/set00/V000.vbb; give the folder that holds annotations/")
        return found

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield a sample for each frame.

        Args:
            root: the folder of the data set.
            labels: label files, or folders of them such as `annotations/set06`.
        """
        root = Path(root)
        chosen = [path for name in labels for path in _below(root / name)]
        for path in chosen or self.label_files(root):
            try:
                video = _Video(path)
                frames = _frames(root, path, video.count)
            except DataError as error:
                found = fault_of(f"{path}:1", error)
                yield Fault(found.where, found.text.removeprefix(f"{path}: "), found.kind)
                continue
            for frame in frames:
                # The entry of `objLists` stands for the line.
                where = f"{path}:{frame.number + 1}"
                try:
                    width, height = image_size(frame.image)
                    truth = detections(video.objects(frame.number), width, height, tuple(NAMES.values()))
                    yield Sample(frame.image, truth, (), where)
                except DataError as error:
                    yield fault_of(where, error)

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Write pictures `images/set00_V000_I00029.jpg` and, when a video is full, its label file.

        Pictures that are called so keep their place as long as each video's come together and in order; the others
        become every 30th frame of videos of their own.
        """
        writer = VideoWriter(Path(folder), STEP)
        with writing(Path(folder) / "annotations"):
            for sample in samples:
                writer.add(sample, [_record(one) for one in labelled(objects_of(sample, self.name))])
            writer.close()
        return writer.count


FORMAT = Caltech()


class _Video:
    """The label file of one video, of which a frame is read when it is asked for."""

    def __init__(self, path: Path) -> None:
        variables = matlab.load_matlab(path)
        found = matlab.structs(variables.get("A"), ("nFrame", "objLists", "objLbl"), "'A'")
        if len(found) != 1:
            raise DataError(f"'A' must be one struct, not {len(found)}")
        told = found[0]
        self._lists = matlab.cells(told["objLists"], "'A.objLists'")
        self._words = [matlab.text(word, "'A.objLbl'") for word in matlab.cells(told["objLbl"], "'A.objLbl'")]
        self.count = len(self._lists)

    def objects(self, number: int) -> list[LabelledObject]:
        """Return the objects of frame `number`, from 0."""
        found = matlab.structs(self._lists[number], _FIELDS, "a frame's entry of 'A.objLists'")
        return [self._object(one, place) for place, one in enumerate(found, 1)]

    def _object(self, told: dict[str, Any], place: int) -> LabelledObject:
        key, occluded, lock = (_whole(told[name], f"object {place}: '{name}'") for name in ("id", "occl", "lock"))
        if not 1 <= key <= len(self._words) or not self._words[key - 1]:
            raise DataError(f"object {place}: id {key} has no label in 'A.objLbl'; mend the file")
        box = _box(told["pos"], f"object {place}: 'pos'")
        posv = matlab.numbers(told["posv"], None, f"object {place}: 'posv'").tolist()
        seen = _seen(box, _box(told["posv"], f"object {place}: 'posv'")) if occluded and any(posv) else box
        word = self._words[key - 1]
        # What is said of the visible part and is not in force would be lost else.
        unused = {"posv": [neat(side, 4) for side in posv]} if any(posv) != bool(occluded) else {}
        attributes = {"id": key, "occl": occluded, "lock": lock} | unused
        return LabelledObject(box, NAMES.get(word, word), word in IGNORED, seen, None, attributes)


def _labels(root: Path) -> list[Path]:
    return sorted((Path(root) / "annotations").glob("set[0-9][0-9]/V[0-9][0-9][0-9].vbb"))


def _below(path: Path) -> list[Path]:
    return sorted(path.rglob("V[0-9][0-9][0-9].vbb")) if path.is_dir() else [path]


def _frames(root: Path, path: Path, count: int) -> Sequence[_Frame]:
    """Return the frames of a video that there are pictures of.

    Raises:
        PictureError: there are none.
    """
    part, video = path.parent.name, path.stem
    for base in (root / "videos", root):
        sequence = base / part / f"{video}.seq"
        if sequence.is_file():
            there = open_sequence(sequence)
            last = min(count, len(there.places))
            return [_Frame(number, there.name(number)) for number in range(STEP - 1, last, STEP)]
    found = [frame for folder in _FOLDERS for frame in _pictures(root / folder, part, video) if frame.number < count]
    if not found:
        text = f"neither {root}/videos/{part}/{video}.seq nor {root}/images/{part}_{video}_I00029.jpg; put one there"
        raise PictureError(text) from FileNotFoundError(video)
    return sorted(found)


def _pictures(folder: Path, part: str, video: str) -> Iterator[_Frame]:
    for path in (*folder.glob(f"{part}_{video}_I*"), *(folder / part / video).glob("I*")):
        number = re.fullmatch(r"(?:set\d\d_V\d\d\d_)?I(\d{5,7})", path.stem)
        if number and path.suffix.lower() in _SUFFIXES:
            yield _Frame(int(number[1]), path)


def _whole(value: Any, what: str) -> int:
    found = matlab.numbers(value, None, what)
    if len(found) != 1 or abs(found[0]) > 1e9:
        raise DataError(f"{what} must be one number; mend the file")
    return int(found[0])


def _box(value: Any, what: str) -> Quad:
    left, top, width, height = quad(matlab.numbers(value, None, what).tolist(), what)
    return left - 1, top - 1, left - 1 + width, top - 1 + height


def _seen(box: Quad, posv: Quad) -> Quad:
    left, top, _, _ = box
    return (left, top, left, top) if posv == box else posv


def _record(one: LabelledObject) -> dict[str, Any]:
    """Return an object as `objLists` has it, with its label."""
    words = {name: word for word, name in NAMES.items()}
    ignored = one.name if one.name in IGNORED else "person?"
    word = ignored if one.ignore else words.get(one.name, one.name)
    hidden = one.visible is not None and max(abs(a - b) for a, b in zip(one.box, one.visible, strict=True)) > _SAME
    told = one.attributes.get("posv", [0, 0, 0, 0])
    return {
        "lbl": word,
        "id": one.attributes.get("id"),
        "pos": _from_one(one.box),
        "occl": int(hidden or bool(one.attributes.get("occl", 0))),
        "lock": int(bool(one.attributes.get("lock", 1))),
        "posv": _posv(one.box, one.visible) if hidden and one.visible is not None else _four(told),
    }


def _posv(box: Quad, visible: Quad) -> list[float]:
    left, top, right, bottom = visible
    return _from_one(visible if right - left > _SAME and bottom - top > _SAME else box)


def _four(values: Any) -> list[float]:
    known = isinstance(values, list | tuple) and len(values) == 4 and all(map(is_number, values))
    return list(values) if known else [0, 0, 0, 0]


def _from_one(box: Quad) -> list[float]:
    left, top, right, bottom = box
    return [neat(left + 1, 4), neat(top + 1, 4), neat(right - left, 4), neat(bottom - top, 4)]
