"""Norpix sequence files (.seq): many pictures in one file, as the Caltech pedestrian videos come.

A header of 1024 bytes, little-endian, then a picture after the other: its length in four bytes (they count
themselves), a JPEG or PNG, and a time stamp of 8 bytes, in some files with 8 bytes more behind it. The layout is that
which the reader and writer of Piotr's Matlab toolbox show; uncompressed sequences are not read.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from edgecnn.core.errors import DataError

HEADER_BYTES: Final = 1024
_MAGIC: Final = struct.pack("<I", 0xFEED) + "Norpix seq".encode("utf-16-le")
# Behind magic, name, version, header size and description: width, height, bit depths, size, format, frames.
_FACTS: Final = struct.Struct("<9Id")
_FACTS_AT: Final = 548
_FORMATS: Final = {1: ".png", 2: ".png", 102: ".jpg", 201: ".jpg"}
_STAMP_BYTES: Final = 8
_MOST_FRAMES: Final = 10**7
_MOST_BYTES: Final = 1 << 28


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a sequence file holds.

    Attributes:
        path: the file.
        width: of every frame, in pixels.
        height: of every frame, in pixels.
        suffix: the kind of its pictures, ".jpg" or ".png".
        places: (first byte, number of bytes) of every picture.
    """

    path: Path
    width: int
    height: int
    suffix: str
    places: tuple[tuple[int, int], ...]

    def name(self, number: int) -> Path:
        """Return the path that frame `number`, from 0, is known by: `V000.seq/I00029.jpg`."""
        return self.path / f"I{number:05d}{self.suffix}"


def open_sequence(path: Path) -> Sequence:
    """Return where the frames of a sequence file lie; a file is gone through once, until it changes.

    Raises:
        DataError: it is no sequence of JPEGs or PNGs, or was cut off.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the path") from error
    return _opened(path, facts.st_size, facts.st_mtime_ns)


def frame_at(path: Path) -> bytes:
    """Return the bytes of the picture `V000.seq/I00029.jpg`.

    Raises:
        DataError: there is no such sequence or frame.
    """
    number = path.stem[1:]
    if path.parent.suffix != ".seq" or path.stem[:1] != "I" or not number.isdecimal():
        raise DataError(f"{path}: can't be read (not a directory); check the path in the labels")
    found = open_sequence(path.parent)
    if int(number) >= len(found.places):
        raise DataError(f"{path}: the sequence has {len(found.places)} frames; check the number")
    at, length = found.places[int(number)]
    with found.path.open("rb") as file:
        file.seek(at)
        return file.read(length)


def write_sequence(path: Path, pictures: Iterable[bytes], width: int, height: int, rate: float = 30.0) -> int:
    """Write JPEGs as a sequence file with three colours of 8 bits; return how many there were."""
    count = 0
    with path.open("wb") as file:
        file.write(bytes(HEADER_BYTES))
        for count, picture in enumerate(pictures, 1):
            seconds = (count - 1) / rate
            stamp = struct.pack("<IH", int(seconds), round(seconds % 1 * 1000) % 1000)
            file.write(struct.pack("<I", len(picture) + 4) + picture + stamp + bytes(10))
        file.seek(0)
        size = width * height * 3
        padded = size + 6 + 512 - (size + 6) % 512
        file.write(_MAGIC + bytes(4) + struct.pack("<ii", 3, HEADER_BYTES))
        file.seek(_FACTS_AT)
        file.write(_FACTS.pack(width, height, 24, 8, size, 201, count, 0, padded, rate))
    return count


@lru_cache(maxsize=4)
def _opened(path: Path, size: int, _changed: int) -> Sequence:
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES or not header.startswith(_MAGIC):
            raise DataError(f"{path}: no Norpix sequence (its first bytes are others); copy the file again")
        width, height, _, _, _, kind, frames, *_ = _FACTS.unpack_from(header, _FACTS_AT)
        if kind not in _FORMATS:
            raise DataError(f"{path}: pictures of kind {kind} in the sequence; only JPEG and PNG are read")
        if frames > _MOST_FRAMES or not 0 < width <= 1 << 16 or not 0 < height <= 1 << 16:
            raise DataError(f"{path}: {frames} frames of {width} x {height} can't be; copy the file again")
        places: list[tuple[int, int]] = []
        at, extra = HEADER_BYTES, _STAMP_BYTES
        while at + 4 <= size and (not frames or len(places) < frames):
            file.seek(at)
            (length,) = struct.unpack("<I", file.read(4))
            if len(places) == 1 and length == 0 and extra == _STAMP_BYTES:
                # Only the gap behind the first frame tells whether this file pads its time stamps.
                at, extra = at + 8, extra + 8
                continue
            if not 4 < length <= _MOST_BYTES or at + length > size:
                break
            places.append((at + 4, length - 4))
            at += length + extra
    if not places or len(places) < frames:
        raise DataError(f"{path}: cut off after frame {len(places)} of {frames}; copy the file again")
    return Sequence(path, width, height, _FORMATS[kind], tuple(places))
