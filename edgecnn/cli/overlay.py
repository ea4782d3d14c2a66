"""Where drawn frames go: a JPEG a picture, or one MP4 for a video or camera."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, final

import cv2

from edgecnn.core import atomic
from edgecnn.core.errors import InputError
from edgecnn.core.results import Frame
from edgecnn.data.frames import FrameSource

VIDEO = "overlay.mp4"
JPEG_QUALITY = 92
FALLBACK_FPS = 30.0


class Overlay(Protocol):
    """Takes drawn frames. `files` are the names written below the output folder."""

    files: list[str]

    def add(self, name: str, frame: Frame) -> None:
        """Write one drawn frame, uint8 BGR."""
        ...


@contextmanager
def open_overlay(source: FrameSource, out: Path) -> Iterator[Overlay]:
    """Yield the overlay that fits `source`; a video gets its final name when the block ends without an error."""
    if source.kind == "pictures":
        yield PictureOverlay(out)
        return
    # Before its last extension: FFmpeg takes the container from that.
    partial = out / f".{VIDEO}.tmp.mp4"
    video = VideoOverlay(partial, source.fps or FALLBACK_FPS)
    try:
        yield video
        video.release()
        if partial.exists():
            partial.replace(out / VIDEO)
            video.files.append(VIDEO)
    finally:
        video.release()
        partial.unlink(missing_ok=True)


@final
class PictureOverlay:
    """A JPEG for each frame, under the frame's name."""

    def __init__(self, out: Path) -> None:
        self.files: list[str] = []
        self._out = out

    def add(self, name: str, frame: Frame) -> None:
        """Write one drawn frame as `<name>.jpg`; the whole name is kept, a.png and a.jpg are two pictures."""
        _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        atomic.write_bytes(self._out / f"{name}.jpg", data.tobytes())
        self.files.append(f"{name}.jpg")


@final
class VideoOverlay:
    """One MPEG-4 video; the first frame decides its size."""

    def __init__(self, path: Path, fps: float) -> None:
        self.files: list[str] = []
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None

    def add(self, name: str, frame: Frame) -> None:
        """Append one drawn frame.

        Raises:
            InputError: OpenCV can't write this video.
        """
        if self._writer is None:
            size = (frame.shape[1], frame.shape[0])
            self._writer = cv2.VideoWriter(str(self._path), cv2.VideoWriter.fourcc(*"mp4v"), self._fps, size)
            if not self._writer.isOpened():
                raise InputError(f"{self._path.parent}: OpenCV can't write {VIDEO} from {name}; use --no-overlay")
        self._writer.write(frame)

    def release(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()
