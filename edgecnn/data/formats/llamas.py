"""The LLAMAS layout: one JSON a picture, with every dash of paint along each lane line.

Described at https://unsupervised-llamas.com and by karstenBehrendt/unsupervised_llamas:
`labels/<split>/<drive>/<name>.json` belongs to `color_images/<split>/<drive>/<name>_color_rect.png` (or
`grayscale_images/..._gray_rect.png`). Lanes are called l0, l1, ... to the left of the car and r0, r1, ... to its right.
What a line is follows the data set's own scripts: short ones are left out, the others numbered anew, dashes joined and
the nearest one carried on to the frame's edge; rows are judged from 300 of 717 on.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, final

import numpy as np

from edgecnn.core.errors import DataError
from edgecnn.core.results import Float32, Lanes
from edgecnn.data.formats.format import Fault, fault_of
from edgecnn.data.formats.lane_labels import clip_name, lanes_of, ordered
from edgecnn.data.formats.llamas_markers import kept, line_of, marker_records, markers_of, nominal_projection
from edgecnn.data.formats.pictures import folder_sizes, place
from edgecnn.data.formats.writing import writing
from edgecnn.data.sample import Sample

_LABELS = "labels"
_PICTURES = (("color_images", "_color_rect.png"), ("grayscale_images", "_gray_rect.png"))
_JUDGED_FROM = 300 / 717
_START = 1 << 16
_PNG = frozenset({".png"})
_SPLIT = "train"


@final
class Llamas:
    """Lane lines from the dashes that a map was made of."""

    name = "llamas"
    holds = frozenset({"lanes"})

    def recognise(self, root: Path) -> bool:
        """Return whether the first file of labels/ speaks of lanes and markers."""
        first = next(_files(root / _LABELS), None) if (root / _LABELS).is_dir() else None
        if first is None:
            return False
        with first.open("rb") as file:
            start = file.read(_START)
        return b'"lanes"' in start and (b'"projection_matrix"' in start or b'"lane_id"' in start)

    def label_files(self, root: Path) -> list[Path]:
        """Return every label of `root`, one a picture.

        Raises:
            DataError: there is none.
        """
        found = list(_files(root / _LABELS)) if (root / _LABELS).is_dir() else []
        if not found:
            raise DataError(f"{root}: no labels/<train|valid>/<drive>/*.json of LLAMAS")
        return found

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield one sample a label file; `labels` may also name folders, such as labels/valid.

        Picture sizes come from the header of the first picture of each folder.
        """
        root = Path(root)
        size_of = folder_sizes()
        if not labels and not (root / _LABELS).is_dir():
            self.label_files(root)
        for top in [root / name for name in labels] or [root / _LABELS]:
            for path in _files(top) if top.is_dir() else [top]:
                yield _entry(root, path, size_of)

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Write pictures as PNG and a label for each; lines are cut to the frame and to whole pixels.

        LLAMAS also says where markers are in the world, which no picture tells: see `marker_records`.
        """
        folder = Path(folder)
        count = 0
        with writing(folder):
            for number, sample in enumerate(samples):
                name = clip_name(_SPLIT, number)
                pictures, suffix = _PICTURES[0]
                place(sample.image, folder / pictures / name.with_name(name.name + Path(suffix).stem), _PNG)
                label = folder / _LABELS / name.with_suffix(".json")
                label.parent.mkdir(parents=True, exist_ok=True)
                record = _record(name.name, lanes_of(sample, self.name))
                label.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
                count += 1
        return count


FORMAT = Llamas()


def four_lanes(lanes: Lanes) -> Float32:
    """Return float32 [4, height]: the column of l1, l0, r0 and r1 in every row, -1 where a line is not."""
    columns = np.full((4, lanes.height), -1, np.float32)
    for place_, position in enumerate((-2, -1, 1, 2)):
        line = lanes.line(position)
        if line is not None:
            columns[place_, line[:, 1].astype(int)] = line[:, 0]
    return columns


def _files(folder: Path) -> Iterator[Path]:
    """Yield the *.json below `folder` in the order of their names, one folder at a time."""
    entries = sorted(folder.iterdir())
    for path in entries:
        if path.is_dir():
            yield from _files(path)
        elif path.suffix == ".json":
            yield path


def _entry(root: Path, path: Path, size_of: Callable[[Path], tuple[int, int]]) -> Sample | Fault:
    where = f"{path}:1"
    try:
        trees = _lane_trees(path.read_bytes())
        picture = _picture(root, path)
        width, height = size_of(picture)
        return Sample(picture, _lanes(trees, width, height), where=where)
    except json.JSONDecodeError as error:
        return Fault(f"{path}:{error.lineno}", f"not JSON ({error.msg}); mend or remove the file")
    except UnicodeDecodeError:
        return Fault(where, "not text; a label is a JSON file")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the label file's name") from error
    except DataError as error:
        return fault_of(where, error)


def _lane_trees(text: bytes) -> list[Any]:
    tree = json.loads(text)
    if not isinstance(tree, dict) or not isinstance(tree.get("lanes"), list):
        raise DataError("a label is an object with a list of 'lanes'; mend or remove the file")
    return list(tree["lanes"])


def _picture(root: Path, label: Path) -> Path:
    """Return the picture of a label: in colour, where it is there."""
    parts = label.relative_to(root).parts
    name = Path(*(parts[1:] if parts[0] == _LABELS else parts)).with_suffix("")
    found = [root / folder / name.with_name(name.name + suffix) for folder, suffix in _PICTURES]
    return next((path for path in found if path.is_file()), found[0])


def _lanes(trees: list[Any], width: int, height: int) -> Lanes:
    named = []
    for tree in trees:
        name = tree.get("lane_id") if isinstance(tree, dict) else None
        if not isinstance(name, str) or name[:1] not in ("l", "r") or not name[1:].isdigit():
            raise DataError(f"a lane's 'lane_id' is l or r and a number, such as l0, not {name!r}; mend the label")
        markers = markers_of(tree, name)
        if kept(markers):
            named.append((name, markers))
    lines, positions = [], []
    for side, sign in (("l", -1), ("r", 1)):
        own = [markers for name, markers in sorted(named, key=lambda pair: pair[0]) if name[0] == side]
        for number, markers in enumerate(own, 1):
            line = line_of(markers, width, height)
            if line is not None:
                lines.append(line)
                positions.append(sign * number)
    rows = np.arange(round(_JUDGED_FROM * height), height, dtype=np.float32)
    return Lanes(tuple(lines), width, height, tuple(positions), rows=rows)


def _record(name: str, lanes: Lanes) -> dict[str, Any]:
    trees = []
    for position, line in ordered(lanes):
        markers = marker_records(line, lanes.width, lanes.height)
        if markers:
            lane_id = f"l{-1 - position}" if position < 0 else f"r{position - 1}"
            trees.append({"lane_id": lane_id, "markers": markers})
    matrix = nominal_projection(lanes.width, lanes.height)
    return {"image_name": name, "projection_matrix": matrix, "lanes": trees}
