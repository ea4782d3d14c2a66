"""What formats do with pictures: learn sizes without opening every file, and place them in a new data set."""

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2

from edgecnn.data.sample import image_bytes, image_size, read_image

JPEG_OR_PNG = frozenset({".jpg", ".jpeg", ".png"})
_FOLDERS = 4096
_JPEG_QUALITY = 95


def folder_sizes() -> Callable[[Path], tuple[int, int]]:
    """Return what tells a picture's (width, height) from the first one asked for in its folder.

    Video frames lie together, so most files need not be opened; sizes of the latest 4096 folders are remembered.
    """
    asked: list[Path] = []

    @lru_cache(maxsize=_FOLDERS)
    def size(_: Path) -> tuple[int, int]:
        return image_size(asked[-1])

    def size_of(path: Path) -> tuple[int, int]:
        asked[:] = [path]
        return size(path.parent)

    return size_of


def place(source: Path, target: Path, allowed: frozenset[str] = JPEG_OR_PNG) -> Path:
    """Put the picture `source` at `target`, which has no suffix yet, and return the path it got.

    A file of an allowed type keeps its bytes: it is linked where both lie on one disk, else copied. Another is written
    as PNG where that is allowed, else as JPEG.

    Args:
        source: the picture.
        target: path without a suffix; its folder is made.
        allowed: suffixes that the data set may have, lower case with the dot.

    Raises:
        PictureError: it can't be read.
        OSError: it can't be written.
    """
    suffix = source.suffix.lower()
    target.parent.mkdir(parents=True, exist_ok=True)
    if suffix in allowed:
        path = target.with_name(target.name + suffix)
        link_or_copy(source, path)
        return path
    path = target.with_name(target.name + (".png" if ".png" in allowed else ".jpg"))
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == ".jpg" else []
    _, data = cv2.imencode(path.suffix, read_image(source), quality)
    path.write_bytes(data.tobytes())
    return path


def link_or_copy(source: Path, target: Path) -> None:
    """Give the file `source` the further name `target`, or copy it where that can't be.

    Raises:
        PictureError: it can't be read.
        OSError: it can't be written.
    """
    try:
        # A link to a symbolic link would break when that moves.
        os.link(source.resolve(), target)
    except OSError:
        target.write_bytes(image_bytes(source))
