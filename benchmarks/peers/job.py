"""What a contender is given and what it leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Job:
    """One model to quantize.

    Attributes:
        model: the float ONNX file.
        frames: calibration inputs by name, in memory, so that no contender is charged for reading them.
        folder: an empty folder for what the contender writes.
        threads: of whatever engine the contender calibrates with, as far as it can be told.
        search_s: what a contender that searches may take, in seconds.
    """

    model: Path
    frames: Sequence[Mapping[str, NDArray[Any]]]
    folder: Path
    threads: int
    search_s: float


@dataclass(frozen=True, slots=True)
class Made:
    """The file to run (.onnx or .xml) and what was noteworthy on the way."""

    file: Path
    notes: tuple[str, ...] = field(default=())
