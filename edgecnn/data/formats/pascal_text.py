"""PASCAL's first text form (`# PASCAL Annotation Version 1.00`), as Penn-Fudan and INRIA publish their people.

Penn-Fudan has `Annotation/FudanPed00001.txt`, `PNGImages/FudanPed00001.png` and `PedMasks/FudanPed00001_mask.png`,
an 8-bit picture with 0 for nobody and n where object n is seen. A file says itself whether the top-left pixel is
(1, 1) or (0, 0); boxes include their last one. Labels are words such as "PASpersonWalking".
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, final

import cv2
import numpy as np

from edgecnn.core import atomic
from edgecnn.core.errors import DataError
from edgecnn.data.formats.format import Fault, fault_of
from edgecnn.data.formats.object_labels import (
    LabelledObject,
    detections,
    inside,
    labelled,
    objects_of,
    picture_beside,
    quad,
)
from edgecnn.data.formats.pictures import place
from edgecnn.data.formats.text_lines import text_lines
from edgecnn.data.formats.writing import RisingStems, writing
from edgecnn.data.sample import Sample, image_size

_FOLDERS: Final = ("Annotation", "Annotations", "annotations", "Train/annotations", "Test/annotations")
_HEADER: Final = b"PASCAL Annotation Version 1.00"
_NAMES: Final = {
    "PASpersonWalking": "pedestrian",
    "PASpersonStanding": "pedestrian",
    "PASperson": "pedestrian",
    "PASpersonSitting": "sitting person",
}
_FILE = re.compile(r'Image filename\s*:\s*"([^"]*)"')
_ORIGIN = re.compile(r"Top left pixel co-ordinates\s*:\s*\((\d+), *(\d+)\)")
_ORIGINAL = re.compile(r'Original label for object (\d+) "[^"]*"\s*:\s*"([^"]*)"')
_NUMBER = r"\s*(-?\d{1,9}(?:\.\d+)?)\s*"
_BOX = re.compile(
    rf'Bounding box for object (\d+) "([^"]*)" *\(Xmin, Ymin\) - \(Xmax, Ymax\)\s*:'
    rf"\s*\({_NUMBER},{_NUMBER}\)\s*-\s*\({_NUMBER},{_NUMBER}\)"
)
_MASK = re.compile(r'Pixel mask for object \d+ "[^"]*"\s*:\s*"([^"]*)"')


@final
class PascalText:
    """People, one text file a picture, with masks where the data set has them."""

    name = "pascal_text"
    holds = frozenset({"objects"})

    def recognise(self, root: Path) -> bool:
        """Return whether a folder of annotations begins with a file of this form."""
        return any(_is_label_file(path) for folder in _FOLDERS for path in sorted((root / folder).glob("*.txt"))[:3])

    def label_files(self, root: Path) -> list[Path]:
        """Return the label files, folder by folder.

        Raises:
            DataError: there is none.
        """
        found = [path for folder in _FOLDERS for path in sorted((Path(root) / folder).glob("*.txt"))]
        if not found:
            raise DataError(f"{root}: no Annotation/*.txt; give the folder that holds Annotation/ and PNGImages/")
        return found

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield a sample for each label file; `labels` may name folders of them, too."""
        root = Path(root)
        chosen = [path for name in labels for path in _below(root / name)]
        for path in chosen or self.label_files(root):
            yield _entry(root, path)

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Write pictures and masks, then Annotation at once; what is to be ignored has no form here and is left out.

        Masks are written anew, numbered as the objects that stay; with more than 255 of them there is none.
        """
        folder, count, stems = Path(folder), 0, RisingStems(".txt")
        with writing(folder), atomic.new_folder(folder / "Annotation") as made:
            for sample in samples:
                objects = labelled(objects_of(sample, self.name))
                stem = stems.after(sample.image.stem)
                place(sample.image, folder / "PNGImages" / stem, frozenset({".png"}))
                mask = folder / "PedMasks" / f"{stem}_mask.png"
                masked = sample.masks is not None and _write_mask(sample.masks, mask, [one.ignore for one in objects])
                kept = [one for one in objects if not one.ignore]
                text = _text(folder.name, stem, sample, kept, masked=masked)
                (made / f"{stem}.txt").write_text(text, encoding="utf-8")
                count += 1
        return count


FORMAT = PascalText()


def _is_label_file(path: Path) -> bool:
    with path.open("rb") as file:
        return _HEADER in file.read(4096)


def _below(path: Path) -> list[Path]:
    return sorted(path.glob("*.txt")) if path.is_dir() else [path]


def _entry(root: Path, path: Path) -> Sample | Fault:
    where = f"{path}:1"
    picture, origin, mask = "", (1, 1), ""
    objects: list[LabelledObject] = []
    originals: dict[str, str] = {}
    try:
        for where, data in text_lines(path):  # noqa: B007 - what fails is told by it
            line = data.decode("utf-8", "replace").strip()
            if found := _FILE.match(line):
                picture = found[1]
            elif found := _ORIGIN.search(line):
                origin = (int(found[1]), int(found[2]))
            elif found := _ORIGINAL.match(line):
                originals[found[1]] = found[2]
            elif found := _MASK.match(line):
                mask = found[1]
            elif line.startswith("Bounding box"):
                objects.append(_object(line, origin, originals))
        where = f"{path}:1"
        image = _picture(root, path, picture)
        masks = _beside(root, mask) if mask else None
        return Sample(image, detections(objects, *image_size(image)), (), where, masks)
    except DataError as error:
        return fault_of(where, error)


def _object(line: str, origin: tuple[int, int], originals: dict[str, str]) -> LabelledObject:
    found = _BOX.match(line)
    if found is None:
        raise DataError(f"no box in {line[:80]!r}; mend or remove the line")
    label = found[2]
    left, top, right, bottom = quad([float(found[number]) for number in range(3, 7)], "the box")
    x, y = origin
    attributes = {"label": label} | ({"original": originals[found[1]]} if found[1] in originals else {})
    name = _NAMES.get(label) or label.removeprefix("PAS").lower() or "object"
    return LabelledObject((left - x, top - y, right - x + 1, bottom - y + 1), name, attributes=attributes)


def _picture(root: Path, path: Path, name: str) -> Path:
    if name:
        return _beside(root, name)
    return picture_beside(root / "PNGImages" / path.stem)


def _beside(root: Path, name: str) -> Path:
    """Return a path that begins with the data set's folder or, in some sets, below it."""
    path = inside(root, name, "the file name")
    if not path.is_file() and len(Path(name).parts) > 1:
        return root / Path(*Path(name).parts[1:])
    return path


def _write_mask(source: Path, target: Path, ignored: list[bool]) -> bool:
    """Write 8-bit masks of the objects that are not ignored; return whether there was anything to write."""
    mask = cv2.imread(str(source), cv2.IMREAD_UNCHANGED)
    if mask is None or mask.ndim != 2 or ignored.count(False) > 255:
        return False
    numbers = np.zeros(max(int(mask.max()), len(ignored)) + 1, np.uint8)
    numbers[1 : len(ignored) + 1] = np.cumsum(~np.array(ignored, np.bool_)) * ~np.array(ignored, np.bool_)
    target.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(".png", numbers[mask])
    target.write_bytes(data.tobytes())
    return True


def _text(base: str, stem: str, sample: Sample, objects: list[LabelledObject], *, masked: bool) -> str:
    labels = [_label(one) for one in objects]
    lines = [
        "# Compatible with PASCAL Annotation Version 1.00",
        f'Image filename : "{base}/PNGImages/{stem}.png"',
        f"Image size (X x Y x C) : {sample.truth.width} x {sample.truth.height} x 3",
        'Database : "edgecnn"',
        f"Objects with ground truth : {len(objects)} {{ {' '.join(chr(34) + label + chr(34) for label in labels)} }}",
        "# Top left pixel co-ordinates : (1, 1)",
    ]
    for number, (one, label) in enumerate(zip(objects, labels, strict=True), 1):
        left, top, right, bottom = (f"{side:.2f}".rstrip("0").rstrip(".") for side in _counted_from_one(one))
        box = f"({left}, {top}) - ({right}, {bottom})"
        original = str(one.attributes.get("original", base)).replace('"', "'")
        lines += [
            "",
            f'# Details for pedestrian {number} ("{label}")',
            f'Original label for object {number} "{label}" : "{original}"',
            f'Bounding box for object {number} "{label}" (Xmin, Ymin) - (Xmax, Ymax) : {box}',
        ]
        if masked:
            lines.append(f'Pixel mask for object {number} "{label}" : "{base}/PedMasks/{stem}_mask.png"')
    return "\n".join([*lines, ""])


def _counted_from_one(one: LabelledObject) -> tuple[float, ...]:
    left, top, right, bottom = one.box
    return left + 1, top + 1, right, bottom


def _label(one: LabelledObject) -> str:
    said = one.attributes.get("label")
    if isinstance(said, str) and _NAMES.get(said, said.removeprefix("PAS").lower()) == one.name:
        return said
    words = {name: word for word, name in reversed(_NAMES.items())}
    return words.get(one.name) or f"PAS{one.name}".replace('"', "'")
