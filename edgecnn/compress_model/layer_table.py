"""Layer table: times of layer shapes, measured on this machine when they are first asked for, and kept on disk."""

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, final

import msgspec
import numpy as np
import onnx
from msgspec.structs import replace
from numpy.typing import NDArray

from edgecnn.compress_model.stopwatch import QUIET, Stopwatch
from edgecnn.core import atomic
from edgecnn.core.errors import EngineError
from edgecnn.core.layer_times import LayerRecord, TimesFile, read_times
from edgecnn.core.layers import LayerShape
from edgecnn.core.measure import Measurement
from edgecnn.core.progress import bar
from edgecnn.core.registry import TARGETS
from edgecnn.export.layer_probe import copies_for, layer_probe
from edgecnn.runtime.race import times

REFERENCE = LayerShape(
    op="conv", in_channels=32, out_channels=32, kernel=(3, 3), in_size=(24, 24), out_size=(24, 24), activation=True
)
"""The layer of the reference network, in copies as for its own timing."""
BATCH = 24
"""Layers raced together: enough that each finds its weights as cold as in a network of some size."""
ROUNDS_S = 40e-3
"""Time a layer's two networks get in a race: some fifty rounds of a few hundred microseconds."""
DOUBTFUL = 1.15
"""How many times as long as a layer with more channels one may take before it is timed again."""
LEAST_US = 0.5
"""What a layer takes at least; differences of two noisy times may come out below."""


@final
class LayerTable:
    """Times of layers in one engine here.

    A layer's time is that of a network with copies of it less that of the same network without, divided by the copies.
    Many such pairs are timed in turn, and a reference network with them: a machine that is shared, or that lowers its
    clock, is slow for minutes, and times of different minutes can only be compared as ratios. What takes longer than
    the same layer with more channels is timed once more; the lower time counts.
    """

    def __init__(self, stopwatch: Stopwatch, folder: Path | None = None, seconds: float = 120.0) -> None:
        """Open the table in `folder` (default: edgecnn's in the user's cache); `seconds` is the most it may measure.

        Raises:
            InputError: the file of an earlier run is no layer table.
        """
        self.how: Final = "measured"
        self.on = stopwatch.place.text()
        self._stopwatch, self._left_s = stopwatch, seconds
        self.file = (folder or cache_folder()) / f"{_file_name(self.on)}.json"
        self._pace_us = 0.0
        self._records: dict[LayerShape, LayerRecord] = {}
        self._refused: set[LayerShape] = set()
        self._load()

    def __len__(self) -> int:
        """Return how many layers have been timed."""
        return len(self._records)

    def prepare(self, shapes: Iterable[LayerShape]) -> None:
        """Time those of `shapes` that were not timed before, the first ones first, until the time is used up."""
        wanted = [shape for shape in dict.fromkeys(shapes) if shape not in self._records and shape not in self._refused]
        if not wanted or self._left_s <= 0:
            return
        with bar(f"time layers in {self._stopwatch.target}", len(wanted)) as shown:
            for batch in _batches(wanted):
                self._take(batch)
                shown.advance(len(batch))
                if self._left_s <= 0:
                    return
        for batch in _batches(self._doubtful(wanted)):
            self._take(batch)
            if self._left_s <= 0:
                return

    def networks(self, models: Sequence[onnx.ModelProto], seconds: float) -> list[Measurement]:
        """Return the time of one inference of each model in ms at the pace of this table, timed for `seconds` in all.

        Raises:
            EngineError: the engine refused a model.
        """
        with self._stopwatch.opened([self._reference, *models]) as engines:
            taken = times(engines, seconds, alone=True)
        pace_ms = self._pace(taken[:, 0]) / 1000
        ratios = taken[:, 1:] / taken[:, :1]
        return [
            Measurement(pace_ms * float(ratio), "ms", len(taken), on=self.on, method="median against a reference")
            for ratio in np.median(ratios, axis=0)
        ]

    def time_ms(self, shape: LayerShape) -> float | None:
        """Return the measured time of one inference of the layer in milliseconds, None where it was not timed."""
        record = self._records.get(shape)
        return None if record is None else record.time_us / 1000

    @property
    def exhausted(self) -> bool:
        """Whether the time for measuring is used up."""
        return self._left_s <= 0

    def part(self, shapes: Iterable[LayerShape]) -> TimesFile:
        """Return what was measured of `shapes`, to be used on another machine."""
        known = dict.fromkeys(shape for shape in shapes if shape in self._records)
        return TimesFile(self._stopwatch.place, self._pace_us, tuple(self._records[shape] for shape in known))

    def _take(self, batch: Sequence[LayerShape]) -> None:
        """Time a batch, keep it on disk, and count the time it took."""
        begun = time.monotonic()
        self._measure(batch)
        self._save()
        self._left_s -= time.monotonic() - begun

    @cached_property
    def _reference(self) -> onnx.ModelProto:
        return layer_probe(REFERENCE, copies_for(REFERENCE), TARGETS[self._stopwatch.target].opset)

    def _pace(self, taken: NDArray[np.float64]) -> float:
        """Return the table's pace in microseconds; the reference's seconds in this race, if it is the first of all."""
        if not self._pace_us:
            self._pace_us = 1e6 * float(np.quantile(taken, QUIET))
        return self._pace_us

    def _measure(self, batch: Sequence[LayerShape]) -> None:
        opset = TARGETS[self._stopwatch.target].opset
        nulls = {_without(shape): layer_probe(shape, 0, opset) for shape in batch}
        copies = {shape: copies_for(shape) for shape in batch}
        models = [self._reference, *nulls.values(), *(layer_probe(shape, copies[shape], opset) for shape in batch)]
        try:
            with self._stopwatch.opened(models) as engines:
                taken = times(engines, ROUNDS_S * len(batch))
        except EngineError:
            self._halve(batch)
            return
        pace = self._pace(taken[:, 0])
        ratios = taken / taken[:, :1]
        base = dict(zip(nulls, ratios[:, 1:].T, strict=False))
        for shape, whole in zip(batch, ratios[:, 1 + len(nulls) :].T, strict=True):
            layer = max(LEAST_US, pace * float(np.median(whole - base[_without(shape)])) / copies[shape])
            before = self._records.get(shape)
            best = layer if before is None else min(layer, before.time_us)
            self._records[shape] = LayerRecord(shape, best, len(taken) + (0 if before is None else before.n))

    def _doubtful(self, shapes: Iterable[LayerShape]) -> list[LayerShape]:
        """Return those of `shapes` that were timed slower than the same layer with more channels."""
        alike: dict[LayerShape, list[LayerRecord]] = {}
        for record in self._records.values():
            alike.setdefault(_bare(record.shape), []).append(record)
        known = [self._records[shape] for shape in shapes if shape in self._records]
        return [
            mine.shape
            for mine in known
            if any(
                _wider(other.shape, mine.shape) and mine.time_us > DOUBTFUL * other.time_us
                for other in alike[_bare(mine.shape)]
            )
        ]

    def _halve(self, batch: Sequence[LayerShape]) -> None:
        """Time what the engine takes of a batch that holds a layer it refuses."""
        if len(batch) == 1:
            self._refused.add(batch[0])
            return
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]):
            self._measure(half)

    def _load(self) -> None:
        if self.file.is_file():
            file = read_times(self.file)
            self._pace_us, self._records = file.pace_us, {record.shape: record for record in file.records}

    def _save(self) -> None:
        """Write what was measured, with what other processes wrote meanwhile, at the pace of the file."""
        if not self._records:
            return
        with atomic.locked(self.file.with_suffix(".lock")):
            mine, pace = self._records, self._pace_us
            self._load()
            scale = self._pace_us / pace
            self._records |= {shape: replace(record, time_us=scale * record.time_us) for shape, record in mine.items()}
            file = TimesFile(self._stopwatch.place, self._pace_us, tuple(self._records.values()))
            atomic.write_bytes(self.file, msgspec.json.format(msgspec.json.encode(file), indent=1))


def cache_folder() -> Path:
    """Return the folder of edgecnn in the user's cache, by the XDG base directory specification."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "edgecnn" / "layers"


def _file_name(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")


def _without(shape: LayerShape) -> LayerShape:
    """Return what two probes have in common whose networks without the layer are the same."""
    return LayerShape(
        op="linear" if shape.op == "linear" else "conv",
        in_channels=shape.in_channels,
        out_channels=shape.in_channels,
        in_size=shape.in_size,
        out_size=shape.in_size,
    )


def _batches(shapes: Sequence[LayerShape]) -> Iterator[Sequence[LayerShape]]:
    """Yield `shapes` in their order, `BATCH` at a time."""
    for first in range(0, len(shapes), BATCH):
        yield shapes[first : first + BATCH]


def _bare(shape: LayerShape) -> LayerShape:
    """Return what layers have in common that differ by their channels alone."""
    groups = 2 if shape.depthwise else 1
    return replace(shape, in_channels=groups, out_channels=groups, groups=groups)


def _wider(one: LayerShape, other: LayerShape) -> bool:
    more = one.in_channels >= other.in_channels and one.out_channels >= other.out_channels
    return more and one != other
