"""An index on disk of a COCO file: its annotations by picture, as the file has them in any order and by the million."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, final

import ijson
import msgspec
import numpy as np

from edgecnn.core.errors import DataError, line_of

Id: TypeAlias = int | str
Tree: TypeAlias = dict[str, Any]

_BLOCK = 1 << 16
_DEEPEST = 200
_LONGEST_PREFIX = 1000

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -8192;
CREATE TABLE images (place INTEGER PRIMARY KEY, id TEXT UNIQUE, tree BLOB);
CREATE TABLE annotations (place INTEGER PRIMARY KEY, id TEXT UNIQUE, image TEXT, tree BLOB);
"""


@final
class CocoIndex:
    """Pictures and annotations in a data base that goes when it is closed; memory does not grow with their number."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base
        self._counts = {"images": 0, "annotations": 0}

    def add_image(self, key: Id, tree: Tree) -> bool:
        """Take in a picture; return whether its id is new."""
        row = (msgspec.json.encode(key).decode(), msgspec.json.encode(tree))
        return self._add("images", "INSERT OR IGNORE INTO images VALUES (?, ?, ?)", row)

    def add_annotation(self, key: Id | None, image: Id, tree: Tree) -> bool:
        """Take in an annotation; return whether its id is new, as one without an id always is."""
        own = None if key is None else msgspec.json.encode(key).decode()
        row = (own, msgspec.json.encode(image).decode(), msgspec.json.encode(tree))
        return self._add("annotations", "INSERT OR IGNORE INTO annotations VALUES (?, ?, ?, ?)", row)

    def group(self) -> None:
        """Sort the annotations by picture; call it once all are in."""
        self._base.execute("CREATE INDEX by_image ON annotations (image)")

    def images(self) -> Iterator[tuple[int, Tree]]:
        """Yield (place in the file from 0, picture)."""
        for place, tree in self._base.execute("SELECT place, tree FROM images ORDER BY place"):
            yield place, msgspec.json.decode(tree)

    def annotations(self, image: Id | None = None) -> Iterator[tuple[int, Tree]]:
        """Yield (place in the file from 0, annotation) of one picture, or of all."""
        query, values = "SELECT place, tree FROM annotations", ()
        if image is not None:
            query, values = f"{query} WHERE image = ?", (msgspec.json.encode(image).decode(),)  # type: ignore[assignment]
        for place, tree in self._base.execute(f"{query} ORDER BY place", values):
            yield place, msgspec.json.decode(tree)

    def orphans(self) -> Iterator[tuple[int, Tree]]:
        """Yield the annotations whose picture is not there."""
        query = "SELECT place, tree FROM annotations WHERE image NOT IN (SELECT id FROM images) ORDER BY place"
        for place, tree in self._base.execute(query):
            yield place, msgspec.json.decode(tree)

    def _add(self, table: str, command: str, row: tuple[Any, ...]) -> bool:
        place = self._counts[table]
        self._counts[table] += 1
        return self._base.execute(command, (place, *row)).rowcount == 1


@contextmanager
def coco_index() -> Iterator[CocoIndex]:
    """Yield an empty index in a file that is gone with the process, however that ends.

    Raises:
        DataError: the folder for temporary files is full or can't be written to.
    """
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as base:
        try:
            base.executescript(_TABLES)
            base.execute("BEGIN")
            yield CocoIndex(base)
        except sqlite3.Error as error:
            raise DataError(f"no room for an index ({error}); free space, or set SQLITE_TMPDIR to a disk") from error


def items(path: Path, prefix: str) -> Iterator[tuple[int, Any]]:
    """Yield (place from 0, item) of the array at `prefix` ("images.item", or "item" for an array alone) of a file.

    Raises:
        DataError: it can't be read or is no JSON, with how far it went.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the label file's name") from error
    with file:
        try:
            yield from enumerate(ijson.items(file, prefix, use_float=True))
        except (ijson.JSONError, ValueError, OverflowError, RecursionError) as error:
            told = f"not JSON, within its first {file.tell()} bytes ({line_of(error)})"
            raise DataError(f"{path}: {told}; copy the file again") from error


def check_depth(path: Path) -> None:
    """Go through a file once and refuse one whose arrays lie in one another by the thousand.

    What a parser remembers of where it is grows with the square of that depth.

    Raises:
        DataError: it can't be read or is too deep.
    """
    step = np.zeros(256, np.int8)
    step[list(b"[{")], step[list(b"]}")] = 1, -1
    try:
        with path.open("rb") as file:
            depth = deepest = 0
            while block := file.read(_BLOCK):
                depths = depth + np.cumsum(step[np.frombuffer(block, np.uint8)], dtype=np.int64)
                depth, deepest = int(depths[-1]), max(deepest, int(depths.max()))
            # Brackets in text count, too: only where there are that many is it worth while to tell them apart.
            if deepest > _DEEPEST:
                file.seek(0)
                _check_exactly(path, file)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the label file's name") from error


def _check_exactly(path: Path, file: BinaryIO) -> None:
    depth = 0
    try:
        for event, _ in ijson.basic_parse(file):
            depth += event.startswith("start_") - event.startswith("end_")
            if depth > _DEEPEST:
                raise DataError(f"{path}: not JSON of this form, arrays lie in one another {_DEEPEST} deep; replace it")
    except (ijson.JSONError, ValueError, OverflowError) as error:
        raise DataError(f"{path}: not JSON ({line_of(error)}); copy the file again") from error


def first_item(path: Path, keys: tuple[str, ...], most: int = 20_000) -> tuple[str, Tree] | None:
    """Return which of the arrays `keys` comes first in a file, and the plain values of its first item.

    At most `most` tokens are read; None where none of them comes, or it is empty, or the file is no JSON object.
    """
    found: Tree = {}
    try:
        with path.open("rb") as file:
            for number, (prefix, event, value) in enumerate(ijson.parse(file, use_float=True)):
                array, _, rest = prefix.partition(".item")
                if number > most or len(prefix) > _LONGEST_PREFIX or (number == 0 and event != "start_map"):
                    return None
                if array in keys and rest == "" and event == "end_map":
                    return array, found
                if array in keys and rest.startswith(".") and rest.count(".") == 1:
                    found.setdefault(rest[1:], value)
    except (OSError, ijson.JSONError, ValueError, OverflowError):
        return None
    return None
