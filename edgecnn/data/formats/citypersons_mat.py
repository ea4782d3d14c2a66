"""CityPersons as its authors publish it: `anno_train.mat` and `anno_val.mat` beside Cityscapes' pictures.

A file holds one variable, `anno_train_aligned` or `anno_val_aligned`: a cell a picture, in it a struct of `cityname`,
`im_name` and `bbs`, whose rows are [class, x1, y1, w, h, id, x1 visible, y1 visible, w visible, h visible]. The classes
are 0 ignore, 1 pedestrian, 2 rider, 3 sitting person, 4 other person, 5 group. A file is opened as a whole, as Matlab's
are.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from scipy.io import savemat

from edgecnn.core.errors import DataError
from edgecnn.data.formats import matlab
from edgecnn.data.formats.citypersons import FORMAT as JSON_FORM
from edgecnn.data.formats.citypersons import IGNORED, NAMES, PictureNames, people, picture_of
from edgecnn.data.formats.format import Fault, fault_of
from edgecnn.data.formats.object_labels import (
    LabelledObject,
    detections,
    from_corner,
    inside,
    is_number,
    neat,
    quad,
    to_corner,
)
from edgecnn.data.formats.pictures import folder_sizes, place
from edgecnn.data.formats.writing import writing
from edgecnn.data.sample import Sample

_FIELDS: Final = ("cityname", "im_name", "bbs")
_COLUMNS: Final = 10
_CLASSES: Final = tuple(NAMES.values())
_PICTURE: Final = "_leftImg8bit"


@final
class CityPersonsMat:
    """Five kinds of people with their visible boxes, one Matlab file a split."""

    name = "citypersons_mat"
    holds = frozenset({"objects"})

    def recognise(self, root: Path) -> bool:
        """Return whether `root` holds anno_train.mat or anno_val.mat, and not the JSON form of the same labels."""
        return bool(_found(root)) and not JSON_FORM.recognise(root)

    def label_files(self, root: Path) -> list[Path]:
        """Return anno_train.mat and anno_val.mat, as far as they are there.

        Raises:
            DataError: none is.
        """
        found = _found(Path(root))
        if not found:
            raise DataError(f"{root}: no annotations/anno_train.mat or anno_val.mat; give the folder that holds them")
        return found

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield a sample for each cell; picture sizes come from the first picture of each city."""
        root, size_of = Path(root), folder_sizes()
        for path in [root / name for name in labels] or self.label_files(root):
            split = "val" if "val" in path.stem else "train"
            try:
                pictures = _pictures(path)
            except DataError as error:
                yield Fault(f"{path}:1", str(error).removeprefix(f"{path}: "))
                continue
            for number in range(len(pictures)):
                where = f"{path}:{number + 1}"
                try:
                    yield _sample(root, split, pictures[number], where, size_of)
                except DataError as error:
                    yield fault_of(where, error)

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Write the pictures as PNG, then `annotations/anno_train.mat` and, where there are any, `anno_val.mat`."""
        folder, count, names = Path(folder), 0, PictureNames(("train", "val"))
        splits: dict[str, list[Any]] = {"train": []}
        with writing(folder / "annotations"):
            for sample in samples:
                objects = people(sample, self.name)
                where, stem = names.after(sample)
                name = f"{stem}{_PICTURE}"
                place(sample.image, folder / "leftImg8bit" / where / name, frozenset({".png"}))
                rows = [_row(label, one, number) for number, (label, one) in enumerate(objects)]
                splits.setdefault(where.parts[0], []).append(_cell(where.parts[1], f"{name}.png", rows))
                count += 1
            for split, made in splits.items():
                if made or split == "train":
                    _save(folder / "annotations" / f"anno_{split}.mat", f"anno_{split}_aligned", made)
        return count


FORMAT = CityPersonsMat()


def _found(root: Path) -> list[Path]:
    paths = [root / folder / f"anno_{split}.mat" for folder in ("annotations", "") for split in ("train", "val")]
    return [path for path in paths if path.is_file()]


def _pictures(path: Path) -> matlab.Cells:
    """Return the cells of the one variable of a file."""
    variables = matlab.load_matlab(path)
    found = [name for name in variables if name.startswith("anno_")]
    if len(found) != 1:
        raise DataError(f"one variable 'anno_train_aligned' or 'anno_val_aligned' is expected, not {found}")
    return matlab.cells(variables[found[0]], f"'{found[0]}'")


def _sample(root: Path, split: str, cell: Any, where: str, size_of: Callable[[Path], tuple[int, int]]) -> Sample:
    found = matlab.structs(cell, _FIELDS, "a picture's cell")
    if len(found) != 1:
        raise DataError(f"a picture's cell must hold one struct, not {len(found)}")
    told = found[0]
    city, name = (matlab.text(told[field], f"'{field}'") for field in _FIELDS[:2])
    # A picture's name begins with that of its folder.
    folder = inside(Path(split), name.partition("_")[0] or city, "'im_name'")
    stem = inside(Path(), name, "'im_name'").stem.removesuffix(_PICTURE)
    image = picture_of(root, folder, stem)
    rows = matlab.numbers(told["bbs"], _COLUMNS, "'bbs'")
    objects = [_object(row.tolist(), number) for number, row in enumerate(rows, 1)]
    width, height = size_of(image)
    return Sample(image, detections(objects, width, height, _CLASSES), (), where)


def _object(row: list[float], number: int) -> LabelledObject:
    kind = int(row[0])
    if kind != row[0] or not 0 <= kind < len(_CLASSES):
        raise DataError(f"row {number} of 'bbs': class {row[0]:g} is none of 0 to {len(_CLASSES) - 1}")
    box = from_corner(quad(row[1:5], f"row {number} of 'bbs': the box"))
    seen = from_corner(quad(row[6:10], f"row {number} of 'bbs': the visible box"))
    name = _CLASSES[kind]
    return LabelledObject(box, name, name in IGNORED, seen, None, {"instanceId": neat(row[5])})


def _row(label: str, one: LabelledObject, number: int) -> list[float]:
    key = one.attributes.get("instanceId", number)
    kind = _CLASSES.index(NAMES[label])
    boxes = [[neat(side, 2) for side in to_corner(box)] for box in (one.box, one.visible or one.box)]
    return [kind, *boxes[0], key if is_number(key) else number, *boxes[1]]


def _cell(city: str, name: str, rows: list[list[float]]) -> Any:
    made = np.empty((1, 1), [(field, np.object_) for field in _FIELDS])
    made[0, 0] = (city, name, np.array(rows, np.float64).reshape(-1, _COLUMNS))
    return made


def _save(path: Path, variable: str, made: list[Any]) -> None:
    row = np.empty((1, len(made)), np.object_)
    row[0, :] = made
    scratch = path.with_name(f"{path.stem}.part.mat")
    savemat(scratch, {variable: row}, do_compression=True)
    scratch.replace(path)
