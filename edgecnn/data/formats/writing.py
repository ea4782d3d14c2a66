"""What the object formats do when they write: a name for each picture, and a full disk as one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

from edgecnn.core.errors import DataError


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make `folder` and turn what the disk refuses into one line.

    Raises:
        DataError: the folder can't be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataError(f"{folder}: can't be written to ({error}); free space or choose another folder") from error


@final
class RisingStems:
    """Names of files that are read in the order of their names: each sorts behind the last, whatever was asked for."""

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self._last, self._base, self._number = "", "", 0

    def after(self, wanted: str) -> str:
        """Return `wanted` as long as names rise, else the last that did with a rising number behind it."""
        if not self._base and (not self._last or f"{wanted}{self._suffix}" > f"{self._last}{self._suffix}"):
            self._last = wanted
            return wanted
        self._base, self._number = self._last, self._number + 1
        return f"{self._base}_{self._number:06d}"


def free_stem(folder: Path, wanted: str, number: int) -> str:
    """Return `wanted`, or with `number` behind it where `folder` holds a picture of that stem already."""
    taken = any((folder / f"{wanted}{suffix}").exists() for suffix in (".png", ".jpg", ".jpeg"))
    return f"{wanted}_{number}" if taken else wanted
