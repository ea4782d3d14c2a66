"""COCO annotations from samples: by the ids and numbers they came with, where a sample has kept them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeGuard, final

import msgspec

from edgecnn.core.results import Detections
from edgecnn.data.formats.coco_index import CocoIndex, Id, Tree
from edgecnn.data.formats.object_labels import LabelledObject, Quad, is_number, labelled, neat, to_corner

NAMES: Final = {"person": "pedestrian", "crowd": "people"}
OWN: Final = ("bbox", "vis_bbox")
"""What a sample says in its boxes, and so is not among an object's attributes."""

_CLOSE: Final = 1e-2
# A picture called 000000000139.jpg has the id 139; a longer number is a time stamp.
_MOST_DIGITS: Final = 15


@final
class CocoWriter:
    """Numbers pictures, annotations and categories, by the ids they came with where those are free."""

    def __init__(self, index: CocoIndex) -> None:
        self._index = index
        self._next = {"image": 1, "annotation": 1}
        self._ids: dict[str, Id] = {}
        self._names: dict[str, None] = {}

    def add(self, file_name: str, objects: Detections, tags: tuple[str, ...]) -> None:
        """Take in one picture and its objects."""
        found = labelled(objects)
        self._names |= dict.fromkeys(objects.names)
        stem = Path(file_name).stem
        wanted = next((one.attributes["image_id"] for one in found if is_id(one.attributes.get("image_id"))), None)
        wanted = wanted if wanted is not None else int(stem) if stem.isdecimal() and len(stem) <= _MOST_DIGITS else None
        tree: Tree = {"file_name": file_name, "width": objects.width, "height": objects.height}
        tree |= {"tags": list(tags)} if tags else {}
        key = self._taken("image", wanted, lambda key: self._index.add_image(key, {"id": key, **tree}))
        for one in found:
            own = one.attributes.get("id")
            tree = _annotation(one) | {"image_id": key, "category_id": self._category(one)}
            add = _adder(self._index, key, tree)
            self._taken("annotation", own if is_id(own) else None, add)

    def write(self, path: Path) -> None:
        """Write everything to the new file `path`, at once; no picture may come after."""
        _write_file(path, self._index, self._categories())

    def _categories(self) -> list[Tree]:
        """Return the categories, also those that no object is of."""
        said = {name_of(word) for word in self._ids}
        for name in self._names:
            if name not in said | self._ids.keys():
                self._ids[name] = self._free()
        return [{"id": key, "name": word, "supercategory": "none"} for word, key in self._ids.items()]

    def _taken(self, kind: str, wanted: Id | None, add: Callable[[Id], bool]) -> Id:
        if wanted is None or not add(wanted):
            while not add(self._next[kind]):
                self._next[kind] += 1
            wanted = self._next[kind]
        if isinstance(wanted, int):
            self._next[kind] = max(self._next[kind], wanted + 1)
        return wanted

    def _category(self, one: LabelledObject) -> Id:
        said = one.attributes.get("category")
        word = said if isinstance(said, str) and name_of(said) == one.name else one.name
        if word not in self._ids:
            wanted = one.attributes.get("category_id")
            free = is_id(wanted) and wanted not in self._ids.values()
            self._ids[word] = wanted if free and wanted is not None else self._free()
        return self._ids[word]

    def _free(self) -> int:
        return max([0, *(key for key in self._ids.values() if isinstance(key, int))]) + 1


def _adder(index: CocoIndex, image: Id, tree: Tree) -> Callable[[Id], bool]:
    return lambda key: index.add_annotation(key, image, {"id": key, **tree})


def _annotation(one: LabelledObject) -> Tree:
    box = corner_of(one.box)
    said = one.attributes.get("bbox")
    if isinstance(said, list) and len(said) == 4 and all(map(is_number, said)):
        box = said if max(abs(a - b) for a, b in zip(said, box, strict=True)) < _CLOSE else box
    tree = {key: value for key, value in one.attributes.items() if key not in {*OWN, "category", "id"}}
    tree = {"area": neat(box[2] * box[3], 4), "segmentation": [], **tree, "bbox": box}
    tree["iscrowd"] = int(one.ignore and not tree.get("ignore"))
    tree |= {"vis_bbox": corner_of(one.visible)} if one.visible is not None else {}
    return tree | ({"score": one.score} if one.score is not None else {})


def _write_file(path: Path, index: CocoIndex, categories: list[Tree]) -> None:
    """Write the file piece by piece under another name, sync it and rename it."""
    scratch = path.with_name(path.name + ".part")
    with scratch.open("wb") as file:
        for start, trees in (
            (b'{"images": [', (tree for _, tree in index.images())),
            (b'],\n"annotations": [', (tree for _, tree in index.annotations())),
            (b'],\n"categories": [', iter(categories)),
        ):
            file.write(start)
            for number, tree in enumerate(trees):
                file.write((b",\n" if number else b"\n") + msgspec.json.encode(tree))
        file.write(b"]}\n")
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def name_of(word: str) -> str:
    """Return edgecnn's word for a category."""
    lower = word.strip().lower()
    return NAMES.get(lower, lower)


def corner_of(box: Quad) -> list[float]:
    """Return a box as COCO writes it, rounded to 1/100 pixel."""
    return [neat(value, 2) for value in to_corner(box)]


def is_id(value: object) -> TypeGuard[Id]:
    """Return whether `value` can be an id."""
    return isinstance(value, int | str) and not isinstance(value, bool)
