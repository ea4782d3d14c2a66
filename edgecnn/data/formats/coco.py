"""COCO's object layout: `annotations/instances_*.json` with images, annotations and categories, beside the pictures.

The form is described at https://cocodataset.org/#format-data: boxes are (x, y, width, height) from the top-left
corner of the picture, category ids have gaps, `iscrowd` marks regions that are ignored. The file is streamed into an
index on disk, so that memory does not grow with it. `vis_bbox` (the visible box of an object) and `tags` (of a
picture) are our own keys, which other readers skip.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, final

from edgecnn.core.errors import DataError
from edgecnn.core.results import Detections
from edgecnn.data.formats.coco_index import CocoIndex, Id, Tree, check_depth, coco_index, first_item, items
from edgecnn.data.formats.coco_writer import OWN, CocoWriter, corner_of, is_id, name_of
from edgecnn.data.formats.format import Fault, fault_of
from edgecnn.data.formats.object_labels import (
    MOST_PIXELS,
    LabelledObject,
    detections,
    from_corner,
    inside,
    is_number,
    objects_of,
    quad,
)
from edgecnn.data.formats.pictures import place
from edgecnn.data.formats.writing import free_stem, writing
from edgecnn.data.sample import Sample, image_size

LABEL_FILE: Final = "annotations/instances_default.json"
_MOST_CATEGORIES: Final = 100_000


@final
class Coco:
    """Objects of any class, all pictures in one file."""

    name = "coco"
    holds = frozenset({"objects"})

    def recognise(self, root: Path) -> bool:
        """Return whether a JSON file of `root` or of `root/annotations` begins as COCO's do."""
        return any(_is_label_file(path) for path in _candidates(root))

    def label_files(self, root: Path) -> list[Path]:
        """Return `annotations/instances_*.json`, or else every JSON file in COCO's form.

        Raises:
            DataError: there is none.
        """
        there = _candidates(Path(root))
        found = [path for path in there if path.name.startswith("instances_")] or list(filter(_is_label_file, there))
        if not found:
            raise DataError(f"{root}: no annotations/instances_*.json in COCO form (images, annotations, categories)")
        return found

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield a sample for each picture in the order of `images`; annotations of no picture come last, as faults."""
        root = Path(root)
        for path in [root / name for name in labels] or self.label_files(root):
            yield from _file_entries(root, path)

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Copy the pictures to `images/` and write `annotations/instances_default.json` last."""
        folder, count = Path(folder), 0
        with writing(folder / "annotations"), coco_index() as index:
            writer = CocoWriter(index)
            for count, sample in enumerate(samples, 1):
                stem = free_stem(folder / "images", sample.image.stem, count)
                objects = objects_of(sample, self.name)
                picture = place(sample.image, folder / "images" / stem)
                writer.add(picture.name, objects, sample.tags)
            writer.write(folder / LABEL_FILE)
        return count


FORMAT = Coco()


def read_results(path: Path, instances: Path) -> Iterator[tuple[str, Detections]]:
    """Yield (file_name, what was found) of every picture of `instances`, in its order, also where nothing was.

    Args:
        path: a results file, `[{"image_id", "category_id", "bbox", "score"}, ...]`.
        instances: the label file whose pictures and categories it speaks of.

    Raises:
        DataError: one of the files is broken or they don't belong together; the entry is named.
    """
    check_depth(path)
    check_depth(instances)
    names = _categories(instances)
    with coco_index() as index:
        for fault in _take_images(instances, index):
            raise DataError(f"{fault.where}: {fault.text}")
        for number, tree in items(path, "item"):
            if not isinstance(tree, dict) or not is_id(tree.get("image_id")) or not is_number(tree.get("score")):
                raise DataError(f"{path}:[{number}]: a result needs 'image_id', 'category_id', 'bbox' and 'score'")
            index.add_annotation(None, tree["image_id"], tree)
        index.group()
        for number, tree in index.orphans():
            raise DataError(f"{path}:[{number}]: image_id {tree['image_id']!r} is not among the images of {instances}")
        for number, tree in index.images():
            found = [_object(one, names, f"{path}:[{at}]") for at, one in index.annotations(tree["id"])]
            width, height = _size(tree, None, f"{instances}:images[{number}]")
            yield tree["file_name"], detections(found, width, height, tuple(_names(names)))


def _candidates(root: Path) -> list[Path]:
    return [path for folder in (root / "annotations", root) for path in sorted(folder.glob("*.json"))]


def _is_label_file(path: Path) -> bool:
    found = first_item(path, ("images", "annotations"))
    if found is None:
        return False
    array, first = found
    return {"id", "file_name"} <= first.keys() if array == "images" else {"image_id", "bbox"} <= first.keys()


def _file_entries(root: Path, path: Path) -> Iterator[Sample | Fault]:
    try:
        check_depth(path)
        names = _categories(path)
        with coco_index() as index:
            yield from _take_images(path, index)
            yield from _take_annotations(path, index)
            _need_categories(path, names, index)
            index.group()
            folder: Path | None = None
            for number, tree in index.images():
                folder = _folder(root, path, tree["file_name"], folder)
                yield _entry(folder, path, number, tree, index, names)
            for number, tree in index.orphans():
                where = f"{path}:annotations[{number}]"
                yield Fault(where, f"image_id {tree['image_id']!r} is not among 'images'; mend or remove it")
    except DataError as error:
        yield Fault(str(path), str(error).removeprefix(f"{path}: "))


def _categories(path: Path) -> dict[Id, str]:
    """Return the category names by id, in the file's own words."""
    found: dict[Id, str] = {}
    for number, tree in items(path, "categories.item"):
        if not isinstance(tree, dict) or not is_id(tree.get("id")) or not isinstance(tree.get("name"), str):
            raise DataError(f"{path}: categories[{number}] needs an 'id' and a 'name'; mend it")
        if tree["id"] in found or number > _MOST_CATEGORIES:
            raise DataError(f"{path}: categories[{number}]: id {tree['id']!r} stands twice; mend it")
        found[tree["id"]] = tree["name"]
    return found


def _need_categories(path: Path, names: Mapping[Id, str], index: CocoIndex) -> None:
    if not names and next(index.annotations(), None):
        raise DataError(f"{path}: no 'categories'; a COCO file lists its classes there")


def _take_images(path: Path, index: CocoIndex) -> Iterator[Fault]:
    for number, tree in items(path, "images.item"):
        where = f"{path}:images[{number}]"
        if not isinstance(tree, dict) or not is_id(tree.get("id")) or not isinstance(tree.get("file_name"), str):
            yield Fault(where, "an image needs an 'id' and a 'file_name'; mend or remove it")
        elif not index.add_image(tree["id"], tree):
            yield Fault(where, f"id {tree['id']!r} stands twice; mend or remove it")


def _take_annotations(path: Path, index: CocoIndex) -> Iterator[Fault]:
    for number, tree in items(path, "annotations.item"):
        where = f"{path}:annotations[{number}]"
        if not isinstance(tree, dict) or not is_id(tree.get("image_id")) or not is_id(tree.get("id", 0)):
            yield Fault(where, "an annotation needs an 'id' and an 'image_id'; mend or remove it")
        elif not index.add_annotation(tree.get("id"), tree["image_id"], tree):
            yield Fault(where, f"id {tree['id']!r} stands twice; mend or remove it")


def _entry(
    folder: Path, path: Path, number: int, tree: Tree, index: CocoIndex, names: Mapping[Id, str]
) -> Sample | Fault:
    where = f"{path}:images[{number}]"
    try:
        image = inside(folder, tree["file_name"], "'file_name'")
        objects = []
        for at, one in index.annotations(tree["id"]):
            where = f"{path}:annotations[{at}]"
            objects.append(_object(one, names, ""))
        where = f"{path}:images[{number}]"
        width, height = _size(tree, image, "")
        tags = tree.get("tags", [])
        told = tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
        return Sample(image, detections(objects, width, height, tuple(_names(names))), told, where)
    except DataError as error:
        return fault_of(where, error)


def _object(tree: Tree, names: Mapping[Id, str], where: str) -> LabelledObject:
    """Return one annotation or result; `where` comes before what is wrong with it."""
    start = f"{where}: " if where else ""
    key = tree.get("category_id")
    if not is_id(key) or key not in names:
        raise DataError(f"{start}category_id {key!r} is not among 'categories'; mend or remove it")
    corner = quad(tree.get("bbox", ()), f"{start}'bbox'")
    box = from_corner(corner)
    word = names[key]
    attributes = {name: value for name, value in tree.items() if name not in {*OWN, "score"}}
    attributes |= {"category": word} if name_of(word) != word else {}
    # What float32 would change is kept as it stood.
    attributes |= {"bbox": tree["bbox"]} if corner_of(box) != list(corner) else {}
    visible = from_corner(quad(tree["vis_bbox"], f"{start}'vis_bbox'")) if "vis_bbox" in tree else None
    score = float(tree["score"]) if is_number(tree.get("score")) else None
    ignore = bool(tree.get("iscrowd")) or bool(tree.get("ignore"))
    return LabelledObject(box, name_of(word), ignore, visible, score, {} if score is not None else attributes)


def _size(tree: Tree, image: Path | None, where: str) -> tuple[int, int]:
    """Return the picture's size from its entry, or else from its file."""
    width, height = tree.get("width"), tree.get("height")
    if width is None and height is None and image is not None:
        return image_size(image)
    for side in (width, height):
        if not isinstance(side, int) or not 0 < side <= MOST_PIXELS:
            start = f"{where}: " if where else ""
            raise DataError(f"{start}'width' and 'height' must be the picture's size in pixels, not {side!r}")
    return int(str(width)), int(str(height))


def _folder(root: Path, path: Path, name: str, last: Path | None) -> Path:
    """Return the folder that holds the picture `name`: the last one if it does, else the first that does."""
    split = path.stem.partition("_")[2]
    found = [root / "images", root, path.parent, root / split, root / "images" / split, root / "train2017"]
    known = [last, *found] if last is not None else found
    try:
        return next((folder for folder in known if inside(folder, name, "").is_file()), known[0])
    except DataError:
        return known[0]


def _names(words: Mapping[Id, str]) -> Iterator[str]:
    return (name_of(word) for word in words.values())
