"""Write road scenes to disk, in the TuSimple layout or our own; the bytes don't depend on the number of processes."""

import itertools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from edgecnn.core import results
from edgecnn.core.errors import DataError, InputError
from edgecnn.core.results import Frame
from edgecnn.data.formats import scenes as scenes_format
from edgecnn.data.formats.tusimple import label_record, write_labels
from edgecnn.data.road.scene import RoadScenes

LABEL_FILE = "label_data.json"
_CLIP_SIZE = 1000
_JPEG_QUALITY = 92
_CHUNK = 16
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Progress = Callable[[int, int], None]


def write_tusimple(
    folder: Path,
    scenes: RoadScenes,
    count: int,
    *,
    start: int = 0,
    workers: int = 2,
    progress: Progress | None = None,
    part: int | None = None,
) -> None:
    """Write scenes `start` .. `start + count` as TuSimple does: `clips/NNN/NNNNNN.jpg` and `label_data.json`.

    The label file is written last and at once, so a folder that has one is whole. With `part` there is a label file
    for every so many scenes, `label_data_NNNNNN.json`, and those that an earlier call finished are kept.

    Args:
        folder: made when missing; the pictures in it are written over.
        scenes: what to draw.
        count: number of scenes, >= 1.
        start: index of the first one.
        workers: processes; 1 draws in this one.
        progress: called with (done, count) now and then.
        part: scenes a label file, >= 1; None for all of them in one.

    Raises:
        InputError: `count`, `start` or `workers` is out of range.
        DataError: the folder can't be written to, or a process was killed.
    """
    _write(_TUSIMPLE, folder, scenes, count, start, workers, progress, part)


def write_scenes(
    folder: Path,
    scenes: RoadScenes,
    count: int,
    *,
    start: int = 0,
    workers: int = 2,
    progress: Progress | None = None,
    part: int | None = None,
) -> None:
    """Write scenes in the format `scenes`: lanes and, of scenes with people, objects and masks, nothing rounded.

    Pictures are `images/NNNN/NNNNNN.jpg`, masks `masks/NNNN/NNNNNN.png`, labels `labels.jsonl` or, with `part`,
    `labels_NNNNNN.jsonl`. Arguments, order of writing and errors are those of `write_tusimple`.
    """
    _write(_SCENES, folder, scenes, count, start, workers, progress, part)


def draw(folder: Path, scenes: RoadScenes, index: int) -> dict[str, Any]:
    """Write one scene's picture and return its TuSimple label line."""
    scene = scenes.scene(index)
    raw_file = f"clips/{_place(index)}.jpg"
    _store(folder / raw_file, _jpeg(scene.image))
    return label_record(scene.lanes, raw_file, scene.tags)


def draw_scene(folder: Path, scenes: RoadScenes, index: int) -> dict[str, Any]:
    """Write one scene's picture and masks and return its label line in the format `scenes`."""
    scene = scenes.scene(index)
    image = f"images/{_place(index)}.jpg"
    _store(folder / image, _jpeg(scene.image))
    if scene.objects is None or scene.masks is None:
        return scenes_format.record(image, scene.lanes, scene.tags)
    masks = f"masks/{_place(index)}.png"
    _, data = cv2.imencode(".png", scene.masks)
    _store(folder / masks, data.tobytes())
    return scenes_format.record(image, results.Scene(scene.lanes, scene.objects), scene.tags, masks)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How one format's files are called, and what draws a scene into it."""

    folders: tuple[str, ...]
    label_file: str
    draw: Callable[[Path, RoadScenes, int], dict[str, Any]]

    def part(self, first: int) -> str:
        """Return the name of the label file of a part that begins with scene `first`."""
        stem, _, suffix = self.label_file.rpartition(".")
        return f"{stem}_{first:06d}.{suffix}"


_TUSIMPLE = _Layout(("clips",), LABEL_FILE, draw)
_SCENES = _Layout(("images", "masks"), scenes_format.LABEL_FILE, draw_scene)


def _write(
    layout: _Layout,
    folder: Path,
    scenes: RoadScenes,
    count: int,
    start: int,
    workers: int,
    progress: Progress | None,
    part: int | None,
) -> None:
    if count < 1 or start < 0 or workers < 1 or (part is not None and part < 1):
        raise InputError(f"count, workers and part must be >= 1, start >= 0; not {count}, {workers}, {part}, {start}")
    folder = Path(folder)
    try:
        for clip in range(start // _CLIP_SIZE, (start + count - 1) // _CLIP_SIZE + 1):
            for name in layout.folders:
                (folder / name / f"{clip:04d}").mkdir(parents=True, exist_ok=True)
        todo = _unfinished(layout, folder, range(start, start + count), part)
        indices = [index for _, scenes_of_part in todo for index in scenes_of_part]
        task = partial(layout.draw, folder, scenes)
        records = _reported(_drawn(task, indices, workers), count, len(indices), progress)
        for label_file, scenes_of_part in todo:
            write_labels(label_file, itertools.islice(records, len(scenes_of_part)))
    except BrokenProcessPool as error:
        raise DataError(f"{folder}: a drawing process was killed, most likely for memory; use fewer workers") from error
    except OSError as error:
        raise DataError(
            f"{folder}: can't be written to ({error.strerror}); free space or choose another folder"
        ) from error


def _place(index: int) -> str:
    return f"{index // _CLIP_SIZE:04d}/{index:06d}"


def _jpeg(image: Frame) -> bytes:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return bytes(data.tobytes())


def _store(path: Path, data: bytes) -> None:
    scratch = path.with_suffix(".part")
    scratch.write_bytes(data)
    scratch.replace(path)


def _unfinished(layout: _Layout, folder: Path, indices: range, part: int | None) -> list[tuple[Path, range]]:
    """Return the label files still to be written, each with its scenes."""
    if part is None:
        (folder / layout.label_file).unlink(missing_ok=True)
        return [(folder / layout.label_file, indices)]
    parts = [indices[i : i + part] for i in range(0, len(indices), part)]
    named = [(folder / layout.part(scenes[0]), scenes) for scenes in parts]
    return [(path, scenes) for path, scenes in named if not path.exists()]


def _drawn(task: Callable[[int], dict[str, Any]], indices: Sequence[int], workers: int) -> Iterator[dict[str, Any]]:
    if workers == 1:
        yield from map(task, indices)
        return
    # A fork would copy whatever threads and locks the caller holds; a spawned process starts clean.
    context = multiprocessing.get_context("spawn")
    if not indices:
        return
    with ProcessPoolExecutor(min(workers, len(indices)), context, initializer=_start_worker) as pool:
        with _one_thread_each():
            records = pool.map(task, indices, chunksize=_CHUNK)
        yield from records


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Keep the processes that are started meanwhile to one core each: they are the parallelism.

    NumPy's matrix library reads this once, when it is loaded; its threads would spin against each other.
    """
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({} if value is None else {name: value})


def _start_worker() -> None:
    cv2.setNumThreads(1)


def _reported(
    records: Iterator[dict[str, Any]], count: int, left: int, progress: Progress | None
) -> Iterator[dict[str, Any]]:
    last = time.monotonic()
    for done, record in enumerate(records, count - left + 1):
        if progress and (done == count or time.monotonic() - last > 0.5):
            last = time.monotonic()
            progress(done, count)
        yield record
