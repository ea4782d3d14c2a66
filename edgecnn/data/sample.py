"""One labelled picture, and the one way its file is opened."""

import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edgecnn.core.errors import DataError
from edgecnn.core.results import Frame, Result
from edgecnn.data.formats import norpix

# Where a picture's size is found; only a large thumbnail or colour profile puts it farther back.
_HEADER_BYTES = 1 << 16
# A thumbnail inside the file has an end marker of its own, but never after the picture's last scan begins.
_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
# Frame headers of every JPEG process; C4, C8 and CC in the same range mean something else.
_JPEG_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class PictureError(DataError):
    """The picture is at fault, not its label."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What was odd in a label and was put right on reading: `kind` says of what sort it is, `text` what was done."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture.

    Attributes:
        image: the picture's file.
        truth: what a perfect network would answer, in the picture's own pixels.
        tags: conditions such as "night", "rain" or "curve"; empty where a data set names none.
        where: file and line (or entry) of its label, which faults are told by.
        masks: a picture of its size, uint16 PNG: 0 where nobody is seen, n + 1 where object n of the truth is.
        remarks: what the reader found odd in the label and put right.
    """

    image: Path
    truth: Result
    tags: tuple[str, ...] = ()
    where: str = ""
    masks: Path | None = None
    remarks: tuple[Remark, ...] = ()


def read_image(path: Path) -> Frame:
    """Return the picture at `path` as uint8 BGR [H, W, 3].

    Raises:
        PictureError: the file is missing, is no picture, or was cut off. OpenCV fills the missing part of a cut JPEG
            with grey and says nothing, so the end marker is looked for here.
    """
    data = image_bytes(path)
    if data.startswith(_JPEG_START) and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        raise PictureError(f"{path}: JPEG cut off after {len(data)} bytes (no end marker); copy the file again")
    if data.startswith(_PNG_START) and _PNG_END not in data:
        raise PictureError(f"{path}: PNG cut off after {len(data)} bytes (no end chunk); copy the file again")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise PictureError(f"{path}: not a picture OpenCV can read ({error.err}); replace or remove it") from error
    if image is None:
        raise PictureError(f"{path}: not a picture OpenCV can read; replace or remove it")
    return np.asarray(image, np.uint8)


def image_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels; of a JPEG or PNG from its header, without decoding the pixels.

    Raises:
        PictureError: as `read_image`.
    """
    data = image_bytes(path, most=_HEADER_BYTES)
    size = _jpeg_size(data) if data.startswith(_JPEG_START) else None
    if data.startswith(_PNG_START) and len(data) >= 24:
        size = struct.unpack(">II", data[16:24])
    if size is None:
        height, width = read_image(path).shape[:2]
        return width, height
    return size[0], size[1]


def image_bytes(path: Path, most: int = -1) -> bytes:
    """Return the bytes of the picture's file, of which a data set may hold many in one.

    A picture inside a sequence file is `V000.seq/I00029.jpg`, see `edgecnn.data.formats.norpix`.

    Args:
        path: the picture.
        most: bytes to read; -1 for all.

    Raises:
        PictureError: it can't be read or is empty.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most)
    except NotADirectoryError:
        data = _frame_bytes(path)
    except OSError as error:
        raise PictureError(f"{path}: can't be read ({error.strerror}); check the path in the labels") from error
    if not data:
        raise PictureError(f"{path}: empty file where a picture should be; copy it again")
    return data


def _frame_bytes(path: Path) -> bytes:
    try:
        return norpix.frame_at(path)
    except DataError as error:
        raise PictureError(str(error)) from error


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk the JPEG segments up to the frame header; None when there is none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _JPEG_FRAME_HEADERS:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return (width, height) if width and height else None
        if marker in {0xFF, 0x01} or 0xD0 <= marker <= 0xD7:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    return None
