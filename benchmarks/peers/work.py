"""Run a contender in a process of its own: what crashes there is a line in the table."""

import importlib
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from peers import Row
from peers.job import Job


@dataclass(frozen=True, slots=True)
class Outcome:
    """The file made (None after a failure), the seconds it took, notes, and the error in one line."""

    file: Path | None
    seconds: float
    notes: tuple[str, ...]
    error: str


def quantize_apart(row: Row, model: Path, frames: Path, folder: Path, threads: int, search_s: float) -> Outcome:
    """Quantize `model` as `row` says; `frames` is an .npz with one array [N, ...] an input."""
    folder.mkdir(parents=True)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_work, row, model, frames, folder, threads, search_s).result()
        except BrokenProcessPool:
            return Outcome(None, 0.0, (), "its process died")


def _work(row: Row, model: Path, frames: Path, folder: Path, threads: int, search_s: float) -> Outcome:
    module, _, function = row.path.partition(":")
    start = time.perf_counter()
    try:
        quantize = getattr(importlib.import_module(module), function)
        arrays = dict(np.load(frames))
        count = len(next(iter(arrays.values())))
        feeds = [{name: array[i : i + 1] for name, array in arrays.items()} for i in range(count)]
        # Importing a tool and reading the images are not charged.
        start = time.perf_counter()
        made = quantize(Job(model, feeds, folder, threads, search_s), *row.arguments)
    except Exception as error:  # noqa: BLE001 - whatever a contender raises is its result
        line = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return Outcome(None, time.perf_counter() - start, (), line[:160])
    return Outcome(made.file, time.perf_counter() - start, made.notes, "")
