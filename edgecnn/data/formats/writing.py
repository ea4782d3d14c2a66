"""What the object formats do when they write: a name for each picture, and a full disk as one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def free_stem(folder: Path, wanted: str, number: int) -> str:
    """Return `wanted`, or with `number` behind it where `folder` holds a picture of that stem already."""
    taken = any((folder / f"{wanted}{suffix}").exists() for suffix in (".png", ".jpg", ".jpeg"))
    return f"{wanted}_{number}" if taken else wanted
