"""The samples behind the data stage's `data.json`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgecnn.core import evidence
from edgecnn.core.errors import DataError
from edgecnn.core.evidence import DataResult, Split
from edgecnn.core.recipe import Recipe
from edgecnn.core.registry import TASKS, resolve
from edgecnn.data.formats.format import read
from edgecnn.data.sample import Sample

DATA = "data.json"
LABELS_READ_BY = ("edgecnn.data.formats", "edgecnn.data.sample", "edgecnn.data.split")
"""The code that a stage which reads samples depends on, for its `code`."""


def read_split(folder: Path, name: str, recipe: Recipe) -> Iterator[Sample]:
    """Yield the samples of split `name` (`train` or `val`) of the data stage's result in `folder`.

    Their truth is what the recipe's task speaks of.
    """
    split: Split = getattr(evidence.read(folder / DATA, DataResult), name)
    codec = resolve("codec", TASKS[recipe.task].codec)(recipe.model.decode, recipe.model.frame)
    return read_for(codec, split.format, folder / split.root, split.labels)


def read_for(codec: Any, form: str, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample]:
    """Yield the samples of a data set, of each truth what `codec` speaks of.

    Raises:
        DataError: an entry is broken, or holds nothing of the codec's task.
    """
    for sample in read(form, root, labels):
        try:
            yield replace(sample, truth=codec.truth(sample.truth))
        except DataError as error:
            raise DataError(f"{sample.where}: {error}") from error
