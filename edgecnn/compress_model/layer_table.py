"""Layer table: times of layer shapes, measured on this machine when they are first asked for, and kept on disk."""

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, final

import msgspec
import numpy as np

from edgecnn.compress_model.stopwatch import QUIET, Stopwatch
from edgecnn.core import atomic
from edgecnn.core.errors import EngineError
from edgecnn.core.layer_times import LayerRecord, TimesFile, read_times
from edgecnn.core.layers import LayerShape
from edgecnn.core.progress import bar
from edgecnn.core.registry import TARGETS
from edgecnn.export.layer_probe import copies_for, layer_probe
from edgecnn.runtime.race import times

BATCH = 24
"""Layers raced together: enough that each finds its weights as cold as in a network of some size."""
ROUNDS_S = 12e-3
"""Time a layer's two networks get in a race: some twenty rounds of a few hundred microseconds."""
PASSES = 2
"""How often each layer is timed, apart in time. The lower counts: what disturbs a machine may outlast a race."""
LEAST_US = 0.5
"""What a layer takes at least; differences of two noisy times may come out below."""


@final
class LayerTable:
    """Times of layers in one engine here.

    A layer's time is that of a network with copies of it less that of the same network without, divided by the copies.
    Many such pairs are timed in turn; the lower quartile of each counts.
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
        batches = [batch for turn in range(PASSES) for batch in _batches(wanted, BATCH, turn)]
        with bar(f"time layers in {self._stopwatch.target}", PASSES * len(wanted)) as shown:
            for batch in batches:
                begun = time.monotonic()
                self._measure(batch)
                self._save()
                self._left_s -= time.monotonic() - begun
                shown.advance(len(batch))
                if self._left_s <= 0:
                    break

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
        return TimesFile(self._stopwatch.place, tuple(self._records[shape] for shape in known))

    def _measure(self, batch: Sequence[LayerShape]) -> None:
        opset = TARGETS[self._stopwatch.target].opset
        nulls = {_without(shape): layer_probe(shape, 0, opset) for shape in batch}
        copies = {shape: copies_for(shape) for shape in batch}
        models = [*nulls.values(), *(layer_probe(shape, copies[shape], opset) for shape in batch)]
        try:
            with self._stopwatch.opened(models) as engines:
                taken = times(engines, ROUNDS_S * len(batch))
        except EngineError:
            self._halve(batch)
            return
        quiet = 1e6 * np.quantile(taken, QUIET, axis=0)
        base = dict(zip(nulls, quiet, strict=False))
        for shape, whole in zip(batch, quiet[len(nulls) :], strict=True):
            layer = max(LEAST_US, float(whole - base[_without(shape)]) / copies[shape])
            before = self._records.get(shape)
            best = layer if before is None else min(layer, before.time_us)
            self._records[shape] = LayerRecord(shape, best, len(taken) + (0 if before is None else before.n))

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
            self._records = {record.shape: record for record in read_times(self.file).records}

    def _save(self) -> None:
        with atomic.locked(self.file.with_suffix(".lock")):
            mine = self._records
            self._load()
            self._records |= mine
            file = TimesFile(self._stopwatch.place, tuple(self._records.values()))
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


def _batches(shapes: Sequence[LayerShape], size: int, turn: int) -> Iterator[Sequence[LayerShape]]:
    """Yield `shapes` in batches: in their order in the first turn, each batch from all over them in later ones."""
    count = -(-len(shapes) // size)
    for number in range(count):
        yield shapes[number::count] if turn else shapes[number * size : (number + 1) * size]
