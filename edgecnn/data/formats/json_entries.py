"""The objects of a long JSON list, one at a time, each with its line.

A JSON library's streaming parser tells neither the line of what it gives nor how to go on behind a broken entry, and a
report of what is wrong in a data set needs both. So entries are cut out here, by their brackets, to be decoded one by
one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, final

from edgecnn.core.errors import DataError
from edgecnn.data.formats.format import Fault

_CHUNK = 1 << 20
_LONGEST = 1 << 25
# A quote alone is a string that goes on behind what has been read.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}"]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Cut:
    """One entry as it stands in the file: `where` is file and line."""

    where: str
    text: bytes


def json_entries(path: Path, key: str = "frames") -> Iterator[Cut | Fault]:
    """Yield the entries of the list that the file is, or that is under `key` of the object that the file is.

    Memory is bounded by the longest entry. What can't be cut out is a fault, and ends the file where no entry can be
    found behind it.

    Raises:
        DataError: the file can't be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the label file's name") from error
    with file:
        yield from _Scanner(path, key).entries(file)


@final
class _Scanner:
    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, b'"' + key.encode() + b'"'
        # `_line` is the line of the place `_counted` in the buffer.
        self._buffer, self._line, self._counted = b"", 1, 0
        # Places in the buffer: what is scanned up to, where the last entry ended, where the open one began.
        self._at, self._behind, self._start = 0, 0, -1
        self._depth, self._list, self._word = 0, 0, b""
        self._first = True

    def entries(self, file: BinaryIO) -> Iterator[Cut | Fault]:
        while chunk := file.read(_CHUNK):
            self._buffer += chunk
            yield from self._scan()
            if self._list < 0:
                return
            self._forget()
            if len(self._buffer) > _LONGEST:
                yield Fault(self._where(), "no entry ends here within 32 MiB; a bracket or a quote is not closed")
                return
        if not self._list:
            yield Fault(str(self._path), f"no JSON list, and no object with a list {self._key.decode()}; wrong file?")
        else:
            yield Fault(self._where(), "the file ends inside this entry; copy it again")

    def _scan(self) -> Iterator[Cut | Fault]:
        for match in _TOKEN.finditer(self._buffer, self._at):
            token = match[0]
            if token == b'"':
                self._at = match.start()
                return
            self._at = match.end()
            if len(token) > 1:
                self._word = token
            elif token in b"[{":
                yield from self._open(match.start(), token)
            else:
                yield from self._close(match.end())
                if self._list < 0:
                    return
        self._at = len(self._buffer) if self._list or self._depth else self._at

    def _open(self, place: int, token: bytes) -> Iterator[Fault]:
        if not self._list:
            if token == b"[" and (self._depth == 0 or (self._depth == 1 and self._word == self._key)):
                self._list, self._behind = self._depth + 1, place + 1
        elif self._depth == self._list:
            yield from self._between(place, b"" if self._first else b",")
            self._start, self._first = place, False
        self._depth += 1

    def _close(self, end: int) -> Iterator[Cut | Fault]:
        self._depth -= 1
        if not self._list:
            return
        if self._depth == self._list:
            yield Cut(self._where(), self._buffer[self._start : end])
            self._start, self._behind = -1, end
        elif self._depth < self._list:
            yield from self._between(end - 1, b"")
            self._list = -1

    def _between(self, place: int, wanted: bytes) -> Iterator[Fault]:
        found = self._buffer[self._behind : place].strip()
        if found != wanted:
            self._start = self._behind
            yield Fault(self._where(), f"{found[:40]!r} between entries; a list of objects has commas there only")

    def _where(self) -> str:
        begun = self._start if self._start >= 0 else self._behind
        self._line += self._buffer.count(b"\n", self._counted, begun)
        self._counted = begun
        return f"{self._path}:{self._line}"

    def _forget(self) -> None:
        kept = self._start if self._start >= 0 else self._behind if self._list else self._at
        self._line += self._buffer.count(b"\n", self._counted, kept)
        self._buffer, self._counted = self._buffer[kept:], 0
        self._at, self._behind = self._at - kept, max(self._behind - kept, 0)
        self._start = 0 if self._start >= 0 else -1
