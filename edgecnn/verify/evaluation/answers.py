"""Answers: what was found on each frame of a data set, whoever found it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecnn.core.errors import DataError
from edgecnn.core.results import Detections, Lanes, Result, Scene
from edgecnn.data.sample import Sample

LANES: Final = "lanes"
OBJECTS: Final = "objects"
SCENE: Final = "scene"


@dataclass(frozen=True, slots=True)
class Answers:
    """What was found, in the order of the samples.

    Attributes:
        kind: LANES, OBJECTS or SCENE, which is also the name of the drawing that shows it.
        source: where it comes from, for a reader.
        results: one a sample.
        classes: those that objects are of; empty: the labels' own.
        scored: by metric its score of each frame, where the form is the metric's own and holds more than results do.
        instances: the label file that a COCO results file speaks of.
        notes: what a reader has to know.
    """

    kind: str
    source: str
    results: Sequence[Result]
    classes: tuple[str, ...] = ()
    scored: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    instances: Path | None = None
    notes: tuple[str, ...] = ()


def kind_of(result: Result) -> str:
    """Return which kind of answer a result is.

    Raises:
        DataError: labels can't judge it.
    """
    if isinstance(result, Scene):
        return SCENE
    if isinstance(result, Lanes):
        return LANES
    if isinstance(result, Detections):
        return OBJECTS
    raise DataError("tensors of unknown meaning can't be judged by labels; give lanes or objects")


def part(result: Result, kind: str) -> Result:
    """Return the part of a result or label that is of `kind`.

    Raises:
        DataError: it has none.
    """
    own = kind_of(result)
    if own == kind:
        return result
    if isinstance(result, Scene):
        return result.lanes if kind == LANES else result.objects
    raise DataError(f"a label of {own} alone where {'lanes and objects' if kind == SCENE else kind} are judged")


class Names:
    """Finds the sample that a picture's name means: by its file name, and folders before it where that is not enough.

    Args:
        samples: the data set's.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._paths = [sample.image for sample in samples]
        self._by_stem: dict[str, list[int]] = {}
        for place, path in enumerate(self._paths):
            self._by_stem.setdefault(path.stem, []).append(place)

    def place(self, name: str, *, endings: bool = True) -> int | None:
        """Return the place of the sample whose picture ends in `name`, None for none.

        Args:
            name: a relative path with or without folders.
            endings: whether the ending has to agree as well.

        Raises:
            DataError: several pictures do.
        """
        wanted = Path(name.lstrip("/"))
        found = [
            place
            for place in self._by_stem.get(wanted.stem, [])
            if _ends(self._paths[place], wanted) and (not endings or self._paths[place].suffix == wanted.suffix)
        ]
        if len(found) > 1:
            shown = ", ".join(str(self._paths[place]) for place in found[:2])
            raise DataError(f"'{name}' means several pictures of the data set ({shown}); name them with their folders")
        return found[0] if found else None


def ordered(found: Mapping[int, Result], samples: Sequence[Sample], kind: str) -> list[Result]:
    """Return one result a sample; nothing was found where no answer is given."""
    return [found[place] if place in found else nothing(kind, sample.truth) for place, sample in enumerate(samples)]


def nothing(kind: str, truth: Result) -> Result:
    """Return the answer that nothing is there."""
    lanes = Lanes((), truth.width, truth.height)
    objects = Detections(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), truth.width, truth.height
    )
    found: dict[str, Result] = {LANES: lanes, OBJECTS: objects, SCENE: Scene(lanes, objects)}
    return found[kind]


def _ends(path: Path, wanted: Path) -> bool:
    folders = wanted.parent.parts
    return not folders or path.parent.parts[-len(folders) :] == folders
