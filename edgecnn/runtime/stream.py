"""FrameStream: camera to result with a latest-frame policy. What is old is dropped and counted, never queued."""

import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import final

from edgecnn.core.errors import DataError
from edgecnn.core.results import Frame, Result


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One result and how old it is.

    Attributes:
        name: the frame's name as its source gave it.
        index: the frame's number in order of capture, from 0; a gap is a dropped frame.
        frame: the frame itself, uint8 BGR [H, W, 3].
        result: what the model says of it.
        age_ms: time from the frame's arrival to its result.
        late: whether `age_ms` exceeds the stream's deadline.
    """

    name: str
    index: int
    frame: Frame
    result: Result
    age_ms: float
    late: bool


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """Frames so far: `produced == processed + dropped + waiting`, and `waiting` is 0 once a stream has ended.

    Attributes:
        produced: frames that the source gave.
        processed: frames that became a result.
        dropped: frames that did not: overtaken by a newer one, refused by the model, or left over at the end.
        late: processed frames whose result came after the deadline.
        waiting: frames in the slot or inside the model, at most 2.
    """

    produced: int
    processed: int
    dropped: int
    late: int
    waiting: int


@dataclass(frozen=True, slots=True)
class _Captured:
    name: str
    index: int
    frame: Frame
    at_s: float


@final
class FrameStream:
    """Iterate over it to get a `StreamResult` of the newest frame each time; use it as a context manager.

    A thread reads the source as fast as that gives frames and keeps only the newest one. The model runs in the thread
    that iterates. An error of the source, and the end of it, reach the caller after the frame that waits. An error of
    the model reaches the caller at once; iterate on, and the next good frame works. Iterate from one thread only.

    Args:
        model: called with each frame, e.g. a `Model`.
        source: gives (name, frame), a new array each time, in real time: a file, read at full speed, would lose most.
        deadline_ms: results older than this are marked `late`; None marks none.
        timeout_s: longest silence of the source that is borne before it counts as dead.

    Raises:
        DataError: (on iterating) the source was silent for `timeout_s`.
    """

    def __init__(
        self,
        model: Callable[[Frame], Result],
        source: Iterable[tuple[str, Frame]],
        *,
        deadline_ms: float | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        self._model = model
        self._source = source
        self._deadline_ms = float("inf") if deadline_ms is None else deadline_ms
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._slot: _Captured | None = None
        self._error: BaseException | None = None
        self._ended = self._stop = self._busy = False
        self._produced = self._processed = self._dropped = self._late = 0
        self._thread = threading.Thread(target=self._capture, name="edgecnn-capture", daemon=True)

    @property
    def counts(self) -> StreamCounts:
        """The frames so far, consistent at any moment and from any thread."""
        with self._changed:
            waiting = int(self._slot is not None) + int(self._busy)
            return StreamCounts(self._produced, self._processed, self._dropped, self._late, waiting)

    def __iter__(self) -> "FrameStream":
        return self

    def __next__(self) -> StreamResult:
        captured = self._newest()
        result: Result | None = None
        try:
            result = self._model(captured.frame)
        finally:
            age_ms = (time.perf_counter() - captured.at_s) * 1e3
            late = result is not None and age_ms > self._deadline_ms
            with self._changed:
                self._busy = False
                self._processed += result is not None
                self._dropped += result is None
                self._late += late
        return StreamResult(captured.name, captured.index, captured.frame, result, age_ms, late)

    def close(self) -> None:
        """Stop reading and wait for the thread, at most `timeout_s` if the source hangs in a read."""
        with self._changed:
            self._stop = True
            if self._slot is not None:
                self._slot, self._dropped = None, self._dropped + 1
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(self._timeout_s)

    def __enter__(self) -> "FrameStream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _newest(self) -> _Captured:
        with self._changed:
            if self._thread.ident is None and not self._stop:
                self._thread.start()
            there = self._changed.wait_for(lambda: self._slot or self._ended or self._stop, self._timeout_s)
            if self._slot is not None:
                captured, self._slot, self._busy = self._slot, None, True
                return captured
            error, self._error = self._error, None
        if error is not None:
            raise error
        if not there:
            raise DataError(f"the camera gave no frame for {self._timeout_s:g} s; check that it is still connected")
        raise StopIteration

    def _capture(self) -> None:
        error: BaseException | None = None
        try:
            frames = iter(self._source)
            for name, frame in frames:
                if not self._put(name, frame):
                    break
            # The camera is released here, in the thread that reads it.
            if isinstance(frames, Generator):
                frames.close()
        except BaseException as caught:  # noqa: BLE001  # whatever it is, the caller has to see it
            error = caught
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()

    def _put(self, name: str, frame: Frame) -> bool:
        """Put a frame in the slot; False when nobody wants it any more."""
        with self._changed:
            self._produced += 1
            self._dropped += self._stop or self._slot is not None
            if not self._stop:
                self._slot = _Captured(name, self._produced - 1, frame, time.perf_counter())
                self._changed.notify_all()
            return not self._stop
