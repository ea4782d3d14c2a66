"""Spool: a network's inputs laid down on disk once, so that any number of passes can read them one frame at a time.

Calibration needs several passes. Decoding pictures again for each would cost more than the network; holding them would
make memory grow with their number.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError
from edgecnn.core.tensor import TensorSpec

Feeds: TypeAlias = Mapping[str, NDArray[Any]]


@final
class Spool:
    """Frames in files, one a tensor. Its length is known, and each iteration starts anew.

    Attributes:
        specs: name, shape and dtype of every tensor of a frame.
    """

    def __init__(
        self,
        folder: Path,
        specs: tuple[TensorSpec, ...],
        indices: Sequence[int],
        change: Callable[[Feeds], Feeds] | None = None,
    ) -> None:
        self.specs = specs
        self._folder, self._indices, self._change = folder, tuple(indices), change

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[Feeds]:
        for index in self._indices:
            yield self._read(index)

    def __getitem__(self, place: int) -> Feeds:
        return self._read(self._indices[place])

    def take(self, places: Iterable[int]) -> "Spool":
        """Return the frames at `places` of this spool as a spool of the same files."""
        return Spool(self._folder, self.specs, [self._indices[place] for place in places], self._change)

    def changed(self, change: Callable[[Feeds], Feeds]) -> "Spool":
        """Return the same frames, each passed through `change` when it is read."""
        return Spool(self._folder, self.specs, self._indices, change)

    def _read(self, index: int) -> Feeds:
        feeds = {
            spec.name: np.fromfile(
                self._folder / f"{number}.raw",
                spec.dtype,
                math.prod(spec.shape),
                offset=index * math.prod(spec.shape) * np.dtype(spec.dtype).itemsize,
            ).reshape(spec.shape)
            for number, spec in enumerate(self.specs)
        }
        return feeds if self._change is None else self._change(feeds)


def write_spool(folder: Path, frames: Iterable[Feeds]) -> Spool:
    """Lay `frames` down in the new folder `folder`, reading each once.

    Raises:
        DataError: there is no frame, or one has other tensors than the first.
    """
    folder.mkdir(parents=True)
    specs: tuple[TensorSpec, ...] = ()
    count = 0
    for feeds in frames:
        found = tuple(TensorSpec(name, array.shape, array.dtype.name) for name, array in feeds.items())
        if count and found != specs:
            raise DataError(f"frame {count} has other tensors than the first: {_told(found)}, not {_told(specs)}")
        specs = found
        for number, spec in enumerate(specs):
            with (folder / f"{number}.raw").open("ab") as file:
                np.ascontiguousarray(feeds[spec.name]).tofile(file)
        count += 1
    if not count:
        raise DataError("no frame was given")
    return Spool(folder, specs, range(count))


def _told(specs: tuple[TensorSpec, ...]) -> str:
    return "; ".join(f"'{spec.name}' {spec.describe()}" for spec in specs)
