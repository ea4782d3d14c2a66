"""The lines of a label file, each with its place, read one at a time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (file and line, object) of a file of JSON lines.

    Raises:
        DataError: a line is no JSON object.
    """
    for where, line in text_lines(path):
        yield where, json_object(line, where)


def json_object(line: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object that `line` is.

    Raises:
        DataError: it is none; the message begins with `where`.
    """
    try:
        tree = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}); mend or remove the line") from error
    if not isinstance(tree, dict):
        raise DataError(f"{where}: a line must be a JSON object, not {type(tree).__name__}")
    return tree
