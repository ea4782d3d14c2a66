"""What a network takes at other widths: its measured time, less what its layers save, less a part of the rest.

    T(w) = call + sum over layers of a[kind] t(layer at w) + moved(w) r + c

t comes from timed layers. What they leave of the network's time is the rest: pools, sums, concatenations and layouts,
of which the part r goes with the numbers that layers write, and the part c stays. Before any network at other widths
has been timed, a is 1 and the rest is split in half. A handful of timed networks then fits a, r and c by least squares
in relative error, held near those values as far as the few times don't say otherwise.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn.compress.prune.group import Group
from edgecnn.compress.prune.timed_layers import KINDS, Layer, timed_layers
from edgecnn.compress.prune.widths import Widths
from edgecnn.core.layer_times import LayerTimes
from edgecnn.core.layers import LayerShape
from edgecnn.core.measure import How, Measurement

Array: TypeAlias = NDArray[np.float64]

REST_MOVES = 0.5
"""How much of the rest goes with the numbers that layers write, before a timed network says."""
FACTOR_SPREAD, REST_SPREAD, REST_LEAST = 0.3, 0.5, 0.1
"""How far a layer kind's factor, and the two parts of the rest (as shares of it, or at least so much of the network's
time), may lie from what is likely. Layers by themselves may take as long as the whole network, and yet there is a rest
that shows at other widths: layouts that change between layers."""
TRIAL_NOISE = 0.02
"""Relative standard deviation of a timed network that is trusted."""


@dataclass(frozen=True)
class Trial:
    """A network that was timed at other widths, in turn with the whole one."""

    widths: Widths
    time_ms: float


@dataclass(frozen=True)
class LatencyPrediction:
    """Predicted time of one inference at any widths.

    Attributes:
        groups: whose widths are asked for.
        layers: all layers of the network, pruned or not.
        whole: the network's time as it is.
        call_ms: what a call of the engine takes that does nothing; part of `whole`.
        factors: of each kind's layer times.
        moves_ms: the part of the rest that goes with the numbers layers write.
        stays_ms: the part that stays.
        error: mean relative error at networks that the fit did not see (each left out in turn); None before `fitted`.
        how: `measured` where layers were timed, else `predicted`.
        on: engine and machine.
        align: what widths are to be multiples of for this to hold; None as in `candidates`.
        trials: networks that were timed at other widths.
    """

    groups: tuple[Group, ...]
    layers: tuple[Layer, ...]
    whole: Measurement
    call_ms: float
    factors: tuple[float, ...]
    moves_ms: float
    stays_ms: float
    on: str
    how: How
    align: int | None = None
    error: float | None = None
    trials: int = 0

    def milliseconds(self, widths: Widths) -> float:
        """Return the predicted time of one inference in ms."""
        features = self._features(widths)
        return float(self.call_ms + features @ self._coefficients())

    def speedup(self, widths: Widths) -> float:
        """Return how many times as fast the network is at `widths` as it is now."""
        return self.milliseconds({}) / self.milliseconds(widths)

    def predict(self, widths: Widths) -> Measurement:
        """Return `milliseconds` as a figure that says where it comes from; twice the mean error makes its interval."""
        value = self.milliseconds(widths)
        wide = None if self.error is None else 1 + 2 * self.error
        low, high = (None, None) if wide is None else (value / wide, value * wide)
        method = f"times of layers ({self.how}), {self.trials} networks timed at other widths"
        return Measurement(value, "ms", self.trials + 1, low, high, how="predicted", on=self.on, method=method)

    def fitted(self, trials: Sequence[Trial]) -> "LatencyPrediction":
        """Return this prediction fitted to networks that were timed; without any it is the same."""
        if not trials:
            return self
        left_out = [self._fit([*trials[:i], *trials[i + 1 :]]) for i in range(len(trials))]
        errors = [
            abs(one.milliseconds(trial.widths) / trial.time_ms - 1) for one, trial in zip(left_out, trials, strict=True)
        ]
        return replace(self._fit(trials), error=float(np.mean(errors)), trials=len(trials))

    def shares(self) -> dict[str, float]:
        """Return the predicted share of each layer, of `call` and of `rest` in the whole network's time."""
        total = self.milliseconds({})
        found: dict[str, float] = {}
        for layer in self.layers:
            found[layer.name] = found.get(layer.name, 0.0) + self.layer_ms(layer, {}) / total
        return {**found, "call": self.call_ms / total, "rest": (self.moves_ms + self.stays_ms) / total}

    def layer_ms(self, layer: Layer, widths: Widths) -> float:
        """Return the predicted time of one of `layers` in ms."""
        return self.factors[layer.kind] * layer.surface.time_ms(*layer.channels(self._gone(widths)))

    def _gone(self, widths: Widths) -> list[int]:
        return [group.channels - widths.get(group.name, group.channels) for group in self.groups]

    def _coefficients(self) -> Array:
        return np.array([*self.factors, self.moves_ms, self.stays_ms])

    def _features(self, widths: Widths) -> Array:
        """Return each kind's layer time in ms, the share of numbers still written, and 1: what coefficients go with."""
        gone, sums = self._gone(widths), [0.0] * len(KINDS)
        written = whole = 0
        for layer in self.layers:
            inputs, outputs = layer.channels(gone)
            sums[layer.kind] += layer.surface.time_ms(inputs, outputs)
            full = layer.surface.full
            written += outputs * math.prod(full.out_size)
            whole += full.written
        return np.array([*sums, written / whole, 1.0])

    def _fit(self, trials: Sequence[Trial]) -> "LatencyPrediction":
        """Least squares of relative error, the whole network counting as much as all trials together."""
        likely = self._coefficients()
        rest = max(REST_SPREAD * (self.moves_ms + self.stays_ms), REST_LEAST * self.whole.value)
        spread = np.array([*(FACTOR_SPREAD * factor for factor in self.factors), rest, rest])
        weights = [math.sqrt(max(1, len(trials))), *([1.0] * len(trials))]
        timed = [Trial({}, self.whole.value), *trials]
        rows = [self._features(t.widths) * w / t.time_ms for t, w in zip(timed, weights, strict=True)]
        wanted = [(t.time_ms - self.call_ms) * w / t.time_ms for t, w in zip(timed, weights, strict=True)]
        system = np.vstack([np.asarray(rows) / TRIAL_NOISE, np.diag(1 / spread)])
        answer = _nonnegative(system, np.concatenate([np.asarray(wanted) / TRIAL_NOISE, likely / spread]))
        factors = tuple(float(factor) for factor in answer[: len(KINDS)])
        return replace(self, factors=factors, moves_ms=float(answer[-2]), stays_ms=float(answer[-1]))


def prediction(
    shapes: Mapping[str, tuple[LayerShape, ...]],
    groups: Sequence[Group],
    times: LayerTimes,
    whole: Measurement | None = None,
    *,
    call_ms: float = 0.0,
    floor: float = 0.1,
    align: int | None = None,
) -> LatencyPrediction:
    """Return what a network takes at any widths of `groups`, from the times of its layers.

    Args:
        shapes: of all its layers, by `layer_shapes`.
        groups: whose widths may change.
        times: where times of layers come from; what is missing is asked for once, all at a time.
        whole: the network's own time in ms; without it the layers' sum stands in, and nothing is left as rest.
        call_ms: what the engine takes for a network that does nothing.
        floor: least share of a group's channels that will be asked for.
        align: widths that will be asked for are multiples of this; None as in `candidates`.

    Raises:
        InputError: `times` knows none of the layers.
    """
    layers = timed_layers(shapes, groups, times, floor, align)
    bare = LatencyPrediction(
        groups=tuple(groups),
        layers=tuple(layers),
        whole=whole or Measurement(0, "ms", 0),
        call_ms=call_ms,
        factors=(1.0,) * len(KINDS),
        moves_ms=0.0,
        stays_ms=0.0,
        on=times.on,
        how=times.how,
        align=align,
    )
    total = bare.milliseconds({}) - call_ms
    if whole is None:
        return replace(bare, whole=Measurement(total + call_ms, "ms", 0, how="predicted", on=times.on))
    rest = whole.value - call_ms - total
    if rest < 0:
        return replace(bare, factors=((whole.value - call_ms) / total,) * len(KINDS))
    return replace(bare, moves_ms=REST_MOVES * rest, stays_ms=(1 - REST_MOVES) * rest)


def _nonnegative(system: Array, wanted: Array, rounds: int = 500) -> Array:
    """Return the least-squares answer with no element below 0, by coordinate descent; `system` has full rank."""
    gram, target = system.T @ system, system.T @ wanted
    answer = np.zeros(len(target))
    for _ in range(rounds):
        before = answer.copy()
        for i in range(len(answer)):
            answer[i] = max(0.0, answer[i] + (target[i] - gram[i] @ answer) / gram[i, i])
        if np.abs(answer - before).max() <= 1e-9 * max(np.abs(answer).max(), 1e-12):
            break
    return answer
