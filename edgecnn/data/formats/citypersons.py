"""CityPersons as Cityscapes publishes it: a JSON file a picture, in the tree that the pictures lie in, too.

    gtBbox_cityPersons_trainval/gtBboxCityPersons/train/aachen/aachen_000000_000019_gtBboxCityPersons.json
    leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png

A file holds `imgWidth`, `imgHeight` and `objects` of `label`, `instanceId`, `bbox` and `bboxVis`, the boxes as
(x1, y1, width, height) of the whole body and of what is seen of it. They are taken as counted from 0, as the official
evaluation does.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, final

import msgspec

from edgecnn.core import atomic
from edgecnn.core.errors import DataError, line_of
from edgecnn.data.formats.format import Fault, fault_of
from edgecnn.data.formats.object_labels import (
    MOST_PIXELS,
    LabelledObject,
    detections,
    from_corner,
    labelled,
    neat,
    objects_of,
    quad,
    to_corner,
)
from edgecnn.data.formats.pictures import place
from edgecnn.data.formats.writing import writing
from edgecnn.data.sample import Sample

NAMES: Final = {
    "ignore": "ignore",
    "pedestrian": "pedestrian",
    "rider": "rider",
    "sitting person": "sitting person",
    "person (other)": "other person",
    "person group": "people",
}
"""Edgecnn's word for every label, in the order of the classes 0 to 5 of the .mat form."""

IGNORED: Final = frozenset({"ignore", "people"})
# Caltech's word for what may be a person.
_DOUBTFUL: Final = frozenset({"person?"})
TREES: Final = ("gtBbox_cityPersons_trainval/gtBboxCityPersons", "gtBboxCityPersons")
_PICTURES: Final = ("leftImg8bit", "leftImg8bit_trainvaltest/leftImg8bit")
_LABEL: Final = "_gtBboxCityPersons"
_PICTURE: Final = "_leftImg8bit"
_MADE: Final = "made"
_MOST_BYTES: Final = 1 << 24


class _Object(msgspec.Struct):
    label: str
    bbox: list[float]
    bboxVis: list[float] | None = None  # noqa: N815 - the files' own name
    instanceId: int | float | None = None  # noqa: N815 - the files' own name


class _File(msgspec.Struct):
    imgWidth: int  # noqa: N815 - the files' own name
    imgHeight: int  # noqa: N815 - the files' own name
    objects: list[_Object]


_DECODER = msgspec.json.Decoder(_File)


@final
class CityPersons:
    """Five kinds of people with their visible boxes, one JSON file a picture."""

    name = "citypersons"
    holds = frozenset({"objects"})

    def recognise(self, root: Path) -> bool:
        """Return whether `root` holds a tree of *_gtBboxCityPersons.json."""
        return next(_all_labels(root), None) is not None

    def label_files(self, root: Path) -> list[Path]:
        """Return the label files of every split and city.

        Raises:
            DataError: there is none.
        """
        found = sorted(_all_labels(Path(root)))
        if not found:
            raise DataError(f"{root}: no {TREES[0]}/train/*/*{_LABEL}.json; give the folder that holds the tree")
        return found

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield a sample for each label file.

        Args:
            root: the folder of the data set.
            labels: label files, or folders of them such as `gtBboxCityPersons/train`.
        """
        root = Path(root)
        for path in [path for name in labels for path in _below(root / name)] or self.label_files(root):
            try:
                yield _sample(root, path)
            except DataError as error:
                yield fault_of(f"{path}:1", error)

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Write the pictures as PNG and, once all are there, the tree of labels at once; people alone have labels.

        Pictures that are not called as Cityscapes' are go to a city of their own, `train/made`.
        """
        folder, count, names = Path(folder), 0, PictureNames()
        with writing(folder), atomic.new_folder(folder / TREES[1]) as tree:
            for sample in samples:
                objects = people(sample, self.name)
                where, stem = names.after(sample)
                place(sample.image, folder / _PICTURES[0] / where / f"{stem}{_PICTURE}", frozenset({".png"}))
                (tree / where).mkdir(parents=True, exist_ok=True)
                record = {
                    "imgWidth": sample.truth.width,
                    "imgHeight": sample.truth.height,
                    "objects": [_record(label, one, number) for number, (label, one) in enumerate(objects)],
                }
                data = msgspec.json.format(msgspec.json.encode(record), indent=4)
                (tree / where / f"{stem}{_LABEL}.json").write_bytes(data)
                count += 1
        return count


FORMAT = CityPersons()


@final
class PictureNames:
    """Names pictures so that they are read in the order they came in: by their own names as long as those rise."""

    def __init__(self, splits: tuple[str, ...] = ("test", "train", "val")) -> None:
        self._splits = splits
        self._last = ("", "", "")

    def after(self, sample: Sample) -> tuple[Path, str]:
        """Return (split/city, stem): the sample's own where it is called as Cityscapes' are, else a new one."""
        stem = sample.image.stem.removesuffix(_PICTURE)
        city, split = sample.image.parent.name, sample.image.parent.parent.name
        own = split in self._splits and re.fullmatch(re.escape(city) + r"_\d{6}_\d{6}", stem)
        self._last = (split, city, stem) if own and (split, city, stem) > self._last else self._made()
        return Path(*self._last[:2]), self._last[2]

    def _made(self) -> tuple[str, str, str]:
        split, city, stem = self._last
        number = 0
        if city.endswith(_MADE):
            number = int(stem[-13:-7]) * 10**6 + int(stem[-6:]) + 1
        else:
            city = _MADE if city < _MADE else f"{city}{_MADE}"
        return split or "train", city, f"{city}_{number // 10**6:06d}_{number % 10**6:06d}"


def picture_of(root: Path, where: Path, stem: str) -> Path:
    """Return the path of a picture, in the first of the usual trees that has it."""
    paths = [root / tree / where / f"{stem}{_PICTURE}.png" for tree in _PICTURES]
    return next((path for path in paths if path.is_file()), paths[0])


def people(sample: Sample, form: str) -> list[tuple[str, LabelledObject]]:
    """Return (published label, object) of every person and region of a sample; anything else has no word here.

    People to be ignored become ignore regions, unless they are a group, which is ignored anyway.

    Raises:
        DataError: the sample holds no objects at all; `form` is the format that needs them.
    """
    words = {name: label for label, name in NAMES.items()}
    known = [one for one in labelled(objects_of(sample, form)) if one.name in words or one.name in _DOUBTFUL]
    return [
        (words[one.name] if one.name in words and one.ignore == (one.name in IGNORED) else _opposite(one), one)
        for one in known
    ]


def _opposite(one: LabelledObject) -> str:
    """Return the label of a person that is ignored, or of a group that is not."""
    return "ignore" if one.ignore else "person (other)"


def _all_labels(root: Path) -> Iterator[Path]:
    return (path for tree in TREES for path in (root / tree).glob(f"*/*/*{_LABEL}.json"))


def _below(path: Path) -> list[Path]:
    return sorted(path.rglob(f"*{_LABEL}.json")) if path.is_dir() else [path]


def _sample(root: Path, path: Path) -> Sample:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"more than {_MOST_BYTES >> 20} MiB for one picture; not a CityPersons label file")
        told = _DECODER.decode(path.read_bytes())
    except OSError as error:
        raise DataError(f"can't be read ({error.strerror}); check the label files") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"no CityPersons label file ({line_of(error)}); mend or remove it") from error
    if not (0 < told.imgWidth <= MOST_PIXELS and 0 < told.imgHeight <= MOST_PIXELS):
        raise DataError(f"a picture of {told.imgWidth} x {told.imgHeight} pixels; mend 'imgWidth' and 'imgHeight'")
    objects = [_object(one, number) for number, one in enumerate(told.objects)]
    where, stem = Path(path.parent.parent.name, path.parent.name), path.stem.removesuffix(_LABEL)
    truth = detections(objects, told.imgWidth, told.imgHeight, tuple(NAMES.values()))
    return Sample(picture_of(root, where, stem), truth, (), f"{path}:1")


def _object(told: _Object, number: int) -> LabelledObject:
    what = f"objects[{number}]"
    if told.label not in NAMES:
        raise DataError(f"{what}: label {told.label[:40]!r} is none of {', '.join(NAMES)}; mend or remove it")
    box = from_corner(quad(told.bbox, f"{what}: 'bbox'"))
    seen = from_corner(quad(told.bboxVis, f"{what}: 'bboxVis'")) if told.bboxVis is not None else None
    attributes = {} if told.instanceId is None else {"instanceId": told.instanceId}
    name = NAMES[told.label]
    return LabelledObject(box, name, name in IGNORED, seen, None, attributes)


def _record(label: str, one: LabelledObject, number: int) -> dict[str, Any]:
    told = one.attributes.get("instanceId", number)
    return {
        "instanceId": told if isinstance(told, int | float) else number,
        "label": label,
        "bbox": [neat(side, 2) for side in to_corner(one.box)],
        "bboxVis": [neat(side, 2) for side in to_corner(one.visible or one.box)],
    }
