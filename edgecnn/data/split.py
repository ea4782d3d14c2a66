"""The samples behind the data stage's `data.json`."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from edgecnn.core import evidence
from edgecnn.core.evidence import DataResult, Split
from edgecnn.core.registry import resolve
from edgecnn.data.sample import Sample

DATA = "data.json"
LABELS_READ_BY = ("edgecnn.data.formats", "edgecnn.data.sample", "edgecnn.data.split")
"""The code that a stage which reads samples depends on, for its `code`."""


def read_split(folder: Path, name: str) -> Iterator[Sample]:
    """Yield the samples of split `name` (`train` or `val`) of the data stage's result in `folder`."""
    split: Split = getattr(evidence.read(folder / DATA, DataResult), name)
    read = resolve("format", split.format)
    return cast("Iterator[Sample]", read(folder / split.root, split.labels))
