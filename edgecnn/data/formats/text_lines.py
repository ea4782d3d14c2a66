"""The lines of a label file, each with its place, read one at a time."""

from collections.abc import Iterator
from pathlib import Path

from edgecnn.core.errors import DataError


def text_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield `file:number` and the bytes of every line of `path` that is not blank.

    Raises:
        DataError: the file can't be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the label file's name") from error
    with file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path}:{number}", line
