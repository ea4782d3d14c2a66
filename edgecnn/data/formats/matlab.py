"""Matlab files of version 5 to 7: cells, structs, text and numbers.

The layout is that of MathWorks' "MAT-File Format". It is read here because `scipy.io.loadmat` believes what a file
claims of itself: a damaged one can end the process (seen with scipy 1.17), where a data set's reader has to name the
file and go on. Every claim (sizes, shapes, nesting, how far it unpacks) is held against the bytes that are there, and
nothing in a file is ever run.
"""

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, final, overload

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError

_HEADER: Final = 128
_MATRIX, _PACKED, _UTF8 = 14, 15, 16
_CELL, _STRUCT, _TEXT = 1, 2, 4
_NUMBERS: Final = range(6, 16)
_COMPLEX: Final = 0x800
_TYPES: Final = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS: Final = {1: "latin-1", 2: "latin-1", 4: "utf-16", _UTF8: "utf-8", 17: "utf-16", 18: "utf-32"}
_DEEPEST: Final = 16
_MOST_BYTES: Final = 1 << 26
_MOST_UNPACKED: Final = 1 << 26
_TAG: Final = 8
_MOST_SIDES: Final = 32


class _Part(NamedTuple):
    """One element: its type, and where its bytes lie."""

    kind: int
    start: int
    end: int


class _Source(NamedTuple):
    """Bytes of one variable, their order ("<" or ">"), and how deep in it they are read."""

    data: bytes
    order: str
    depth: int = 0


@final
class Cells(Sequence[Any]):
    """What lies in a cell array, column by column; each cell is read when it is asked for.

    Asking raises `DataError` where a cell is damaged.
    """

    def __init__(self, source: _Source, parts: list[_Part]) -> None:
        self._source, self._parts = source, parts

    def __len__(self) -> int:
        return len(self._parts)

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> "Cells": ...

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return Cells(self._source, self._parts[place])
        return _value(self._source, self._parts[place])[1]


@final
class Structs(Sequence[dict[str, Any]]):
    """The structs of a struct array, each as a dictionary; `fields` are their names."""

    def __init__(self, fields: tuple[str, ...], cells: Cells) -> None:
        self.fields, self._cells = fields, cells

    def __len__(self) -> int:
        return len(self._cells) // len(self.fields) if self.fields else 0

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        start = place * len(self.fields)
        return {name: self._cells[start + number] for number, name in enumerate(self.fields)}


def load_matlab(path: Path) -> dict[str, Any]:
    """Return the variables of a file by name: `Cells`, `Structs`, text or float64 arrays in Matlab's shape.

    Raises:
        DataError: it can't be read, is no such file, is damaged or claims what can't be.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: more than {_MOST_BYTES >> 20} MiB; not the label file it is taken for")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the label file's name") from error
    try:
        return dict(_variables(data))
    except DataError as error:
        raise DataError(f"{path}: {error}; copy the file again") from error


def cells(value: Any, what: str) -> Cells:
    """Return a cell array.

    Raises:
        DataError: `value` is none; `what` names it.
    """
    if isinstance(value, Cells):
        return value
    raise DataError(f"{what} must be a cell array")


def structs(value: Any, fields: tuple[str, ...], what: str) -> Sequence[dict[str, Any]]:
    """Return a struct array, or none of them where there is an empty matrix instead, as Matlab writes it.

    Raises:
        DataError: `value` is none, or has not got those fields; `what` names it.
    """
    if isinstance(value, Structs) and set(fields) <= set(value.fields):
        return value
    if isinstance(value, np.ndarray) and value.size == 0:
        return ()
    raise DataError(f"{what} must be a struct with {', '.join(fields)}")


def numbers(value: Any, columns: int | None, what: str) -> NDArray[np.float64]:
    """Return finite numbers as float64 [N, columns], or flat without `columns`; empty as no rows.

    Raises:
        DataError: `value` holds others; `what` names it.
    """
    if not isinstance(value, np.ndarray):
        raise DataError(f"{what} must be numbers")
    if not np.isfinite(value).all():
        raise DataError(f"{what} must be finite numbers")
    if columns is None:
        return value.reshape(-1, order="F")
    if value.size == 0:
        return np.zeros((0, columns))
    if value.ndim != 2 or value.shape[1] != columns:
        raise DataError(f"{what} must have {columns} columns, not the shape {list(value.shape)}")
    return value


def text(value: Any, what: str) -> str:
    """Return a text; an empty matrix is an empty one.

    Raises:
        DataError: `value` is none; `what` names it.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray) and value.size == 0:
        return ""
    raise DataError(f"{what} must be text")


def _variables(data: bytes) -> Iterator[tuple[str, Any]]:
    mark = data[_HEADER - 4 : _HEADER]
    if data[:8] == b"\x89HDF\r\n\x1a\n" or mark in {b"\x00\x02IM", b"\x02\x00MI"}:
        raise DataError("a Matlab file of version 7.3, which is not read; save it with -v7")
    if mark not in {b"\x00\x01IM", b"\x01\x00MI"}:
        raise DataError("no Matlab file of version 5 to 7")
    order = "<" if mark.endswith(b"IM") else ">"
    left = _MOST_UNPACKED
    for part in _parts(_Source(data, order), _HEADER, len(data)):
        if part.kind != _PACKED:
            found = [(_Source(data, order), part)]
        else:
            try:
                body = zlib.decompressobj().decompress(data[part.start : part.end], left + 1)
            except zlib.error as error:
                raise DataError(f"packed data is damaged ({error})") from error
            left -= len(body)
            if left < 0:
                raise DataError(f"unpacks to more than {_MOST_UNPACKED >> 20} MiB")
            source = _Source(body, order)
            found = [(source, inner) for inner in _parts(source, 0, len(body))]
        for source, inner in found:
            if inner.kind == _MATRIX:
                yield _value(source, inner)


def _parts(source: _Source, start: int, end: int) -> Iterator[_Part]:
    """Yield the elements one after the other."""
    while start < end:
        if end - start < _TAG:
            raise DataError(f"cut off at byte {start}")
        kind, size = struct.unpack_from(f"{source.order}II", source.data, start)
        at, after = start + _TAG, start + _TAG
        if kind >> 16:
            # Up to four bytes lie in the tag itself.
            kind, size, at = kind & 0xFFFF, kind >> 16, start + 4
            fits = size <= 4
        else:
            after += size + (0 if kind == _PACKED else -size % 8)
            fits = at + size <= end
        if not fits:
            raise DataError(f"cut off: {size} bytes claimed at byte {start}, {end - at} there")
        yield _Part(kind, at, at + size)
        start = after


def _value(source: _Source, part: _Part) -> tuple[str, Any]:
    """Return the name and value of one matrix; an element of no bytes is an empty one."""
    if part.kind != _MATRIX:
        raise DataError(f"an element of type {part.kind} where a matrix should be, at byte {part.start}")
    if part.start == part.end:
        return "", np.zeros((0, 0))
    if source.depth > _DEEPEST:
        raise DataError(f"arrays lie in one another more than {_DEEPEST} deep")
    parts = list(_parts(source, part.start, part.end))
    if len(parts) < 3 or parts[0].end - parts[0].start != 8 or parts[0].kind != 6 or parts[1].kind != 5:
        raise DataError(f"no matrix at byte {part.start}")
    flags = struct.unpack_from(f"{source.order}I", source.data, parts[0].start)[0]
    shape = _array(source, parts[1]).tolist()
    if min(shape, default=-1) < 0 or len(shape) > _MOST_SIDES:
        raise DataError(f"a matrix of shape {shape[:8]} at byte {part.start}")
    name = source.data[parts[2].start : parts[2].end].decode("latin-1")
    return name, _content(source, flags, shape, parts[3:], part.start)


def _content(source: _Source, flags: int, shape: list[int], parts: list[_Part], start: int) -> Any:
    kind, count = flags & 0xFF, math.prod(shape)
    if kind in {_CELL, _STRUCT}:
        fields = _fields(source, parts[:2]) if kind == _STRUCT else ()
        inner = Cells(source._replace(depth=source.depth + 1), parts[2:] if kind == _STRUCT else parts)
        if len(inner) != count * (len(fields) if kind == _STRUCT else 1):
            raise DataError(f"{len(inner)} matrices in an array of shape {shape[:8]} at byte {start}")
        return Structs(fields, inner) if kind == _STRUCT else inner
    if not (kind == _TEXT or kind in _NUMBERS) or flags & _COMPLEX:
        raise DataError(
            f"an array of class {kind} at byte {start}; only cells, structs, text and real numbers are read"
        )
    if kind == _TEXT:
        return _string(source, parts[0]) if parts else ""
    values = _array(source, parts[0]) if parts else np.zeros(0)
    if len(values) != count:
        raise DataError(f"{len(values)} numbers in a matrix of shape {shape[:8]} at byte {start}")
    return values.astype(np.float64).reshape(shape, order="F")


def _fields(source: _Source, parts: list[_Part]) -> tuple[str, ...]:
    """Return the names of a struct's fields, each of which fills the same number of bytes."""
    if len(parts) < 2 or parts[0].end - parts[0].start != 4:
        raise DataError("a struct without names of fields")
    size = struct.unpack_from(f"{source.order}i", source.data, parts[0].start)[0]
    names = source.data[parts[1].start : parts[1].end]
    if size < 1 or len(names) % size:
        raise DataError(f"names of fields in {len(names)} bytes, {size} each")
    return tuple(names[at : at + size].partition(b"\0")[0].decode("latin-1") for at in range(0, len(names), size))


def _array(source: _Source, part: _Part) -> NDArray[Any]:
    if part.kind not in _TYPES:
        raise DataError(f"numbers of type {part.kind} at byte {part.start}")
    dtype = np.dtype(f"{source.order}{_TYPES[part.kind]}")
    if (part.end - part.start) % dtype.itemsize:
        raise DataError(f"{part.end - part.start} bytes of numbers of {dtype.itemsize} at byte {part.start}")
    return np.frombuffer(source.data[part.start : part.end], dtype)


def _string(source: _Source, part: _Part) -> str:
    if part.kind not in _TEXTS:
        raise DataError(f"text of type {part.kind} at byte {part.start}")
    name = _TEXTS[part.kind]
    if name in {"utf-16", "utf-32"}:
        name += "-le" if source.order == "<" else "-be"
    return source.data[part.start : part.end].decode(name, "replace")
