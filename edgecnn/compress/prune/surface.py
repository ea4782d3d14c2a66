"""The time of one layer over all its widths, from a few of them.

Timing every pair of widths would take too long, and is not needed: how the time falls with the input channels hardly
depends on how many output channels there are. So a layer is timed with fewer inputs, with fewer outputs, and once with
the fewest of both:

    log t(i, o) = log t(i, O) + log t(I, o) - log t(I, O) + k log(i / I) log(o / O)

where k makes the corner right; it is near 0 where multiply-adds take the time, and above where memory does. On AVX-512
3x3 convolutions of 64 channels it is right within 2 %. Along an axis the time is linear between what was timed, since
engines work in blocks of channels and the steps between blocks are timed.
"""

import math
from collections.abc import Iterator, Sequence
from typing import final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.layer_times import LayerTimes
from edgecnn.core.layers import LayerShape

MOST_LEVELS = 8


@final
class Surface:
    """Times of one layer at fewer channels; `full` is the layer as it is now."""

    def __init__(self, full: LayerShape, inputs: Sequence[int], outputs: Sequence[int], *, blocks: bool) -> None:
        """Take the channel counts that the layer may come down to on either side, in any order.

        With `blocks` a grouped layer loses whole groups, and so channels on both sides at once.
        """
        self.full = _alike(full)
        self._blocks = blocks
        self._inputs = _levels(inputs, full.in_channels, full.groups if not blocks else full.in_channels // full.groups)
        self._outputs = [full.out_channels] if blocks else _levels(outputs, full.out_channels, full.groups)
        self._known: dict[tuple[int, int], float] = {}
        self._axes: tuple[_Axis, _Axis] | None = None
        self._bend = 0.0

    @property
    def points(self) -> Iterator[LayerShape]:
        """The layer at all widths that have to be timed, the most telling first."""
        yield self.full
        yield self._at(self._inputs[0], self._outputs[0])
        for level in _spread(self._inputs):
            yield self._at(level, self.full.out_channels)
        for level in _spread(self._outputs):
            yield self._at(self.full.in_channels, level)

    def fill(self, times: LayerTimes) -> bool:
        """Take what `times` knows of the points; return whether that says anything of this layer."""
        whole = times.time_ms(self.full)
        if whole is None:
            return False
        self._known.clear()
        first = _axis([(n, times.time_ms(self._at(n, self.full.out_channels))) for n in self._inputs])
        second = _axis([(n, times.time_ms(self._at(self.full.in_channels, n))) for n in self._outputs])
        self._axes = first, second
        self._bend = 0.0
        corner = times.time_ms(self._at(self._inputs[0], self._outputs[0]))
        span = math.log(self._inputs[0] / self.full.in_channels) * math.log(self._outputs[0] / self.full.out_channels)
        if corner is not None and span > 0:
            plain = self.time_ms(self._inputs[0], self._outputs[0])
            self._known.clear()
            self._bend = math.log(corner / plain) / span
        return True

    def time_ms(self, inputs: int, outputs: int) -> float:
        """Return the time at `inputs` and `outputs` channels; `fill` has to have found something."""
        found = self._known.get((inputs, outputs))
        if found is None:
            found = self._known[inputs, outputs] = self._interpolated(inputs, outputs)
        return found

    def _interpolated(self, inputs: int, outputs: int) -> float:
        assert self._axes is not None  # noqa: S101 - said in time_ms
        first, second = self._axes
        along = first.at(inputs)
        if self._blocks:
            return along
        bend = self._bend * math.log(inputs / self.full.in_channels) * math.log(outputs / self.full.out_channels)
        return along * second.at(outputs) / second.whole * math.exp(bend)

    def _at(self, inputs: int, outputs: int) -> LayerShape:
        if self._blocks:
            return self.full.with_groups(inputs * self.full.groups // self.full.in_channels)
        return self.full.with_channels(inputs, outputs)


@final
class _Axis:
    """Times at rising channel counts, the last those of the whole layer."""

    def __init__(self, counts: NDArray[np.float64], taken: NDArray[np.float64]) -> None:
        self._counts, self._taken = counts, taken
        self.whole = float(taken[-1])

    def at(self, count: int) -> float:
        """Return the time at `count` channels; below the first level it goes on as from the first to the second."""
        counts, taken = self._counts, self._taken
        if count >= counts[0] or len(counts) == 1:
            return float(np.interp(count, counts, taken))
        slope = max(0.0, (taken[1] - taken[0]) / (counts[1] - counts[0]))
        return float(max(taken[0] * count / counts[0], taken[0] - slope * (counts[0] - count)))


def _axis(points: Sequence[tuple[int, float | None]]) -> _Axis:
    known = [(count, taken) for count, taken in points if taken is not None]
    counts, taken = np.asarray(known, np.float64).T
    return _Axis(counts, taken)


def _levels(counts: Sequence[int], full: int, unit: int) -> list[int]:
    """Return `full` and at most `MOST_LEVELS` - 1 of the counts below it, rising, the least among them.

    All are multiples of `unit`, as the layer's groups ask for.
    """
    below = sorted({count // unit * unit for count in counts if unit <= count < full})
    if len(below) >= MOST_LEVELS:
        places = np.unique(np.linspace(0, len(below) - 1, MOST_LEVELS - 1).round().astype(int))
        below = [below[place] for place in places]
    return [*below, full]


def _spread(levels: Sequence[int]) -> Iterator[int]:
    """Yield all levels, ends and middles first, so that a table that runs out of time covers the range."""
    left = list(range(len(levels)))
    done: list[int] = []
    while left:
        place = max(left, key=lambda here: min((abs(here - other) for other in done), default=here))
        left.remove(place)
        done.append(place)
        yield levels[place]


def _alike(shape: LayerShape) -> LayerShape:
    """Return `shape` with an activation: engines run it inside the layer, at a cost below what timing can tell."""
    return msgspec.structs.replace(shape, activation=True)
