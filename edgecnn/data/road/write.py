"""Write road scenes to disk in the TuSimple layout; the bytes don't depend on the number of processes."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from edgecnn.core.errors import DataError, InputError
from edgecnn.data.formats.tusimple import label_record, write_labels
from edgecnn.data.road.scene import RoadScenes

LABEL_FILE = "label_data.json"
_CLIP_SIZE = 1000
_JPEG_QUALITY = 92
_CHUNK = 16

Progress = Callable[[int, int], None]


def write_tusimple(
    folder: Path,
    scenes: RoadScenes,
    count: int,
    *,
    start: int = 0,
    workers: int = 2,
    progress: Progress | None = None,
    label_name: str = LABEL_FILE,
) -> Path:
    """Write scenes `start` .. `start + count` as TuSimple does: `clips/NNN/NNNNNN.jpg` and a label file.

    The label file is written last and at once, so a folder that has one is whole.

    Args:
        folder: made when missing; the pictures in it are written over.
        scenes: what to draw.
        count: number of scenes, >= 1.
        start: index of the first one.
        workers: processes; 1 draws in this one.
        progress: called with (done, count) now and then.
        label_name: the label file's name, where a folder is written in several parts.

    Returns:
        The label file's path.

    Raises:
        InputError: `count`, `start` or `workers` is out of range.
        DataError: the folder can't be written to, or a process was killed.
    """
    if count < 1 or start < 0 or workers < 1:
        raise InputError(f"count and workers must be >= 1 and start >= 0, not {count}, {workers} and {start}")
    folder = Path(folder)
    label_file = folder / label_name
    try:
        for clip in range(start // _CLIP_SIZE, (start + count - 1) // _CLIP_SIZE + 1):
            (folder / "clips" / f"{clip:04d}").mkdir(parents=True, exist_ok=True)
        label_file.unlink(missing_ok=True)
        write_labels(
            label_file, _reported(_drawn(folder, scenes, range(start, start + count), workers), count, progress)
        )
    except BrokenProcessPool as error:
        raise DataError(f"{folder}: a drawing process was killed, most likely for memory; use fewer workers") from error
    except OSError as error:
        raise DataError(
            f"{folder}: can't be written to ({error.strerror}); free space or choose another folder"
        ) from error
    return label_file


def draw(folder: Path, scenes: RoadScenes, index: int) -> dict[str, Any]:
    """Write one scene's picture and return its label line."""
    scene = scenes.scene(index)
    raw_file = f"clips/{index // _CLIP_SIZE:04d}/{index:06d}.jpg"
    _, data = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    path = folder / raw_file
    scratch = path.with_suffix(".part")
    scratch.write_bytes(data.tobytes())
    scratch.replace(path)
    return label_record(scene.lanes, raw_file, scene.tags)


def _drawn(folder: Path, scenes: RoadScenes, indices: range, workers: int) -> Iterator[dict[str, Any]]:
    task = partial(draw, folder, scenes)
    if workers == 1:
        yield from map(task, indices)
        return
    # A fork would copy whatever threads and locks the caller holds; a spawned process starts clean.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(indices)), context, initializer=_start_worker) as pool:
        yield from pool.map(task, indices, chunksize=_CHUNK)


def _start_worker() -> None:
    """Keep each process to its own core; the processes are the parallelism."""
    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


def _reported(records: Iterator[dict[str, Any]], count: int, progress: Progress | None) -> Iterator[dict[str, Any]]:
    last = time.monotonic()
    for done, record in enumerate(records, 1):
        yield record
        if progress and (done == count or time.monotonic() - last > 0.5):
            last = time.monotonic()
            progress(done, count)
