"""Where frames come from: a picture, a folder of pictures, a video file, a camera. All give (name, frame) in order."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol, final

import cv2
import numpy as np

from edgecnn.core.errors import DataError
from edgecnn.core.results import Frame
from edgecnn.data.sample import read_image

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})
_CAMERA = re.compile(r"(?:camera:|/dev/video)(\d+)")

Kind = Literal["pictures", "video", "camera"]


class FrameSource(Protocol):
    """Frames in order; each iteration starts anew and gives back what it opened when it ends or is closed.

    Attributes:
        name: what the user called it.
        kind: `pictures` (each of its own size), `video` (one size, a rate) or `camera` (the same, endless, real time).
        count: number of frames, None when unknown; a video's is what its header claims.
        fps: frames a second, None for pictures or when unknown.
    """

    name: str
    kind: Kind
    count: int | None
    fps: float | None

    def __iter__(self) -> Iterator[tuple[str, Frame]]:
        """Yield (name of the frame, uint8 BGR [H, W, 3]), a new array each time."""
        ...


def open_source(text: str) -> FrameSource:
    """Return the source that `text` names: a file, a folder, `camera:N` or `/dev/videoN`.

    Raises:
        DataError: nothing is there, a folder holds no picture, or a file is neither picture nor video.
    """
    if camera := _CAMERA.fullmatch(text):
        return Camera(text, int(camera[1]))
    path = Path(text)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
        if not files:
            raise DataError(f"{path}: no pictures in this folder ({', '.join(sorted(IMAGE_SUFFIXES))})")
        return Pictures(text, files)
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder; a camera is given as camera:0")
    if path.suffix.lower() in IMAGE_SUFFIXES or cv2.haveImageReader(str(path)):
        return Pictures(text, [path])
    return Video(text, path)


@final
class Pictures:
    """Picture files, read one by one; a damaged one raises `DataError` when its turn comes."""

    kind: Kind = "pictures"
    fps: float | None = None

    def __init__(self, name: str, files: list[Path]) -> None:
        self.name = name
        self.files = files
        self.count: int | None = len(files)

    def __iter__(self) -> Iterator[tuple[str, Frame]]:
        for file in self.files:
            yield file.name, read_image(file)


@final
class Video:
    """A video file. One cut off ends early, with fewer frames than `count`; whoever needs all of them compares.

    Raises:
        DataError: the file holds no frame that can be decoded.
    """

    kind: Kind = "video"

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        with _capture(str(path), cv2.CAP_FFMPEG) as capture:
            if not capture.isOpened() or not capture.read()[0]:
                raise DataError(f"{path}: no frame can be read from it: empty, cut off, or no picture or video at all")
            count, fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
        self.count: int | None = round(count) if count > 0 else None
        self.fps: float | None = fps if fps > 0 else None

    def __iter__(self) -> Iterator[tuple[str, Frame]]:
        with _capture(str(self.path), cv2.CAP_FFMPEG) as capture:
            for number, frame in enumerate(_read(capture)):
                yield f"{self.path.name}#{number:06d}", frame


@final
class Camera:
    """A camera by its number. It ends only when closed; a read that fails is a `DataError`."""

    kind: Kind = "camera"
    count: int | None = None

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        with _capture(number, cv2.CAP_ANY) as capture:
            if not capture.isOpened():
                raise DataError(f"{name}: this camera can't be opened; see that it is connected and not in use")
            fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps: float | None = fps if fps > 0 else None

    def __iter__(self) -> Iterator[tuple[str, Frame]]:
        with _capture(self.number, cv2.CAP_ANY) as capture:
            for number, frame in enumerate(_read(capture)):
                yield f"{self.name}#{number:06d}", frame
        raise DataError(f"{self.name}: gives no more frames; see that the camera is still connected and not in use")


@contextmanager
def _capture(source: str | int, backend: int) -> Iterator[cv2.VideoCapture]:
    """Open and release a capture, with OpenCV and FFmpeg silent: what is wrong is said once, in our own words."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(source, backend)
    finally:
        cv2.utils.logging.setLogLevel(level)
    try:
        yield capture
    finally:
        capture.release()


def _read(capture: cv2.VideoCapture) -> Iterator[Frame]:
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield np.asarray(frame, np.uint8)
