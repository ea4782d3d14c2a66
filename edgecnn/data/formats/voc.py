"""Pascal VOC's layout: `Annotations/000001.xml` beside `JPEGImages/000001.jpg`.

Boxes count pixels from 1 and include their last one, as the development kit's documentation says. Objects marked
`difficult` are to be ignored, as its evaluation does. Everything else that is said of an object is kept under its own
name; of the picture only its file name and size are.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final
from xml.sax.saxutils import escape

from edgecnn.core import atomic
from edgecnn.core.errors import DataError
from edgecnn.data.formats.format import Fault, fault_of
from edgecnn.data.formats.object_labels import (
    MOST_PIXELS,
    LabelledObject,
    Quad,
    detections,
    inside,
    is_number,
    labelled,
    neat,
    objects_of,
    picture_beside,
    quad,
)
from edgecnn.data.formats.pictures import place
from edgecnn.data.formats.text_lines import text_lines
from edgecnn.data.formats.writing import RisingStems, writing
from edgecnn.data.formats.xml_tree import Element, XmlError, read_xml
from edgecnn.data.sample import Sample, image_size

NAMES: Final = {"person": "pedestrian"}
_LABELS: Final = "Annotations"
_IMAGES: Final = "JPEGImages"
_SIDES: Final = ("xmin", "ymin", "xmax", "ymax")
_FIRST: Final = ("pose", "truncated", "occluded")
_WRITTEN: Final = ("name", "difficult", "bndbox")
# What XML can't hold, however it is written.
_CONTROL: Final = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)])


@final
class Voc:
    """Objects of any class, one XML file a picture."""

    name = "voc"
    holds = frozenset({"objects"})

    def recognise(self, root: Path) -> bool:
        """Return whether `root` holds Annotations/*.xml whose root element is `annotation`."""
        return any(_is_label_file(path) for path in sorted((root / _LABELS).glob("*.xml"))[:3])

    def label_files(self, root: Path) -> list[Path]:
        """Return the label files by name.

        Raises:
            DataError: there is none.
        """
        found = sorted((Path(root) / _LABELS).glob("*.xml"))
        if not found:
            raise DataError(f"{root}: no {_LABELS}/*.xml; give the folder that holds {_LABELS}/ and {_IMAGES}/")
        return found

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield a sample for each label file.

        Args:
            root: the folder of the data set.
            labels: label files, folders of them, or lists of their names such as `ImageSets/Main/train.txt`.
        """
        root = Path(root)
        for path in _chosen(self, root, labels):
            yield path if isinstance(path, Fault) else _entry(root, path)

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Write the pictures to JPEGImages and, once all are there, Annotations and the list of them all."""
        folder, count, stems = Path(folder), 0, RisingStems(".xml")
        lists = folder / "ImageSets/Main"
        with (
            writing(lists),
            atomic.new_folder(folder / _LABELS) as made,
            (lists / "default.txt").open("w", encoding="utf-8") as names,
        ):
            for sample in samples:
                stem = stems.after(sample.image.stem)
                objects = labelled(objects_of(sample, self.name))
                picture = place(sample.image, folder / _IMAGES / stem)
                (made / f"{stem}.xml").write_text(_text(picture.name, sample, objects), encoding="utf-8")
                names.write(f"{stem}\n")
                count += 1
        return count


FORMAT = Voc()


def _is_label_file(path: Path) -> bool:
    with path.open("rb") as file:
        return b"<annotation" in file.read(4096)


def _chosen(form: Voc, root: Path, labels: tuple[str, ...]) -> Iterator[Path | Fault]:
    if not labels:
        yield from form.label_files(root)
    for name in labels:
        path = root / name
        if path.is_dir():
            yield from sorted(path.glob("*.xml"))
        elif path.suffix == ".xml":
            yield path
        else:
            yield from _listed(root, path)


def _listed(root: Path, path: Path) -> Iterator[Path | Fault]:
    """Yield the label files of a list; a class' list says behind the name whether the class is there."""
    for where, line in text_lines(path):
        name = line.split()[0].decode("utf-8", "replace")
        try:
            yield inside(root / _LABELS, f"{name}.xml", "name")
        except DataError as error:
            yield fault_of(where, error)


def _entry(root: Path, path: Path) -> Sample | Fault:
    where = f"{path}:1"
    try:
        tree = read_xml(path)
        if tree.name != "annotation":
            return Fault(where, f"the root element must be 'annotation', not '{tree.name[:40]}'")
        objects = []
        for one in _all(tree, "object"):
            where = f"{path}:{one.line}"
            objects.append(_object(one))
        where = f"{path}:1"
        image = _picture(root, tree, path)
        width, height = _size(tree, image)
        return Sample(image, detections(objects, width, height), (), where)
    except XmlError as error:
        return Fault(f"{path}:{error.line}", str(error))
    except DataError as error:
        return fault_of(where, error)


def _picture(root: Path, tree: Element, path: Path) -> Path:
    """Return the picture that the label names, or else the one called as the label is."""
    folder = path.parent.parent / _IMAGES if path.parent.name == _LABELS else root / _IMAGES
    name = tree.told("filename")
    if name and (named := inside(folder, name, "'filename'")).is_file():
        return named
    return picture_beside(folder / path.stem)


def _size(tree: Element, image: Path) -> tuple[int, int]:
    size = tree.child("size")
    sides = [size.told(side) for side in ("width", "height")] if size is not None else []
    # Some tools write zeros for what they have not looked up.
    if len(sides) == 2 and all(side.isdecimal() and 0 < int(side[:9]) <= MOST_PIXELS for side in sides):
        return int(sides[0]), int(sides[1])
    return image_size(image)


def _object(tree: Element) -> LabelledObject:
    name = tree.told("name")
    if not name:
        raise DataError("an object without 'name'; mend or remove it")
    attributes = {one.name: _value(one) for one in tree.children if one.name not in {"name", "bndbox", "part"}}
    parts = [(one.told("name"), one.child("bndbox")) for one in _all(tree, "part")]
    known = [{"name": part, "bndbox": _value(box)} for part, box in parts if box is not None]
    attributes |= {"part": known} if known else {}
    word = NAMES.get(name.lower(), name.lower())
    attributes |= {"name": name} if word != name else {}
    return LabelledObject(_box(tree), word, bool(attributes.get("difficult")), None, None, attributes)


def _all(tree: Element, name: str) -> list[Element]:
    return [one for one in tree.children if one.name == name]


def _box(tree: Element) -> Quad:
    box = tree.child("bndbox")
    if box is None:
        raise DataError("an object without 'bndbox'; mend or remove it")
    left, top, right, bottom = quad([_number(box.told(side)) for side in _SIDES], "'bndbox'")
    return left - 1, top - 1, right, bottom


def _value(tree: Element) -> Any:
    """Return what an element says: a number where it is one, text, or by name what lies in it."""
    if tree.children:
        return {one.name: _value(one) for one in tree.children}
    number = _number(tree.text)
    return tree.text if number is None else number


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    if not is_number(value):
        return None
    return int(value) if text.lstrip("-").isdecimal() else value


def _text(name: str, sample: Sample, objects: list[LabelledObject]) -> str:
    size = {"width": sample.truth.width, "height": sample.truth.height, "depth": 3}
    tree: dict[str, Any] = {"folder": _IMAGES, "filename": name, "size": size, "segmented": 0}
    lines = ["<annotation>", *_lines(tree, 1)]
    for one in objects:
        lines += ["\t<object>", *_lines(_record(one), 2), "\t</object>"]
    return "\n".join([*lines, "</annotation>", ""])


def _record(one: LabelledObject) -> dict[str, Any]:
    """Return an object in the order of the published files."""
    said = one.attributes.get("name")
    words = {name: word for word, name in NAMES.items()}
    known = isinstance(said, str) and NAMES.get(said.lower(), said.lower()) == one.name
    left, top, right, bottom = one.box
    sides = dict(zip(_SIDES, (neat(left + 1, 2), neat(top + 1, 2), neat(right, 2), neat(bottom, 2)), strict=True))
    own = {key: value for key, value in one.attributes.items() if key.isidentifier() and key not in _WRITTEN}
    told = {"pose": "Unspecified", "truncated": 0} | {key: own.pop(key) for key in _FIRST if key in own}
    return {
        "name": said if known else words.get(one.name, one.name),
        **told,
        "difficult": int(one.ignore),
        "bndbox": sides,
        **own,
    }


def _lines(tree: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Yield the lines of elements; a list of elements is one for each of them, a list of numbers has no form here."""
    indent = "\t" * depth
    for name, value in tree.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                yield f"{indent}<{name}>"
                yield from _lines(one, depth + 1)
                yield f"{indent}</{name}>"
            elif one is value and one is not None:
                yield f"{indent}<{name}>{escape(str(one).translate(_CONTROL))}</{name}>"
