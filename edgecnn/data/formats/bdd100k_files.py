"""Where BDD100K keeps its labels and pictures, and which label files speak of the same pictures."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgecnn.data.formats.object_labels import inside

SPLITS = ("train", "val", "test")
BOXES = "labels/det_20/det_{}.json"
LANES = "labels/lane/polygons/lane_{}.json"
PICTURES = "images/100k/{}"
_BOXES = (BOXES, "labels/det_v2_{}_release.json")
_BOTH = "labels/bdd100k_labels_images_{}.json"
_EACH = "labels/100k/{}"
_SPLIT = re.compile(rf"({'|'.join(SPLITS)})(_release)?")


@dataclass(frozen=True, slots=True)
class Group:
    """Label files of the same pictures: of boxes and of lanes, or one `both` (of 2018, or of one picture)."""

    split: str
    boxes: Path | None = None
    lanes: Path | None = None
    both: Path | None = None

    @property
    def one_picture(self) -> bool:
        """Whether the file is the label of a single picture, `labels/100k/<split>/<name>.json`."""
        return self.both is not None and self.both.parent.parent.name == "100k"


def label_files(root: Path) -> list[Path]:
    """Return the label files below `root`: those of boxes (of 2020) and of lanes, without either those of 2018."""
    found: list[Path] = []
    for split in SPLITS:
        boxes = next((path for name in _BOXES if (path := root / name.format(split)).is_file()), None)
        lanes = root / LANES.format(split)
        both = root / _BOTH.format(split)
        newer = [path for path in (boxes, lanes) if path is not None and path.is_file()]
        older = [both] if both.is_file() else sorted((root / _EACH.format(split)).glob("*.json"))
        found += newer or older
    return found


def groups(files: Iterable[Path]) -> list[Group]:
    """Return the files grouped by the pictures they speak of, in the order of each group's first file."""
    found: dict[str, Group] = {}
    for path in files:
        stem = path.stem.lower()
        split = _split(path)
        kind = "boxes" if stem.startswith("det") else "lanes" if stem.startswith("lane") else str(path)
        there = found.get(split)
        if kind == "boxes" and there is not None and there.boxes is None:
            found[split] = Group(split, path, there.lanes)
        elif kind == "lanes" and there is not None and there.lanes is None:
            found[split] = Group(split, there.boxes, path)
        elif kind in ("boxes", "lanes") and there is None:
            found[split] = Group(split, path if kind == "boxes" else None, path if kind == "lanes" else None)
        else:
            found[str(path)] = Group(split, both=path)
    return list(found.values())


def picture(root: Path, split: str, name: str, known: Path | None) -> Path:
    """Return where the picture called `name` lies; `known` is the folder of the one before.

    Raises:
        DataError: the name leads out of the folder.
    """
    name = name if Path(name).suffix else f"{name}.jpg"
    folders = [root / PICTURES.format(split), root / f"images/{split}", root / "images/100k", root / "images", root]
    for folder in [known, *folders] if known else folders:
        path = inside(folder, name, "'name'")
        if path.is_file():
            return path
    return inside(known or folders[0], name, "'name'")


def _split(path: Path) -> str:
    told = [match[1] for match in _SPLIT.finditer(path.stem)] + [name for name in path.parts if name in SPLITS]
    return told[-1] if told else ""
