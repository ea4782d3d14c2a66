"""The data stage: synthetic scenes are written to disk, data sets on disk are checked."""

from pathlib import Path
from typing import Any

import msgspec

from edgecnn.core import atomic, evidence
from edgecnn.core.errors import DataError, StageError
from edgecnn.core.evidence import DataResult, Split
from edgecnn.core.progress import bar
from edgecnn.core.recipe import Recipe, RoadSource, Source
from edgecnn.core.stage import Job
from edgecnn.data.formats.format import format_of, read
from edgecnn.data.road import RoadScenes
from edgecnn.data.road.write import write_scenes, write_tusimple
from edgecnn.data.split import DATA

PART = 200


class DataStage:
    """Leaves `data.json` (`DataResult`) and, for synthetic sources, the folders `train` and `val`."""

    name = "data"
    needs: tuple[str, ...] = ()
    code = ("edgecnn.data", "edgecnn.core.lane_order")

    def parameters(self, recipe: Recipe) -> Any:
        """Return the sources; of a data set on disk also the digests of its label files."""
        sources = {"train": recipe.data.train, "val": recipe.data.val}
        digests = {name: _label_digests(s.format, Path(s.root), s.labels) for name, s in sources.items() if s.root}
        return {"sources": msgspec.to_builtins(sources), "labels": digests}

    def run(self, job: Job) -> None:
        """Write or check both splits."""
        data = job.recipe.data
        splits = {name: _split(source, job, name) for name, source in (("train", data.train), ("val", data.val))}
        for name in ("train", "val"):
            if (job.partial / name).is_dir():
                (job.partial / name).rename(job.out / name)
        evidence.write(job.out / DATA, DataResult(**splits))

    def ensures(self, out: Path) -> None:
        """Raise unless both splits hold frames."""
        result = evidence.read(out / DATA, DataResult)
        for name, split in (("train", result.train), ("val", result.val)):
            if split.frames == 0:
                raise StageError(f"data: the {name} split at {split.root} holds no frames")


def _split(source: Source, job: Job, name: str) -> Split:
    if source.road is None:
        root = Path(source.root).resolve()
        frames = sum(1 for _ in read(source.format, root, source.labels))
        return Split(
            source.format, str(root), source.labels, frames, _label_digests(source.format, root, source.labels)
        )
    _draw(source.road, job.partial / name, name)
    form = "scenes" if source.road.people else "tusimple"
    return Split(form, name, (), source.road.frames, _label_digests(form, job.partial / name, ()))


def _draw(road: RoadSource, folder: Path, name: str) -> None:
    """Draw the scenes in parts of `PART`, each with a label file of its own; parts a killed run finished are kept."""
    scenes = RoadScenes(road.seed, road.width, road.height, road.conditions, road.people)
    write = write_scenes if road.people else write_tusimple
    with bar(f"road scenes ({name})", road.frames) as shown:
        write(folder, scenes, road.frames, part=PART, progress=lambda done, _: shown.reach(done))


def _label_digests(form: str, root: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Return the digests of the label files named (of a folder all in it), or of every one of the format in `root`."""
    if not root.is_dir():
        raise DataError(f"{root}: no such data folder; set data.train.root and data.val.root to your data set")
    labels = [path for name in names for path in _files(root / name)] or format_of(form).label_files(root)
    for path in labels:
        if not path.is_file():
            raise DataError(f"{path}: no such label file")
    return {path.relative_to(root).as_posix(): atomic.sha256_file(path) for path in labels}


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
