"""Format: the face every data set format shows. Entries are read one at a time, whatever the size of the set."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from edgecnn.core.errors import DataError
from edgecnn.core.registry import resolve
from edgecnn.data.sample import PictureError, Sample


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one entry: `where` is file and line, `text` says what and how to mend it.

    `kind` is "broken label", or "missing picture" or "broken picture" where only that can't be read.
    """

    where: str
    text: str
    kind: str = "broken label"


def fault_of(where: str, error: DataError) -> Fault:
    """Return the fault that `error` is for the entry at `where`."""
    return Fault(where, str(error), picture_kind(error) if isinstance(error, PictureError) else "broken label")


def picture_kind(error: PictureError) -> str:
    """Return whether a picture is missing or broken."""
    absent = isinstance(error.__cause__, FileNotFoundError | NotADirectoryError)
    return "missing picture" if absent else "broken picture"


class Format(Protocol):
    """How one published data set lies on a disk.

    Attributes:
        name: its name in the registry.
        holds: what its labels can express, of "lanes" and "objects". With both, a sample's truth is a `Scene`.
    """

    name: str
    holds: frozenset[str]

    def recognise(self, root: Path) -> bool:
        """Return whether the folder `root` looks like this format, from names and the first lines of its files."""
        ...

    def label_files(self, root: Path) -> list[Path]:
        """Return the label files of `root` in the order they are read, by default all of them.

        Raises:
            DataError: there is none; the message says what is expected where.
        """
        ...

    def entries(self, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample | Fault]:
        """Yield a sample for each entry, or a fault for one that can't be read, and go on behind it.

        Memory does not grow with the number of entries.

        Args:
            root: the folder of the data set.
            labels: label files relative to `root`; by default `label_files(root)`.
        """
        ...

    def write(self, folder: Path, samples: Iterable[Sample]) -> int:
        """Write `samples`, pictures and labels, to the new folder `folder`; return how many there were.

        Labels come last and each file at once, so that a folder that holds them all is whole.

        Raises:
            DataError: a sample holds nothing this format can express, or the folder can't be written to.
        """
        ...


def format_of(name: str) -> Format:
    """Return the format called `name`."""
    return cast("Format", resolve("format", name))


def read(name: str, root: Path, labels: tuple[str, ...] = ()) -> Iterator[Sample]:
    """Yield the samples of a data set; the first faulty entry ends it.

    Raises:
        DataError: an entry is faulty, with file and line, or there is no label file.
    """
    for entry in format_of(name).entries(root, labels):
        if isinstance(entry, Fault):
            raise DataError(f"{entry.where}: {entry.text}")
        yield entry
